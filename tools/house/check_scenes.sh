#!/bin/sh
# check_scenes.sh README…: prints a violation for each test that a table of tests names and that is not there. A row
# names tests as `FOLDER/FILE` `NAME`, the folder being one of tests/.
set -eu
export LC_ALL=C

for readme in "$@"; do
	awk '/^\|/ {
		line = $0
		while (match(line, /`[a-z]+\/[a-z_0-9.]+` `[a-z_0-9]+`/)) {
			split(substr(line, RSTART, RLENGTH), part, "`")
			print FNR, part[2], part[4]
			line = substr(line, RSTART + RLENGTH)
		}
	}' "$readme" | while read -r line file name; do
		grep -qsE "(^|[^a-z_0-9])$name([^a-z_0-9]|\$)" "tests/$file" ||
			echo "$readme:$line: scenes: tests/$file has no test $name"
	done
done
