#!/bin/sh
# readme.sh FOLDER README.md: puts the goals of the report in FOLDER into the table between the markers of README.md.
set -eu
home=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] || {
	sed -n '2s/^# //p' "$0" >&2
	exit 64
}
[ -r "$1/report.json" ] || {
	echo "bench: there is no $1/report.json: run 'make bench' first" >&2
	exit 65
}
! grep -q '"trial"' "$1/report.json" || {
	echo "bench: $1/report.json is of a trial, whose figures mean nothing" >&2
	exit 65
}
made=$(mktemp)
trap 'rm -f "$made"' EXIT
awk -f "$home/readme.awk" "$1/report.json" "$2" > "$made" || {
	echo "bench: $2 has no lines \"<!-- benchmark: …\" and \"<!-- end of the benchmark -->\"" >&2
	exit 65
}
cat "$made" > "$2"
