/*
 * Named instants (base/probes.def) at which a process can be made to die or to stand still. Only builds with
 * -DLOCUM_PROBES have them; of a release nothing is left, not even the names.
 *
 * The variable CHAOS_PROBES names a folder. A file in it with the name of an instant arms it: the first process
 * that gets there takes it away, by renaming it to NAME.PID, and does to itself what the file says: "kill" or "stop".
 * With a number behind it, "stop 4711", only that process does.
 */
#ifndef LOCUM_BASE_PROBE_H
#define LOCUM_BASE_PROBE_H

#ifdef LOCUM_PROBES
#define PROBE(name) probe_reach(#name)
#else
#define PROBE(name) ((void)0)
#endif

/* Any thread. Costs a system call where a folder is named. */
void probe_reach(const char *name);

#endif
