#!/bin/sh
# check_diagram.sh STATES_DEF HANDBOOK: the handbook's state diagram is the one that the table makes.
set -eu
drawn=$(awk '/^```$/ { inside = 0 } inside; /^```mermaid$/ { inside = 1 }' "$2")
made=$("$(dirname "$0")/states.sh" diagram "$1")
[ "$drawn" = "$made" ] ||
	awk '/^```mermaid$/ { line = FNR } END {
		printf "%s:%d: diagram: not what make -s states-diagram prints\n", FILENAME, line + !line
	}' "$2"
