/* locumd: start-up in order, the loop, and the same nouns in reverse. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fence.h"
#include "base/halt.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/version.h"
#include "dispatcher/arguments.h"
#include "dispatcher/config.h"
#include "dispatcher/config_check.h"
#include "dispatcher/config_reload.h"
#include "dispatcher/crew.h"
#include "dispatcher/identity.h"
#include "dispatcher/mailbox.h"
#include "dispatcher/notify.h"
#include "dispatcher/options.h"
#include "dispatcher/pinger.h"
#include "dispatcher/primary.h"
#include "dispatcher/pump.h"
#include "dispatcher/reaper.h"
#include "dispatcher/trace.h"

enum {
	LOCK_WAIT_EXTRA_MS = 1000,
	AGENT_END_MS = 5000,
	LEAVE_MS = 3000, /* longest that the last words to the database take */
	CONNECT_LEAST_MS = 1000,
	CONNECT_MOST_MS = 10000,
};

/* Everything that lives as long as the process does. */
struct daemon {
	struct options options;
	struct config config; /* of the start */
	struct identity identity;
	struct fence *fence;
	int fence_fd;
	int signal_fd;
	int done_fd;      /* the pump's drain is over */
	int drain_fd;     /* the database asks for a drain */
	int gone_fd;      /* somebody took our id over */
	struct halt halt; /* of all waiting for the database */
	struct notify notify;
	struct mailbox *box;
	struct trace *trace; /* or NULL */
	struct crew *crew;
	struct primary *primary;
	struct reaper *reaper;
	struct pinger *pinger;
	struct pump *pump;
	bool draining;
	bool forced; /* it waits for nothing that may not come */
	int exit_code;
};

static int open_signals(struct daemon *daemon, struct error *err)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTSTP);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot block signals");
	sigdelset(&signals, SIGPIPE);
	daemon->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon->done_fd = eventfd(0, EFD_CLOEXEC);
	daemon->drain_fd = eventfd(0, EFD_CLOEXEC);
	daemon->gone_fd = eventfd(0, EFD_CLOEXEC);
	if (daemon->signal_fd < 0 || daemon->done_fd < 0 || daemon->drain_fd < 0 ||
	    daemon->gone_fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make a signal descriptor");
	return 0;
}

/* Who waits longer than a ping's interval for a host that is silent misses a ping at the next one. */
static int open_primary(struct daemon *daemon, struct error *err)
{
	struct primary_options options = {
		.system_id = daemon->identity.system_id,
		.timeline = daemon->identity.timeline,
		.connect_ms = daemon->config.ping_interval_ms,
		.halt = &daemon->halt,
	};

	if (options.connect_ms < CONNECT_LEAST_MS)
		options.connect_ms = CONNECT_LEAST_MS;
	if (options.connect_ms > CONNECT_MOST_MS)
		options.connect_ms = CONNECT_MOST_MS;
	daemon->primary = primary_open(&options);
	return daemon->primary != NULL ? 0 : error_set(err, ERROR_FATAL, "out of memory");
}

static int start(struct daemon *daemon, struct error *err)
{
	const struct config *config = &daemon->config;
	struct crew_options crew = { .config = config };
	struct pinger_options pinger = { .config = config };
	struct pump_options pump = { .config = config };

	if (open_signals(daemon, err) != 0 || halt_open(&daemon->halt, err) != 0 ||
	    identity_open(&daemon->identity, config->state_dir,
			  config->kill_grace_ms + LOCK_WAIT_EXTRA_MS, err) != 0 ||
	    fence_create(&daemon->fence, &daemon->fence_fd, err) != 0 ||
	    mailbox_open(&daemon->box, err) != 0 ||
	    trace_open(&daemon->trace, config->trace_file, err) != 0)
		return -1;
	crew.fence = daemon->fence;
	crew.fence_fd = daemon->fence_fd;
	crew.lock_fd = daemon->identity.fd;
	crew.pump = daemon->box;
	if (crew_start(&daemon->crew, &crew, err) != 0)
		return -1;
	if (open_primary(daemon, err) != 0 ||
	    reaper_start(&daemon->reaper, config, daemon->primary, err) != 0)
		return -1;
	pinger.identity = &daemon->identity;
	pinger.fence = daemon->fence;
	pinger.pump = daemon->box;
	pinger.reaper = daemon->reaper;
	pinger.primary = daemon->primary;
	pinger.notify = &daemon->notify;
	pinger.trace = daemon->trace;
	pinger.drain_fd = daemon->drain_fd;
	pinger.gone_fd = daemon->gone_fd;
	if (pinger_start(&daemon->pinger, &pinger, err) != 0)
		return -1;
	pump.box = daemon->box;
	pump.pinger = daemon->pinger;
	pump.reaper = daemon->reaper;
	pump.primary = daemon->primary;
	pump.notify = &daemon->notify;
	pump.trace = daemon->trace;
	pump.done_fd = daemon->done_fd;
	return pump_start(&daemon->pump, &pump, err);
}

/* The first time: finish what runs. From then on: hand it back at once. */
static void begin_end(struct daemon *daemon, bool at_once)
{
	struct mail mail = { .kind = MAIL_DRAIN, .since_ms = clock_monotonic_ms() };

	if (!daemon->draining)
		notify_send(&daemon->notify, "STOPPING=1");
	if (at_once || daemon->draining) {
		mail.kind = MAIL_RELEASE;
		daemon->forced = true;
		halt_set(&daemon->halt, mail.since_ms + PUMP_RELEASE_MS);
	}
	daemon->draining = true;
	mailbox_post(daemon->box, &mail);
}

static void apply_log(const struct config *config)
{
	enum log_level level = LOG_LEVEL_INFO;
	enum log_format format = LOG_FORMAT_LOGFMT;

	log_level_read(config->log_level, &level);
	log_format_read(config->log_format, &format);
	log_set_level(level);
	log_set_format(format);
}

/* Reads the configuration again. The settings that cannot change are those of the start. */
static int read_again(struct daemon *daemon, struct config *config, struct error *err)
{
	const struct options *options = &daemon->options;
	char names[ERROR_TEXT_MAX];

	if (config_load(config, options->file, options->overrides, options->override_count, err) !=
	    0)
		return -1;
	if (config_reload_keep(config, &daemon->config, names, sizeof(names), err) != 0 ||
	    crew_seat(daemon->crew, config, err) != 0) {
		config_fini(config);
		return -1;
	}
	if (names[0] != '\0')
		log_warning("takes effect at the next start", log_text("settings", names));
	return 0;
}

/* The pump says READY when it has it. */
static void reload(struct daemon *daemon)
{
	struct mail mail = { .kind = MAIL_RELOAD, .config = calloc(1, sizeof(struct config)) };
	struct error err = { ERROR_NONE, "", "" };
	char lines[64];

	snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)clock_monotonic_ms() * 1000);
	notify_send(&daemon->notify, lines);
	if (mail.config == NULL)
		error_set(&err, ERROR_FATAL, "out of memory");
	if (mail.config == NULL || read_again(daemon, mail.config, &err) != 0) {
		log_error("the configuration is not taken; the former one stays in force",
			  log_err(&err));
		free(mail.config);
		notify_send(&daemon->notify, "READY=1");
		return;
	}
	apply_log(mail.config);
	crew_adopt(daemon->crew, mail.config);
	mailbox_post(daemon->box, &mail);
}

static void take_hangup(struct daemon *daemon)
{
	if (daemon->draining)
		log_warning("stopping: the configuration is not read again",
			    log_text("file", daemon->config.file));
	else
		reload(daemon);
}

/* From the database comes no second one. */
static void take_drain(struct daemon *daemon)
{
	uint64_t count;
	ssize_t got = read(daemon->drain_fd, &count, sizeof(count));

	if (got != (ssize_t)sizeof(count) || daemon->draining)
		return;
	log_info("stopping", log_text("because", "locum.drain() was called"));
	begin_end(daemon, false);
}

static void take_signals(struct daemon *daemon)
{
	struct mail quiet = { .kind = MAIL_QUIET };
	struct signalfd_siginfo info;

	while (read(daemon->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			crew_reap(daemon->crew);
		} else if (info.ssi_signo == SIGTSTP) {
			mailbox_post(daemon->box, &quiet);
		} else if (info.ssi_signo == SIGHUP) {
			take_hangup(daemon);
		} else {
			log_info(daemon->draining ? "stopping at once" : "stopping",
				 log_number("signal", (int64_t)info.ssi_signo));
			begin_end(daemon, false);
		}
	}
}

/* Who ends starts no agents any more. Never longer than lines may be held back. */
static int wait_ms(const struct daemon *daemon)
{
	int64_t due_ms = daemon->draining ? INT64_MAX : crew_due_ms(daemon->crew);
	int64_t now_ms = clock_monotonic_ms();

	if (due_ms > crew_watch_due_ms(daemon->crew))
		due_ms = crew_watch_due_ms(daemon->crew);
	if (due_ms > now_ms + LOG_LIMIT_MS)
		due_ms = now_ms + LOG_LIMIT_MS;
	return due_ms < now_ms ? 0 : (int)(due_ms - now_ms);
}

/* Until the pump has drained. */
static void loop(struct daemon *daemon)
{
	struct pollfd fds[] = {
		{ .fd = daemon->signal_fd, .events = POLLIN },
		{ .fd = daemon->done_fd, .events = POLLIN },
		{ .fd = daemon->gone_fd, .events = POLLIN },
		{ .fd = daemon->drain_fd, .events = POLLIN },
	};

	while (fds[1].revents == 0) {
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(daemon)) < 0)
			continue;
		log_settle(false);
		if (fds[0].revents != 0)
			take_signals(daemon);
		if (fds[3].revents != 0)
			take_drain(daemon);
		if (fds[2].revents != 0) {
			fds[2].fd = -1;
			daemon->exit_code = EX_CONFIG;
			begin_end(daemon, true);
		}
		crew_watch(daemon->crew);
		if (!daemon->draining)
			crew_restart(daemon->crew);
	}
}

/* The agents go before the pinger takes its leave: what they ran is dead before a sibling may take it. */
static void stop(struct daemon *daemon)
{
	size_t remaining = daemon->pump == NULL ? 0 : pump_join(daemon->pump);

	if (daemon->box != NULL)
		mailbox_clear(daemon->box); /* sockets that the pump never took */
	if (daemon->crew != NULL)
		crew_stop(daemon->crew, AGENT_END_MS);
	halt_set(&daemon->halt, clock_monotonic_ms() + LEAVE_MS);
	pinger_stop(daemon->pinger, daemon->forced || remaining > 0);
	reaper_stop(daemon->reaper);
	primary_close(daemon->primary);
	mailbox_close(daemon->box);
	halt_close(&daemon->halt);
	trace_close(daemon->trace);
	fence_close(daemon->fence);
	identity_close(&daemon->identity);
	notify_close(&daemon->notify);
	if (daemon->draining)
		log_info(remaining == 0 ? "stopped" : "stopped by force",
			 log_number("remaining", (int64_t)remaining));
	log_settle(true);
	config_fini(&daemon->config);
}

static int exit_code(const struct error *err)
{
	switch (err->kind) {
	case ERROR_NONE:
		return EX_OK;
	case ERROR_RETRY:
		return EX_UNAVAILABLE;
	case ERROR_LOST:
	case ERROR_INPUT:
	case ERROR_FATAL:
		break;
	}
	return EX_CONFIG;
}

static int complain(const struct error *err, int code)
{
	fprintf(stderr, "locumd: %s\n", err->text);
	return code;
}

static int run(struct daemon *daemon)
{
	struct error err = { ERROR_NONE, "", "" };

	log_set_program("locumd");
	apply_log(&daemon->config);
	notify_open(&daemon->notify);
	if (start(daemon, &err) == 0)
		loop(daemon);
	else
		daemon->exit_code = complain(&err, exit_code(&err));
	stop(daemon);
	return daemon->exit_code;
}

static int act(int argc, char **argv)
{
	struct daemon daemon = {
		.fence_fd = -1,
		.signal_fd = -1,
		.done_fd = -1,
		.drain_fd = -1,
		.gone_fd = -1,
		.halt = { .fd = -1, .deadline_ms = INT64_MAX },
	};
	struct options *options = &daemon.options;
	struct error err = { ERROR_NONE, "", "" };

	if (options_read(options, argc, argv, &err) != 0)
		return complain(&err, EX_USAGE);
	if (options->action == OPTIONS_HELP) {
		options_help(stdout);
		return EX_OK;
	}
	if (options->action == OPTIONS_VERSION) {
		puts("locumd " LOCUM_VERSION);
		return EX_OK;
	}
	if (config_load(&daemon.config, options->file, options->overrides, options->override_count,
			&err) != 0)
		return complain(&err, EX_CONFIG);
	if (options->action == OPTIONS_CHECK) {
		int status = config_print(&daemon.config, stdout, &err);

		config_check_handlers(&daemon.config, stderr);
		config_check_environment(stderr);
		config_fini(&daemon.config);
		return status == 0 ? EX_OK : complain(&err, EX_CONFIG);
	}
	return run(&daemon);
}

int main(int argc, char **argv)
{
	char **copy;
	int status;

	/* Its memory, its environment and its arguments may hold a password, which is not for others of its user. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	copy = arguments_take(argc, argv);
	if (copy == NULL)
		return EX_OSERR;
	status = act(argc, copy);
	arguments_free(copy);
	return status;
}
