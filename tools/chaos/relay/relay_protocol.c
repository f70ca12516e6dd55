#include "tools/chaos/relay/relay_protocol.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	OPENING_HEAD = 8, /* the length and the code */
	OPENING_MOST = 10000,
	CODE_SSL = 80877103,
	CODE_GSS = 80877104,
	MAJOR = 3,
	LENGTH_BYTES = 4,
	MESSAGE_MOST = 1 << 30,
};

/* The server has no such word. */
static const char NONSENSE[] = "the fault proxy fails this transaction";

static uint32_t read_number(const char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return ntohl(number);
}

static void write_number(char *bytes, size_t number)
{
	uint32_t net = htonl((uint32_t)number);

	memcpy(bytes, &net, sizeof(net));
}

int relay_protocol_opening(const char *bytes, size_t length, enum relay_opening *kind,
			   size_t *whole)
{
	uint32_t code;

	if (length < OPENING_HEAD)
		return 0;
	*whole = read_number(bytes);
	code = read_number(bytes + LENGTH_BYTES);
	if (*whole < OPENING_HEAD || *whole > OPENING_MOST)
		return -1;
	if (code == CODE_SSL || code == CODE_GSS)
		*kind = RELAY_OPENING_ENCRYPTION;
	else if (code >> 16 == MAJOR)
		*kind = RELAY_OPENING_SESSION;
	else
		*kind = RELAY_OPENING_OTHER;
	return 1;
}

/* Pairs of texts, each with its end; an empty one is the last. */
void relay_protocol_name(const char *bytes, size_t length, char name[RELAY_PROTOCOL_NAME])
{
	const char *at = bytes + OPENING_HEAD;
	const char *end = bytes + length;

	name[0] = '\0';
	while (at < end && *at != '\0') {
		const char *value = memchr(at, '\0', (size_t)(end - at));
		const char *next;

		if (value == NULL)
			return;
		value++;
		next = memchr(value, '\0', (size_t)(end - value));
		if (next == NULL)
			return;
		if (strcmp(at, "application_name") == 0 && next - value < RELAY_PROTOCOL_NAME)
			memcpy(name, value, (size_t)(next - value) + 1);
		at = next + 1;
	}
}

size_t relay_protocol_length(const char *bytes)
{
	uint32_t length = read_number(bytes + 1);

	return length < LENGTH_BYTES || length > MESSAGE_MOST ? 0 : (size_t)length + 1;
}

bool relay_protocol_runs(char type)
{
	return type == 'Q' || type == 'B' || type == 'P' || type == 'F';
}

bool relay_protocol_ends(char type)
{
	return type == 'Q' || type == 'S' || type == 'F';
}

size_t relay_protocol_failing_query(char bytes[RELAY_PROTOCOL_FAULT])
{
	size_t length = LENGTH_BYTES + sizeof(NONSENSE);

	bytes[0] = 'Q';
	write_number(bytes + 1, length);
	memcpy(bytes + RELAY_PROTOCOL_HEAD, NONSENSE, sizeof(NONSENSE));
	return length + 1;
}

/* An unnamed statement without parameters. */
size_t relay_protocol_failing_parse(char bytes[RELAY_PROTOCOL_FAULT])
{
	size_t length = LENGTH_BYTES + 1 + sizeof(NONSENSE) + 2;

	memset(bytes, 0, length + 1);
	bytes[0] = 'P';
	write_number(bytes + 1, length);
	memcpy(bytes + RELAY_PROTOCOL_HEAD + 1, NONSENSE, sizeof(NONSENSE));
	return length + 1;
}
