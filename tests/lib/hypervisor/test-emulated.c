/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulated host's faults, through libmemevent: what a consumer has to expect of a hypervisor on a bad day, and that
 * the guest gets over it; and its store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <time.h>

#include <memevent/operations.h>

#include "emulated-guest.h"

static void test_no_memory(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_PAGING);
    struct access access = { .vcpu = 1, .gfn = 9 };
    struct memevent_event event;

    (void)state;
    assert_int_equal(guest_write(0, 9, 99), 0);
    guest_take_out(9);
    access_begin(&access);
    guest_wait_event(channel, &event);
    emulated_set_memory(hv, 0);
    assert_int_equal(guest_carry_out(PAGING_LOAD, 9), -ENOMEM);
    assert_int_equal(guest_carry_out(PAGING_QUERY, 9), 0);
    /* Answered all the same: the vCPU finds no page, and asks again. */
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    guest_wait_event(channel, &event);
    assert_int_equal(event.gfn, 9);
    emulated_set_memory(hv, FRAMES);
    assert_int_equal(guest_carry_out(PAGING_LOAD, 9), 0);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    access_end(&access, 0);
    assert_int_equal(access.value, 99);
    memevent_detach(channel);
}

static void test_busy(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_PAGING);

    (void)state;
    assert_int_equal(emulated_hold(hv, DOMID, 4, true), 0);
    assert_int_equal(guest_carry_out(PAGING_NOMINATE, 4), -EBUSY);
    assert_int_equal(emulated_hold(hv, DOMID, 4, false), 0);
    assert_int_equal(guest_carry_out(PAGING_NOMINATE, 4), 0);
    assert_int_equal(emulated_hold(hv, DOMID, 4, true), 0);
    assert_int_equal(guest_carry_out(PAGING_EVICT, 4), -EBUSY);
    assert_int_equal(emulated_hold(hv, DOMID, 4, false), 0);
    assert_int_equal(guest_carry_out(PAGING_EVICT, 4), 0);
    assert_int_equal(guest_carry_out(PAGING_LOAD, 4), 0);
    memevent_detach(channel);
}

static void test_domain_dies(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_PAGING);
    struct access access = { .vcpu = 2, .gfn = 5 };
    struct memevent_channel_info info;
    struct memevent_event event;
    struct domain_info domain;

    (void)state;
    guest_take_out(5);
    access_begin(&access);
    guest_wait_event(channel, &event);
    assert_int_equal(emulated_kill_domain(hv, DOMID), 0);
    access_end(&access, -ESRCH);
    assert_int_equal(guest_carry_out(PAGING_LOAD, 5), -ESRCH);
    assert_int_equal(hv->ops->get_domain(hv, DOMID, &domain), -ESRCH);
    assert_int_equal(hv->ops->list_domains(hv, 0, &domain, 1), 0);
    assert_int_equal(memevent_get_channel_info(channel, &info), -ESRCH);
    memevent_detach(channel);
}

/* The next consumer gets what the dead one had, and the dead one's words change nothing any more. */
static void test_consumer_dies(void **state)
{
    struct memevent_channel *dead = guest_attach(MEMEVENT_CLASS_PAGING), *next;
    struct access access = { .vcpu = 3, .gfn = 6 };
    struct memevent_event event, again;

    (void)state;
    guest_take_out(6);
    access_begin(&access);
    guest_wait_event(dead, &event);
    assert_int_equal(emulated_kill_consumer(hv, MEMEVENT_CLASS_PAGING, DOMID), 0);
    assert_int_equal(emulated_kill_consumer(hv, MEMEVENT_CLASS_PAGING, DOMID), -ENOENT);
    next = guest_attach(MEMEVENT_CLASS_PAGING);
    assert_int_equal(memevent_get_redelivered(next), 1);
    assert_int_equal(memevent_next(next, &again), 1);
    assert_int_equal(again.id, event.id);
    assert_true(again.flags & MEMEVENT_FLAG_AGAIN);
    assert_int_equal(guest_carry_out(PAGING_LOAD, 6), 0);
    assert_int_equal(memevent_answer(next, again.id), 0);
    assert_int_equal(memevent_flush(next), 0);
    access_end(&access, 0);
    memevent_detach(dead);
    memevent_detach(next);
}

/* A signal that got lost between index and event channel: whoever looks again finds the request. */
static void test_signal_lost(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_PAGING);
    struct access access = { .vcpu = 0, .gfn = 7 };
    struct memevent_event event;
    struct pollfd one = { .fd = memevent_fd(channel), .events = POLLIN };

    (void)state;
    assert_int_equal(memevent_arm(channel), 0);
    guest_take_out(7);
    emulated_lose_signals(hv, 1);
    access_begin(&access);
    while ( !memevent_peek(channel) )
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    assert_int_equal(poll(&one, 1, 20), 0);
    assert_int_equal(memevent_arm(channel), 1);
    assert_int_equal(memevent_next(channel, &event), 1);
    assert_int_equal(guest_carry_out(PAGING_LOAD, 7), 0);
    assert_int_equal(memevent_answer(channel, event.id), 0);
    assert_int_equal(memevent_flush(channel), 0);
    access_end(&access, 0);
    memevent_detach(channel);
}

/* Pages given up while they are out: each is told, or, once there is no place, a RESCAN. */
static void test_drops(void **state)
{
    struct memevent_channel *channel = guest_attach(MEMEVENT_CLASS_PAGING);
    struct memevent_channel_info info;
    struct memevent_event event;
    unsigned int drops = 0, rescans = 0;
    uint64_t gfn;

    (void)state;
    for ( gfn = 0; gfn < FRAMES; gfn++ )
        guest_take_out(gfn);
    for ( gfn = 0; gfn < FRAMES; gfn++ )
        assert_int_equal(emulated_give_up(hv, DOMID, gfn), 0);
    while ( memevent_peek(channel) )
    {
        while ( memevent_next(channel, &event) == 1 )
        {
            drops += event.kind == MEMEVENT_PAGING_DROP;
            rescans += event.kind == MEMEVENT_PAGING_RESCAN && event.gfn == MEMEVENT_NO_GFN;
            assert_int_equal(memevent_answer(channel, event.id), 0);
        }
        assert_int_equal(memevent_flush(channel), 0);
    }
    /* One for the first that found no place, and one for those that were lost when it was out. */
    assert_int_equal(rescans, 2);
    assert_int_equal(memevent_get_channel_info(channel, &info), 0);
    assert_int_equal(drops + info.coalesced, FRAMES);
    assert_int_equal(info.outstanding, 0);
    for ( gfn = 0; gfn < FRAMES; gfn++ )
        assert_int_equal(guest_carry_out(PAGING_QUERY, gfn), -ENOENT);
    memevent_detach(channel);
}

static void test_store(void **state)
{
    char path[64], token[16], value[4];
    struct pollfd one = { .fd = hv->ops->watch_fd(hv), .events = POLLIN };

    (void)state;
    assert_int_equal(hv->ops->read_key(hv, "/a/b", value, sizeof(value)), -ENOENT);
    assert_int_equal(hv->ops->add_watch(hv, "/a", "mine"), 0);
    assert_int_equal(poll(&one, 1, 0), 1);
    assert_int_equal(hv->ops->next_watch(hv, path, sizeof(path), token, sizeof(token)), 1);
    assert_string_equal(path, "/a");
    assert_int_equal(hv->ops->next_watch(hv, path, sizeof(path), token, sizeof(token)), 0);
    assert_int_equal(poll(&one, 1, 0), 0);
    assert_int_equal(hv->ops->write_key(hv, "/ab", "no"), 0);
    assert_int_equal(poll(&one, 1, 0), 0);
    assert_int_equal(hv->ops->write_key(hv, "/a/b", "longer"), 0);
    assert_int_equal(hv->ops->next_watch(hv, path, sizeof(path), token, sizeof(token)), 1);
    assert_string_equal(path, "/a/b");
    assert_string_equal(token, "mine");
    assert_int_equal(hv->ops->read_key(hv, "/a/b", value, sizeof(value)), 6);
    assert_string_equal(value, "lon");
    assert_int_equal(hv->ops->remove_watch(hv, "/a", "mine"), 0);
    assert_int_equal(hv->ops->remove_key(hv, "/a/b"), 0);
    assert_int_equal(hv->ops->remove_key(hv, "/a/b"), -ENOENT);
    assert_int_equal(poll(&one, 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_memory), TEST(test_busy), TEST(test_domain_dies), TEST(test_consumer_dies),
        TEST(test_signal_lost), TEST(test_drops), TEST(test_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
