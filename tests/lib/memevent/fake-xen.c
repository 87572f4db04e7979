/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model of Xen's vm_event rings.  Written from the behaviour of Xen's vm_event code, with its own
 * bookkeeping: where Xen would go on silently (a response of the wrong version, or for a vCPU that does
 * not wait), the model objects.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-xen.h"
#include "memevent/channel.h"
#include "memevent/ring-vm-event.h"

/* What is in the page before it is a ring: a guest's bytes. */
#define GUEST_BYTE 0xa5

static vm_event_sring_t *shared_of(struct fake_xen *xen)
{
    return xen->ring.page;
}

/* With xen->lock held. */
__attribute__((format(printf, 2, 3)))
static void object(struct fake_xen *xen, const char *format, ...)
{
    va_list arguments;

    if ( xen->objections++ )
        return;

    va_start(arguments, format);
    vsnprintf(xen->objection, sizeof(xen->objection), format, arguments);
    va_end(arguments);
}

static void signal_channel(struct fake_xen *xen)
{
    pthread_mutex_lock(&xen->evtchn_lock);
    if ( xen->masked )
        xen->pending = true;
    else
    {
        xen->masked = true;
        eventfd_write(xen->ring.fd, 1);
    }
    pthread_mutex_unlock(&xen->evtchn_lock);
}

static int arm_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_xen *xen = (struct fake_xen *)hv;
    void (*on_arm)(struct fake_xen *xen) = xen->on_arm;
    eventfd_t value;
    int taken;

    if ( xen->arm_error )
        return xen->arm_error;

    if ( on_arm )
    {
        xen->on_arm = NULL;
        on_arm(xen);
    }

    pthread_mutex_lock(&xen->evtchn_lock);
    taken = eventfd_read(ring->fd, &value) == 0;
    if ( taken )
    {
        xen->masked = false;
        if ( xen->pending )
        {
            xen->pending = false;
            xen->masked = true;
            eventfd_write(ring->fd, 1);
        }
    }
    pthread_mutex_unlock(&xen->evtchn_lock);

    return taken;
}

static int notify_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_xen *xen = (struct fake_xen *)hv;

    (void)ring;

    if ( xen->notify_error )
        return xen->notify_error;

    __atomic_add_fetch(&xen->notifications, 1, __ATOMIC_RELAXED);
    if ( !xen->late_resume )
        fake_xen_resume(xen);

    return 0;
}

static int attach_ring(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                       const struct memevent_options *options, struct hypervisor_ring **out, const char **why)
{
    struct fake_xen *xen = (struct fake_xen *)hv;

    (void)class;
    (void)domid;
    (void)options;

    if ( xen->attached || xen->attach_error )
    {
        *why = "the model refuses";
        return xen->attached ? -EBUSY : xen->attach_error;
    }

    xen->attached = true;
    xen->req_prod = xen->rsp_cons = xen->start;
    memset(xen->requests, 0, sizeof(xen->requests));
    memset(xen->paused, 0, sizeof(xen->paused));
    memset(xen->ring.page, GUEST_BYTE, xen->ring.size);
    *out = &xen->ring;

    return 0;
}

static void detach_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_xen *xen = (struct fake_xen *)hv;

    (void)ring;
    xen->attached = false;
}

static void close_host(struct hypervisor *hv)
{
    (void)hv;
}

static const struct hypervisor_ops fake_xen_ops = {
    .name        = "a model of Xen's vm_event rings",
    .close       = close_host,
    .attach_ring = attach_ring,
    .detach_ring = detach_ring,
    .leave_ring  = detach_ring,
    .arm_ring    = arm_ring,
    .notify_ring = notify_ring,
};

void fake_xen_init(struct fake_xen *xen)
{
    *xen = (struct fake_xen){
        .hv.ops = &fake_xen_ops,
        .ring.page = aligned_alloc(HYPERVISOR_PAGE_SIZE, HYPERVISOR_PAGE_SIZE),
        .ring.size = HYPERVISOR_PAGE_SIZE,
        .ring.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
    };
    pthread_mutex_init(&xen->lock, NULL);
    pthread_mutex_init(&xen->evtchn_lock, NULL);
    assert_non_null(xen->ring.page);
    assert_true(xen->ring.fd >= 0);
}

void fake_xen_finish(struct fake_xen *xen)
{
    close(xen->ring.fd);
    free(xen->ring.page);
    pthread_mutex_destroy(&xen->lock);
    pthread_mutex_destroy(&xen->evtchn_lock);
}

struct memevent_channel *fake_xen_attach(struct fake_xen *xen)
{
    enum memevent_class class = xen->class ? xen->class : MEMEVENT_CLASS_PAGING;
    struct memevent_channel *channel = NULL;
    struct hypervisor_ring *ring = NULL;
    struct transport *transport = NULL;
    const char *why = NULL;

    if ( xen->start == RING_VM_EVENT_START )
    {
        assert_int_equal(memevent_attach(&xen->hv, class, 1, &channel, &why), 0);
        assert_null(why);
        return channel;
    }

    assert_int_equal(attach_ring(&xen->hv, class, 1, NULL, &ring, &why), 0);
    assert_int_equal(ring_vm_event_open(ring->page, ring->size, class, xen->start, &transport), 0);
    assert_int_equal(channel_open(&xen->hv, ring, transport, &channel), 0);

    return channel;
}

vm_event_request_t fake_xen_request(uint32_t vcpu, uint64_t gfn, uint32_t paging_flags)
{
    return (vm_event_request_t){
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = VM_EVENT_REASON_MEM_PAGING,
        .flags = paging_flags & MEM_PAGING_DROP_PAGE ? 0 : VM_EVENT_FLAG_VCPU_PAUSED,
        .vcpu_id = vcpu,
        .u.mem_paging = { .gfn = gfn, .p2mt = 7, .flags = paging_flags },
    };
}

int fake_xen_touch(struct fake_xen *xen, uint32_t vcpu, uint64_t gfn, uint32_t paging_flags)
{
    vm_event_request_t request = fake_xen_request(vcpu, gfn, paging_flags);

    return fake_xen_put(xen, &request, NULL);
}

int fake_xen_put(struct fake_xen *xen, const vm_event_request_t *request, const vm_event_response_t *expected)
{
    vm_event_sring_t *shared = shared_of(xen);
    unsigned int i;
    int rc = -EBUSY;

    pthread_mutex_lock(&xen->lock);

    if ( xen->req_prod - xen->rsp_cons < FAKE_XEN_SLOTS )
    {
        rc = 0;

        for ( i = 0; i < FAKE_XEN_SLOTS && xen->requests[i].waits; i++ )
            continue;
        if ( i == FAKE_XEN_SLOTS )
            object(xen, "a slot is free, yet %u requests wait", FAKE_XEN_SLOTS);
        else
        {
            xen->requests[i].waits = true;
            xen->requests[i].expected = expected ? *expected : *request;
        }

        if ( request->flags & VM_EVENT_FLAG_VCPU_PAUSED )
            xen->paused[request->vcpu_id % FAKE_XEN_VCPUS]++;

        shared->ring[xen->req_prod % FAKE_XEN_SLOTS].req = *request;
        xen->put++;
        /* The entry is written /before/ req_prod; pairs with the consumer's begin of a batch. */
        __atomic_store_n(&shared->req_prod, ++xen->req_prod, __ATOMIC_SEQ_CST);
    }

    pthread_mutex_unlock(&xen->lock);

    if ( !rc )
        signal_channel(xen);

    return rc;
}

static bool same_response(const vm_event_response_t *a, const vm_event_response_t *b)
{
    return a->version == b->version && a->flags == b->flags && a->reason == b->reason &&
           a->vcpu_id == b->vcpu_id && a->u.mem_paging.gfn == b->u.mem_paging.gfn &&
           a->u.mem_paging.flags == b->u.mem_paging.flags;
}

/* With xen->lock held. */
static void judge(struct fake_xen *xen, const vm_event_response_t *response)
{
    struct fake_xen_request *request = NULL;
    unsigned int *paused = &xen->paused[response->vcpu_id % FAKE_XEN_VCPUS];
    unsigned int i;

    for ( i = 0; i < FAKE_XEN_SLOTS && !request; i++ )
        if ( xen->requests[i].waits && same_response(&xen->requests[i].expected, response) )
            request = &xen->requests[i];

    if ( !request )
    {
        object(xen, "response %u answers nothing: version %u flags %#x reason %u vcpu %u gfn %#llx "
               "paging flags %#x", xen->rsp_cons, response->version, response->flags, response->reason,
               response->vcpu_id, (unsigned long long)response->u.mem_paging.gfn,
               response->u.mem_paging.flags);
        return;
    }

    request->waits = false;

    if ( response->flags & VM_EVENT_FLAG_VCPU_PAUSED )
    {
        if ( *paused == 0 )
            object(xen, "vcpu %u does not wait and is unpaused", response->vcpu_id);
        else
            --*paused;
    }
}

unsigned int fake_xen_resume(struct fake_xen *xen)
{
    vm_event_sring_t *shared = shared_of(xen);
    vm_event_response_t response;
    unsigned int taken = 0;
    uint32_t rsp_prod;

    pthread_mutex_lock(&xen->lock);

    /* rsp_prod is read /before/ the responses; pairs with the consumer's publication. */
    rsp_prod = __atomic_load_n(&shared->rsp_prod, __ATOMIC_ACQUIRE);

    if ( rsp_prod - xen->rsp_cons > xen->req_prod - xen->rsp_cons )
        object(xen, "rsp_prod %u, but only requests %u to %u were not answered", rsp_prod, xen->rsp_cons,
               xen->req_prod);
    else
        for ( ; xen->rsp_cons != rsp_prod; xen->rsp_cons++, xen->got++, taken++ )
        {
            response = shared->ring[xen->rsp_cons % FAKE_XEN_SLOTS].rsp;
            judge(xen, &response);
        }

    pthread_mutex_unlock(&xen->lock);

    return taken;
}

unsigned int fake_xen_free_slots(struct fake_xen *xen)
{
    unsigned int free_slots;

    pthread_mutex_lock(&xen->lock);
    free_slots = FAKE_XEN_SLOTS - (xen->req_prod - xen->rsp_cons);
    pthread_mutex_unlock(&xen->lock);

    return free_slots;
}

unsigned int fake_xen_paused(struct fake_xen *xen, uint32_t vcpu)
{
    unsigned int paused;

    pthread_mutex_lock(&xen->lock);
    paused = xen->paused[vcpu % FAKE_XEN_VCPUS];
    pthread_mutex_unlock(&xen->lock);

    return paused;
}

void fake_xen_verify(struct fake_xen *xen)
{
    if ( xen->objections )
        fail_msg("Xen objects %u times, first: %s", xen->objections, xen->objection);
}
