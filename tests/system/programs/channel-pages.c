/* SPDX-License-Identifier: GPL-2.0-only */
/* See channel-pages.h. */
#include "channel-pages.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define BATCH   256         /* operations in one call */
#define OCTETS  4096

void pages_open(struct pages *p, uint16_t domid, uint64_t frames)
{
    p->domid = domid;
    p->frames = frames;
    p->octets = mmap(NULL, frames * OCTETS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ( p->octets == MAP_FAILED )
        fail("no memory for %lu frames: %s", (unsigned long)frames, strerror(errno));
    pages_inherit(p);
}

void pages_inherit(struct pages *p)
{
    p->operations = hypervisor_memory(BATCH * sizeof(*p->operations));
}

static void carry_out(struct pages *p, uint32_t call, uint64_t first, unsigned int count)
{
    bool has_data = call == XEN_MEMEVENT_PAGING_EVICT || call == XEN_MEMEVENT_PAGING_LOAD;

    /* Xen does not wait for memory that is not there until it is touched: a child's, or nobody's yet. */
    if ( has_data && madvise(p->octets + first * OCTETS, (size_t)count * OCTETS, MADV_POPULATE_WRITE) )
        fail("populating the store: %s", strerror(errno));
    memset(p->operations, 0, count * sizeof(*p->operations));
    for ( unsigned int i = 0; i < count; i++ )
    {
        p->operations[i].call = call;
        p->operations[i].domid = p->domid;
        p->operations[i].u.paging.gfn = first + i;
        if ( has_data )
            p->operations[i].u.paging.data = (uintptr_t)(p->octets + (first + i) * OCTETS);
    }
    memevent_batch(p->operations, count);
}

unsigned long pages_evict(struct pages *p, uint64_t first, uint64_t count)
{
    unsigned long out = 0;

    for ( uint64_t end = first + count; first < end; first += BATCH )
    {
        unsigned int n = end - first < BATCH ? end - first : BATCH;

        carry_out(p, XEN_MEMEVENT_PAGING_NOMINATE, first, n);
        carry_out(p, XEN_MEMEVENT_PAGING_EVICT, first, n);
        for ( unsigned int i = 0; i < n; i++ )
        {
            int rc = p->operations[i].status;

            if ( rc && rc != -EAGAIN && rc != -EBUSY )
                fail("evicting frame %#lx: %s", (unsigned long)(first + i), strerror(-rc));
            out += !rc;
        }
    }

    return out;
}

int pages_load(struct pages *p, uint64_t gfn)
{
    if ( gfn >= p->frames )
        fail("a request for frame %#lx, which was never taken out", (unsigned long)gfn);
    carry_out(p, XEN_MEMEVENT_PAGING_LOAD, gfn, 1);
    if ( p->operations[0].status && p->operations[0].status != -ENOENT )
        fail("loading frame %#lx: %s", (unsigned long)gfn, strerror(-p->operations[0].status));

    return p->operations[0].status;
}

void pages_serve(struct pages *p, const struct xen_memevent_request *request)
{
    if ( request->kind == XEN_MEMEVENT_PAGING_POPULATE )
        pages_load(p, request->gfn);
}

unsigned long pages_out(struct pages *p, bool load)
{
    unsigned long out = 0;

    for ( uint64_t first = 0; first < p->frames; first += BATCH )
    {
        unsigned int n = p->frames - first < BATCH ? p->frames - first : BATCH;

        carry_out(p, load ? XEN_MEMEVENT_PAGING_LOAD : XEN_MEMEVENT_PAGING_QUERY, first, n);
        for ( unsigned int i = 0; i < n; i++ )
        {
            int rc = p->operations[i].status;

            if ( rc && rc != -ENOENT && (load || rc != -EAGAIN) )
                fail("%s frame %#lx: %s", load ? "loading" : "asking of", (unsigned long)(first + i), strerror(-rc));
            out += !rc;
        }
    }

    return out;
}
