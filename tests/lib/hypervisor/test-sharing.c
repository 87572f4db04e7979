/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sharing on a stock hypervisor: many merges in few crossings, each with its own outcome, and never two pages that are
 * not equal.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <memevent/operations.h>

#include "fake-libraries.h"
#include "fake-sharing.h"
#include "hypervisor/hypervisor.h"

#include <xenctrl.h>

#define COUNT 300U

static struct hypervisor *hv;
static struct hypervisor_operation ops[HYPERVISOR_BATCH_MAX];

static int setup(void **unused)
{
    (void)unused;
    fake_reset();
    assert_int_equal(hypervisor_open_xen(&hv), 0);
    fake.hypercalls = 0;
    fake_sharing.nominations = 0;
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    assert_int_equal(fake_sharing.wrong, 0);
    hv->ops->close(hv);
    assert_int_equal(fake.opened, 0);
    assert_int_equal(fake.buffers, 0);
    assert_int_equal(fake.mapped, 0);
    return 0;
}

static struct fake_sharing_frame *source(uint64_t gfn)
{
    return &fake_sharing.frames[0][gfn];
}

static struct fake_sharing_frame *client(uint64_t gfn)
{
    return &fake_sharing.frames[1][gfn];
}

/* Frame i of the one with frame i of the other. */
static void prepare(unsigned int count)
{
    for ( unsigned int i = 0; i < count; i++ )
    {
        ops[i] = (struct hypervisor_operation){
            .call = SHARING_MERGE, .domid = FAKE_DOMID, .gfn = i, .status = 12345,
            .sharing = { .client_domid = FAKE_CLIENT, .client_gfn = i, .outcome = 77, .handle = 99 },
        };
        source(i)->contents = client(i)->contents = 1000 + i;
    }
}

static void expect(unsigned int i, int status, uint32_t outcome)
{
    assert_int_equal(ops[i].status, status);
    assert_int_equal(ops[i].sharing.outcome, outcome);
    assert_int_equal(ops[i].sharing.handle, status ? 0 : source(i)->handle);
}

static void expect_private(unsigned int i)
{
    assert_int_equal(source(i)->handle, 0);
    assert_int_equal(client(i)->handle, 0);
}

static void test_merge(void **unused)
{
    (void)unused;
    prepare(COUNT);
    assert_int_equal(hv->ops->submit(hv, ops, COUNT), 0);
    for ( unsigned int i = 0; i < COUNT; i++ )
    {
        expect(i, 0, MEMEVENT_MERGED);
        assert_int_equal(fake_sharing_sharers(source(i)->handle), 2);
    }
    /* Two nominations and one sharing; the mappings are not counted here. */
    assert_int_equal(fake.multicalls, 3);
    assert_int_equal(fake.hypercalls, 3);

    prepare(COUNT);
    assert_int_equal(hv->ops->submit(hv, ops, COUNT), 0);
    for ( unsigned int i = 0; i < COUNT; i++ )
        expect(i, 0, MEMEVENT_ALREADY);
    assert_int_equal(fake_sharing.shares, COUNT);
}

/* Each of them in the middle of many that succeed. */
static void test_outcomes(void **unused)
{
    (void)unused;
    prepare(COUNT);
    client(10)->contents++;
    source(20)->nominate = E2BIG;
    client(30)->nominate = EEXIST;
    client(40)->nominate = EINVAL;
    source(50)->writes = true;
    client(60)->writes = true;
    fake.mapping[70] = ENOENT;
    source(80)->nominate = ENOMEM;
    client(80)->nominate = EINVAL;
    assert_int_equal(hv->ops->submit(hv, ops, COUNT), 0);
    expect(10, -EILSEQ, MEMEVENT_DIFFERENT);
    expect(20, -EBUSY, MEMEVENT_SOURCE);
    expect(30, -EBUSY, MEMEVENT_CLIENT);
    expect(40, -EINVAL, MEMEVENT_CLIENT);
    expect(50, -EAGAIN, MEMEVENT_STALE);
    expect(60, -EAGAIN, MEMEVENT_STALE);
    expect(70, -EAGAIN, MEMEVENT_SOURCE);
    expect(80, -ENOMEM, MEMEVENT_SOURCE);
    /* Nothing stays nominated for nothing, but what could not be mapped. */
    for ( unsigned int i = 10; i <= 60; i += 10 )
        expect_private(i);
    for ( unsigned int i = 0; i < COUNT; i++ )
        if ( i % 10 || !i || i > 80 )
            expect(i, 0, MEMEVENT_MERGED);
}

/* A master that others share stays shared when one more page turns out to be different. */
static void test_one_master(void **unused)
{
    (void)unused;
    for ( unsigned int i = 0; i < 4; i++ )
    {
        ops[i] = (struct hypervisor_operation){
            .call = SHARING_MERGE, .domid = FAKE_DOMID, .gfn = 5,
            .sharing = { .client_domid = FAKE_CLIENT, .client_gfn = i },
        };
        client(i)->contents = i == 2 ? 7 : 9;
    }
    source(5)->contents = 9;
    assert_int_equal(hv->ops->submit(hv, ops, 4), 0);
    for ( unsigned int i = 0; i < 4; i++ )
        assert_int_equal(ops[i].status, i == 2 ? -EILSEQ : 0);
    assert_int_equal(fake_sharing_sharers(source(5)->handle), 4);
    assert_int_equal(client(2)->handle, 0);

    /* The other way about: a client that is shared by others. */
    ops[0].gfn = 6;
    source(6)->contents = 8;
    assert_int_equal(hv->ops->submit(hv, ops, 1), 0);
    assert_int_equal(ops[0].status, -EILSEQ);
    assert_int_equal(fake_sharing_sharers(source(5)->handle), 4);
    assert_int_equal(source(6)->handle, 0);
}

/* Of one submission, clients of different domains: each is compared with its own. */
static void test_two_clients(void **unused)
{
    (void)unused;
    prepare(4);
    for ( unsigned int i = 1; i < 4; i += 2 )
    {
        ops[i].sharing.client_domid = FAKE_DOMID;
        ops[i].sharing.client_gfn = 100 + i;
        source(100 + i)->contents = i == 1 ? 1000 + i : 5;
        client(100 + i)->contents = i == 1 ? 5 : 1000 + i;
    }
    assert_int_equal(hv->ops->submit(hv, ops, 4), 0);
    expect(0, 0, MEMEVENT_MERGED);
    expect(1, 0, MEMEVENT_MERGED);
    expect(2, 0, MEMEVENT_MERGED);
    expect(3, -EILSEQ, MEMEVENT_DIFFERENT);
    assert_int_equal(source(1)->handle, source(101)->handle);
    assert_int_equal(client(101)->handle + client(103)->handle, 0);
}

static void test_nominate_and_unshare(void **unused)
{
    (void)unused;
    for ( unsigned int i = 0; i < 3; i++ )
        ops[i] = (struct hypervisor_operation){ .call = SHARING_NOMINATE, .domid = FAKE_DOMID, .gfn = i };
    source(1)->nominate = E2BIG;
    assert_int_equal(hv->ops->submit(hv, ops, 3), 0);
    expect(0, 0, 0);
    assert_int_equal(ops[1].status, -EBUSY);
    expect(2, 0, 0);

    for ( unsigned int i = 0; i < 3; i++ )
        ops[i] = (struct hypervisor_operation){ .call = SHARING_UNSHARE, .domid = FAKE_DOMID, .gfn = i };
    source(2)->unshare = EINVAL;
    assert_int_equal(hv->ops->submit(hv, ops, 3), 0);
    assert_int_equal(ops[0].status, 0);
    assert_int_equal(ops[1].status, -ENOENT);
    assert_int_equal(ops[2].status, -ENOMEM);
    assert_int_equal(source(0)->handle, 0);
}

/* The hypervisor, or the mapping, is not there: that is said of each, and nothing is shared. */
static void test_failures(void **unused)
{
    (void)unused;
    prepare(3);
    fake.multicall_fails = EFAULT;
    assert_int_equal(hv->ops->submit(hv, ops, 3), -EFAULT);
    for ( unsigned int i = 0; i < 3; i++ )
        assert_int_equal(ops[i].status, -EFAULT);
    fake.multicall_fails = 0;
    prepare(3);
    fake.map_fails = ENOMEM;
    assert_int_equal(hv->ops->submit(hv, ops, 3), -ENOMEM);
    assert_int_equal(fake_sharing.shares, 0);
    fake.map_fails = 0;
}

static void test_mappings(void **unused)
{
    uint64_t gfns[HYPERVISOR_MAP_MAX + 1] = { 3, 900, 4 };
    int errors[HYPERVISOR_MAP_MAX + 1];
    const void *mapping;

    (void)unused;
    source(900)->contents = 42;
    fake.mapping[4] = ENOENT;
    assert_int_equal(hv->ops->map_frames(hv, FAKE_DOMID, gfns, 3, errors, &mapping), 0);
    assert_int_equal(errors[0], 0);
    assert_int_equal(errors[1], 0);
    assert_int_equal(errors[2], -ENOENT);
    assert_int_equal(((const uint32_t *)mapping)[1024], 42);
    hv->ops->unmap_frames(hv, mapping, 3);
    hv->ops->unmap_frames(hv, NULL, 3);
    assert_int_equal(hv->ops->map_frames(hv, FAKE_DOMID, gfns, HYPERVISOR_MAP_MAX + 1, errors, &mapping), -EINVAL);
    assert_int_equal(hv->ops->map_frames(hv, FAKE_DOMID, gfns, 0, errors, &mapping), -EINVAL);
    fake.map_fails = ESRCH;
    assert_int_equal(hv->ops->map_frames(hv, FAKE_DOMID, gfns, 1, errors, &mapping), -ESRCH);
    assert_null(mapping);
}

static void test_host(void **unused)
{
    static const struct { int xen, expected; bool has_words; } refusals[] = {
        { 0, 0, false }, { ENODEV, -ENODEV, true }, { EXDEV, -EXDEV, true }, { EOPNOTSUPP, -EOPNOTSUPP, true },
        { EPERM, -EPERM, false },
    };
    struct hypervisor_info info;
    struct memory_info memory;
    const char *why;

    (void)unused;
    assert_int_equal(hv->ops->get_memory(hv, &memory), 0);
    assert_true(memory.pages == 1000 && memory.pages_free == 300 && memory.pages_shared == 7 &&
                memory.pages_saved == 5);
    for ( unsigned int i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++ )
    {
        fake_sharing.control_fails = refusals[i].xen;
        assert_int_equal(hv->ops->enable_sharing(hv, FAKE_DOMID, &why), refusals[i].expected);
        assert_int_equal(why != NULL, refusals[i].has_words);
        assert_int_equal(hv->ops->enable_sharing(hv, FAKE_DOMID, NULL), refusals[i].expected);
    }
    fake_sharing.control_fails = 0;
    assert_int_equal(hv->ops->enable_sharing(hv, FAKE_DOMID + 2, &why), -ESRCH);
    fake.flags = 0;
    assert_int_equal(hv->ops->enable_sharing(hv, FAKE_DOMID, &why), -EPROTOTYPE);
    fake.flags = XEN_DOMINF_hvm_guest;
    assert_int_equal(hv->ops->audit_sharing(hv), 0);
    fake_sharing.audit_finds = 3;
    assert_int_equal(hv->ops->audit_sharing(hv), 3);
    fake_sharing.audit_finds = -EOPNOTSUPP;
    assert_int_equal(hv->ops->audit_sharing(hv), -EOPNOTSUPP);

    assert_int_equal(hv->ops->probe(hv, &info), 0);
    assert_true(info.has_sharing && !info.sharing_missing);
    fake_sharing.is_missing = true;
    assert_int_equal(hv->ops->probe(hv, &info), 0);
    assert_true(!info.has_sharing && info.sharing_missing);
    assert_int_equal(hv->ops->enable_sharing(hv, FAKE_DOMID, &why), -ENOSYS);
    assert_non_null(why);
    assert_int_equal(hv->ops->get_memory(hv, &memory), 0);
    assert_true(memory.pages == 1000 && !memory.pages_shared && !memory.pages_saved);
    prepare(1);
    assert_int_equal(hv->ops->submit(hv, ops, 1), 0);
    assert_int_equal(ops[0].status, -ENOSYS);
}

/* A hypervisor with channels, asked as if it had none. */
static void test_as_stock(void **unused)
{
    struct hypervisor_info info;
    struct hypervisor *other;

    (void)unused;
    fake.has_channels = true;
    assert_int_equal(hypervisor_open_stock(&other), 0);
    assert_int_equal(other->ops->probe(other, &info), 0);
    assert_false(info.has_channels);
    prepare(2);
    assert_int_equal(other->ops->submit(other, ops, 2), 0);
    expect(0, 0, MEMEVENT_MERGED);
    assert_int_equal(fake.batches, 0);
    assert_int_equal(fake_sharing.shares, 2);
    other->ops->close(other);
    assert_int_equal(hypervisor_open_xen(&other), 0);
    assert_int_equal(other->ops->probe(other, &info), 0);
    assert_true(info.has_channels);
    other->ops->close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_merge), TEST(test_outcomes), TEST(test_one_master), TEST(test_two_clients),
        TEST(test_nominate_and_unshare),
        TEST(test_failures), TEST(test_mappings), TEST(test_host), TEST(test_as_stock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
