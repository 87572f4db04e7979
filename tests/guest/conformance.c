/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See conformance.h.  Channels are those that a vCPU sends to itself or to another (EVTCHNOP_bind_ipi): with them
 * the guest is both ends, and knows what has to come.  The errors are conformance-errors.c's.
 */
#include "conformance.h"

#include <stddef.h>

#include <xen/errno.h>

#include "clock.h"
#include "conformance-errors.h"
#include "console.h"
#include "events.h"
#include "hypercall.h"
#include "layout.h"
#include "pattern.h"
#include "vcpu.h"

/* Enough for an emulated host that stands still for a while; nothing that is right takes so long. */
#define LOST_AFTER_NS   60000000000ull

/* Of the races: channels few enough that vCPUs meet, in words of their own and in one word. */
#define RACE_CHANNELS   48u
#define RACE_ROUNDS     3000u

/* A line each, and the rest is only counted. */
#define BAD_LINES_MAX   8u

#define STEP            7919u       /* a prime: the order of sending is not that of ports */

enum { TABLE_PORTS, TABLE_SEEN };   /* see events_table() */

static uint32_t *ports;             /* by number */
static uint32_t *seen;              /* by port: how often it was taken; SEEN_NOT_OURS: of somebody else */
#define SEEN_NOT_OURS   UINT32_MAX

static uint32_t taken_order[1024];  /* the first that were taken, in that order */
static uint32_t taken;
static unsigned int bad_lines;
static uint64_t bad;

static bool expect(bool holds, const char *check, const char *what, unsigned long port, long found, long expected)
{
    if ( holds )
        return true;
    bad++;
    if ( bad_lines++ < BAD_LINES_MAX )
        console_print("bad check=%s abi=%s port=%lu found=%ld expected=%ld: %s", check, events_name(), port, found,
                      expected, what);

    return false;
}

static bool done(const char *check, uint64_t before, unsigned long count, uint64_t start)
{
    console_print("events abi=%s check=%s count=%lu bad=%lu ms=%lu", events_name(), check, count,
                  (unsigned long)(bad - before), (unsigned long)(clock_ns(clock_tsc() - start) / 1000000));

    return bad == before;
}

static void close_port(uint32_t port)
{
    struct evtchn_close close = { .port = port };
    long rc = events_call(EVTCHNOP_close, &close, sizeof(close));

    if ( rc )
        guest_panic("EVTCHNOP_close %u: %ld", port, rc);
}

/* @count channels to vCPU 0, or to all in turn. */
static void bind(uint32_t count, unsigned int vcpus)
{
    uint32_t i;

    for ( i = 0; i < events_channels(); i++ )
        seen[i] = SEEN_NOT_OURS;
    for ( i = 0; i < count; i++ )
    {
        ports[i] = event_bind_ipi(i % vcpus);
        if ( ports[i] >= events_channels() )
            guest_panic("port %u of %u", ports[i], events_channels());
        seen[ports[i]] = 0;
    }
    taken = 0;
}

static void unbind(uint32_t count)
{
    while ( count-- )
        close_port(ports[count]);
}

static void note(void *arg, unsigned int port)
{
    uint32_t at;

    (void)arg;
    if ( __atomic_load_n(&seen[port], __ATOMIC_RELAXED) == SEEN_NOT_OURS )
        return;
    __atomic_add_fetch(&seen[port], 1, __ATOMIC_SEQ_CST);
    at = __atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
    if ( at < sizeof(taken_order) / sizeof(taken_order[0]) )
        taken_order[at] = port;
}

static void take_here(void *arg, unsigned int n, unsigned int of)
{
    (void)arg, (void)n, (void)of;
    while ( events_take(note, NULL) )
        ;
}

/* Each of many channels is delivered once, to the vCPU that it is bound to. */
static bool check_once(uint32_t count, unsigned int vcpus, bool then_close)
{
    uint64_t before = bad, start = clock_tsc();
    uint32_t i;

    bind(count, vcpus);
    if ( !then_close )
        console_print("events abi=%s bound=%u", events_name(), count);
    for ( i = 0; i < count; i++ )
        event_send(ports[(uint64_t)i * STEP % count]);
    for ( i = 0; i < count; i++ )
        expect(events_is_pending(ports[i]), "once", "it was sent and is not pending", ports[i], 0, 1);
    vcpus_run(take_here, NULL, vcpus);
    for ( i = 0; i < count; i++ )
        expect(seen[ports[i]] == 1, "once", "times that it was taken", ports[i], seen[ports[i]], 1);
    expect(taken == count, "once", "events taken", 0, taken, count);
    if ( then_close )
        unbind(count);

    return done("once", before, count, start);
}

/* A mask holds an event back, and only that; both ways to take it away deliver it. */
static bool check_masks(void)
{
    uint64_t before = bad, start = clock_tsc();
    uint32_t count = 200, i;

    bind(count, 1);
    take_here(NULL, 0, 1);
    taken = 0;
    for ( i = 0; i < count; i++ )
        if ( i % 2 )
            events_mask(ports[i]);
    for ( i = 0; i < count; i++ )
        event_send(ports[i]);
    take_here(NULL, 0, 1);
    for ( i = 0; i < count; i++ )
        expect(seen[ports[i]] == !(i % 2), "masks", "times taken while half were masked", ports[i], seen[ports[i]],
               !(i % 2));
    for ( i = 1; i < count; i += 2 )
    {
        expect(events_is_pending(ports[i]), "masks", "it is not pending any more", ports[i], 0, 1);
        if ( i % 4 == 1 )
            events_unmask_by_xen(ports[i]);
        else
            events_unmask_here(ports[i]);
    }
    take_here(NULL, 0, 1);
    for ( i = 0; i < count; i++ )
        expect(seen[ports[i]] == 1, "masks", "times taken when all were unmasked", ports[i], seen[ports[i]], 1);

    /* Masked and unmasked without an event, it delivers none; closed while pending, nor. */
    events_mask(ports[0]);
    events_unmask_by_xen(ports[0]);
    event_send(ports[1]);
    close_port(ports[1]);
    take_here(NULL, 0, 1);
    expect(seen[ports[0]] == 1, "masks", "an event that nobody sent", ports[0], seen[ports[0]], 1);
    expect(seen[ports[1]] == 1, "masks", "an event of a closed channel", ports[1], seen[ports[1]], 1);
    ports[1] = ports[--count];
    unbind(count);

    return done("masks", before, 200, start);
}

/* A queue is in the order of sending; with two and N levels it is that of ports. */
static bool check_order(void)
{
    uint64_t before = bad, start = clock_tsc();
    uint32_t count = 500, i;

    bind(count, 1);
    take_here(NULL, 0, 1);
    taken = 0;
    for ( i = 0; i < count; i++ )
        event_send(ports[i * STEP % count]);
    take_here(NULL, 0, 1);
    for ( i = 0; i < count; i++ )
    {
        uint32_t expected = events_depth() ? ports[i] : ports[i * STEP % count];

        expect(taken_order[i] == expected, "order", "what came at this place", i, taken_order[i], expected);
    }
    unbind(count);

    return done("order", before, count, start);
}

static void set_priority(uint32_t port, uint32_t priority)
{
    struct evtchn_set_priority set = { .port = port, .priority = priority };
    long rc = events_call(EVTCHNOP_set_priority, &set, sizeof(set));

    if ( rc )
        guest_panic("EVTCHNOP_set_priority %u: %ld", port, rc);
}

/* All 16 priorities: the highest first, and within each the order of sending. */
static bool check_priorities(void)
{
    uint64_t before = bad, start = clock_tsc();
    uint32_t each = 20, count = 16 * each, i;

    bind(count, 1);
    take_here(NULL, 0, 1);
    taken = 0;
    for ( i = 0; i < count; i++ )
        set_priority(ports[i], 15 - i % 16);
    for ( i = 0; i < count; i++ )
        event_send(ports[i]);
    take_here(NULL, 0, 1);
    for ( i = 0; i < count; i++ )
    {
        uint32_t expected = ports[i % each * 16 + 15 - i / each];

        expect(taken_order[i] == expected, "priorities", "what came at this place", i, taken_order[i], expected);
    }
    unbind(count);

    return done("priorities", before, count, start);
}

/* SCHEDOP_poll sees a masked channel, too. */
static bool check_poll(void)
{
    uint64_t before = bad, start = clock_tsc(), begin;

    bind(2, 1);
    events_mask(ports[0]);
    event_send(ports[0]);
    begin = clock_system_ns();
    event_poll(ports[0], begin + LOST_AFTER_NS);
    expect(clock_system_ns() - begin < LOST_AFTER_NS, "poll", "a pending channel did not end it", ports[0], 0, 1);
    events_clear(ports[0]);
    /* A mask outlives its channel: the next one with this port would have it. */
    events_unmask_by_xen(ports[0]);
    unbind(2);

    return done("poll", before, 2, start);
}

/* ---- races: work is counted before it is announced, and what is announced is found ---- */

static uint32_t race_work[RACE_CHANNELS], race_found[RACE_CHANNELS];
static uint32_t race_number[4096];  /* by port, of the first so many */
static uint32_t racing;

static void race_note(void *arg, unsigned int port)
{
    uint32_t number;

    (void)arg;
    if ( port >= sizeof(race_number) / sizeof(race_number[0]) || !race_number[port] )
        return;
    number = race_number[port] - 1;
    race_found[number] = __atomic_load_n(&race_work[number], __ATOMIC_SEQ_CST);
    /* The vCPU's own side of a mask, between the others'. */
    if ( race_found[number] % 5 == 0 )
    {
        events_mask(port);
        events_unmask_here(port);
    }
}

static bool all_found(void)
{
    uint32_t i;

    for ( i = 0; i < RACE_CHANNELS; i++ )
        if ( race_found[i] != __atomic_load_n(&race_work[i], __ATOMIC_SEQ_CST) )
            return false;

    return true;
}

static void race_receive(void)
{
    uint64_t until = 0;

    for ( ; ; )
    {
        if ( events_take(race_note, NULL) )
            until = 0;
        else if ( __atomic_load_n(&racing, __ATOMIC_SEQ_CST) )
            sched_yield();
        else if ( all_found() )
            return;
        else if ( !until )
            until = clock_system_ns() + LOST_AFTER_NS / 10;
        else if ( clock_system_ns() > until )
            return;                     /* lost: the caller says which */
    }
}

static void race(void *arg, unsigned int n, unsigned int of)
{
    uint64_t random = pattern_mix(n);
    uint32_t i, number;

    (void)arg, (void)of;
    if ( !n )
    {
        race_receive();
        return;
    }
    for ( i = 0; i < RACE_ROUNDS; i++ )
    {
        random = pattern_mix(random + i);
        number = random % RACE_CHANNELS;
        if ( random >> 32 & 1 )
            events_mask(ports[number]);
        __atomic_add_fetch(&race_work[number], 1, __ATOMIC_SEQ_CST);
        event_send(ports[number]);
        if ( random >> 32 & 1 )
            events_unmask_by_xen(ports[number]);
    }
    __atomic_sub_fetch(&racing, 1, __ATOMIC_SEQ_CST);
}

/* Several vCPUs send, mask and unmask the same channels: no event is lost. */
static bool check_races(unsigned int vcpus)
{
    uint64_t before = bad, start = clock_tsc();
    uint32_t i;

    bind(RACE_CHANNELS, 1);
    for ( i = 0; i < RACE_CHANNELS; i++ )
    {
        if ( ports[i] >= sizeof(race_number) / sizeof(race_number[0]) )
            guest_panic("port %u: few channels are open, and it is that high", ports[i]);
        race_work[i] = race_found[i] = 0;
        race_number[ports[i]] = i + 1;
    }
    racing = vcpus - 1;
    vcpus_run(race, NULL, vcpus);
    for ( i = 0; i < RACE_CHANNELS; i++ )
    {
        expect(race_found[i] == race_work[i], "races", "work that was found, of what was announced", ports[i],
               race_found[i], race_work[i]);
        race_number[ports[i]] = 0;
    }
    unbind(RACE_CHANNELS);

    return done("races", before, (vcpus - 1) * RACE_ROUNDS, start);
}

static void reset_all(void)
{
    uint32_t remote_port = console_remote_port();

    events_reset();
    console_rebind(remote_port);
}

/* Two levels again, and anew: what is bound then is delivered. */
static bool check_reset(unsigned int vcpus)
{
    uint64_t before = bad, start = clock_tsc();

    vcpus_change_channels(reset_all);
    conformance_refusals();
    check_once(100, vcpus, true);
    events_register();
    check_once(1000, vcpus, true);

    return done("reset", before, 1000, start);
}

bool conformance_refusals(void)
{
    uint64_t before = bad, start = clock_tsc();

    errors_before_registration(expect);

    return done("refusals", before, 0, start);
}

bool conformance_run(uint32_t count, unsigned int vcpus)
{
    uint64_t before = bad, start = clock_tsc();

    ports = events_table(TABLE_PORTS);
    seen = events_table(TABLE_SEEN);
    errors_after_registration(expect);
    done("errors", before, 0, start);
    check_masks();
    check_order();
    if ( !events_depth() )
        check_priorities();
    check_poll();
    if ( vcpus > 1 )
        check_races(vcpus);
    check_once(count, vcpus, false);    /* the reset closes them */
    check_reset(vcpus);
    console_print("events abi=%s check=all count=%u bad=%lu", events_name(), count, (unsigned long)bad);

    return bad == before;
}
