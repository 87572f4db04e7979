/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACCESS on a stock hypervisor: attaching to a domain's monitor ring, what stands in the way and in which words, and setting
 * the access of frames in few calls.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <xenctrl.h>

#include "fake-access.h"
#include "fake-libraries.h"
#include "hypervisor/hypervisor.h"

static struct hypervisor *hv;
static struct hypervisor_ring *ring;
static const char *why;

static int setup(void **unused)
{
    (void)unused;
    fake_reset();
    memset(&fake_access, 0, sizeof(fake_access));
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
    return hv->ops->attach_ring(hv, MEMEVENT_CLASS_ACCESS, FAKE_DOMID, NULL, &ring, &why);
}

static void expect_nothing_left(void)
{
    assert_null(ring);
    assert_int_equal(fake.mapped, 0);
    assert_int_equal(fake.channels, 0);
    assert_false(fake_access.is_enabled);
}

static void test_attach(void **unused)
{
    (void)unused;
    assert_int_equal(attach(), 0);
    assert_null(why);
    assert_int_equal(ring->kind, RING_VM_EVENT);
    assert_int_equal(ring->size, HYPERVISOR_PAGE_SIZE);
    assert_true(fake.priority >= 0 && fake.priority < 7);
    assert_int_equal(fake.remote, FAKE_DOMID);
    assert_int_equal(hv->ops->notify_ring(hv, ring), 0);
    hv->ops->detach_ring(hv, ring);
    ring = NULL;
    expect_nothing_left();
    assert_int_equal(fake_access.disables, 1);
    assert_int_equal(fake.disables, 0);     /* the pager's */

    /* There is nobody to leave it to. */
    assert_int_equal(attach(), 0);
    hv->ops->leave_ring(hv, ring);
    ring = NULL;
    expect_nothing_left();
}

static void test_refusals(void **unused)
{
    (void)unused;
    fake.flags = XEN_DOMINF_hap;
    assert_int_equal(attach(), -EPROTOTYPE);
    assert_non_null(strstr(why, "type=\"pvh\""));
    expect_nothing_left();
    fake.flags = XEN_DOMINF_hvm_guest;
    assert_int_equal(attach(), -ENODEV);
    assert_non_null(strstr(why, "hap=1"));
    expect_nothing_left();
    fake.flags |= XEN_DOMINF_hap;

    fake_access.enable_fails = EBUSY;
    assert_int_equal(attach(), -EBUSY);
    assert_non_null(strstr(why, "another program monitors"));
    expect_nothing_left();
    fake_access.enable_fails = ENOMEM;
    assert_int_equal(attach(), -ENOMEM);
    assert_null(why);
    expect_nothing_left();
    fake_access.enable_fails = 0;

    fake_access.is_missing = true;
    assert_int_equal(attach(), -EOPNOTSUPP);
    assert_non_null(strstr(why, "Intel"));
    expect_nothing_left();
    fake_access.is_missing = false;

    fake.bind_fails = ENOSPC;
    assert_int_equal(attach(), -ENOSPC);
    expect_nothing_left();
    fake.bind_fails = 0;

    fake.exists = false;
    assert_int_equal(attach(), -ESRCH);
    expect_nothing_left();
}

static struct hypervisor_operation setting(uint64_t gfn, uint32_t count, uint32_t access)
{
    return (struct hypervisor_operation){
        .call = ACCESS_SET, .domid = FAKE_DOMID, .gfn = gfn, .access = { .count = count, .access = access },
    };
}

static void test_set(void **unused)
{
    struct hypervisor_operation operations[6];

    (void)unused;
    assert_int_equal(attach(), 0);

    /* One call for all that are a frame each, whatever the access; one for the range. */
    operations[0] = setting(1, 1, XENMEM_access_rw);
    operations[1] = setting(7, 1, XENMEM_access_rx);
    operations[2] = setting(3, 1, XENMEM_access_n);
    operations[3] = setting(10, 20, XENMEM_access_rx2rw);
    assert_int_equal(hv->ops->submit(hv, operations, 4), 0);
    assert_int_equal(fake_access.calls, 2);
    for ( unsigned int i = 0; i < 4; i++ )
    {
        assert_int_equal(operations[i].status, 0);
        assert_int_equal(operations[i].access.done, operations[i].access.count);
    }
    assert_int_equal(fake_access.access[1], XENMEM_access_rw + 1);
    assert_int_equal(fake_access.access[7], XENMEM_access_rx + 1);
    assert_int_equal(fake_access.access[3], XENMEM_access_n + 1);
    assert_int_equal(fake_access.access[29], XENMEM_access_rx2rw + 1);
    assert_int_equal(fake_access.access[30], 0);

    /* What is wrong is nobody else's fault, and none of it gets to Xen where it would mean something else. */
    fake_access.fails[41] = ESRCH;
    operations[0] = setting(40, 1, XENMEM_access_rx);
    operations[1] = setting(41, 1, XENMEM_access_rx);
    operations[2] = setting(42, 1, XENMEM_access_rx);
    operations[3] = setting(UINT64_MAX, 1, XENMEM_access_n);
    operations[4] = setting(43, 1, 256 + XENMEM_access_n);
    operations[5] = setting(44, 0, XENMEM_access_n);
    assert_int_equal(hv->ops->submit(hv, operations, 6), 0);
    assert_int_equal(operations[0].status, 0);
    assert_int_equal(operations[1].status, -ESRCH);
    assert_int_equal(operations[2].status, 0);
    for ( unsigned int i = 3; i < 6; i++ )
        assert_int_equal(operations[i].status, -EINVAL);
    assert_int_equal(fake_access.access[40], XENMEM_access_rx + 1);
    assert_int_equal(fake_access.access[42], XENMEM_access_rx + 1);
    assert_int_equal(fake_access.access[43], 0);
    hv->ops->detach_ring(hv, ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attach, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
