#include "tools/chaos/stage/fleet_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/chaos/stage/order.h"

enum { SIZE = 8, CONCURRENCY = 16 };

static void put_intervals(FILE *file, const struct plan_intervals *intervals)
{
	fprintf(file,
		"ping_interval = \"%lldms\"\n"
		"ping_death_interval = \"%lldms\"\n"
		"kill_grace = \"%lldms\"\n"
		"fence_margin = \"%lldms\"\n"
		"scan_interval = \"%lldms\"\n"
		"poll_interval = \"%lldms\"\n",
		(long long)intervals->ping_ms, (long long)intervals->death_ms,
		(long long)intervals->grace_ms, (long long)intervals->margin_ms,
		(long long)intervals->scan_ms, (long long)intervals->poll_ms);
}

/* A word in double quotes. */
static void put_word(FILE *file, const char *word)
{
	putc('"', file);
	for (; *word != '\0'; word++) {
		if (*word == '"' || *word == '\\' || *word == '$')
			putc('\\', file);
		putc(*word, file);
	}
	putc('"', file);
}

/* Whoever started the harness runs what he gave it; sudo says who. */
static void put_user(FILE *file)
{
	const char *name = getenv("SUDO_USER");

	if (geteuid() != 0)
		return;
	fputs(" user = ", file);
	put_word(file, name == NULL ? "root" : name);
}

/* What a handler's processes have in their environment: a later harness finds those of one that was killed by it. */
static void put_environment(FILE *file, const struct stage *stage, const char *effects)
{
	char orders[PATH_MAX];

	order_variable(stage, orders, sizeof(orders));
	fprintf(file, " environment = {\"%s\"", undo_mark(stage->undo));
	if (effects != NULL)
		fprintf(file, ", \"CHAOS_EFFECTS=%s\"", effects);
	if (orders[0] != '\0')
		fprintf(file, ", \"%s\"", orders);
	fputs("}", file);
}

static void put_plugin(FILE *file, const struct stage *stage, const char *name, const char *symbol,
		       const char *effects)
{
	char plugin[PATH_MAX];

	fprintf(file, "handler \"%s\" { kind = \"plugin\" path = \"%s\" symbol = \"%s\"", name,
		stage_support(stage, "witness.so", plugin, sizeof(plugin)), symbol);
	put_environment(file, stage, effects);
	fputs(" }\n", file);
}

/* A program that is begun for each job, with what it is allowed. */
static void put_command(FILE *file, const struct stage *stage, const char *name,
			const char *effects, const char *limits)
{
	char witness[PATH_MAX];

	fprintf(file, "handler \"%s\" { kind = \"command\" argv = {\"%s\", \"%s\"}%s", name,
		stage_support(stage, "witness", witness, sizeof(witness)), effects, limits);
	put_environment(file, stage, NULL);
	fputs(" }\n", file);
}

static void put_user_handler(FILE *file, const struct stage *stage, const char *effects)
{
	char witness[PATH_MAX];

	fprintf(file, "handler \"user\" { kind = \"command\" argv = {\"%s\", \"%s\", \"--\", ",
		stage_support(stage, "witness", witness, sizeof(witness)), effects);
	put_word(file, stage->plan->user_handler);
	fputs("}", file);
	put_user(file);
	put_environment(file, stage, NULL);
	fputs(" }\n", file);
}

static void put_handlers(FILE *file, const struct stage *stage, const char *effects)
{
	char witness[PATH_MAX];

	stage_support(stage, "witness", witness, sizeof(witness));
	fprintf(file, "agent \"main\" { size = %d%s }\n", SIZE,
		geteuid() == 0 ? " user = \"nobody\"" : "");
	put_plugin(file, stage, "plugin", "witness", effects);
	put_plugin(file, stage, "transaction", "witness_transaction", effects);
	fputs("handler \"sql\" { kind = \"sql\" function = \"locum_chaos.witness\"", file);
	put_environment(file, stage, NULL);
	fprintf(file,
		" }\nhandler \"service\" { kind = \"service\" argv = {\"%s\", \"--service\", \"%s\"} "
		"concurrency = %d",
		witness, effects, CONCURRENCY);
	put_environment(file, stage, NULL);
	fputs(" }\n", file);
	put_command(file, stage, "command", effects, "");
	/* For those that misbehave (handler/misdeed.h). */
	put_command(file, stage, "unruly", effects, " timeout = \"1s\"");
	put_command(file, stage, "greedy", effects,
		    " timeout = \"5s\" memory = \"256M\" processes = 400 cpu = \"1s\"");
	put_command(file, stage, "noisy", effects, " timeout = \"60s\"");
	if (stage->plan->user_handler != NULL)
		put_user_handler(file, stage, effects);
}

int fleet_files_write(const struct stage *stage, const char *folder, const char *name,
		      const char *settings, struct error *err)
{
	char path[PATH_MAX];
	char effects[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/locumd.conf", folder);
	snprintf(effects, sizeof(effects), "%s/effect.log", stage->scratch);
	file = fopen(path, "we");
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	fprintf(file, "state_dir = \"%s/state\"\ndrain_timeout = \"5s\"\ntrace_file = ", folder);
	fprintf(file, "\"%s/worker-%s.log\"\n", stage->folder, name);
	put_intervals(file, &stage->act->intervals);
	if (stage->kind == STAGE_POOLER)
		fputs("listen = false\nprepared = false\n", file);
	put_handlers(file, stage, effects);
	if (settings != NULL)
		fputs(settings, file);
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	return 0;
}
