/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Sharing: nominate, merge, unshare, what is told of it on the INVALIDATE channel, and the books.  It goes by the same
 * steps as the hypervisor's merge, and between any two of them the hook can let the guest do what guests do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

static void tell_frame(struct emulated_host *host, const struct emulated_domain *domain, uint64_t gfn,
                       enum xen_memevent_reason reason)
{
    const struct xen_memevent_record record = {
        .what = gfn, .domid = domain->domid, .kind = XEN_MEMEVENT_GFN, .reason = reason,
    };

    emulated_tell(host, &record);
}

static void tell_handle(struct emulated_host *host, uint64_t handle, enum xen_memevent_reason reason)
{
    const struct xen_memevent_record record = { .what = handle, .kind = XEN_MEMEVENT_HANDLE, .reason = reason };

    emulated_tell(host, &record);
}

int emulated_unshare(struct emulated_host *host, struct emulated_domain *domain, uint64_t gfn,
                     enum xen_memevent_reason reason, bool copy)
{
    struct emulated_frame *frame = emulated_frame(domain, gfn);
    struct emulated_page *shared = frame->page, *own = NULL;

    if ( shared->references == 1 )
    {
        /* The last one keeps it. */
        tell_frame(host, domain, gfn, reason);
        tell_handle(host, shared->handle, reason);
        shared->handle = 0;
        host->pages_shared--;
    }
    else
    {
        if ( copy )
        {
            own = emulated_alloc_page(host);
            if ( !own )
                return -ENOMEM;
            memcpy(own->octets, shared->octets, sizeof(own->octets));
        }
        tell_frame(host, domain, gfn, reason);
        emulated_put_page(host, shared);
        host->pages_saved--;
        frame->page = own;
    }
    frame->state = frame->page ? EMULATED_RAM : EMULATED_ABSENT;
    domain->pages += frame->page != NULL;
    domain->pages_shared--;

    return 0;
}

static int nominate(struct emulated_host *host, struct emulated_domain *domain, uint64_t gfn, uint64_t *handle)
{
    struct emulated_frame *frame = emulated_frame(domain, gfn);

    if ( !frame || !frame->page || frame->state == EMULATED_MARKED )
        return -EINVAL;
    if ( frame->state == EMULATED_RAM )
    {
        if ( frame->held || frame->page->pins )
            return -EBUSY;
        if ( host->failing_nominations )
        {
            host->failing_nominations--;
            return -ENOMEM;
        }
        frame->state = EMULATED_SHARED;
        frame->page->handle = ++host->last_handle;
        host->pages_shared++;
        domain->pages--;
        domain->pages_shared++;
    }
    *handle = frame->page->handle;

    return 0;
}

/* ---- merging ---- */

/* A frame on its way to be merged.  Whatever may have happened since it was looked at is found by its handle. */
struct candidate {
    uint16_t domid;
    uint64_t gfn;
    bool was_shared;                    /* before we came */
    uint64_t handle;                    /* 0: not nominated */
    struct emulated_page *page;         /* pinned */
};

/* NULL: it is no longer what it was when it was nominated. */
static struct emulated_frame *find(struct emulated_host *host, const struct candidate *candidate,
                                   struct emulated_domain **domain)
{
    struct emulated_frame *frame;

    *domain = emulated_find(host, candidate->domid);
    frame = *domain ? emulated_frame(*domain, candidate->gfn) : NULL;

    return frame && frame->state == EMULATED_SHARED && frame->page->handle == candidate->handle ? frame : NULL;
}

static int candidate_nominate(struct emulated_host *host, struct candidate *candidate)
{
    struct emulated_domain *domain = emulated_find(host, candidate->domid);
    struct emulated_frame *frame = domain ? emulated_frame(domain, candidate->gfn) : NULL;
    int rc;

    if ( !domain )
        return -ESRCH;
    candidate->was_shared = frame && frame->state == EMULATED_SHARED;
    rc = nominate(host, domain, candidate->gfn, &candidate->handle);
    if ( rc )
        return rc;
    candidate->page = frame->page;
    candidate->page->pins++;

    return 0;
}

static void candidate_release(struct emulated_host *host, struct candidate *candidate, bool undo)
{
    struct emulated_domain *domain;

    if ( candidate->page )
        emulated_unpin_page(host, candidate->page);
    /* The only one who shares it gets it back: that takes no memory. */
    if ( undo && candidate->handle && !candidate->was_shared && find(host, candidate, &domain) )
        emulated_unshare(host, domain, candidate->gfn, XEN_MEMEVENT_UNDONE, true);
}

/* Those of the domain's frames that have the page get the other, or are only counted (to: NULL). */
static unsigned int move_frames_of(struct emulated_host *host, struct emulated_domain *domain, struct emulated_page *from,
                                   struct emulated_page *to, bool tells)
{
    unsigned int frames = 0;
    uint64_t gfn;

    for ( gfn = 0; gfn < domain->frame_count; gfn++ )
    {
        if ( domain->frames[gfn].page != from )
            continue;
        frames++;
        if ( !to )
            continue;
        domain->frames[gfn].page = to;
        to->references++;
        from->references--;
        if ( tells )
            tell_frame(host, domain, gfn, XEN_MEMEVENT_REPLACED);
    }

    return frames;
}

/* Frames of the two domains leave the client's page for the source's; those of others keep it. */
static void move_frames(struct emulated_host *host, struct emulated_domain *const *domains,
                        const struct candidate *source, const struct candidate *client)
{
    struct emulated_page *from = client->page, *to = source->page;
    unsigned int count = domains[0] == domains[1] ? 1 : 2, frames = 0, i;
    bool all = from->references == 1;

    if ( all )
    {
        /* Nearly always: nobody else has to be looked for. */
        domains[1]->frames[client->gfn].page = to;
        to->references++;
        from->references--;
    }
    else
    {
        for ( i = 0; i < count; i++ )
            frames += move_frames_of(host, domains[i], from, NULL, false);
        all = frames == from->references;
        for ( i = 0; i < count; i++ )
            move_frames_of(host, domains[i], from, to, !all);
    }
    if ( !all )
        return;
    tell_handle(host, client->handle, XEN_MEMEVENT_REPLACED);
    from->handle = 0;
    host->pages_shared--;
    host->pages_saved++;
}

static int compare_and_share(struct emulated_host *host, const struct candidate *source,
                             const struct candidate *client, uint32_t *outcome)
{
    struct emulated_domain *domains[2];

    *outcome = XEN_MEMEVENT_ALREADY;
    if ( source->page == client->page )
        return 0;

    *outcome = XEN_MEMEVENT_DIFFERENT;
    if ( !host->skips_comparison && memcmp(source->page->octets, client->page->octets, HYPERVISOR_PAGE_SIZE) )
        return -EILSEQ;
    emulated_step(host, EMULATED_STEP_COMPARED, source->domid, source->gfn);

    *outcome = XEN_MEMEVENT_STALE;
    if ( !find(host, source, &domains[0]) || !find(host, client, &domains[1]) )
        return -EAGAIN;
    move_frames(host, domains, source, client);
    *outcome = XEN_MEMEVENT_MERGED;

    return 0;
}

static int merge(struct emulated_host *host, struct hypervisor_operation *operation)
{
    struct candidate source = { .domid = operation->domid, .gfn = operation->gfn };
    struct candidate client = {
        .domid = operation->sharing.client_domid, .gfn = operation->sharing.client_gfn,
    };
    int rc;

    operation->sharing.outcome = 0;
    operation->sharing.handle = 0;
    emulated_step(host, EMULATED_STEP_BEFORE_MERGE, source.domid, source.gfn);
    if ( !emulated_find(host, source.domid) || !emulated_find(host, client.domid) )
        return -ESRCH;
    operation->sharing.outcome = XEN_MEMEVENT_SOURCE;
    rc = candidate_nominate(host, &source);
    if ( rc )
        goto out;
    emulated_step(host, EMULATED_STEP_SOURCE_NOMINATED, source.domid, source.gfn);

    operation->sharing.outcome = XEN_MEMEVENT_CLIENT;
    rc = candidate_nominate(host, &client);
    if ( rc )
        goto out;
    emulated_step(host, EMULATED_STEP_CLIENT_NOMINATED, client.domid, client.gfn);

    rc = compare_and_share(host, &source, &client, &operation->sharing.outcome);
    if ( !rc )
        operation->sharing.handle = source.handle;
    emulated_step(host, EMULATED_STEP_MERGED, source.domid, source.gfn);

 out:
    candidate_release(host, &client, rc);
    candidate_release(host, &source, rc);

    return rc;
}

int emulated_share(struct emulated_host *host, struct hypervisor_operation *operation)
{
    struct emulated_domain *domain = emulated_find(host, operation->domid);
    struct emulated_frame *frame = domain ? emulated_frame(domain, operation->gfn) : NULL;

    if ( !domain )
        return -ESRCH;
    switch ( operation->call )
    {
    case SHARING_NOMINATE:
        return nominate(host, domain, operation->gfn, &operation->sharing.handle);

    case SHARING_MERGE:
        return merge(host, operation);

    case SHARING_UNSHARE:
        if ( !frame || frame->state != EMULATED_SHARED )
            return -ENOENT;
        return emulated_unshare(host, domain, operation->gfn, XEN_MEMEVENT_UNSHARED, true);

    default:
        return -ENOSYS;
    }
}

/* ---- the books ---- */

int emulated_enable_sharing(struct hypervisor *hv, uint16_t domid, const char **why)
{
    struct domain_info domain;

    if ( why )
        *why = NULL;

    return hv->ops->get_domain(hv, domid, &domain);
}

int emulated_get_memory(struct hypervisor *hv, struct memory_info *out)
{
    struct emulated_host *host = emulated_host_of(hv);

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    *out = (struct memory_info){
        .pages = host->pages_limit,
        .pages_free = host->pages_limit > host->pages_used ? host->pages_limit - host->pages_used : 0,
        .pages_shared = host->pages_shared, .pages_saved = host->pages_saved,
    };
    pthread_mutex_unlock(&host->lock);

    return 0;
}

static int by_address(const void *one, const void *other)
{
    uintptr_t a = (uintptr_t)*(struct emulated_page *const *)one, b = (uintptr_t)*(struct emulated_page *const *)other;

    return a < b ? -1 : a > b;
}

/* Each page as often as frames have it; *domains_wrong: their counts are not what is found. */
static uint64_t collect(const struct emulated_host *host, struct emulated_page **pages, int *domains_wrong)
{
    const struct emulated_domain *domain;
    uint64_t count = 0, gfn, shared;

    for ( domain = host->domains; domain; domain = domain->next )
    {
        for ( gfn = shared = 0; gfn < domain->frame_count; gfn++ )
        {
            const struct emulated_frame *frame = &domain->frames[gfn];

            if ( !frame->page )
                continue;
            *domains_wrong += !frame->page->handle != (frame->state != EMULATED_SHARED);
            shared += frame->state == EMULATED_SHARED;
            if ( pages )
                pages[count] = frame->page;
            count++;
        }
        *domains_wrong += shared != domain->pages_shared;
    }

    return count;
}

int emulated_audit_sharing(struct hypervisor *hv)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_page **pages;
    uint64_t count, i, n, shared = 0, saved = 0;
    int errors = 0, ignored = 0;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    count = collect(host, NULL, &ignored);
    pages = calloc(count + 1, sizeof(*pages));
    if ( !pages )
    {
        pthread_mutex_unlock(&host->lock);
        return -ENOMEM;
    }
    collect(host, pages, &errors);
    qsort(pages, count, sizeof(*pages), by_address);
    for ( i = 0; i < count; i += n )
    {
        for ( n = 1; i + n < count && pages[i + n] == pages[i]; n++ )
            continue;
        errors += pages[i]->references != n;
        shared += pages[i]->handle != 0;
        saved += n - 1;
    }
    errors += shared != host->pages_shared;
    errors += saved != host->pages_saved;
    pthread_mutex_unlock(&host->lock);
    free(pages);

    return errors;
}
