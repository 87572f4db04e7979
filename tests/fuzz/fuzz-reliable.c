/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's end of a reliable channel, against a consumer that writes what it likes into all of the memory that it
 * shares.  The input is a program: an octet for a step, octets for its arguments.
 *
 * A model of each entry says what must hold whatever is written: an answer is accepted only for a request that was
 * sent and is open, with its own id, once, and comes with the words that were asked; each refusal is in one counter;
 * nothing is written outside the ring, and no request is lost over any number of consumers.
 */
#include <errno.h>
#include <string.h>

#define FUZZ_TARGET "reliable"
#include "fuzz.h"

#include <xen/memevent-reliable.h>

/* Enough for indices to go round; more tells nothing new. */
#define STEPS_MAX 1024
#define PAGE_OCTETS 4096u
#define SLOTS_MAX 128

enum step {
    STEP_CLAIM,         /* vcpu (1); from 200 on nobody's */
    STEP_PUT,           /* which of the claimed (1) */
    STEP_CANCEL,        /* which of the claimed (1) */
    STEP_RESCAN,
    STEP_FLUSH,
    STEP_TAKE,          /* actions allowed (1); up to slots of them; with TAKE_AT_ONCE none, if the size is PAGING's */
    STEP_REATTACH,
    STEP_ABANDON,
    STEP_WRITE,         /* offset (2), length (1), octets */
    STEP_WORD,          /* which of the control words (1), value (4) */
    STEP_NUDGE,         /* which of the control words (1), by (1), signed */
    STEP_ANSWER,        /* an open entry (1), oddity (1): an answer as a consumer gives it, or nearly */
    STEP_CONSUME,       /* as a consumer does: all copied, slots given back */
    STEPS
};

#define TAKE_AT_ONCE 0x80

struct entry {
    enum { FREE, CLAIMED, OPEN } state;
    struct xen_memevent_request *request;
    uint64_t id;
    uint64_t mark;      /* what its gfn says: new for each request */
};

struct world {
    struct memevent_reliable channel;
    struct entry entries[SLOTS_MAX];
    uint64_t marks;
    uint64_t produced, answered, refused;
    unsigned int open;
    bool answered_by_abandon;
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

static struct xen_memevent_reliable *control(const struct world *world)
{
    return world->channel.shared;
}

static uint32_t *control_word(const struct world *world, unsigned int which)
{
    uint32_t *const words[] = {
        &control(world)->request_producer, &control(world)->request_consumer, &control(world)->request_event,
        &control(world)->response_producer, &control(world)->response_consumer,
    };

    return words[which % 5];
}

/* The n-th entry in a state, or NULL if there are none. */
static struct entry *find(struct world *world, int state, unsigned int n)
{
    unsigned int i, count = 0;

    for ( i = 0; i < world->channel.slots; i++ )
        count += (int)world->entries[i].state == state;
    if ( !count )
        return NULL;
    for ( i = 0, n %= count; ; i++ )
        if ( (int)world->entries[i].state == state && !n-- )
            return &world->entries[i];
}

static void open_world(struct world *world, struct input *input)
{
    static const uint32_t sizes[][2] = { { 64, 16 }, { 256, 64 }, { 512, 64 } };
    uint32_t vcpus = 1 + read_input(input, 1) % 70, kind = read_input(input, 1) % 3;
    struct memevent_reliable *channel = &world->channel;

    memset(world, 0, sizeof(*world));
    memevent_reliable_layout(channel, vcpus, sizes[kind][0], sizes[kind][1]);
    REQUIRE(channel->slots <= SLOTS_MAX);
    /* Each of the size that the geometry says, so that the sanitizer sees one octet beyond it. */
    channel->shared = aligned_alloc(PAGE_OCTETS, channel->size);
    channel->entries = calloc(channel->slots, sizeof(*channel->entries));
    channel->requests = calloc(channel->slots, channel->request_size);
    REQUIRE(channel->shared && channel->entries && channel->requests);
    memevent_reliable_init(channel);
    memevent_reliable_reattach(channel);
}

static void close_world(struct world *world)
{
    free(world->channel.shared);
    free(world->channel.entries);
    free(world->channel.requests);
}

static void step_claim(struct world *world, uint32_t vcpu)
{
    struct xen_memevent_request *request;
    struct entry *entry;
    uint32_t index;

    if ( vcpu >= 200 )
        vcpu = MEMEVENT_NOBODY;
    request = memevent_reliable_claim(&world->channel, vcpu);
    if ( vcpu != MEMEVENT_NOBODY )
        REQUIRE(!request == (vcpu >= world->channel.vcpus || world->entries[vcpu].state != FREE));
    if ( !request )
        return;
    index = (uint32_t)request->id;
    REQUIRE(index < world->channel.slots);
    REQUIRE(vcpu == MEMEVENT_NOBODY ? index > world->channel.vcpus : index == vcpu);
    entry = &world->entries[index];
    REQUIRE(entry->state == FREE);
    REQUIRE(request->gfn == 0 && request->flags == 0 && request->id >> 32 != 0);
    /* Only a claim that was cancelled has its id come back. */
    *entry = (struct entry){ .state = CLAIMED, .request = request, .id = request->id, .mark = ++world->marks };
    request->gfn = entry->mark;
    if ( vcpu != MEMEVENT_NOBODY )
    {
        request->vcpu = vcpu;
        request->flags = XEN_MEMEVENT_VCPU_PAUSED;
    }
}

static void step_put(struct world *world, struct entry *entry)
{
    if ( !entry )
        return;
    memevent_reliable_put(&world->channel, entry->request);
    entry->state = OPEN;
    world->produced++;
    world->open++;
}

/* RESCAN's entry is the core's own: it is open as long as it is not FREE. */
static void note_rescan(struct world *world, bool asked)
{
    uint32_t index = world->channel.vcpus;
    struct entry *entry = &world->entries[index];
    const struct xen_memevent_request *request;

    if ( world->channel.entries[index].state == MEMEVENT_ENTRY_FREE || entry->state == OPEN )
        return;
    REQUIRE(asked);
    request = world->channel.requests + (size_t)index * world->channel.request_size;
    *entry = (struct entry){ .state = OPEN, .id = request->id, .mark = XEN_MEMEVENT_NO_GFN };
    world->produced++;
    world->open++;
}

static void check_answer(struct world *world, const struct memevent_answer *answer, bool given)
{
    const struct xen_memevent_request *request = (const void *)answer->request;
    const struct xen_memevent_response *response = (const void *)answer->response;
    struct entry *entry;

    REQUIRE(answer->index < world->channel.slots);
    entry = &world->entries[answer->index];
    REQUIRE(entry->state == OPEN);
    REQUIRE(request->id == entry->id && request->gfn == entry->mark);
    REQUIRE(!given || response->id == entry->id);
    entry->state = FREE;
    world->open--;
    world->answered += given;
}

static bool is_free(const struct world *world, uint32_t index)
{
    return world->channel.entries[index].state == MEMEVENT_ENTRY_FREE;
}

/* Of vCPUs those go on whose entry is free now and was not, and the others' entries need nobody. */
static void step_take_at_once(struct world *world, uint32_t room)
{
    const struct xen_memevent_info *info = &world->channel.info;
    uint32_t vcpus[SLOTS_MAX], budget = world->channel.slots, waiting, index, i, found = 0;
    uint64_t refused = world->refused;

    waiting = memevent_reliable_take_waiting(&world->channel, vcpus, room, &budget);
    REQUIRE(waiting <= room);
    for ( i = 0; i < waiting; i++ )
    {
        REQUIRE(vcpus[i] < world->channel.vcpus);
        REQUIRE(world->entries[vcpus[i]].state == OPEN && is_free(world, vcpus[i]));
    }
    for ( index = 0; index < world->channel.slots; index++ )
    {
        /* RESCAN's entry may have been asked again at once. */
        bool again = index == world->channel.vcpus && world->entries[index].state == OPEN &&
                     (uint32_t)(world->entries[index].id >> 32) != world->channel.entries[index].generation;

        if ( world->entries[index].state != OPEN || (!is_free(world, index) && !again) )
            continue;
        found += index < world->channel.vcpus;
        world->entries[index].state = FREE;
        world->open--;
        world->answered++;
        if ( again )
            note_rescan(world, true);
    }
    REQUIRE(found == waiting);
    world->refused = info->unknown + info->repeated + info->malformed + info->overruns;
    REQUIRE(world->refused - refused <= world->channel.slots);
}

static void step_take(struct world *world, uint32_t allowed)
{
    const struct xen_memevent_info *info = &world->channel.info;
    struct memevent_answer answer;
    unsigned int i;
    int rc;

    for ( i = 0; i <= world->channel.slots; i++ )
    {
        bool rescans = world->channel.rescan_again;

        rc = memevent_reliable_take(&world->channel, allowed, &answer);
        if ( !rc )
            break;
        if ( rc == 1 )
        {
            REQUIRE(!(((struct xen_memevent_response *)answer.response)->action & ~allowed));
            check_answer(world, &answer, true);
            note_rescan(world, rescans && answer.index == world->channel.vcpus);
        }
        else
        {
            REQUIRE(rc == -EINVAL);
            world->refused++;
        }
        REQUIRE(info->unknown + info->repeated + info->malformed + info->overruns == world->refused);
    }
    /* Nobody writes meanwhile: a ring has no more than slots. */
    REQUIRE(i <= world->channel.slots);
}

static void step_abandon(struct world *world)
{
    struct memevent_answer answer;

    while ( memevent_reliable_abandon(&world->channel, &answer) )
        check_answer(world, &answer, false);
    REQUIRE(!world->open);
    world->answered_by_abandon = true;
}

static void step_reattach(struct world *world)
{
    uint32_t again = memevent_reliable_reattach(&world->channel);

    REQUIRE(again <= world->open);
    REQUIRE(world->channel.info.waiting == world->open);
    memevent_reliable_flush(&world->channel);
    /* There is a slot for every entry, and nobody has written yet. */
    REQUIRE(!world->channel.info.waiting);
    REQUIRE(control(world)->request_producer == world->open);
}

static void step_write(struct world *world, struct input *input)
{
    size_t offset = read_input(input, 2) % world->channel.size, length = read_input(input, 1);

    if ( length > input->size )
        length = input->size;
    if ( length > world->channel.size - offset )
        length = world->channel.size - offset;
    memcpy(world->channel.shared + offset, input->data, length);
    input->data += length;
    input->size -= length;
}

static void step_answer(struct world *world, struct entry *entry, uint8_t oddity)
{
    const struct memevent_reliable *channel = &world->channel;
    uint32_t slot = control(world)->response_producer & (channel->slots - 1);
    struct xen_memevent_response *response;

    if ( !entry )
        return;
    response = channel->shared + channel->response_offset + (size_t)slot * channel->response_size;
    memset(response, 0, channel->response_size);
    response->id = entry->id;
    if ( oddity & 1 )
        response->id ^= 1ull << (oddity >> 1 & 63);
    if ( oddity & 128 )
        response->action = oddity >> 1 & 7;
    control(world)->response_producer++;
}

static void check_world(const struct world *world)
{
    const struct memevent_reliable *channel = &world->channel;
    const struct xen_memevent_info *info = &channel->info;
    uint32_t index, next, waiting = 0, sent = 0;

    REQUIRE(info->produced == world->produced);
    REQUIRE(info->answered == world->answered);
    REQUIRE(info->outstanding == world->open);
    REQUIRE(info->outstanding <= info->outstanding_max && info->outstanding_max <= channel->slots);
    REQUIRE(world->answered_by_abandon || info->produced == info->answered + info->outstanding);

    /* The list of those that wait has each of them, once, and ends. */
    for ( index = channel->waiting_head; index < channel->slots; index = next )
    {
        REQUIRE(channel->entries[index].state == MEMEVENT_ENTRY_WAITING);
        REQUIRE(++waiting <= channel->slots);
        next = channel->entries[index].next;
    }
    REQUIRE(waiting == info->waiting);
    for ( index = 0; index < channel->slots; index++ )
    {
        uint32_t state = channel->entries[index].state;

        REQUIRE(channel->entries[index].generation);
        REQUIRE((state == MEMEVENT_ENTRY_FREE) == (world->entries[index].state == FREE));
        REQUIRE((state == MEMEVENT_ENTRY_CLAIMED) == (world->entries[index].state == CLAIMED));
        waiting -= state == MEMEVENT_ENTRY_WAITING;
        sent += state == MEMEVENT_ENTRY_SENT;
    }
    REQUIRE(!waiting);
    REQUIRE(sent + info->waiting == info->outstanding);
}

static void run_step(struct world *world, struct input *input)
{
    switch ( (enum step)(read_input(input, 1) % STEPS) )
    {
    case STEP_CLAIM:
        step_claim(world, read_input(input, 1));
        break;

    case STEP_PUT:
        step_put(world, find(world, CLAIMED, read_input(input, 1)));
        break;

    case STEP_CANCEL:
    {
        struct entry *entry = find(world, CLAIMED, read_input(input, 1));

        if ( !entry )
            break;
        memevent_reliable_cancel(&world->channel, entry->request);
        entry->state = FREE;
        break;
    }

    case STEP_RESCAN:
        memevent_reliable_rescan(&world->channel, XEN_MEMEVENT_PAGING_RESCAN, 1);
        note_rescan(world, true);
        break;

    case STEP_FLUSH:
        memevent_reliable_flush(&world->channel);
        break;

    case STEP_TAKE:
    {
        uint32_t allowed = read_input(input, 1);

        if ( (allowed & TAKE_AT_ONCE) && world->channel.response_size == sizeof(struct xen_memevent_response) )
            step_take_at_once(world, 1 + (allowed & ~TAKE_AT_ONCE));
        else
            step_take(world, allowed);
        break;
    }

    case STEP_REATTACH:
        step_reattach(world);
        break;

    case STEP_ABANDON:
        step_abandon(world);
        break;

    case STEP_WRITE:
        step_write(world, input);
        break;

    case STEP_WORD:
    {
        uint32_t *word = control_word(world, read_input(input, 1));

        *word = read_input(input, 4);
        break;
    }

    case STEP_NUDGE:
    {
        uint32_t *word = control_word(world, read_input(input, 1));

        *word += (int8_t)read_input(input, 1);
        break;
    }

    case STEP_ANSWER:
    {
        struct entry *entry = find(world, OPEN, read_input(input, 1));

        step_answer(world, entry, read_input(input, 1));
        break;
    }

    case STEP_CONSUME:
        control(world)->request_consumer = control(world)->request_producer;
        break;

    case STEPS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct input input = { .data = data, .size = size };
    unsigned int step;

    open_world(&world, &input);
    for ( step = 0; step < STEPS_MAX && input.size; step++ )
    {
        run_step(&world, &input);
        check_world(&world);
    }
    close_world(&world);

    return 0;
}
