/* A service in C that answers each job with its payload: lines of JSON on descriptors 3 and 4. The members
 * of an order stand in the order of the protocol, so that no JSON library is needed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char orders[4 * 1024 * 1024 + 1]; /* the longest line, and its end */

static void answer(FILE *answers, const char *order, const char *end)
{
	const char *id = order + strlen("{\"jsonrpc\":\"2.0\",\"id\":");
	const char *payload = strstr(order, ",\"payload\":");

	if (strncmp(id - 5, "\"id\":", 5) != 0)
		return; /* job.cancel and shutdown want no answer */
	fprintf(answers, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":", (int)strcspn(id, ","), id);
	if (payload == NULL) {
		fputs("{\"name\":\"echo\",\"version\":\"1\",\"concurrency\":1000}}\n", answers);
		return;
	}
	payload += strlen(",\"payload\":"); /* the last of the members: }} follows */
	fprintf(answers, "{\"value\":%.*s}}\n", (int)(end - 2 - payload), payload);
}

int main(void)
{
	FILE *answers = fdopen(4, "w");
	size_t have = 0;
	ssize_t more;

	while ((more = read(3, orders + have, sizeof(orders) - have)) > 0) {
		char *order = orders;
		char *end;

		have += (size_t)more;
		for (; (end = memchr(order, '\n', have)) != NULL; order = end + 1) {
			have -= (size_t)(end + 1 - order);
			*end = '\0';
			answer(answers, order, end);
		}
		memmove(orders, order, have);
		fflush(answers); /* once for all that came together */
	}
	return 0; /* the end of the orders is the end */
}
