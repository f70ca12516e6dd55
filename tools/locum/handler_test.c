#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/json_scan.h"
#include "tools/locum/conformance.h"
#include "tools/locum/verb.h"

enum { TIMEOUT_MS = 10000, TIMEOUT_LEAST_MS = 10 };

struct handler_test {
	struct cli *cli;
	const char *payload;
	const char *timeout;
	const char *rule; /* this one only, or NULL */
	char **argv;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct handler_test *test = state->input;

	switch (key) {
	case 'p':
		test->payload = arg;
		return 0;
	case 't':
		test->timeout = arg;
		return 0;
	case 'r':
		test->rule = arg;
		return 0;
	case ARGP_KEY_ARGS:
		test->argv = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which program? locum handler-test -- PROGRAM [ARGUMENT...]");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ .name = "payload", .key = 'p', .arg = "JSON", .doc = "of the jobs; {} by default" },
	{ .name = "timeout",
	  .key = 't',
	  .arg = "DURATION",
	  .doc = "for an answer or an exit; 10s by default" },
	{ .name = "rule", .key = 'r', .arg = "N.N", .doc = "check this rule only" },
	{ 0 },
};

const struct argp handler_test_argp = {
	.options = OPTIONS,
	.parser = parse,
	.args_doc = "-- PROGRAM [ARGUMENT...]",
	.doc = "Plays the host of a service and says which rules of the protocol it keeps, one line for each.",
};

static int read_options(struct handler_test *test, struct conformance *conformance,
			struct error *err)
{
	struct json_span payload = { test->payload, strlen(test->payload) };

	conformance->argv = test->argv;
	conformance->payload = test->payload;
	conformance->timeout_ms = TIMEOUT_MS;
	if (json_scan_value(payload, &payload, err) != 0)
		return error_prefix(err, "--payload");
	if (strpbrk(test->payload, "\r\n") != NULL)
		return cli_usage(test->cli, err, "--payload: more than one line");
	if (test->timeout != NULL &&
	    duration_read(test->timeout, &conformance->timeout_ms, err) != 0)
		return error_prefix(err, "--timeout");
	if (conformance->timeout_ms < TIMEOUT_LEAST_MS)
		return cli_usage(test->cli, err, "--timeout: at least %dms", TIMEOUT_LEAST_MS);
	return 0;
}

struct verdicts {
	int kept;
	int broken;
	int skipped;
};

static int check_rule(const struct conformance_rule *rule, struct conformance *conformance,
		      struct verdicts *verdicts, struct error *err)
{
	switch (rule->check(conformance, err)) {
	case 1:
		verdicts->kept++;
		printf("ok    %s  %s\n", rule->number, rule->text);
		break;
	case 0:
		verdicts->skipped++;
		printf("skip  %s  %s: it does not say so\n", rule->number, rule->text);
		break;
	default:
		if (err->kind == ERROR_FATAL)
			return -1;
		verdicts->broken++;
		printf("FAIL  %s  %s: %s\n", rule->number, rule->text, err->text);
		break;
	}
	fflush(stdout);
	return 0;
}

static int check_rules(const struct handler_test *test, struct conformance *conformance,
		       struct error *err)
{
	struct verdicts verdicts = { 0 };

	for (size_t i = 0; i < conformance_rule_count; i++) {
		const struct conformance_rule *rule = &conformance_rules[i];

		if (test->rule != NULL && strcmp(test->rule, rule->number) != 0)
			continue;
		if (check_rule(rule, conformance, &verdicts, err) != 0)
			return -1;
	}
	if (verdicts.kept + verdicts.broken + verdicts.skipped == 0)
		return cli_usage(test->cli, err, "there is no rule %s", test->rule);
	printf("%d kept, %d broken, %d skipped\n", verdicts.kept, verdicts.broken,
	       verdicts.skipped);
	return verdicts.broken == 0 ? CLI_OK : CLI_NEGATIVE;
}

int handler_test_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct handler_test test = { .cli = cli, .payload = "{}" };
	struct conformance conformance = { 0 };

	cli_parse(&handler_test_argp, argc, argv, &test);
	if (read_options(&test, &conformance, err) != 0)
		return -1;
	/* A service that ends while it is written to is a verdict. */
	cli->ignore_pipes();
	return check_rules(&test, &conformance, err);
}
