/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Batches of operations on a hypervisor with channels: one crossing for any mixture, each operation's own answer, and
 * memory that is out of reach for a moment.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake-libraries.h"
#include "hypervisor/hypervisor.h"

static struct hypervisor *hv;
static struct hypervisor_operation ops[HYPERVISOR_BATCH_MAX];
static char *data;

static int setup(void **unused)
{
    (void)unused;
    fake_reset();
    fake.has_channels = true;
    assert_int_equal(hypervisor_open_xen(&hv), 0);
    data = hv->ops->alloc_buffer(hv, HYPERVISOR_BATCH_MAX);
    assert_non_null(data);
    fake.hypercalls = 0;
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    hv->ops->free_buffer(hv, data, HYPERVISOR_BATCH_MAX);
    hv->ops->close(hv);
    assert_int_equal(fake.buffers, 0);
    return 0;
}

static void set(unsigned int i, uint32_t call, bool with_data)
{
    ops[i] = (struct hypervisor_operation){
        .call = call, .domid = FAKE_DOMID, .gfn = i, .status = 12345,
        .data = with_data ? data + (size_t)i * HYPERVISOR_PAGE_SIZE : NULL,
    };
}

static const uint32_t paging_calls[] = { PAGING_NOMINATE, PAGING_EVICT, PAGING_LOAD, PAGING_RELEASE, PAGING_QUERY };

static void test_any_mixture_in_one_crossing(void **unused)
{
    static const int errors[] = { 0, EBUSY, EAGAIN, 0, ENOENT, ENOMEM, 0 };
    static const unsigned int sizes[] = { 1, 2, 77, HYPERVISOR_BATCH_MAX };
    struct hypervisor_counts counts;

    (void)unused;
    for ( unsigned int s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++ )
    {
        for ( unsigned int i = 0; i < sizes[s]; i++ )
        {
            set(i, paging_calls[i % 5], i % 5 == 1 || i % 5 == 2);
            fake.paging[i] = fake.release[i] = errors[i % 7];
            if ( i % 11 == 10 )
                ops[i].domid++;
        }
        fake.operations = fake.hypercalls = 0;
        assert_int_equal(hv->ops->submit(hv, ops, sizes[s]), 0);
        assert_int_equal(fake.hypercalls, 1);
        assert_int_equal(fake.operations, sizes[s]);
        for ( unsigned int i = 0; i < sizes[s]; i++ )
        {
            assert_int_equal(fake.asked[i], i);
            assert_int_equal(fake.sent[i].call, ops[i].call);
            assert_int_equal(ops[i].status, i % 11 == 10 ? -ESRCH : -errors[i % 7]);
            if ( ops[i].call == PAGING_EVICT && !ops[i].status )
                assert_int_equal(*(uint64_t *)ops[i].data, i);
        }
    }
    hv->ops->get_counts(hv, &counts);
    assert_int_equal(counts.hypercalls, 4);
    assert_int_equal(counts.operations, 1 + 2 + 77 + HYPERVISOR_BATCH_MAX);
}

/* A page of which is not known what it is: marked, in use, or out with nobody who has its bytes. */
static void test_load_without_data(void **unused)
{
    static const struct {
        int release, query, status;
    } cases[] = {
        { 0, ENOENT, 0 },
        { ENOENT, ENOENT, -ENOENT },
        { ENOENT, 0, -EINVAL },
        { ESRCH, ESRCH, -ESRCH },
    };

    (void)unused;
    for ( unsigned int i = 0; i < 16; i++ )
    {
        set(i, PAGING_LOAD, i % 5 == 4);
        fake.release[i] = cases[i % 4].release;
        fake.paging[i] = cases[i % 4].query;
    }
    assert_int_equal(hv->ops->submit(hv, ops, 16), 0);
    assert_int_equal(fake.hypercalls, 1);
    assert_int_equal(fake.operations, 29);
    for ( unsigned int i = 0; i < 16; i++ )
        assert_int_equal(ops[i].status, i % 5 == 4 ? -cases[i % 4].query : cases[i % 4].status);

    /* As many as there can be, each of them two. */
    for ( unsigned int i = 0; i < HYPERVISOR_BATCH_MAX; i++ )
    {
        set(i, PAGING_LOAD, false);
        fake.release[i] = fake.paging[i] = i % 3 ? 0 : ENOENT;
    }
    fake.operations = fake.hypercalls = 0;
    assert_int_equal(hv->ops->submit(hv, ops, HYPERVISOR_BATCH_MAX), 0);
    assert_int_equal(fake.hypercalls, 1);
    assert_int_equal(fake.operations, 2 * HYPERVISOR_BATCH_MAX);
    for ( unsigned int i = 0; i < HYPERVISOR_BATCH_MAX; i++ )
        assert_int_equal(ops[i].status, i % 3 ? 0 : -ENOENT);
}

static void test_sharing_and_access(void **unused)
{
    (void)unused;
    ops[0] = (struct hypervisor_operation){
        .call = SHARING_MERGE, .domid = FAKE_DOMID, .gfn = 7,
        .sharing = { .client_gfn = 0x99, .client_domid = 12 },
    };
    ops[1] = (struct hypervisor_operation){
        .call = ACCESS_SET, .domid = FAKE_DOMID, .gfn = 9, .access = { .count = 5, .access = 3 },
    };
    fake.paging[7] = EILSEQ;
    assert_int_equal(hv->ops->submit(hv, ops, 2), 0);
    assert_int_equal(fake.sent[0].u.sharing.gfn, 7);
    assert_int_equal(fake.sent[0].u.sharing.client_gfn, 0x99);
    assert_int_equal(fake.sent[0].u.sharing.client_domid, 12);
    assert_int_equal(ops[0].status, -EILSEQ);
    assert_int_equal(ops[0].sharing.outcome, XEN_MEMEVENT_DIFFERENT);
    assert_int_equal(ops[0].sharing.handle, 0x123456789);
    assert_int_equal(fake.sent[1].u.access.count, 5);
    assert_int_equal(fake.sent[1].u.access.access, 3);
    assert_int_equal(ops[1].access.done, 4);
}

static void test_faults_that_pass(void **unused)
{
    (void)unused;
    set(0, PAGING_LOAD, true);
    set(1, PAGING_LOAD, true);
    set(2, PAGING_EVICT, true);
    fake.faults[0] = 2;           /* passes */
    fake.faults[1] = 1000;        /* does not */
    fake.faults[2] = 1;           /* an eviction must not be repeated: its page is not marked any more */
    assert_int_equal(hv->ops->submit(hv, ops, 3), 0);
    assert_int_equal(ops[0].status, 0);
    assert_int_equal(ops[1].status, -EFAULT);
    assert_int_equal(ops[2].status, -EFAULT);
    assert_true(fake.faults[1] > 900);
    assert_int_equal(fake.faults[2], 0);
}

static void test_faults_of_the_batch(void **unused)
{
    (void)unused;
    for ( unsigned int i = 0; i < 5; i++ )
    {
        set(i, PAGING_NOMINATE, false);
        fake.paging[i] = i;
    }
    fake.batch_faults = 2;
    assert_int_equal(hv->ops->submit(hv, ops, 5), 0);
    assert_int_equal(fake.batches, 3);
    assert_int_equal(fake.operations, 5);
    for ( unsigned int i = 0; i < 5; i++ )
        assert_int_equal(ops[i].status, -(int)i);

    /* For good: what was carried out has its status, the rest the error. */
    for ( unsigned int i = 0; i < 5; i++ )
        set(i, i % 2 ? PAGING_LOAD : PAGING_NOMINATE, false);
    fake.batch_faults = 1000;
    assert_int_equal(hv->ops->submit(hv, ops, 5), -EFAULT);
    assert_true(fake.batch_faults > 900);
    assert_int_equal(ops[0].status, 0);
    assert_int_equal(ops[4].status, -EFAULT);
    fake.batch_faults = 0;
}

static void test_refused_batches(void **unused)
{
    (void)unused;
    assert_int_equal(hv->ops->submit(hv, ops, 0), 0);
    for ( unsigned int what = 0; what < 9; what++ )
    {
        for ( unsigned int i = 0; i < 3; i++ )
            set(i, PAGING_EVICT, true);
        switch ( what )
        {
        case 0: ops[1].pad = 1; break;
        case 1: ops[1].pad2 = 1; break;
        case 2: ops[1].call |= 1; break;
        case 3: ops[1].call = HYPERVISOR_CALL(2, 9); break;
        case 4: ops[2].data = NULL; break;
        case 5: ops[2].data = (char *)ops[2].data + 8; break;
        case 6: ops[2].call = PAGING_QUERY; break;
        case 7: ops[0].sharing.client_gfn = 1; break;
        case 8: set(0, ACCESS_SET, false); ops[0].access.pad = 1; break;
        }
        assert_int_equal(hv->ops->submit(hv, ops, 3), -EINVAL);
    }
    assert_int_equal(fake.hypercalls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_mixture_in_one_crossing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_without_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sharing_and_access, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_that_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_of_the_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_batches, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
