/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model's PAGING channel, for a hypervisor that has one: the channels' own core, and around it what the
 * hypervisor does with pages and vCPUs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <xen/memevent-reliable.h>

#include "fake-host.h"
#include "random.h"

static bool is_out(enum fake_type type)
{
    return type == FAKE_PAGED || type == FAKE_PAGING_IN;
}

void fake_channel_open(struct fake_host *h)
{
    struct memevent_reliable *core = h->core = fake_share(sizeof(*core));

    memevent_reliable_layout(core, FAKE_VCPUS, sizeof(struct xen_memevent_request),
                             sizeof(struct xen_memevent_response));
    core->shared = fake_share(core->size);
    core->entries = fake_share(core->slots * sizeof(*core->entries));
    core->requests = fake_share((size_t)core->slots * core->request_size);
    memevent_reliable_init(core);
}

void fake_channel_attach(struct fake_host *h)
{
    struct memevent_reliable *core = h->core;

    h->ring = (struct hypervisor_ring){
        .page = core->shared, .size = core->size, .fd = h->ring.fd, .kind = RING_RELIABLE,
        .rings = 1, .ring_size = core->size, .slots = core->slots,
        .request_size = core->request_size, .response_size = core->response_size,
        .request_offset = core->request_offset, .response_offset = core->response_offset,
        .redelivered = memevent_reliable_reattach(core), .attachment = core->info.attachments,
    };
    memevent_reliable_flush(core);
}

void fake_channel_close(struct fake_host *h)
{
    if ( !h->core )
        return;
    assert_int_equal(h->core->info.unknown + h->core->info.repeated + h->core->info.malformed +
                     h->core->info.overruns, 0);
    munmap(h->core->requests, (size_t)h->core->slots * h->core->request_size);
    munmap(h->core->entries, h->core->slots * sizeof(*h->core->entries));
    munmap(h->core->shared, h->core->size);
    munmap(h->core, sizeof(*h->core));
    h->core = NULL;
}

/* memevent_paging_populate().  True: the consumer is to be notified. */
bool fake_channel_populate(struct fake_host *h, uint64_t gfn, unsigned int vcpu)
{
    struct fake_frame *frame = &h->frame[gfn];
    bool foreign = vcpu == FAKE_VCPUS;
    struct xen_memevent_request *request;

    if ( frame->type == FAKE_PAGING_OUT )
    {
        frame->type = FAKE_RAM;
        h->touches++;
    }
    if ( !is_out(frame->type) || (foreign && frame->type == FAKE_PAGING_IN) )
        return false;
    request = memevent_reliable_claim(h->core, foreign ? MEMEVENT_NOBODY : vcpu);
    if ( !request )
        return false;
    h->faults++;
    request->kind = XEN_MEMEVENT_PAGING_POPULATE;
    request->gfn = gfn;
    if ( foreign )
    {
        request->flags = XEN_MEMEVENT_FOREIGN;
        frame->type = FAKE_PAGING_IN;
    }
    else
    {
        request->flags = XEN_MEMEVENT_VCPU_PAUSED;
        request->vcpu = vcpu;
        h->vcpu[vcpu].paused++;
    }
    return memevent_reliable_put(h->core, request);
}

/* memevent_paging_drop() of a page that was out.  True: the consumer is to be notified. */
bool fake_channel_drop(struct fake_host *h, uint64_t gfn)
{
    struct xen_memevent_request *request = NULL;

    h->drops++;
    if ( !h->places_lack || random_below(&h->random, h->places_lack) )
        request = memevent_reliable_claim(h->core, MEMEVENT_NOBODY);
    if ( !request )
    {
        h->lost_drops++;
        return memevent_reliable_rescan(h->core, XEN_MEMEVENT_PAGING_RESCAN, 0);
    }
    request->kind = XEN_MEMEVENT_PAGING_DROP;
    request->gfn = gfn;
    return memevent_reliable_put(h->core, request);
}

/* What a notification by the consumer makes Xen do.  True: it is to be notified in its turn. */
bool fake_channel_resume(struct fake_host *h)
{
    const struct xen_memevent_request *request;
    struct memevent_answer answer;
    int taken;

    while ( (taken = memevent_reliable_take(h->core, 0, &answer)) )
    {
        assert_int_equal(taken, 1);
        request = (const void *)answer.request;
        if ( request->flags & XEN_MEMEVENT_VCPU_PAUSED )
        {
            assert_true(h->vcpu[request->vcpu].paused);
            h->vcpu[request->vcpu].paused--;
        }
        else if ( request->kind == XEN_MEMEVENT_PAGING_POPULATE && h->frame[request->gfn].type == FAKE_PAGING_IN )
            h->frame[request->gfn].type = FAKE_PAGED;
    }
    return memevent_reliable_flush(h->core);
}

/* PAGING_QUERY, and with it the question of a load without data. */
int fake_channel_query(const struct fake_host *h, uint64_t gfn)
{
    enum fake_type type = h->frame[gfn].type;

    return is_out(type) ? 0 : type == FAKE_PAGING_OUT ? -EAGAIN : -ENOENT;
}
