#include "db/loan.h"

#include <stddef.h>
#include <string.h>

int loan_check(PGconn *conn, struct error *err)
{
	const char *encoding;

	if (conn == NULL)
		return error_set(err, ERROR_INPUT, "there is no connection");
	if (PQstatus(conn) != CONNECTION_OK)
		return error_set(err, ERROR_RETRY, "the connection is not open");
	if (PQpipelineStatus(conn) != PQ_PIPELINE_OFF)
		return error_set(err, ERROR_INPUT, "the connection is in pipeline mode");
	if (PQtransactionStatus(conn) == PQTRANS_ACTIVE)
		return error_set(err, ERROR_INPUT, "a statement is running on the connection");
	encoding = PQparameterStatus(conn, "client_encoding");
	if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
		return error_set(err, ERROR_INPUT,
				 "the connection has the client_encoding %s; locum needs UTF8",
				 encoding == NULL ? "unknown" : encoding);
	return 0;
}

int loan_begin(struct loan *loan, PGconn *conn, struct error *err)
{
	if (loan_check(conn, err) != 0)
		return -1;
	loan->nonblocking = PQisnonblocking(conn) != 0;
	/* Refused while the results of a statement have not been read to the end. */
	if (PQenterPipelineMode(conn) != 1)
		return error_set(err, ERROR_INPUT, "a statement is running on the connection");
	loan->db = db_adopt(conn, err);
	if (loan->db == NULL) {
		PQexitPipelineMode(conn);
		return -1;
	}
	if (PQsetnonblocking(conn, 1) != 0) {
		loan_end(loan);
		return error_set(err, ERROR_RETRY, "the connection to the database was lost");
	}
	return 0;
}

void loan_end(struct loan *loan)
{
	PGconn *conn = db_connection(loan->db);

	PQexitPipelineMode(conn);
	PQsetnonblocking(conn, loan->nonblocking);
	db_close(loan->db);
	loan->db = NULL;
}

bool loan_in_transaction(const PGconn *conn)
{
	return PQtransactionStatus(conn) != PQTRANS_IDLE;
}
