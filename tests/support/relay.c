#include "tests/support/relay.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECE = 65536 };

/* What the server sends when it has committed and is idle again. */
static const char READY[] = { 'Z', 0, 0, 0, 5, 'I' };

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

/* The request is with the server: waits until it is done. */
static void await_answer(int server)
{
	static char bytes[PIECE];
	ssize_t got;

	do {
		got = read(server, bytes, sizeof(bytes));
	} while (got > 0 && memmem(bytes, (size_t)got, READY, sizeof(READY)) == NULL);
}

/* Passes on what one end sent; returns whether the connection goes on. */
static bool pass(struct relay *relay, int from, int to, bool is_request)
{
	char bytes[PIECE];
	ssize_t got = read(from, bytes, sizeof(bytes));
	bool hit;

	if (got <= 0)
		return false;
	hit = is_request && !relay->cut &&
	      memmem(bytes, (size_t)got, relay->trigger, strlen(relay->trigger)) != NULL;
	if (hit && !relay->answered) {
		relay->cut = true;
		return false;
	}
	if (write(to, bytes, (size_t)got) != got)
		return false;
	if (hit) {
		await_answer(to);
		relay->cut = true;
	}
	return !hit;
}

static void serve(struct relay *relay, int client)
{
	int server = dial(relay->server);
	bool open = server >= 0;

	while (open) {
		struct pollfd polled[] = { { .fd = client, .events = POLLIN },
					   { .fd = server, .events = POLLIN } };

		poll(polled, 2, -1);
		if (polled[0].revents != 0)
			open = pass(relay, client, server, true);
		if (open && polled[1].revents != 0)
			open = pass(relay, server, client, false);
	}
	close(client);
	if (server >= 0)
		close(server);
}

static void *run(void *context)
{
	struct relay *relay = context;
	int client;

	while ((client = accept(relay->listener, NULL, NULL)) >= 0)
		serve(relay, client);
	return NULL;
}

void relay_start(struct relay *relay, const PGconn *server, const char *trigger, bool answered)
{
	char path[100];
	struct sockaddr_un address;

	*relay = (struct relay){ .trigger = trigger, .answered = answered };
	snprintf(relay->server, sizeof(relay->server), "%s/.s.PGSQL.%s", PQhost(server),
		 PQport(server));
	snprintf(relay->folder, sizeof(relay->folder), "/tmp/locum-relay-XXXXXX");
	assert_non_null(mkdtemp(relay->folder));
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", relay->folder);
	address = address_of(path);
	relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(relay->listener, 8), 0);
	assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
}

void relay_stop(struct relay *relay)
{
	char path[100];

	shutdown(relay->listener, SHUT_RDWR);
	pthread_join(relay->thread, NULL);
	close(relay->listener);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", relay->folder);
	unlink(path);
	rmdir(relay->folder);
}
