#include "tools/locum/watch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/duration.h"

enum { INTERVAL_MS = 2000, INTERVAL_LEAST_MS = 100, INTERVAL_MOST_MS = 86400000 };

/* What moves a terminal: to its top, clearing it or not; clearing the rest of a line or of the screen. */
#define TOP_CLEAR "\033[H\033[2J"
#define TOP "\033[H"
#define REST_OF_LINE "\033[K"
#define REST_OF_SCREEN "\033[J"

/* A number of seconds, or a duration. */
static int read_interval(const char *text, int64_t *ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end != text && *end == '\0' && seconds > 0 && seconds <= INTERVAL_MOST_MS / 1000)
		*ms = (int64_t)(seconds * 1000);
	else if (duration_read(text, ms, NULL) != 0)
		return -1;
	return *ms >= INTERVAL_LEAST_MS && *ms <= INTERVAL_MOST_MS ? 0 : -1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	if (key != 'w')
		return ARGP_ERR_UNKNOWN;
	cli->watch_ms = INTERVAL_MS;
	if (arg != NULL && read_interval(arg, &cli->watch_ms) != 0)
		argp_error(state, "--watch takes seconds, from 0.1 to 86400, not \"%.60s\"", arg);
	return 0;
}

static const struct argp_option OPTIONS[] = {
	{ "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL, "again and again, each 2 seconds", 8 },
	{ 0 },
};
const struct argp watch_argp = { .options = OPTIONS, .parser = parse };

struct watch {
	struct cli *cli;
	watch_draw *draw;
	void *context;
	struct db *db; /* NULL: lost */
	bool terminal;
	bool drawn; /* once at least */
};

static struct winsize screen_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		return (struct winsize){ .ws_row = 24, .ws_col = 80 };
	return size;
}

/* How many lines of the screen a line takes that wraps. A colour takes no column. */
static int count_lines(const char *line, size_t length, int columns)
{
	const char *end = line + length;
	int width = 0;

	while (line < end) {
		size_t colour = *line == '\033' ? strcspn(line, "m\n") + 1 : 0;
		wchar_t character;
		int bytes = mbtowc(&character, line, (size_t)(end - line));
		int wide = bytes > 0 ? wcwidth(character) : 1;

		width += colour > 0 || wide < 0 ? 0 : wide;
		line += colour > 0 ? colour : (size_t)(bytes > 0 ? bytes : 1);
	}
	return width == 0 ? 1 : (width + columns - 1) / columns;
}

/* Shows as much of a frame as the screen has lines for, over the last one. */
static void show_frame(const char *frame, bool first)
{
	struct winsize screen = screen_size();
	int left = screen.ws_row - 1;

	fputs(first ? TOP_CLEAR : TOP, stdout);
	while (*frame != '\0') {
		size_t length = strcspn(frame, "\n");

		left -= count_lines(frame, length, screen.ws_col);
		if (left < 0)
			break;

		fwrite(frame, 1, length, stdout);
		fputs(REST_OF_LINE "\n", stdout);
		frame += length + (frame[length] == '\n');
	}
	fputs(REST_OF_SCREEN, stdout);
}

static void put_time(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[40];

	strftime(text, sizeof(text), "%F %T %Z", localtime_r(&now, &tm));
	printf("%s\n", text);
}

/* What is drawn goes to memory first: the screen changes at one blow. */
static int draw_frame(struct watch *watch, struct error *err)
{
	FILE *screen = stdout;
	char *frame = NULL;
	size_t size;
	int status;

	stdout = open_memstream(&frame, &size);
	if (stdout == NULL) {
		stdout = screen;
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	put_time();
	status = watch->draw(watch->context, watch->db, err);
	fclose(stdout);
	stdout = screen;
	if (status >= 0)
		show_frame(frame, !watch->drawn);
	free(frame);
	return status;
}

static int draw(struct watch *watch, struct error *err)
{
	bool words = !watch->cli->json && !watch->cli->quiet;
	int status;

	if (watch->terminal && words) {
		status = draw_frame(watch, err);
	} else {
		if (words) {
			fputs(watch->drawn ? "\n" : "", stdout);
			put_time();
		}
		status = watch->draw(watch->context, watch->db, err);
	}
	watch->drawn = true;
	fflush(stdout);
	return status;
}

/* One turn. What may pass is said, and is no failure. */
static int turn(struct watch *watch, struct error *err)
{
	int status = 0;

	if (watch->db == NULL)
		status = cli_open(watch->cli, &watch->db, err);
	if (status == 0)
		status = draw(watch, err);
	if (status >= 0 || err->kind != ERROR_RETRY)
		return status;
	if (watch->db != NULL && db_is_lost(watch->db)) {
		db_close(watch->db);
		watch->db = NULL;
	}
	cli_say("%s", err->text);
	return 0;
}

static int go_on(struct watch *watch, struct error *err)
{
	struct pollfd stop = { .fd = watch->cli->stop_fd(), .events = POLLIN };
	int status;

	if (stop.fd < 0)
		return error_set(err, ERROR_FATAL, "signals cannot be caught");
	do {
		status = turn(watch, err);
	} while (status >= 0 && ferror(stdout) == 0 &&
		 poll(&stop, 1, (int)watch->cli->watch_ms) == 0);
	close(stop.fd);
	return status < 0 ? -1 : CLI_INTERRUPTED;
}

int watch_run(struct cli *cli, watch_draw *draw_now, void *context, struct error *err)
{
	struct watch watch = {
		.cli = cli,
		.draw = draw_now,
		.context = context,
		.terminal = isatty(STDOUT_FILENO) != 0,
	};
	int status;

	if (cli_open(cli, &watch.db, err) != 0)
		return -1;
	status = cli->watch_ms > 0 ? go_on(&watch, err) : draw_now(context, watch.db, err);
	db_close(watch.db);
	return status;
}
