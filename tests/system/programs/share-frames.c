/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shares frames of two domains through upstream's operations, one call a step, and looks at what becomes of
 * them. The domains are paused meanwhile, and go on when the program ends.
 *
 *   share-frames equal A B FIRST COUNT   shares what is equal; says how many frames that were
 *   share-frames access A B GFN          mem_access stays what it was when A's frame is nominated, shared, unshared
 *   share-frames remove A B GFN          a shared frame that is unmapped does not come back when B's is shared again
 *   share-frames pool A FIRST COUNT      nominates with an empty pool for the p2m: no memory is an error, not the end
 */
#include "monitor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

static xc_interface *xch;
static xenforeignmemory_handle *fmem;

static void __attribute__((noreturn)) fail(const char *what)
{
    printf("FAILED: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *map(uint32_t domid, xen_pfn_t gfn, int protection)
{
    int error = 0;
    void *page = xenforeignmemory_map(fmem, domid, protection, 1, &gfn, &error);

    if ( page && error )
    {
        xenforeignmemory_unmap(fmem, page, 1);
        page = NULL;
        errno = -error;
    }
    return page;
}

static void unmap(void *page)
{
    if ( page )
        xenforeignmemory_unmap(fmem, page, 1);
}

static bool equal(uint32_t a, uint32_t b, xen_pfn_t gfn)
{
    void *one = map(a, gfn, PROT_READ), *other = map(b, gfn, PROT_READ);
    bool same = one && other && !memcmp(one, other, XC_PAGE_SIZE);

    unmap(one);
    unmap(other);
    return same;
}

static uint64_t nominate(uint32_t domid, xen_pfn_t gfn)
{
    uint64_t handle;

    if ( xc_memshr_nominate_gfn(xch, domid, gfn, &handle) )
        fail("nominating");
    return handle;
}

static void share(uint32_t a, xen_pfn_t gfn_a, uint32_t b, xen_pfn_t gfn_b)
{
    uint64_t source = nominate(a, gfn_a), client = nominate(b, gfn_b);

    if ( xc_memshr_share_gfns(xch, a, gfn_a, source, b, gfn_b, client) )
        fail("sharing");
}

static int share_equal(uint32_t a, uint32_t b, xen_pfn_t first, unsigned long count)
{
    unsigned long shared = 0, unequal = 0;

    for ( xen_pfn_t gfn = first; gfn < first + count; gfn++ )
    {
        uint64_t one, other;

        if ( !equal(a, b, gfn) )
        {
            unequal++;
            continue;
        }
        one = nominate(a, gfn);
        other = nominate(b, gfn);
        /* Both domains are paused, and still: what is shared has to be compared when it cannot change any more. */
        if ( !equal(a, b, gfn) )
            fail("frames changed while their domains were paused");
        if ( xc_memshr_share_gfns(xch, a, gfn, one, b, gfn, other) )
            fail("sharing");
        shared++;
    }
    printf("shared %lu unequal %lu freed %ld\n", shared, unequal, xc_sharing_freed_pages(xch));
    return shared ? 0 : 1;
}

static bool access_is(uint32_t domid, xen_pfn_t gfn, xenmem_access_t expected, const char *when)
{
    xenmem_access_t found;

    if ( xc_get_mem_access(xch, domid, gfn, &found) )
        fail("mem_access");
    printf("access %d %s\n", found, when);
    return found == expected;
}

static int keep_access(uint32_t a, uint32_t b, xen_pfn_t gfn)
{
    struct monitor monitor;
    bool kept = true;
    void *page;

    /* Access can be restricted only while somebody listens. */
    if ( monitor_open(&monitor, xch, a) )
        fail("the monitor ring");
    if ( xc_set_mem_access(xch, a, XENMEM_access_rx, gfn, 1) )
        fail("restricting access");
    kept &= access_is(a, gfn, XENMEM_access_rx, "once restricted");
    nominate(a, gfn);
    kept &= access_is(a, gfn, XENMEM_access_rx, "when nominated");
    share(b, gfn, a, gfn);
    kept &= access_is(a, gfn, XENMEM_access_rx, "when shared");
    page = map(a, gfn, PROT_READ | PROT_WRITE);
    if ( !page )
        fail("mapping for a write, which unshares");
    unmap(page);
    kept &= access_is(a, gfn, XENMEM_access_rx, "when unshared");
    if ( xc_set_mem_access(xch, a, XENMEM_access_rwx, gfn, 1) )
        fail("allowing access");
    monitor_close(&monitor);
    return kept ? 0 : 1;
}

static int remove_shared(uint32_t a, uint32_t b, xen_pfn_t gfn)
{
    void *page;

    share(a, gfn, b, gfn);
    if ( xc_domain_remove_from_physmap(xch, a, gfn) )
        fail("unmapping a shared frame");
    page = map(a, gfn, PROT_READ);
    if ( page )
    {
        printf("the frame is still there\n");
        return 1;
    }
    /* Everybody who is known to map B's frame gets the one it is merged with. */
    share(b, gfn + 1, b, gfn);
    page = map(a, gfn, PROT_READ);
    unmap(page);
    printf("the frame %s\n", page ? "came back" : "is gone");
    return page ? 1 : 0;
}

static int empty_pool(uint32_t a, xen_pfn_t first, unsigned long count)
{
    unsigned long refused = 0;
    uint64_t before, handle;

    if ( xc_get_paging_mempool_size(xch, a, &before) )
        fail("the pool's size");
    /* What is in use stays, and that it does is an error. */
    (void)xc_set_paging_mempool_size(xch, a, 0);
    for ( xen_pfn_t gfn = first; gfn < first + count; gfn++ )
        if ( xc_memshr_nominate_gfn(xch, a, gfn, &handle) )
        {
            if ( errno != ENOMEM )
                fail("nominating with an empty pool");
            refused++;
        }
    if ( xc_set_paging_mempool_size(xch, a, before) )
        fail("filling the pool");
    printf("refused %lu of %lu for want of memory\n", refused, count);
    for ( xen_pfn_t gfn = first; gfn < first + count; gfn++ )
        nominate(a, gfn);
    printf("nominated all of them with a full pool\n");
    return refused ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool two = strcmp(what, "pool");
    int wanted = !strcmp(what, "equal") ? 6 : 5, status;
    uint32_t a, b = 0;
    xen_pfn_t gfn;
    unsigned long count;

    if ( argc != wanted )
    {
        fprintf(stderr, "usage: share-frames equal|access|remove A B GFN [COUNT]\n"
                        "       share-frames pool A FIRST COUNT\n");
        return 2;
    }
    a = strtoul(argv[2], NULL, 10);
    if ( two )
        b = strtoul(argv[3], NULL, 10);
    gfn = strtoul(argv[two ? 4 : 3], NULL, 0);
    count = strtoul(argv[argc - 1], NULL, 0);
    xch = xc_interface_open(NULL, NULL, 0);
    fmem = xenforeignmemory_open(NULL, 0);
    if ( !xch || !fmem )
        fail("opening Xen");
    if ( xc_domain_pause(xch, a) || (two && xc_domain_pause(xch, b)) )
        fail("pausing");
    if ( xc_memshr_control(xch, a, 1) || (two && xc_memshr_control(xch, b, 1)) )
        fail("allowing sharing");

    if ( !strcmp(what, "equal") )
        status = share_equal(a, b, gfn, count);
    else if ( !strcmp(what, "access") )
        status = keep_access(a, b, gfn);
    else if ( !strcmp(what, "remove") )
        status = remove_shared(a, b, gfn);
    else
        status = empty_pool(a, gfn, count);

    if ( xc_domain_unpause(xch, a) || (two && xc_domain_unpause(xch, b)) )
        fail("unpausing");
    return status;
}
