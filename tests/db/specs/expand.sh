#!/bin/sh
# expand.sh SPEC_IN: prints the isolation spec with each word @NAME@ replaced by "prepare NAME as" and
# the text of db/sql/NAME.sql, so that the races run the statements that locum runs. Run from the
# root of the tree.
set -eu
export LC_ALL=C

# Comments go, for a spec's blocks end at the first closing brace whatever it stands in.
statement() {
	awk -v include_dir=. -v source="db/sql/$1.sql" -f tools/house/expand.awk \
		base/limits.h "db/sql/$1.sql" | sed '/^--/d'
}

while IFS= read -r line; do
	case $line in
	*@[a-z]*@*)
		name=${line#*@}
		name=${name%%@*}
		printf '%sprepare %s as\n' "${line%%@*}" "$name"
		statement "$name"
		printf ';%s\n' "${line##*@}"
		;;
	*) printf '%s\n' "$line" ;;
	esac
done < "$1"
