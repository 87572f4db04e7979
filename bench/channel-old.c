/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shape of upstream's vm_event ring, after its ABI and what Xen 4.17 and upstream's pager do with it: 8 slots of 400 octets in
 * one page, requests and responses in the same ones, a notification for each, a lock for each step.
 *
 * Left out, to its advantage: that a vCPU which finds no slot sleeps in a wait queue and is scheduled again for each
 * attempt, and that others are paused and let go on as the ring fills and drains.
 */
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define OLD_SLOTS 8u
#define VERSION   7u
#define PAUSED    1u
#define PAGING    11u

struct old_entry {
    uint32_t version, flags, reason, vcpu;
    uint16_t view, pad[3];
    uint64_t gfn;
    uint8_t rest[368];
};

struct old_page {
    uint32_t request_producer, request_event, response_producer, response_event;
    uint8_t pad[48];
    struct old_entry slots[OLD_SLOTS];
};
_Static_assert(sizeof(struct old_entry) == 400, "a slot of interface version 7");
_Static_assert(sizeof(struct old_page) <= PAGE_OCTETS, "one page");

static struct old_page *page;
static uint32_t request_producer, response_consumer;            /* Xen's */
static uint32_t request_consumer, response_producer;            /* the consumer's */
static uint32_t producers;                                      /* vCPUs that have claimed a slot */

void old_open(void)
{
    page = aligned_alloc(PAGE_OCTETS, PAGE_OCTETS);
    require(page, "no memory");
    memset(page, 0, PAGE_OCTETS);
}

void old_close(void)
{
    free(page);
}

/* vm_event_claim_slot(), p2m_mem_paging_populate(), vm_event_put_request(). */
static void put(uint32_t vcpu, uint64_t gfn)
{
    struct old_entry request = { .reason = PAGING, .flags = PAUSED, .vcpu = vcpu, .gfn = gfn };

    lock();
    require(request_producer - response_consumer + producers < OLD_SLOTS, "the old shape has no slot");
    producers++;
    unlock();

    request.version = VERSION;
    used(&request);
    lock();
    memcpy(&page->slots[request_producer++ % OLD_SLOTS], &request, sizeof(request));
    __atomic_store_n(&page->request_producer, request_producer, __ATOMIC_RELEASE);
    producers--;
    unlock();
    port_signal();
}

/* vm_event_get_response(). */
static bool get_response(struct old_entry *response)
{
    bool got = false;

    lock();
    if ( response_consumer != __atomic_load_n(&page->response_producer, __ATOMIC_ACQUIRE) )
    {
        memcpy(response, &page->slots[response_consumer++ % OLD_SLOTS], sizeof(*response));
        page->response_event = response_consumer + 1;
        got = true;
    }
    unlock();
    used(response);

    return got;
}

/* vm_event_resume(). */
static void resume(struct work *work)
{
    struct old_entry response;

    while ( get_response(&response) )
    {
        require(response.version == VERSION && response.vcpu < VCPUS && response.reason == PAGING &&
                response.flags == PAUSED, "an answer of the old shape is wrong");
        if ( work_goes_on(work) )
            put(response.vcpu, response.gfn + 1);
    }
}

/* xenpaging's loop: each answer is put and notified before the next request is looked at. */
static void consume(struct work *work)
{
    static struct old_entry response;
    struct old_entry request;

    while ( request_consumer != __atomic_load_n(&page->request_producer, __ATOMIC_ACQUIRE) )
    {
        memcpy(&request, &page->slots[request_consumer++ % OLD_SLOTS], sizeof(request));
        page->request_event = request_consumer + 1;
        used(&request);
        response.version = request.version;
        response.vcpu = request.vcpu;
        response.flags = request.flags;
        response.reason = request.reason;
        response.gfn = request.gfn;
        used(&response);
        memcpy(&page->slots[response_producer++ % OLD_SLOTS], &response, sizeof(response));
        __atomic_store_n(&page->response_producer, response_producer, __ATOMIC_RELEASE);
        port_notify();
        resume(work);
    }
}

void old_run(struct work *work)
{
    /* More than there are slots wait for one. */
    unsigned int batch = work->outstanding < OLD_SLOTS ? work->outstanding : OLD_SLOTS, vcpu;

    while ( work->left )
    {
        for ( vcpu = 0; vcpu < batch && work->left; vcpu++ )
        {
            work->left--;
            put(vcpu, work->left + 1);
        }
        while ( port_wake() )
            consume(work);
    }
}

/* The answer to each event is taken before the next is consumed: here what can be told apart is. */
void old_parts(struct parts *parts)
{
    struct work work = { .outstanding = OLD_SLOTS };
    struct old_entry copy;
    double t0, t1, t2, t3;
    unsigned int i;

    t0 = part_clock();
    for ( i = 0; i < OLD_SLOTS; i++ )
        put(i, 1);
    t1 = part_clock();
    (void)port_wake();
    for ( i = 0; i < OLD_SLOTS; i++ )
    {
        memcpy(&copy, &page->slots[request_consumer++ % OLD_SLOTS], sizeof(copy));
        page->request_event = request_consumer + 1;
        used(&copy);
        memcpy(&page->slots[response_producer++ % OLD_SLOTS], &copy, sizeof(copy));
        __atomic_store_n(&page->response_producer, response_producer, __ATOMIC_RELEASE);
    }
    t2 = part_clock();
    resume(&work);
    t3 = part_clock();
    while ( port_wake() )
        continue;
    *parts = (struct parts){ (t1 - t0) / OLD_SLOTS, (t2 - t1) / OLD_SLOTS, (t3 - t2) / OLD_SLOTS };
}
