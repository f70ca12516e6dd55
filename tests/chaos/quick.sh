#!/bin/sh
# quick.sh BIN FOLDER: plays the quick suite of the failure harness with the programs in BIN, and prints a line "ok …",
# "not ok …" or "skip …" for each act, injection and invariant. FOLDER gets the histories, instead of what is in it.
set -eu
bin=$1
folder=$2

rm -rf "$folder"
status=0
"$bin/locum" chaos run --suite quick --output "$folder" > "$folder.txt" 2>&1 || status=$?
[ "$status" -eq 0 ] || cat "$folder.txt"
rm -f "$folder.txt"
[ -f "$folder/verdict.json" ]

# The report's own code is the verdict, which the lines tell.
{ "$bin/locum" chaos report "$folder" --json || :; } | node "$(dirname "$0")/lines.js"
exit "$status"
