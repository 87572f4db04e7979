/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The emulated host and its domains: their lives, what is known of them, and the table of operations.  Pages are in
 * frames.c, channels in channel.c, vCPUs in vcpu.c, xenstore in store.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

struct emulated_host *emulated_host_of(struct hypervisor *hv)
{
    return (struct emulated_host *)hv;
}

struct emulated_domain *emulated_find(struct emulated_host *host, uint16_t domid)
{
    struct emulated_domain *domain = host->domains;

    while ( domain && domain->domid != domid )
        domain = domain->next;

    return domain && !domain->is_dying ? domain : NULL;
}

/* ---- domains ---- */

/* Unlinked already, or never linked. */
static void free_domain(struct emulated_host *host, struct emulated_domain *domain)
{
    uint64_t gfn;

    domain->is_dying = true;
    pthread_cond_broadcast(&host->changed);
    emulated_end_channels(host, domain);
    while ( domain->inside )
        pthread_cond_wait(&host->changed, &host->lock);
    for ( gfn = 0; domain->frames && gfn < domain->frame_count; gfn++ )
        emulated_drop_frame(host, domain, gfn, XEN_MEMEVENT_DYING);
    free(domain->frames);
    free(domain->waits);
    free(domain->actions);
    free(domain->faults);
    free(domain->breakpoints);
    free(domain);
}

static int create_domain(struct emulated_host *host, uint16_t domid, uint32_t vcpus, uint64_t frames)
{
    struct emulated_domain **at = &host->domains, *domain;
    uint64_t gfn;

    while ( *at && (*at)->domid < domid )
        at = &(*at)->next;
    if ( *at && (*at)->domid == domid )
        return -EEXIST;
    domain = calloc(1, sizeof(*domain));
    if ( !domain )
        return -ENOMEM;
    domain->domid = domid;
    domain->vcpus = vcpus;
    domain->frame_count = frames;
    domain->new_access = EMULATED_RWX;
    domain->frames = calloc(frames, sizeof(*domain->frames));
    domain->waits = calloc(vcpus, sizeof(*domain->waits));
    domain->actions = calloc(vcpus, sizeof(*domain->actions));
    domain->faults = calloc(vcpus, sizeof(*domain->faults));
    domain->breakpoints = calloc(vcpus, sizeof(*domain->breakpoints));
    for ( gfn = 0; domain->frames && domain->waits && domain->actions && domain->faults && domain->breakpoints && gfn < frames;
          gfn++ )
    {
        domain->frames[gfn].access = EMULATED_RWX;
        domain->frames[gfn].page = emulated_alloc_page(host);
        if ( !domain->frames[gfn].page )
            break;
        domain->frames[gfn].state = EMULATED_RAM;
        domain->pages++;
    }
    if ( domain->pages < frames )
    {
        free_domain(host, domain);
        return -ENOMEM;
    }
    domain->next = *at;
    *at = domain;

    return 0;
}

int emulated_create_domain(struct hypervisor *hv, uint16_t domid, uint32_t vcpus, uint64_t frames)
{
    struct emulated_host *host = emulated_host_of(hv);
    int rc;

    if ( !vcpus || !frames )
        return -EINVAL;
    pthread_mutex_lock(&host->lock);
    rc = create_domain(host, domid, vcpus, frames);
    if ( !rc )
        emulated_fire(host, "@introduceDomain");
    pthread_mutex_unlock(&host->lock);

    return rc;
}

int emulated_kill_domain(struct hypervisor *hv, uint16_t domid)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain **at, *domain = NULL;

    pthread_mutex_lock(&host->lock);
    for ( at = &host->domains; *at; at = &(*at)->next )
        if ( (*at)->domid == domid )
        {
            domain = *at;
            *at = domain->next;
            free_domain(host, domain);
            emulated_fire(host, "@releaseDomain");
            break;
        }
    pthread_mutex_unlock(&host->lock);

    return domain ? 0 : -ESRCH;
}

static void describe(const struct emulated_domain *domain, struct domain_info *out)
{
    *out = (struct domain_info){
        .domid = domain->domid, .is_hvm = true, .has_hap = true, .is_paused = domain->paused,
        .is_shutdown = domain->has_crashed, .shutdown_reason = domain->has_crashed ? 3 : 0,
        .vcpus = domain->vcpus, .pages = domain->pages, .pages_paged = domain->pages_out,
        .pages_shared = domain->pages_shared,
        .pages_limit = domain->frame_count, .uuid = { domain->domid >> 8, domain->domid },
    };
}

static int get_domain(struct hypervisor *hv, uint16_t domid, struct domain_info *out)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain )
        describe(domain, out);
    pthread_mutex_unlock(&host->lock);

    return domain ? 0 : -ESRCH;
}

static int list_domains(struct hypervisor *hv, uint16_t first, struct domain_info *out, unsigned int max)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    unsigned int count = 0;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    for ( domain = host->domains; domain && count < max; domain = domain->next )
        if ( domain->domid >= first )
            describe(domain, &out[count++]);
    pthread_mutex_unlock(&host->lock);

    return count;
}

static int pause_by(struct hypervisor *hv, uint16_t domid, int by)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain && (by > 0 || domain->paused) )
        domain->paused += by;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);

    return domain ? 0 : -ESRCH;
}

static int pause_domain(struct hypervisor *hv, uint16_t domid)
{
    return pause_by(hv, domid, 1);
}

static int unpause_domain(struct hypervisor *hv, uint16_t domid)
{
    return pause_by(hv, domid, -1);
}

static int crash_domain(struct hypervisor *hv, uint16_t domid)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain )
        domain->has_crashed = true;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);

    return domain ? 0 : -ESRCH;
}

static int inject_fault(struct hypervisor *hv, uint16_t domid, uint32_t vcpu)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    int rc = -ESRCH;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain )
        rc = vcpu >= domain->vcpus ? -EINVAL : domain->faults[vcpu] ? -EBUSY : 0;
    if ( !rc )
        domain->faults[vcpu] = true;
    pthread_mutex_unlock(&host->lock);

    return rc;
}

static int get_frame_limit(struct hypervisor *hv, uint16_t domid, uint64_t *out)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain )
        *out = domain->frame_count;
    pthread_mutex_unlock(&host->lock);

    return domain ? 0 : -ESRCH;
}

static int query_frames(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count, uint8_t *states)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    unsigned int i;

    if ( count > HYPERVISOR_QUERY_MAX )
        return -EINVAL;
    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    for ( i = 0; domain && i < count; i++ )
    {
        const struct emulated_frame *frame = emulated_frame(domain, first + i);

        states[i] = frame && frame->page ? FRAME_RAM : FRAME_EMPTY;
    }
    pthread_mutex_unlock(&host->lock);

    return domain ? 0 : -ESRCH;
}

/* ---- buffers and operations ---- */

static void *alloc_buffer(struct hypervisor *hv, unsigned int pages)
{
    void *buffer = aligned_alloc(HYPERVISOR_PAGE_SIZE, (size_t)pages * HYPERVISOR_PAGE_SIZE);

    (void)hv;
    if ( buffer )
        memset(buffer, 0, (size_t)pages * HYPERVISOR_PAGE_SIZE);

    return buffer;
}

static void free_buffer(struct hypervisor *hv, void *buffer, unsigned int pages)
{
    (void)hv;
    (void)pages;
    free(buffer);
}

static int lock_buffer(struct hypervisor *hv, void *memory, unsigned int pages)
{
    (void)hv;
    (void)pages;

    return (uintptr_t)memory % HYPERVISOR_PAGE_SIZE ? -EINVAL : 0;
}

static void unlock_buffer(struct hypervisor *hv, void *memory, unsigned int pages)
{
    (void)hv;
    (void)memory;
    (void)pages;
}

/* What a caller must have seen to, so that a mistake is found here and not by a hypervisor. */
static bool keeps_contract(const struct hypervisor_operation *operation)
{
    bool needs_data = operation->call == PAGING_EVICT,
         may_have_data = needs_data || operation->call == PAGING_LOAD;

    return !operation->pad && !operation->pad2 && (!needs_data || operation->data) &&
           (may_have_data || !operation->data) && (uintptr_t)operation->data % HYPERVISOR_PAGE_SIZE == 0;
}

static int submit(struct hypervisor *hv, struct hypervisor_operation *operations, unsigned int count)
{
    struct emulated_host *host = emulated_host_of(hv);
    unsigned int i;

    if ( count > HYPERVISOR_BATCH_MAX )
        return -EINVAL;
    for ( i = 0; i < count; i++ )
        if ( !keeps_contract(&operations[i]) )
            return -EINVAL;
    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    for ( i = 0; i < count; i++ )
        emulated_carry_out(host, &operations[i]);
    pthread_mutex_unlock(&host->lock);

    return 0;
}

/* ---- the host ---- */

static int probe(struct hypervisor *hv, struct hypervisor_info *out)
{
    (void)hv;
    *out = (struct hypervisor_info){
        .version = "emulated", .has_paging = true, .has_sharing = true, .has_channels = true,
    };

    return 0;
}

static void get_counts(const struct hypervisor *hv, struct hypervisor_counts *out)
{
    struct emulated_host *host = (struct emulated_host *)hv;

    pthread_mutex_lock(&host->lock);
    *out = host->counts;
    pthread_mutex_unlock(&host->lock);
}

void emulated_set_memory(struct hypervisor *hv, uint64_t pages)
{
    struct emulated_host *host = emulated_host_of(hv);

    pthread_mutex_lock(&host->lock);
    host->pages_limit = pages;
    pthread_mutex_unlock(&host->lock);
}

void emulated_fail_nominations(struct hypervisor *hv, unsigned int count)
{
    struct emulated_host *host = emulated_host_of(hv);

    pthread_mutex_lock(&host->lock);
    host->failing_nominations = count;
    pthread_mutex_unlock(&host->lock);
}

void emulated_skip_comparison(struct hypervisor *hv, bool skip)
{
    struct emulated_host *host = emulated_host_of(hv);

    pthread_mutex_lock(&host->lock);
    host->skips_comparison = skip;
    pthread_mutex_unlock(&host->lock);
}

void emulated_set_hook(struct hypervisor *hv, emulated_hook hook, void *opaque)
{
    struct emulated_host *host = emulated_host_of(hv);

    pthread_mutex_lock(&host->lock);
    host->hook = hook;
    host->hook_opaque = opaque;
    pthread_mutex_unlock(&host->lock);
}

void emulated_lose_signals(struct hypervisor *hv, unsigned int count)
{
    struct emulated_host *host = emulated_host_of(hv);

    pthread_mutex_lock(&host->lock);
    host->lost_signals = count;
    pthread_mutex_unlock(&host->lock);
}

int emulated_hold(struct hypervisor *hv, uint16_t domid, uint64_t gfn, bool hold)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    struct emulated_frame *frame;

    pthread_mutex_lock(&host->lock);
    domain = emulated_find(host, domid);
    frame = domain ? emulated_frame(domain, gfn) : NULL;
    if ( frame )
        frame->held = hold;
    pthread_mutex_unlock(&host->lock);

    return frame ? 0 : -ENOENT;
}

static void close_host(struct hypervisor *hv)
{
    struct emulated_host *host = emulated_host_of(hv);

    if ( !host )
        return;
    while ( host->domains )
        emulated_kill_domain(hv, host->domains->domid);
    pthread_mutex_lock(&host->lock);
    emulated_end_channels(host, NULL);
    pthread_mutex_unlock(&host->lock);
    emulated_store_close(host);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

static const struct hypervisor_ops emulated_ops = {
    .name = "emulated",
    .close = close_host,
    .probe = probe,
    .get_domain = get_domain,
    .list_domains = list_domains,
    .pause_domain = pause_domain,
    .unpause_domain = unpause_domain,
    .crash_domain = crash_domain,
    .inject_fault = inject_fault,
    .inject_breakpoint = emulated_inject_breakpoint,
    .get_registers = emulated_get_registers,
    .set_monitor = emulated_set_monitor,
    .get_frame_limit = get_frame_limit,
    .query_frames = query_frames,
    .map_frames = emulated_map_frames,
    .unmap_frames = emulated_unmap_frames,
    .get_memory = emulated_get_memory,
    .enable_sharing = emulated_enable_sharing,
    .audit_sharing = emulated_audit_sharing,
    .alloc_buffer = alloc_buffer,
    .free_buffer = free_buffer,
    .lock_buffer = lock_buffer,
    .unlock_buffer = unlock_buffer,
    .submit = submit,
    .attach_ring = emulated_attach_ring,
    .detach_ring = emulated_detach_ring,
    .leave_ring = emulated_leave_ring,
    .arm_ring = emulated_arm_ring,
    .notify_ring = emulated_notify_ring,
    .get_channel_info = emulated_get_channel_info,
    .watch_fd = emulated_watch_fd,
    .add_watch = emulated_add_watch,
    .remove_watch = emulated_remove_watch,
    .next_watch = emulated_next_watch,
    .read_key = emulated_read_key,
    .write_key = emulated_write_key,
    .remove_key = emulated_remove_key,
    .get_counts = get_counts,
};

int emulated_open(uint64_t pages, struct hypervisor **out)
{
    struct emulated_host *host = calloc(1, sizeof(*host));

    if ( !host )
        return -ENOMEM;
    host->base.ops = &emulated_ops;
    host->pages_limit = pages;
    host->watch_fd = -1;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
    *out = &host->base;

    return 0;
}
