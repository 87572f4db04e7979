/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decide, step by step: when a frame is due and when a pair comes out, what each result of a merge leads to, what it
 * all costs in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <memevent/operations.h>

#include "daemons/xensharing/decide.h"
#include "daemons/xensharing/digest.h"
#include "daemons/xensharing/pages.h"

#define A      1U
#define B      2U
#define GROUP  5U
#define FRAMES 1024U
/* Contents. */
#define ONE    UINT64_C(0x1111111111111110)
#define TWO    UINT64_C(0x2222222222222220)

static struct decide *d;
static struct decide_pair pairs[16];

static int setup(void **state)
{
    (void)state;
    if ( decide_open(&d, DECIDE_INVALIDATES_ON) || decide_join(d, A, GROUP, true, FRAMES) )
        return -1;
    return decide_join(d, B, GROUP, true, FRAMES);
}

static int teardown(void **state)
{
    (void)state;
    decide_close(d);
    decide_close(NULL);
    return 0;
}

static bool is_due(uint16_t domid, uint64_t gfn)
{
    uint64_t due;

    return decide_visit(d, domid, gfn, 1, &due) == 1;
}

/* A digest as they are: spread. */
static uint64_t content(uint64_t number)
{
    return (number + 1) * UINT64_C(0x9e3779b97f4a7c15) & ~(uint64_t)DIGEST_FILLED;
}

/* A frame's part in one pass. */
static bool scan(uint16_t domid, uint64_t gfn, uint64_t digest)
{
    if ( !is_due(domid, gfn) )
        return false;
    decide_scanned(d, domid, gfn, digest);
    return true;
}

/* Frame 0 of both is one, A's the master. */
static void share(void)
{
    for ( unsigned int pass = 0; pass < 2; pass++ )
    {
        assert_true(scan(A, 0, ONE));
        assert_true(scan(B, 0, ONE));
        decide_pass_ended(d);
    }
    assert_int_equal(decide_take(d, pairs, 16), 1);
    decide_merged(d, &pairs[0], 0, MEMEVENT_MERGED);
}

static enum page_kind kind_of(uint16_t domid)
{
    struct decide_domain now;
    enum page_kind kind = PAGE_UNKNOWN;

    /* Only one frame is known at all. */
    assert_int_equal(decide_get_domain(d, domid, &now), 0);
    for ( unsigned int i = 1; i < PAGE_KINDS; i++ )
        if ( now.kinds[i] )
            kind = i;

    return kind;
}

static void tell(uint16_t domid, uint64_t gfn, uint8_t reason)
{
    const struct memevent_record record = {
        .what = gfn, .domid = domid, .kind = MEMEVENT_RECORD_GFN, .reason = reason,
    };

    decide_invalidated(d, &record);
}

/* Something was read of the channel, so that nothing is recent. */
static void read_on(void)
{
    tell(A, FRAMES - 1, MEMEVENT_UNSHARED);
    decide_take(d, pairs, 16);
}

/* A page is a candidate when it was the same at two passes, and not before. */
static void test_two_passes(void **state)
{
    (void)state;
    assert_true(scan(A, 0, ONE));
    assert_true(scan(B, 0, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 0);
    assert_true(scan(A, 0, ONE));
    assert_true(scan(B, 0, TWO));
    assert_int_equal(decide_take(d, pairs, 16), 0);
    assert_int_equal(kind_of(A), PAGE_UNIQUE);
    /* It changed: a pass later, and then twice the same. */
    while ( !scan(B, 0, ONE) )
        ;
    assert_int_equal(decide_take(d, pairs, 16), 0);
    while ( !scan(B, 0, ONE) )
        ;
    assert_int_equal(decide_take(d, pairs, 16), 1);
    assert_int_equal(pairs[0].source_domid, A);
    assert_int_equal(pairs[0].client_domid, B);
    assert_int_equal(pairs[0].source_gfn, 0);
    assert_int_equal(pairs[0].client_gfn, 0);
    /* It is not due while it is out. */
    assert_false(is_due(B, 0));
    decide_merged(d, &pairs[0], 0, MEMEVENT_MERGED);
    assert_int_equal(kind_of(A), PAGE_MASTER);
    assert_int_equal(kind_of(B), PAGE_SHARED);
    assert_false(is_due(A, 0));
    assert_false(is_due(B, 0));
}

/* Which domain's pages changed in the last pass is known of each; a page that is seen for the first time did not. */
static void test_changed_in_a_pass(void **state)
{
    struct decide_domain now;
    struct decide_statistics all;

    (void)state;
    for ( unsigned int pass = 0; pass < 2; pass++ )
    {
        for ( uint64_t gfn = 0; gfn < 3; gfn++ )
        {
            assert_true(scan(A, gfn, content(gfn)));
            assert_true(scan(B, gfn, content(gfn + (gfn ? 100 * (pass + 1) : 0))));
        }
        assert_int_equal(decide_get_domain(d, B, &now), 0);
        assert_int_equal(now.pass_volatile, 0);
        decide_pass_ended(d);
    }
    assert_int_equal(decide_get_domain(d, A, &now), 0);
    assert_int_equal(now.pass_volatile, 0);
    assert_int_equal(decide_get_domain(d, B, &now), 0);
    assert_int_equal(now.pass_volatile, 2);
    decide_get_statistics(d, &all);
    assert_int_equal(all.pass_volatile, 2);
    decide_pass_ended(d);
    assert_int_equal(decide_get_domain(d, B, &now), 0);
    assert_int_equal(now.pass_volatile, 0);
}

/* What a merge can come to. */
static void test_results(void **state)
{
    static const struct {
        int status;
        uint32_t outcome;
        enum page_kind a, b;
        bool a_due, b_due;
    } cases[] = {
        { 0, MEMEVENT_MERGED, PAGE_MASTER, PAGE_SHARED, false, false },
        { 0, MEMEVENT_ALREADY, PAGE_MASTER, PAGE_SHARED, false, false },
        { -EILSEQ, MEMEVENT_DIFFERENT, PAGE_UNIQUE, PAGE_UNKNOWN, true, true },
        { -EAGAIN, MEMEVENT_STALE, PAGE_UNIQUE, PAGE_SEEN, true, true },
        { -EBUSY, MEMEVENT_SOURCE, PAGE_SEEN, PAGE_SEEN, false, true },
        { -EINVAL, MEMEVENT_SOURCE, PAGE_SEEN, PAGE_SEEN, false, true },
        { -ENOMEM, MEMEVENT_SOURCE, PAGE_UNIQUE, PAGE_SEEN, true, true },
        { -EBUSY, MEMEVENT_CLIENT, PAGE_UNIQUE, PAGE_SEEN, true, false },
        { -EINVAL, MEMEVENT_CLIENT, PAGE_UNIQUE, PAGE_SEEN, true, false },
        { -ENOMEM, MEMEVENT_CLIENT, PAGE_UNIQUE, PAGE_SEEN, true, true },
        { -ESRCH, 0, PAGE_UNIQUE, PAGE_SEEN, true, true },
        { -ECANCELED, 0, PAGE_UNIQUE, PAGE_SEEN, true, true },
    };

    for ( unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        struct decide_statistics now;

        teardown(state);
        setup(state);
        for ( unsigned int pass = 0; pass < 2; pass++ )
        {
            assert_true(scan(A, 0, ONE));
            assert_true(scan(B, 0, ONE));
        }
        assert_int_equal(decide_take(d, pairs, 16), 1);
        decide_merged(d, &pairs[0], cases[i].status, cases[i].outcome);
        if ( kind_of(A) != cases[i].a || kind_of(B) != cases[i].b )
            fail_msg("case %u: %u and %u", i, kind_of(A), kind_of(B));
        assert_int_equal(is_due(A, 0), cases[i].a_due);
        assert_int_equal(is_due(B, 0), cases[i].b_due);
        decide_get_statistics(d, &now);
        assert_int_equal(now.merged + now.already + now.different + now.stale + now.busy + now.refused,
                         cases[i].status != -ECANCELED);
    }
}

/* A record says that a page left: it is looked at again, its master stays; soon after the merge only after a while. */
static void test_records(void **state)
{
    (void)state;
    share();
    read_on();
    /* Said of what is still shared, or of what nobody has; nothing changes. */
    tell(B, 0, MEMEVENT_REPLACED);
    tell(B, 0, MEMEVENT_UNDONE);
    tell(7, 0, MEMEVENT_UNSHARED);
    tell(B, FRAMES + 7, MEMEVENT_UNSHARED);
    tell(B, UINT64_MAX, MEMEVENT_UNSHARED);
    tell(UINT16_MAX, 0, MEMEVENT_UNSHARED);
    assert_int_equal(kind_of(B), PAGE_SHARED);

    tell(B, 0, MEMEVENT_UNSHARED);
    assert_int_equal(kind_of(B), PAGE_UNKNOWN);
    assert_int_equal(kind_of(A), PAGE_MASTER);
    assert_false(is_due(B, 0));
    assert_true(is_due(B, 0));

    /* The master leaves: the one that is left takes its place, and the first comes back as a client. */
    decide_scanned(d, B, 0, ONE);
    assert_true(scan(B, 0, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 1);
    decide_merged(d, &pairs[0], 0, MEMEVENT_MERGED);
    read_on();
    tell(A, 0, MEMEVENT_DESTROYED);
    assert_int_equal(kind_of(A), PAGE_UNKNOWN);
    assert_int_equal(kind_of(B), PAGE_SHARED);
    assert_false(is_due(B, 0));
    assert_int_equal(kind_of(B), PAGE_MASTER);
    assert_true(scan(A, 0, ONE));
    assert_true(scan(A, 0, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 1);
    assert_int_equal(pairs[0].source_domid, B);
    assert_int_equal(pairs[0].client_domid, A);
}

/* A page that was a master, was written to, and got a sharer before that was read: its bytes are looked at. */
static void test_record_of_before(void **state)
{
    (void)state;
    share();
    tell(A, 0, MEMEVENT_UNSHARED);
    assert_int_equal(kind_of(A), PAGE_MASTER);
    assert_true(is_due(A, 0));
    decide_scanned(d, A, 0, ONE);
    assert_int_equal(kind_of(A), PAGE_MASTER);
    assert_false(is_due(A, 0));
    read_on();
    tell(A, 0, MEMEVENT_UNSHARED);
    assert_int_equal(kind_of(A), PAGE_UNKNOWN);
}

/* A page takes the place of its master, whose record came, while its own was lost: only its bytes tell that it is private. */
static void test_lost_of_an_heir(void **state)
{
    bool due = false;

    (void)state;
    share();
    read_on();
    tell(A, 0, MEMEVENT_UNSHARED);
    decide_lost(d);
    for ( unsigned int pass = 0; pass < 3 && !due; pass++ )
    {
        decide_pass_ended(d);
        due = is_due(B, 0);
    }
    assert_true(due);
    decide_scanned(d, B, 0, TWO);
    assert_int_not_equal(kind_of(B), PAGE_MASTER);
    assert_int_not_equal(kind_of(B), PAGE_SHARED);
}

/* Lost records: what is shared is asked about with the next pass, by a merge and without a hash. */
static void test_lost(void **state)
{
    (void)state;
    share();
    decide_lost(d);
    assert_false(is_due(B, 0));
    decide_pass_ended(d);
    assert_true(scan(A, 0, ONE));
    assert_false(is_due(B, 0));
    assert_int_equal(decide_take(d, pairs, 16), 1);
    assert_true(pairs[0].again);
    decide_merged(d, &pairs[0], 0, MEMEVENT_ALREADY);
    assert_int_equal(kind_of(B), PAGE_SHARED);
    decide_pass_ended(d);
    assert_false(is_due(B, 0));

    /* And is told that it is not what it was. */
    decide_lost(d);
    decide_pass_ended(d);
    assert_false(is_due(B, 0));
    assert_int_equal(decide_take(d, pairs, 16), 1);
    decide_merged(d, &pairs[0], -EILSEQ, MEMEVENT_DIFFERENT);
    assert_int_equal(kind_of(B), PAGE_UNKNOWN);
    assert_true(is_due(B, 0));
    /* The master is looked at as well. */
    assert_true(scan(A, 0, TWO));
    assert_int_equal(kind_of(A), PAGE_SEEN);
}

/* A master whose frame is not there any more: its bytes are looked at, and nobody finds it again. */
static void test_master_gone(void **state)
{
    (void)state;
    share();
    for ( unsigned int pass = 0; pass < 2; pass++ )
        assert_true(scan(B, 1, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 1);
    assert_int_equal(pairs[0].source_domid, A);
    decide_merged(d, &pairs[0], -EINVAL, MEMEVENT_SOURCE);
    assert_true(is_due(A, 0));
    decide_absent(d, A, 0);
    assert_int_equal(kind_of(A), PAGE_ABSENT);
    assert_true(scan(B, 1, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 0);
}

/* A page of a domain that does not share within was kept a place, did not come, and may come later. */
static void test_place_given_back(void **state)
{
    (void)state;
    assert_int_equal(decide_join(d, 3, GROUP, false, FRAMES), 0);
    for ( unsigned int pass = 0; pass < 2; pass++ )
    {
        assert_true(scan(A, 0, ONE));
        assert_true(scan(3, 0, ONE));
        assert_true(scan(3, 1, ONE));
    }
    /* One of the two. */
    assert_int_equal(decide_take(d, pairs, 16), 1);
    decide_merged(d, &pairs[0], -EAGAIN, MEMEVENT_STALE);
    assert_true(scan(3, 0, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 1);
    assert_int_equal(pairs[0].source_domid, A);
    decide_merged(d, &pairs[0], 0, MEMEVENT_MERGED);
    /* And the other never. */
    for ( unsigned int pass = 0; pass < 3; pass++ )
        scan(3, 1, ONE);
    assert_int_equal(decide_take(d, pairs, 16), 0);
}

/* Nothing comes out while merging is off; what was in the queue waits. */
static void test_merging_off(void **state)
{
    (void)state;
    decide_set_merging(d, false);
    for ( unsigned int pass = 0; pass < 4; pass++ )
    {
        assert_true(scan(A, 0, ONE));
        assert_true(scan(B, 0, ONE));
        assert_int_equal(decide_take(d, pairs, 16), 0);
    }
    decide_set_merging(d, true);
    assert_true(scan(B, 0, ONE));
    decide_set_merging(d, false);
    assert_int_equal(decide_take(d, pairs, 16), 0);
    decide_set_merging(d, true);
    assert_true(scan(B, 0, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 1);
}

/* A domain that leaves takes its pairs along, and what was one with it goes on. */
static void test_leaving(void **state)
{
    uint64_t gfn = 0;

    (void)state;
    share();
    for ( unsigned int pass = 0; pass < 2; pass++ )
    {
        assert_true(scan(B, 1, TWO));
        assert_true(scan(A, 1, TWO));
    }
    assert_true(decide_leave(d, A, 0) > 0);
    assert_int_equal(decide_take(d, pairs, 16), 0);
    assert_true(decide_next_shared(d, A, &gfn));
    assert_int_equal(gfn, 0);
    gfn++;
    assert_false(decide_next_shared(d, A, &gfn));
    assert_false(is_due(A, 2));
    assert_true(decide_is_member(d, A));
    while ( decide_leave(d, A, 100) )
        ;
    assert_false(decide_is_member(d, A));
    assert_int_equal(decide_leave(d, A, 100), 0);
    assert_false(is_due(B, 0));
    assert_int_equal(decide_join(d, A, GROUP, true, FRAMES), 0);
    assert_int_equal(decide_join(d, A, GROUP, true, FRAMES), -EEXIST);
    assert_true(scan(A, 0, ONE));
    assert_true(scan(A, 0, ONE));
    assert_int_equal(decide_take(d, pairs, 16), 1);
    assert_int_equal(pairs[0].source_domid, B);
}

/* Frames that a domain gets later, and what is asked of frames that it does not have. */
static void test_growing(void **state)
{
    (void)state;
    assert_false(is_due(A, FRAMES));
    decide_scanned(d, A, FRAMES, ONE);
    decide_absent(d, A, FRAMES);
    assert_int_equal(decide_grow(d, A, 5 * PAGES_SECTION), 0);
    assert_int_equal(decide_grow(d, A, 1), 0);
    assert_int_equal(decide_grow(d, 9, 1), -ENOENT);
    assert_int_equal(decide_grow(d, A, PAGES_FRAMES_MAX + 1), -EINVAL);
    assert_int_equal(decide_join(d, 9, GROUP, true, PAGES_FRAMES_MAX + 1), -EINVAL);
    assert_int_equal(decide_join(d, PAGES_DOMID_LIMIT, GROUP, true, 1), -EINVAL);
    for ( unsigned int pass = 0; pass < 2; pass++ )
    {
        assert_true(scan(A, 4 * PAGES_SECTION + 3, ONE));
        assert_true(scan(B, 0, ONE));
    }
    assert_int_equal(decide_take(d, pairs, 16), 1);
    assert_int_equal(pairs[0].source_gfn, 4 * PAGES_SECTION + 3);
    decide_merged(d, &pairs[0], 0, MEMEVENT_MERGED);
    decide_absent(d, B, 0);
    assert_int_equal(kind_of(B), PAGE_ABSENT);
    assert_true(is_due(B, 0));
}

/* More pairs than are kept: the others come with a later pass. */
static void test_full_queue(void **state)
{
    struct decide_statistics now;
    unsigned int taken = 0, got;

    (void)state;
    teardown(state);
    assert_int_equal(decide_open(&d, DECIDE_INVALIDATES_ON), 0);
    assert_int_equal(decide_join(d, A, GROUP, true, 2 * DECIDE_PAIRS_MAX), 0);
    assert_int_equal(decide_join(d, B, GROUP, true, 2 * DECIDE_PAIRS_MAX), 0);
    for ( unsigned int pass = 0; pass < 2; pass++ )
        for ( uint64_t gfn = 0; gfn < DECIDE_PAIRS_MAX + 100; gfn++ )
        {
            scan(A, gfn, content(gfn));
            scan(B, gfn, content(gfn));
        }
    decide_get_statistics(d, &now);
    assert_int_equal(now.put_off, 100);
    while ( (got = decide_take(d, pairs, 16)) > 0 )
        for ( taken += got; got--; )
            decide_merged(d, &pairs[got], 0, MEMEVENT_MERGED);
    assert_int_equal(taken, DECIDE_PAIRS_MAX);
    for ( uint64_t gfn = 0; gfn < DECIDE_PAIRS_MAX + 100; gfn++ )
        scan(B, gfn, content(gfn));
    while ( (got = decide_take(d, pairs, 16)) > 0 )
        for ( taken += got; got--; )
            decide_merged(d, &pairs[got], 0, MEMEVENT_MERGED);
    assert_int_equal(taken, DECIDE_PAIRS_MAX + 100);
}

/* Octets a page: at most 16, whatever the pages are, and at most what was said before. */
static void test_memory(void **state)
{
    static const unsigned int sizes[] = { 1, 2, 3, 9, 16, 17, 40, 3000 };   /* pages of one content */
    const uint64_t frames = 16 * PAGES_SECTION;
    struct decide_statistics before, now;
    uint64_t need;

    for ( unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++ )
    {
        teardown(state);
        assert_int_equal(decide_open(&d, DECIDE_INVALIDATES_ON), 0);
        decide_get_statistics(d, &before);
        need = decide_need(d, frames);
        assert_true(need <= 16 * frames);
        assert_int_equal(decide_join(d, A, GROUP, true, frames), 0);
        for ( unsigned int pass = 0; pass < 2; pass++ )
            for ( uint64_t gfn = 0; gfn < frames; gfn++ )
            {
                unsigned int got;

                scan(A, gfn, content(gfn / sizes[i]));
                while ( gfn % 16 == 0 && (got = decide_take(d, pairs, 16)) > 0 )
                    while ( got-- )
                        decide_merged(d, &pairs[got], 0, MEMEVENT_MERGED);
                if ( gfn % 4096 )
                    continue;
                decide_get_statistics(d, &now);
                if ( now.octets - before.octets > 16 * frames )
                    fail_msg("%ju octets for %ju pages", (uintmax_t)(now.octets - before.octets), (uintmax_t)frames);
            }
        print_message("%u of one content: %.2f octets a page, said %.2f\n", sizes[i],
                      (double)(now.octets - before.octets) / frames, (double)need / frames);
        assert_int_equal(now.no_place, 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_in_a_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_results, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_of_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_of_an_heir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_master_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_place_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merging_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
