/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel against the model of Xen's ring: what a consumer sees, what Xen gets back, and that
 * every slot comes home.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake-xen.h"

struct fixture {
    struct fake_xen xen;
    struct memevent_channel *channel;
};

static int begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fake_xen_init(&fixture->xen);
    fixture->channel = fake_xen_attach(&fixture->xen);
    *state = fixture;

    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;

    memevent_detach(fixture->channel);
    assert_false(fixture->xen.attached);
    fake_xen_verify(&fixture->xen);
    fake_xen_finish(&fixture->xen);
    free(fixture);

    return 0;
}

static struct memevent_statistics statistics_of(struct memevent_channel *channel)
{
    struct memevent_statistics statistics;

    memevent_get_statistics(channel, &statistics);

    return statistics;
}

static bool is_readable(struct memevent_channel *channel)
{
    struct pollfd fd = { .fd = memevent_fd(channel), .events = POLLIN };

    return poll(&fd, 1, 0) == 1;
}

/* All slots are free, no vCPU waits, nothing is outstanding. */
static void assert_quiet(struct fixture *fixture)
{
    struct memevent_statistics statistics = statistics_of(fixture->channel);
    uint32_t vcpu;

    fake_xen_verify(&fixture->xen);
    assert_int_equal(fake_xen_free_slots(&fixture->xen), FAKE_XEN_SLOTS);
    assert_int_equal(statistics.outstanding, 0);
    assert_int_equal(statistics.received, statistics.answered);
    for ( vcpu = 0; vcpu < FAKE_XEN_VCPUS; vcpu++ )
        assert_int_equal(fake_xen_paused(&fixture->xen, vcpu), 0);
}

static void test_populate(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;

    assert_int_equal(memevent_next(fixture->channel, &event), 0);
    assert_int_equal(fake_xen_touch(&fixture->xen, 3, 0x123456789, 0), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_not_equal(event.id, 0);
    assert_int_equal(event.kind, MEMEVENT_PAGING_POPULATE);
    assert_int_equal(event.gfn, 0x123456789);
    assert_int_equal(event.vcpu, 3);
    assert_int_equal(event.flags, MEMEVENT_FLAG_VCPU_PAUSED);
    assert_int_equal(memevent_next(fixture->channel, &event), 0);

    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(fake_xen_paused(&fixture->xen, 3), 1);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(fake_xen_paused(&fixture->xen, 3), 0);
    assert_quiet(fixture);
}

static void test_every_kind_is_told_and_answered(void **state)
{
    static const struct {
        uint32_t flags, paging_flags;
        uint16_t kind, event_flags;
    } cases[] = {
        { VM_EVENT_FLAG_VCPU_PAUSED, 0, MEMEVENT_PAGING_POPULATE, MEMEVENT_FLAG_VCPU_PAUSED },
        { VM_EVENT_FLAG_VCPU_PAUSED, MEM_PAGING_EVICT_FAIL,
          MEMEVENT_PAGING_TOUCHED, MEMEVENT_FLAG_VCPU_PAUSED },
        { 0, MEM_PAGING_DROP_PAGE, MEMEVENT_PAGING_DROP, 0 },
        { 0, MEM_PAGING_DROP_PAGE | MEM_PAGING_EVICT_FAIL,
          MEMEVENT_PAGING_DROP, MEMEVENT_FLAG_EVICT_FAILS },
        { VM_EVENT_FLAG_FOREIGN, 0, MEMEVENT_PAGING_POPULATE, MEMEVENT_FLAG_FOREIGN },
        { VM_EVENT_FLAG_FOREIGN, MEM_PAGING_EVICT_FAIL,
          MEMEVENT_PAGING_TOUCHED, MEMEVENT_FLAG_FOREIGN },
        { VM_EVENT_FLAG_FOREIGN, MEM_PAGING_DROP_PAGE, MEMEVENT_PAGING_DROP, MEMEVENT_FLAG_FOREIGN },
        { 0, 0, MEMEVENT_PAGING_POPULATE, 0 },
    };
    struct fixture *fixture = *state;
    struct memevent_event event;
    vm_event_request_t request;
    unsigned int i;

    for ( i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        request = fake_xen_request(i, 0x1000 + i, cases[i].paging_flags);
        request.flags = cases[i].flags;
        assert_int_equal(fake_xen_put(&fixture->xen, &request, NULL), 0);

        assert_int_equal(memevent_next(fixture->channel, &event), 1);
        assert_int_equal(event.kind, cases[i].kind);
        assert_int_equal(event.flags, cases[i].event_flags);
        assert_int_equal(event.gfn, 0x1000 + i);
        assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
        assert_int_equal(memevent_flush(fixture->channel), 0);
        assert_quiet(fixture);
    }
}

/* All permutations of eight would be slow under sanitizers; some thousand drawn ones are as good. */
static void test_answers_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event events[FAKE_XEN_SLOTS], swap;
    uint64_t random = 88172645463325252u;
    unsigned int round, i, j, count;

    for ( round = 0; round < 2000; round++ )
    {
        count = 1 + round % FAKE_XEN_SLOTS;
        for ( i = 0; i < count; i++ )
            assert_int_equal(fake_xen_touch(&fixture->xen, i, round * 16 + i, 0), 0);
        for ( i = 0; i < count; i++ )
            assert_int_equal(memevent_next(fixture->channel, &events[i]), 1);
        assert_int_equal(memevent_next(fixture->channel, &swap), 0);
        assert_int_equal(statistics_of(fixture->channel).outstanding, count);

        for ( i = count - 1; i > 0; i-- )
        {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            j = random % (i + 1);
            swap = events[i];
            events[i] = events[j];
            events[j] = swap;
        }
        for ( i = 0; i < count; i++ )
        {
            assert_int_equal(memevent_answer(fixture->channel, events[i].id), 0);
            /* Some are flushed alone, some together. */
            if ( random >> (i + 8) & 1 )
            {
                assert_int_equal(memevent_flush(fixture->channel), 0);
                assert_int_equal(fake_xen_paused(&fixture->xen, events[i].vcpu), 0);
            }
        }
        assert_int_equal(memevent_flush(fixture->channel), 0);
        assert_quiet(fixture);
    }
}

/* One request stays unanswered while its neighbours' slots go round many times. */
static void test_a_slow_answer_keeps_its_place(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event slow, event;
    unsigned int i;

    assert_int_equal(fake_xen_touch(&fixture->xen, 0, 0xabcdef, MEM_PAGING_EVICT_FAIL), 0);
    assert_int_equal(memevent_next(fixture->channel, &slow), 1);
    for ( i = 1; i < 100; i++ )
    {
        assert_int_equal(fake_xen_touch(&fixture->xen, 1, i, 0), 0);
        assert_int_equal(memevent_next(fixture->channel, &event), 1);
        assert_int_equal(event.gfn, i);
        assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
        assert_int_equal(memevent_flush(fixture->channel), 0);
        assert_int_equal(fake_xen_paused(&fixture->xen, 0), 1);
        assert_int_equal(fake_xen_paused(&fixture->xen, 1), 0);
    }
    assert_int_equal(memevent_answer(fixture->channel, slow.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_quiet(fixture);
}

static void test_wrong_answers_are_refused_and_counted(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event, other;
    uint64_t earlier;
    unsigned int i;

    assert_int_equal(memevent_answer(fixture->channel, 0), -ENOENT);
    assert_int_equal(memevent_answer(fixture->channel, 1), -ENOENT);
    assert_int_equal(memevent_answer(fixture->channel, UINT64_MAX), -ENOENT);

    assert_int_equal(fake_xen_touch(&fixture->xen, 0, 10, 0), 0);
    assert_int_equal(fake_xen_touch(&fixture->xen, 1, 11, 0), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_next(fixture->channel, &other), 1);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_answer(fixture->channel, event.id), -EALREADY);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(memevent_answer(fixture->channel, event.id), -EALREADY);
    assert_int_equal(statistics_of(fixture->channel).refused, 5);
    assert_int_equal(fake_xen_paused(&fixture->xen, 1), 1);

    /* Its place is used again; the old id still names the old request. */
    earlier = event.id;
    assert_int_equal(fake_xen_touch(&fixture->xen, 0, 12, 0), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_not_equal(event.id, earlier);
    assert_int_equal(memevent_answer(fixture->channel, earlier), -EALREADY);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(fake_xen_paused(&fixture->xen, 0), 1);

    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_answer(fixture->channel, other.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_quiet(fixture);

    /* Of an earlier attachment: unknown, however many requests this one has seen. */
    earlier = event.id;
    memevent_detach(fixture->channel);
    fixture->channel = fake_xen_attach(&fixture->xen);
    assert_int_equal(memevent_answer(fixture->channel, earlier), -ENOENT);
    for ( i = 0; i < 100; i++ )
    {
        assert_int_equal(fake_xen_touch(&fixture->xen, 0, 12, 0), 0);
        assert_int_equal(memevent_next(fixture->channel, &event), 1);
        assert_int_equal(memevent_answer(fixture->channel, earlier), -ENOENT);
        assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
        assert_int_equal(memevent_flush(fixture->channel), 0);
    }
    assert_int_equal(statistics_of(fixture->channel).refused, 101);
    assert_quiet(fixture);
}

static void test_one_notification_a_flush(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;
    unsigned int i;

    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(fixture->xen.notifications, 0);

    for ( i = 0; i < FAKE_XEN_SLOTS; i++ )
        assert_int_equal(fake_xen_touch(&fixture->xen, i, i, 0), 0);
    assert_int_equal(fake_xen_touch(&fixture->xen, i, i, 0), -EBUSY);
    for ( i = 0; i < FAKE_XEN_SLOTS; i++ )
    {
        assert_int_equal(memevent_next(fixture->channel, &event), 1);
        assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    }
    assert_int_equal(fixture->xen.notifications, 0);
    assert_int_equal(fixture->xen.got, 0);
    assert_int_equal(fake_xen_free_slots(&fixture->xen), 0);

    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(fixture->xen.notifications, 1);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(fixture->xen.notifications, 1);
    assert_int_equal(statistics_of(fixture->channel).notifications, 1);
    assert_quiet(fixture);
}

static void test_a_failed_notification_is_made_up_for(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;

    assert_int_equal(fake_xen_touch(&fixture->xen, 0, 1, 0), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    fixture->xen.notify_error = -EIO;
    assert_int_equal(memevent_flush(fixture->channel), -EIO);
    assert_int_equal(fake_xen_paused(&fixture->xen, 0), 1);
    assert_int_equal(memevent_arm(fixture->channel), -EIO);
    fixture->xen.notify_error = 0;
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(statistics_of(fixture->channel).notifications, 1);
    assert_quiet(fixture);
}

static void test_detach_flushes(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;

    assert_int_equal(fake_xen_touch(&fixture->xen, 5, 1, 0), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    memevent_detach(fixture->channel);
    assert_int_equal(fake_xen_paused(&fixture->xen, 5), 0);
    assert_int_equal(fixture->xen.notifications, 1);
    fixture->channel = fake_xen_attach(&fixture->xen);
}

/* The indices pass 2^32, with every fill of the ring at the seam. */
static void test_indices_wrap(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event events[FAKE_XEN_SLOTS], event;
    unsigned int before, fill, i;

    for ( before = 0; before <= 2 * FAKE_XEN_SLOTS; before++ )
        for ( fill = 1; fill <= FAKE_XEN_SLOTS; fill++ )
        {
            memevent_detach(fixture->channel);
            fixture->xen.start = 0u - before;
            fixture->channel = fake_xen_attach(&fixture->xen);

            while ( fixture->xen.req_prod - fixture->xen.start < 4 * FAKE_XEN_SLOTS )
            {
                for ( i = 0; i < fill; i++ )
                    assert_int_equal(fake_xen_touch(&fixture->xen, i, i, 0), 0);
                for ( i = 0; i < fill; i++ )
                    assert_int_equal(memevent_next(fixture->channel, &events[i]), 1);
                assert_int_equal(memevent_next(fixture->channel, &event), 0);
                for ( i = fill; i-- > 0; )
                    assert_int_equal(memevent_answer(fixture->channel, events[i].id), 0);
                assert_int_equal(memevent_flush(fixture->channel), 0);
                assert_quiet(fixture);
            }
        }
}

/* A malformed request, and what must come back: the slot, the vCPU, and nothing else. */
static void put_malformed(struct fixture *fixture, unsigned int sort, uint32_t vcpu, bool paused)
{
    vm_event_request_t request = fake_xen_request(vcpu, 77, 0);
    vm_event_response_t expected = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = VM_EVENT_REASON_UNKNOWN,
        .vcpu_id = vcpu,
    };

    request.flags = expected.flags = paused ? VM_EVENT_FLAG_VCPU_PAUSED : 0;
    switch ( sort )
    {
    case 0: request.version = 6; break;
    case 1: request.version = 0; break;
    case 2: request.reason = VM_EVENT_REASON_MEM_ACCESS; break;
    case 3: request.reason = 0xffffffff; break;
    case 4: request.flags |= VM_EVENT_FLAG_SET_REGISTERS | VM_EVENT_FLAG_EMULATE; break;
    case 5: request.flags |= 1u << 31; break;
    case 6: request.u.mem_paging.flags = 1u << 2; break;
    case 7: request.u.mem_paging.flags = 0xffffffff; break;
    }
    assert_int_equal(fake_xen_put(&fixture->xen, &request, &expected), 0);
}

#define MALFORMED_SORTS 8

static void test_malformed_entries_are_answered_and_not_told(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;
    unsigned int sort, paused;
    uint64_t count = 0;

    for ( sort = 0; sort < MALFORMED_SORTS; sort++ )
        for ( paused = 0; paused < 2; paused++ )
        {
            put_malformed(fixture, sort, 9, paused);
            assert_int_equal(memevent_next(fixture->channel, &event), 0);
            assert_int_equal(statistics_of(fixture->channel).malformed, ++count);
            assert_int_equal(statistics_of(fixture->channel).received, 0);
            assert_quiet(fixture);
        }
}

static void test_malformed_entries_between_good_ones(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;

    put_malformed(fixture, 2, 1, true);
    assert_int_equal(fake_xen_touch(&fixture->xen, 2, 22, 0), 0);
    put_malformed(fixture, 0, 3, true);
    put_malformed(fixture, 4, 4, false);

    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(event.gfn, 22);
    assert_int_equal(fake_xen_paused(&fixture->xen, 1), 0);

    /* The answer to the good one is the caller's to flush; what comes after it waits for that. */
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 0);
    assert_int_equal(fake_xen_paused(&fixture->xen, 2), 1);
    assert_int_equal(fixture->xen.notifications, 1);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(fixture->xen.notifications, 2);
    assert_int_equal(statistics_of(fixture->channel).malformed, 3);
    assert_quiet(fixture);
}

static void test_a_full_ring_of_nonsense_frees_all_slots(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;
    unsigned int round, i;

    for ( round = 0; round < 5; round++ )
    {
        for ( i = 0; i < FAKE_XEN_SLOTS; i++ )
            put_malformed(fixture, i % MALFORMED_SORTS, i, i & 1);
        assert_int_equal(memevent_next(fixture->channel, &event), 0);
        assert_int_equal(fixture->xen.notifications, round + 1);
        assert_quiet(fixture);
    }
}

static void set_producer(struct fake_xen *xen, uint32_t index)
{
    vm_event_sring_t *shared = xen->ring.page;

    __atomic_store_n(&shared->req_prod, index, __ATOMIC_RELEASE);
}

static void test_a_hostile_index_stops_the_channel(void **state)
{
    static const uint32_t distances[] = { 9, 10, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
    struct fixture *fixture = *state;
    struct memevent_event event;
    unsigned int i;

    for ( i = 0; i < sizeof(distances) / sizeof(distances[0]); i++ )
    {
        memevent_detach(fixture->channel);
        fixture->channel = fake_xen_attach(&fixture->xen);

        set_producer(&fixture->xen, distances[i]);
        assert_int_equal(memevent_peek(fixture->channel), 1);
        assert_int_equal(memevent_next(fixture->channel, &event), -EBADMSG);
        set_producer(&fixture->xen, 0);
        assert_int_equal(memevent_next(fixture->channel, &event), -EBADMSG);
        assert_int_equal(memevent_arm(fixture->channel), -EBADMSG);
        assert_int_equal(memevent_peek(fixture->channel), 0);
    }
}

static void test_a_bound_counts_what_is_held(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event first, event;
    unsigned int i;

    /* One is answered and not flushed, one not answered: six slots can carry requests. */
    for ( i = 0; i < 2; i++ )
        assert_int_equal(fake_xen_touch(&fixture->xen, i, i, 0), 0);
    assert_int_equal(memevent_next(fixture->channel, &first), 1);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);

    for ( i = 2; i < 8; i++ )
        assert_int_equal(fake_xen_touch(&fixture->xen, i, i, 0), 0);
    set_producer(&fixture->xen, 9);
    assert_int_equal(memevent_next(fixture->channel, &event), -EBADMSG);

    /* What was taken can still be answered: its vCPU has done no harm. */
    assert_int_equal(memevent_answer(fixture->channel, first.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_int_equal(fake_xen_paused(&fixture->xen, 0), 0);
    assert_int_equal(fake_xen_paused(&fixture->xen, 1), 0);
}

/* The peer scribbles over an entry after it was taken; the answer is from the copy. */
static void test_an_entry_is_copied_once(void **state)
{
    struct fixture *fixture = *state;
    vm_event_sring_t *shared = fixture->xen.ring.page;
    struct memevent_event event;

    assert_int_equal(fake_xen_touch(&fixture->xen, 6, 66, 0), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    memset(&shared->ring[0].req, 0xff, sizeof(shared->ring[0].req));
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    assert_quiet(fixture);
}

/* Xen copies a response whole: no byte of it may be left from anything else. */
static void test_a_response_is_written_whole(void **state)
{
    static const uint8_t zero[sizeof(vm_event_response_t)];
    struct fixture *fixture = *state;
    vm_event_sring_t *shared = fixture->xen.ring.page;
    vm_event_request_t request = fake_xen_request(1, 2, 0);
    vm_event_response_t response;
    struct memevent_event event;

    memset(&request.data, 0xee, sizeof(request.data));
    request.altp2m_idx = 0xeeee;
    assert_int_equal(fake_xen_put(&fixture->xen, &request, NULL), 0);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);
    response = shared->ring[0].rsp;
    assert_int_equal(response.altp2m_idx, 0);
    assert_memory_equal(&response.data, zero, sizeof(response.data));
    assert_quiet(fixture);
}

static void touch_once(struct fake_xen *xen)
{
    assert_int_equal(fake_xen_touch(xen, 2, 42, 0), 0);
}

static void test_arm_and_wake(void **state)
{
    struct fixture *fixture = *state;
    vm_event_sring_t *shared = fixture->xen.ring.page;
    struct memevent_event event;

    assert_int_equal(memevent_arm(fixture->channel), 0);
    assert_int_equal(shared->req_event, 1);
    assert_false(is_readable(fixture->channel));
    assert_int_equal(memevent_peek(fixture->channel), 0);

    touch_once(&fixture->xen);
    assert_true(is_readable(fixture->channel));
    assert_int_equal(memevent_peek(fixture->channel), 1);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);

    assert_int_equal(statistics_of(fixture->channel).wakeups, 0);
    assert_int_equal(memevent_arm(fixture->channel), 0);
    assert_int_equal(shared->req_event, 2);
    assert_int_equal(statistics_of(fixture->channel).wakeups, 1);
    assert_false(is_readable(fixture->channel));

    touch_once(&fixture->xen);
    assert_int_equal(memevent_arm(fixture->channel), 1);
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
}

/* The signal of an event that came after the look is taken by the arming itself: who sleeps now sleeps for ever. */
static void test_an_event_between_look_and_sleep(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;

    assert_int_equal(memevent_next(fixture->channel, &event), 0);
    fixture->xen.on_arm = touch_once;
    assert_int_equal(memevent_arm(fixture->channel), 1);
    assert_false(is_readable(fixture->channel));
    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(event.gfn, 42);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
}

static void test_a_busy_consumer_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_event event;
    unsigned int i;

    assert_int_equal(memevent_arm(fixture->channel), 0);
    for ( i = 0; i < 100; i++ )
    {
        touch_once(&fixture->xen);
        assert_int_equal(memevent_next(fixture->channel, &event), 1);
        assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
        assert_int_equal(memevent_flush(fixture->channel), 0);
    }
    /* One wake-up for all of them, and a last one that was pending behind the mask. */
    assert_int_equal(memevent_arm(fixture->channel), 0);
    assert_true(is_readable(fixture->channel));
    assert_int_equal(memevent_arm(fixture->channel), 0);
    assert_false(is_readable(fixture->channel));
    assert_int_equal(statistics_of(fixture->channel).wakeups, 2);
}

static void test_errors_of_arming(void **state)
{
    struct fixture *fixture = *state;

    fixture->xen.arm_error = -EIO;
    assert_int_equal(memevent_arm(fixture->channel), -EIO);
    fixture->xen.arm_error = 0;
    assert_int_equal(memevent_arm(fixture->channel), 0);
}

static void test_attach(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_channel *second = NULL;
    struct memevent_statistics statistics = statistics_of(fixture->channel);
    const char *why = NULL;

    assert_int_equal(statistics.outstanding_limit, FAKE_XEN_SLOTS);
    assert_string_equal(memevent_get_transport(fixture->channel), "vm_event ring, interface version 7");
    assert_int_equal(memevent_can_reattach(fixture->channel), 0);

    assert_int_equal(memevent_attach(&fixture->xen.hv, MEMEVENT_CLASS_PAGING, 1, &second, &why), -EBUSY);
    assert_null(second);
    assert_string_equal(why, "the model refuses");
    assert_int_equal(memevent_attach(&fixture->xen.hv, MEMEVENT_CLASS_PAGING, 1, &second, NULL), -EBUSY);
    assert_int_equal(memevent_attach(&fixture->xen.hv, (enum memevent_class)99, 1, &second, &why), -ENOSYS);
    assert_non_null(why);

    /* A ring that is too small is given back. */
    memevent_detach(fixture->channel);
    fixture->xen.ring.size = 400;
    assert_int_equal(memevent_attach(&fixture->xen.hv, MEMEVENT_CLASS_PAGING, 1, &second, &why), -EINVAL);
    assert_false(fixture->xen.attached);
    fixture->xen.ring.size = HYPERVISOR_PAGE_SIZE;
    fixture->channel = fake_xen_attach(&fixture->xen);

    memevent_detach(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_attach),
        TEST(test_populate),
        TEST(test_every_kind_is_told_and_answered),
        TEST(test_answers_in_any_order),
        TEST(test_a_slow_answer_keeps_its_place),
        TEST(test_wrong_answers_are_refused_and_counted),
        TEST(test_one_notification_a_flush),
        TEST(test_a_failed_notification_is_made_up_for),
        TEST(test_detach_flushes),
        TEST(test_indices_wrap),
        TEST(test_malformed_entries_are_answered_and_not_told),
        TEST(test_malformed_entries_between_good_ones),
        TEST(test_a_full_ring_of_nonsense_frees_all_slots),
        TEST(test_a_hostile_index_stops_the_channel),
        TEST(test_a_bound_counts_what_is_held),
        TEST(test_an_entry_is_copied_once),
        TEST(test_a_response_is_written_whole),
        TEST(test_arm_and_wake),
        TEST(test_an_event_between_look_and_sleep),
        TEST(test_a_busy_consumer_is_left_alone),
        TEST(test_errors_of_arming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
