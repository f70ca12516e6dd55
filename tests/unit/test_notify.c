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

#include "dispatcher/notify.h"

/* A service manager's socket. */
struct manager {
	char folder[64];
	char path[96]; /* as NOTIFY_SOCKET names it */
	int fd;
	char said[256];
};

static void bind_to(struct manager *manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(manager->path);

	memcpy(address.sun_path, manager->path, length);
	if (manager->path[0] == '@')
		address.sun_path[0] = '\0';
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
			 0);
	setenv("NOTIFY_SOCKET", manager->path, 1);
}

static int open_manager(void **state)
{
	static struct manager manager;

	snprintf(manager.folder, sizeof(manager.folder), "/tmp/locum-notify.XXXXXX");
	assert_non_null(mkdtemp(manager.folder));
	snprintf(manager.path, sizeof(manager.path), "%s/socket", manager.folder);
	manager.fd = -1;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*state = &manager;
	return 0;
}

static int close_manager(void **state)
{
	struct manager *manager = *state;

	if (manager->fd >= 0)
		close(manager->fd);
	unlink(manager->path);
	rmdir(manager->folder);
	return 0;
}

/* The next datagram, "" when there is none. */
static const char *heard(struct manager *manager)
{
	ssize_t got = recv(manager->fd, manager->said, sizeof(manager->said) - 1, 0);

	manager->said[got < 0 ? 0 : got] = '\0';
	return manager->said;
}

static void each_notification_is_a_datagram_of_its_own(void **state)
{
	struct manager *manager = *state;
	struct notify notify;

	bind_to(manager);
	notify_open(&notify);
	notify_send(&notify, "READY=1");
	notify_send(&notify, "STATUS=3/8 busy");
	assert_string_equal(heard(manager), "READY=1");
	assert_string_equal(heard(manager), "STATUS=3/8 busy");
	assert_string_equal(heard(manager), "");
	notify_close(&notify);
}

static void a_socket_in_the_abstract_namespace_is_reached(void **state)
{
	struct manager *manager = *state;
	struct notify notify;

	snprintf(manager->path, sizeof(manager->path), "@locum/notify/%ld", (long)getpid());
	bind_to(manager);
	notify_open(&notify);
	notify_send(&notify, "STOPPING=1");
	assert_string_equal(heard(manager), "STOPPING=1");
	notify_close(&notify);
}

static void without_a_service_manager_nothing_happens(void **state)
{
	static const char *const SOCKETS[] = { NULL, "",         "/",
					       "@",  "relative", "/tmp/locum-no-such-socket" };

	(void)state;
	for (size_t i = 0; i < sizeof(SOCKETS) / sizeof(SOCKETS[0]); i++) {
		struct notify notify;

		if (SOCKETS[i] != NULL)
			setenv("NOTIFY_SOCKET", SOCKETS[i], 1);
		setenv("WATCHDOG_USEC", "1000000", 1);
		notify_open(&notify);
		assert_int_equal(notify.fd, -1);
		assert_int_equal(notify.watchdog_ms, 0);
		notify_send(&notify, "READY=1");
		notify_close(&notify);
	}
}

static void a_name_that_is_too_long_for_a_socket_is_refused(void **state)
{
	struct notify notify;
	char name[300];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	notify_open(&notify);
	assert_int_equal(notify.fd, -1);
}

static void children_inherit_no_way_to_speak_in_our_name(void **state)
{
	struct notify notify;

	bind_to(*state);
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_open(&notify);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	notify_close(&notify);
}

static void the_watchdog_is_fed_twice_as_often_as_it_asks(void **state)
{
	struct manager *manager = *state;
	struct notify notify;
	char pid[32];

	bind_to(manager);
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_open(&notify);
	assert_int_equal(notify.watchdog_ms, 15000);
	notify_close(&notify);

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("NOTIFY_SOCKET", manager->path, 1);
	setenv("WATCHDOG_USEC", "5000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	notify_open(&notify);
	assert_int_equal(notify.watchdog_ms, 2);
	notify_close(&notify);
}

static void the_watchdog_of_another_process_is_not_ours_to_feed(void **state)
{
	struct notify notify;

	bind_to(*state);
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify_open(&notify);
	assert_true(notify.fd >= 0);
	assert_int_equal(notify.watchdog_ms, 0);
	notify_close(&notify);
}

static void a_service_manager_that_does_not_read_blocks_nobody(void **state)
{
	struct notify notify;

	bind_to(*state);
	notify_open(&notify);
	for (int i = 0; i < 100000; i++)
		notify_send(&notify, "STATUS=busy");
	notify_close(&notify);
}

static void a_service_manager_that_went_away_kills_nobody(void **state)
{
	struct manager *manager = *state;
	struct notify notify;

	bind_to(manager);
	notify_open(&notify);
	close(manager->fd);
	manager->fd = -1;
	notify_send(&notify, "READY=1");
	notify_close(&notify);
}

#define MANAGER_TEST(test) cmocka_unit_test_setup_teardown(test, open_manager, close_manager)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MANAGER_TEST(each_notification_is_a_datagram_of_its_own),
		MANAGER_TEST(a_socket_in_the_abstract_namespace_is_reached),
		MANAGER_TEST(without_a_service_manager_nothing_happens),
		MANAGER_TEST(a_name_that_is_too_long_for_a_socket_is_refused),
		MANAGER_TEST(children_inherit_no_way_to_speak_in_our_name),
		MANAGER_TEST(the_watchdog_is_fed_twice_as_often_as_it_asks),
		MANAGER_TEST(the_watchdog_of_another_process_is_not_ours_to_feed),
		MANAGER_TEST(a_service_manager_that_does_not_read_blocks_nobody),
		MANAGER_TEST(a_service_manager_that_went_away_kills_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
