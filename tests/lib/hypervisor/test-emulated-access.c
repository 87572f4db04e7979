/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may touch a frame of the emulated host, and how: dom0's mappings and accesses, and the rights that a consumer sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <memevent/operations.h>

#include "emulated-guest.h"

/* ---- dom0's accesses ---- */

static void test_mappings(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_PAGING);
    uint64_t gfns[] = { 3, FRAMES + 5, 4 }, handle;
    struct hypervisor_operation one = { .call = SHARING_NOMINATE, .domid = DOMID, .gfn = 3 };
    const void *mapping;
    uint32_t outcome;
    int errors[3];

    (void)state;
    assert_int_equal(guest_write(0, 3, 33), 0);
    assert_int_equal(guest_write(0, 4, 33), 0);
    assert_int_equal(hv->ops->map_frames(hv, DOMID, gfns, 3, errors, &mapping), 0);
    assert_int_equal(errors[0] | errors[2], 0);
    assert_int_equal(errors[1], -EINVAL);
    assert_int_equal(((const uint64_t *)mapping)[1], 33);
    assert_int_equal(((const uint64_t *)mapping)[2 * HYPERVISOR_PAGE_SIZE / 8 + 1], 33);
    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);
    assert_int_equal(one.status, -EBUSY);
    assert_int_equal(guest_carry_out(PAGING_NOMINATE, 3), -EBUSY);
    assert_int_equal(guest_merge(2, 4, &outcome, &handle), -EBUSY);
    assert_int_equal(outcome, MEMEVENT_CLIENT);
    hv->ops->unmap_frames(hv, mapping, 3);
    assert_int_equal(guest_merge(3, 4, &outcome, &handle), 0);
    /* A page that goes while it is mapped is freed with the mapping. */
    assert_int_equal(hv->ops->map_frames(hv, DOMID, gfns, 1, errors, &mapping), 0);
    assert_int_equal(emulated_kill_domain(hv, DOMID), 0);
    hv->ops->unmap_frames(hv, mapping, 1);
    assert_int_equal(hv->ops->map_frames(hv, DOMID, gfns, 1, errors, &mapping), -ESRCH);
    memevent_detach(channel);
}

/* Dom0 touches a page that is out: it is asked for once, nobody of the guest's waits, and dom0 gets it. */
static void test_foreign(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_PAGING), *oom;
    struct access access = { .gfn = 9, .is_foreign = true };
    struct memevent_event event;
    uint64_t handle;
    uint32_t outcome;

    (void)state;
    assert_int_equal(guest_write(0, 9, 99), 0);
    guest_take_out(9);
    access_begin(&access);
    guest_wait_event(channel, &event);
    assert_int_equal(event.kind, MEMEVENT_PAGING_POPULATE);
    assert_int_equal(event.flags, MEMEVENT_FLAG_FOREIGN);
    assert_int_equal(guest_carry_out(PAGING_LOAD, 9), 0);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    access_end(&access, 0);
    assert_int_equal(access.value, 99);
    assert_int_equal(memevent_next(channel, &event), 0);

    /* Its touch takes a mark away. */
    assert_int_equal(guest_carry_out(PAGING_NOMINATE, 9), 0);
    access_begin(&access);
    access_end(&access, 0);
    assert_int_equal(guest_carry_out(PAGING_QUERY, 9), -ENOENT);
    memevent_detach(channel);

    /* No memory for dom0's copy: said, and nobody waits. */
    oom = guest_attach(MEMEVENT_CLASS_OOM);
    assert_int_equal(guest_merge(1, 2, &outcome, &handle), 0);
    emulated_set_memory(hv, FRAMES - 1);
    access = (struct access){ .gfn = 2, .is_foreign = true, .is_write = true, .value = 5 };
    access_begin(&access);
    access_end(&access, -ENOMEM);
    assert_int_equal(memevent_next(oom, &event), 1);
    assert_int_equal(event.kind, MEMEVENT_OOM_UNSHARE);
    assert_int_equal(event.flags, MEMEVENT_FLAG_FOREIGN);
    assert_int_equal(memevent_answer(oom, event.id), 0);
    memevent_detach(oom);
}

/* ---- access ---- */

static int set_access(uint64_t gfn, uint32_t count, uint32_t access)
{
    struct hypervisor_operation one = {
        .call = ACCESS_SET, .domid = DOMID, .gfn = gfn, .access = { .count = count, .access = access },
    };

    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);
    assert_int_equal(one.access.done, one.status ? 0 : count);

    return one.status;
}

/* XENMEM_access_* of Xen's, and MEM_ACCESS_*. */
enum { N = 0, R = 1, W = 2, RW = 3, X = 4, RX = 5, WX = 6, RWX = 7, RX2RW = 8, N2RWX = 9, DEFAULT = 10 };

static void test_access(void **state)
{
    static const struct { uint32_t access, how; } allowed[] = {
        { N, 0 }, { R, R }, { RW, R | W }, { RX, R | X }, { RWX, R | W | X }, { DEFAULT, R | W | X },
    };
    struct memevent_channel *channel;
    struct memevent_details details;
    struct memevent_event event;

    (void)state;
    assert_int_equal(set_access(0, 1, R), -ENODEV);
    channel = guest_attach(MEMEVENT_CLASS_ACCESS);
    assert_int_equal(set_access(0, 1, W), -EINVAL);
    assert_int_equal(set_access(0, 1, X), -EINVAL);
    assert_int_equal(set_access(0, 1, WX), -EINVAL);
    assert_int_equal(set_access(0, 1, DEFAULT + 1), -EINVAL);
    assert_int_equal(set_access(0, 0, R), -EINVAL);
    assert_int_equal(set_access(FRAMES - 1, 2, R), -EINVAL);
    for ( unsigned int i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++ )
        for ( uint32_t how = R; how <= X; how *= 2 )
        {
            struct access access = {
                .vcpu = i % 4, .gfn = 20, .value = 7 + i, .is_write = how == W, .is_fetch = how == X,
            };

            assert_int_equal(set_access(10, 20, allowed[i].access), 0);
            access_begin(&access);
            if ( !(allowed[i].how & how) )
            {
                guest_wait_event(channel, &event);
                assert_int_equal(event.kind, 1);
                assert_int_equal(event.flags, MEMEVENT_FLAG_VCPU_PAUSED);
                assert_int_equal(event.gfn, 20);
                assert_int_equal(event.vcpu, i % 4);
                assert_int_equal(memevent_get_details(channel, event.id, &details), 0);
                assert_int_equal(details.access & RWX, how);
                assert_int_equal(details.gla, 20 * HYPERVISOR_PAGE_SIZE + 8);
                /* Answered while nothing has changed, it comes again. */
                assert_int_equal(memevent_answer(channel, event.id), 0);
                assert_int_equal(memevent_flush(channel), 0);
                guest_wait_event(channel, &event);
                assert_int_equal(set_access(20, 1, RWX), 0);
                assert_int_equal(memevent_answer(channel, event.id), 0);
                assert_int_equal(memevent_flush(channel), 0);
            }
            access_end(&access, 0);
            assert_int_equal(memevent_next(channel, &event), 0);
        }
    memevent_detach(channel);
}

static void test_access_actions(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_ACCESS);
    struct access access = { .vcpu = 1, .gfn = 5, .value = 1, .is_write = true };
    struct memevent_event event;

    (void)state;
    assert_int_equal(set_access(5, 1, R), 0);
    access_begin(&access);
    guest_wait_event(channel, &event);
    assert_int_equal(memevent_answer_with(channel, event.id, MEMEVENT_ACTION_EMULATE), 0);
    assert_int_equal(memevent_flush(channel), 0);
    access_end(&access, 0);
    assert_int_equal(guest_read(0, 5), 1);
    /* It was carried out once: the next is one again. */
    access.value = 2;
    access_begin(&access);
    guest_wait_event(channel, &event);
    assert_int_equal(memevent_answer_with(channel, event.id, MEMEVENT_ACTION_EMULATE | MEMEVENT_ACTION_SKIP_WRITE), 0);
    assert_int_equal(memevent_flush(channel), 0);
    access_end(&access, 0);
    assert_int_equal(guest_read(0, 5), 1);

    /* A write that is let through once and for all; and any, which is told and does not wait. */
    assert_int_equal(set_access(5, 1, RX2RW), 0);
    assert_int_equal(guest_write(0, 5, 3), 0);
    assert_int_equal(memevent_next(channel, &event), 0);
    assert_int_equal(set_access(6, 1, N2RWX), 0);
    assert_int_equal(guest_write(2, 6, 4), 0);
    assert_int_equal(memevent_next(channel, &event), 1);
    assert_int_equal(event.flags & MEMEVENT_FLAG_VCPU_PAUSED, 0);
    assert_int_equal(event.gfn, 6);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(guest_write(2, 6, 5), 0);
    assert_int_equal(memevent_next(channel, &event), 0);

    /* A channel that ends lets go of who waits. */
    assert_int_equal(set_access(7, 1, N), 0);
    access.gfn = 7;
    access_begin(&access);
    guest_wait_event(channel, &event);
    memevent_detach(channel);
    access_end(&access, 0);
    assert_int_equal(guest_read(0, 7), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mappings), TEST(test_foreign), TEST(test_access), TEST(test_access_actions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
