#!/bin/sh
# check_probes.sh BUILD_DIR: prints what is left of the named instants (base/probe.h) in the programs and libraries of a
# release: symbols of base/probe.c, calls of them, and the variable that arms them.
set -eu
export LC_ALL=C
build=$1

for file in "$build"/bin/* "$build"/lib/*.a "$build"/lib/*.so "$build"/harness/* "$build"/lib*.a; do
	[ -f "$file" ] || continue
	nm -a "$file" 2> /dev/null | awk -v file="$file" '$NF ~ /^probe_/ { print file ": symbol " $NF }' | sort -u
	nm -D "$file" 2> /dev/null | awk -v file="$file" '$NF ~ /^probe_/ { print file ": dynamic symbol " $NF }' | sort -u
	if strings -a "$file" | grep -q CHAOS_PROBES; then
		echo "$file: the word CHAOS_PROBES"
	fi
done
