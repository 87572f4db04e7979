/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Batches of paging operations on a stock hypervisor: what is sent, in how many crossings, and that each
 * operation gets its own answer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "fake-libraries.h"
#include "hypervisor/hypervisor.h"

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xenctrl.h>
#include <xen/memory.h>

static struct hypervisor *hv;
static struct hypervisor_operation ops[HYPERVISOR_BATCH_MAX + 1];
static char *data;

static int setup(void **unused)
{
    (void)unused;
    fake_reset();
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
    hv->ops->free_buffer(hv, NULL, 3);
    hv->ops->close(hv);
    assert_int_equal(fake.opened, 0);
    assert_int_equal(fake.buffers, 0);
    assert_int_equal(fake.mapped, 0);
    return 0;
}

/* Frames in no particular order. */
static uint64_t gfn_of(unsigned int i)
{
    return (i * 37 + 11) % 1024;
}

static void prepare(uint32_t call, unsigned int count)
{
    for ( unsigned int i = 0; i < count; i++ )
        ops[i] = (struct hypervisor_operation){
            .call = call, .domid = FAKE_DOMID, .gfn = gfn_of(i), .status = 12345,
            .data = call == PAGING_EVICT || call == PAGING_LOAD ? data + (size_t)i * HYPERVISOR_PAGE_SIZE : NULL,
        };
}

static void expect_statuses(unsigned int count)
{
    for ( unsigned int i = 0; i < count; i++ )
        assert_int_equal(ops[i].status, -fake.paging[gfn_of(i)]);
}

static const struct {
    uint32_t call;
    uint32_t stock;
} calls[] = {
    { PAGING_NOMINATE, XENMEM_paging_op_nominate },
    { PAGING_EVICT, XENMEM_paging_op_evict },
    { PAGING_LOAD, XENMEM_paging_op_prep },
};

static void test_statuses_one_to_one(void **unused)
{
    static const unsigned int sizes[] = { 1, 2, 3, 128, HYPERVISOR_BATCH_MAX };
    static const int errors[] = { 0, EBUSY, 0, ENOENT, ENOMEM, 0, 0 };

    (void)unused;
    for ( unsigned int gfn = 0; gfn < 1024; gfn++ )
        fake.paging[gfn] = errors[gfn % 7];
    for ( unsigned int c = 0; c < 3; c++ )
    {
        for ( unsigned int s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++ )
        {
            prepare(calls[c].call, sizes[s]);
            fake.operations = fake.hypercalls = fake.multicalls = 0;
            assert_int_equal(hv->ops->submit(hv, ops, sizes[s]), 0);
            assert_int_equal(fake.operations, sizes[s]);
            assert_int_equal(fake.asked_op, calls[c].stock);
            for ( unsigned int i = 0; i < sizes[s]; i++ )
                assert_int_equal(fake.asked[i], gfn_of(i));
            expect_statuses(sizes[s]);
            /* One crossing, and no multicall around a single one. */
            assert_int_equal(fake.hypercalls, 1);
            assert_int_equal(fake.multicalls, sizes[s] > 1);
        }
    }
}

static void test_counts(void **unused)
{
    struct hypervisor_counts counts;

    (void)unused;
    hv->ops->get_counts(hv, &counts);
    assert_int_equal(counts.hypercalls, 0);
    prepare(PAGING_NOMINATE, 100);
    assert_int_equal(hv->ops->submit(hv, ops, 100), 0);
    hv->ops->get_counts(hv, &counts);
    assert_int_equal(counts.hypercalls, 1);
    assert_int_equal(counts.system_calls, 1);
    assert_int_equal(counts.operations, 100);
}

static void test_evicted_bytes(void **unused)
{
    (void)unused;
    prepare(PAGING_EVICT, 64);
    assert_int_equal(hv->ops->submit(hv, ops, 64), 0);
    for ( unsigned int i = 0; i < 64; i++ )
    {
        uint64_t gfn;

        memcpy(&gfn, ops[i].data, sizeof(gfn));
        assert_int_equal(gfn, gfn_of(i));
        assert_int_equal(((uint8_t *)ops[i].data)[HYPERVISOR_PAGE_SIZE - 1], gfn & 0xff);
    }
}

/* What cannot be mapped is not evicted: nobody would have its bytes. */
static void test_unmappable_pages(void **unused)
{
    (void)unused;
    prepare(PAGING_EVICT, 10);
    fake.mapping[gfn_of(0)] = EINVAL;
    fake.mapping[gfn_of(4)] = ENOENT;
    fake.mapping[gfn_of(9)] = EINVAL;
    fake.paging[gfn_of(5)] = EBUSY;
    assert_int_equal(hv->ops->submit(hv, ops, 10), 0);
    assert_int_equal(fake.operations, 7);
    for ( unsigned int i = 0, sent = 0; i < 10; i++ )
    {
        bool skipped = i == 0 || i == 4 || i == 9;

        assert_int_equal(ops[i].status, skipped || i == 5 ? -EBUSY : 0);
        if ( !skipped )
            assert_int_equal(fake.asked[sent++], gfn_of(i));
    }

    /* One is left: it goes alone. */
    fake_reset();
    fake.opened = 5;
    fake.buffers = 6;
    prepare(PAGING_EVICT, 2);
    fake.mapping[gfn_of(0)] = EINVAL;
    fake.paging[gfn_of(1)] = ENODEV;
    assert_int_equal(hv->ops->submit(hv, ops, 2), 0);
    assert_int_equal(fake.multicalls, 0);
    assert_int_equal(ops[0].status, -EBUSY);
    assert_int_equal(ops[1].status, -ENODEV);

    /* None is left: nothing is called. */
    fake.mapping[gfn_of(1)] = EINVAL;
    fake.hypercalls = 0;
    assert_int_equal(hv->ops->submit(hv, ops, 2), 0);
    assert_int_equal(fake.hypercalls, 0);
    assert_int_equal(ops[1].status, -EBUSY);
}

static void test_nothing_carried_out(void **unused)
{
    (void)unused;
    prepare(PAGING_EVICT, 4);
    fake.map_fails = ENOMEM;
    assert_int_equal(hv->ops->submit(hv, ops, 4), -ENOMEM);
    assert_int_equal(fake.operations, 0);
    fake.map_fails = 0;
    fake.multicall_fails = EFAULT;
    assert_int_equal(hv->ops->submit(hv, ops, 4), -EFAULT);
    assert_int_equal(fake.operations, 0);
    /* The lock was given back. */
    fake.multicall_fails = 0;
    assert_int_equal(hv->ops->submit(hv, ops, 4), 0);
}

static void test_load_without_bytes(void **unused)
{
    (void)unused;
    prepare(PAGING_LOAD, 3);
    ops[1].data = NULL;
    fake.paging[gfn_of(2)] = EINVAL;
    assert_int_equal(hv->ops->submit(hv, ops, 3), 0);
    assert_int_equal(ops[1].status, 0);
    assert_int_equal(ops[2].status, -EINVAL);
}

static void test_release(void **unused)
{
    (void)unused;
    prepare(PAGING_RELEASE, 5);
    fake.set_type[gfn_of(0)] = EAGAIN;      /* it was on its way out, and an event follows */
    fake.set_type[gfn_of(1)] = 0;           /* an ordinary page */
    fake.set_type[gfn_of(2)] = EINVAL;      /* no page */
    fake.set_type[gfn_of(3)] = ESRCH;
    fake.set_type[gfn_of(4)] = EPERM;
    assert_int_equal(hv->ops->submit(hv, ops, 5), 0);
    assert_int_equal(ops[0].status, 0);
    assert_int_equal(ops[1].status, -ENOENT);
    assert_int_equal(ops[2].status, -ENOENT);
    assert_int_equal(ops[3].status, -ESRCH);
    assert_int_equal(ops[4].status, -EPERM);
    assert_int_equal(fake.hypercalls, 0);
}

/* A stock hypervisor has one call for many of the same kind; the rest follows in its turn. */
static void test_mixtures(void **unused)
{
    static const struct {
        uint32_t call;
        unsigned int multicalls, others;    /* crossings that the stretch beginning here makes */
    } mixture[] = {
        { PAGING_NOMINATE, 1, 0 }, { PAGING_LOAD, 0, 0 }, { PAGING_NOMINATE, 0, 0 },
        { PAGING_EVICT, 1, 0 }, { PAGING_EVICT, 0, 0 },
        { PAGING_RELEASE, 0, 0 },
        { PAGING_QUERY, 0, 0 },
        { SHARING_NOMINATE, 1, 0 },
        { PAGING_LOAD, 0, 1 },
    };
    enum { COUNT = sizeof(mixture) / sizeof(mixture[0]) };
    unsigned int multicalls = 0, others = 0;

    (void)unused;
    prepare(PAGING_EVICT, COUNT);
    for ( unsigned int i = 0; i < COUNT; i++ )
    {
        ops[i].call = mixture[i].call;
        if ( ops[i].call != PAGING_EVICT && ops[i].call != PAGING_LOAD )
            ops[i].data = NULL;
        fake.paging[gfn_of(i)] = fake.set_type[gfn_of(i)] = i % 2 ? EBUSY : 0;
        multicalls += mixture[i].multicalls;
        others += mixture[i].others;
    }
    fake.set_type[gfn_of(5)] = EAGAIN;
    assert_int_equal(hv->ops->submit(hv, ops, COUNT), 0);
    assert_int_equal(fake.multicalls, multicalls);
    assert_int_equal(fake.hypercalls, multicalls + others);
    for ( unsigned int i = 0; i < COUNT; i++ )
        assert_int_equal(ops[i].status, i == 5 || i == 7 ? 0 : i == 6 ? -ENOSYS : i % 2 ? -EBUSY : 0);

    /* What comes before an error keeps its status. */
    prepare(PAGING_EVICT, 4);
    ops[0].call = ops[3].call = PAGING_NOMINATE;
    ops[0].data = ops[3].data = NULL;
    fake.map_fails = ENOMEM;
    fake.paging[gfn_of(0)] = EBUSY;
    assert_int_equal(hv->ops->submit(hv, ops, 4), -ENOMEM);
    assert_int_equal(ops[0].status, -EBUSY);
    for ( unsigned int i = 1; i < 4; i++ )
        assert_int_equal(ops[i].status, -ENOMEM);
}

/* Broken contracts are refused before anything is sent. */
static void test_refused_batches(void **unused)
{
    (void)unused;
    assert_int_equal(hv->ops->submit(hv, ops, 0), 0);
    prepare(PAGING_NOMINATE, HYPERVISOR_BATCH_MAX + 1);
    assert_int_equal(hv->ops->submit(hv, ops, HYPERVISOR_BATCH_MAX + 1), -EINVAL);
    for ( unsigned int what = 0; what < 7; what++ )
    {
        prepare(PAGING_EVICT, 3);
        switch ( what )
        {
        case 0: ops[1].pad = 1; break;
        case 1: ops[1].pad2 = 1; break;
        case 2: ops[1].call = PAGING_NOMINATE; break;
        case 3: ops[2].sharing.client_gfn = 1; break;
        case 4: ops[0].call = ops[1].call = ops[2].call = HYPERVISOR_CALL(2, 9); break;
        case 5: ops[2].data = NULL; break;
        case 6: ops[2].data = (char *)ops[2].data + 8; break;
        }
        assert_int_equal(hv->ops->submit(hv, ops, 3), -EINVAL);
    }
    assert_int_equal(fake.hypercalls, 0);
    assert_int_equal(fake.operations, 0);
}

static void test_buffers_are_zeroed(void **unused)
{
    uint8_t *buffer = hv->ops->alloc_buffer(hv, 3);

    (void)unused;
    assert_int_equal((uintptr_t)buffer % HYPERVISOR_PAGE_SIZE, 0);
    for ( unsigned int i = 0; i < 3 * HYPERVISOR_PAGE_SIZE; i++ )
        assert_int_equal(buffer[i], 0);
    hv->ops->free_buffer(hv, buffer, 3);
}

/* The sanitizers take mlock() for themselves and let it do nothing: then there is nothing to see. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#endif

/* Memory that somebody else holds as well, and that keeps its contents. */
static void test_locked_memory_is_resident(void **unused)
{
    uint8_t *memory = mmap(NULL, 4 * HYPERVISOR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned char resident[4];

    (void)unused;
#ifdef IS_SANITIZED
    skip();
#endif
    assert_ptr_not_equal(memory, MAP_FAILED);
    memory[0] = 7;
    assert_int_equal(hv->ops->lock_buffer(hv, memory, 3), 0);
    assert_int_equal(mincore(memory, sizeof(resident) * HYPERVISOR_PAGE_SIZE, resident), 0);
    assert_true((resident[0] & resident[1] & resident[2] & 1) && !(resident[3] & 1));
    assert_int_equal(memory[0], 7);
    hv->ops->unlock_buffer(hv, memory, 3);
    munmap(memory, 4 * HYPERVISOR_PAGE_SIZE);
    assert_int_equal(hv->ops->lock_buffer(hv, memory, 3), -ENOMEM);
    hv->ops->unlock_buffer(hv, NULL, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statuses_one_to_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_evicted_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unmappable_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_carried_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_without_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_release, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mixtures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffers_are_zeroed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked_memory_is_resident, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
