/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching to channels of a hypervisor that has them: what is asked of it, mapped and bound, and what remains when it
 * is ended, left, or fails on the way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <xenctrl.h>

#include "fake-libraries.h"
#include "hypervisor/hypervisor.h"

static struct hypervisor *hv;
static struct hypervisor_ring *ring;
static const char *why;

static int setup(void **unused)
{
    (void)unused;
    fake_reset();
    fake.has_channels = true;
    assert_int_equal(hypervisor_open_xen(&hv), 0);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    hv->ops->close(hv);
    assert_int_equal(fake.opened, 0);
    assert_int_equal(fake.buffers, 0);
    return 0;
}

static int attach(enum memevent_class class, uint16_t domid, const struct memevent_options *options)
{
    why = "untouched";
    ring = (struct hypervisor_ring *)&why;
    return hv->ops->attach_ring(hv, class, domid, options, &ring, &why);
}

static void expect_nothing_left(void)
{
    assert_int_equal(fake.mapped, 0);
    assert_int_equal(fake.channels, 0);
    assert_int_equal(fake.pauses, 0);
    assert_false(fake.paging_enabled);
}

static void test_attach_and_end(void **unused)
{
    static const struct {
        enum memevent_class class;
        uint16_t domid, remote;
        struct memevent_options options;
        enum hypervisor_ring_kind kind;
    } cases[] = {
        { MEMEVENT_CLASS_OOM, FAKE_DOMID, FAKE_DOMID, { 0 }, RING_RELIABLE },
        { MEMEVENT_CLASS_PAGING, FAKE_DOMID, FAKE_DOMID, { 0 }, RING_RELIABLE },
        { MEMEVENT_CLASS_ACCESS, FAKE_DOMID, FAKE_DOMID, { .flags = MEMEVENT_FULL_REGISTERS }, RING_RELIABLE },
        { MEMEVENT_CLASS_INVALIDATE, MEMEVENT_HOST, DOMID_SELF, { .batch = 32, .deadline = 500 }, RING_LOSSY },
    };
    int priority = -1;

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        fake.priority = -1;
        assert_int_equal(attach(cases[i].class, cases[i].domid, &cases[i].options), 0);
        assert_null(why);
        assert_int_equal(fake.attached.domid, cases[i].domid);
        assert_int_equal(fake.attached.channel_class, cases[i].class);
        assert_int_equal(fake.attached.flags, cases[i].options.flags);
        assert_int_equal(fake.attached.batch, cases[i].options.batch);
        assert_int_equal(fake.attached.deadline, cases[i].options.deadline);
        assert_int_equal(fake.remote, cases[i].remote);
        assert_int_equal(ring->kind, cases[i].kind);
        assert_int_equal(ring->size, 2 * HYPERVISOR_PAGE_SIZE);
        assert_int_equal(ring->ring_size, 2 * HYPERVISOR_PAGE_SIZE);
        assert_int_equal(ring->rings, 1);
        assert_int_equal(ring->slots, 64);
        assert_int_equal(ring->request_size, 64);
        assert_int_equal(ring->response_size, 16);
        assert_int_equal(ring->request_offset, 4096);
        assert_int_equal(ring->response_offset, 256);
        assert_int_equal(ring->batch, cases[i].options.batch);
        assert_int_equal(ring->redelivered, 3);
        assert_int_equal(ring->attachment, i + 1);
        /* In this order of urgency; 7 is everybody's. */
        assert_true(fake.priority > priority);
        assert_int_equal(fake.priority < 7, cases[i].kind == RING_RELIABLE);
        priority = fake.priority;

        assert_int_equal(hv->ops->arm_ring(hv, ring), 0);
        fake_signal();
        assert_int_equal(hv->ops->arm_ring(hv, ring), 1);
        assert_int_equal(hv->ops->notify_ring(hv, ring), 0);

        hv->ops->detach_ring(hv, ring);
        assert_int_equal(fake.detaches, i + 1);
        expect_nothing_left();
    }
    /* The guest's own memory is none of it. */
    assert_true(fake.populated[0] && !fake.populated[FAKE_RING_GFN]);
}

static void test_leaving_ends_nothing(void **unused)
{
    (void)unused;
    assert_int_equal(attach(MEMEVENT_CLASS_PAGING, FAKE_DOMID, NULL), 0);
    hv->ops->leave_ring(hv, ring);
    assert_int_equal(fake.detaches, 0);
    expect_nothing_left();
    hv->ops->leave_ring(hv, NULL);

    /* What cannot be ended is left. */
    assert_int_equal(attach(MEMEVENT_CLASS_PAGING, FAKE_DOMID, NULL), 0);
    fake.detach_fails = EBUSY;
    hv->ops->detach_ring(hv, ring);
    expect_nothing_left();
}

static void test_refusals(void **unused)
{
    static const struct {
        enum memevent_class class;
        int error;
        const char *word;
    } refusals[] = {
        { MEMEVENT_CLASS_PAGING, EBUSY, "another pager" },
        { MEMEVENT_CLASS_OOM, EBUSY, "another consumer" },
        { MEMEVENT_CLASS_PAGING, EMLINK, "passed-through" },
        { MEMEVENT_CLASS_PAGING, EOPNOTSUPP, "PV dom0" },
        { MEMEVENT_CLASS_OOM, ENOSYS, "built without" },
        { MEMEVENT_CLASS_OOM, ESRCH, NULL },
    };

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++ )
    {
        fake.attach_fails = refusals[i].error;
        assert_int_equal(attach(refusals[i].class, FAKE_DOMID, NULL), -refusals[i].error);
        assert_null(ring);
        if ( refusals[i].word )
            assert_non_null(strstr(why, refusals[i].word));
        else
            assert_null(why);
        expect_nothing_left();
    }
    fake.attach_fails = 0;
    assert_int_equal(attach(77, FAKE_DOMID, NULL), -EINVAL);
    fake.flags = XEN_DOMINF_hap;
    assert_int_equal(attach(MEMEVENT_CLASS_PAGING, FAKE_DOMID, NULL), -EPROTOTYPE);
    assert_non_null(strstr(why, "PV guest"));
    expect_nothing_left();
}

/* What this consumer created and cannot use is ended; what was there before it is not. */
static void test_every_step_can_fail(void **unused)
{
    int *const steps[] = { &fake.resource_fails, &fake.events_fail, &fake.bind_fails, &fake.priority_fails };

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++ )
    {
        for ( unsigned int before = 0; before < 2; before++ )
        {
            fake.attaches = before;
            fake.detaches = 0;
            *steps[i] = EACCES;
            assert_int_equal(attach(MEMEVENT_CLASS_PAGING, FAKE_DOMID, NULL), -EACCES);
            assert_null(ring);
            assert_int_equal(fake.detaches, !before);
            expect_nothing_left();
            *steps[i] = 0;
        }
    }
}

static void test_impossible_geometry(void **unused)
{
    static const unsigned int cases[][3] = { { 0, 1, 0 }, { 2, 1, 3 }, { 4, 3, 2 }, { 70000, 1, 70000 } };

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        fake.frames = cases[i][0];
        fake.rings = cases[i][1];
        fake.ring_frames = cases[i][2];
        assert_int_equal(attach(MEMEVENT_CLASS_PAGING, FAKE_DOMID, NULL), -EPROTO);
        expect_nothing_left();
    }
}

static void test_info(void **unused)
{
    struct memevent_channel_info info;
    uint32_t small[4];
    uint64_t large[11];

    (void)unused;
    assert_int_equal(hv->ops->get_channel_info(hv, MEMEVENT_CLASS_PAGING, FAKE_DOMID, &info), 0);
    memcpy(small, (const char *)&info + offsetof(struct memevent_channel_info, outstanding), sizeof(small));
    memcpy(large, (const char *)&info + offsetof(struct memevent_channel_info, produced), sizeof(large));
    for ( unsigned int i = 0; i < 4; i++ )
        assert_int_equal(small[i], 100 + i);
    for ( unsigned int i = 0; i < 11; i++ )
        assert_int_equal(large[i], 200 + i);
    assert_int_equal(hv->ops->get_channel_info(hv, MEMEVENT_CLASS_PAGING, FAKE_DOMID + 1, &info), -ENOENT);
}

/* A hypervisor that lacks one of the calls is a stock one: upstream's ring serves. */
static void test_all_or_nothing(void **unused)
{
    static const uint32_t calls[] = {
        XEN_MEMEVENT_BATCH, XEN_MEMEVENT_ATTACH, XEN_MEMEVENT_INFO,
        XEN_MEMEVENT_PAGING_EVICT, XEN_MEMEVENT_PAGING_QUERY,
    };
    struct memevent_channel_info counters;
    struct hypervisor_info info;

    (void)unused;
    assert_int_equal(hv->ops->probe(hv, &info), 0);
    assert_true(info.has_channels && info.has_paging);
    assert_null(info.channels_missing);
    for ( unsigned int i = 0; i <= sizeof(calls) / sizeof(calls[0]); i++ )
    {
        hv->ops->close(hv);
        if ( i < sizeof(calls) / sizeof(calls[0]) )
            fake.not_known = calls[i];
        else
            fake.has_channels = false;
        assert_int_equal(hypervisor_open_xen(&hv), 0);
        assert_int_equal(hv->ops->probe(hv, &info), 0);
        assert_false(info.has_channels);
        assert_non_null(strstr(info.channels_missing, "hypervisor-patches/build"));
        assert_int_equal(attach(MEMEVENT_CLASS_OOM, FAKE_DOMID, NULL), -ENOSYS);
        assert_string_equal(why, info.channels_missing);
        assert_int_equal(hv->ops->get_channel_info(hv, MEMEVENT_CLASS_PAGING, FAKE_DOMID, &counters), -ENOSYS);
        assert_int_equal(attach(MEMEVENT_CLASS_PAGING, FAKE_DOMID, NULL), 0);
        assert_int_equal(ring->kind, RING_VM_EVENT);
        hv->ops->leave_ring(hv, ring);
        expect_nothing_left();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attach_and_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaving_ends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_step_can_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impossible_geometry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_info, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_or_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
