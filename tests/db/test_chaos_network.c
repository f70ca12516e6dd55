/* The network of a stage, by what sockets at both of its ends see. Skipped where it cannot be made. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tools/chaos/stage/network.h"

enum { PLACES = 2, BRIEF_MS = 300, PATIENCE_MS = 120000, BULK = 24 * 1024, KBIT = 64 };

struct scene {
	char folder[64];
	struct undo *undo;
	struct network *network;
	int door;
	int dispatcher[PLACES]; /* sockets in their namespaces, connected with */
	int server[PLACES];
	struct error err;
};

#define assert_done(scene, call)                                                                   \
	do {                                                                                       \
		if ((call) != 0)                                                                   \
			fail_msg("%s", (scene)->err.text);                                         \
	} while (0)

/* A socket belongs to the namespace in which it was made. */
static int socket_in(const char *namespace)
{
	char path[128];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other;
	int fd;

	snprintf(path, sizeof(path), "/var/run/netns/%s", namespace);
	other = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(other, CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	close(other);
	return fd;
}

static void connect_all(struct scene *scene)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	assert_int_equal(inet_pton(AF_INET, network_server(scene->network), &address.sin_addr), 1);
	scene->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(scene->door, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(scene->door, 4), 0);
	assert_int_equal(getsockname(scene->door, (struct sockaddr *)&address, &size), 0);
	for (int i = 0; i < PLACES; i++) {
		scene->dispatcher[i] = socket_in(network_namespace(scene->network, i));
		assert_int_equal(connect(scene->dispatcher[i], (struct sockaddr *)&address, size),
				 0);
		scene->server[i] = accept4(scene->door, NULL, NULL, SOCK_CLOEXEC);
		assert_true(scene->server[i] >= 0);
	}
}

static void open_scene(struct scene *scene)
{
	int cleaned;
	struct error left;

	*scene = (struct scene){ .door = -1 };
	if (network_possible(&scene->err) != 0) {
		print_message("skipped: %s\n", scene->err.text);
		skip();
	}
	snprintf(scene->folder, sizeof(scene->folder), "/tmp/locum-network-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	scene->undo = undo_open(&cleaned, &left, &scene->err);
	assert_non_null(scene->undo);
	scene->network = network_open(scene->undo, scene->folder, PLACES, &scene->err);
	if (scene->network == NULL)
		fail_msg("%s", scene->err.text);
	connect_all(scene);
}

static void close_scene(struct scene *scene)
{
	for (int i = 0; i < PLACES; i++) {
		close(scene->dispatcher[i]);
		close(scene->server[i]);
	}
	close(scene->door);
	network_close(scene->network);
	assert_done(scene, undo_close(scene->undo, &scene->err));
	assert_int_equal(rmdir(scene->folder), 0);
}

static bool arrives(int from, int to, int wait_ms)
{
	struct pollfd pollfd = { .fd = to, .events = POLLIN };
	char byte = 'x';

	assert_int_equal(send(from, &byte, 1, MSG_NOSIGNAL), 1);
	return poll(&pollfd, 1, wait_ms) == 1 && read(to, &byte, 1) == 1;
}

static bool comes(int to)
{
	struct pollfd pollfd = { .fd = to, .events = POLLIN };
	char byte;

	return poll(&pollfd, 1, PATIENCE_MS) == 1 && read(to, &byte, 1) == 1;
}

static void each_way_is_dropped_for_itself_and_goes_on_afterwards(void **state)
{
	struct scene scene;
	int64_t packets;

	(void)state;
	open_scene(&scene);
	for (unsigned way = NETWORK_REQUESTS; way <= NETWORK_ANSWERS; way++) {
		bool up = way == NETWORK_REQUESTS;
		int from = up ? scene.dispatcher[0] : scene.server[0];
		int to = up ? scene.server[0] : scene.dispatcher[0];

		assert_true(arrives(from, to, PATIENCE_MS));
		assert_done(&scene, network_drop(scene.network, 0, way, &scene.err));
		assert_done(&scene, network_drop(scene.network, 0, way, &scene.err));
		assert_false(arrives(from, to, BRIEF_MS));
		assert_true(arrives(scene.dispatcher[1], scene.server[1], PATIENCE_MS));
		assert_done(&scene, network_dropped(scene.network, 0, &packets, &scene.err));
		assert_true(packets > 0);
		assert_done(&scene, network_dropped(scene.network, 1, &packets, &scene.err));
		assert_int_equal(packets, 0);
		assert_done(&scene, network_pass(scene.network, 0, &scene.err));
		assert_true(comes(to));
	}
	close_scene(&scene);
}

/* The other way stays open: what is sent arrives, though nobody hears that it did. */
static void dropped_answers_let_requests_through(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene);
	assert_done(&scene, network_drop(scene.network, 0, NETWORK_ANSWERS, &scene.err));
	assert_true(arrives(scene.dispatcher[0], scene.server[0], PATIENCE_MS));
	assert_false(arrives(scene.server[0], scene.dispatcher[0], BRIEF_MS));
	close_scene(&scene);
}

static int64_t time_of_bulk(struct scene *scene, int place)
{
	int64_t began_ms = clock_monotonic_ms();
	char bytes[BULK] = { 0 };
	size_t left = BULK;

	assert_int_equal(send(scene->server[place], bytes, BULK, MSG_NOSIGNAL), BULK);
	while (left > 0) {
		ssize_t got = read(scene->dispatcher[place], bytes, left);

		assert_true(got > 0);
		left -= (size_t)got;
	}
	return clock_monotonic_ms() - began_ms;
}

static void a_narrow_wire_is_slow_until_it_is_wide_again(void **state)
{
	struct scene scene;
	int64_t times;

	(void)state;
	open_scene(&scene);
	assert_done(&scene, network_narrow(scene.network, 0, KBIT, &scene.err));
	assert_true(time_of_bulk(&scene, 0) > 1000);
	assert_true(time_of_bulk(&scene, 1) < 1000);
	assert_done(&scene, network_waited(scene.network, 0, &times, &scene.err));
	assert_true(times > 0);
	assert_done(&scene, network_narrow(scene.network, 0, 0, &scene.err));
	assert_true(time_of_bulk(&scene, 0) < 1000);
	close_scene(&scene);
}

static void nothing_is_left_of_it(void **state)
{
	struct scene scene;
	char wire[16];
	char path[128];

	(void)state;
	open_scene(&scene);
	snprintf(path, sizeof(path), "/var/run/netns/%s", network_namespace(scene.network, 1));
	snprintf(wire, sizeof(wire), "lc%d", (int)getpid());
	assert_int_equal(access(path, F_OK), 0);
	assert_int_not_equal(if_nametoindex(wire), 0);
	close_scene(&scene);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(if_nametoindex(wire), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_is_dropped_for_itself_and_goes_on_afterwards),
		cmocka_unit_test(dropped_answers_let_requests_through),
		cmocka_unit_test(a_narrow_wire_is_slow_until_it_is_wide_again),
		cmocka_unit_test(nothing_is_left_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
