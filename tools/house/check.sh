#!/bin/sh
# check.sh [BUILD_DIR]: checks the rules of the house and prints "FILE:LINE: RULE: WHAT" for each
# violation. Exit 1 when there is one. Checks that need a tool that is missing are skipped with a
# note. BUILD_DIR is where objects are looked for; nothing is built.
set -eu
export LC_ALL=C
house=$(cd "$(dirname "$0")" && pwd)
build=${1:-build}

# like REGEX: those of the files whose path matches.
like() {
	grep -E "$1" "$work/files" || true
}

# each COMMAND…: runs it with the paths on stdin behind it, when there are any.
each() {
	xargs -r "$@"
}

list_files() {
	find . -path './.git' -prune -o -path './build*' -prune -o -type f -print |
		sed 's|^\./||' | sort > "$work/all"
	# Text is what grep takes for it.
	each grep -lI '' < "$work/all" > "$work/files" || true
	each awk 'FNR == 1 && (/^#!.*sh$/ || FILENAME ~ /\.sh$/) { print FILENAME }' \
		< "$work/files" > "$work/shell"
}

check_c() {
	like '\.[ch]$' | each awk -f "$house/code.awk" -f "$house/check_includes.awk"
	like '\.[ch]$' | each awk -f "$house/code.awk" -f "$house/check_calls.awk"
	"$house/check_symbols.sh" "$build"
}

check_sizes() {
	{
		like '\.([ch]|sql)$'
		cat "$work/shell"
	} | each awk -f "$house/check_size.awk"
}

check_text() {
	each awk -f "$house/check_text.awk" < "$work/files"
	if [ -d .git ] && command -v git > /dev/null; then
		git ls-files --cached --ignored --exclude-standard |
			sed 's/$/:1: generated: a generated file is tracked/'
	fi
}

# Every LIMIT_ word and every include of the SQL files resolves.
check_sql() {
	if [ -f db/states.def ]; then
		"$house/states.sh" type db/states.def > "$work/job_state_type.sql"
	fi
	like '^db/.*\.sql$' | while read -r file; do
		{ awk -v include_dir="$work" -v source="$file" -f "$house/expand.awk" \
			base/limits.h "$file" > "$work/expanded"; } 2>&1 || true
	done
}

# Words that the handbook repeats from the tables, and tests that a table names.
check_docs() {
	if [ -f doc/handbook.md ] && [ -f db/states.def ]; then
		"$house/check_diagram.sh" db/states.def doc/handbook.md
	fi
	if [ -f tests/scenarios/README.md ]; then
		"$house/check_scenes.sh" tests/scenarios/README.md
	fi
}

check_format() {
	if ! command -v clang-format > /dev/null; then
		echo 'clang-format is missing: layout not checked' >> "$work/notes"
		return
	fi
	like '\.[ch]$' | each -P 2 -n 8 clang-format --dry-run -Werror 2>&1 |
		awk -F: '($2 ~ /^[0-9]+$/ ? /: error: / : /^Error/) && !($1 in seen) {
			seen[$1] = 1
			printf "%s:%s: format: run make format\n", $1, $2
		}'
}

check_scripts() {
	if ! command -v shellcheck > /dev/null; then
		echo 'shellcheck is missing: scripts not checked' >> "$work/notes"
		return
	fi
	each shellcheck -f gcc < "$work/shell" |
		sed 's/^\([^:]*:[0-9]*\):[0-9]*: [a-z]*: /\1: shellcheck: /'
}

check_javascript() {
	if ! command -v node > /dev/null; then
		echo 'node is missing: JavaScript not checked' >> "$work/notes"
		return
	fi
	like '\.js$' | while read -r file; do
		node --check "$file" > /dev/null 2>&1 < /dev/null || echo "$file:1: javascript: it does not parse"
	done
}

median() {
	like '\.c$' | { grep -v '^tests/' || true; } | each awk -v lengths=1 -f "$house/check_size.awk" |
		sort -n | awk '{ length_of[NR] = $1 } END { print NR ? length_of[int((NR + 1) / 2)] : 0 }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
list_files
: > "$work/notes"
for group in c sizes text sql docs format scripts javascript; do
	"check_$group" > "$work/$group"
done
cd "$work"
cat c sizes text sql docs format scripts javascript | sort -t: -k1,1 -k2,2n | uniq > violations
cat violations notes
cd - > /dev/null
count=$(wc -l < "$work/violations")
echo "check: $(wc -l < "$work/files") files, $count violations, median function $(median) lines"
[ "$count" -eq 0 ]
