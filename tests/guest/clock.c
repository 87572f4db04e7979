/* SPDX-License-Identifier: GPL-2.0-only */
/* See clock.h. */
#include "clock.h"

#include "hypercall.h"

#define NS_PER_MS 1000000ull

static uint32_t tsc_mul;            /* of vCPU 0 at start; Xen does not change them while we run */
static int8_t tsc_shift;

static uint64_t scale(uint64_t ticks, uint32_t mul, int8_t shift)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;

    return (unsigned __int128)ticks * mul >> 32;
}

void clock_open(void)
{
    const volatile struct vcpu_time_info *time = &shared_info->vcpu_info[0].time;
    uint32_t version;

    do {
        version = time->version;
        tsc_mul = time->tsc_to_system_mul;
        tsc_shift = time->tsc_shift;
    } while ( (version & 1) || version != time->version );

    if ( !tsc_mul )
        guest_panic("Xen gives no TSC frequency");
}

uint64_t clock_ns(uint64_t tsc_ticks)
{
    return scale(tsc_ticks, tsc_mul, tsc_shift);
}

/* Whole milliseconds apart from the rest, so that no product runs over. */
uint64_t clock_ticks(uint64_t ns)
{
    uint64_t khz = clock_khz();

    return ns / NS_PER_MS * khz + ns % NS_PER_MS * khz / NS_PER_MS;
}

uint64_t clock_khz(void)
{
    /* ns = (ticks << shift) * mul / 2^32; so ticks in a millisecond: */
    uint64_t khz = (NS_PER_MS << 32) / tsc_mul;

    return tsc_shift < 0 ? khz << -tsc_shift : khz >> tsc_shift;
}

uint64_t clock_system_ns(void)
{
    const volatile struct vcpu_time_info *time = &shared_info->vcpu_info[vcpu_self()].time;
    uint64_t ns, then, now;
    uint32_t version;

    do {
        version = time->version;
        then = time->tsc_timestamp;
        ns = time->system_time;
        now = clock_tsc();
        if ( now > then )           /* an emulated TSC may be a little behind */
            ns += scale(now - then, time->tsc_to_system_mul, time->tsc_shift);
    } while ( (version & 1) || version != time->version );

    return ns;
}

void clock_sleep_until(uint64_t tsc)
{
    uint64_t now;

    while ( (now = clock_tsc()) < tsc )
        event_poll(0, clock_system_ns() + clock_ns(tsc - now));
}
