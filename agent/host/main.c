/* locum-host: runs the plugins and SQL functions of an agent, which starts it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/host/catalog.h"
#include "agent/host/desk.h"
#include "agent/host/function.h"
#include "agent/host/plugin.h"
#include "agent/host/settler.h"
#include "agent/host/store.h"
#include "agent/host/warden.h"
#include "agent/slate.h"
#include "base/error.h"
#include "base/log.h"
#include "base/version.h"
#include "base/wire.h"

enum { WEAR_LOOK_JOBS = 64 };

struct host {
	struct wire_hello hello;
	struct slate *slate;
	struct store *store;
	struct desk *desk;
	struct catalog catalog;
	struct settler settler;
	uint64_t jobs;
};

static bool is_of_type(int fd, mode_t type)
{
	struct stat file;

	return fstat(fd, &file) == 0 && (file.st_mode & S_IFMT) == type;
}

static void read_options(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("locum-host " LOCUM_VERSION);
		exit(EX_OK);
	}
	if (argc != 1) {
		fputs("usage: locum-host [--version]\n", stderr);
		exit(EX_USAGE);
	}
	if (!is_of_type(WIRE_SOCKET_FD, S_IFSOCK) || !is_of_type(WIRE_SLATE_FD, S_IFREG)) {
		fputs("locum-host: this program is started by locum-agent, never by hand\n",
		      stderr);
		exit(EX_USAGE);
	}
}

static _Noreturn void stop_with(const struct error *err)
{
	log_error("cannot start", log_err(err));
	exit(EX_OSERR);
}

static void run_broken(struct host *host, struct catalog_entry *entry, struct locum_job *job)
{
	desk_break(host->desk, job->wire.handler, entry->reason);
	if (job->verdict == 0)
		locum_job_end(job, VERDICT_RELEASED, "released: %s", entry->reason);
}

static void run(struct host *host, struct locum_job *job)
{
	struct catalog_entry *entry = catalog_find(&host->catalog, job->wire.handler);

	if (entry == NULL) {
		locum_job_end(job, VERDICT_RELEASED,
			      "released: the host does not know this handler");
		return;
	}
	entry->broken = false; /* what was missing may be there now */
	if (entry->handler->kind == HANDLER_SQL)
		function_run(entry, job, &host->settler);
	else if (catalog_load(entry) == 0)
		plugin_run(entry, job, &host->settler);
	entry->runs++;
	if (entry->broken)
		run_broken(host, entry, job);
	if (entry->handler->max_jobs > 0 && entry->runs >= entry->handler->max_jobs)
		desk_retire(host->desk);
}

/* A plugin that leaks descriptors leaves too few for those after it: the host is replaced in time. */
static void check_wear(struct host *host)
{
	int fd;

	if (++host->jobs % WEAR_LOOK_JOBS != 0)
		return;
	fd = fcntl(WIRE_SOCKET_FD, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fd >= (int)(sysconf(_SC_OPEN_MAX) / 2))
		desk_retire(host->desk);
	if (fd >= 0)
		close(fd);
}

static void serve(struct host *host)
{
	struct locum_job *job = NULL;

	while ((job = desk_next(host->desk, job)) != NULL) {
		run(host, job);
		check_wear(host);
	}
}

/* The agent says by STOP what it means by SIGTERM. The handler ends with an execution, so that what a plugin starts
 * does not inherit the indifference. */
static void on_sigterm(int number)
{
	(void)number;
}

static void set_up_signals(void)
{
	struct sigaction indifferent = { .sa_handler = on_sigterm, .sa_flags = SA_RESTART };

	sigaction(SIGTERM, &indifferent, NULL);
}

static void open_host(struct host *host)
{
	struct error err = { .kind = ERROR_NONE };

	fcntl(WIRE_SOCKET_FD, F_SETFD, FD_CLOEXEC);
	fcntl(WIRE_SLATE_FD, F_SETFD, FD_CLOEXEC);
	if (slate_attach(&host->slate, WIRE_SLATE_FD, &err) != 0 ||
	    desk_open(&host->desk, WIRE_SOCKET_FD, host->slate, &host->hello, &err) != 0 ||
	    catalog_open(&host->catalog, &host->hello, &err) != 0)
		stop_with(&err);
	log_set_level(host->hello.log_level);
	log_set_format(host->hello.log_format);
	host->store = store_open(host->hello.database == NULL ? "" : host->hello.database);
	if (host->store == NULL) {
		error_set(&err, ERROR_FATAL, "out of memory");
		stop_with(&err);
	}
	host->settler = (struct settler){ .store = host->store, .desk = host->desk };
	if (warden_enter(&err) != 0 || desk_start(host->desk, host->store, &err) != 0)
		stop_with(&err);
}

int main(int argc, char **argv)
{
	struct host host = { .jobs = 0 };

	/* The password of the database is for no other process of its user. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	log_set_program("locum-host");
	read_options(argc, argv);
	set_up_signals();
	open_host(&host);

	serve(&host);

	desk_close(host.desk);
	store_close(host.store);
	catalog_close(&host.catalog);
	slate_close(host.slate);
	wire_hello_fini(&host.hello);
	return EX_OK;
}
