#include "dispatcher/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const VARIABLES[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };
enum { VARIABLE_COUNT = sizeof(VARIABLES) / sizeof(VARIABLES[0]) };

/* A socket connected to the path or, after '@', to the name in the abstract namespace; -1 when that fails. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || length < 2 || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Half of the time that the service manager gives us, as sd_watchdog_enabled(3) asks. */
static int64_t read_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	int64_t interval_ms;

	if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	interval_ms = strtoll(usec, NULL, 10) / 1000 / 2;
	return interval_ms > 0 ? interval_ms : 0;
}

void notify_open(struct notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET");

	notify->fd = path == NULL ? -1 : connect_to(path);
	notify->watchdog_ms = notify->fd < 0 ? 0 : read_watchdog_ms();
	for (int i = 0; i < VARIABLE_COUNT; i++)
		unsetenv(VARIABLES[i]);
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

void notify_send(const struct notify *notify, const char *lines)
{
	ssize_t sent;

	if (notify->fd < 0)
		return;
	sent = send(notify->fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)sent; /* the next one says it again, or the watchdog finds out */
}

void notify_feed(const struct notify *notify, int64_t *due_ms)
{
	int64_t now_ms = clock_monotonic_ms();

	if (notify->watchdog_ms == 0 || now_ms < *due_ms)
		return;
	*due_ms = now_ms + notify->watchdog_ms;
	notify_send(notify, "WATCHDOG=1");
}
