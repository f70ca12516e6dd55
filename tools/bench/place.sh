# shellcheck shell=sh disable=SC2034
# Where things are: in the tree that they were built in, or where they were installed. Sourced by run.sh, which sets these.
: "${home:?}"

# LOCUM_BENCH_BIN: the programs; `locum bench` sets it to its own folder.
tree=$home/../..
if [ -f "$tree/Makefile" ]; then
	build=$(cd "$tree" && realpath "${B:-build}")
	bin=${LOCUM_BENCH_BIN:-$build/bin}
	build=${bin%/bin}
	measurer=$build/bin/locum-bench
	plugins=$build/plugins
	stamp=$build/plugins/stamp.so
	services=$(cd "$tree/examples/handlers" && pwd)
	service_c=$build/handlers/service
	cluster=$(cd "$tree/tests/support" && pwd)/cluster.sh
	out=$build/bench
else
	prefix=$(cd "$home/../../.." && pwd)
	bin=${LOCUM_BENCH_BIN:-$prefix/bin}
	measurer=$home/locum-bench
	plugins=$prefix/lib/locum
	stamp=$home/stamp.so
	services=$prefix/share/locum/handlers
	service_c=$home/service
	cluster=$home/cluster-of-tests.sh
	out=$PWD/locum-bench
fi
