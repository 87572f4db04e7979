/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reliable channel with the hypervisor's own core at its other end: what a consumer sees, what comes of his answers,
 * what another consumer is given after him, and that nonsense on the ring stays without harm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "channel-bench.h"
#include "memevent/ring-reliable.h"

static void attach_class(enum memevent_class class)
{
    const char *why = NULL;

    assert_int_equal(memevent_attach(&fake.hv, class, FAKE_CHANNELS_DOMID, &channel, &why), 0);
    assert_null(why);
}

static void attach(void)
{
    attach_class(MEMEVENT_CLASS_PAGING);
}

static struct memevent_event next(void)
{
    struct memevent_event event = { 0 };

    assert_int_equal(memevent_next(channel, &event), 1);

    return event;
}

static void expect_none(void)
{
    struct memevent_event event;

    assert_int_equal(memevent_peek(channel), 0);
    assert_int_equal(memevent_next(channel, &event), 0);
}

static struct memevent_statistics statistics(void)
{
    struct memevent_statistics s;

    memevent_get_statistics(channel, &s);

    return s;
}

/* The hypervisor has had nothing to object to. */
static void expect_no_objections(void)
{
    assert_int_equal(fake.core.info.unknown + fake.core.info.repeated + fake.core.info.malformed +
                     fake.core.info.overruns, 0);
}

static void test_populate(void **unused)
{
    struct memevent_event event;
    uint64_t id;

    (void)unused;
    assert_int_equal(memevent_can_reattach(channel), 1);
    assert_int_equal(memevent_reports_touches(channel), 0);
    assert_int_equal(memevent_get_redelivered(channel), 0);
    assert_string_equal(memevent_get_transport(channel), "channel");
    expect_none();

    id = fake_channels_touch(&fake, 3, 0x123456789);
    assert_int_equal(memevent_peek(channel), 1);
    event = next();
    assert_int_equal(event.id, id);
    assert_int_equal(event.kind, MEMEVENT_PAGING_POPULATE);
    assert_int_equal(event.gfn, 0x123456789);
    assert_int_equal(event.vcpu, 3);
    assert_int_equal(event.flags, MEMEVENT_FLAG_VCPU_PAUSED);
    assert_int_equal(event.time, 1000 + 0x123456789);
    expect_none();
    assert_int_equal(statistics().outstanding, 1);

    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(statistics().outstanding, 0);
    assert_true(fake_channels_waits(&fake, 3));
    assert_int_equal(memevent_flush(channel), 0);
    assert_false(fake_channels_waits(&fake, 3));
    assert_int_equal(fake.acted, 1);
    /* Nothing new: nothing is sent. */
    assert_int_equal(memevent_flush(channel), 0);
    assert_int_equal(fake.kicks, 1);
    expect_no_objections();
}

static void test_kinds(void **unused)
{
    static const struct {
        enum memevent_class class;
        uint16_t kind, flags;
        uint16_t is_kind, is_flags;
    } cases[] = {
        { MEMEVENT_CLASS_PAGING, XEN_MEMEVENT_PAGING_POPULATE, 0, MEMEVENT_PAGING_POPULATE, 0 },
        { MEMEVENT_CLASS_PAGING, XEN_MEMEVENT_PAGING_POPULATE, XEN_MEMEVENT_FOREIGN,
          MEMEVENT_PAGING_POPULATE, MEMEVENT_FLAG_FOREIGN },
        { MEMEVENT_CLASS_PAGING, XEN_MEMEVENT_PAGING_DROP, XEN_MEMEVENT_AGAIN,
          MEMEVENT_PAGING_DROP, MEMEVENT_FLAG_AGAIN },
        { MEMEVENT_CLASS_PAGING, XEN_MEMEVENT_PAGING_RESCAN, 0, MEMEVENT_PAGING_RESCAN, 0 },
        { MEMEVENT_CLASS_OOM, XEN_MEMEVENT_OOM_UNSHARE, 0, MEMEVENT_OOM_UNSHARE, 0 },
        { MEMEVENT_CLASS_OOM, XEN_MEMEVENT_OOM_RESCAN, 0, MEMEVENT_OOM_RESCAN, 0 },
        { MEMEVENT_CLASS_ACCESS, 6, 0, 6, 0 },
    };

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        const struct xen_memevent_request request = { .gfn = i, .kind = cases[i].kind, .flags = cases[i].flags };
        struct memevent_event event;

        memevent_detach(channel);
        attach_class(cases[i].class);
        fake_channels_ask(&fake, MEMEVENT_NOBODY, &request);
        event = next();
        assert_int_equal(event.kind, cases[i].is_kind);
        assert_int_equal(event.flags, cases[i].is_flags);
        assert_int_equal(event.gfn, i);
        assert_int_equal(memevent_answer(channel, event.id), 0);
        assert_int_equal(memevent_flush(channel), 0);
        expect_no_objections();
    }
}

/* Numbers that this library does not know must not look like ones that it does. */
static void test_unknown_kinds(void **unused)
{
    (void)unused;
    for ( uint16_t kind = 4; kind < 20; kind++ )
    {
        const struct xen_memevent_request request = { .gfn = 5, .kind = kind, .flags = 0xff00 };
        struct memevent_event event;

        fake_channels_ask(&fake, MEMEVENT_NOBODY, &request);
        event = next();
        assert_true(event.kind > MEMEVENT_PAGING_RESCAN);
        assert_int_equal(event.flags, 0);
        assert_int_equal(memevent_answer(channel, event.id), 0);
    }
}

static void test_answers_in_any_order(void **unused)
{
    struct memevent_event events[FAKE_CHANNELS_VCPUS] = { { 0 } }, swap;
    uint64_t acted = 0;
    unsigned int count, j;

    (void)unused;
    srand(4711);
    for ( unsigned int round = 0; round < 500; round++ )
    {
        count = 1 + rand() % FAKE_CHANNELS_VCPUS;
        for ( unsigned int i = 0; i < count; i++ )
            assert_int_not_equal(fake_channels_touch(&fake, i, round * 128 + i), 0);
        for ( unsigned int i = 0; i < count; i++ )
        {
            events[i] = next();
            assert_int_equal(events[i].gfn, round * 128 + i);
        }
        expect_none();
        for ( unsigned int i = count - 1; i; i-- )
        {
            j = rand() % (i + 1);
            swap = events[i];
            events[i] = events[j];
            events[j] = swap;
        }
        for ( unsigned int i = 0; i < count; i++ )
        {
            assert_int_equal(memevent_answer(channel, events[i].id), 0);
            if ( rand() % 4 )
                continue;
            assert_int_equal(memevent_flush(channel), 0);
            assert_int_equal(fake.last_gfn, events[i].gfn);
            assert_false(fake_channels_waits(&fake, events[i].vcpu));
        }
        assert_int_equal(memevent_flush(channel), 0);
        acted += count;
        assert_int_equal(fake.acted, acted);
        assert_int_equal(fake.core.info.outstanding, 0);
    }
    expect_no_objections();
    assert_int_equal(statistics().answered, acted);
}

/* A consumer that answers in the middle of a batch, with every place of the ring in use. */
static void test_slots_come_back_before_answers(void **unused)
{
    struct memevent_event event;

    (void)unused;
    for ( unsigned int round = 0; round < 1000; round++ )
    {
        for ( unsigned int vcpu = 0; vcpu < FAKE_CHANNELS_VCPUS; vcpu++ )
            fake_channels_touch(&fake, vcpu, vcpu);
        while ( fake_channels_drop(&fake, 9) )
            continue;
        event = next();
        assert_int_equal(memevent_answer(channel, event.id), 0);
        assert_int_equal(memevent_flush(channel), 0);
        /* All of them are on the ring: none waits for a kick that may not come. */
        assert_int_equal(fake.core.info.waiting, 0);
    }
    expect_no_objections();
    while ( memevent_next(channel, &event) == 1 )
        assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    /* The RESCAN that stood for the drops was among them, and another for those after it was taken. */
    while ( memevent_next(channel, &event) == 1 )
    {
        assert_int_equal(event.kind, MEMEVENT_PAGING_RESCAN);
        assert_int_equal(event.gfn, MEMEVENT_NO_GFN);
        assert_int_equal(memevent_answer(channel, event.id), 0);
        assert_int_equal(memevent_flush(channel), 0);
    }
    assert_int_equal(fake.core.info.outstanding, 0);
}

static void test_refused_answers(void **unused)
{
    struct memevent_event first, second;
    unsigned int refused = 0;

    (void)unused;
    fake_channels_touch(&fake, 1, 10);
    first = next();
    assert_int_equal(memevent_answer(channel, 0), -ENOENT);
    assert_int_equal(memevent_answer(channel, UINT64_MAX), -ENOENT);
    assert_int_equal(memevent_answer(channel, first.id + 1), -ENOENT);      /* not outstanding */
    assert_int_equal(memevent_answer(channel, first.id + fake.core.slots), -ENOENT);
    assert_int_equal(memevent_answer(channel, first.id + (UINT64_C(1) << 32)), -ENOENT);
    assert_int_equal(memevent_answer(channel, first.id & UINT32_MAX), -ENOENT);
    refused = 6;
    assert_int_equal(memevent_answer(channel, first.id), 0);
    assert_int_equal(memevent_answer(channel, first.id), -EALREADY);
    assert_int_equal(memevent_flush(channel), 0);
    assert_int_equal(memevent_answer(channel, first.id), -EALREADY);
    refused += 2;

    fake_channels_touch(&fake, 1, 10);
    assert_int_equal(memevent_answer(channel, first.id + (UINT64_C(1) << 32)), -ENOENT);    /* not taken yet */
    second = next();
    assert_int_equal(second.id, first.id + (UINT64_C(1) << 32));
    assert_int_equal(memevent_answer(channel, first.id), -EALREADY);
    refused += 2;
    assert_int_equal(memevent_answer(channel, second.id), 0);
    assert_int_equal(memevent_flush(channel), 0);

    /* None of it went to the hypervisor. */
    expect_no_objections();
    assert_int_equal(fake.acted, 2);
    assert_int_equal(statistics().refused, refused);
    assert_int_equal(statistics().answered, 2);
}

static void test_generations_go_round(void **unused)
{
    struct memevent_event before, after;

    (void)unused;
    fake.core.entries[2].generation = UINT32_MAX;
    fake_channels_touch(&fake, 2, 1);
    before = next();
    assert_int_equal(before.id >> 32, UINT32_MAX);
    assert_int_equal(memevent_answer(channel, before.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    fake_channels_touch(&fake, 2, 2);
    after = next();
    assert_int_equal(after.id >> 32, 1);
    assert_int_equal(memevent_answer(channel, before.id), -EALREADY);
    assert_int_equal(memevent_answer(channel, after.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    expect_no_objections();

    /* However often a place was used since the attach: days of it. */
    for ( unsigned int i = 0; i < 20; i++ )
    {
        fake.core.entries[2].generation += UINT32_C(1) << 29;
        fake_channels_touch(&fake, 2, i);
        after = next();
        assert_int_equal(memevent_answer(channel, after.id), 0);
        assert_int_equal(memevent_answer(channel, after.id), -EALREADY);
        assert_int_equal(memevent_answer(channel, after.id - (UINT64_C(1) << 32)), -EALREADY);
        assert_int_equal(memevent_answer(channel, after.id + (UINT64_C(1) << 32)), -ENOENT);
        assert_int_equal(memevent_flush(channel), 0);
        assert_false(fake_channels_waits(&fake, 2));
    }
    expect_no_objections();
}

/* Everything that was not answered, under its old name, before what is new. */
static void test_another_consumer(void **unused)
{
    struct memevent_event taken[4], event;
    uint64_t ids[8];

    (void)unused;
    for ( unsigned int i = 0; i < 4; i++ )
        fake_channels_touch(&fake, i, 100 + i);
    for ( unsigned int i = 0; i < 4; i++ )
        taken[i] = next();
    assert_int_equal(memevent_answer(channel, taken[1].id), 0);
    /* Not taken. */
    ids[4] = fake_channels_touch(&fake, 4, 104);
    /* Leaving sends what was answered. */
    memevent_leave(channel);
    assert_false(fake_channels_waits(&fake, 1));
    /* Nobody is there. */
    ids[5] = fake_channels_touch(&fake, 5, 105);

    attach();
    /* The last one was put on the ring as well, before a consumer that was not there any more. */
    assert_int_equal(memevent_get_redelivered(channel), 5);
    assert_int_equal(memevent_answer(channel, taken[0].id), -ENOENT);
    ids[6] = fake_channels_touch(&fake, 6, 106);
    for ( unsigned int i = 0; i < 5; i++ )
    {
        static const unsigned int vcpus[] = { 0, 2, 3, 4, 5 };
        unsigned int vcpu = vcpus[i];

        event = next();
        assert_int_equal(event.id, vcpu < 4 ? taken[vcpu].id : ids[vcpu]);
        assert_int_equal(event.gfn, 100 + vcpu);
        assert_int_equal(event.vcpu, vcpu);
        assert_int_equal(event.flags, MEMEVENT_FLAG_VCPU_PAUSED | MEMEVENT_FLAG_AGAIN);
        assert_int_equal(memevent_answer(channel, event.id), 0);
    }
    event = next();
    assert_int_equal(event.id, ids[6]);
    assert_int_equal(event.flags, MEMEVENT_FLAG_VCPU_PAUSED);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    for ( unsigned int vcpu = 0; vcpu < 7; vcpu++ )
        assert_false(fake_channels_waits(&fake, vcpu));
    assert_int_equal(statistics().again, 5);
    expect_no_objections();
    assert_int_equal(fake.ended, 0);
}

/* Ending is only for a channel that owes nobody anything. */
static void test_detach(void **unused)
{
    struct memevent_event event;

    (void)unused;
    fake_channels_touch(&fake, 0, 1);
    event = next();
    memevent_detach(channel);
    assert_int_equal(fake.ended, 0);
    assert_true(fake_channels_waits(&fake, 0));
    attach();
    assert_int_equal(next().id, event.id);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    memevent_detach(channel);
    assert_int_equal(fake.ended, 1);
    assert_false(fake_channels_waits(&fake, 0));
    attach();
    assert_int_equal(memevent_get_redelivered(channel), 0);
}

static void test_sleeping(void **unused)
{
    struct memevent_event event;

    (void)unused;
    assert_int_equal(memevent_arm(channel), 0);
    assert_false(is_readable());
    for ( unsigned int i = 0; i < 10; i++ )
        fake_channels_touch(&fake, i, i);
    assert_true(is_readable());
    assert_int_equal(fake.signals, 1);
    assert_int_equal(memevent_arm(channel), 1);

    /* While it is busy, nobody signals. */
    for ( unsigned int round = 0; round < 100; round++ )
    {
        while ( memevent_next(channel, &event) == 1 )
            assert_int_equal(memevent_answer(channel, event.id), 0);
        assert_int_equal(memevent_flush(channel), 0);
        fake_channels_touch(&fake, round % 50, round);
    }
    assert_int_equal(fake.signals, 1);
    assert_int_equal(memevent_arm(channel), 1);
    while ( memevent_next(channel, &event) == 1 )
        assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_arm(channel), 0);
    assert_false(is_readable());
    fake_channels_touch(&fake, 60, 60);
    assert_true(is_readable());
    assert_int_equal(fake.signals, 2);
    assert_int_equal(memevent_arm(channel), 1);
}

static void test_impossible_indices(void **unused)
{
    static const uint32_t steps[] = { 129, 1000, 0x80000000u, 0xffffffffu };

    (void)unused;
    assert_int_equal(fake.core.slots, 128);
    for ( unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++ )
    {
        struct memevent_event taken, event;

        fake_channels_touch(&fake, 1, 1);
        taken = next();
        fake_channels_control(&fake)->request_producer = 1 + steps[i];
        assert_int_equal(memevent_next(channel, &event), -EBADMSG);
        assert_int_equal(memevent_next(channel, &event), -EBADMSG);
        assert_int_equal(memevent_peek(channel), 0);
        assert_int_equal(memevent_arm(channel), -EBADMSG);
        /* What was taken can be answered. */
        assert_int_equal(memevent_answer(channel, taken.id), 0);
        assert_int_equal(memevent_flush(channel), 0);
        assert_false(fake_channels_waits(&fake, 1));
        memevent_leave(channel);
        attach();
    }

    /* A peer that claims not to have read, or to have read what is to be written yet. */
    for ( unsigned int i = 0; i < 2; i++ )
    {
        int rc = 0;

        for ( unsigned int vcpu = 0; vcpu < FAKE_CHANNELS_VCPUS; vcpu++ )
            fake_channels_touch(&fake, vcpu, vcpu);
        fake_channels_control(&fake)->response_consumer = 0xfffffff0u;
        fake.late_kick = true;
        for ( unsigned int round = 0; round < 3 && !rc; round++ )
        {
            struct memevent_event event;

            while ( memevent_next(channel, &event) == 1 && !rc )
                rc = memevent_answer(channel, event.id);
            memevent_flush(channel);
            fake_channels_kick(&fake);
            fake_channels_control(&fake)->response_consumer = i ? 1000 : 0xfffffff0u;
            for ( unsigned int vcpu = 0; vcpu < FAKE_CHANNELS_VCPUS; vcpu++ )
                fake_channels_touch(&fake, vcpu, vcpu);
        }
        fake.late_kick = false;
        assert_int_equal(rc, -EBADMSG);
        memevent_leave(channel);
        attach();
    }
    expect_no_objections();
}

/* Slots that name no request, or one twice: they are counted, and what comes behind them is served. */
static void test_nonsense_in_slots(void **unused)
{
    uint64_t good, ids[5];
    struct memevent_event first, event;

    (void)unused;
    fake_channels_touch(&fake, 0, 0);
    first = next();
    ids[0] = 0;
    ids[1] = UINT64_C(1) << 32 | fake.core.slots;
    ids[2] = 5;                   /* no generation */
    ids[3] = first.id;            /* taken already */
    ids[4] = UINT64_MAX;
    for ( unsigned int i = 0; i < 5; i++ )
    {
        fake_channels_touch(&fake, 1 + i, 1 + i);
        fake_channels_slot(&fake, 1 + i)->id = ids[i];
    }
    good = fake_channels_touch(&fake, 10, 77);
    event = next();
    assert_int_equal(event.id, good);
    assert_int_equal(statistics().malformed, 5);
    assert_int_equal(statistics().received, 2);
    assert_int_equal(memevent_answer(channel, good), 0);
    assert_int_equal(memevent_answer(channel, first.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    /* The same once more. */
    fake_channels_touch(&fake, 11, 78);
    fake_channels_slot(&fake, 7)->id = good;
    assert_int_equal(memevent_next(channel, &event), 0);
    assert_int_equal(statistics().malformed, 6);
    expect_no_objections();
    /* What the hypervisor did ask is with it still, and the next consumer gets it. */
    memevent_leave(channel);
    attach();
    assert_int_equal(memevent_get_redelivered(channel), 6);
}

static void test_impossible_geometry(void **unused)
{
    static const struct {
        size_t offset;
        uint32_t value;
    } cases[] = {
        { offsetof(struct hypervisor_ring, slots), 0 },
        { offsetof(struct hypervisor_ring, slots), 100 },
        { offsetof(struct hypervisor_ring, slots), 256 },
        { offsetof(struct hypervisor_ring, slots), 1u << 31 },
        { offsetof(struct hypervisor_ring, request_size), 56 },
        { offsetof(struct hypervisor_ring, request_size), 65 },
        { offsetof(struct hypervisor_ring, request_size), 1u << 30 },
        { offsetof(struct hypervisor_ring, response_size), 8 },
        { offsetof(struct hypervisor_ring, response_size), 512 },
        { offsetof(struct hypervisor_ring, request_offset), 128 },
        { offsetof(struct hypervisor_ring, request_offset), 256 },
        { offsetof(struct hypervisor_ring, request_offset), 4100 },
        { offsetof(struct hypervisor_ring, request_offset), 0xfffff000u },
        { offsetof(struct hypervisor_ring, response_offset), 8 },
        { offsetof(struct hypervisor_ring, response_offset), 4096 },
    };
    struct hypervisor_ring *ring = NULL;
    const struct memevent_options none = { 0 };

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        struct transport *transport;
        const char *why = NULL;
        struct hypervisor_ring good;

        memevent_leave(channel);
        assert_int_equal(fake.hv.ops->attach_ring(&fake.hv, MEMEVENT_CLASS_PAGING, FAKE_CHANNELS_DOMID, &none, &ring,
                                                  &why), 0);
        good = *ring;
        memcpy((char *)ring + cases[i].offset, &cases[i].value, sizeof(cases[i].value));
        assert_int_equal(ring_reliable_open(ring, MEMEVENT_CLASS_PAGING, &transport), -EINVAL);
        *ring = good;
        fake.hv.ops->leave_ring(&fake.hv, ring);
        attach();
    }
}

static void test_access(void **unused)
{
    const struct memevent_options full = { .flags = MEMEVENT_FULL_REGISTERS };
    const struct xen_memevent_request request = { .gfn = 0x77, .kind = 6 };
    struct memevent_details details;
    struct memevent_event event;
    const unsigned int words = (XEN_MEMEVENT_FULL_SIZE - XEN_MEMEVENT_REGISTERS_OFFSET) / sizeof(uint64_t);
    uint64_t registers[XEN_MEMEVENT_FULL_SIZE / sizeof(uint64_t)];

    (void)unused;
    /* Other classes have none of it. */
    fake_channels_touch(&fake, 1, 1);
    event = next();
    assert_int_equal(memevent_get_details(channel, event.id, &details), -EOPNOTSUPP);
    assert_int_equal(memevent_answer_with(channel, event.id, MEMEVENT_ACTION_EMULATE), -EINVAL);
    assert_int_equal(memevent_answer_with(channel, event.id, 0), 0);
    memevent_detach(channel);

    attach_class(MEMEVENT_CLASS_ACCESS);
    fake.actions_allowed = 7;
    fake_channels_ask(&fake, 9, &request);
    event = next();
    assert_int_equal(event.kind, 6);
    assert_int_equal(memevent_get_details(channel, event.id, &details), 0);
    assert_int_equal(details.gla, UINT64_C(0x77) << 32 | 8);
    assert_int_equal(details.gpr[15], UINT64_C(0x77) << 32 | 29);
    assert_int_equal(details.cr3, UINT64_C(0x77) << 32 | 31);
    assert_int_equal(memevent_get_details(channel, event.id + 1, &details), -ENOENT);
    assert_int_equal(memevent_get_registers(channel, event.id, registers, sizeof(registers)), -EOPNOTSUPP);
    assert_int_equal(memevent_answer_with(channel, event.id, 8), -EINVAL);
    assert_int_equal(memevent_answer_with(channel, event.id, MEMEVENT_ACTION_EMULATE | MEMEVENT_ACTION_SKIP_WRITE), 0);
    assert_int_equal(memevent_get_details(channel, event.id, &details), -ENOENT);
    assert_int_equal(memevent_flush(channel), 0);
    assert_int_equal(fake.last_action, XEN_MEMEVENT_ACTION_EMULATE | XEN_MEMEVENT_ACTION_SKIP_WRITE);
    assert_false(fake_channels_waits(&fake, 9));
    memevent_detach(channel);

    assert_int_equal(memevent_attach_with(&fake.hv, MEMEVENT_CLASS_ACCESS, FAKE_CHANNELS_DOMID, &full, &channel, NULL),
                     0);
    fake_channels_ask(&fake, 9, &request);
    event = next();
    memset(registers, 0, sizeof(registers));
    assert_int_equal(memevent_get_registers(channel, event.id, registers, sizeof(registers)), 0);
    assert_int_equal(registers[0], UINT64_C(0x77) << 32 | 32);
    assert_int_equal(registers[words - 1], UINT64_C(0x77) << 32 | (32 + words - 1));
    /* There are no more. */
    assert_int_equal(registers[words], 0);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    assert_int_equal(fake.last_action, 0);
    expect_no_objections();
}

static void test_attach(void **unused)
{
    struct memevent_channel *second = NULL;
    struct memevent_options options = { .pad = 1 };
    struct memevent_channel_info info;
    struct memevent_record record;
    const char *why = NULL;
    uint64_t lost;

    (void)unused;
    assert_int_equal(memevent_attach(&fake.hv, MEMEVENT_CLASS_PAGING, FAKE_CHANNELS_DOMID, &second, &why), -EBUSY);
    assert_non_null(why);
    for ( unsigned int i = 0; i < 4; i++ )
    {
        options = (struct memevent_options){ .pad = !i, .flags = i == 1, .batch = i == 2, .deadline = i == 3 };
        assert_int_equal(memevent_attach_with(&fake.hv, MEMEVENT_CLASS_PAGING, FAKE_CHANNELS_DOMID, &options, &second,
                                              &why), -EINVAL);
    }
    assert_int_equal(memevent_attach(&fake.hv, MEMEVENT_CLASS_PAGING, MEMEVENT_HOST, &second, &why), -EINVAL);
    assert_int_equal(memevent_attach(&fake.hv, MEMEVENT_CLASS_INVALIDATE, FAKE_CHANNELS_DOMID, &second, &why),
                     -EINVAL);
    assert_null(second);

    fake_channels_touch(&fake, 1, 1);
    assert_int_equal(memevent_get_channel_info(channel, &info), 0);
    assert_int_equal(info.produced, 1);
    assert_int_equal(info.outstanding, 1);
    assert_int_equal(memevent_take_records(channel, &record, 1, &lost), -EOPNOTSUPP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_populate, begin, end),
        cmocka_unit_test_setup_teardown(test_kinds, begin, end),
        cmocka_unit_test_setup_teardown(test_unknown_kinds, begin, end),
        cmocka_unit_test_setup_teardown(test_answers_in_any_order, begin, end),
        cmocka_unit_test_setup_teardown(test_slots_come_back_before_answers, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_answers, begin, end),
        cmocka_unit_test_setup_teardown(test_generations_go_round, begin, end),
        cmocka_unit_test_setup_teardown(test_another_consumer, begin, end),
        cmocka_unit_test_setup_teardown(test_detach, begin, end),
        cmocka_unit_test_setup_teardown(test_sleeping, begin, end),
        cmocka_unit_test_setup_teardown(test_impossible_indices, begin, end),
        cmocka_unit_test_setup_teardown(test_nonsense_in_slots, begin, end),
        cmocka_unit_test_setup_teardown(test_impossible_geometry, begin, end),
        cmocka_unit_test_setup_teardown(test_access, begin, end),
        cmocka_unit_test_setup_teardown(test_attach, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
