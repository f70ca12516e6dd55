#include "tools/locum/job_flags.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/json_scan.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/text.h"
#include "tools/locum/patience.h"
#include "tools/locum/payload.h"

enum { KEY_LABEL = 'l', KEY_THEN = 0x210, KEY_RESUME = 0x211 };

void job_flags_init(struct job_flags *flags, struct cli *cli)
{
	*flags = (struct job_flags){ .cli = cli };
	buffer_init(&flags->labels, LIMIT_OPTIONS_BYTES);
	buffer_init(&flags->then, LIMIT_OPTIONS_BYTES);
	buffer_init(&flags->options, 4 * LIMIT_OPTIONS_BYTES);
}

void job_flags_fini(struct job_flags *flags)
{
	buffer_free(&flags->labels);
	buffer_free(&flags->then);
	buffer_free(&flags->options);
	free(flags->payload_text);
}

/* --- flags that may come again ----------------------------------------------------------------- */

static int check_text(const char *option, const char *text, struct error *err)
{
	if (text == NULL || text_valid(text, strlen(text)) == strlen(text))
		return 0;
	return error_set(err, ERROR_INPUT, "%s is not UTF-8 text", option);
}

/* Writes the name of a member: what stands before '='. */
static int begin_pair(struct buffer *members, const char *text, const char *equals,
		      struct error *err)
{
	if (buffer_length(members) > 0 && buffer_append(members, ",", 1, err) != 0)
		return -1;
	if (json_write_text(members, text, (size_t)(equals - text), err) != 0)
		return -1;
	return buffer_append(members, ":", 1, err);
}

static int add_label(struct job_flags *flags, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (check_text("--label", text, err) != 0)
		return -1;
	if (equals == NULL)
		return cli_usage(flags->cli, err, "--label: \"%.60s\" is not NAME=VALUE", text);
	if (begin_pair(&flags->labels, text, equals, err) != 0)
		return -1;
	return json_write_text(&flags->labels, equals + 1, strlen(equals + 1), err);
}

static const char *add_member(void *context, struct json_span name, struct json_span value)
{
	struct buffer *members = context;

	if ((buffer_length(members) > 0 && buffer_append(members, ",", 1, NULL) != 0) ||
	    buffer_append(members, name.bytes, name.length, NULL) != 0 ||
	    buffer_append(members, ":", 1, NULL) != 0 ||
	    buffer_append(members, value.bytes, value.length, NULL) != 0)
		return "too many bytes";
	return NULL;
}

/* A follow-up is an object of options or a handler's name. */
static int add_follow_up(struct buffer *members, const char *value, struct error *err)
{
	struct json_span object = { value, strlen(value) };
	struct json_span checked;

	if (value[0] != '{')
		return json_write_text(members, value, object.length, err);
	if (json_scan_value(object, &checked, err) != 0)
		return error_prefix(err, "--then");
	return buffer_append(members, checked.bytes, checked.length, err);
}

static int add_then(struct job_flags *flags, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (check_text("--then", text, err) != 0)
		return -1;
	if (text[0] == '{')
		return json_scan_members((struct json_span){ text, strlen(text) }, add_member,
					 &flags->then, err) == 0
			       ? 0
			       : error_prefix(err, "--then");
	if (equals == NULL)
		return cli_usage(flags->cli, err,
				 "--then: \"%.60s\" is neither success|failure|always=HANDLER nor "
				 "a JSON object",
				 text);
	if (begin_pair(&flags->then, text, equals, err) != 0)
		return -1;
	return add_follow_up(&flags->then, equals + 1, err);
}

/* --- parsing ------------------------------------------------------------------------------------ */

/* The first fault is told once all is parsed. */
static void note(struct job_flags *flags, int status, const struct error *err)
{
	if (status != 0 && flags->fault.kind == ERROR_NONE)
		flags->fault = *err;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct job_flags *flags = state->input;
	struct error err;

	switch (key) {
#define JOB_FLAG_CASE(letter, field, name, argument, help)                                         \
	case letter:                                                                               \
		flags->field = arg;                                                                \
		return 0;
		JOB_FLAGS(JOB_FLAG_CASE)
#undef JOB_FLAG_CASE
	case KEY_RESUME:
		flags->request_id = arg;
		return 0;
	case KEY_LABEL:
		note(flags, add_label(flags, arg, &err), &err);
		return 0;
	case KEY_THEN:
		note(flags, add_then(flags, arg, &err), &err);
		return 0;
	case 's':
		flags->strict = true;
		return 0;
	case ARGP_KEY_ARG:
		if (flags->handler != NULL)
			argp_error(state, "\"%s\" is too much: one handler is enough", arg);
		flags->handler = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
#define JOB_FLAG_OPTION(key, field, name, argument, help) { name, key, argument, 0, help, 1 },
	JOB_FLAGS(JOB_FLAG_OPTION)
#undef JOB_FLAG_OPTION
		{ "resume", KEY_RESUME, "UUID", 0,
		  "the same as --request-id: go on with what was cut off", 1 },
	{ "label", KEY_LABEL, "NAME=VALUE", 0, "a label to find the job by; may be repeated", 1 },
	{ "then", KEY_THEN, "success|failure|always=HANDLER", 0,
	  "what to submit when it has ended; may be repeated, and may be JSON", 1 },
	{ "strict", 's', NULL, 0, "refuse a handler or queue that nobody serves", 1 },
	{ 0 },
};

const struct argp job_flags_argp = { .options = OPTIONS, .parser = parse };

/* --- options as JSON ---------------------------------------------------------------------------- */

static int begin_option(struct job_flags *flags, const char *name, struct error *err)
{
	const char *before = buffer_length(&flags->options) == 0 ? "{" : ",";

	return json_write_format(&flags->options, err, "%s\"%s\":", before, name);
}

static int put_text(struct job_flags *flags, const char *name, const char *text, struct error *err)
{
	if (text == NULL)
		return 0;
	if (text_valid(text, strlen(text)) != strlen(text))
		return error_set(err, ERROR_INPUT, "%s is not UTF-8 text", name);
	if (begin_option(flags, name, err) != 0)
		return -1;
	return json_write_text(&flags->options, text, strlen(text), err);
}

static int put_duration(struct job_flags *flags, const char *option, const char *name,
			const char *text, struct error *err)
{
	int64_t ms;

	if (text == NULL)
		return 0;
	if (duration_read(text, &ms, err) != 0)
		return error_prefix(err, "%s", option);
	if (begin_option(flags, name, err) != 0)
		return -1;
	return json_write_format(&flags->options, err, "\"%" PRId64 " milliseconds\"", ms);
}

/* Whether a number is in range, the server says. */
static int put_attempts(struct job_flags *flags, struct error *err)
{
	int64_t number;

	if (flags->max_attempts == NULL)
		return 0;
	if (cli_number(flags->cli, "--max-attempts", flags->max_attempts, INT32_MIN, INT32_MAX,
		       &number, err) != 0 ||
	    begin_option(flags, "max_attempts", err) != 0)
		return -1;
	return json_write_format(&flags->options, err, "%" PRId64, number);
}

/* Of two members of a name one would be lost. What else is wrong, the server says. */
static int check_members(const char *name, const char *object, size_t length, struct error *err)
{
	json_error_t fault;
	json_t *read = json_loadb(object, length, JSON_REJECT_DUPLICATES, &fault);

	if (read == NULL && json_error_code(&fault) == json_error_duplicate_key)
		return error_set(err, ERROR_INPUT, "--%s: the same name comes twice: %s", name,
				 fault.text);
	json_decref(read);
	return 0;
}

static int put_members(struct job_flags *flags, const char *flag, const char *name,
		       const struct buffer *members, struct error *err)
{
	size_t start;

	if (buffer_length(members) == 0)
		return 0;
	if (begin_option(flags, name, err) != 0)
		return -1;
	start = buffer_length(&flags->options);
	if (buffer_append(&flags->options, "{", 1, err) != 0 ||
	    buffer_append(&flags->options, buffer_bytes(members), buffer_length(members), err) !=
		    0 ||
	    buffer_append(&flags->options, "}", 1, err) != 0)
		return -1;
	return check_members(flag, buffer_bytes(&flags->options) + start,
			     buffer_length(&flags->options) - start, err);
}

static int put_options(struct job_flags *flags, struct error *err)
{
	if (put_text(flags, "run_at", flags->run_at, err) != 0 ||
	    put_duration(flags, "--delay", "delay", flags->delay, err) != 0 ||
	    put_attempts(flags, err) != 0 ||
	    put_duration(flags, "--retry-delay", "retry_delay", flags->retry_delay, err) != 0 ||
	    put_duration(flags, "--retry-cap", "retry_cap", flags->retry_cap, err) != 0 ||
	    put_text(flags, "retry_backoff", flags->retry_backoff, err) != 0 ||
	    put_duration(flags, "--timeout", "timeout", flags->timeout, err) != 0 ||
	    put_duration(flags, "--expires", "expires", flags->expires, err) != 0 ||
	    put_text(flags, "on_interrupt", flags->on_interrupt, err) != 0 ||
	    put_text(flags, "traceparent", flags->traceparent, err) != 0 ||
	    put_text(flags, "submitted_by", flags->submitted_by, err) != 0 ||
	    put_members(flags, "label", "labels", &flags->labels, err) != 0 ||
	    put_members(flags, "then", "then", &flags->then, err) != 0)
		return -1;
	return buffer_length(&flags->options) == 0 ? 0
						   : buffer_append(&flags->options, "}", 1, err);
}

/* --- the job ------------------------------------------------------------------------------------ */

static struct args_text text_of(const char *text)
{
	return (struct args_text){ text, text == NULL ? 0 : strlen(text) };
}

static int read_names(struct job_flags *flags, struct error *err)
{
	if (check_text("--key", flags->key, err) != 0 ||
	    (flags->handler != NULL && text_check_name("handler", flags->handler, err) != 0) ||
	    (flags->queue != NULL && text_check_name("queue", flags->queue, err) != 0))
		return -1;
	flags->job.handler = text_of(flags->handler);
	flags->job.queue = text_of(flags->queue);
	flags->job.key = text_of(flags->key);
	return 0;
}

static int read_priority(struct job_flags *flags, struct error *err)
{
	flags->job.priority = SUBMISSION_PRIORITY_NONE;
	if (flags->priority == NULL)
		return 0;
	if (flags->priority[strspn(flags->priority, "-0123456789")] != '\0')
		return cli_usage(flags->cli, err,
				 "--priority must be a number from 0 to 9, not \"%.60s\"",
				 flags->priority);
	return cli_number(flags->cli, "--priority", flags->priority, SUBMISSION_PRIORITY_NONE + 1,
			  INT32_MAX, &flags->job.priority, err);
}

static int read_payload(struct job_flags *flags, struct error *err)
{
	if (flags->payload == NULL)
		return 0;
	flags->payload_text = payload_read(flags->payload, err);
	flags->job.payload = text_of(flags->payload_text);
	return flags->payload_text == NULL ? -1 : 0;
}

static int read_request(struct job_flags *flags, struct error *err)
{
	const char *retry_for = flags->retry_for == NULL ? PATIENCE_DEFAULT : flags->retry_for;

	if (flags->request_id != NULL && uuid_read(flags->request_id, &flags->request_ident) != 0)
		return error_set(err, ERROR_INPUT, "--request-id: \"%.60s\" is not a UUID",
				 flags->request_id);
	if (flags->request_id != NULL && uuid_is_none(flags->request_ident))
		return error_set(
			err, ERROR_INPUT,
			"--request-id: the UUID of zeroes stands for none; choose another");
	if (duration_read(retry_for, &flags->retry_for_ms, err) != 0)
		return error_prefix(err, "--retry-for");
	return 0;
}

int job_flags_read(struct job_flags *flags, struct error *err)
{
	if (flags->fault.kind != ERROR_NONE) {
		*err = flags->fault;
		return -1;
	}
	if (read_priority(flags, err) != 0 || put_options(flags, err) != 0 ||
	    read_names(flags, err) != 0 || read_request(flags, err) != 0 ||
	    read_payload(flags, err) != 0)
		return -1;
	if (buffer_length(&flags->options) > 0)
		flags->job.options = (struct args_text){ buffer_bytes(&flags->options),
							 buffer_length(&flags->options) };
	return 0;
}
