#!/bin/sh
# states.sh functions|type|diagram STATES_DEF: what is derived from the table of job states.
#
#   functions  SQL that may run any number of times: locum.state_edge_is_legal(from, to),
#              locum.state_is_terminal(state), and the check on locum.finished
#   type       create type locum.job_state
#   diagram    a Mermaid state diagram
#
# The table holds STATE(NAME, "name", UNFINISHED|TERMINAL) and EDGE(FROM, EVENT, TO) and C comments.
set -eu
export LC_ALL=C

usage() {
	sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
	exit 64
}

[ $# -eq 2 ] || usage
case $1 in
functions | type | diagram) ;;
*) usage ;;
esac

# One line per entry, "STATE name class" or "EDGE from event to", in the order of the file.
entries() {
	awk '
	function fail(what) {
		printf "%s:%d: states: %s\n", FILENAME, FNR, what > "/dev/stderr"
		failed = 1
		exit 1
	}
	function entry(kind, text,    part) {
		gsub(/[ \t"]/, "", text)
		if (split(text, part, ",") != 3)
			fail(kind " takes three words")
		if (kind == "STATE") {
			if (part[3] != "UNFINISHED" && part[3] != "TERMINAL")
				fail("a state is UNFINISHED or TERMINAL, not " part[3])
			if (last == "TERMINAL" && part[3] != last)
				fail("an unfinished state below a terminal one: " text)
			last = part[3]
			name[part[1]] = part[2]
			terminal[part[1]] = part[3] == "TERMINAL"
			print "STATE", part[2], part[3]
			return
		}
		if (!(part[1] in name) || !(part[3] in name))
			fail("an edge between states that are not above it: " text)
		if (terminal[part[1]])
			fail("an edge out of a terminal state: " text)
		print "EDGE", name[part[1]], tolower(part[2]), name[part[3]]
	}
	# Comments and preprocessor lines are not entries.
	{
		line = $0
		if (directive || line ~ /^[ \t]*#/) {
			directive = line ~ /\\$/
			next
		}
		if (comment) {
			if (!(end = index(line, "*/")))
				next
			line = substr(line, end + 2)
			comment = 0
		}
		while (start = index(line, "/*")) {
			rest = substr(line, start + 2)
			line = substr(line, 1, start - 1)
			if (!(end = index(rest, "*/"))) {
				comment = 1
				break
			}
			line = line " " substr(rest, end + 2)
		}
		sub(/\/\/.*/, "", line)
		while (match(line, /(STATE|EDGE)\([^)]*\)/)) {
			found = substr(line, RSTART, RLENGTH)
			line = substr(line, RSTART + RLENGTH)
			open = index(found, "(")
			entry(substr(found, 1, open - 1), substr(found, open + 1, length(found) - open - 1))
		}
	}
	END { exit failed }' "$1"
}

# 'a', 'b': the names of the states of a class, or of all.
names() {
	awk -v class="${1-}" '
	$1 == "STATE" && (class == "" || $3 == class) {
		printf "%s'\''%s'\''", separator, $2
		separator = ", "
	}' "$table"
}

# The states of the type are in the order of the file: all below this one are unfinished.
first_terminal() {
	awk '$3 == "TERMINAL" { printf "'\''%s'\''", $2; exit }' "$table"
}

edges() {
	awk '
	$1 == "EDGE" && !(($2, $4) in seen) {
		seen[$2, $4] = 1
		printf "%s\t\t('\''%s'\'', '\''%s'\'')", separator, $2, $4
		separator = ",\n"
	}' "$table"
}

# A check that keeps the states of one table; it is made anew only when it has changed, because that locks the table
# against everything. The constraint's comment holds the condition. It is a comparison and no list, because the
# server reads its text in each statement that writes to the table.
check_sql() {
	cat <<SQL

do \$check\$
declare
	wanted constant text := \$condition\$$3\$condition\$;
	present text;
begin
	select obj_description(oid, 'pg_constraint') into present
	from pg_catalog.pg_constraint
	where conrelid = 'locum.$1'::regclass and conname = '$2';
	if present is not distinct from wanted then
		return;
	end if;
	if found then
		alter table locum.$1 drop constraint $2;
	end if;
	alter table locum.$1 add constraint $2 check ($3);
	execute format('comment on constraint $2 on locum.$1 is %L', wanted);
end
\$check\$;
SQL
}

functions_sql() {
	cat <<SQL
-- Made by tools/house/states.sh from db/states.def.

create or replace function locum.state_edge_is_legal(locum.job_state, locum.job_state)
returns boolean
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as \$body\$
	select (\$1, \$2) in (
$(edges)
	)
\$body\$;

create or replace function locum.state_is_terminal(locum.job_state)
returns boolean
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as \$body\$
	select \$1 in ($(names TERMINAL))
\$body\$;
SQL
	check_sql finished finished_state_is_terminal "state >= $(first_terminal)"
}

diagram() {
	echo stateDiagram-v2
	awk '
	$1 == "STATE" { order[++count] = $2; class[$2] = $3 }
	$1 == "EDGE" {
		printf "    %s --> %s: %s\n", $2, $4, $3
		reached[$4] = 1
	}
	END {
		for (i = 1; i <= count; i++)
			if (class[order[i]] == "TERMINAL")
				printf "    %s --> [*]\n", order[i]
			else if (!(order[i] in reached))
				printf "    [*] --> %s\n", order[i]
	}' "$table"
}

table=$(mktemp)
trap 'rm -f "$table"' EXIT
trap 'exit 1' HUP INT TERM
entries "$2" > "$table"
if ! grep -q '^STATE' "$table"; then
	echo "$2:1: states: no STATE(…) found" >&2
	exit 1
fi

case $1 in
functions) functions_sql ;;
type) printf 'create type locum.job_state as enum (%s);\n' "$(names)" ;;
diagram) diagram ;;
esac
