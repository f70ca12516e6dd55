#include <inttypes.h>
#include <langinfo.h>
#include <libgen.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/chaos/catalogue.h"
#include "tools/chaos/plan/request.h"
#include "tools/chaos/play/forecast.h"
#include "tools/chaos/play/meter.h"
#include "tools/chaos/play/retrial.h"
#include "tools/chaos/play/run.h"
#include "tools/chaos/report/report.h"
#include "tools/chaos/stage/scratch.h"
#include "tools/locum/chaos_options.h"
#include "tools/locum/program.h"

enum { EXIT_VALID, EXIT_INVALID, EXIT_UNKNOWN, COLUMNS_DEFAULT = 100, MINUTE_MS = 60000 };

static struct run run; /* of this process, for the signals */

/* --- signals ------------------------------------------------------------------------------------ */

/* The first makes the present fault the last, the second ends the waiting. */
static void stop(int number)
{
	static const char HINT[] = "\nthe fault that is on is the last; once more cuts it off\n";

	(void)number;
	if (atomic_exchange(&run.stop, true))
		atomic_store(&run.hurry, true);
	else if (isatty(STDERR_FILENO) != 0 && write(STDERR_FILENO, HINT, sizeof(HINT) - 1) < 0)
		return;
}

static void heed_signals(void)
{
	const struct sigaction action = { .sa_handler = stop, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* --- reports ------------------------------------------------------------------------------------ */

static int width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ? COLUMNS_DEFAULT
										: size.ws_col;
}

static const char *word_of(enum verdict_valid valid)
{
	static const char *const WORDS[] = { "valid", "invalid", "unknown" };

	return WORDS[valid];
}

/* `judged` as report.h has it. */
static int print_report(const struct cli *cli, const char *folder, const struct verdict *verdict,
			const struct verdict_run *judged, struct error *err)
{
	int status;

	if (cli->json)
		status = report_json(stdout, folder, judged, err);
	else if (cli->quiet)
		status = puts(word_of(verdict->valid)) < 0 ? -1 : 0;
	else
		status = report_text(stdout, folder, judged, width(), err);
	return status != 0 ? -1 : (int)verdict->valid;
}

static int read_report(const struct chaos_options *options, struct error *err)
{
	struct verdict *verdict = calloc(1, sizeof(*verdict));
	int status = verdict == NULL ? error_set(err, ERROR_RETRY, "out of memory")
				     : verdict_read(verdict, options->folder, err);

	if (status == 0 && options->html)
		status = report_html(options->folder, err) != 0 ? -1 : (int)verdict->valid;
	else if (status == 0)
		status = print_report(options->cli, options->folder, verdict, NULL, err);
	free(verdict);
	return status;
}

static int check(const struct chaos_options *options, struct error *err)
{
	struct verdict_run *judged = retrial_judge(options->folder, err);
	int status = -1;

	if (judged != NULL)
		status = print_report(options->cli, options->folder, &judged->whole, judged, err);
	verdict_run_free(judged);
	return status;
}

/* --- running ------------------------------------------------------------------------------------ */

static void warn(const char *text)
{
	cli_say("%s", text);
}

static int play(const struct chaos_options *options, const struct plan *plan, const char *folder,
		struct error *err)
{
	struct verdict *verdict = calloc(1, sizeof(*verdict));
	char *locumd = program_sister("locumd", err);
	struct meter meter;
	int status = -1;

	meter_init(&meter, !options->cli->quiet);
	run.plan = plan;
	run.folder = folder;
	run.tell = meter_show;
	run.to = &meter;
	run.warn = warn;
	if (verdict != NULL && locumd != NULL) {
		run.programs = dirname(locumd);
		heed_signals();
		status = run_play(&run, verdict, err);
	}
	meter_fini(&meter);
	if (run.cleaned > 0)
		cli_say("%d things were undone that a run which was killed had left", run.cleaned);
	if (status == 0)
		status = print_report(options->cli, folder, verdict, NULL, err);
	free(locumd);
	free(verdict);
	return status;
}

static void announce(const struct plan *plan, const char *folder)
{
	struct forecast forecast;
	int64_t left_ms;

	forecast_init(&forecast, plan, run.for_ms);
	left_ms = forecast_left_ms(&forecast);
	forecast_fini(&forecast);
	fprintf(stderr, "seed %" PRIu64 ", folder %s, ", plan->seed, folder);
	if (left_ms < 0)
		fputs("until it is stopped\n", stderr);
	else
		fprintf(stderr, "about %" PRId64 " min\n", (left_ms + MINUTE_MS - 1) / MINUTE_MS);
}

static int play_in_folder(const struct chaos_options *options, const struct plan *plan,
			  struct error *err)
{
	char *folder = request_folder(options, err);
	int status;

	if (folder == NULL)
		return -1;
	if (!options->cli->quiet)
		announce(plan, folder);
	status = play(options, plan, folder, err);
	free(folder);
	return status;
}

static int run_plan(struct chaos_options *options, struct error *err)
{
	struct plan plan;
	int status = -1;

	if (request_plan(options, &plan, &run.for_ms, err) == 0 &&
	    scratch_use(options->cli, options->yes, &plan, err) == 0)
		status = play_in_folder(options, &plan, err);
	plan_fini(&plan);
	return status;
}

/* ------------------------------------------------------------------------------------------------ */

static int obey(enum chaos_options_part part, struct chaos_options *options, struct error *err)
{
	switch (part) {
	case CHAOS_OPTIONS_LIST:
		return catalogue_print(options->cli, err);
	case CHAOS_OPTIONS_RUN:
		return run_plan(options, err);
	case CHAOS_OPTIONS_CHECK:
		return check(options, err);
	case CHAOS_OPTIONS_REPORT:
		return read_report(options, err);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct cli cli = { .program = argv[0] };
	struct chaos_options options = { .cli = &cli };
	struct error err = { .kind = ERROR_NONE };
	char name[] = "locum chaos";
	enum chaos_options_part part;
	int status = -1;

	if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
	argv[0] = name;
	if (chaos_options_read(&cli, argc, argv, &part, &options, &err) == 0)
		status = obey(part, &options, &err);
	if (status >= 0 && cli_flush(&cli, &err) != 0)
		status = -1;
	free(options.faults);
	if (status >= 0)
		return status;
	cli_say("%s", err.text);
	return cli.failure != 0 ? cli.failure : cli_exit_code(&err);
}
