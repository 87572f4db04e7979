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

/* Reads once; what is made of the copy is the compiler's affair. */
static inline void read_word(void *to, const void *from, uint32_t octet)
{
    *(word_t *)(to + octet) = *(const volatile word_t *)(from + octet);
}

/*
 * Into a slot.  Who fills a request in writes vcpu, kind and flags one by one, just before this: a load that is wider than
 * the stores before it waits until they have reached the cache.  So the word is put together from its parts, and volatile
 * keeps the compiler from knowing better.  All of Xen's machines are little-endian.  The pads behind are zero,
 * whatever the request says.
 */
static inline void copy_to_slot(void *slot, const struct xen_memevent_request *request, uint32_t octets)
{
    const volatile struct xen_memevent_request *parts = request;
    uint32_t octet;

    copy_word(slot, request, 0);
    copy_word(slot, request, 8);
    *(volatile word_t *)(slot + 16) = parts->vcpu | (uint64_t)parts->kind << 32 | (uint64_t)parts->flags << 48;
    copy_word(slot, request, 24);
    copy_word(slot, request, 32);
    *(volatile word_t *)(slot + 40) = 0;
    *(volatile word_t *)(slot + 48) = 0;
    *(volatile word_t *)(slot + 56) = 0;
    for ( octet = sizeof(*request); octet < octets; octet += 8 )
        copy_word(slot, request, octet);
}

/* Out of a slot: each word once, whatever the consumer does to it meanwhile. */
static inline void copy_from_slot(void *to, const void *slot, uint32_t octets)
{
    uint32_t octet;

    read_word(to, slot, 0);
    read_word(to, slot, 8);
    for ( octet = sizeof(struct xen_memevent_response); octet < octets; octet += 8 )
        read_word(to, slot, octet);
}

/* Of our own memory.  With its size a constant a copy is a few moves. */
static void copy_request(const struct memevent_reliable *channel, void *to, const void *from)
{
    if ( channel->request_size == sizeof(struct xen_memevent_request) )
        memcpy(to, from, sizeof(struct xen_memevent_request));
    else
        memcpy(to, from, channel->request_size);
}

/* All but the id.  By words: what the compiler makes of so small a memset() takes longer to begin than to do. */
static inline void clear_request(void *request)
{
    volatile word_t *word = request;

    word[1] = word[2] = word[3] = word[4] = word[5] = word[6] = word[7] = 0;
}

static void *clear_rest(const struct memevent_reliable *channel, void *request)
{
    memset(request + sizeof(struct xen_memevent_request), 0,
           channel->request_size - sizeof(struct xen_memevent_request));

    return request;
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

    request->id = ((uint64_t)entry->generation << 32) | index;
    entry->state = MEMEVENT_ENTRY_CLAIMED;
    clear_request(request);

    return channel->request_size == sizeof(*request) ? request : clear_rest(channel, request);
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

/*
 * The next slot says what the entry's request says.  There is room for it.  Where the request is is not worked out of
 * its index: who has just written the one would wait for the other.
 */
static inline void send(struct memevent_reliable *channel, uint32_t index, const struct xen_memevent_request *request)
{
    uint32_t slot = channel->request_producer++ & (channel->slots - 1);

    copy_to_slot(channel->shared + channel->request_offset + (size_t)slot * channel->request_size,
                 request, channel->request_size);
    channel->entries[index].state = MEMEVENT_ENTRY_SENT;
}

/* Lets the consumer see the so many requests that were sent.  True: it wants a notification. */
static inline bool publish(struct memevent_reliable *channel, uint32_t sent)
{
    struct xen_memevent_reliable *shared = control(channel);
    uint32_t producer = channel->request_producer, event;

    /* Release: the slots before the index; pairs with the consumer's acquire of it. */
    memevent_store_release(&shared->request_producer, producer);
    /* Index /before/ wish; pairs with the consumer's barrier between its wish and its look at the index. */
    memevent_full_barrier();
    event = memevent_load_relaxed(&shared->request_event);
    if ( producer - event >= sent )
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
        send(channel, index, request_of(channel, index));
    }

    if ( channel->request_producer == before )
        return notify;

    return publish(channel, channel->request_producer - before) || notify;
}

bool memevent_reliable_put(struct memevent_reliable *channel, struct xen_memevent_request *request)
{
    uint32_t index = index_of(channel, request);

    ASSERT(channel->entries[index].state == MEMEVENT_ENTRY_CLAIMED);
    channel->info.produced++;
    if ( ++channel->info.outstanding > channel->info.outstanding_max )
        channel->info.outstanding_max = channel->info.outstanding;

    /* Nearly always nobody waits, and there is room: then it need not wait, either. */
    if ( channel->waiting_head == NO_ENTRY && !channel->notification_owed && room(channel) )
    {
        send(channel, index, request);
        return publish(channel, 1);
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
    struct memevent_entry *entry = &channel->entries[index];
    uint32_t generation = entry->generation + 1;

    entry->generation = generation ? generation : 1;
    set_free(channel, index);
}

/* What follows a response's action.  Its size is a multiple of 16, and so are whole words. */
static bool pads_are_zero(const void *copy, uint32_t size)
{
    const struct xen_memevent_response *response = copy;
    const word_t *words = copy;
    uint64_t any = response->pad;
    uint32_t i;

    for ( i = sizeof(*response) / sizeof(*words); i < size / sizeof(*words); i++ )
        any |= words[i];

    return !any;
}

/* How many responses there are; -EINVAL: the index cannot be, and was counted. */
static int responses(struct memevent_reliable *channel)
{
    /* Acquire: the slots before the index; pairs with the consumer's release of it. */
    uint32_t producer = memevent_load_acquire(&control(channel)->response_producer);
    uint32_t there = producer - channel->response_consumer;

    if ( there <= channel->slots )
        return there;

    /* No telling which slots are meant: none is.  What was not answered can be answered yet. */
    channel->info.overruns++;
    channel->response_consumer = producer;
    memevent_store_release(&control(channel)->response_consumer, producer);

    return -EINVAL;
}

/*
 * The response of that number, which is there: whose entry it names, or NO_ENTRY if it is refused.  size is the
 * channel's, which a caller may know as a constant.
 */
static inline uint32_t read_response(struct memevent_reliable *channel, uint32_t number, uint32_t size,
                                     uint32_t actions_allowed, void *copy)
{
    /* Every class's response begins with these words; what follows is pad. */
    const struct xen_memevent_response *response = copy;
    uint32_t slot = number & (channel->slots - 1);

    copy_from_slot(copy, channel->shared + channel->response_offset + (size_t)slot * size, size);
    if ( !is_sent(channel, response->id) )
        return NO_ENTRY;
    if ( (response->action & ~actions_allowed) || !pads_are_zero(copy, size) )
    {
        channel->info.malformed++;
        return NO_ENTRY;
    }

    return memevent_bounded_index(response->id, channel->slots);
}

/*
 * Responses before that index have been read, and so many accepted.  Counted once for all of them: a counter that is
 * read and written for each makes each wait for the one before.
 */
static void settle(struct memevent_reliable *channel, uint32_t consumer, uint32_t accepted)
{
    uint32_t rescan = rescan_index(channel);

    channel->response_consumer = consumer;
    /* Release: the slots have been read; pairs with the consumer's acquire, before it writes there again. */
    memevent_store_release(&control(channel)->response_consumer, consumer);
    channel->info.answered += accepted;
    channel->info.outstanding -= accepted;

    if ( channel->rescan_again && channel->entries[rescan].state == MEMEVENT_ENTRY_FREE )
    {
        channel->rescan_again = false;
        channel->info.coalesced--;      /* counted when it was lost */
        channel->notification_owed = memevent_reliable_rescan(channel, request_of(channel, rescan)->kind,
                                                              channel->rescan_time);
    }
}

int memevent_reliable_take(struct memevent_reliable *channel, uint32_t actions_allowed,
                           struct memevent_answer *answer)
{
    int there = responses(channel);
    uint32_t number = channel->response_consumer, index;

    if ( there <= 0 )
        return there;

    index = read_response(channel, number, channel->response_size, actions_allowed, answer->response);
    if ( index != NO_ENTRY )
    {
        answer->index = index;
        copy_request(channel, answer->request, request_of(channel, index));
        retire(channel, index);
    }
    settle(channel, number + 1, index != NO_ENTRY);

    return index != NO_ENTRY ? 1 : -EINVAL;
}

uint32_t memevent_reliable_take_waiting(struct memevent_reliable *channel, uint32_t *vcpus, uint32_t room,
                                        uint32_t *budget)
{
    int there = responses(channel);
    uint32_t begin = channel->response_consumer, number, end, waiting = 0, accepted = 0;

    ASSERT(channel->response_size == sizeof(struct xen_memevent_response));
    if ( there <= 0 )
        return 0;

    end = begin + ((uint32_t)there < *budget ? (uint32_t)there : *budget);
    for ( number = begin; number != end && waiting < room; number++ )
    {
        struct xen_memevent_response copy;
        uint32_t index = read_response(channel, number, sizeof(copy), 0, &copy);
        const struct xen_memevent_request *request;

        if ( index == NO_ENTRY )
            continue;
        request = request_of(channel, index);
        if ( request->flags & XEN_MEMEVENT_VCPU_PAUSED )
            vcpus[waiting++] = request->vcpu;
        retire(channel, index);
        accepted++;
    }
    *budget -= number - begin;
    settle(channel, number, accepted);

    return waiting;
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
    channel->rescan_again = false;
    for ( index = 0; index < channel->slots; index++ )
    {
        if ( channel->entries[index].state != MEMEVENT_ENTRY_SENT &&
             channel->entries[index].state != MEMEVENT_ENTRY_WAITING )
            continue;
        answer->index = index;
        copy_request(channel, answer->request, request_of(channel, index));
        memset(answer->response, 0, sizeof(answer->response));
        retire(channel, index);
        channel->info.outstanding--;
        return 1;
    }

    return 0;
}
