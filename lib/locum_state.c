#include "db/state.h"

#include "include/locum/client.h"

const char *locum_state_name(enum locum_state state)
{
	if (state == LOCUM_STATE_GONE)
		return "gone";
	if ((int)state < 0 || state > LOCUM_STATE_GONE)
		return "unknown";
	return state_name((enum state)state);
}
