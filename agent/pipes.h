/*
 * The descriptors between the agent and one process: the payload down, output and result up. Owned by
 * the loop's thread.
 *
 * The payload is a sealed file in memory rather than a pipe: it is written at once however slowly the
 * handler reads, and it is the same bytes for whoever opens it again.
 */
#ifndef LOCUM_AGENT_PIPES_H
#define LOCUM_AGENT_PIPES_H

#include "agent/program.h"
#include "base/error.h"
#include "base/wire.h"

/* -1 where none is open. */
#define PIPES_CLOSED                                                                               \
	{                                                                                          \
		-1, -1, -1, -1, -1, -1, -1                                                         \
	}
struct pipes {
	int input;        /* the process's end */
	int output_write; /* the process's end */
	int result_write; /* the process's end; of a service: its answers; of a plugin host: its slate */
	int orders_read;  /* the process's end, of a service; of a plugin host: its socket */
	int output_read;  /* ours */
	int result_read;  /* ours */
	int orders_write; /* ours */
};

/* Opens all of them, so that the program's user may open them by name (/dev/stderr). */
int pipes_open(struct pipes *pipes, struct wire_bytes payload, const struct program *program,
	       struct error *err);

/* The same for a process of a service: no payload, and a pipe that takes its orders down. */
int pipes_open_service(struct pipes *pipes, const struct program *program, struct error *err);

/* The same for a plugin host, whose descriptors 3 and 4 are given, and taken: they are closed with the others. */
int pipes_open_host(struct pipes *pipes, int third, int fourth, const struct program *program,
		    struct error *err);

/* Closes our end of the orders, so that the service reads their end. */
void pipes_close_orders(struct pipes *pipes);

/* Closes the process's ends, once it has its own. */
void pipes_close_theirs(struct pipes *pipes);

void pipes_close(struct pipes *pipes);

#endif
