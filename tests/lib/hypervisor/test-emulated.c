/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulated host's faults and its sharing, through libmemevent: what a consumer has to expect of a hypervisor on a
 * bad day, and that the guest gets over it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <memevent/memevent.h>
#include <memevent/operations.h>

#include "hypervisor/emulated/emulated.h"

#define DOMID    3
#define FRAMES   64u
/* Far beyond what a scheduler takes its time for. */
#define PATIENCE_MS 60000

static struct hypervisor *hv;
static char *data;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(emulated_open(2 * FRAMES, &hv), 0);
    assert_int_equal(emulated_create_domain(hv, DOMID, 4, FRAMES), 0);
    data = hv->ops->alloc_buffer(hv, FRAMES);
    assert_non_null(data);

    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hv->ops->free_buffer(hv, data, FRAMES);
    hv->ops->close(hv);

    return 0;
}

static int carry_out(uint32_t call, uint64_t gfn)
{
    struct hypervisor_operation one = {
        .call = call, .domid = DOMID, .gfn = gfn,
        .data = call == PAGING_EVICT || call == PAGING_LOAD ? data + gfn * HYPERVISOR_PAGE_SIZE : NULL,
    };

    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);

    return one.status;
}

static void take_out(uint64_t gfn)
{
    assert_int_equal(carry_out(PAGING_NOMINATE, gfn), 0);
    assert_int_equal(carry_out(PAGING_EVICT, gfn), 0);
}

static int write_word(uint32_t vcpu, uint64_t gfn, uint64_t value)
{
    return emulated_access(hv, DOMID, vcpu, gfn, 8, &value, sizeof(value), true);
}

static uint64_t read_word(uint32_t vcpu, uint64_t gfn)
{
    uint64_t value = ~0ull;

    assert_int_equal(emulated_access(hv, DOMID, vcpu, gfn, 8, &value, sizeof(value), false), 0);

    return value;
}

/* An access that waits, on a thread of its own. */
struct access {
    pthread_t thread;
    uint32_t vcpu;
    uint64_t gfn, value;
    bool is_write, is_fetch, is_foreign;
    int rc;
};

static void *run_access(void *argument)
{
    struct access *access = argument;

    if ( access->is_foreign )
        access->rc = emulated_access_foreign(hv, DOMID, access->gfn, 8, &access->value, sizeof(access->value),
                                             access->is_write);
    else if ( access->is_fetch )
        access->rc = emulated_fetch(hv, DOMID, access->vcpu, access->gfn, 8, &access->value, sizeof(access->value));
    else
        access->rc = emulated_access(hv, DOMID, access->vcpu, access->gfn, 8, &access->value, sizeof(access->value),
                                     access->is_write);

    return NULL;
}

static void begin_access(struct access *access)
{
    assert_int_equal(pthread_create(&access->thread, NULL, run_access, access), 0);
}

static void end_access(struct access *access, int rc)
{
    pthread_join(access->thread, NULL);
    assert_int_equal(access->rc, rc);
}

static struct memevent_channel *attach(enum memevent_class class)
{
    struct memevent_channel *channel;

    assert_int_equal(memevent_attach(hv, class, class == MEMEVENT_CLASS_INVALIDATE ? MEMEVENT_HOST : DOMID, &channel,
                                     NULL), 0);

    return channel;
}

static void wait_event(struct memevent_channel *channel, struct memevent_event *event)
{
    struct pollfd one = { .fd = memevent_fd(channel), .events = POLLIN };

    while ( memevent_next(channel, event) != 1 )
        if ( !memevent_arm(channel) )
            assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
}

static void test_no_memory(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_PAGING);
    struct access access = { .vcpu = 1, .gfn = 9 };
    struct memevent_event event;

    (void)state;
    assert_int_equal(write_word(0, 9, 99), 0);
    take_out(9);
    begin_access(&access);
    wait_event(channel, &event);
    emulated_set_memory(hv, 0);
    assert_int_equal(carry_out(PAGING_LOAD, 9), -ENOMEM);
    assert_int_equal(carry_out(PAGING_QUERY, 9), 0);
    /* Answered all the same: the vCPU finds no page, and asks again. */
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    wait_event(channel, &event);
    assert_int_equal(event.gfn, 9);
    emulated_set_memory(hv, FRAMES);
    assert_int_equal(carry_out(PAGING_LOAD, 9), 0);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    end_access(&access, 0);
    assert_int_equal(access.value, 99);
    memevent_detach(channel);
}

static void test_busy(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_PAGING);

    (void)state;
    assert_int_equal(emulated_hold(hv, DOMID, 4, true), 0);
    assert_int_equal(carry_out(PAGING_NOMINATE, 4), -EBUSY);
    assert_int_equal(emulated_hold(hv, DOMID, 4, false), 0);
    assert_int_equal(carry_out(PAGING_NOMINATE, 4), 0);
    assert_int_equal(emulated_hold(hv, DOMID, 4, true), 0);
    assert_int_equal(carry_out(PAGING_EVICT, 4), -EBUSY);
    assert_int_equal(emulated_hold(hv, DOMID, 4, false), 0);
    assert_int_equal(carry_out(PAGING_EVICT, 4), 0);
    assert_int_equal(carry_out(PAGING_LOAD, 4), 0);
    memevent_detach(channel);
}

static void test_domain_dies(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_PAGING);
    struct access access = { .vcpu = 2, .gfn = 5 };
    struct memevent_channel_info info;
    struct memevent_event event;
    struct domain_info domain;

    (void)state;
    take_out(5);
    begin_access(&access);
    wait_event(channel, &event);
    assert_int_equal(emulated_kill_domain(hv, DOMID), 0);
    end_access(&access, -ESRCH);
    assert_int_equal(carry_out(PAGING_LOAD, 5), -ESRCH);
    assert_int_equal(hv->ops->get_domain(hv, DOMID, &domain), -ESRCH);
    assert_int_equal(hv->ops->list_domains(hv, 0, &domain, 1), 0);
    assert_int_equal(memevent_get_channel_info(channel, &info), -ESRCH);
    memevent_detach(channel);
}

/* The next consumer gets what the dead one had, and the dead one's words change nothing any more. */
static void test_consumer_dies(void **state)
{
    struct memevent_channel *dead = attach(MEMEVENT_CLASS_PAGING), *next;
    struct access access = { .vcpu = 3, .gfn = 6 };
    struct memevent_event event, again;

    (void)state;
    take_out(6);
    begin_access(&access);
    wait_event(dead, &event);
    assert_int_equal(emulated_kill_consumer(hv, MEMEVENT_CLASS_PAGING, DOMID), 0);
    assert_int_equal(emulated_kill_consumer(hv, MEMEVENT_CLASS_PAGING, DOMID), -ENOENT);
    next = attach(MEMEVENT_CLASS_PAGING);
    assert_int_equal(memevent_get_redelivered(next), 1);
    assert_int_equal(memevent_next(next, &again), 1);
    assert_int_equal(again.id, event.id);
    assert_true(again.flags & MEMEVENT_FLAG_AGAIN);
    assert_int_equal(carry_out(PAGING_LOAD, 6), 0);
    assert_int_equal(memevent_answer(next, again.id), 0);
    assert_int_equal(memevent_flush(next), 0);
    end_access(&access, 0);
    memevent_detach(dead);
    memevent_detach(next);
}

/* A signal that got lost between index and event channel: whoever looks again finds the request. */
static void test_signal_lost(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_PAGING);
    struct access access = { .vcpu = 0, .gfn = 7 };
    struct memevent_event event;
    struct pollfd one = { .fd = memevent_fd(channel), .events = POLLIN };

    (void)state;
    assert_int_equal(memevent_arm(channel), 0);
    take_out(7);
    emulated_lose_signals(hv, 1);
    begin_access(&access);
    while ( !memevent_peek(channel) )
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    assert_int_equal(poll(&one, 1, 20), 0);
    assert_int_equal(memevent_arm(channel), 1);
    assert_int_equal(memevent_next(channel, &event), 1);
    assert_int_equal(carry_out(PAGING_LOAD, 7), 0);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    end_access(&access, 0);
    memevent_detach(channel);
}

/* Pages given up while they are out: each is told, or, once there is no place, a RESCAN. */
static void test_drops(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_PAGING);
    struct memevent_channel_info info;
    struct memevent_event event;
    unsigned int drops = 0, rescans = 0;
    uint64_t gfn;

    (void)state;
    for ( gfn = 0; gfn < FRAMES; gfn++ )
        take_out(gfn);
    for ( gfn = 0; gfn < FRAMES; gfn++ )
        assert_int_equal(emulated_give_up(hv, DOMID, gfn), 0);
    while ( memevent_peek(channel) )
    {
        while ( memevent_next(channel, &event) == 1 )
        {
            drops += event.kind == MEMEVENT_PAGING_DROP;
            rescans += event.kind == MEMEVENT_PAGING_RESCAN && event.gfn == MEMEVENT_NO_GFN;
            assert_int_equal(memevent_answer(channel, event.id), 0);
        }
        assert_int_equal(memevent_flush(channel), 0);
    }
    /* One for the first that found no place, and one for those that were lost when it was out. */
    assert_int_equal(rescans, 2);
    assert_int_equal(memevent_get_channel_info(channel, &info), 0);
    assert_int_equal(drops + info.coalesced, FRAMES);
    assert_int_equal(info.outstanding, 0);
    for ( gfn = 0; gfn < FRAMES; gfn++ )
        assert_int_equal(carry_out(PAGING_QUERY, gfn), -ENOENT);
    memevent_detach(channel);
}

static int merge(uint64_t source, uint64_t client, uint32_t *outcome, uint64_t *handle)
{
    struct hypervisor_operation one = {
        .call = SHARING_MERGE, .domid = DOMID, .gfn = source,
        .sharing = { .client_domid = DOMID, .client_gfn = client },
    };

    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);
    *outcome = one.sharing.outcome;
    *handle = one.sharing.handle;

    return one.status;
}

static void test_sharing(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_INVALIDATE);
    struct pollfd one = { .fd = memevent_fd(channel), .events = POLLIN };
    struct memevent_record records[16];
    uint64_t handle, other, lost = 0, taken = 0;
    uint64_t gone = 0;      /* a bit for each frame: records of different CPUs come in any order */
    uint32_t outcome;
    int got;

    (void)state;
    assert_int_equal(write_word(0, 1, 11), 0);
    assert_int_equal(write_word(0, 2, 11), 0);
    assert_int_equal(write_word(0, 3, 33), 0);
    assert_int_equal(merge(1, 2, &outcome, &handle), 0);
    assert_int_equal(outcome, MEMEVENT_MERGED);
    assert_int_equal(merge(1, 2, &outcome, &other), 0);
    assert_int_equal(outcome, MEMEVENT_ALREADY);
    assert_int_equal(other, handle);
    assert_int_equal(merge(1, 3, &outcome, &other), -EILSEQ);
    assert_int_equal(outcome, MEMEVENT_DIFFERENT);
    /* Reading shares on, writing parts: each has its own word. */
    assert_int_equal(read_word(1, 2), 11);
    assert_int_equal(write_word(1, 2, 22), 0);
    assert_int_equal(read_word(0, 1), 11);
    assert_int_equal(read_word(0, 2), 22);
    assert_int_equal(write_word(0, 1, 12), 0);
    assert_int_equal(read_word(0, 2), 22);

    /*
     * The client's handle was replaced; frame and handle of a nomination that came to nothing went; then the client's
     * frame left; then the last one, and with it the handle.  The deadline tells of so few.
     */
    assert_int_equal(memevent_arm(channel), 0);
    assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
    while ( (got = memevent_take_records(channel, records, 16, &lost)) > 0 )
        for ( int i = 0; i < got; i++, taken++ )
        {
            if ( records[i].kind == MEMEVENT_RECORD_GFN )
            {
                assert_true(records[i].what < 64 && !(gone & 1ull << records[i].what));
                gone |= 1ull << records[i].what;
                assert_int_equal(records[i].domid, DOMID);
            }
            else
                assert_true(records[i].what == handle || records[i].reason == MEMEVENT_REPLACED ||
                            records[i].what == handle + 2);
        }
    assert_int_equal(taken, 6);
    assert_int_equal(gone, 1u << 1 | 1u << 2 | 1u << 3);
    assert_int_equal(lost, 0);
    memevent_detach(channel);
}

/* Faster than the consumer: all are taken or told as lost. */
static void test_invalidates_lost(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_INVALIDATE);
    struct memevent_channel_info info;
    struct memevent_record records[16];
    uint64_t handle, told, lost = 0, taken = 0;
    uint32_t outcome;
    int got;

    (void)state;
    for ( unsigned int i = 0; i < 2000; i++ )
    {
        assert_int_equal(write_word(0, 1, i), 0);
        assert_int_equal(write_word(0, 2, i), 0);
        assert_int_equal(merge(1, 2, &outcome, &handle), 0);
    }
    do {
        got = memevent_take_records(channel, records, 16, &told);
        assert_true(got >= 0);
        taken += got;
        lost += told;
    } while ( got );
    assert_int_equal(memevent_get_channel_info(channel, &info), 0);
    assert_true(info.dropped > 0);
    assert_int_equal(info.dropped, lost);
    assert_int_equal(info.produced, taken + lost);
    assert_int_equal(info.answered, taken);
    memevent_detach(channel);
}

/* No memory for a copy: the vCPU waits for somebody who makes room, and nothing is seen of it in the guest. */
static void test_oom(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_OOM);
    struct access access = { .vcpu = 1, .gfn = 2, .value = 44, .is_write = true };
    struct memevent_event event;
    uint64_t handle;
    uint32_t outcome;

    (void)state;
    assert_int_equal(merge(1, 2, &outcome, &handle), 0);
    emulated_set_memory(hv, FRAMES - 1);
    begin_access(&access);
    wait_event(channel, &event);
    assert_int_equal(event.kind, MEMEVENT_OOM_UNSHARE);
    assert_int_equal(event.gfn, 2);
    emulated_set_memory(hv, FRAMES);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    end_access(&access, 0);
    assert_int_equal(read_word(0, 2), 44);
    assert_int_equal(read_word(0, 1), 0);
    memevent_detach(channel);

    /* With nobody to ask it is the end of the domain, as it is on Xen. */
    assert_int_equal(write_word(0, 2, 0), 0);
    assert_int_equal(merge(1, 2, &outcome, &handle), 0);
    emulated_set_memory(hv, FRAMES - 1);
    assert_int_equal(write_word(0, 2, 1), -ENOMEM);
}

/* ---- every interleaving of a merge ---- */

/* What happens at a step; each must leave the guest with its own bytes, and the books in order. */
enum mischief {
    WRITE_SOURCE, WRITE_CLIENT, WRITE_BOTH_ALIKE, GIVE_UP_SOURCE, GIVE_UP_CLIENT, UNSHARE_SOURCE, KILL_CLIENT,
    KILL_SOURCE, NO_MEMORY, HOLD_CLIENT, MERGE_ELSEWHERE, MISCHIEFS
};

static struct {
    enum emulated_step step;
    enum mischief mischief;
    unsigned int calls;
    bool is_inside;
} plan;

#define OTHER     9
#define SAME_WORD 0x1111u
#define NEW_WORD  0x2222u

static int write_other(uint64_t gfn, uint64_t value)
{
    return emulated_access(hv, OTHER, 0, gfn, 8, &value, sizeof(value), true);
}

static int merge_domains(uint16_t source_domid, uint64_t source, uint16_t client_domid, uint64_t client,
                         uint32_t *outcome, uint64_t *handle)
{
    struct hypervisor_operation one = {
        .call = SHARING_MERGE, .domid = source_domid, .gfn = source,
        .sharing = { .client_domid = client_domid, .client_gfn = client },
    };

    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);
    *outcome = one.sharing.outcome;
    *handle = one.sharing.handle;

    return one.status;
}

static void hook(void *opaque, enum emulated_step step, uint16_t domid, uint64_t gfn)
{
    uint32_t outcome;
    uint64_t handle;

    (void)opaque;
    (void)domid;
    (void)gfn;
    if ( step != plan.step || plan.is_inside )
        return;
    plan.is_inside = true;
    plan.calls++;
    switch ( plan.mischief )
    {
    case WRITE_SOURCE:
        assert_int_equal(write_word(0, 1, NEW_WORD), 0);
        break;
    case WRITE_CLIENT:
        assert_int_equal(write_other(2, NEW_WORD), 0);
        break;
    case WRITE_BOTH_ALIKE:
        assert_int_equal(write_word(0, 1, NEW_WORD), 0);
        assert_int_equal(write_other(2, NEW_WORD), 0);
        break;
    case GIVE_UP_SOURCE:
        assert_int_equal(emulated_give_up(hv, DOMID, 1), 0);
        break;
    case GIVE_UP_CLIENT:
        assert_int_equal(emulated_give_up(hv, OTHER, 2), 0);
        break;
    case UNSHARE_SOURCE:
        carry_out(SHARING_UNSHARE, 1);
        break;
    case KILL_CLIENT:
        assert_int_equal(emulated_kill_domain(hv, OTHER), 0);
        break;
    case KILL_SOURCE:
        assert_int_equal(emulated_kill_domain(hv, DOMID), 0);
        break;
    case NO_MEMORY:
        emulated_fail_nominations(hv, 1);
        break;
    case HOLD_CLIENT:
        assert_int_equal(emulated_hold(hv, OTHER, 2, true), 0);
        break;
    case MERGE_ELSEWHERE:
        /* Another pair with the same client: whoever comes second finds what it was merged into. */
        (void)merge_domains(DOMID, 5, OTHER, 2, &outcome, &handle);
        break;
    case MISCHIEFS:
        break;
    }
    plan.is_inside = false;
}

static void expect_word(uint16_t domid, uint64_t gfn, uint64_t expected)
{
    uint64_t value = ~0ull;

    assert_int_equal(emulated_access(hv, domid, 0, gfn, 8, &value, sizeof(value), false), 0);
    assert_int_equal(value, expected);
}

/* What the guests must find, by what was done and not by what came of the merge. */
static void expect_bytes(bool has_happened)
{
    enum mischief m = has_happened ? plan.mischief : MISCHIEFS;

    if ( m != KILL_SOURCE && m != GIVE_UP_SOURCE )
        expect_word(DOMID, 1, m == WRITE_SOURCE || m == WRITE_BOTH_ALIKE ? NEW_WORD : SAME_WORD);
    if ( m != KILL_CLIENT && m != GIVE_UP_CLIENT )
        expect_word(OTHER, 2, m == WRITE_CLIENT || m == WRITE_BOTH_ALIKE ? NEW_WORD : SAME_WORD);
    if ( m != KILL_SOURCE )
        expect_word(DOMID, 5, SAME_WORD);
}

/* One merge with something in between.  Its status. */
static int interleave(enum emulated_step step, enum mischief mischief)
{
    uint32_t outcome;
    uint64_t handle;
    int rc;

    assert_int_equal(emulated_create_domain(hv, OTHER, 1, 8), 0);
    assert_int_equal(write_word(0, 1, SAME_WORD), 0);
    assert_int_equal(write_word(0, 5, SAME_WORD), 0);
    assert_int_equal(write_other(2, SAME_WORD), 0);
    plan.step = step;
    plan.mischief = mischief;
    plan.calls = 0;
    emulated_set_hook(hv, hook, NULL);
    rc = merge_domains(DOMID, 1, OTHER, 2, &outcome, &handle);
    emulated_set_hook(hv, NULL, NULL);
    emulated_fail_nominations(hv, 0);

    assert_int_equal(rc == 0, outcome == MEMEVENT_MERGED || outcome == MEMEVENT_ALREADY);
    assert_int_equal(rc == 0, handle != 0);
    assert_true(rc != -EILSEQ || outcome == MEMEVENT_DIFFERENT);
    assert_true(rc != -EAGAIN || outcome == MEMEVENT_STALE);
    assert_int_equal(hv->ops->audit_sharing(hv), 0);
    expect_bytes(plan.calls);

    return rc;
}

static void test_interleavings(void **state)
{
    struct memory_info memory;
    unsigned int merged = 0, refused = 0;

    (void)state;
    for ( unsigned int step = EMULATED_STEP_BEFORE_MERGE; step <= EMULATED_STEP_MERGED; step++ )
        for ( unsigned int mischief = 0; mischief <= MISCHIEFS; mischief++ )
        {
            int rc = interleave(step, mischief);

            merged += !rc;
            refused += rc != 0;
            if ( mischief == MISCHIEFS )
                assert_int_equal(rc, 0);
            /* A page that was written to between its nomination and the end is not merged. */
            if ( (mischief == WRITE_CLIENT && step >= EMULATED_STEP_CLIENT_NOMINATED && step < EMULATED_STEP_MERGED) ||
                 (mischief == WRITE_SOURCE && step < EMULATED_STEP_MERGED) )
                assert_int_not_equal(rc, 0);
            /* The next begins afresh. */
            emulated_kill_domain(hv, OTHER);
            emulated_kill_domain(hv, DOMID);
            assert_int_equal(hv->ops->get_memory(hv, &memory), 0);
            assert_int_equal(memory.pages_free, memory.pages);
            assert_int_equal(memory.pages_shared + memory.pages_saved, 0);
            assert_int_equal(emulated_create_domain(hv, DOMID, 4, FRAMES), 0);
        }
    assert_true(merged > 5 && refused > 20);
}

/* Without the comparison a guest finds another's bytes: a test that watches its memory must notice. */
static void test_no_comparison(void **state)
{
    uint64_t handle;
    uint32_t outcome;

    (void)state;
    emulated_skip_comparison(hv, true);
    assert_int_equal(write_word(0, 1, 1), 0);
    assert_int_equal(write_word(0, 2, 2), 0);
    assert_int_equal(merge(1, 2, &outcome, &handle), 0);
    assert_int_equal(read_word(0, 2), 1);
}

/* A third domain shares the client's page: its frame keeps it, and the others' leave. */
static void test_third_domain(void **state)
{
    struct memory_info memory;
    uint64_t handle, first;
    uint32_t outcome;

    (void)state;
    assert_int_equal(emulated_create_domain(hv, OTHER, 1, 8), 0);
    assert_int_equal(emulated_create_domain(hv, OTHER + 1, 1, 8), 0);
    assert_int_equal(merge_domains(OTHER, 0, OTHER + 1, 0, &outcome, &first), 0);
    assert_int_equal(merge_domains(DOMID, 0, OTHER, 0, &outcome, &handle), 0);
    assert_int_equal(outcome, MEMEVENT_MERGED);
    assert_int_not_equal(handle, first);
    assert_int_equal(merge_domains(DOMID, 0, OTHER, 0, &outcome, &handle), 0);
    assert_int_equal(outcome, MEMEVENT_ALREADY);
    assert_int_equal(hv->ops->get_memory(hv, &memory), 0);
    assert_int_equal(memory.pages_shared, 2);
    assert_int_equal(memory.pages_saved, 1);
    assert_int_equal(hv->ops->audit_sharing(hv), 0);
}

/* ---- dom0's accesses ---- */

static void test_mappings(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_PAGING);
    uint64_t gfns[] = { 3, FRAMES + 5, 4 }, handle;
    struct hypervisor_operation one = { .call = SHARING_NOMINATE, .domid = DOMID, .gfn = 3 };
    const void *mapping;
    uint32_t outcome;
    int errors[3];

    (void)state;
    assert_int_equal(write_word(0, 3, 33), 0);
    assert_int_equal(write_word(0, 4, 33), 0);
    assert_int_equal(hv->ops->map_frames(hv, DOMID, gfns, 3, errors, &mapping), 0);
    assert_int_equal(errors[0] | errors[2], 0);
    assert_int_equal(errors[1], -EINVAL);
    assert_int_equal(((const uint64_t *)mapping)[1], 33);
    assert_int_equal(((const uint64_t *)mapping)[2 * HYPERVISOR_PAGE_SIZE / 8 + 1], 33);
    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);
    assert_int_equal(one.status, -EBUSY);
    assert_int_equal(carry_out(PAGING_NOMINATE, 3), -EBUSY);
    assert_int_equal(merge(2, 4, &outcome, &handle), -EBUSY);
    assert_int_equal(outcome, MEMEVENT_CLIENT);
    hv->ops->unmap_frames(hv, mapping, 3);
    assert_int_equal(merge(3, 4, &outcome, &handle), 0);
    /* A page that goes while it is mapped is freed with the mapping. */
    assert_int_equal(hv->ops->map_frames(hv, DOMID, gfns, 1, errors, &mapping), 0);
    assert_int_equal(emulated_kill_domain(hv, DOMID), 0);
    hv->ops->unmap_frames(hv, mapping, 1);
    assert_int_equal(hv->ops->map_frames(hv, DOMID, gfns, 1, errors, &mapping), -ESRCH);
    memevent_detach(channel);
}

/* Dom0 touches a page that is out: it is asked for once, nobody of the guest's waits, and dom0 gets it. */
static void test_foreign(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_PAGING), *oom;
    struct access access = { .gfn = 9, .is_foreign = true };
    struct memevent_event event;
    uint64_t handle;
    uint32_t outcome;

    (void)state;
    assert_int_equal(write_word(0, 9, 99), 0);
    take_out(9);
    begin_access(&access);
    wait_event(channel, &event);
    assert_int_equal(event.kind, MEMEVENT_PAGING_POPULATE);
    assert_int_equal(event.flags, MEMEVENT_FLAG_FOREIGN);
    assert_int_equal(carry_out(PAGING_LOAD, 9), 0);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    end_access(&access, 0);
    assert_int_equal(access.value, 99);
    assert_int_equal(memevent_next(channel, &event), 0);

    /* Its touch takes a mark away. */
    assert_int_equal(carry_out(PAGING_NOMINATE, 9), 0);
    begin_access(&access);
    end_access(&access, 0);
    assert_int_equal(carry_out(PAGING_QUERY, 9), -ENOENT);
    memevent_detach(channel);

    /* No memory for dom0's copy: said, and nobody waits. */
    oom = attach(MEMEVENT_CLASS_OOM);
    assert_int_equal(merge(1, 2, &outcome, &handle), 0);
    emulated_set_memory(hv, FRAMES - 1);
    access = (struct access){ .gfn = 2, .is_foreign = true, .is_write = true, .value = 5 };
    begin_access(&access);
    end_access(&access, -ENOMEM);
    assert_int_equal(memevent_next(oom, &event), 1);
    assert_int_equal(event.kind, MEMEVENT_OOM_UNSHARE);
    assert_int_equal(event.flags, MEMEVENT_FLAG_FOREIGN);
    assert_int_equal(memevent_answer(oom, event.id), 0);
    memevent_detach(oom);
}

/* ---- access ---- */

static int set_access(uint64_t gfn, uint32_t count, uint32_t access)
{
    struct hypervisor_operation one = {
        .call = ACCESS_SET, .domid = DOMID, .gfn = gfn, .access = { .count = count, .access = access },
    };

    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);
    assert_int_equal(one.access.done, one.status ? 0 : count);

    return one.status;
}

/* XENMEM_access_* of Xen's, and MEM_ACCESS_*. */
enum { N = 0, R = 1, W = 2, RW = 3, X = 4, RX = 5, WX = 6, RWX = 7, RX2RW = 8, N2RWX = 9, DEFAULT = 10 };

static void test_access(void **state)
{
    static const struct { uint32_t access, how; } allowed[] = {
        { N, 0 }, { R, R }, { RW, R | W }, { RX, R | X }, { RWX, R | W | X }, { DEFAULT, R | W | X },
    };
    struct memevent_channel *channel;
    struct memevent_details details;
    struct memevent_event event;

    (void)state;
    assert_int_equal(set_access(0, 1, R), -ENODEV);
    channel = attach(MEMEVENT_CLASS_ACCESS);
    assert_int_equal(set_access(0, 1, W), -EINVAL);
    assert_int_equal(set_access(0, 1, X), -EINVAL);
    assert_int_equal(set_access(0, 1, WX), -EINVAL);
    assert_int_equal(set_access(0, 1, DEFAULT + 1), -EINVAL);
    assert_int_equal(set_access(0, 0, R), -EINVAL);
    assert_int_equal(set_access(FRAMES - 1, 2, R), -EINVAL);
    for ( unsigned int i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++ )
        for ( uint32_t how = R; how <= X; how *= 2 )
        {
            struct access access = {
                .vcpu = i % 4, .gfn = 20, .value = 7 + i, .is_write = how == W, .is_fetch = how == X,
            };

            assert_int_equal(set_access(10, 20, allowed[i].access), 0);
            begin_access(&access);
            if ( !(allowed[i].how & how) )
            {
                wait_event(channel, &event);
                assert_int_equal(event.kind, 1);
                assert_int_equal(event.flags, MEMEVENT_FLAG_VCPU_PAUSED);
                assert_int_equal(event.gfn, 20);
                assert_int_equal(event.vcpu, i % 4);
                assert_int_equal(memevent_get_details(channel, event.id, &details), 0);
                assert_int_equal(details.access & RWX, how);
                assert_int_equal(details.gla, 20 * HYPERVISOR_PAGE_SIZE + 8);
                /* Answered while nothing has changed, it comes again. */
                assert_int_equal(memevent_answer(channel, event.id), 0);
                assert_int_equal(memevent_flush(channel), 0);
                wait_event(channel, &event);
                assert_int_equal(set_access(20, 1, RWX), 0);
                assert_int_equal(memevent_answer(channel, event.id), 0);
                assert_int_equal(memevent_flush(channel), 0);
            }
            end_access(&access, 0);
            assert_int_equal(memevent_next(channel, &event), 0);
        }
    memevent_detach(channel);
}

static void test_access_actions(void **state)
{
    struct memevent_channel *channel = attach(MEMEVENT_CLASS_ACCESS);
    struct access access = { .vcpu = 1, .gfn = 5, .value = 1, .is_write = true };
    struct memevent_event event;

    (void)state;
    assert_int_equal(set_access(5, 1, R), 0);
    begin_access(&access);
    wait_event(channel, &event);
    assert_int_equal(memevent_answer_with(channel, event.id, MEMEVENT_ACTION_EMULATE), 0);
    assert_int_equal(memevent_flush(channel), 0);
    end_access(&access, 0);
    assert_int_equal(read_word(0, 5), 1);
    /* It was carried out once: the next is one again. */
    access.value = 2;
    begin_access(&access);
    wait_event(channel, &event);
    assert_int_equal(memevent_answer_with(channel, event.id, MEMEVENT_ACTION_EMULATE | MEMEVENT_ACTION_SKIP_WRITE), 0);
    assert_int_equal(memevent_flush(channel), 0);
    end_access(&access, 0);
    assert_int_equal(read_word(0, 5), 1);

    /* A write that is let through once and for all; and any, which is told and does not wait. */
    assert_int_equal(set_access(5, 1, RX2RW), 0);
    assert_int_equal(write_word(0, 5, 3), 0);
    assert_int_equal(memevent_next(channel, &event), 0);
    assert_int_equal(set_access(6, 1, N2RWX), 0);
    assert_int_equal(write_word(2, 6, 4), 0);
    assert_int_equal(memevent_next(channel, &event), 1);
    assert_int_equal(event.flags & MEMEVENT_FLAG_VCPU_PAUSED, 0);
    assert_int_equal(event.gfn, 6);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(write_word(2, 6, 5), 0);
    assert_int_equal(memevent_next(channel, &event), 0);

    /* A channel that ends lets go of who waits. */
    assert_int_equal(set_access(7, 1, N), 0);
    access.gfn = 7;
    begin_access(&access);
    wait_event(channel, &event);
    memevent_detach(channel);
    end_access(&access, 0);
    assert_int_equal(read_word(0, 7), 2);
}

static void test_store(void **state)
{
    char path[64], token[16], value[4];
    struct pollfd one = { .fd = hv->ops->watch_fd(hv), .events = POLLIN };

    (void)state;
    assert_int_equal(hv->ops->read_key(hv, "/a/b", value, sizeof(value)), -ENOENT);
    assert_int_equal(hv->ops->add_watch(hv, "/a", "mine"), 0);
    assert_int_equal(poll(&one, 1, 0), 1);
    assert_int_equal(hv->ops->next_watch(hv, path, sizeof(path), token, sizeof(token)), 1);
    assert_string_equal(path, "/a");
    assert_int_equal(hv->ops->next_watch(hv, path, sizeof(path), token, sizeof(token)), 0);
    assert_int_equal(poll(&one, 1, 0), 0);
    assert_int_equal(hv->ops->write_key(hv, "/ab", "no"), 0);
    assert_int_equal(poll(&one, 1, 0), 0);
    assert_int_equal(hv->ops->write_key(hv, "/a/b", "longer"), 0);
    assert_int_equal(hv->ops->next_watch(hv, path, sizeof(path), token, sizeof(token)), 1);
    assert_string_equal(path, "/a/b");
    assert_string_equal(token, "mine");
    assert_int_equal(hv->ops->read_key(hv, "/a/b", value, sizeof(value)), 6);
    assert_string_equal(value, "lon");
    assert_int_equal(hv->ops->remove_watch(hv, "/a", "mine"), 0);
    assert_int_equal(hv->ops->remove_key(hv, "/a/b"), 0);
    assert_int_equal(hv->ops->remove_key(hv, "/a/b"), -ENOENT);
    assert_int_equal(poll(&one, 1, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_memory), TEST(test_busy), TEST(test_domain_dies), TEST(test_consumer_dies), TEST(test_signal_lost),
        TEST(test_drops), TEST(test_sharing), TEST(test_invalidates_lost), TEST(test_oom), TEST(test_interleavings),
        TEST(test_no_comparison), TEST(test_third_domain), TEST(test_mappings), TEST(test_foreign), TEST(test_access),
        TEST(test_access_actions), TEST(test_store),
    };

    /* Whoever waits for ever ends with an error. */
    alarm(300);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
