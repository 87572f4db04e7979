/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A lossy channel with the hypervisor's own core at its other end: order, loss that is told exactly, wake-ups by the
 * batch and by the deadline, and nonsense in the indices.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "channel-bench.h"

#define BATCH 16
#define SLOTS FAKE_CHANNELS_LOSSY_SLOTS
#define RINGS FAKE_CHANNELS_RINGS

static void attach(void)
{
    const struct memevent_options options = { .batch = BATCH, .deadline = 100 };

    assert_int_equal(memevent_attach_with(&fake.hv, MEMEVENT_CLASS_INVALIDATE, MEMEVENT_HOST, &options, &channel,
                                          NULL), 0);
}

static void test_records(void **unused)
{
    struct memevent_record records[4];
    uint64_t lost;

    (void)unused;
    assert_int_equal(memevent_peek(channel), 0);
    assert_int_equal(memevent_take_records(channel, records, 4, &lost), 0);
    fake_channels_invalidate(&fake, 1, 0x1234567890);
    assert_int_equal(memevent_peek(channel), 1);
    assert_int_equal(memevent_take_records(channel, records, 4, &lost), 1);
    assert_int_equal(lost, 0);
    assert_int_equal(records[0].what, 0x1234567890);
    assert_int_equal(records[0].domid, 1);
    assert_int_equal(records[0].kind, MEMEVENT_RECORD_HANDLE);
    assert_int_equal(records[0].reason, MEMEVENT_UNSHARED);
    assert_int_equal(memevent_peek(channel), 0);
}

/* Of each CPU in order, none left behind, and every loss told once. */
static void test_everything_is_taken_or_lost(void **unused)
{
    uint64_t produced[RINGS] = { 0 }, next[RINGS] = { 0 }, taken = 0, told = 0, dropped = 0, lost;
    struct memevent_record records[50];
    struct memevent_statistics statistics;

    (void)unused;
    srand(99);
    for ( unsigned int round = 0; round < 5000; round++ )
    {
        for ( unsigned int cpu = 0; cpu < RINGS; cpu++ )
            for ( unsigned int n = rand() % 60; n; n-- )
                fake_channels_invalidate(&fake, cpu, produced[cpu]++ * RINGS + cpu);
        for ( unsigned int visits = rand() % 4; visits; visits-- )
        {
            int rc = memevent_take_records(channel, records, 1 + rand() % 50, &lost);

            assert_true(rc >= 0);
            for ( int i = 0; i < rc; i++ )
            {
                unsigned int cpu = records[i].what % RINGS;

                assert_true(records[i].what / RINGS >= next[cpu]);
                next[cpu] = records[i].what / RINGS + 1;
            }
            taken += rc;
            told += lost;
        }
    }
    for ( int rc = 1; rc; taken += rc, told += lost )
        rc = memevent_take_records(channel, records, 50, &lost);
    for ( unsigned int cpu = 0; cpu < RINGS; cpu++ )
        dropped += fake.lossy[cpu].dropped;
    assert_true(dropped > 1000);
    assert_int_equal(told, dropped);
    assert_int_equal(taken + told, produced[0] + produced[1] + produced[2]);
    memevent_get_statistics(channel, &statistics);
    assert_int_equal(statistics.received, taken);
    assert_int_equal(statistics.lost, told);
}

/* One CPU that never stops does not keep the others' from being taken. */
static void test_no_cpu_is_last(void **unused)
{
    struct memevent_record records[8];
    bool seen = false;
    uint64_t lost;

    (void)unused;
    fake_channels_invalidate(&fake, 2, 42);
    for ( unsigned int round = 0; round < 100 && !seen; round++ )
    {
        int rc;

        for ( unsigned int i = 0; i < 8; i++ )
        {
            fake_channels_invalidate(&fake, 0, 1);
            fake_channels_invalidate(&fake, 1, 1);
        }
        rc = memevent_take_records(channel, records, 8, &lost);
        for ( int i = 0; i < rc; i++ )
            seen |= records[i].what == 42;
    }
    assert_true(seen);
}

static void test_wakeups(void **unused)
{
    struct memevent_record records[SLOTS];
    uint64_t lost;

    (void)unused;
    /* Not asked: never. */
    for ( unsigned int i = 0; i < 2 * SLOTS; i++ )
        fake_channels_invalidate(&fake, 0, i);
    fake_channels_expire(&fake, 0);
    assert_int_equal(fake.signals, 0);
    /* A batch is there: no sleep. */
    assert_int_equal(memevent_arm(channel), 1);
    while ( memevent_take_records(channel, records, SLOTS, &lost) || lost )
        continue;

    /* Fewer than a batch: sleep, until it is one. */
    fake_channels_invalidate(&fake, 1, 0);
    assert_int_equal(memevent_arm(channel), 0);
    for ( unsigned int i = 1; i < BATCH; i++ )
    {
        assert_false(is_readable());
        fake_channels_invalidate(&fake, 1, i);
    }
    assert_true(is_readable());
    for ( unsigned int i = 0; i < 10 * SLOTS; i++ )
        fake_channels_invalidate(&fake, 1, i);
    /* The wish of each CPU is fulfilled once at most. */
    assert_int_equal(fake.signals, 1);
    while ( memevent_take_records(channel, records, SLOTS, &lost) || lost )
        continue;

    /* Or until the deadline. */
    assert_int_equal(memevent_arm(channel), 0);
    fake_channels_expire(&fake, 2);
    assert_false(is_readable());
    fake_channels_invalidate(&fake, 2, 7);
    assert_false(is_readable());
    fake_channels_expire(&fake, 2);
    assert_true(is_readable());
}

/* A loss that nobody was woken for, with nothing left in the ring. */
static void test_loss_is_no_reason_to_sleep(void **unused)
{
    struct memevent_record records[SLOTS];
    uint64_t lost;

    (void)unused;
    for ( unsigned int i = 0; i < SLOTS; i++ )
        fake_channels_invalidate(&fake, 1, i);
    assert_int_equal(memevent_take_records(channel, records, SLOTS, &lost), SLOTS);
    assert_int_equal(memevent_arm(channel), 0);
    /* It fulfils the wish; and the consumer takes the records, and the signal, without having seen the loss. */
    for ( unsigned int i = 0; i < SLOTS; i++ )
        fake_channels_invalidate(&fake, 1, i);
    assert_int_equal(memevent_take_records(channel, records, SLOTS, &lost), SLOTS);
    assert_int_equal(lost, 0);
    fake.lossy[1].dropped++;
    fake.lossy[1].shared->dropped = fake.lossy[1].dropped;
    assert_int_equal(memevent_arm(channel), 1);
    assert_int_equal(memevent_take_records(channel, records, SLOTS, &lost), 0);
    assert_int_equal(lost, 1);
    assert_int_equal(memevent_arm(channel), 0);
}

static void test_another_consumer(void **unused)
{
    struct memevent_record records[4];
    uint64_t lost;

    (void)unused;
    for ( unsigned int i = 0; i < 2 * SLOTS; i++ )
        fake_channels_invalidate(&fake, 0, i);
    assert_int_equal(memevent_take_records(channel, records, 4, &lost), 4);
    assert_int_equal(lost, SLOTS);
    memevent_leave(channel);
    attach();
    assert_int_equal(memevent_take_records(channel, records, 4, &lost), 4);
    assert_int_equal(records[0].what, 4);
    /* Of what was lost before it was there it was not told: it knows nothing anyway. */
    assert_int_equal(lost, 0);
}

static void test_impossible_indices(void **unused)
{
    struct memevent_record records[4];
    uint64_t lost;

    (void)unused;
    fake_channels_invalidate(&fake, 0, 5);
    fake.lossy[1].shared->producer = SLOTS + 1;
    assert_int_equal(memevent_take_records(channel, records, 4, &lost), 1);
    assert_int_equal(records[0].what, 5);
    assert_int_equal(memevent_take_records(channel, records, 4, &lost), -EBADMSG);
    assert_int_equal(memevent_arm(channel), -EBADMSG);
    assert_int_equal(memevent_peek(channel), 0);
}

static void test_other_calls(void **unused)
{
    struct memevent_options none = { 0 };
    struct memevent_event event;
    const char *why;

    (void)unused;
    assert_int_equal(memevent_next(channel, &event), -EOPNOTSUPP);
    assert_int_equal(memevent_answer(channel, 1), -EOPNOTSUPP);
    assert_int_equal(memevent_flush(channel), 0);
    assert_string_equal(memevent_get_transport(channel), "lossy channel");
    assert_int_equal(memevent_can_reattach(channel), 1);
    assert_int_equal(fake.options.batch, BATCH);
    assert_int_equal(fake.options.deadline, 100);
    memevent_leave(channel);
    /* What was not said has a sense. */
    assert_int_equal(memevent_attach_with(&fake.hv, MEMEVENT_CLASS_INVALIDATE, MEMEVENT_HOST, &none, &channel,
                                          &why), 0);
    assert_true(fake.options.batch && fake.options.deadline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records, begin, end),
        cmocka_unit_test_setup_teardown(test_everything_is_taken_or_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_no_cpu_is_last, begin, end),
        cmocka_unit_test_setup_teardown(test_wakeups, begin, end),
        cmocka_unit_test_setup_teardown(test_loss_is_no_reason_to_sleep, begin, end),
        cmocka_unit_test_setup_teardown(test_another_consumer, begin, end),
        cmocka_unit_test_setup_teardown(test_impossible_indices, begin, end),
        cmocka_unit_test_setup_teardown(test_other_calls, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
