#include "tools/chaos/report/report.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tools/chaos/report/digest.h"

/* What is no UTF-8 ends the text. NULL becomes null. */
static json_t *json_of_text(const char *text)
{
	return text == NULL ? json_null() : json_stringn(text, text_valid(text, strlen(text)));
}

static json_t *json_of_facts(const struct facts *facts)
{
	json_t *all = json_object();
	const char *value;
	const char *name;

	for (size_t i = 0; (name = facts_at(facts, i, &value)) != NULL; i++)
		json_object_set_new(all, name, json_of_text(value));
	return all;
}

static json_t *json_of_valid(enum verdict_valid valid)
{
	return valid == VERDICT_UNKNOWN ? json_string("unknown")
					: json_boolean(valid == VERDICT_VALID);
}

static json_t *json_of_verdict(bool judged, const struct verdict *verdict)
{
	return judged ? verdict_json(verdict) : json_null();
}

static json_t *json_of_time(int64_t at_us, int64_t began_us)
{
	return at_us == DIGEST_NO_TIME ? json_null() : json_integer((at_us - began_us) / 1000);
}

static json_t *json_of_bout(const struct digest_act *act, const struct digest_bout *bout)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "bout", bout->number,
			 "fault", json_of_text(bout->fault), "target", json_of_text(bout->target),
			 "injected_ms", json_of_time(bout->injected_us, act->began_us), "healed_ms",
			 json_of_time(bout->healed_us, act->began_us), "settled_ms",
			 json_of_time(bout->settled_us, act->began_us), "witnesses",
			 bout->witnesses, "witness", json_of_text(bout->witness), "broken",
			 json_of_text(bout->broken));
}

static json_t *json_of_act(const struct digest_act *act)
{
	json_t *bouts = json_array();
	json_t *skipped = json_array();

	for (size_t i = 0; i < act->bout_count; i++)
		json_array_append_new(bouts, json_of_bout(act, &act->bouts[i]));
	for (size_t i = 0; i < act->skip_count; i++)
		json_array_append_new(
			skipped, json_pack("{s:o, s:o}", "fault", json_of_text(act->skips[i].fault),
					   "reason", json_of_text(act->skips[i].reason)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", json_of_text(act->name), "valid",
			 json_of_valid(act->verdict.valid), "settings", json_of_facts(act->facts),
			 "bouts", bouts, "skipped", skipped, "verdict",
			 json_of_verdict(act->judged, &act->verdict));
}

int report_json(FILE *out, const char *folder, const struct verdict_run *judged, struct error *err)
{
	struct digest *digest = digest_open(folder, judged, err);
	json_t *acts = json_array();
	json_t *root;
	int status;

	if (digest == NULL) {
		json_decref(acts);
		return -1;
	}
	for (size_t i = 0; i < digest->act_count; i++)
		json_array_append_new(acts, json_of_act(&digest->acts[i]));
	root = json_pack("{s:o, s:o, s:o, s:o, s:o}", "valid", json_of_valid(digest->verdict.valid),
			 "why", json_of_text(digest->verdict.why), "run",
			 json_of_facts(digest->facts), "verdict",
			 json_of_verdict(digest->judged, &digest->verdict), "acts", acts);
	digest_close(digest);
	status = root == NULL ? -1 : json_dumpf(root, out, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(root);
	if (status != 0 || fputc('\n', out) == EOF || fflush(out) != 0)
		return error_set(err, ERROR_FATAL, "the report cannot be written");
	return 0;
}
