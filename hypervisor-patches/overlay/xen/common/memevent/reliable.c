/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The producer's end of a reliable channel.  What the functions promise is in the header.  Locks, domains,
 * event channels and the memory itself are the caller's.
 *
 * The consumer is taken to be hostile: of the shared memory only three words of it are read, each once
 * and bounded, and a response is copied once and checked in the copy.
 */
#include <xen/errno.h>
#include <xen/lib.h>
#include <xen/memevent-barriers.h>
#include <xen/memevent-reliable.h>
#include <xen/string.h>

#define PAGE_OCTETS 4096u

/* The end of a list of entries. */
#define NO_ENTRY (~(uint32_t)0)

static uint32_t round_up_to_page(uint32_t octets)
{
    return (octets + PAGE_OCTETS - 1) & ~(PAGE_OCTETS - 1);
}

static struct xen_memevent_reliable *control(const struct memevent_reliable *channel)
{
    return channel->shared;
}

static struct xen_memevent_request *request_of(const struct memevent_reliable *channel, uint32_t index)
{
    return channel->requests + (size_t)index * channel->request_size;
}

/* Of a request that memevent_reliable_claim() gave out: its id is ours, and the caller leaves it alone. */
static uint32_t index_of(const struct memevent_reliable *channel,
                         const struct xen_memevent_request *request)
{
    uint32_t index = (uint32_t)request->id;

    ASSERT(index < channel->slots && request == request_of(channel, index));

    return index;
}

/* A slot's words, whatever they say. */
typedef uint64_t __attribute__((may_alias)) word_t;

/* Reads once, and writes once: volatile is for the compiler, the index that is published or read is for the other end. */
static inline void copy_word(void *to, const void *from, uint32_t octet)
{
    *(volatile word_t *)(to + octet) = *(const volatile word_t *)(from + octet);
}

/*
 * Into a slot.  Who fills a request in writes vcpu, kind and flags one by one, just before this: a load that is wider than
 * the stores before it waits until they have reached the cache.  So the word is put together from its parts, and volatile
 * keeps the compiler from knowing better.  All of Xen's machines are little-endian.
 */
static void copy_to_slot(void *slot, const struct xen_memevent_request *request, uint32_t octets)
{
    const volatile struct xen_memevent_request *parts = request;
    uint32_t octet;

    copy_word(slot, request, 0);
    copy_word(slot, request, 8);
    *(volatile word_t *)(slot + 16) = parts->vcpu | (uint64_t)parts->kind << 32 | (uint64_t)parts->flags << 48;
    copy_word(slot, request, 24);
    copy_word(slot, request, 32);
    copy_word(slot, request, 40);
    copy_word(slot, request, 48);
    copy_word(slot, request, 56);
    for ( octet = sizeof(*request); octet < octets; octet += 8 )
        copy_word(slot, request, octet);
}

/* Out of a slot: each word once, whatever the consumer does to it meanwhile. */
static void copy_from_slot(void *to, const void *slot, uint32_t octets)
{
    uint32_t octet;

    copy_word(to, slot, 0);
    copy_word(to, slot, 8);
    for ( octet = sizeof(struct xen_memevent_response); octet < octets; octet += 8 )
        copy_word(to, slot, octet);
}

/* Of our own memory.  With its size a constant a copy is a few moves. */
static void copy_request(const struct memevent_reliable *channel, void *to, const void *from)
{
    if ( channel->request_size == sizeof(struct xen_memevent_request) )
        memcpy(to, from, sizeof(struct xen_memevent_request));
    else
        memcpy(to, from, channel->request_size);
}

/* By words: what the compiler makes of so small a memset() takes longer to begin than to do. */
static void clear_request(const struct memevent_reliable *channel, void *request)
{
    volatile word_t *word = request;

    word[0] = word[1] = word[2] = word[3] = word[4] = word[5] = word[6] = word[7] = 0;
    if ( channel->request_size > sizeof(struct xen_memevent_request) )
        memset(request + sizeof(struct xen_memevent_request), 0,
               channel->request_size - sizeof(struct xen_memevent_request));
}

static uint32_t rescan_index(const struct memevent_reliable *channel)
{
    return channel->vcpus;
}

static bool is_anybodys(const struct memevent_reliable *channel, uint32_t index)
{
    return index > rescan_index(channel);
}

void memevent_reliable_layout(struct memevent_reliable *channel, uint32_t vcpus,
                              uint32_t request_size, uint32_t response_size)
{
    uint32_t slots = MEMEVENT_SLOTS_MIN;
    uint32_t end;

    while ( slots < vcpus + 1 + MEMEVENT_SHARED_MIN )
        slots *= 2;

    memset(channel, 0, sizeof(*channel));
    channel->slots = slots;
    channel->vcpus = vcpus;
    channel->request_size = request_size;
    channel->response_size = response_size;
    channel->response_offset = sizeof(struct xen_memevent_reliable);
    end = channel->response_offset + slots * response_size;
    channel->request_offset = round_up_to_page(end);
    channel->size = channel->request_offset + round_up_to_page(slots * request_size);
}

static void give_to_anybody(struct memevent_reliable *channel, uint32_t index)
{
    channel->entries[index].next = channel->free_head;
    channel->free_head = index;
}

void memevent_reliable_init(struct memevent_reliable *channel)
{
    uint32_t index;

    channel->waiting_head = channel->waiting_tail = NO_ENTRY;
    channel->free_head = NO_ENTRY;
    for ( index = channel->slots; index-- > 0; )
    {
        channel->entries[index].generation = 1;
        channel->entries[index].state = MEMEVENT_ENTRY_FREE;
        if ( is_anybodys(channel, index) )
            give_to_anybody(channel, index);
    }
}

static void set_free(struct memevent_reliable *channel, uint32_t index)
{
    struct memevent_entry *entry = &channel->entries[index];

    entry->state = MEMEVENT_ENTRY_FREE;
    if ( is_anybodys(channel, index) )
        give_to_anybody(channel, index);
}

static struct xen_memevent_request *claim_entry(struct memevent_reliable *channel, uint32_t index)
{
    struct memevent_entry *entry = &channel->entries[index];
    struct xen_memevent_request *request = request_of(channel, index);

    entry->state = MEMEVENT_ENTRY_CLAIMED;
    clear_request(channel, request);
    request->id = ((uint64_t)entry->generation << 32) | index;

    return request;
}

struct xen_memevent_request *memevent_reliable_claim(struct memevent_reliable *channel, uint32_t vcpu)
{
    uint32_t index = vcpu;

    if ( vcpu == MEMEVENT_NOBODY )
    {
        index = channel->free_head;
        if ( index == NO_ENTRY )
            return NULL;
        channel->free_head = channel->entries[index].next;
    }
    else if ( vcpu >= channel->vcpus || channel->entries[vcpu].state != MEMEVENT_ENTRY_FREE )
        return NULL;

    return claim_entry(channel, index);
}

void memevent_reliable_cancel(struct memevent_reliable *channel, struct xen_memevent_request *request)
{
    uint32_t index = index_of(channel, request);

    ASSERT(channel->entries[index].state == MEMEVENT_ENTRY_CLAIMED);
    set_free(channel, index);
}

bool memevent_reliable_is_asked(const struct memevent_reliable *channel, uint16_t kind, uint64_t gfn)
{
    uint32_t index;

    for ( index = rescan_index(channel) + 1; index < channel->slots; index++ )
    {
        const struct xen_memevent_request *request = request_of(channel, index);

        if ( channel->entries[index].state != MEMEVENT_ENTRY_FREE &&
             request->kind == kind && request->gfn == gfn )
            return true;
    }

    return false;
}

static void set_waiting(struct memevent_reliable *channel, uint32_t index)
{
    struct memevent_entry *entry = &channel->entries[index];

    entry->state = MEMEVENT_ENTRY_WAITING;
    entry->next = NO_ENTRY;
    if ( channel->waiting_tail == NO_ENTRY )
        channel->waiting_head = index;
    else
        channel->entries[channel->waiting_tail].next = index;
    channel->waiting_tail = index;
    channel->info.waiting++;
}


bool memevent_reliable_rescan(struct memevent_reliable *channel, uint16_t kind, uint64_t time)
{
    uint32_t index = rescan_index(channel);
    struct xen_memevent_request *request;

    channel->info.coalesced++;
    switch ( channel->entries[index].state )
    {
    case MEMEVENT_ENTRY_FREE:
        break;
    case MEMEVENT_ENTRY_SENT:
        /* The consumer may have looked before this loss. */
        if ( !channel->rescan_again )
            channel->rescan_time = time;
        channel->rescan_again = true;
        return false;
    default:
        return false;
    }

    request = claim_entry(channel, index);
    request->gfn = XEN_MEMEVENT_NO_GFN;
    request->kind = kind;
    request->time = time;

    return memevent_reliable_put(channel, request);
}

/* How many requests the ring takes now.  A consumer's index that cannot be is no room. */
static uint32_t room(const struct memevent_reliable *channel)
{
    /* Acquire: slots before the index have been read; pairs with the consumer's release of it. */
    uint32_t consumer = memevent_load_acquire(&control(channel)->request_consumer);
    uint32_t used = channel->request_producer - consumer;

    return used > channel->slots ? 0 : channel->slots - used;
}

/* The next slot says what the entry's request says.  There is room for it. */
static void send(struct memevent_reliable *channel, uint32_t index)
{
    uint32_t slot = channel->request_producer++ & (channel->slots - 1);

    copy_to_slot(channel->shared + channel->request_offset + (size_t)slot * channel->request_size,
                 request_of(channel, index), channel->request_size);
    channel->entries[index].state = MEMEVENT_ENTRY_SENT;
}

/* Lets the consumer see what was sent behind this index.  True: it wants a notification. */
static bool publish(struct memevent_reliable *channel, uint32_t before)
{
    uint32_t event;

    /* Release: the slots before the index; pairs with the consumer's acquire of it. */
    memevent_store_release(&control(channel)->request_producer, channel->request_producer);
    /* Index /before/ wish; pairs with the consumer's barrier between its wish and its look at the index. */
    memevent_full_barrier();
    event = memevent_load_relaxed(&control(channel)->request_event);
    if ( channel->request_producer - event >= channel->request_producer - before )
        return false;

    channel->info.notifications++;

    return true;
}

bool memevent_reliable_flush(struct memevent_reliable *channel)
{
    uint32_t free, before = channel->request_producer;
    bool notify = channel->notification_owed;

    channel->notification_owed = false;
    if ( channel->waiting_head == NO_ENTRY )
        return notify;

    for ( free = room(channel); free && channel->waiting_head != NO_ENTRY; free-- )
    {
        uint32_t index = channel->waiting_head;

        channel->waiting_head = channel->entries[index].next;
        if ( channel->waiting_head == NO_ENTRY )
            channel->waiting_tail = NO_ENTRY;
        channel->info.waiting--;
        send(channel, index);
    }

    if ( channel->request_producer == before )
        return notify;

    return publish(channel, before) || notify;
}

bool memevent_reliable_put(struct memevent_reliable *channel, struct xen_memevent_request *request)
{
    uint32_t index = index_of(channel, request), before = channel->request_producer;

    ASSERT(channel->entries[index].state == MEMEVENT_ENTRY_CLAIMED);
    channel->info.produced++;
    if ( ++channel->info.outstanding > channel->info.outstanding_max )
        channel->info.outstanding_max = channel->info.outstanding;

    /* Nearly always nobody waits, and there is room: then it need not wait, either. */
    if ( channel->waiting_head == NO_ENTRY && !channel->notification_owed && room(channel) )
    {
        send(channel, index);
        return publish(channel, before);
    }

    set_waiting(channel, index);

    return memevent_reliable_flush(channel);
}

/* Whether the id names a request that the consumer has.  Counts it if not. */
static bool is_sent(struct memevent_reliable *channel, uint64_t id)
{
    uint32_t index = (uint32_t)id, generation = id >> 32;
    const struct memevent_entry *entry;

    if ( index >= channel->slots )
    {
        channel->info.unknown++;
        return false;
    }

    entry = &channel->entries[memevent_bounded_index(index, channel->slots)];
    if ( generation == entry->generation && entry->state == MEMEVENT_ENTRY_SENT )
        return true;

    /* Modulo 2^32, as generations go round: half of them are the past. */
    if ( generation && entry->generation - generation - 1 < 0x7fffffffu )
        channel->info.repeated++;
    else
        channel->info.unknown++;

    return false;
}

/* The entry's request is answered: its id never comes back. */
static void retire(struct memevent_reliable *channel, uint32_t index)
{
    if ( ++channel->entries[index].generation == 0 )
        channel->entries[index].generation = 1;
    channel->info.outstanding--;
    set_free(channel, index);
}

/* What follows a response's action.  Its size is a multiple of 16, and so are whole words. */
static bool pads_are_zero(const struct memevent_answer *answer, uint32_t size)
{
    const struct xen_memevent_response *response = (const void *)answer->response;
    const word_t *words = (const void *)answer->response;
    uint64_t any = response->pad;
    uint32_t i;

    for ( i = sizeof(*response) / sizeof(*words); i < size / sizeof(*words); i++ )
        any |= words[i];

    return !any;
}

int memevent_reliable_take(struct memevent_reliable *channel, uint32_t actions_allowed,
                           struct memevent_answer *answer)
{
    /* Every class's response begins with these words; what follows is pad. */
    const struct xen_memevent_response *response = (const void *)answer->response;
    const struct xen_memevent_request *request = (const void *)answer->request;
    /* Acquire: the slots before the index; pairs with the consumer's release of it. */
    uint32_t producer = memevent_load_acquire(&control(channel)->response_producer);
    uint32_t there = producer - channel->response_consumer;
    uint32_t slot, index;

    if ( !there )
        return 0;
    if ( there > channel->slots )
    {
        /* No telling which slots are meant: none is.  What was not answered can be answered yet. */
        channel->info.overruns++;
        channel->response_consumer = producer;
        memevent_store_release(&control(channel)->response_consumer, producer);
        return -EINVAL;
    }

    slot = channel->response_consumer++ & (channel->slots - 1);
    copy_from_slot(answer->response, channel->shared + channel->response_offset +
                   (size_t)slot * channel->response_size, channel->response_size);
    /*
     * Release: the slot has been read; pairs with the consumer's acquire, before it writes there again.
     * It also keeps the compiler from reading the slot a second time below.
     */
    memevent_store_release(&control(channel)->response_consumer, channel->response_consumer);

    if ( !is_sent(channel, response->id) )
        return -EINVAL;
    if ( (response->action & ~actions_allowed) ||
         !pads_are_zero(answer, channel->response_size) )
    {
        channel->info.malformed++;
        return -EINVAL;
    }

    index = memevent_bounded_index(response->id, channel->slots);
    answer->index = index;
    copy_request(channel, answer->request, request_of(channel, index));
    channel->info.answered++;
    retire(channel, index);

    if ( index == rescan_index(channel) && channel->rescan_again )
    {
        channel->rescan_again = false;
        channel->info.coalesced--;      /* counted when it was lost */
        channel->notification_owed = memevent_reliable_rescan(channel, request->kind, channel->rescan_time);
    }

    return 1;
}

uint32_t memevent_reliable_reattach(struct memevent_reliable *channel)
{
    uint32_t index, again = 0;

    memset(channel->shared, 0, channel->size);
    channel->request_producer = channel->response_consumer = 0;
    channel->notification_owed = false;
    /* Who is new sleeps until the first request, if there is none yet. */
    control(channel)->request_event = 1;

    for ( index = 0; index < channel->slots; index++ )
    {
        if ( channel->entries[index].state != MEMEVENT_ENTRY_SENT )
            continue;
        request_of(channel, index)->flags |= XEN_MEMEVENT_AGAIN;
        set_waiting(channel, index);
        again++;
    }
    channel->info.redelivered += again;
    channel->info.attachments++;

    return again;
}

int memevent_reliable_abandon(struct memevent_reliable *channel, struct memevent_answer *answer)
{
    uint32_t index;

    channel->waiting_head = channel->waiting_tail = NO_ENTRY;
    channel->info.waiting = 0;
    for ( index = 0; index < channel->slots; index++ )
    {
        if ( channel->entries[index].state != MEMEVENT_ENTRY_SENT &&
             channel->entries[index].state != MEMEVENT_ENTRY_WAITING )
            continue;
        answer->index = index;
        copy_request(channel, answer->request, request_of(channel, index));
        memset(answer->response, 0, sizeof(answer->response));
        retire(channel, index);
        return 1;
    }

    return 0;
}
