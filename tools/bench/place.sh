# shellcheck shell=sh disable=SC2034
# Where things are: in the tree that they were built in, or where they were installed, which is laid out alike. Sourced by
# run.sh, which sets these.
: "${home:?}"

# LOCUM_BENCH_BIN: the programs; `locum bench` sets it to its own folder.
tree=$(cd "$home/../.." && pwd)
cluster=$tree/tests/support/cluster.sh
if [ -f "$tree/Makefile" ]; then
	bin=${LOCUM_BENCH_BIN:-$(cd "$tree" && realpath "${B:-build}")/bin}
	build=${bin%/bin}
	plugins=$build/plugins
	stamp=$build/plugins/stamp.so
	services=$tree/examples/handlers
	service_c=$build/handlers/service
	out=$build/bench
else
	prefix=$(cd "$tree/../../.." && pwd)
	bin=${LOCUM_BENCH_BIN:-$prefix/bin}
	plugins=$prefix/lib/locum
	stamp=$tree/stamp.so
	services=$prefix/share/locum/handlers
	service_c=$tree/service
	out=$PWD/locum-bench
fi
measurer=$bin/locum-bench
