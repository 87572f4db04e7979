/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a vCPU does to memory, and what it waits for: the processor's and the nested page tables' part.  A page that is out
 * is asked for on the PAGING channel, a copy that there is no memory for on the OOM channel; what is not allowed is
 * access.c's.
 */
#include <errno.h>
#include <string.h>

#include "host.h"

/* Asks, and sleeps until it is answered; then the access is tried again, whatever the answer was worth. */
static int ask_and_wait(struct emulated_host *host, struct emulated_domain *domain, enum memevent_class class,
                        uint16_t kind, uint32_t vcpu, uint64_t gfn)
{
    if ( emulated_ask(domain, class, kind, vcpu, gfn) )
        return -ENOMEM;
    while ( domain->waits[vcpu] && !domain->is_dying )
        pthread_cond_wait(&host->changed, &host->lock);

    return 0;
}

/* One try.  0: the octets were read or written; 1: try again; -errno. */
static int try_access(struct emulated_host *host, struct emulated_domain *domain, uint32_t vcpu, uint64_t gfn,
                      unsigned int offset, void *octets, unsigned int size, uint32_t how)
{
    struct emulated_frame *frame = emulated_frame(domain, gfn);
    bool is_write = how == EMULATED_WRITE;
    uint32_t action;
    int rc;

    if ( domain->is_dying || domain->has_crashed )
        return -ESRCH;
    if ( domain->paused )
    {
        pthread_cond_wait(&host->changed, &host->lock);
        return 1;
    }

    if ( domain->faults[vcpu] )
    {
        domain->faults[vcpu] = false;
        return -EPERM;
    }
    if ( !frame || frame->state == EMULATED_ABSENT )
        return -EFAULT;
    if ( !emulated_may_access(domain, vcpu, gfn, offset, how) )
    {
        while ( domain->waits[vcpu] && !domain->is_dying )
            pthread_cond_wait(&host->changed, &host->lock);
        return 1;
    }

    switch ( frame->state )
    {
    case EMULATED_OUT:
        return ask_and_wait(host, domain, MEMEVENT_CLASS_PAGING, XEN_MEMEVENT_PAGING_POPULATE, vcpu, gfn) ?: 1;

    case EMULATED_MARKED:
        /* A touch takes the mark away, and nobody is told. */
        frame->state = EMULATED_RAM;
        break;

    case EMULATED_SHARED:
        if ( !is_write || !emulated_unshare(host, domain, gfn, XEN_MEMEVENT_UNSHARED, true) )
            break;
        rc = ask_and_wait(host, domain, MEMEVENT_CLASS_OOM, XEN_MEMEVENT_OOM_UNSHARE, vcpu, gfn);
        domain->has_crashed = rc != 0;
        return rc ? rc : 1;

    case EMULATED_ABSENT:
    case EMULATED_RAM:
        break;
    }

    action = domain->actions[vcpu];
    domain->actions[vcpu] = 0;
    if ( !is_write )
        memcpy(octets, frame->page->octets + offset, size);
    else if ( !(action & MEMEVENT_ACTION_SKIP_WRITE) )
        memcpy(frame->page->octets + offset, octets, size);

    return 0;
}

static int access_by(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint64_t gfn, unsigned int offset,
                     void *octets, unsigned int size, uint32_t how)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    int rc = -ESRCH;

    if ( offset >= HYPERVISOR_PAGE_SIZE || size > HYPERVISOR_PAGE_SIZE - offset )
        return -EINVAL;
    pthread_mutex_lock(&host->lock);
    domain = emulated_find(host, domid);
    if ( domain && vcpu < domain->vcpus )
    {
        domain->inside++;
        do
            rc = try_access(host, domain, vcpu, gfn, offset, octets, size, how);
        while ( rc == 1 );
        domain->inside--;
        pthread_cond_broadcast(&host->changed);
    }
    pthread_mutex_unlock(&host->lock);

    return rc;
}

int emulated_access(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint64_t gfn, unsigned int offset,
                    void *octets, unsigned int size, bool is_write)
{
    return access_by(hv, domid, vcpu, gfn, offset, octets, size, is_write ? EMULATED_WRITE : EMULATED_READ);
}

int emulated_fetch(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint64_t gfn, unsigned int offset,
                   void *octets, unsigned int size)
{
    return access_by(hv, domid, vcpu, gfn, offset, octets, size, EMULATED_EXECUTE);
}

int emulated_give_up(struct hypervisor *hv, uint16_t domid, uint64_t gfn)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    struct emulated_frame *frame;
    bool was_out;
    int rc = -ENOENT;

    pthread_mutex_lock(&host->lock);
    domain = emulated_find(host, domid);
    frame = domain ? emulated_frame(domain, gfn) : NULL;
    if ( frame && frame->state != EMULATED_ABSENT )
    {
        was_out = frame->state == EMULATED_OUT;
        emulated_drop_frame(host, domain, gfn, XEN_MEMEVENT_DESTROYED);
        if ( was_out )
            emulated_ask(domain, MEMEVENT_CLASS_PAGING, XEN_MEMEVENT_PAGING_DROP, EMULATED_NOBODY, gfn);
        rc = 0;
    }
    pthread_mutex_unlock(&host->lock);

    return rc;
}

int emulated_populate(struct hypervisor *hv, uint16_t domid, uint64_t gfn)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    struct emulated_frame *frame;
    int rc = -ENOENT;

    pthread_mutex_lock(&host->lock);
    domain = emulated_find(host, domid);
    frame = domain ? emulated_frame(domain, gfn) : NULL;
    if ( frame && frame->state != EMULATED_ABSENT )
        rc = -EEXIST;
    else if ( frame )
    {
        frame->page = emulated_alloc_page(host);
        frame->state = frame->page ? EMULATED_RAM : EMULATED_ABSENT;
        frame->access = domain->new_access;
        domain->pages += !!frame->page;
        rc = frame->page ? 0 : -ENOMEM;
    }
    pthread_mutex_unlock(&host->lock);

    return rc;
}
