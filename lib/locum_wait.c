#include "base/clock.h"
#include "db/await.h"
#include "include/locum/client.h"
#include "lib/fault.h"
#include "lib/handle.h"
#include "lib/locum_outcomes.h"

struct wait {
	struct locum *locum;
	struct await await;
	enum locum_wait_mode mode;
	int64_t deadline_ms; /* of the monotonic clock; -1: none */
	int64_t lost_deadline_ms; /* until when a database is waited for that went away; -1: it is there */
	size_t missing;
};

static bool is_over(const struct wait *wait)
{
	return wait->await.open == 0 ||
	       (wait->mode == LOCUM_WAIT_ANY && wait->await.open < wait->await.count);
}

static int64_t left_ms(const struct wait *wait)
{
	int64_t left = wait->deadline_ms - clock_monotonic_ms();

	if (wait->deadline_ms < 0)
		return -1;
	return left < 0 ? 0 : left;
}

/* One look; sets *outcomes when it was the last one. */
static int look(struct wait *wait, struct locum_outcomes **outcomes, struct error *err)
{
	bool last = left_ms(wait) == 0;
	int status;

	if (handle_begin(wait->locum, err) != 0)
		return -1;
	status = await_look(&wait->await, wait->locum->db, &wait->missing, err);
	if (status == 0 && (last || is_over(wait))) {
		*outcomes = locum_outcomes_fetch(wait->locum->db, wait->await.ids,
						 wait->await.count, err);
		status = *outcomes == NULL ? -1 : 0;
	}
	handle_end(wait->locum);
	return status;
}

/* After a failed look: whether another is worth while. */
static bool goes_on(struct wait *wait, const struct error *err)
{
	int64_t now_ms = clock_monotonic_ms();

	if (err->kind != ERROR_RETRY || !handle_can_reopen(wait->locum) || left_ms(wait) == 0)
		return false;
	if (wait->lost_deadline_ms < 0)
		wait->lost_deadline_ms = now_ms + AWAIT_RECONNECT_MS;
	return now_ms < wait->lost_deadline_ms;
}

static struct locum_outcomes *look_on(struct wait *wait, struct error *err)
{
	struct locum_outcomes *outcomes = NULL;

	for (;;) {
		if (look(wait, &outcomes, err) == 0)
			wait->lost_deadline_ms = -1;
		else if (!goes_on(wait, err))
			return NULL;
		if (outcomes != NULL)
			return outcomes;
		await_pause(&wait->await, left_ms(wait));
	}
}

static struct locum_outcomes *wait_for(struct wait *wait, const int64_t *ids, size_t count,
				       struct error *err)
{
	struct locum_outcomes *outcomes;

	if (wait->locum->conninfo == NULL && loan_in_transaction(wait->locum->conn)) {
		error_set(
			err, ERROR_INPUT,
			"a transaction is open, which would never see a job end: commit it first");
		return NULL;
	}
	if (await_init(&wait->await, ids, count, err) != 0)
		return NULL;
	outcomes = look_on(wait, err);
	await_fini(&wait->await);
	return outcomes;
}

struct locum_outcomes *locum_wait(struct locum *locum, const int64_t *ids, size_t count,
				  enum locum_wait_mode mode, int64_t timeout_ms,
				  struct locum_error *error)
{
	struct wait wait = { .locum = locum, .mode = mode, .lost_deadline_ms = -1 };
	struct locum_outcomes *outcomes;
	struct error err;

	wait.deadline_ms = timeout_ms < 0 || timeout_ms > INT64_MAX / 2
				   ? -1
				   : clock_monotonic_ms() + timeout_ms;
	outcomes = wait_for(&wait, ids, count, &err);
	if (outcomes == NULL)
		fault_tell(error, &err, wait.missing);
	return outcomes;
}
