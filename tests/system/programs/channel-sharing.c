/* SPDX-License-Identifier: GPL-2.0-only */
/* See channel-sharing.h. */
#include "channel-sharing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenctrl.h>

#define BATCH       256
#define PATIENCE_US 240000000u

static xenforeignmemory_handle *memory;
static xc_interface *xch;

void pair_open(struct pair *p, char **words, uint64_t frames)
{
    for ( unsigned int i = 0; i < 2; i++ )
    {
        p->sharers[i].domid = strtoul(words[3 * i], NULL, 10);
        p->sharers[i].guest.tty = words[3 * i + 1];
        p->sharers[i].guest.log = words[3 * i + 2];
    }
    p->frames = frames;
    p->operations = hypervisor_memory(BATCH * sizeof(*p->operations));
    memory = xenforeignmemory_open(NULL, 0);
    xch = xc_interface_open(NULL, NULL, 0);
    if ( !memory || !xch )
        fail("no way to the guests and their memory: %s", strerror(errno));
}

static struct xen_memevent_operation merge_of(const struct pair *p, uint64_t source_gfn, uint64_t client_gfn)
{
    return (struct xen_memevent_operation){
        .call = XEN_MEMEVENT_SHARING_MERGE, .domid = p->sharers[0].domid,
        .u.sharing = { .gfn = source_gfn, .client_gfn = client_gfn, .client_domid = p->sharers[1].domid },
    };
}

/* Status and outcome must say the same. */
static void check_outcome(const struct xen_memevent_operation *operation)
{
    uint32_t outcome = operation->u.sharing.outcome;
    int32_t status = operation->status;
    bool right;

    switch ( outcome )
    {
    case XEN_MEMEVENT_MERGED:
    case XEN_MEMEVENT_ALREADY:
        right = !status && operation->u.sharing.handle;
        break;
    case XEN_MEMEVENT_DIFFERENT:
        right = status == -EILSEQ && !operation->u.sharing.handle;
        break;
    case XEN_MEMEVENT_STALE:
        right = status == -EAGAIN && !operation->u.sharing.handle;
        break;
    default:
        right = status < 0 && outcome < OUTCOMES && !operation->u.sharing.handle;
        break;
    }
    if ( !right )
        fail("merge of frame %#lx: status %d, outcome %u, handle %#lx", (unsigned long)operation->u.sharing.gfn,
             status, outcome, (unsigned long)operation->u.sharing.handle);
}

void pair_merge(struct pair *p, struct merged *merged)
{
    for ( uint64_t first = 0; first < p->frames; first += BATCH )
    {
        unsigned int n = p->frames - first < BATCH ? p->frames - first : BATCH;

        for ( unsigned int i = 0; i < n; i++ )
            p->operations[i] = merge_of(p, first + i, first + i);
        memevent_batch(p->operations, n);
        for ( unsigned int i = 0; i < n; i++ )
        {
            check_outcome(&p->operations[i]);
            merged->outcomes[p->operations[i].u.sharing.outcome]++;
            if ( !p->operations[i].u.sharing.outcome )
                merged->others++;
        }
    }
}

long pair_merge_frames(struct pair *p, uint64_t source_gfn, uint64_t client_gfn,
                       struct xen_memevent_operation *operation)
{
    long rc;

    *operation = merge_of(p, source_gfn, client_gfn);
    rc = memevent_call(operation->call, operation, sizeof(*operation));
    expect(rc, operation->status, "the status of a merge that returned %ld", rc);
    check_outcome(operation);

    return rc;
}

long sharer_do(const struct sharer *s, uint32_t call, uint64_t gfn)
{
    struct xen_memevent_operation operation = { .call = call, .domid = s->domid, .u.sharing.gfn = gfn };

    return memevent_call(call, &operation, sizeof(operation));
}

void *sharer_map(const struct sharer *s, uint64_t gfn, bool writable)
{
    xen_pfn_t pfn = gfn;
    int rights = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *octets = xenforeignmemory_map(memory, s->domid, rights, 1, &pfn, NULL);

    if ( !octets )
        fail("mapping frame %#lx of domain %u: %s", (unsigned long)gfn, s->domid, strerror(errno));

    return octets;
}

void sharer_unmap(void *octets)
{
    xenforeignmemory_unmap(memory, octets, 1);
}

void pair_pause(struct pair *p)
{
    for ( unsigned int i = 0; i < 2; i++ )
        if ( xc_domain_pause(xch, p->sharers[i].domid) )
            fail("pausing domain %u: %s", p->sharers[i].domid, strerror(errno));
}

void pair_unpause(struct pair *p)
{
    for ( unsigned int i = 0; i < 2; i++ )
        if ( xc_domain_unpause(xch, p->sharers[i].domid) )
            fail("unpausing domain %u: %s", p->sharers[i].domid, strerror(errno));
}

void pair_tell(struct pair *p, const char *program)
{
    for ( unsigned int i = 0; i < 2; i++ )
    {
        int rc = guest_tell(&p->sharers[i].guest, program);

        if ( rc )
            fail("telling a guest: %s", strerror(-rc));
    }
}

int pair_is_done(struct pair *p, const char *what)
{
    int done = 1;

    for ( unsigned int i = 0; i < 2; i++ )
    {
        char line[256];
        int rc = guest_answered(&p->sharers[i].guest, what, line, sizeof(line));

        if ( rc < 0 || (rc && !strstr(line, "bad=0 ")) )
            fail("domain %u: %s", p->sharers[i].domid, rc < 0 ? strerror(-rc) : line);
        done &= rc;
    }

    return done;
}

void pair_does(struct pair *p, const char *program, const char *what)
{
    uint64_t until = now_us() + PATIENCE_US;

    pair_tell(p, program);
    while ( !pair_is_done(p, what) )
    {
        if ( now_us() > until )
            fail("the guests never say '%s'", what);
        usleep(20000);
    }
}
