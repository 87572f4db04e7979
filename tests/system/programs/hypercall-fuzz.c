/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of HYPERVISOR_memevent_op with anything for arguments: mostly right but for something, now and then not
 * right at all. Nothing is expected of what comes back; Xen must live, and so must domains that are not named.
 * Whatever Xen may write to is memory of ours, or is not there.
 *
 *   hypercall-fuzz CALLS SEED SPARED DOMID...      domains that may be spoilt, and one that is never named
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "channel.h"

#define TARGETS_MAX     8
#define OPERATIONS      64              /* that lie in a batch's array */
#define FRAMES          0x2000u         /* 32 MiB: where a target's memory is */
#define PROGRESS_US     2000000u
#define ARGUMENT        256             /* octets filled in for a call */
#define DATA            (16 * 4096)

static uint16_t targets[TARGETS_MAX], spared;
static unsigned int nr_targets;
static uint8_t *argument, *data;
static struct xen_memevent_operation *operations;
static void *hole, *read_only;          /* mapped, without any rights, and without the right to write */

static uint64_t below(uint64_t limit)
{
    return random_next() % limit;
}

static bool one_in(unsigned int n)
{
    return !below(n);
}

static uint64_t word(void)
{
    switch ( below(10) )
    {
    case 0: return 0;
    case 1: return ~0ull;
    case 2: return 1ull << below(64);
    case 3: return (1ull << below(64)) - 1;
    case 4: case 5: return below(8);
    case 6: return below(FRAMES);
    default: return random_next();
    }
}

static uint16_t domid(void)
{
    static const uint16_t odd[] = { 0, 0x7ff0, 0x7ff1, XEN_MEMEVENT_HOST, 0x7ff3, 0x7ff4, 0x7fff, 0xffff, 1, 0x7fef };

    return one_in(12) ? odd[below(sizeof(odd) / sizeof(odd[0]))] : one_in(50) ? word() : targets[below(nr_targets)];
}

static uint64_t frame(void)
{
    return one_in(20) ? word() : below(FRAMES);
}

/*
 * Where something of so many octets may lie. Beyond the first kind there is nothing that could be spoilt: no
 * mapping, none that may be written, the gap in the middle of addresses, Xen's own.
 */
static uint64_t pointer(void *ours, size_t octets)
{
    switch ( below(40) )
    {
    case 0: return 0;
    case 1: return (uintptr_t)hole + below(8192);
    case 2: return (uintptr_t)read_only + below(4096);
    case 3: return 0x0000800000000000ull + below(1ull << 47);
    case 4: return 0xffff800000000000ull + below(1ull << 43);
    case 5: return ~0ull - below(8192);
    case 6: return (uintptr_t)hole - below(octets);             /* begins in ours, ends in the hole */
    case 7: return (uintptr_t)ours + below(16);                 /* odd, with room behind it */
    default: return (uintptr_t)ours;
    }
}

static uint32_t tuple(void)
{
    static const uint32_t calls[] = {
        XEN_MEMEVENT_QUERY, XEN_MEMEVENT_BATCH, XEN_MEMEVENT_ATTACH, XEN_MEMEVENT_DETACH, XEN_MEMEVENT_INFO,
        XEN_MEMEVENT_PAGING_NOMINATE, XEN_MEMEVENT_PAGING_EVICT, XEN_MEMEVENT_PAGING_LOAD, XEN_MEMEVENT_PAGING_RELEASE,
        XEN_MEMEVENT_PAGING_QUERY, XEN_MEMEVENT_SHARING_NOMINATE, XEN_MEMEVENT_SHARING_MERGE,
        XEN_MEMEVENT_SHARING_UNSHARE, XEN_MEMEVENT_ACCESS_SET,
    };
    uint32_t call = calls[below(sizeof(calls) / sizeof(calls[0]))];

    if ( one_in(10) )
        call ^= 1u << below(32);
    if ( one_in(40) )
        call = random_next();
    if ( one_in(4) )
        call |= below(256);

    return call;
}

/* Words that should be zero, or anything at all. */
static void spoil(void *octets, size_t size)
{
    if ( one_in(8) )
        ((uint8_t *)octets)[below(size)] ^= 1u << below(8);
    if ( one_in(100) )
        for ( size_t i = 0; i + 8 <= size; i += 8 )
            *(uint64_t *)((uint8_t *)octets + i) = word();
}

/* A page of this domain's that went out would never come back. */
static void spare(uint16_t *named)
{
    if ( *named == spared )
        *named = targets[0];
}

/* What lies where data goes must be ours or nowhere, whatever was spoilt. */
static void fill_spoilt_operation(struct xen_memevent_operation *operation, uint32_t call)
{
    uint32_t family = call & XEN_MEMEVENT_FAMILY_MASK;

    memset(operation, 0, sizeof(*operation));
    operation->call = call;
    operation->domid = domid();
    if ( family == XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_SHARING, 0) )
    {
        operation->u.sharing.gfn = frame();
        if ( (call & XEN_MEMEVENT_CALL_MASK) == (XEN_MEMEVENT_SHARING_MERGE & XEN_MEMEVENT_CALL_MASK) || one_in(20) )
        {
            operation->u.sharing.client_gfn = one_in(2) ? operation->u.sharing.gfn : frame();
            operation->u.sharing.client_domid = domid();
        }
        spoil(operation, sizeof(*operation));
        return;
    }
    if ( family == XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_ACCESS, 0) )
    {
        operation->u.access.gfn = frame();
        operation->u.access.count = one_in(30) ? word() : 1 + below(64);
        operation->u.access.access = one_in(10) ? word() : below(11);
        spoil(operation, sizeof(*operation));
        return;
    }
    operation->u.paging.gfn = frame();
    spoil(operation, sizeof(*operation));
    operation->u.paging.data = one_in(30) ? 0 : pointer(data + below(8) * 4096, 4096);
    if ( (call & XEN_MEMEVENT_CALL_MASK) > (XEN_MEMEVENT_PAGING_LOAD & XEN_MEMEVENT_CALL_MASK) ||
         (call & XEN_MEMEVENT_CALL_MASK) == (XEN_MEMEVENT_PAGING_NOMINATE & XEN_MEMEVENT_CALL_MASK) )
        operation->u.paging.data = one_in(30) ? pointer(data, 4096) : 0;
    /* The call may have been spoilt into one of the others: it is what was meant, or unknown. */
    operation->call = one_in(30) ? call ^ 0xff000000u : call;
}

static void fill_operation(struct xen_memevent_operation *operation, uint32_t call)
{
    fill_spoilt_operation(operation, call);
    spare(&operation->domid);
    spare(&operation->u.sharing.client_domid);
}

static void fill_batch(void)
{
    struct xen_memevent_batch *batch = (void *)argument;

    for ( unsigned int i = 0; i < OPERATIONS; i++ )
        fill_operation(&operations[i], tuple());
    batch->operations = pointer(operations, 64);
    batch->count = 1 + below(OPERATIONS);
    if ( one_in(20) )
        /* Far more than there are: what follows them is the hole. */
        batch->count = word();
    batch->done = one_in(20) ? word() : 0;
}

static void fill_channel(void)
{
    struct xen_memevent_attach *attach = (void *)argument;      /* the others begin as it does */

    attach->domid = domid();
    attach->channel_class = one_in(20) ? word() : 1 + below(4);
    if ( attach->channel_class == XEN_MEMEVENT_CLASS_INVALIDATE && !one_in(20) )
    {
        attach->domid = XEN_MEMEVENT_HOST;
        attach->batch = one_in(10) ? word() : 64;
        attach->deadline = one_in(10) ? word() : 10000;
    }
    else
    {
        attach->flags = one_in(10) ? word() : 0;
        attach->batch = one_in(20) ? word() : 0;
        attach->deadline = one_in(20) ? word() : 0;
    }
    spoil(argument, 128);
    spare(&attach->domid);
}

static long fuzz(uint32_t *call)
{
    uint64_t address;

    *call = tuple();
    memset(argument, 0, ARGUMENT);
    switch ( *call & (XEN_MEMEVENT_FAMILY_MASK | XEN_MEMEVENT_CALL_MASK) )
    {
    case XEN_MEMEVENT_QUERY:
        ((struct xen_memevent_query *)argument)->call = tuple();
        spoil(argument, 16);
        break;
    case XEN_MEMEVENT_BATCH:
        fill_batch();
        break;
    case XEN_MEMEVENT_ATTACH: case XEN_MEMEVENT_DETACH: case XEN_MEMEVENT_INFO:
        fill_channel();
        break;
    default:
        fill_operation((void *)argument, *call);
        break;
    }
    address = pointer(argument, 64);

    return memevent_call_at(*call, address);
}

/* The operations, and data, each end where the hole begins; what is read only lies behind it. */
static void map_memory(void)
{
    uint8_t *all = mmap(NULL, DATA + 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                        -1, 0);

    argument = hypervisor_memory(4096);
    if ( all == MAP_FAILED )
        fail("no memory: %s", strerror(errno));
    data = all;
    operations = (void *)(all + DATA - OPERATIONS * sizeof(*operations));
    hole = all + DATA;
    read_only = all + DATA + 2 * 4096;
    if ( mlock(all, DATA) || mprotect(hole, 2 * 4096, PROT_NONE) || mprotect(read_only, 2 * 4096, PROT_READ) )
        fail("arranging memory: %s", strerror(errno));
}

/* Where no end is bound, the next attachment takes over; so channels come and go all by themselves. */
int main(int argc, char **argv)
{
    unsigned long calls, done, good = 0, kinds[256] = { 0 };
    uint64_t seed, progress = now_us() + PROGRESS_US;
    uint32_t call;

    if ( argc < 5 || argc > 4 + TARGETS_MAX )
        fail("usage: hypercall-fuzz CALLS SEED SPARED DOMID...");
    hypervisor_open();
    calls = strtoul(argv[1], NULL, 10);
    seed = strtoull(argv[2], NULL, 0);
    spared = strtoul(argv[3], NULL, 10);
    for ( int i = 4; i < argc; i++ )
        targets[nr_targets++] = strtoul(argv[i], NULL, 10);
    random_seed(seed);
    map_memory();
    printf("seed %"PRIu64", %lu calls\n", seed, calls);

    for ( done = 0; done < calls; done++ )
    {
        long rc = fuzz(&call);

        good += rc >= 0;
        if ( rc < 0 && rc > -256 )
            kinds[-rc]++;
        if ( now_us() >= progress )
        {
            progress = now_us() + PROGRESS_US;
            printf("%lu calls, %lu of them good\n", done + 1, good);
        }
    }

    printf("%lu good", good);
    for ( unsigned int i = 1; i < 256; i++ )
        if ( kinds[i] )
            printf(", %lu %s", kinds[i], strerror(i));
    putchar('\n');
    if ( good < calls / 20 )
        fail("too few calls were right to reach anything");
    pass("%lu calls, and Xen is alive", calls);

    return 0;
}
