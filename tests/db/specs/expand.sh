#!/bin/sh
# expand.sh SPEC_IN: prints the isolation spec with each word @NAME@ replaced by "prepare NAME as" and
# the text of db/sql/NAME.sql, so that the races run the statements that locum runs. Run from the
# root of the tree. A block of a spec ends at the first closing brace, whatever that stands in, so a
# statement may have none. Statements wait for locks of anybody, as long as it takes: what follows a wait is what is
# tested. Where a row stands is not told, for it may differ.
set -eu
export LC_ALL=C

while IFS= read -r line; do
	case $line in
	*@[a-z]*@*)
		name=${line#*@}
		name=${name%%@*}
		printf '%sprepare %s as\n' "${line%%@*}" "$name"
		tools/house/statement.sh "$name" |
			sed "s/'lock_timeout', [0-9]*::text/'lock_timeout', '0'/; s,not like 'locum/%',not like '%',; s/, ctid as place$//"
		printf ';%s\n' "${line##*@}"
		;;
	*) printf '%s\n' "$line" ;;
	esac
done < "$1"
