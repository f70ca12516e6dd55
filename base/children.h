/* The children of this process, as the kernel lists them: for a subreaper, orphans among them. */
#ifndef LOCUM_BASE_CHILDREN_H
#define LOCUM_BASE_CHILDREN_H

#include <stddef.h>
#include <sys/types.h>

/* Writes at most `room` pids of children of any thread, living or not reaped, and returns how many. */
size_t children_list(pid_t *pids, size_t room);

#endif
