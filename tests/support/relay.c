#include "tests/support/relay.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECE = 256 * 1024, NAME_BYTES = 512, SYNC_BYTES = 5 };

/* What the server sends last when it has committed and is idle again. */
static const char READY[] = { 'Z', 0, 0, 0, 5, 'I' };

struct relay_line {
	struct relay *relay;
	pthread_t thread;
	int client;
	int server;
	char name[NAME_BYTES]; /* the first bytes of the client: who it is */
	size_t named;
	char bytes[PIECE];
};

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	return address;
}

static int dial(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

/* Keeps as many of the last bytes as a part of READY can have. */
static size_t keep_tail(char *bytes, size_t length)
{
	size_t kept = sizeof(READY) - 1;

	memmove(bytes, bytes + length - kept, kept);
	return kept;
}

/* The request is with the server: waits until it is done, or the connection ends. */
static void await_answer(struct relay_line *line)
{
	size_t kept = 0;
	ssize_t got;

	for (;;) {
		size_t length;

		got = read(line->server, line->bytes + kept, sizeof(line->bytes) - kept);
		if (got <= 0)
			return;
		length = kept + (size_t)got;
		if (length < sizeof(READY))
			kept = length;
		else if (memcmp(line->bytes + length - sizeof(READY), READY, sizeof(READY)) == 0)
			return;
		else
			kept = keep_tail(line->bytes, length);
	}
}

/* Takes one of the rule's times when these bytes are meant. */
static bool hit(struct relay_line *line, size_t length, enum relay_harm *harm)
{
	struct relay *relay = line->relay;
	const struct relay_rule *rule = &relay->rule;
	bool meant;

	pthread_mutex_lock(&relay->lock);
	meant = rule->times > 0 &&
		(rule->role == NULL ||
		 memmem(line->name, line->named, rule->role, strlen(rule->role)) != NULL) &&
		memmem(line->bytes, length, rule->trigger, strlen(rule->trigger)) != NULL;
	if (meant) {
		relay->rule.times--;
		relay->hits++;
		relay->cut = relay->cut || rule->harm != RELAY_HOLD;
		*harm = rule->harm;
	}
	pthread_mutex_unlock(&relay->lock);
	return meant;
}

static void await_release(struct relay *relay)
{
	pthread_mutex_lock(&relay->lock);
	while (relay->holding && !relay->over)
		pthread_cond_wait(&relay->changed, &relay->lock);
	pthread_mutex_unlock(&relay->lock);
}

/* Does the harm to a request; returns whether the connection goes on. */
static bool harm_request(struct relay_line *line, size_t length, enum relay_harm harm)
{
	switch (harm) {
	case RELAY_CUT_REQUEST:
		return false;
	case RELAY_CUT_ANSWER:
		if (send_all(line->server, line->bytes, length))
			await_answer(line);
		return false;
	case RELAY_HOLD_AND_CUT:
		shutdown(line->client, SHUT_RDWR);
		await_release(line->relay);
		if (send_all(line->server, line->bytes, length))
			await_answer(line);
		return false;
	case RELAY_HOLD_SYNC:
		if (length < SYNC_BYTES ||
		    !send_all(line->server, line->bytes, length - SYNC_BYTES))
			return false;
		await_release(line->relay);
		return send_all(line->server, line->bytes + length - SYNC_BYTES, SYNC_BYTES);
	case RELAY_HOLD:
		await_release(line->relay);
		return send_all(line->server, line->bytes, length);
	}
	return false;
}

/* Passes on what the client sent; returns whether the connection goes on. */
static bool pass_request(struct relay_line *line)
{
	ssize_t got = read(line->client, line->bytes, sizeof(line->bytes));
	enum relay_harm harm = RELAY_CUT_REQUEST;

	if (got <= 0)
		return false;
	if (line->named == 0) {
		line->named = (size_t)got < sizeof(line->name) ? (size_t)got : sizeof(line->name);
		memcpy(line->name, line->bytes, line->named);
	}
	if (hit(line, (size_t)got, &harm))
		return harm_request(line, (size_t)got, harm);
	return send_all(line->server, line->bytes, (size_t)got);
}

static bool pass_answer(struct relay_line *line)
{
	ssize_t got = read(line->server, line->bytes, sizeof(line->bytes));

	return got > 0 && send_all(line->client, line->bytes, (size_t)got);
}

/* The descriptors stay open until the relay is stopped, so that nobody shuts down another's. */
static void *serve(void *context)
{
	struct relay_line *line = context;
	bool open = line->server >= 0;

	while (open) {
		struct pollfd polled[] = { { .fd = line->client, .events = POLLIN },
					   { .fd = line->server, .events = POLLIN } };

		poll(polled, 2, -1);
		if (polled[0].revents != 0)
			open = pass_request(line);
		if (open && polled[1].revents != 0)
			open = pass_answer(line);
	}
	shutdown(line->client, SHUT_RDWR);
	if (line->server >= 0)
		shutdown(line->server, SHUT_RDWR);
	return NULL;
}

static struct relay_line *open_line(struct relay *relay, int client)
{
	struct relay_line *line = calloc(1, sizeof(*line));

	line->relay = relay;
	line->client = client;
	line->server = dial(relay->server);
	return line;
}

static void *run(void *context)
{
	struct relay *relay = context;
	int client;

	while ((client = accept(relay->listener, NULL, NULL)) >= 0) {
		struct relay_line *line = open_line(relay, client);
		bool begun;

		pthread_mutex_lock(&relay->lock);
		begun = relay->line_count < RELAY_CONNECTIONS &&
			pthread_create(&line->thread, NULL, serve, line) == 0;
		if (begun)
			relay->lines[relay->line_count++] = line;
		pthread_mutex_unlock(&relay->lock);
		if (!begun)
			break; /* whoever comes now waits in vain, and the test says so */
	}
	return NULL;
}

void relay_start(struct relay *relay, const PGconn *server, const char *trigger, bool answered)
{
	char path[100];
	struct sockaddr_un address;

	*relay = (struct relay){ .holding = true };
	pthread_mutex_init(&relay->lock, NULL);
	pthread_cond_init(&relay->changed, NULL);
	relay->rule = (struct relay_rule){
		.trigger = trigger,
		.harm = answered ? RELAY_CUT_ANSWER : RELAY_CUT_REQUEST,
		.times = 1,
	};
	snprintf(relay->server, sizeof(relay->server), "%s/.s.PGSQL.%s", PQhost(server),
		 PQport(server));
	snprintf(relay->folder, sizeof(relay->folder), "/tmp/locum-relay-XXXXXX");
	assert_non_null(mkdtemp(relay->folder));
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", relay->folder);
	address = address_of(path);
	relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(relay->listener, 64), 0);
	assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
}

void relay_set(struct relay *relay, const struct relay_rule *rule)
{
	pthread_mutex_lock(&relay->lock);
	relay->rule = *rule;
	relay->hits = 0;
	relay->holding = true;
	pthread_mutex_unlock(&relay->lock);
}

int relay_hits(struct relay *relay)
{
	int hits;

	pthread_mutex_lock(&relay->lock);
	hits = relay->hits;
	pthread_mutex_unlock(&relay->lock);
	return hits;
}

void relay_let_go(struct relay *relay)
{
	pthread_mutex_lock(&relay->lock);
	relay->holding = false;
	pthread_cond_broadcast(&relay->changed);
	pthread_mutex_unlock(&relay->lock);
}

static void close_line(struct relay_line *line)
{
	shutdown(line->client, SHUT_RDWR);
	if (line->server >= 0)
		shutdown(line->server, SHUT_RDWR);
	pthread_join(line->thread, NULL);
	close(line->client);
	if (line->server >= 0)
		close(line->server);
	free(line);
}

void relay_stop(struct relay *relay)
{
	char path[100];

	pthread_mutex_lock(&relay->lock);
	relay->over = true;
	pthread_cond_broadcast(&relay->changed);
	pthread_mutex_unlock(&relay->lock);
	shutdown(relay->listener, SHUT_RDWR);
	pthread_join(relay->thread, NULL);
	for (size_t i = 0; i < relay->line_count; i++)
		close_line(relay->lines[i]);
	close(relay->listener);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", relay->folder);
	unlink(path);
	rmdir(relay->folder);
}
