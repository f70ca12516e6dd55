/*
 * Descriptors that are kept for a connection, so that one can be made when the process has none left: what is lost then
 * is a claim or an agent, not the life. They are open all the time but while it is made. One thread.
 */
#ifndef LOCUM_DISPATCHER_RESERVE_H
#define LOCUM_DISPATCHER_RESERVE_H

/* A socket, and what is read meanwhile: names of hosts, a password, a certificate. */
enum { RESERVE_FDS = 3 };

struct reserve {
	int fds[RESERVE_FDS]; /* 0: none, as at first */
};

/* Opens what is missing, as far as there is room. */
void reserve_fill(struct reserve *reserve);

/* Closes them: now there is room. */
void reserve_release(struct reserve *reserve);

#endif
