/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching to a domain's paging ring: what stands in the way and in which words, and that nothing is left behind when
 * it fails, neither here nor in the guest's frames. And the few other answers of the back end.
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

static int attach(void)
{
    why = "untouched";
    ring = (struct hypervisor_ring *)&why;
    return hv->ops->attach_ring(hv, MEMEVENT_CLASS_PAGING, FAKE_DOMID, NULL, &ring, &why);
}

static void expect_nothing_left(bool ring_page_populated)
{
    assert_null(ring);
    assert_int_equal(fake.mapped, 0);
    assert_int_equal(fake.channels, 0);
    assert_int_equal(fake.pauses, 0);
    assert_false(fake.paging_enabled);
    assert_int_equal(fake.populated[FAKE_RING_GFN], ring_page_populated);
}

static void test_attach(void **unused)
{
    (void)unused;
    for ( int was_populated = 0; was_populated < 2; was_populated++ )
    {
        fake.populated[FAKE_RING_GFN] = was_populated;
        fake.priority = -1;
        assert_int_equal(attach(), 0);
        assert_null(why);
        assert_int_equal(ring->size, HYPERVISOR_PAGE_SIZE);
        /* Out of the guest's reach, which runs. */
        assert_false(fake.populated[FAKE_RING_GFN]);
        assert_int_equal(fake.pauses, 0);
        assert_true(fake.priority >= 0 && fake.priority < 7);
        assert_int_equal(fake.remote, FAKE_DOMID);
        assert_int_equal(ring->kind, RING_VM_EVENT);

        assert_int_equal(hv->ops->arm_ring(hv, ring), 0);
        fake_signal();
        assert_int_equal(hv->ops->arm_ring(hv, ring), 1);
        assert_int_equal(hv->ops->arm_ring(hv, ring), 0);
        assert_int_equal(hv->ops->notify_ring(hv, ring), 0);
        fake.notify_fails = ENXIO;
        assert_int_equal(hv->ops->notify_ring(hv, ring), -ENXIO);
        fake.notify_fails = 0;

        hv->ops->detach_ring(hv, ring);
        ring = NULL;
        expect_nothing_left(false);
    }
    hv->ops->detach_ring(hv, NULL);
    assert_int_equal(fake.disables, 2);
}

/* Each refusal has its sentence, with what to do in it. */
static void test_refusals(void **unused)
{
    static const struct {
        int error;
        const char *word;
    } refusals[] = {
        { EBUSY, "another pager" },
        { ENODEV, "hap=1" },
        { EMLINK, "passed-through" },
        { EXDEV, "maxmem" },
        { EOPNOTSUPP, "PV dom0" },
        { EPROTOTYPE, "type=\"pvh\"" },
    };

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++ )
    {
        for ( int was_populated = 0; was_populated < 2; was_populated++ )
        {
            fake.populated[FAKE_RING_GFN] = was_populated;
            fake.enable_fails = refusals[i].error;
            assert_int_equal(attach(), -refusals[i].error);
            assert_non_null(why);
            assert_non_null(strstr(why, refusals[i].word));
            expect_nothing_left(was_populated);
        }
    }
    /* One that needs no words. */
    fake.enable_fails = ENOMEM;
    assert_int_equal(attach(), -ENOMEM);
    assert_null(why);
}

/* What can be known before anything is touched. */
static void test_refused_before(void **unused)
{
    (void)unused;
    fake.enable_fails = EIO;      /* if it got there */

    fake.flags = XEN_DOMINF_hap;
    assert_int_equal(attach(), -EPROTOTYPE);
    assert_non_null(strstr(why, "PV guest"));
    fake.flags = XEN_DOMINF_hvm_guest;
    assert_int_equal(attach(), -ENODEV);
    assert_non_null(strstr(why, "HAP"));
    fake.flags |= XEN_DOMINF_hap;
    fake.pod_entries = 1;
    assert_int_equal(attach(), -EXDEV);
    assert_non_null(strstr(why, "populate-on-demand"));
    fake.pod_entries = 0;
    fake.flags |= XEN_DOMINF_dying;
    assert_int_equal(attach(), -ESRCH);
    assert_null(why);
    fake.flags &= ~XEN_DOMINF_dying;
    fake.exists = false;
    assert_int_equal(attach(), -ESRCH);
    fake.exists = true;
    fake.has_no_paging = true;
    assert_int_equal(attach(), -ENOSYS);
    assert_non_null(strstr(why, "CONFIG_MEM_PAGING=y"));
    fake.has_no_paging = false;
    assert_int_equal(hv->ops->attach_ring(hv, 77, FAKE_DOMID, NULL, &ring, &why), -EINVAL);
    expect_nothing_left(false);

    /* Asking about populate-on-demand may fail; the hypervisor asks too. */
    fake.pod_entries = 5;
    fake.pod_fails = EPERM;
    assert_int_equal(attach(), -EIO);
}

static void test_every_step_can_fail(void **unused)
{
    int *const steps[] = {
        &fake.param_fails, &fake.domctl_fails, &fake.populate_fails, &fake.map_fails, &fake.mapping[FAKE_RING_GFN],
        &fake.enable_fails, &fake.events_fail, &fake.bind_fails, &fake.priority_fails,
    };

    (void)unused;
    for ( unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++ )
    {
        *steps[i] = EACCES;
        assert_int_equal(attach(), -EACCES);
        expect_nothing_left(false);
        *steps[i] = 0;
    }
    /* The page cannot be taken from the guest: then it is not used. */
    fake.decrease_fails = EACCES;
    assert_int_equal(attach(), -EACCES);
    expect_nothing_left(true);
    fake.decrease_fails = 0;
    fake.populated[FAKE_RING_GFN] = false;

    /* An event channel ABI without priorities is none of them. */
    fake.priority_fails = ENOSYS;
    assert_int_equal(attach(), 0);
    hv->ops->detach_ring(hv, ring);
}

static void test_every_connection_can_fail(void **unused)
{
    struct hypervisor *other;

    (void)unused;
    for ( int number = 1; number <= 5; number++ )
    {
        fake.open_fails_at = number;
        assert_int_equal(hypervisor_open_xen(&other), -EACCES);
        assert_null(other);
        /* The five of the one that setup() opened. */
        assert_int_equal(fake.opened, 5);
    }
}

static void test_probe(void **unused)
{
    struct hypervisor_info info;

    (void)unused;
    assert_int_equal(hv->ops->probe(hv, &info), 0);
    assert_true(info.has_paging);
    assert_null(info.paging_missing);
    assert_string_equal(info.version, "4.17xxxxxxxxxxxxxxxx");
    fake.has_no_paging = true;
    assert_int_equal(hv->ops->probe(hv, &info), 0);
    assert_false(info.has_paging);
    assert_non_null(info.paging_missing);
}

static void test_domains(void **unused)
{
    struct domain_info info[3];

    (void)unused;
    assert_int_equal(hv->ops->get_domain(hv, FAKE_DOMID, info), 0);
    assert_true(info->is_hvm && info->has_hap && !info->is_dying && info->vcpus == 4);
    /* The hypervisor answers with the next one. */
    assert_int_equal(hv->ops->get_domain(hv, FAKE_DOMID - 1, info), -ESRCH);
    fake.exists = false;
    assert_int_equal(hv->ops->get_domain(hv, FAKE_DOMID, info), -ESRCH);
    assert_int_equal(hv->ops->list_domains(hv, 0, info, 3), 1);
    assert_int_equal(info->domid, FAKE_DOMID + 1);
    assert_int_equal(hv->ops->list_domains(hv, FAKE_DOMID + 2, info, 3), 0);
}

static void test_frames(void **unused)
{
    uint8_t states[HYPERVISOR_QUERY_MAX + 1];
    uint64_t limit;

    (void)unused;
    assert_int_equal(hv->ops->get_frame_limit(hv, FAKE_DOMID, &limit), 0);
    assert_int_equal(limit, FAKE_GFNS);
    assert_int_equal(hv->ops->query_frames(hv, FAKE_DOMID, 1000, 100, states), 0);
    for ( unsigned int i = 0; i < 100; i++ )
        assert_int_equal(states[i], 1000 + i < 1024 && (1000 + i) % 5 != 4 ? FRAME_RAM : FRAME_EMPTY);
    assert_int_equal(hv->ops->query_frames(hv, FAKE_DOMID, 0, HYPERVISOR_QUERY_MAX, states), 0);
    assert_int_equal(hv->ops->query_frames(hv, FAKE_DOMID, 0, HYPERVISOR_QUERY_MAX + 1, states), -EINVAL);
    fake.domctl_fails = EPERM;
    assert_int_equal(hv->ops->query_frames(hv, FAKE_DOMID, 0, 10, states), -EPERM);
}

static void test_xenstore(void **unused)
{
    char value[32], token[8], small[5];

    (void)unused;
    assert_int_equal(hv->ops->watch_fd(hv), 99);
    assert_int_equal(hv->ops->read_key(hv, "/value", value, sizeof(value)), 10);
    assert_string_equal(value, "0123456789");
    assert_int_equal(hv->ops->read_key(hv, "/value", small, sizeof(small)), 10);
    assert_string_equal(small, "0123");
    assert_int_equal(hv->ops->read_key(hv, "/value", NULL, 0), 10);
    assert_int_equal(hv->ops->read_key(hv, "/else", value, sizeof(value)), -ENOENT);
    assert_int_equal(hv->ops->write_key(hv, "/value", "1"), 0);
    assert_int_equal(hv->ops->write_key(hv, "/forbidden", "1"), -EACCES);
    assert_int_equal(hv->ops->remove_key(hv, "/value"), 0);
    assert_int_equal(hv->ops->remove_key(hv, "/not-there"), -ENOENT);
    assert_int_equal(hv->ops->add_watch(hv, "/value", "t"), 0);
    assert_int_equal(hv->ops->add_watch(hv, "/watched", "t"), -EEXIST);
    assert_int_equal(hv->ops->remove_watch(hv, "/not-watched", "t"), -ENOENT);
    assert_int_equal(hv->ops->next_watch(hv, small, sizeof(small), token, sizeof(token)), 1);
    assert_string_equal(small, "0123");
    assert_string_equal(token, "token");
    assert_int_equal(hv->ops->next_watch(hv, small, sizeof(small), token, sizeof(token)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attach, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_step_can_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_connection_can_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domains, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_xenstore, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
