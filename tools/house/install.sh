#!/bin/sh
# install.sh BUILD_DIR DESTDIR PREFIX: copies the programs, the library, the manual pages, the completion, the headers
# and the examples. DESTDIR, which may be empty, is where PREFIX is for now.
set -eu
build=$1
prefix=$2$3

install -d "$prefix/bin"
for program in "$build"/bin/*; do
	install -m 755 "$program" "$prefix/bin/"
done

install -d "$prefix/share/bash-completion/completions"
"$build/bin/locum" completion bash > "$prefix/share/bash-completion/completions/locum"

for page in doc/man/*.[1-8].scd; do
	[ -e "$page" ] || continue
	if ! command -v scdoc > /dev/null; then
		echo "install: scdoc is missing, the manual pages are left out; run 'make deps'" >&2
		break
	fi
	name=$(basename "$page" .scd)
	section=$prefix/share/man/man${name##*.}
	install -d "$section"
	scdoc < "$page" > "$section/$name"
	chmod 644 "$section/$name"
done

install -d "$prefix/share/locum"
install -m 644 doc/locumd.conf.sample "$prefix/share/locum/"

for plugin in examples/plugins/*.c; do
	[ -f "$plugin" ] || continue
	name=$(basename "$plugin" .c)
	install -d "$prefix/lib/locum" "$prefix/share/locum/plugins"
	install -m 755 "$build/plugins/$name.so" "$prefix/lib/locum/"
	install -m 644 "$plugin" "$prefix/share/locum/plugins/"
done

install -d "$prefix/lib/locum/chaos"
install -m 755 "$build"/harness/* "$prefix/lib/locum/chaos/"

# The benchmark, laid out as in the source tree, with what it takes from there.
bench=$prefix/lib/locum/bench
install -d "$bench/tools/bench/peers" "$bench/tools/bench/sections" "$bench/tools/bench/sql" "$bench/tests/support"
for file in tools/bench/*.sh tools/bench/peers/*.sh tests/support/cluster.sh; do
	install -m 755 "$file" "$bench/$file"
done
for file in tools/bench/*.tsv tools/bench/*.awk tools/bench/settings tools/bench/sections/*.sh tools/bench/sql/*.sql \
	tools/bench/peers/*.js tools/bench/peers/*.json tools/bench/peers/*.sql; do
	install -m 644 "$file" "$bench/$file"
done
install -m 755 "$build/plugins/stamp.so" "$build/handlers/service" "$bench/"

install -d "$prefix/include/locum" "$prefix/lib/pkgconfig"
install -m 644 include/locum.h "$prefix/include/"
install -m 644 include/locum/*.h "$prefix/include/locum/"
install -m 644 "$build/lib/liblocum.a" "$prefix/lib/"
version=$(sed -n 's/.*LOCUM_VERSION "\(.*\)"/\1/p' base/version.h)
install -m 755 "$build/lib/liblocum.so.$version" "$prefix/lib/"
ln -sf "liblocum.so.$version" "$prefix/lib/liblocum.so.0"
ln -sf liblocum.so.0 "$prefix/lib/liblocum.so"
sed "s|@PREFIX@|$3|; s|@VERSION@|$version|" lib/locum.pc.in > "$prefix/lib/pkgconfig/locum.pc"
chmod 644 "$prefix/lib/pkgconfig/locum.pc"

install -d "$prefix/share/locum/chaos"
install -m 644 tools/chaos/suites/*.conf "$prefix/share/locum/chaos/"

for example in examples/clients/*; do
	[ -f "$example" ] || continue
	install -d "$prefix/share/locum/examples"
	install -m 644 "$example" "$prefix/share/locum/examples/"
done

for example in examples/handlers/*; do
	[ -f "$example" ] || continue
	install -d "$prefix/share/locum/handlers"
	install -m 755 "$example" "$prefix/share/locum/handlers/"
done

echo "installed into $prefix"
