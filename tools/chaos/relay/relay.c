#include "tools/chaos/relay/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/chaos/relay/relay_line.h"

enum {
	LINES = 1024, /* more are refused */
	BACKLOG = 256,
	EVENTS = 64,
	WAIT_MOST_MS = 60000,
};

/* What epoll tells of besides lines. */
enum { DOOR_UNIX, DOOR_PORT, DOORS };

union place {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_in remote;
};

struct relay {
	union place server;
	socklen_t server_size;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int port;
	int epoll;
	int wake;
	int doors[DOORS];
	pthread_t thread;
	bool runs;
	atomic_bool stop;

	pthread_mutex_t lock; /* guards what follows; held while the thread works */
	struct relay_order order;
	struct relay_line *lines[LINES];
	size_t line_count;
};

/* --- sockets ------------------------------------------------------------------------------------ */

static int write_path(struct sockaddr_un *place, const char *folder, int port, struct error *err)
{
	int length = snprintf(place->sun_path, sizeof(place->sun_path), "%s/.s.PGSQL.%d", folder,
			      port);

	place->sun_family = AF_UNIX;
	if (length < 0 || (size_t)length >= sizeof(place->sun_path))
		return error_set(err, ERROR_INPUT, "the path of a socket in %s is too long",
				 folder);
	return 0;
}

static int find_server(struct relay *relay, const char *host, int port, struct error *err)
{
	if (host[0] == '/') {
		relay->server_size = sizeof(relay->server.local);
		return write_path(&relay->server.local, host, port, err);
	}
	relay->server_size = sizeof(relay->server.remote);
	relay->server.remote.sin_family = AF_INET;
	relay->server.remote.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &relay->server.remote.sin_addr) != 1)
		return error_set(err, ERROR_INPUT, "\"%s\" is no IPv4 address", host);
	return 0;
}

static int listen_at(int *door, const union place *place, socklen_t size, struct error *err)
{
	*door = socket(place->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*door < 0 || bind(*door, &place->any, size) != 0 || listen(*door, BACKLOG) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "the relay cannot listen");
	return 0;
}

/* Dispatchers may run as another user. */
static int listen_locally(struct relay *relay, const char *folder, struct error *err)
{
	union place place = { 0 };

	if (write_path(&place.local, folder, 5432, err) != 0)
		return -1;
	if (listen_at(&relay->doors[DOOR_UNIX], &place, sizeof(place.local), err) != 0)
		return -1;
	memcpy(relay->path, place.local.sun_path, sizeof(relay->path));
	if (chmod(relay->path, 0777) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "%s", relay->path);
	return 0;
}

static int listen_at_port(struct relay *relay, struct error *err)
{
	union place place = { 0 };
	socklen_t size = sizeof(place.remote);

	place.remote.sin_family = AF_INET;
	place.remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listen_at(&relay->doors[DOOR_PORT], &place, size, err) != 0)
		return -1;
	if (getsockname(relay->doors[DOOR_PORT], &place.any, &size) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "the relay has no port");
	relay->port = ntohs(place.remote.sin_port);
	return 0;
}

static void hurry(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* not on a Unix socket */
}

/* A server that is not there closes the line later. */
static int dial(const struct relay *relay)
{
	int fd = socket(relay->server.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, &relay->server.any, relay->server_size) != 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	hurry(fd);
	return fd;
}

/* --- the thread --------------------------------------------------------------------------------- */

static void let_in(struct relay *relay, int door)
{
	int client = accept4(door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int server = client >= 0 && relay->line_count < LINES ? dial(relay) : -1;
	struct relay_line *line;

	if (server < 0) {
		if (client >= 0)
			close(client);
		return;
	}
	hurry(client);
	line = relay_line_open(&relay->order, relay->epoll, client, server);
	if (line == NULL)
		return;
	relay->lines[relay->line_count++] = line;
	relay_line_turn(line, clock_monotonic_ms());
}

static void read_wake(struct relay *relay)
{
	uint64_t count;

	if (read(relay->wake, &count, sizeof(count)) < 0)
		return; /* another event took it */
}

/* A line that is over stays until all events of this round are seen: they may tell of it. */
static void take_event(struct relay *relay, const struct epoll_event *event)
{
	struct relay_end *end = event->data.ptr;

	for (int i = 0; i < DOORS; i++)
		if (event->data.ptr == &relay->doors[i]) {
			let_in(relay, relay->doors[i]);
			return;
		}
	if (event->data.ptr == &relay->wake)
		read_wake(relay);
	else
		relay_line_event(end, event->events);
}

static void drop_line(struct relay *relay, size_t place)
{
	relay_line_close(relay->lines[place]);
	relay->lines[place] = relay->lines[--relay->line_count];
}

/* Returns when the next turn is due. */
static int64_t turn_all(struct relay *relay)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t due_ms = now_ms + WAIT_MOST_MS;

	for (size_t i = relay->line_count; i-- > 0;) {
		int64_t line_ms;

		relay_line_turn(relay->lines[i], now_ms);
		line_ms = relay_line_due_ms(relay->lines[i], now_ms);
		due_ms = line_ms < due_ms ? line_ms : due_ms;
		if (relay->lines[i]->over)
			drop_line(relay, i);
	}
	return due_ms;
}

static void *work(void *context)
{
	struct relay *relay = context;
	struct epoll_event events[EVENTS];
	int64_t due_ms = INT64_MAX;

	while (!atomic_load(&relay->stop)) {
		int64_t wait_ms = due_ms == INT64_MAX ? WAIT_MOST_MS
						      : due_ms - clock_monotonic_ms();
		int count = epoll_wait(relay->epoll, events, EVENTS,
				       wait_ms < 0 ? 0 : (int)wait_ms);

		pthread_mutex_lock(&relay->lock);
		for (int i = 0; i < count; i++)
			take_event(relay, &events[i]);
		due_ms = turn_all(relay);
		pthread_mutex_unlock(&relay->lock);
	}
	return NULL;
}

/* --- from outside ------------------------------------------------------------------------------- */

static int watch(struct relay *relay, int *fd, struct error *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = fd };

	if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, *fd, &event) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "the relay cannot watch a socket");
	return 0;
}

static int begin(struct relay *relay, struct error *err)
{
	relay->epoll = epoll_create1(EPOLL_CLOEXEC);
	relay->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (relay->epoll < 0 || relay->wake < 0)
		return error_set_errno(err, ERROR_RETRY, errno, "the relay cannot begin");
	if (watch(relay, &relay->wake, err) != 0)
		return -1;
	for (int i = 0; i < DOORS; i++)
		if (watch(relay, &relay->doors[i], err) != 0)
			return -1;
	relay->runs = pthread_create(&relay->thread, NULL, work, relay) == 0;
	return relay->runs ? 0 : error_set(err, ERROR_RETRY, "the relay has no thread");
}

struct relay *relay_open(const char *folder, const char *server_host, int server_port,
			 struct error *err)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	relay->epoll = relay->wake = relay->doors[DOOR_UNIX] = relay->doors[DOOR_PORT] = -1;
	pthread_mutex_init(&relay->lock, NULL);
	if (find_server(relay, server_host, server_port, err) == 0 &&
	    listen_locally(relay, folder, err) == 0 && listen_at_port(relay, err) == 0 &&
	    begin(relay, err) == 0)
		return relay;
	relay_close(relay);
	return NULL;
}

static void wake(struct relay *relay)
{
	uint64_t one = 1;

	if (write(relay->wake, &one, sizeof(one)) < 0)
		return; /* it is awake */
}

static void close_all(struct relay *relay)
{
	const int fds[] = { relay->epoll, relay->wake, relay->doors[DOOR_UNIX],
			    relay->doors[DOOR_PORT] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void relay_close(struct relay *relay)
{
	if (relay == NULL)
		return;
	atomic_store(&relay->stop, true);
	if (relay->runs) {
		wake(relay);
		pthread_join(relay->thread, NULL);
	}
	while (relay->line_count > 0)
		drop_line(relay, relay->line_count - 1);
	close_all(relay);
	if (relay->path[0] != '\0')
		unlink(relay->path);
	pthread_mutex_destroy(&relay->lock);
	free(relay);
}

int relay_port(const struct relay *relay)
{
	return relay->port;
}

void relay_set(struct relay *relay, const struct relay_rule *rule)
{
	pthread_mutex_lock(&relay->lock);
	relay->order = (struct relay_order){
		.rule = *rule,
		.number = relay->order.number + 1,
		.chance = rule->seed,
	};
	pthread_mutex_unlock(&relay->lock);
	wake(relay);
}

int64_t relay_hits(struct relay *relay)
{
	int64_t hits;

	pthread_mutex_lock(&relay->lock);
	hits = relay->order.hits;
	pthread_mutex_unlock(&relay->lock);
	return hits;
}

int64_t relay_bytes(struct relay *relay)
{
	int64_t bytes;

	pthread_mutex_lock(&relay->lock);
	bytes = relay->order.bytes;
	for (size_t i = 0; i < relay->line_count; i++)
		bytes += relay_line_waiting(relay->lines[i]);
	pthread_mutex_unlock(&relay->lock);
	return bytes;
}
