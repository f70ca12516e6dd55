#include "agent/guest_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"

/* Adds a text to the log of the job on one line, so that it cannot look like another one. */
static void log_span(struct run *guest, struct json_span text)
{
	static const char HEX[] = "0123456789abcdef";
	size_t length = 0;
	char *decoded = json_text_decode(text, &length);
	size_t from = 0;

	for (size_t i = 0; decoded != NULL && i < length; i++) {
		unsigned char byte = (unsigned char)decoded[i];
		char escape[] = { '\\', 'x', HEX[byte >> 4], HEX[byte & 0xf] };

		if ((byte >= 0x20 && byte != 0x7f) || byte == '\t')
			continue;
		output_add(&guest->output, decoded + from, i - from);
		output_add(&guest->output, escape, sizeof(escape));
		from = i + 1;
	}
	if (decoded != NULL)
		output_add(&guest->output, decoded + from, length - from);
	free(decoded);
}

static void add_text(struct run *guest, const char *text)
{
	output_add(&guest->output, text, strlen(text));
}

void guest_log_add(struct run *guest, const char *start, const struct rpc_notice *notice)
{
	add_text(guest, start);
	if (notice->percent.bytes != NULL) {
		output_add(&guest->output, notice->percent.bytes, notice->percent.length);
		add_text(guest, "% ");
	}
	if (notice->level.bytes != NULL) {
		log_span(guest, notice->level);
		add_text(guest, ": ");
	}
	if (notice->message.bytes != NULL)
		log_span(guest, notice->message);
	add_text(guest, "\n");
}
