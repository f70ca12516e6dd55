#!/bin/sh
# check_symbols.sh BUILD_DIR: what X.c exports begins with X_; in db also with the name of a
# statement of db/sql, whose functions these are, and in tests/support with the name of a fixture
# that has several files. Looks at the objects that are up to date.
set -eu
export LC_ALL=C
build=$1

symbols() {
	find . -path './build*' -prune -o -path './.git' -prune -o \
		-name '*.c' ! -path './tests/*/test_*' -print | sed 's|^\./||' | sort |
		while read -r source; do
			object=$build/obj/${source%.c}.o
			if [ -f "$object" ] && [ -z "$(find "$source" -newer "$object")" ]; then
				nm -g --defined-only "$object" | awk -v source="$source" '{ print source, $3 }'
			fi
		done
}

line_of() {
	grep -nw -- "$2" "$1" | head -n 1 | cut -d: -f1
}

statements=" $(find db/sql -name '*.sql' 2>/dev/null | sed 's|.*/||; s|\.sql$||' | tr '\n' ' ')"
symbols | awk -v statements="$statements" '
# Whether the name, or what stands before one of its underscores, is a statement.
function of_statement(name) {
	while (!index(statements, " " name " "))
		if (!sub(/_[^_]*$/, "", name))
			return 0
	return 1
}
# A fixture in several files, noun.c and noun_part.c, has one prefix: noun_.
function of_family(symbol, stem) {
	while (sub(/_[^_]*$/, "", stem))
		if (index(symbol, stem "_") == 1)
			return 1
	return 0
}
{
	stem = $1
	gsub(/.*\/|\.c$/, "", stem)
	symbol = tolower($2)
	if (symbol == stem || index(symbol, stem "_") == 1)
		next
	if ($1 ~ /^db\// && of_statement($2))
		next
	if ($1 ~ /^tests\/support\// && of_family(symbol, stem))
		next
	if (stem == "main" && $2 == "main")
		next
	print $1, $2, stem
}' | while read -r source symbol stem; do
	line=$(line_of "$source" "$symbol")
	echo "$source:${line:-1}: symbol: $symbol is exported and does not begin with ${stem}_"
done
