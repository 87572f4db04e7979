/* SPDX-License-Identifier: GPL-2.0-only */
/* Time by the TSC, which Xen describes in each vCPU's vcpu_time_info, and sleeping. */
#ifndef TESTS_GUEST_CLOCK_H
#define TESTS_GUEST_CLOCK_H

#include <stdint.h>

/* After hypercall_open(); on vCPU 0, before the others are up. */
void clock_open(void);

/* Ordered against memory accesses on both sides: what is between two readings is what is timed. */
static inline uint64_t clock_tsc(void)
{
    uint32_t low, high;

    asm volatile("lfence\n\trdtsc\n\tlfence" : "=a" (low), "=d" (high) :: "memory");

    return (uint64_t)high << 32 | low;
}

uint64_t clock_ns(uint64_t tsc_ticks);
uint64_t clock_ticks(uint64_t ns);
uint64_t clock_khz(void);

/* Xen's system time as this vCPU sees it: the scale that SCHEDOP_poll takes. */
uint64_t clock_system_ns(void);

/* Blocked in Xen, not spinning. */
void clock_sleep_until(uint64_t tsc);

#endif
