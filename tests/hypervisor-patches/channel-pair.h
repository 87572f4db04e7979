/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both ends of a reliable channel in one process: the hypervisor's core, and a consumer that is written after the
 * ABI's header and nothing else.  The consumer's functions check nothing: a test wants to be able to
 * do what a consumer must not.
 */
#ifndef TESTS_CHANNEL_PAIR_H
#define TESTS_CHANNEL_PAIR_H

#include <xen/memevent-reliable.h>

struct channel_pair {
    struct memevent_reliable channel;
    struct memevent_answer answer;      /* of the last pair_take() */

    /* The consumer's own. */
    uint32_t request_consumer;
    uint32_t response_producer;
};

/* A channel as a hypervisor makes it, with its first consumer attached. */
void pair_open(struct channel_pair *pair, uint32_t vcpus, uint32_t request_size, uint32_t response_size);
/* The same with PAGING's sizes. */
void pair_open_paging(struct channel_pair *pair, uint32_t vcpus);
void pair_close(struct channel_pair *pair);

/* ---- the hypervisor's end ---- */

/* Claims and puts.  The request's id, or 0 if there is no entry; *notify is what put() said. */
uint64_t pair_ask(struct channel_pair *pair, uint32_t vcpu, uint64_t gfn, bool *notify);
/* memevent_reliable_take() into pair->answer, with no action allowed. */
int pair_take(struct channel_pair *pair);
/* The request of the answer that was taken last. */
const struct xen_memevent_request *pair_answered(const struct channel_pair *pair);
/* A new consumer instead of the one that was; what reattach() said, after what the hypervisor does around it. */
uint32_t pair_reattach(struct channel_pair *pair);

/* ---- the consumer's end ---- */

struct xen_memevent_reliable *pair_control(const struct channel_pair *pair);
/* Copies the next request's first 64 octets, if there is one.  The slot is not given back yet. */
bool pair_next(struct channel_pair *pair, struct xen_memevent_request *request);
/* Gives back the slots of all requests that were copied. */
void pair_give_back(struct channel_pair *pair);
/* Writes a response; it is published by pair_publish(). */
void pair_respond(struct channel_pair *pair, uint64_t id, uint32_t action);
void pair_publish(struct channel_pair *pair);
/* Both at once, for one answer. */
void pair_answer(struct channel_pair *pair, uint64_t id);
/* Wishes to be notified of the next request.  True: one is there already, do not sleep. */
bool pair_arm(struct channel_pair *pair);

#endif /* TESTS_CHANNEL_PAIR_H */
