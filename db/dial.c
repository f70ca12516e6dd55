#include "db/dial.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/halt.h"
#include "db/failure.h"
#include "db/hosts.h"

enum { NAME_SIZE = 64, ADDRESSES = 16, CONNECT_MS = 10000 };

struct dial {
	const struct db_options *options;
	struct hosts hosts;
	int last; /* the place that answered last, or -1 */
	char last_address[HOSTS_ADDRESS_SIZE];
	int nth;           /* place of the order to be tried next */
	int place;         /* the present one; */
	char *host;        /* its name, or NULL; */
	char *port;        /* its port, or NULL; */
	int address_count; /* its addresses, "" for what libpq makes of the name */
	int address_at;
	char addresses[ADDRESSES][HOSTS_ADDRESS_SIZE];
	PGconn *conn; /* NULL: none under way */
	PostgresPollingStatusType wants;
	int64_t connect_ms;
	int64_t deadline_ms; /* of the present one */
	struct error err;    /* what is told when nobody is left */
};

/* --- whom ---------------------------------------------------------------------------------------- */

static void recall(struct dial *dial)
{
	struct hosts_memory *memory = dial->options->memory;

	dial->last = -1;
	if (memory == NULL)
		return;
	pthread_mutex_lock(&memory->lock);
	dial->last = memory->place;
	memcpy(dial->last_address, memory->address, sizeof(memory->address));
	pthread_mutex_unlock(&memory->lock);
}

struct dial *dial_open(const struct db_options *options, struct error *err)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (dial == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	if (hosts_read(&dial->hosts, options->conninfo, err) != 0) {
		dial_close(dial);
		return NULL;
	}
	dial->options = options;
	dial->connect_ms = options->connect_ms > 0 ? options->connect_ms : CONNECT_MS;
	if (dial->hosts.timeout_ms > 0)
		dial->connect_ms = dial->hosts.timeout_ms;
	recall(dial);
	return dial;
}

void dial_close(struct dial *dial)
{
	if (dial == NULL)
		return;
	PQfinish(dial->conn);
	hosts_fini(&dial->hosts);
	free(dial->host);
	free(dial->port);
	free(dial);
}

static void note(struct dial *dial, const struct error *err)
{
	if (dial->err.kind == ERROR_NONE ||
	    (dial->err.kind != ERROR_FATAL && err->kind == ERROR_FATAL))
		dial->err = *err;
}

static void add_address(struct dial *dial, const char *address)
{
	int at = dial->address_count;

	if (at == ADDRESSES)
		return;
	snprintf(dial->addresses[at], HOSTS_ADDRESS_SIZE, "%s", address);
	dial->address_count++;
	/* What answered last goes first. */
	if (at > 0 && dial->place == dial->last && strcmp(address, dial->last_address) == 0) {
		memmove(dial->addresses[1], dial->addresses[0], (size_t)at * HOSTS_ADDRESS_SIZE);
		snprintf(dial->addresses[0], HOSTS_ADDRESS_SIZE, "%s", address);
	}
}

/* libpq gives the next address its turn when one refuses, but not when one is silent. */
static void look_up(struct dial *dial)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char address[HOSTS_ADDRESS_SIZE];
	struct error err;
	int status = getaddrinfo(dial->host, NULL, &hints, &found);

	for (const struct addrinfo *at = status == 0 ? found : NULL; at != NULL; at = at->ai_next)
		if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof(address), NULL, 0,
				NI_NUMERICHOST) == 0)
			add_address(dial, address);
	if (status == 0)
		freeaddrinfo(found);
	if (dial->address_count > 0)
		return;
	error_set(&err, ERROR_RETRY,
		  "cannot connect to the database: the host \"%s\" is not found: %s", dial->host,
		  gai_strerror(status));
	note(dial, &err);
}

static bool is_folder(const char *host)
{
	return host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@';
}

/* Returns -1 when there is no further place. */
static int begin_place(struct dial *dial)
{
	int places = dial->hosts.count == 0 ? 1 : dial->hosts.count;
	char *address;

	if (dial->nth == places)
		return -1;
	free(dial->host);
	free(dial->port);
	dial->host = dial->port = NULL;
	dial->address_at = dial->address_count = 0;
	dial->place = hosts_nth(&dial->hosts, dial->last, dial->nth++);
	if (dial->hosts.count == 0) {
		add_address(dial, "");
		return 0;
	}
	dial->host = hosts_item(dial->hosts.names, dial->place);
	dial->port = hosts_item(dial->hosts.ports, dial->place);
	address = hosts_item(dial->hosts.addresses, dial->place);
	if ((address != NULL && address[0] != '\0') || is_folder(dial->host))
		add_address(dial, address == NULL ? "" : address);
	else
		look_up(dial);
	free(address);
	return 0;
}

/* --- how ----------------------------------------------------------------------------------------- */

static void set(const char **keys, const char **values, int *count, const char *key,
		const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	keys[*count] = key;
	values[(*count)++] = value;
}

/* Later keywords go before earlier ones: what the user's string says beats our defaults, and our name beats the
 * user's. */
static PGconn *start(const struct dial *dial)
{
	const struct db_options *options = dial->options;
	char name[NAME_SIZE];
	char uuid[UUID_TEXT_SIZE];
	const char *keys[10] = { "client_encoding", "tcp_user_timeout", "target_session_attrs",
				 "dbname" };
	const char *values[10] = { "UTF8", "20000", "read-write", options->conninfo };
	int count = 4;

	snprintf(name, sizeof(name), "locum");
	if (options->role != NULL && uuid_is_none(options->incarnation))
		snprintf(name, sizeof(name), "locum/%s", options->role);
	else if (options->role != NULL)
		snprintf(name, sizeof(name), "locum/%s/%s", options->role,
			 uuid_text(options->incarnation, uuid));
	set(keys, values, &count,
	    options->role == NULL ? "fallback_application_name" : "application_name", name);
	set(keys, values, &count, "host", dial->host);
	set(keys, values, &count, "port", dial->port);
	set(keys, values, &count, "hostaddr", dial->addresses[dial->address_at]);
	return PQconnectStartParams(keys, values, 1);
}

/* Returns -1 when nobody is left. */
static int begin(struct dial *dial)
{
	while (dial->address_at == dial->address_count)
		if (begin_place(dial) != 0)
			return -1;
	dial->conn = start(dial);
	dial->address_at++;
	dial->wants = PGRES_POLLING_WRITING;
	dial->deadline_ms = clock_monotonic_ms() + dial->connect_ms;
	return 0;
}

static void give_up(struct dial *dial, const struct error *err)
{
	note(dial, err);
	PQfinish(dial->conn);
	dial->conn = NULL;
}

/* Returns whether anything changed. */
static bool step(struct dial *dial)
{
	struct pollfd pollfd = dial_poll(dial);
	struct error err = { ERROR_NONE, "", "" };

	if (PQstatus(dial->conn) != CONNECTION_BAD) {
		if (poll(&pollfd, 1, 0) > 0) {
			dial->wants = PQconnectPoll(dial->conn);
			if (dial->wants != PGRES_POLLING_FAILED)
				return true;
		} else if (clock_monotonic_ms() < dial->deadline_ms) {
			return false;
		} else {
			error_set(&err, ERROR_RETRY,
				  "cannot connect to the database: no answer within %lld ms",
				  (long long)dial->connect_ms);
			give_up(dial, &err);
			return true;
		}
	}
	failure_connect(dial->conn, &err);
	give_up(dial, &err);
	return true;
}

int dial_advance(struct dial *dial, struct error *err)
{
	do {
		if (clock_monotonic_ms() >= halt_deadline_ms(dial->options->halt))
			return error_set(err, ERROR_RETRY,
					 "cannot connect to the database before the end");
		if (dial->conn == NULL && begin(dial) != 0) {
			*err = dial->err;
			return -1;
		}
		if (dial->wants == PGRES_POLLING_OK)
			return 1;
	} while (step(dial));
	return 0;
}

struct pollfd dial_poll(const struct dial *dial)
{
	return (struct pollfd){ .fd = PQsocket(dial->conn),
				.events = dial->wants == PGRES_POLLING_READING ? POLLIN : POLLOUT };
}

int64_t dial_deadline_ms(const struct dial *dial)
{
	return dial->deadline_ms;
}

PGconn *dial_take(struct dial *dial)
{
	PGconn *conn = dial->conn;

	dial->conn = NULL;
	return conn;
}

void dial_remember(struct dial *dial)
{
	struct hosts_memory *memory = dial->options->memory;

	if (memory == NULL)
		return;
	pthread_mutex_lock(&memory->lock);
	memory->place = dial->place;
	memcpy(memory->address, dial->addresses[dial->address_at - 1], sizeof(memory->address));
	pthread_mutex_unlock(&memory->lock);
}

void dial_refuse(struct dial *dial, const struct error *err)
{
	note(dial, err);
}

int64_t dial_connect_ms(const struct dial *dial)
{
	return dial->connect_ms;
}
