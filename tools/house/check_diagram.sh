#!/bin/sh
# check_diagram.sh STATES_DEF HANDBOOK: the handbook's state diagram is the one that the table makes.
set -eu
drawn=$(sed -n '/^```mermaid$/,/^```$/p' "$2" | sed '1d;$d')
made=$("$(dirname "$0")/states.sh" diagram "$1")
[ "$drawn" = "$made" ] || {
	line=$(grep -n '^```mermaid$' "$2" | cut -d : -f 1)
	echo "$2:${line:-1}: diagram: not what make -s states-diagram prints"
}
