#include "tools/chaos/stage/network.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	NAME_SIZE = 16,
	ADDRESS_SIZE = 20,
	WORDS = 32,
	WORD_SIZE = 96,
	RUN_MS = 20000,
	SAID_BYTES = 16384,
	SIZE_MOST = 62, /* four addresses each */
	EACH = 4,
};

#define TABLE "locum_chaos"

struct member {
	char namespace[NAME_SIZE];
	char wire[NAME_SIZE]; /* the router's end of it */
	char address[ADDRESS_SIZE];
	char gateway[ADDRESS_SIZE];
};

struct network {
	struct undo *undo;
	char *said; /* a file */
	char router[NAME_SIZE];
	char wire[NAME_SIZE]; /* the machine's end of the one to the router */
	char server[ADDRESS_SIZE];
	char gateway[ADDRESS_SIZE];
	char range[ADDRESS_SIZE];
	int size;
	struct member *members;
};

/* --- running the tools -------------------------------------------------------------------------- */

/* A command from a text with single spaces between its words; `%s` of printf may bring several. */
struct command {
	char text[512];
	const char *argv[WORDS + 1];
};

__attribute__((format(printf, 2, 0))) static void compose(struct command *command,
							  const char *format, va_list list)
{
	char *rest = command->text;
	size_t count = 0;

	vsnprintf(command->text, sizeof(command->text), format, list);
	while (rest != NULL && count < WORDS)
		command->argv[count++] = strsep(&rest, " ");
	command->argv[count] = NULL;
}

__attribute__((format(printf, 3, 4))) static int run(struct network *network, struct error *err,
						     const char *format, ...)
{
	struct command command;
	va_list list;

	va_start(list, format);
	compose(&command, format, list);
	va_end(list);
	return undo_run(network->undo, command.argv, RUN_MS, err);
}

static int read_said(struct network *network, char *said, size_t size, struct error *err)
{
	int fd = open(network->said, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, said, size - 1);

	if (fd >= 0)
		close(fd);
	if (got < 0)
		return error_set_errno(err, ERROR_RETRY, errno, "%s", network->said);
	said[got] = '\0';
	return 0;
}

/* Runs a command and gives what it said. */
__attribute__((format(printf, 5, 6))) static int
ask(struct network *network, char *said, size_t size, struct error *err, const char *format, ...)
{
	struct command command;
	struct undo_spawn spawn = { .argv = command.argv, .output = network->said };
	int status = -1;
	va_list list;
	pid_t pid;

	va_start(list, format);
	compose(&command, format, list);
	va_end(list);
	unlink(network->said);
	if (undo_spawn(network->undo, &spawn, &pid, err) != 0)
		return -1;
	if (undo_wait(network->undo, pid, RUN_MS, &status, err) != 1 || status != 0)
		return error_set(err, ERROR_RETRY, "%s failed", command.argv[0]);
	return read_said(network, said, size, err);
}

/* --- making it ---------------------------------------------------------------------------------- */

static bool is_there(const char *program)
{
	static const char *const FOLDERS[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", FOLDERS[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

int network_possible(struct error *err)
{
	static const char *const PROGRAMS[] = { "ip", "nft", "tc", "sysctl" };

	if (geteuid() != 0)
		return error_set(err, ERROR_INPUT, "only root can make network namespaces");
	for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++)
		if (!is_there(PROGRAMS[i]))
			return error_set(err, ERROR_INPUT, "there is no program \"%s\"",
					 PROGRAMS[i]);
	return 0;
}

/* Harnesses that run at the same time have different ones, by their pids. */
static void name_all(struct network *network)
{
	unsigned pid = (unsigned)getpid();
	unsigned high = 64 + (pid >> 8) % 128;
	unsigned low = pid % 256;

	snprintf(network->router, NAME_SIZE, "lc%ur", pid);
	snprintf(network->wire, NAME_SIZE, "lc%u", pid);
	snprintf(network->range, ADDRESS_SIZE, "10.%u.%u.0/24", high, low);
	snprintf(network->server, ADDRESS_SIZE, "10.%u.%u.1", high, low);
	snprintf(network->gateway, ADDRESS_SIZE, "10.%u.%u.2", high, low);
	for (int i = 0; i < network->size; i++) {
		struct member *member = &network->members[i];
		unsigned first = EACH * ((unsigned)i + 1);

		snprintf(member->namespace, NAME_SIZE, "lc%ud%d", pid, i + 1);
		snprintf(member->wire, NAME_SIZE, "w%d", i + 1);
		snprintf(member->gateway, ADDRESS_SIZE, "10.%u.%u.%u", high, low, first + 1);
		snprintf(member->address, ADDRESS_SIZE, "10.%u.%u.%u", high, low, first + 2);
	}
}

static int make_namespace(struct network *network, const char *name, struct error *err)
{
	if (undo_add(network->undo, UNDO_NAMESPACE, name, err) != 0 ||
	    run(network, err, "ip netns add %s", name) != 0)
		return -1;
	return run(network, err, "ip -n %s link set lo up", name);
}

/* What the sets hold is dropped on its way through, and counted. */
static int make_filter(struct network *network, struct error *err)
{
	static const char *const LINES[] = {
		"add table inet " TABLE,
		"add set inet " TABLE " requests { type ipv4_addr ; counter ; }",
		"add set inet " TABLE " answers { type ipv4_addr ; counter ; }",
		"add chain inet " TABLE " passing { type filter hook forward priority 0 ; }",
		"add rule inet " TABLE " passing ip saddr @requests drop",
		"add rule inet " TABLE " passing ip daddr @answers drop",
	};

	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++)
		if (run(network, err, "ip netns exec %s nft %s", network->router, LINES[i]) != 0)
			return -1;
	return 0;
}

static int make_router(struct network *network, struct error *err)
{
	const char *router = network->router;

	if (make_namespace(network, router, err) != 0 ||
	    undo_add(network->undo, UNDO_LINK, network->wire, err) != 0 ||
	    run(network, err, "ip link add %s type veth peer name lan netns %s", network->wire,
		router) != 0 ||
	    run(network, err, "ip addr add %s/30 dev %s", network->server, network->wire) != 0 ||
	    run(network, err, "ip link set %s up", network->wire) != 0 ||
	    run(network, err, "ip -n %s addr add %s/30 dev lan", router, network->gateway) != 0 ||
	    run(network, err, "ip -n %s link set lan up", router) != 0 ||
	    run(network, err, "ip route add %s via %s", network->range, network->gateway) != 0 ||
	    run(network, err, "ip netns exec %s sysctl -qw net.ipv4.ip_forward=1", router) != 0)
		return -1;
	return make_filter(network, err);
}

static int make_member(struct network *network, const struct member *member, struct error *err)
{
	const char *name = member->namespace;
	const char *router = network->router;

	if (make_namespace(network, name, err) != 0 ||
	    run(network, err, "ip -n %s link add %s type veth peer name lan netns %s", router,
		member->wire, name) != 0 ||
	    run(network, err, "ip -n %s addr add %s/30 dev %s", router, member->gateway,
		member->wire) != 0 ||
	    run(network, err, "ip -n %s link set %s up", router, member->wire) != 0 ||
	    run(network, err, "ip -n %s addr add %s/30 dev lan", name, member->address) != 0 ||
	    run(network, err, "ip -n %s link set lan up", name) != 0)
		return -1;
	return run(network, err, "ip -n %s route add default via %s", name, member->gateway);
}

static int make_all(struct network *network, struct error *err)
{
	if (make_router(network, err) != 0)
		return -1;
	for (int i = 0; i < network->size; i++)
		if (make_member(network, &network->members[i], err) != 0)
			return -1;
	return 0;
}

struct network *network_open(struct undo *undo, const char *scratch, int size, struct error *err)
{
	struct network *network;

	if (network_possible(err) != 0)
		return NULL;
	if (size > SIZE_MOST) {
		error_set(err, ERROR_INPUT, "a network has at most %d dispatchers", (int)SIZE_MOST);
		return NULL;
	}
	network = calloc(1, sizeof(*network));
	if (network == NULL || asprintf(&network->said, "%s/network.said", scratch) < 0) {
		free(network);
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	network->undo = undo;
	network->members = calloc((size_t)size, sizeof(*network->members));
	if (network->members == NULL) {
		network_close(network);
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	network->size = size;
	name_all(network);
	if (make_all(network, err) == 0)
		return network;
	network_close(network);
	return NULL;
}

/* A wire goes with its namespace, and the route with the wire. */
void network_close(struct network *network)
{
	if (network == NULL)
		return;
	for (int i = 0; i < network->size; i++)
		undo_now(network->undo, UNDO_NAMESPACE, network->members[i].namespace, NULL);
	if (network->size > 0) {
		undo_now(network->undo, UNDO_LINK, network->wire, NULL);
		undo_now(network->undo, UNDO_NAMESPACE, network->router, NULL);
	}
	unlink(network->said);
	free(network->said);
	free(network->members);
	free(network);
}

const char *network_server(const struct network *network)
{
	return network->server;
}

const char *network_range(const struct network *network)
{
	return network->range;
}

const char *network_namespace(const struct network *network, int place)
{
	return network->members[place].namespace;
}

/* --- dropping ----------------------------------------------------------------------------------- */

static const struct {
	enum network_way way;
	const char *set;
} WAYS[] = { { NETWORK_REQUESTS, "requests" }, { NETWORK_ANSWERS, "answers" } };

static const size_t WAY_COUNT = sizeof(WAYS) / sizeof(WAYS[0]);

int network_drop(struct network *network, int place, unsigned ways, struct error *err)
{
	for (size_t i = 0; i < WAY_COUNT; i++)
		if ((ways & WAYS[i].way) != 0 &&
		    run(network, err, "ip netns exec %s nft add element inet " TABLE " %s { %s }",
			network->router, WAYS[i].set, network->members[place].address) != 0)
			return -1;
	return 0;
}

/* What is not in a set cannot be taken out of it: it is put there first. */
int network_pass(struct network *network, int place, struct error *err)
{
	if (network_drop(network, place, NETWORK_BOTH, err) != 0)
		return -1;
	for (size_t i = 0; i < WAY_COUNT; i++)
		if (run(network, err,
			"ip netns exec %s nft delete element inet " TABLE " %s { %s }",
			network->router, WAYS[i].set, network->members[place].address) != 0)
			return -1;
	return 0;
}

/* The number behind a word; 0 without it. */
static int64_t number_behind(const char *text, const char *word)
{
	const char *found = text == NULL ? NULL : strstr(text, word);

	return found == NULL ? 0 : strtoll(found + strlen(word), NULL, 10);
}

/* "10.64.1.6 counter packets 3 bytes 180" */
int network_dropped(struct network *network, int place, int64_t *packets, struct error *err)
{
	char said[SAID_BYTES];
	char start[WORD_SIZE];
	int64_t sum = 0;

	snprintf(start, sizeof(start), "%s counter", network->members[place].address);
	for (size_t i = 0; i < WAY_COUNT; i++) {
		if (ask(network, said, sizeof(said), err,
			"ip netns exec %s nft list set inet " TABLE " %s", network->router,
			WAYS[i].set) != 0)
			return -1;
		sum += number_behind(strstr(said, start), "packets ");
	}
	*packets = sum;
	return 0;
}

/* --- narrowing ---------------------------------------------------------------------------------- */

/* Both ends of its wire: each limits what it sends. */
static void name_ends(const struct network *network, int place, const char *ends[2][2])
{
	ends[0][0] = network->router;
	ends[0][1] = network->members[place].wire;
	ends[1][0] = network->members[place].namespace;
	ends[1][1] = "lan";
}

int network_narrow(struct network *network, int place, int kbit, struct error *err)
{
	const char *ends[2][2];

	name_ends(network, place, ends);
	for (int i = 0; i < 2; i++) {
		int status = kbit > 0 ? run(network, err,
					    "tc -n %s qdisc replace dev %s root tbf rate %dkbit "
					    "burst 4kb latency 2s",
					    ends[i][0], ends[i][1], kbit)
				      : run(network, err,
					    "tc -n %s qdisc replace dev %s root pfifo_fast",
					    ends[i][0], ends[i][1]);
		if (status != 0)
			return -1;
	}
	return 0;
}

int network_waited(struct network *network, int place, int64_t *times, struct error *err)
{
	char said[SAID_BYTES];
	const char *ends[2][2];
	int64_t sum = 0;

	name_ends(network, place, ends);
	for (int i = 0; i < 2; i++) {
		if (ask(network, said, sizeof(said), err, "tc -n %s -s qdisc show dev %s",
			ends[i][0], ends[i][1]) != 0)
			return -1;
		sum += number_behind(said, "overlimits ");
	}
	*times = sum;
	return 0;
}
