/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's end of a lossy ring, against a consumer that writes what it likes into all of the memory that it
 * shares.  The input is a program, as in fuzz-reliable.  Whatever is written, each record is in a slot of the ring or
 * counted as dropped, the private counters are right, and a wish is fulfilled once.
 */
#include <string.h>

#define FUZZ_TARGET "lossy"
#include "fuzz.h"

#include <xen/memevent-lossy.h>

#define STEPS_MAX 2048
#define OFFSET ((uint32_t)sizeof(struct xen_memevent_lossy))

enum step {
    STEP_PUT,           /* how many (1) */
    STEP_EXPIRE,
    STEP_WRITE,         /* offset (2), length (1), octets */
    STEP_CONSUMER,      /* value (4) */
    STEP_NUDGE,         /* by (1), signed */
    STEP_CONSUME,       /* as a consumer does */
    STEP_ARM,           /* by (1) */
    STEPS
};

struct world {
    struct memevent_lossy ring;
    size_t size;
    uint64_t produced, dropped;
    uint32_t armed;     /* as the consumer wrote it last, or somebody over it */
    bool fulfilled;     /* armed's present value was */
};

struct input {
    const uint8_t *data;
    size_t size;
};

static uint64_t read_input(struct input *input, unsigned int octets)
{
    uint64_t value = 0;

    while ( octets-- && input->size )
    {
        value = value << 8 | *input->data++;
        input->size--;
    }

    return value;
}

static void note_wish(struct world *world, bool told)
{
    if ( world->ring.shared->armed != world->armed )
    {
        world->armed = world->ring.shared->armed;
        world->fulfilled = false;
    }
    REQUIRE(!told || !world->fulfilled);
    world->fulfilled = world->fulfilled || told;
}

static void step_put(struct world *world, unsigned int count)
{
    struct memevent_lossy *ring = &world->ring;
    const struct xen_memevent_record *slot;
    struct xen_memevent_record record = { .kind = XEN_MEMEVENT_GFN, .domid = 1 };
    uint32_t consumer, producer;
    bool told;

    while ( count-- )
    {
        record.what = ++world->produced;
        producer = ring->producer;
        consumer = ring->shared->consumer;
        note_wish(world, false);
        told = memevent_lossy_put(ring, &record);
        note_wish(world, told);
        if ( ring->producer == producer )
        {
            world->dropped++;
            /* It was full, as far as the index can be believed. */
            REQUIRE(producer - consumer >= ring->slots);
        }
        else
        {
            REQUIRE(ring->producer == producer + 1);
            slot = &ring->records[producer & (ring->slots - 1)];
            REQUIRE(!memcmp(slot, &record, sizeof(record)));
            REQUIRE(ring->shared->producer == ring->producer);
        }
        REQUIRE(ring->shared->produced == world->produced);
        REQUIRE(ring->produced == world->produced && ring->dropped == world->dropped);
    }
}

static void step_write(struct world *world, struct input *input)
{
    size_t offset = read_input(input, 2) % world->size, length = read_input(input, 1);

    if ( length > input->size )
        length = input->size;
    if ( length > world->size - offset )
        length = world->size - offset;
    memcpy((uint8_t *)world->ring.shared + offset, input->data, length);
    input->data += length;
    input->size -= length;
}

static void run_step(struct world *world, struct input *input)
{
    struct memevent_lossy *ring = &world->ring;

    switch ( (enum step)(read_input(input, 1) % STEPS) )
    {
    case STEP_PUT:
        step_put(world, read_input(input, 1));
        break;

    case STEP_EXPIRE:
        note_wish(world, false);
        note_wish(world, memevent_lossy_expire(ring));
        break;

    case STEP_WRITE:
        step_write(world, input);
        break;

    case STEP_CONSUMER:
        ring->shared->consumer = read_input(input, 4);
        break;

    case STEP_NUDGE:
        ring->shared->consumer += (int8_t)read_input(input, 1);
        break;

    case STEP_CONSUME:
        ring->shared->consumer = ring->producer;
        break;

    case STEP_ARM:
        ring->shared->armed += read_input(input, 1);
        break;

    case STEPS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { .data = data, .size = size };
    struct world world = { 0 };
    uint32_t slots = 1u << read_input(&input, 1) % 9, batch = read_input(&input, 1);
    unsigned int step;
    void *memory;

    world.size = OFFSET + slots * sizeof(struct xen_memevent_record);
    memory = calloc(1, world.size);
    REQUIRE(memory);
    memevent_lossy_init(&world.ring, memory, OFFSET, slots, batch);
    for ( step = 0; step < STEPS_MAX && input.size; step++ )
    {
        run_step(&world, &input);
        REQUIRE(memevent_lossy_consumed(&world.ring) <= world.produced - world.dropped);
    }
    free(memory);

    return 0;
}
