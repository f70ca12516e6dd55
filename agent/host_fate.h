/* What the death of a plugin host means for its errands. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_HOST_FATE_H
#define LOCUM_AGENT_HOST_FATE_H

#include "agent/host.h"

enum { HOST_FATE_TEXT_SIZE = 256 };

/* Whether the host died of itself, or of the errand that ran (NULL: none did). */
bool host_fate_is_crash(const struct host *host, const struct errand *running);

/* How it died, as a sentence. */
const char *host_fate_text(const struct host *host, char text[static HOST_FATE_TEXT_SIZE]);

/* Returns true and fills *outcome, which borrows from the host's run, when the errand has ended; false when it
 * has not begun. */
bool host_fate_judge(struct host *host, const struct errand *errand, const struct slate_view *view,
		     struct wire_outcome *outcome);

#endif
