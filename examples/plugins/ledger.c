/*
 * A plugin whose effect happens exactly once: it books its payload, {"account": …, "amount": …}, in the same
 * transaction in which the job is completed.
 *
 *   create table booking (job bigint, account text not null, amount numeric not null);
 */
#include <libpq-fe.h>
#include <locum.h>
#include <stdio.h>
#include <string.h>

int ledger(struct locum_job *job);

static const char BOOK[] = "insert into booking (job, account, amount) "
			   "select $1::bigint, p->>'account', (p->>'amount')::numeric "
			   "from (select $2::json) payload (p) returning amount";

int ledger(struct locum_job *job)
{
	char id[24];
	const char *values[] = { id, locum_job_payload(job, NULL) };
	PGconn *conn = locum_job_connection(job);
	PGresult *booked;
	char result[128];
	int length;

	if (conn == NULL)
		return LOCUM_RETRY;
	snprintf(id, sizeof(id), "%lld", (long long)locum_job_id(job));
	booked = PQexecParams(conn, BOOK, 2, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(booked) != PGRES_TUPLES_OK) {
		locum_job_fail(job, LOCUM_RETRY, PQresultErrorMessage(booked));
		PQclear(booked);
		return LOCUM_RETRY;
	}
	length = snprintf(result, sizeof(result), "{\"booked\": %s}", PQgetvalue(booked, 0, 0));
	PQclear(booked);
	locum_job_log(job, "booked under claim %s\n", locum_job_claim(job));
	return locum_job_result(job, result, (size_t)length) == 0 ? LOCUM_DONE : LOCUM_FAIL;
}
