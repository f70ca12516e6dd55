#!/bin/sh
# Each rule of `make check` fires on a file that breaks it, and on nothing else.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
trap 'exit 1' HUP INT TERM
failed=0

# A small tree that keeps every rule, as the place for one bad file.
new_tree() {
	rm -rf "$tree"
	mkdir -p "$tree/base" "$tree/tools" "$tree/db"
	cp "$root/.clang-format" "$tree/"
	file base/limits.h '#ifndef LOCUM_BASE_LIMITS_H' '#define LOCUM_BASE_LIMITS_H' '' \
		'enum { LIMIT_NAME_BYTES = 63 };' '' '#endif'
	file db/sql/job_count.sql '-- job_count(queue text) -> count' 'select count(*) from locum.job'
}

# file PATH LINE…
file() {
	path=$tree/$1
	mkdir -p "$(dirname "$path")"
	shift
	printf '%s\n' "$@" > "$path"
}

# repeat N LINE
repeat() {
	awk -v n="$1" -v line="$2" 'BEGIN { while (n-- > 0) print line }'
}

check() {
	(cd "$tree" && "$root/tools/house/check.sh" build) 2>&1
}

result() {
	if [ "$2" -eq 0 ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		printf '%s\n' "$output"
		failed=1
	fi
}

# fires NAME PREFIX: the check fails, and its only violation begins with PREFIX.
fires() {
	wrong=0
	output=$(check) && wrong=1
	[ "$(printf '%s\n' "$output" | grep -cE '^[^ ]+:[0-9]+: ')" -eq 1 ] || wrong=1
	printf '%s\n' "$output" | grep -qF -- "$2" || wrong=1
	result "$1" $wrong
	new_tree
}

passes() {
	wrong=0
	output=$(check) || wrong=1
	result "$1" $wrong
	new_tree
}

# header PATH GUARD: an empty header.
header() {
	file "$1" "#ifndef $2" "#define $2" '' '#endif'
}

test_includes() {
	header db/job.h LOCUM_DB_JOB_H
	file agent/slot.c '#include "db/job.h"'
	fires agent_may_not_include_db 'agent/slot.c:1: layer: '

	header db/job.h LOCUM_DB_JOB_H
	file agent/host_run.c '#include "db/job.h"'
	passes plugin_host_may_include_db

	header db/job.h LOCUM_DB_JOB_H
	file base/clock.c '#include "db/job.h"'
	fires base_includes_nothing_above_it 'base/clock.c:1: layer: '

	header dispatcher/pump.h LOCUM_DISPATCHER_PUMP_H
	file db/job.c '#include "dispatcher/pump.h"'
	fires db_may_not_include_dispatcher 'db/job.c:1: layer: '

	header agent/slot.h LOCUM_AGENT_SLOT_H
	file dispatcher/pump.c '#include "agent/slot.h"'
	fires dispatcher_may_not_include_agent 'dispatcher/pump.c:1: layer: '

	header dispatcher/pump.h LOCUM_DISPATCHER_PUMP_H
	file tools/locum/show.c '#include "dispatcher/pump.h"'
	fires tools_may_not_include_dispatcher 'tools/locum/show.c:1: layer: '

	header dispatcher/pump.h LOCUM_DISPATCHER_PUMP_H
	file tests/unit/test_pump.c '#include "dispatcher/pump.h"'
	passes tests_may_include_everything

	header dispatcher/pump.h LOCUM_DISPATCHER_PUMP_H
	file lib/locum.c '#include "dispatcher/pump.h"'
	fires lib_includes_no_program 'lib/locum.c:1: layer: '

	file agent/slot.c '#include <libpq-fe.h>'
	fires agent_may_not_include_libpq 'agent/slot.c:1: layer: '

	file dispatcher/pump.c '#include "limits.h"'
	fires includes_begin_at_the_root 'dispatcher/pump.c:1: include: '

	header base/clock.h LOCUM_BASE_CLOCK_H
	file base/clock.c '#include <time.h>' '' '#include "base/clock.h"'
	fires own_header_comes_first 'base/clock.c:1: include: '

	header base/clock.h CLOCK_H
	fires guard_is_made_of_the_path 'base/clock.h:1: guard: '
}

test_sizes() {
	{
		printf 'int clock_count(void)\n{\n\tint n = 0;\n'
		repeat 57 '	n++;'
		printf '}\n'
	} > "$tree/base/clock.c"
	fires c_function_of_61_lines_is_too_long 'base/clock.c:1: size: the function has 61 lines'

	{
		printf 'int clock_count(void)\n{\n\tint n = 0;\n'
		repeat 56 '	n++;'
		printf '}\n'
	} > "$tree/base/clock.c"
	passes c_function_of_60_lines_is_not

	repeat 501 '/* */' > "$tree/base/clock.c"
	fires file_of_501_lines_is_too_long 'base/clock.c:501: size: '

	{
		printf '#!/bin/sh\nwork() {\n'
		repeat 59 '	true'
		printf '}\nwork\n'
	} > "$tree/tools/work.sh"
	fires shell_function_of_61_lines_is_too_long 'tools/work.sh:2: size: '

	{
		# shellcheck disable=SC2016 # dollar quotes of SQL
		printf 'create function locum.f() returns int language plpgsql as $$\n'
		repeat 60 '-- line'
		# shellcheck disable=SC2016
		printf '$$;\n'
	} > "$tree/db/f.sql"
	fires sql_body_of_62_lines_is_too_long 'db/f.sql:1: size: '
}

# bad_call NAME PATH CODE
bad_call() {
	file "$2" "$3"
	fires "$1" "$2:1: call: "
}

test_calls() {
	for name in strcpy strcat sprintf vsprintf gets strtok atoi atol system popen alloca \
		sleep usleep nanosleep pthread_cancel exit abort signal sigaction _exit; do
		bad_call "${name}_is_not_called" base/clock.c "int clock_x = $name(1);"
	done
	bad_call libpq_runs_statements_only_in_db dispatcher/pump.c 'int pump_x = PQexecParams(1);'
	bad_call tests_do_not_sleep tests/unit/test_x.c 'int x = usleep(1);'

	file tests/wait.sh '#!/bin/sh' "sle""ep 1"
	fires scripts_do_not_sleep 'tests/wait.sh:2: call: sleep: '

	file dispatcher/main.c 'int x = exit(1);'
	passes main_may_exit
	file agent/shim.c 'int shim_x = _exit(1);'
	passes exec_shim_may_exit_at_once
	file base/clock.c 'int clock_x = thing.signal(1) + my_exit(2);' '/* abort() */' \
		'const char *clock_y = "exit(1)";'
	passes members_comments_and_literals_are_no_calls

	for text in 'select id from job' 'insert into locum.job' 'update locum.job set' \
		'delete from locum.job'; do
		file base/clock.c "const char *clock_x = \"$text\";"
		fires "sql_text_in_c:_${text%% *}" 'base/clock.c:1: sql: '
	done
	file base/clock.c 'const char *clock_x = "cannot update the state file";'
	passes plain_english_is_no_sql
}

test_symbols() {
	file base/clock.c 'int read_time = 1;'
	mkdir -p "$tree/build/obj/base"
	"${CC:-gcc}" -c -o "$tree/build/obj/base/clock.o" "$tree/base/clock.c"
	fires exported_symbol_without_the_files_name 'base/clock.c:1: symbol: '

	file db/queue.c 'int job_count_call = 1;' 'static int other;' 'int *queue_other = &other;'
	mkdir -p "$tree/build/obj/db"
	"${CC:-gcc}" -c -o "$tree/build/obj/db/queue.o" "$tree/db/queue.c"
	passes statement_gives_its_name_to_functions_of_db
}

test_text() {
	file db/sql/job_claim.sql 'select 1'
	output=$(check) || :
	wrong=0
	printf '%s\n' "$output" | grep -q '^db/sql/job_claim.sql:1: signature: ' || wrong=1
	result statement_without_signature $wrong
	new_tree

	file db/sql/job_claim.sql '-- job_claim(queue text)' '-- Claims.' 'select 1'
	fires signature_without_columns 'db/sql/job_claim.sql:1: signature: '

	file db/sql/job_claim.sql '-- job_claim() -> id' 'select LIMIT_UNHEARD_OF'
	fires unknown_limit 'db/sql/job_claim.sql:2: embed: '

	file base/clock.c 'int   clock_x;'
	fires layout_is_clang_formats 'base/clock.c:1: format: '

	# shellcheck disable=SC2016 # the script under test shall see the dollar
	file tools/work.sh '#!/bin/sh' 'cp $1 x'
	fires shellcheck_is_heard 'tools/work.sh:2: shellcheck: '

	file doc.md "TO""DO: write"
	fires open_end 'doc.md:1: text: '

	file doc.md 'text '
	fires white_space_at_the_end 'doc.md:1: text: '

	# shellcheck disable=SC2016 # these are Markdown's
	file tests/scenarios/README.md '| `db/test_claim.c` `is_there`, `db/test_claim.c` `is_not` |'
	file tests/db/test_claim.c 'int is_there;'
	fires test_that_is_only_named 'tests/scenarios/README.md:1: scenes: '

	file .gitignore '/build/'
	file build/made.c 'int x;'
	(cd "$tree" && git init -q && git add -f build/made.c)
	fires generated_file_is_tracked 'build/made.c:1: generated: '
}

new_tree
passes tree_that_keeps_the_rules
test_includes
test_sizes
test_calls
test_symbols
test_text
exit $failed
