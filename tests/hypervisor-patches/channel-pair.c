/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both ends of a reliable channel in one process.  The consumer's order of steps is the one that the ABI's
 * header asks for; each barrier names the function of the core that it pairs with.
 */
#include <string.h>

#include <xen/lib.h>
#include <xen/memevent-barriers.h>

#include "channel-pair.h"

#define PAGE_OCTETS 4096

void pair_open(struct channel_pair *pair, uint32_t vcpus, uint32_t request_size, uint32_t response_size)
{
    struct memevent_reliable *channel = &pair->channel;

    memset(pair, 0, sizeof(*pair));
    memevent_reliable_layout(channel, vcpus, request_size, response_size);
    channel->shared = aligned_alloc(PAGE_OCTETS, channel->size);
    channel->entries = calloc(channel->slots, sizeof(*channel->entries));
    channel->requests = calloc(channel->slots, channel->request_size);
    ASSERT(channel->shared && channel->entries && channel->requests);
    memevent_reliable_init(channel);
    pair_reattach(pair);
}

void pair_open_paging(struct channel_pair *pair, uint32_t vcpus)
{
    pair_open(pair, vcpus, sizeof(struct xen_memevent_request), sizeof(struct xen_memevent_response));
}

void pair_close(struct channel_pair *pair)
{
    free(pair->channel.shared);
    free(pair->channel.entries);
    free(pair->channel.requests);
}

uint64_t pair_ask(struct channel_pair *pair, uint32_t vcpu, uint64_t gfn, bool *notify)
{
    struct xen_memevent_request *request = memevent_reliable_claim(&pair->channel, vcpu);
    uint64_t id;
    bool said;

    if ( !request )
        return 0;
    id = request->id;
    request->gfn = gfn;
    request->kind = XEN_MEMEVENT_PAGING_POPULATE;
    request->vcpu = vcpu == MEMEVENT_NOBODY ? 0 : vcpu;
    request->flags = vcpu == MEMEVENT_NOBODY ? 0 : XEN_MEMEVENT_VCPU_PAUSED;
    said = memevent_reliable_put(&pair->channel, request);
    if ( notify )
        *notify = said;

    return id;
}

int pair_take(struct channel_pair *pair)
{
    return memevent_reliable_take(&pair->channel, 0, &pair->answer);
}

const struct xen_memevent_request *pair_answered(const struct channel_pair *pair)
{
    return (const void *)pair->answer.request;
}

uint32_t pair_reattach(struct channel_pair *pair)
{
    uint32_t again = memevent_reliable_reattach(&pair->channel);

    memevent_reliable_flush(&pair->channel);
    pair->request_consumer = pair->response_producer = 0;

    return again;
}

struct xen_memevent_reliable *pair_control(const struct channel_pair *pair)
{
    return pair->channel.shared;
}

bool pair_next(struct channel_pair *pair, struct xen_memevent_request *request)
{
    const struct memevent_reliable *channel = &pair->channel;
    uint32_t slot = pair->request_consumer & (channel->slots - 1);

    /* Acquire: the slots before the index; pairs with the release in memevent_reliable_flush(). */
    if ( memevent_load_acquire(&pair_control(pair)->request_producer) == pair->request_consumer )
        return false;
    memcpy(request, channel->shared + channel->request_offset + slot * channel->request_size, sizeof(*request));
    pair->request_consumer++;

    return true;
}

void pair_give_back(struct channel_pair *pair)
{
    /* Release: the slots have been read; pairs with the acquire in room(). */
    memevent_store_release(&pair_control(pair)->request_consumer, pair->request_consumer);
}

void pair_respond(struct channel_pair *pair, uint64_t id, uint32_t action)
{
    const struct memevent_reliable *channel = &pair->channel;
    uint32_t slot = pair->response_producer++ & (channel->slots - 1);
    /* No longer than the smallest class's; the others' pads are zero from the begin on. */
    const struct xen_memevent_response response = { .id = id, .action = action };

    /* Acquire: the slot has been read; pairs with the release in memevent_reliable_take(). */
    memevent_load_acquire(&pair_control(pair)->response_consumer);
    memcpy(channel->shared + channel->response_offset + slot * channel->response_size, &response, sizeof(response));
}

void pair_publish(struct channel_pair *pair)
{
    /* Release: the slots before the index; pairs with the acquire in memevent_reliable_take(). */
    memevent_store_release(&pair_control(pair)->response_producer, pair->response_producer);
}

void pair_answer(struct channel_pair *pair, uint64_t id)
{
    pair_give_back(pair);
    pair_respond(pair, id, 0);
    pair_publish(pair);
}

bool pair_arm(struct channel_pair *pair)
{
    memevent_store_relaxed(&pair_control(pair)->request_event, pair->request_consumer + 1);
    /* Wish /before/ index; pairs with the full barrier in memevent_reliable_flush(). */
    memevent_full_barrier();

    return memevent_load_acquire(&pair_control(pair)->request_producer) != pair->request_consumer;
}
