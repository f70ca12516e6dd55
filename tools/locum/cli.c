#include "tools/locum/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/schema.h"
#include "tools/locum/connection.h"

enum { ANSWER_MS = 10 * 60 * 1000, SAID_MAX = 2 * ERROR_TEXT_MAX };
enum { KEY_COLOUR = 0x100 }; /* has no letter */

/* Terminals obey them. */
static void make_harmless(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static error_t parse_connection(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	if (key != 'd')
		return ARGP_ERR_UNKNOWN;
	cli->conninfo = arg;
	return 0;
}

static void read_colour(struct cli *cli, const char *when, struct argp_state *state)
{
	static const char *const NAMES[] = { "auto", "always", "never" };

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (strcmp(when, NAMES[i]) == 0) {
			cli->colour = (enum cli_colour)i;
			return;
		}
	}
	argp_error(state, "--color is auto, always or never, not \"%.60s\"", when);
}

static error_t parse_output(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	switch (key) {
	case KEY_COLOUR:
		read_colour(cli, arg, state);
		return 0;
	case 'j':
		cli->json = true;
		return 0;
	case 'q':
		cli->quiet = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option CONNECTION_OPTIONS[] = {
	{ "database", 'd', "CONNINFO", 0, "the database: a URL or key=value pairs, as for psql",
	  10 },
	{ 0 },
};
static const struct argp_option OUTPUT_OPTIONS[] = {
	{ "json", 'j', NULL, 0, "print JSON, one object a line", 9 },
	{ "quiet", 'q', NULL, 0, "print bare ids and say less", 9 },
	{ "color", KEY_COLOUR, "auto|always|never", 0,
	  "colours: auto is on a terminal, if NO_COLOR is not set", 9 },
	{ 0 },
};

const struct argp cli_connection_argp = { .options = CONNECTION_OPTIONS,
					  .parser = parse_connection };
const struct argp cli_output_argp = { .options = OUTPUT_OPTIONS, .parser = parse_output };

/* What argp and getopt say about a command line: the first line of it. */
struct complaint {
	FILE *terminal;
	char line[SAID_MAX];
	size_t length;
	bool ended;
};

static ssize_t hear(void *cookie, const char *bytes, size_t count)
{
	struct complaint *complaint = cookie;

	for (size_t i = 0; i < count && !complaint->ended; i++) {
		if (bytes[i] != '\n' && complaint->length < SAID_MAX - 1) {
			complaint->line[complaint->length++] = bytes[i];
		} else if (bytes[i] == '\n') {
			complaint->ended = true;
			make_harmless(complaint->line);
			fprintf(complaint->terminal, "%s\n", complaint->line);
		}
	}
	return (ssize_t)count;
}

/* Both write to whatever stderr is, and argp ends the program then: a stream in its place keeps the hint at
 * --help from following the sentence. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	struct complaint complaint = { .terminal = stderr };
	FILE *stream = fopencookie(&complaint, "w", (cookie_io_functions_t){ .write = hear });

	if (stream != NULL) {
		setvbuf(stream, NULL, _IOLBF, 0);
		stderr = stream;
	}
	argp_parse(argp, argc, argv, 0, NULL, input);
	stderr = complaint.terminal;
	if (stream != NULL)
		fclose(stream);
}

int cli_dial(const char *conninfo, struct db **db, struct error *err)
{
	const struct db_options options = {
		.conninfo = conninfo,
		.role = "cli",
		.answer_ms = ANSWER_MS,
	};

	return db_open(db, &options, err);
}

int cli_connect(struct cli *cli, struct db **db, struct error *err)
{
	struct connection connection;
	int status;

	if (connection_find(cli->conninfo, &connection, err) != 0) {
		if (err->kind == ERROR_RETRY)
			cli->failure = CLI_DATABASE;
		return -1;
	}
	status = cli_dial(connection.conninfo, db, err);
	if (status != 0 && err->kind == ERROR_INPUT)
		cli->failure = connection.given ? CLI_USAGE : CLI_CONFIG;
	if (status != 0 && connection.is_private && err->kind == ERROR_RETRY)
		error_prefix(err, "the private database does not answer (\"locum up\" starts it)");
	else if (status != 0 && connection.origin != NULL)
		error_prefix(err, "%s", connection.origin);
	connection_fini(&connection);
	return status;
}

int cli_open(struct cli *cli, struct db **db, struct error *err)
{
	struct db *opened;

	if (cli_connect(cli, &opened, err) != 0)
		return -1;
	if (schema_check(opened, err) != 0) {
		db_close(opened);
		return -1;
	}
	*db = opened;
	return 0;
}

/* The first row that fits decides. An empty prefix with a kind stands for errors of that kind that the
 * server did not send. */
static const struct {
	const char *prefix;
	enum error_kind kind;
	int code;
} CODES[] = {
	{ "22", ERROR_NONE, CLI_INPUT },    { "23", ERROR_NONE, CLI_INPUT },
	{ "28", ERROR_NONE, CLI_DENIED },   { "42501", ERROR_NONE, CLI_DENIED },
	{ "08", ERROR_NONE, CLI_DATABASE }, { "57P", ERROR_NONE, CLI_DATABASE },
	{ "", ERROR_INPUT, CLI_INPUT },     { "", ERROR_FATAL, CLI_CONFIG },
	{ "", ERROR_LOST, CLI_AGAIN },      { "", ERROR_RETRY, CLI_AGAIN },
	{ "", ERROR_NONE, CLI_NEGATIVE },
};

/* libpq gives no SQLSTATE for a connection that failed, so its words have to do. */
static int connect_exit_code(const struct error *err)
{
	bool no_database = strstr(err->text, "database \"") != NULL &&
			   strstr(err->text, "does not exist") != NULL;

	return err->kind == ERROR_FATAL && !no_database ? CLI_DENIED : CLI_DATABASE;
}

int cli_exit_code(const struct error *err)
{
	size_t i = 0;

	if (err->sqlstate[0] == '\0' && strstr(err->text, "cannot connect to the database") != NULL)
		return connect_exit_code(err);
	if (err->sqlstate[0] == '\0' && err->kind == ERROR_RETRY)
		return CLI_DATABASE;
	while (strncmp(err->sqlstate, CODES[i].prefix, strlen(CODES[i].prefix)) != 0 ||
	       (CODES[i].kind != ERROR_NONE && CODES[i].kind != err->kind))
		i++;
	return CODES[i].code;
}

int cli_usage(struct cli *cli, struct error *err, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli->failure = CLI_USAGE;
	return error_set(err, ERROR_INPUT, "%s", text);
}

int cli_number(struct cli *cli, const char *what, const char *text, int64_t least, int64_t most,
	       int64_t *number, struct error *err)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || value < least || value > most)
		return cli_usage(cli, err, "%s must be a number from %lld to %lld, not \"%.60s\"",
				 what, (long long)least, (long long)most, text);
	*number = value;
	return 0;
}

int cli_jobs(struct cli *cli, char *const *texts, size_t count, int64_t **ids, struct error *err)
{
	int64_t *read;

	if (count == 0)
		return cli_usage(cli, err, "which job? Give its id");
	read = calloc(count, sizeof(*read));
	if (read == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (cli_number(cli, "a job's id", texts[i], 1, INT64_MAX, &read[i], err) != 0) {
			free(read);
			return -1;
		}
	}
	*ids = read;
	return 0;
}

int cli_flush(struct cli *cli, struct error *err)
{
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
		return 0;
	clearerr(stdout); /* it is told here */
	cli->failure = CLI_NEGATIVE;
	return error_set_errno(err, ERROR_FATAL, errno, "cannot write the output");
}

void cli_say(const char *format, ...)
{
	char text[SAID_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	make_harmless(text);
	fprintf(stderr, "locum: %s\n", text);
}
