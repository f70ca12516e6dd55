#!/bin/sh
# quick.sh BIN FOLDER: plays the quick suite of the failure harness with the programs in BIN, and prints a line "ok …",
# "not ok …" or "skip …" for each act, injection and invariant. FOLDER gets the histories, instead of what is in it.
# A run that proves nothing (a fault that did not bite, on a machine that was too busy) is told, and played once more.
set -eu
bin=$1
folder=$2

play() {
	rm -rf "$folder"
	status=0
	"$bin/locum" chaos run --suite quick --output "$folder" > "$folder.txt" 2>&1 || status=$?
	[ "$status" -eq 0 ] || cat "$folder.txt"
	rm -f "$folder.txt"
	[ -f "$folder/verdict.json" ]
}

play
if [ "$status" -eq 2 ]; then
	echo 'skip a first run that proved nothing'
	rm -rf "$folder.unknown"
	mv "$folder" "$folder.unknown"
	play
fi

# The report's own code is the verdict, which the lines tell.
{ "$bin/locum" chaos report "$folder" --json || :; } | node "$(dirname "$0")/lines.js"
exit "$status"
