#!/bin/sh
# install.sh BUILD_DIR PREFIX_DIR: copies the programs, the manual pages, the completion, the header and the examples.
set -eu
build=$1
prefix=$2

install -d "$prefix/bin"
for program in "$build"/bin/*; do
	case $program in
	*/locum-bench) ;; # measures the source tree it was built in
	*) install -m 755 "$program" "$prefix/bin/" ;;
	esac
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

for plugin in examples/plugins/*.c; do
	[ -f "$plugin" ] || continue
	name=$(basename "$plugin" .c)
	install -d "$prefix/lib/locum" "$prefix/share/locum/plugins"
	install -m 755 "$build/plugins/$name.so" "$prefix/lib/locum/"
	install -m 644 "$plugin" "$prefix/share/locum/plugins/"
done
install -d "$prefix/include"
install -m 644 include/locum.h "$prefix/include/"

for example in examples/handlers/*; do
	[ -f "$example" ] || continue
	install -d "$prefix/share/locum/handlers"
	install -m 755 "$example" "$prefix/share/locum/handlers/"
done

echo "installed into $prefix"
