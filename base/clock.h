/* The clocks of a process. None is ever compared with another machine's. */
#ifndef LOCUM_BASE_CLOCK_H
#define LOCUM_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, for timers; stands still while the machine is suspended. */
int64_t clock_monotonic_ms(void);

/* The same in microseconds, for what is written down. */
int64_t clock_monotonic_us(void);

/* CLOCK_BOOTTIME, for fence deadlines and observation; runs on through suspend. */
int64_t clock_boottime_ms(void);

/* CLOCK_REALTIME, for what handlers are told, and for nothing that is decided. */
int64_t clock_wall_ms(void);

/* A pseudo-random share of span_ms in [0, span_ms), for jitter. */
int64_t clock_jitter_ms(int64_t span_ms);

#endif
