/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sharing on the emulated host: its books, its records, and a merge that is disturbed at each of its steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>

#include <memevent/operations.h>

#include "emulated-guest.h"

static void test_sharing(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_INVALIDATE);
    struct pollfd one = { .fd = memevent_fd(channel), .events = POLLIN };
    struct memevent_record records[16];
    uint64_t handle, other, lost = 0, taken = 0;
    uint64_t gone = 0;      /* a bit for each frame: records of different CPUs come in any order */
    uint32_t outcome;
    int got;

    (void)state;
    assert_int_equal(guest_write(0, 1, 11), 0);
    assert_int_equal(guest_write(0, 2, 11), 0);
    assert_int_equal(guest_write(0, 3, 33), 0);
    assert_int_equal(guest_merge(1, 2, &outcome, &handle), 0);
    assert_int_equal(outcome, MEMEVENT_MERGED);
    assert_int_equal(guest_merge(1, 2, &outcome, &other), 0);
    assert_int_equal(outcome, MEMEVENT_ALREADY);
    assert_int_equal(other, handle);
    assert_int_equal(guest_merge(1, 3, &outcome, &other), -EILSEQ);
    assert_int_equal(outcome, MEMEVENT_DIFFERENT);
    /* Reading shares on, writing parts: each has its own word. */
    assert_int_equal(guest_read(1, 2), 11);
    assert_int_equal(guest_write(1, 2, 22), 0);
    assert_int_equal(guest_read(0, 1), 11);
    assert_int_equal(guest_read(0, 2), 22);
    assert_int_equal(guest_write(0, 1, 12), 0);
    assert_int_equal(guest_read(0, 2), 22);

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
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_INVALIDATE);
    struct memevent_channel_info info;
    struct memevent_record records[16];
    uint64_t handle, told, lost = 0, taken = 0;
    uint32_t outcome;
    int got;

    (void)state;
    for ( unsigned int i = 0; i < 2000; i++ )
    {
        assert_int_equal(guest_write(0, 1, i), 0);
        assert_int_equal(guest_write(0, 2, i), 0);
        assert_int_equal(guest_merge(1, 2, &outcome, &handle), 0);
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
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_OOM);
    struct access access = { .vcpu = 1, .gfn = 2, .value = 44, .is_write = true };
    struct memevent_event event;
    uint64_t handle;
    uint32_t outcome;

    (void)state;
    assert_int_equal(guest_merge(1, 2, &outcome, &handle), 0);
    emulated_set_memory(hv, FRAMES - 1);
    access_begin(&access);
    guest_wait_event(channel, &event);
    assert_int_equal(event.kind, MEMEVENT_OOM_UNSHARE);
    assert_int_equal(event.gfn, 2);
    emulated_set_memory(hv, FRAMES);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    access_end(&access, 0);
    assert_int_equal(guest_read(0, 2), 44);
    assert_int_equal(guest_read(0, 1), 0);
    memevent_detach(channel);

    /* With nobody to ask it is the end of the domain, as it is on Xen. */
    assert_int_equal(guest_write(0, 2, 0), 0);
    assert_int_equal(guest_merge(1, 2, &outcome, &handle), 0);
    emulated_set_memory(hv, FRAMES - 1);
    assert_int_equal(guest_write(0, 2, 1), -ENOMEM);
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
        assert_int_equal(guest_write(0, 1, NEW_WORD), 0);
        break;
    case WRITE_CLIENT:
        assert_int_equal(write_other(2, NEW_WORD), 0);
        break;
    case WRITE_BOTH_ALIKE:
        assert_int_equal(guest_write(0, 1, NEW_WORD), 0);
        assert_int_equal(write_other(2, NEW_WORD), 0);
        break;
    case GIVE_UP_SOURCE:
        assert_int_equal(emulated_give_up(hv, DOMID, 1), 0);
        break;
    case GIVE_UP_CLIENT:
        assert_int_equal(emulated_give_up(hv, OTHER, 2), 0);
        break;
    case UNSHARE_SOURCE:
        guest_carry_out(SHARING_UNSHARE, 1);
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
        (void)guests_merge(DOMID, 5, OTHER, 2, &outcome, &handle);
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
    assert_int_equal(guest_write(0, 1, SAME_WORD), 0);
    assert_int_equal(guest_write(0, 5, SAME_WORD), 0);
    assert_int_equal(write_other(2, SAME_WORD), 0);
    plan.step = step;
    plan.mischief = mischief;
    plan.calls = 0;
    emulated_set_hook(hv, hook, NULL);
    rc = guests_merge(DOMID, 1, OTHER, 2, &outcome, &handle);
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
    assert_int_equal(guest_write(0, 1, 1), 0);
    assert_int_equal(guest_write(0, 2, 2), 0);
    assert_int_equal(guest_merge(1, 2, &outcome, &handle), 0);
    assert_int_equal(guest_read(0, 2), 1);
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
    assert_int_equal(guests_merge(OTHER, 0, OTHER + 1, 0, &outcome, &first), 0);
    assert_int_equal(guests_merge(DOMID, 0, OTHER, 0, &outcome, &handle), 0);
    assert_int_equal(outcome, MEMEVENT_MERGED);
    assert_int_not_equal(handle, first);
    assert_int_equal(guests_merge(DOMID, 0, OTHER, 0, &outcome, &handle), 0);
    assert_int_equal(outcome, MEMEVENT_ALREADY);
    assert_int_equal(hv->ops->get_memory(hv, &memory), 0);
    assert_int_equal(memory.pages_shared, 2);
    assert_int_equal(memory.pages_saved, 1);
    assert_int_equal(hv->ops->audit_sharing(hv), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sharing), TEST(test_invalidates_lost), TEST(test_oom), TEST(test_interleavings),
        TEST(test_no_comparison), TEST(test_third_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
