/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer that writes what it likes into a channel's memory, whenever it likes, against libmemevent's end of
 * a reliable channel and of a lossy one.
 *
 * The input is a program: its first byte chooses the kind of channel, then a byte each for an operation and its
 * argument, and bytes for the memory.  The target asks what must hold whatever the memory says: no access out of
 * bounds (the sanitizers), bounds kept, counters that add up, ids that were given out can be answered once and no
 * others, a broken ring that stays broken.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Ilib -I. \
 *       -idirafter hypervisor-patches/overlay/xen/include \
 *       tests/fuzz/fuzz-consumer.c lib/memevent/{memevent,outstanding,ring-lossy,ring-reliable,ring-vm-event}.c \
 *       -o fuzz-consumer && ./fuzz-consumer tests/fuzz/corpus/consumer
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_TARGET "consumer"
#include "fuzz.h"

/* Few, so that they are used often; a lossy channel has two rings of them. */
#define SLOTS       8
#define RINGS       2
#define RING_SIZE   1024
#define PEER_OCTETS (RINGS * RING_SIZE)
#include "hostile-peer.h"

#include "memevent/ring-lossy.h"
#include "memevent/ring-reliable.h"

#include <public/memevent.h>

#define BATCH     4
/* More tells nothing new. */
#define STEPS_MAX 512
#define IDS_MAX   (STEPS_MAX * SLOTS)

enum step {
    STEP_WRITE,       /* offset (2), length (1), bytes */
    STEP_WORD,        /* one of the words that count (1) := 4 bytes */
    STEP_ADVANCE,     /* the producer's index += 1 byte */
    STEP_REQUEST,     /* a good request, index and generation from the input, and the index + 1 */
    STEP_NEXT,
    STEP_ANSWER,      /* an id that was given out */
    STEP_FORGE,       /* an id from the input (8) */
    STEP_FLUSH,
    STEP_READ,        /* the peer takes all responses */
    STEP_ARM,
    STEPS
};

static void put_request(struct peer *peer, struct input *input)
{
    struct xen_memevent_reliable *control = (void *)peer->memory;
    uint32_t index = take(input, 1) % (SLOTS + 1), generation = take(input, 1);
    const struct xen_memevent_request request = {
        .id = (uint64_t)generation << 32 | index, .kind = take(input, 1), .flags = take(input, 1),
    };

    memcpy((char *)peer->memory + peer->ring.request_offset + control->request_producer % SLOTS * sizeof(request),
           &request, sizeof(request));
    control->request_producer++;
}

static void run_reliable(struct memevent_channel *channel, struct peer *peer, struct input *input)
{
    static struct given given[IDS_MAX];
    struct xen_memevent_reliable *control = (void *)peer->memory;
    uint32_t *const words[] = {
        &control->request_producer, &control->request_consumer, &control->request_event,
        &control->response_producer, &control->response_consumer,
    };
    struct memevent_statistics statistics;
    struct memevent_event event;
    unsigned int count = 0;
    uint64_t refused = 0, id;
    bool broken = false;
    int rc;

    for ( unsigned int step = 0; step < STEPS_MAX && input->size; step++ )
    {
        switch ( (enum step)(take(input, 1) % STEPS) )
        {
        case STEP_WRITE:
            write_memory(peer, input);
            break;

        case STEP_WORD:
            *words[take(input, 1) % 5] = take(input, 4);
            break;

        case STEP_ADVANCE:
            control->request_producer += take(input, 1);
            break;

        case STEP_REQUEST:
            put_request(peer, input);
            break;

        case STEP_NEXT:
            for ( unsigned int i = 0; i <= SLOTS && count < IDS_MAX; i++ )
            {
                rc = memevent_next(channel, &event);
                REQUIRE(rc == 1 || rc == 0 || rc == -EBADMSG);
                REQUIRE(!broken || rc == -EBADMSG);
                broken |= rc == -EBADMSG;
                if ( rc != 1 )
                    break;
                REQUIRE((uint32_t)event.id < SLOTS && event.id >> 32);
                REQUIRE(event.kind != MEMEVENT_PAGING_TOUCHED);
                for ( unsigned int j = 0; j < count; j++ )
                    REQUIRE(given[j].id != event.id);
                given[count++] = (struct given){ .id = event.id };
            }
            break;

        case STEP_ANSWER:
            if ( count )
            {
                struct given *one = &given[take(input, 1) % count];

                rc = memevent_answer(channel, one->id);
                /* It can be so long ago that it is not known any more; and a peer can keep from reading. */
                REQUIRE(one->answered ? rc == -EALREADY || rc == -ENOENT : rc == 0 || rc == -EBADMSG);
                broken |= rc == -EBADMSG;
                refused += rc != 0;
                one->answered |= rc == 0;
            }
            break;

        case STEP_FORGE:
            id = take(input, 8);
            for ( unsigned int j = 0; j < count; j++ )
                if ( given[j].id == id )
                    id = 0;
            REQUIRE(memevent_answer(channel, id) < 0);
            refused++;
            break;

        case STEP_FLUSH:
            REQUIRE(memevent_flush(channel) == 0);
            break;

        case STEP_READ:
            control->response_consumer = control->response_producer;
            break;

        case STEP_ARM:
            rc = memevent_arm(channel);
            REQUIRE(rc == 0 || rc == 1 || rc == -EBADMSG);
            REQUIRE(!broken || rc == -EBADMSG);
            break;

        case STEPS:
            break;
        }
        memevent_get_statistics(channel, &statistics);
        REQUIRE(statistics.outstanding <= SLOTS);
        REQUIRE(statistics.received == statistics.answered + statistics.outstanding);
        REQUIRE(statistics.received == count);
        REQUIRE(statistics.refused == refused);
        REQUIRE(statistics.notifications == peer->notified);
    }
}

static void run_lossy(struct memevent_channel *channel, struct peer *peer, struct input *input)
{
    struct memevent_record records[SLOTS + 1];
    struct memevent_statistics statistics;
    uint64_t taken = 0, told = 0, lost;
    bool broken = false;
    int rc;

    for ( unsigned int step = 0; step < STEPS_MAX && input->size; step++ )
    {
        enum step what = take(input, 1) % STEPS;
        struct xen_memevent_lossy *control = (void *)((char *)peer->memory + take(input, 1) % RINGS * RING_SIZE);

        switch ( what )
        {
        case STEP_WRITE:
            write_memory(peer, input);
            break;

        case STEP_WORD:
            if ( take(input, 1) % 2 )
                control->producer = take(input, 4);
            else
                control->dropped = take(input, 8);
            break;

        case STEP_ADVANCE:
            control->producer += take(input, 1) % (SLOTS + 2);
            break;

        case STEP_NEXT:
            rc = memevent_take_records(channel, records, take(input, 1) % (SLOTS + 2), &lost);
            REQUIRE(rc >= -EBADMSG && rc <= SLOTS + 1 && (rc >= 0 || rc == -EBADMSG));
            REQUIRE(!broken || rc == -EBADMSG);
            broken |= rc == -EBADMSG;
            for ( int i = 0; i < rc; i++ )
                REQUIRE(records[i].pad == 0);
            taken += rc > 0 ? rc : 0;
            told += lost;
            break;

        case STEP_ARM:
            rc = memevent_arm(channel);
            REQUIRE(rc == 0 || rc == 1 || rc == -EBADMSG);
            break;

        default:
            /* What the other kind of channel is for. */
            REQUIRE(memevent_answer(channel, take(input, 8)) == -EOPNOTSUPP);
            REQUIRE(memevent_flush(channel) == 0);
            break;
        }
        memevent_get_statistics(channel, &statistics);
        REQUIRE(statistics.received == taken && statistics.lost == told);
        REQUIRE(!peer->notified);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { .data = data, .size = size };
    struct memevent_channel *channel;
    struct transport *transport;
    struct peer *peer = calloc(1, sizeof(*peer));
    bool is_lossy = take(&input, 1) % 2;

    REQUIRE(peer);
    peer->hv.ops = &peer_ops;
    peer->ring = (struct hypervisor_ring){
        .page = peer->memory, .fd = -1, .slots = SLOTS, .rings = 1, .size = sizeof(peer->memory),
        .ring_size = sizeof(peer->memory), .kind = RING_RELIABLE,
        .request_size = sizeof(struct xen_memevent_request), .response_size = sizeof(struct xen_memevent_response),
        .response_offset = sizeof(struct xen_memevent_reliable),
        .request_offset = sizeof(struct xen_memevent_reliable) + SLOTS * sizeof(struct xen_memevent_response),
    };
    if ( is_lossy )
    {
        peer->ring.kind = RING_LOSSY;
        peer->ring.rings = RINGS;
        peer->ring.ring_size = RING_SIZE;
        peer->ring.request_size = sizeof(struct xen_memevent_record);
        peer->ring.request_offset = sizeof(struct xen_memevent_lossy);
        peer->ring.batch = BATCH;
        REQUIRE(ring_lossy_open(&peer->ring, &transport) == 0);
    }
    else
        REQUIRE(ring_reliable_open(&peer->ring, MEMEVENT_CLASS_PAGING, &transport) == 0);
    REQUIRE(channel_open(&peer->hv, &peer->ring, transport, &channel) == 0);
    if ( is_lossy )
        run_lossy(channel, peer, &input);
    else
        run_reliable(channel, peer, &input);
    memevent_detach(channel);
    free(peer);

    return 0;
}
