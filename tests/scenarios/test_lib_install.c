/* liblocum as `make install` leaves it: what it exports, who can compile with it, and that its examples run. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/command.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* What every script begins with. $D is the scratch DESTDIR. */
static const char PRELUDE[] =
	"set -eu; LIBPQ=$(pkg-config --cflags --libs libpq); D=$1; LIB=$D/opt/app/lib; INCLUDE=$D/opt/app/include\n"
	"export PKG_CONFIG_PATH=$LIB/pkgconfig PKG_CONFIG_SYSROOT_DIR=$D LD_LIBRARY_PATH=$LIB\n"
	"export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 TMPDIR=$D\n"
	"STRICT='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'\n";

static char destdir[SCENARIO_PATH];

/* Runs a script in sh and returns what it printed, until the next one. */
static const char *run(const char *script, const char *argument)
{
	static char printed[8192];
	struct command command;
	char *text;

	assert_true(asprintf(&text, "%s%s", PRELUDE, script) > 0);
	command_init(&command, "/bin/sh");
	command_add(&command, "-c", text, "sh", destdir, argument, NULL);
	command_run(&command, "", 0);
	if (command.code != 0)
		fail_msg("%s\n%s%s", script, command.printed, command.said);
	snprintf(printed, sizeof(printed), "%s", command.printed);
	command_fini(&command);
	free(text);
	return printed;
}

static int install(void **state)
{
	char build[PATH_MAX + 8];

	snprintf(destdir, sizeof(destdir), "/tmp/locum-install.XXXXXX");
	if (mkdtemp(destdir) == NULL)
		return -1;
	snprintf(build, sizeof(build), "%s/..", cli_program("."));
	run("tools/house/install.sh \"$2\" \"$D\" /opt/app > /dev/null", build);
	return database_open(state);
}

static int uninstall(void **state)
{
	run("rm -rf \"$D\"", NULL);
	return database_close(state);
}

static void exactly_the_functions_of_the_header_are_exported(void **state)
{
	(void)state;
	run("sed -n 's/^[a-z].*[ *]\\(locum_[a-z_]*\\)(.*/\\1/p' $INCLUDE/locum/client.h | sort > $D/header\n"
	    "[ $(wc -l < $D/header) -ge 19 ]\n"
	    "nm -D --defined-only $LIB/liblocum.so | awk '$2 == \"T\" { sub(/@.*/, \"\", $3); print $3 }' |"
	    " sort > $D/shared\n"
	    "nm -D --defined-only $LIB/liblocum.so | awk '$2 !~ /[TA]/' > $D/data\n"
	    "nm -g --defined-only $LIB/liblocum.a | awk 'NF == 3 { print $3 }' | sort > $D/static\n"
	    "diff $D/header $D/shared; diff $D/header $D/static; [ ! -s $D/data ]",
	    NULL);
}

static void programs_ask_for_the_abi_not_for_the_version(void **state)
{
	(void)state;
	run("readelf -d $LIB/liblocum.so | grep -qF 'soname: [liblocum.so.0]'\n"
	    "[ -L $LIB/liblocum.so.0 ] && [ -L $LIB/liblocum.so ]\n"
	    "[ \"$(pkg-config --modversion locum)\" = \"$(readlink $LIB/liblocum.so.0 | "
	    "sed 's/liblocum.so.//')\" ]\n"
	    "! grep -q \"$D\" $LIB/pkgconfig/locum.pc",
	    NULL);
}

static void the_header_compiles_strictly_in_every_dialect_of_c(void **state)
{
	(void)state;
	run("echo '#include <locum.h>\nstruct locum_options defaults(void);\n"
	    "struct locum_options defaults(void)\n"
	    "{ struct locum_options options = LOCUM_OPTIONS_INIT; return options; }' > $D/header.c\n"
	    "for dialect in c99 c11 c17 gnu17; do\n"
	    "  cc -std=$dialect $STRICT $(pkg-config --cflags locum) -c -o $D/header.o $D/header.c\n"
	    "done",
	    NULL);
}

static void the_header_compiles_in_cpp(void **state)
{
	(void)state;
	if (strcmp(run("command -v g++ || echo none", NULL), "none\n") == 0)
		skip();
	run("echo '#include <locum.h>\nint main()\n"
	    "{ locum_options options = LOCUM_OPTIONS_INIT; locum_error error;\n"
	    "return locum_submit(locum_connect(\"hots=1\", &error), \"h\", \"{}\", &options, &error) < 0; }'"
	    " > $D/header.cc\n"
	    "for dialect in c++11 c++17 c++20; do\n"
	    "  g++ -std=$dialect $STRICT $(pkg-config --cflags locum) -c -o $D/header.o $D/header.cc\n"
	    "done",
	    NULL);
#ifndef SANITIZED
	run("g++ -o $D/cpp $D/header.o $(pkg-config --libs locum)", NULL);
#endif
}

#ifndef SANITIZED
static const char BUILD_EXAMPLES[] =
	"for example in submit transaction; do\n"
	"  cc -std=c99 $STRICT -o $D/$example $D/opt/app/share/locum/examples/$example.c "
	"$(pkg-config --cflags --libs locum) $LIBPQ\n"
	"done\n";

static void the_example_submits_a_batch_and_sees_it_done(void **state)
{
	struct scenario *s = *state;

	run(BUILD_EXAMPLES, NULL);
	scenario_handler(s, "copy", "", "cat >&3");
	scenario_start(s, "one", "%s", "");
	assert_string_equal(
		run("$D/submit \"$2\" copy", s->database->conninfo),
		"100 of 100 jobs have ended; the last, 100, is completed: {\"number\": 100}\n");
	assert_sql(s->database, "100|100",
		   "select count(*), count(*) filter (where labels @> '{\"example\": \"submit\"}') "
		   "from locum.finished");
}

static void the_example_of_the_manual_runs(void **state)
{
	struct scenario *s = *state;

	run("awk '/^```$/ { exit } inside; /^```c$/ { inside = 1 }' doc/liblocum.md |"
	    " sed \"s|dbname=app|$2|\" > $D/manual.c\n"
	    "cc -std=c99 $STRICT -o $D/manual $D/manual.c $(pkg-config --cflags --libs locum)",
	    s->database->conninfo);
	scenario_handler(s, "echo", "", "cat >&3");
	scenario_start(s, "one", "%s", "");
	assert_string_equal(run("$D/manual", NULL), "job 1 is completed\n");
}

static void the_example_works_when_linked_statically(void **state)
{
	struct scenario *s = *state;

	run("cc -o $D/static-submit $D/opt/app/share/locum/examples/submit.c $(pkg-config --cflags locum) "
	    "$LIB/liblocum.a $LIBPQ -luuid -pthread\n"
	    "! ldd $D/static-submit | grep -q liblocum",
	    NULL);
	scenario_handler(s, "copy", "", "cat >&3");
	scenario_start(s, "one", "%s", "");
	run("$D/static-submit \"$2\" copy", s->database->conninfo);
	assert_sql(s->database, "100", "select count(*) from locum.finished");
}

/* Submits a job of "copy" with its payload; the payload 0 fails afterwards. */
static const char SPAWN[] =
	"#include <locum.h>\n"
	"int spawn(struct locum_job *job);\n"
	"int spawn(struct locum_job *job)\n"
	"{\n"
	"	const char *payload = locum_job_payload(job, NULL);\n"
	"	struct locum *locum = locum_on(locum_job_connection(job), NULL);\n"
	"	int64_t id = locum == NULL ? -1 : locum_submit(locum, \"copy\", payload, NULL, NULL);\n"
	"	locum_close(locum);\n"
	"	return id < 0 ? LOCUM_RETRY : payload[0] == (char)48 ? LOCUM_FAIL : LOCUM_DONE;\n"
	"}\n";

static void a_plugin_submits_in_the_transaction_of_its_job(void **state)
{
	struct scenario *s = *state;

	run("chmod 755 $D; printf '%s' \"$2\" > $D/spawn.c\n"
	    "cc -shared -fPIC $STRICT -o $D/spawn.so $D/spawn.c $(pkg-config --cflags --libs locum) "
	    "-Wl,-rpath,$LIB",
	    SPAWN);
	scenario_handler(s, "copy", "", "cat >&3");
	scenario_start(s, "one", "handler \"spawn\" { kind = \"plugin\" path = \"%s/spawn.so\" }",
		       destdir);
	database_do(s->database, "select locum.submit('spawn', '0'), locum.submit('spawn', '1')");
	scenario_await_finished(s, 2, "completed");
	scenario_await_finished(s, 1, "failed");
	assert_sql(
		s->database, "copy|1|completed\nspawn|0|failed\nspawn|1|completed",
		"select handler, payload, state from locum.jobs order by handler, payload::text");
}

static void the_example_submits_in_its_own_transaction(void **state)
{
	struct scenario *s = *state;

	run(BUILD_EXAMPLES, NULL);
	database_do(s->database, "create table public.picture (path text primary key)");
	assert_string_equal(run("$D/transaction \"$2\" 1.png", s->database->conninfo), "job 1\n");
	run("! $D/transaction \"$2\" 1.png 2> /dev/null", s->database->conninfo);
	assert_sql(s->database, "1|1.png",
		   "select (select count(*) from locum.job), path from public.picture");
	database_do(s->database, "drop table public.picture");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_functions_of_the_header_are_exported),
		cmocka_unit_test(programs_ask_for_the_abi_not_for_the_version),
		cmocka_unit_test(the_header_compiles_strictly_in_every_dialect_of_c),
		cmocka_unit_test(the_header_compiles_in_cpp),
#ifndef SANITIZED
		SCENARIO_CALM_TEST(the_example_submits_a_batch_and_sees_it_done),
		SCENARIO_CALM_TEST(the_example_of_the_manual_runs),
		SCENARIO_CALM_TEST(the_example_works_when_linked_statically),
		SCENARIO_CALM_TEST(a_plugin_submits_in_the_transaction_of_its_job),
		SCENARIO_TEST(the_example_submits_in_its_own_transaction),
#endif
	};

	return cmocka_run_group_tests(tests, install, uninstall);
}
