/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer that writes what it likes into the ring's page, whenever it likes, against libmemevent.
 *
 * The input says where the ring's indices begin and which ring it is, paging's or the monitor's; the rest of it is a
 * program: a byte each for an operation and its argument, and bytes for the page.  The target
 * asks of the library what must hold whatever the page says: no access out of bounds (the
 * sanitizers), bounds kept, counters that add up, ids that are new, answers refused rightly, a
 * notification for each flush that had something, a broken ring that stays broken.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Ilib -I. \
 *       -idirafter hypervisor-patches/overlay/xen/include \
 *       tests/fuzz/fuzz-ring.c lib/memevent/{memevent,outstanding,ring-lossy,ring-reliable,ring-vm-event,vm-event-access}.c \
 *       -o fuzz-ring && ./fuzz-ring tests/fuzz/corpus/ring
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_TARGET "ring"
#include "fuzz.h"

#define PEER_OCTETS HYPERVISOR_PAGE_SIZE
#include "hostile-peer.h"

#include "memevent/ring-vm-event.h"

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xen/vm_event.h>

#define SLOTS 8
#define ACTIONS (MEMEVENT_ACTION_EMULATE | MEMEVENT_ACTION_SKIP_WRITE | MEMEVENT_ACTION_DENY)

/* Enough for every slot to be used often; more tells nothing new. */
#define STEPS_MAX 512
#define IDS_MAX   STEPS_MAX

enum step {
    STEP_WRITE,       /* offset (2), length (1), bytes */
    STEP_INDEX,       /* req_prod := 4 bytes */
    STEP_ADVANCE,     /* req_prod += argument, within the bounds if it is below the slots */
    STEP_REQUEST,     /* a request with some fields from the input, and req_prod + 1 */
    STEP_NEXT,
    STEP_DRAIN,
    STEP_ANSWER,      /* an id that was given out */
    STEP_FORGE,       /* an id from the input (8) */
    STEP_FLUSH,
    STEP_ARM,
    STEP_FAIL_NOTIFY, /* the next notifications fail, or not */
    STEPS
};

static void put_request(vm_event_sring_t *shared, bool is_monitor, struct input *input)
{
    uint8_t oddity = take(input, 1);
    vm_event_request_t request = {
        .version = oddity & 1 ? take(input, 1) : VM_EVENT_INTERFACE_VERSION,
        .reason = oddity & 2 ? take(input, 4) : is_monitor ? VM_EVENT_REASON_MEM_ACCESS : VM_EVENT_REASON_MEM_PAGING,
        .flags = oddity & 4 ? take(input, 4) : VM_EVENT_FLAG_VCPU_PAUSED,
        .vcpu_id = take(input, 1),
        .u.mem_paging = {
            .gfn = take(input, 2),
            .flags = oddity & 8 ? take(input, 4) : oddity >> 4 & 3,
        },
    };

    if ( is_monitor )
        request.u.mem_access.flags = oddity >> 4;
    shared->ring[shared->req_prod % SLOTS].req = request;
    shared->req_prod++;
}

static void check_counters(struct memevent_channel *channel, struct peer *peer, uint64_t refused)
{
    struct memevent_statistics statistics;

    memevent_get_statistics(channel, &statistics);
    REQUIRE(statistics.outstanding <= SLOTS);
    REQUIRE(statistics.outstanding_limit == SLOTS);
    REQUIRE(statistics.received == statistics.answered + statistics.outstanding);
    REQUIRE(statistics.refused == refused);
    REQUIRE(statistics.notifications == peer->notified);
}

static void check_access(struct memevent_channel *channel, const struct memevent_event *event)
{
    struct memevent_details details;
    struct vm_event_regs_x86 registers;

    REQUIRE(event->kind && event->kind != VM_EVENT_REASON_MEM_PAGING && event->kind != VM_EVENT_REASON_MEM_SHARING);
    REQUIRE(!(event->flags & ~(MEMEVENT_FLAG_VCPU_PAUSED | MEMEVENT_FLAG_FOREIGN)));
    REQUIRE(event->kind == VM_EVENT_REASON_MEM_ACCESS || event->gfn == MEMEVENT_NO_GFN);
    /* Two views of one copy, whatever has become of the page since. */
    REQUIRE(memevent_get_details(channel, event->id, &details) == 0);
    REQUIRE(memevent_get_registers(channel, event->id, &registers, sizeof(registers)) == 0);
    REQUIRE(details.rip == registers.rip && details.cr3 == registers.cr3 && details.gpr[4] == registers.rsp);
}

/* What an event may look like, whatever the entry looked like. */
static void check_paging(const struct memevent_event *event)
{
    REQUIRE(event->kind >= MEMEVENT_PAGING_POPULATE && event->kind <= MEMEVENT_PAGING_TOUCHED);
    REQUIRE(!(event->flags & ~(MEMEVENT_FLAG_VCPU_PAUSED | MEMEVENT_FLAG_FOREIGN | MEMEVENT_FLAG_EVICT_FAILS)));
    REQUIRE(!(event->flags & MEMEVENT_FLAG_EVICT_FAILS) || event->kind == MEMEVENT_PAGING_DROP);
}

static void check_event(struct memevent_channel *channel, bool is_monitor, const struct memevent_event *event,
                        const struct given *given, unsigned int count)
{
    unsigned int i;

    if ( is_monitor )
        check_access(channel, event);
    else
        check_paging(event);
    REQUIRE(event->id != 0);
    for ( i = 0; i < count; i++ )
        REQUIRE(given[i].id != event->id);
}

static void run(struct memevent_channel *channel, struct peer *peer, bool is_monitor, uint32_t start, struct input *input)
{
    vm_event_sring_t *shared = (vm_event_sring_t *)peer->memory;
    struct given given[IDS_MAX], *one;
    struct memevent_statistics statistics;
    struct memevent_event event;
    unsigned int count = 0, step, i, before, actions;
    uint64_t refused = 0, id;
    bool broken = false, staged = false, owed = false, failed = false;
    int rc;

    for ( step = 0; step < STEPS_MAX && input->size; step++ )
    {
        before = peer->notified;
        switch ( (enum step)(take(input, 1) % STEPS) )
        {
        case STEP_WRITE:
            write_memory(peer, input);
            break;

        case STEP_INDEX:
            shared->req_prod = take(input, 4);
            break;

        case STEP_ADVANCE:
            shared->req_prod += take(input, 1);
            break;

        case STEP_REQUEST:
            put_request(shared, is_monitor, input);
            break;

        case STEP_NEXT:
        case STEP_DRAIN:
            /* Peeking and taking see the same, as nobody else writes meanwhile; malformed ones can be all there is. */
            for ( i = 0; i <= SLOTS && count < IDS_MAX; i++ )
            {
                bool seen = memevent_peek(channel) == 1;

                rc = memevent_next(channel, &event);
                REQUIRE(rc == 1 || rc == 0 || rc == -EBADMSG);
                REQUIRE(!broken || rc == -EBADMSG);
                REQUIRE(seen || broken || rc == 0);
                broken = rc == -EBADMSG;
                if ( rc != 1 )
                    break;
                check_event(channel, is_monitor, &event, given, count);
                given[count++] = (struct given){ .id = event.id };
            }
            REQUIRE(peer->notified - before <= i + 1);
            break;

        case STEP_ANSWER:
            if ( !count )
                break;
            one = &given[take(input, 1) % count];
            actions = is_monitor ? take(input, 1) : 0;
            rc = memevent_answer_with(channel, one->id, actions);
            if ( actions & ~ACTIONS )
            {
                REQUIRE(rc == -EINVAL);
                refused++;
                break;
            }
            REQUIRE(rc == (one->answered ? -EALREADY : 0));
            refused += one->answered;
            staged = staged || !one->answered;
            one->answered = true;
            break;

        case STEP_FORGE:
            id = take(input, 8);
            for ( i = 0; i < count && given[i].id != id; i++ )
                continue;
            if ( i < count )
                break;
            REQUIRE(memevent_answer(channel, id) < 0);
            refused++;
            break;

        case STEP_FLUSH:
            rc = memevent_flush(channel);
            REQUIRE(rc == 0 || (peer->fails && rc == -EIO));
            REQUIRE(peer->notified - before <= 1);
            owed = owed || staged;
            REQUIRE(peer->fails || !owed || peer->notified == before + 1);
            REQUIRE(owed || failed || peer->notified == before);
            /* Each entry that was taken has one response; only now it is sure that the page was not written since. */
            memevent_get_statistics(channel, &statistics);
            REQUIRE(!staged || shared->rsp_prod - start == statistics.answered + statistics.malformed);
            staged = false;
            break;

        case STEP_ARM:
            rc = memevent_arm(channel);
            REQUIRE(rc == 0 || rc == 1 || rc == -EBADMSG || (peer->fails && rc == -EIO));
            REQUIRE(!broken || rc < 0);
            REQUIRE(rc != 0 || memevent_peek(channel) == 0);
            break;

        case STEP_FAIL_NOTIFY:
            peer->fails = !peer->fails;
            failed = true;
            break;

        case STEPS:
            break;
        }
        /* Whoever made the notification made it for all that was published. */
        owed = owed && peer->notified == before;
        check_counters(channel, peer, refused);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { .data = data, .size = size };
    struct memevent_channel *channel;
    struct transport *transport;
    struct peer *peer;
    uint32_t start;
    uint8_t begin;
    bool is_monitor;

    peer = calloc(1, sizeof(*peer));
    REQUIRE(peer);
    peer->hv.ops = &peer_ops;
    peer->ring.page = peer->memory;
    peer->ring.size = sizeof(peer->memory);
    peer->ring.fd = -1;

    /* Seven bits of a signed number; the eighth is another than the sign. */
    begin = take(&input, 1);
    is_monitor = (begin ^ begin << 1) & 0x80;
    start = (uint32_t)((int8_t)(begin << 1) >> 1);
    REQUIRE(ring_vm_event_open(peer->ring.page, peer->ring.size,
                               is_monitor ? MEMEVENT_CLASS_ACCESS : MEMEVENT_CLASS_PAGING, start, &transport) == 0);
    REQUIRE(channel_open(&peer->hv, &peer->ring, transport, &channel) == 0);
    run(channel, peer, is_monitor, start, &input);
    memevent_detach(channel);
    free(peer);

    return 0;
}
