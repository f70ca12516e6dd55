#!/bin/sh
# embed.sh LIMITS_H INCLUDE_DIR KIND FILE… [-- KIND FILE…]…: writes a C file that holds the SQL
# files as byte tables, one array EMBEDDED_KIND for each KIND (see db/embedded.h).
#
# Bytes, because a string literal has a length limit and may hold trigraphs.
set -eu
export LC_ALL=C

house=$(dirname "$0")
limits=$1
include_dir=$2
shift 2

# One file as "static const char NAME[] = { … };".
embed_file() {
	awk -v include_dir="$include_dir" -v source="$1" -f "$house/expand.awk" \
		"$limits" "$1" > "$scratch"
	printf 'static const char %s[] = {\n' "$2"
	od -An -v -tx1 "$scratch" | sed "s/ \([0-9a-f][0-9a-f]\)/'\\\\x\1',/g"
	printf '0 };\n\n'
}

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

printf '/* Made by tools/house/embed.sh from the files under db/. */\n'
printf '#include "db/embedded.h"\n\n#include <stddef.h>\n\n'
while [ $# -gt 0 ]; do
	kind=$1
	shift
	rows=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		stem=$(basename "$1")
		stem=${stem%.*}
		case $stem in
		*[!a-z0-9_]*)
			echo "$1:1: embed: a name is made of a-z, 0-9 and _" >&2
			exit 1
			;;
		esac
		embed_file "$1" "${kind}_$stem"
		rows="$rows	{ \"$stem\", ${kind}_$stem },
"
		shift
	done
	[ $# -eq 0 ] || shift
	printf 'const struct embedded_sql EMBEDDED_%s[] = {\n%s	{ NULL, NULL },\n};\n\n' "$kind" "$rows"
done
