/*
 * The hosts that a connection string names, with all that libpq takes from services and the environment, and the
 * one that answered last.
 */
#ifndef LOCUM_DB_HOSTS_H
#define LOCUM_DB_HOSTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { HOSTS_ADDRESS_SIZE = 80 };

/* Where the last connection led. Shared by the threads that connect with one string. */
struct hosts_memory {
	pthread_mutex_t lock; /* guards the rest */
	int place;            /* -1: nowhere yet */
	char address[HOSTS_ADDRESS_SIZE];
};

#define HOSTS_MEMORY_INIT                                                                          \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, .place = -1                                     \
	}

struct hosts {
	int count; /* 0: the string is to be given to libpq as it is, for libpq alone knows what it means */
	char *names;     /* lists with commas, or NULL */
	char *addresses; /* as given */
	char *ports;
	int64_t timeout_ms; /* that the string asks for; 0: none */
};

/* Reads them. Connects to nothing. ERROR_INPUT for a malformed string. */
int hosts_read(struct hosts *hosts, const char *conninfo, struct error *err);
void hosts_fini(struct hosts *hosts);

/* The place that is tried as the nth, from 0: first the one that answered last (-1: none), then all others in order. */
int hosts_nth(const struct hosts *hosts, int last, int nth);

/* The item of a list for that place, the caller's to free: NULL when there is no list or memory ends. */
char *hosts_item(const char *list, int place);

#endif
