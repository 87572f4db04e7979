/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Xen's books of sharing say, and what could be shared, counted without the help of what is tested.
 *
 *   sharing-books audit            Xen checks its books; status 1 if they are wrong, 3 if it was built without that
 *   sharing-books saved            frames that sharing saves the host
 *   sharing-books count DOMID...   the frames of the domains, sorted by what is in them: how many there are, how many
 *                                  of them could be freed if all that is equal were shared, and how many are
 *
 * The domains are paused while they are counted.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#define AT_ONCE 512
#define WORDS   (XC_PAGE_SIZE / sizeof(uint64_t))

struct content {
    uint64_t one, other;            /* two sums with different multipliers: 128 bits */
};

static xc_interface *xch;
static xenforeignmemory_handle *memory;
static xen_pfn_t *types;                /* AT_ONCE of them, where Xen reaches them */
static struct content *contents;
static size_t count, room;

static void __attribute__((noreturn)) fail(const char *what)
{
    printf("FAILED: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct content look(const uint64_t *words)
{
    struct content c = { 0 };

    for ( unsigned int i = 0; i < WORDS; i++ )
    {
        c.one = (c.one ^ words[i]) * 0x9e3779b97f4a7c15ull;
        c.one ^= c.one >> 29;
        c.other = (c.other ^ words[i]) * 0xd6e8feb86659fd93ull;
        c.other ^= c.other >> 31;
    }
    return c;
}

static void add(struct content c)
{
    if ( count == room )
    {
        room = room ? room * 2 : 65536;
        contents = reallocarray(contents, room, sizeof(*contents));
        if ( !contents )
            fail("memory");
    }
    contents[count++] = c;
}

static void count_frames(uint32_t domid, xen_pfn_t first, unsigned int n)
{
    struct xen_domctl domctl = { .cmd = XEN_DOMCTL_getpageframeinfo3, .domain = domid };
    xen_pfn_t gfns[AT_ONCE];
    int errors[AT_ONCE];
    unsigned int there = 0;
    char *mapping;

    for ( unsigned int i = 0; i < n; i++ )
        types[i] = first + i;
    domctl.u.getpageframeinfo3.num = n;
    set_xen_guest_handle_raw(domctl.u.getpageframeinfo3.array, types);
    if ( xc_domctl(xch, &domctl) )
        fail("the frames' types");
    for ( unsigned int i = 0; i < n; i++ )
        if ( (types[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) != XEN_DOMCTL_PFINFO_XTAB )
            gfns[there++] = first + i;
    if ( !there )
        return;
    mapping = xenforeignmemory_map(memory, domid, PROT_READ, there, gfns, errors);
    if ( !mapping )
        fail("mapping");
    for ( unsigned int i = 0; i < there; i++ )
        if ( !errors[i] )
            add(look((const uint64_t *)(mapping + (size_t)i * XC_PAGE_SIZE)));
    xenforeignmemory_unmap(memory, mapping, there);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct content));
}

static int count_all(int argc, char **argv)
{
    size_t mergeable = 0;
    long saved;

    for ( int i = 0; i < argc; i++ )
        if ( xc_domain_pause(xch, strtoul(argv[i], NULL, 10)) )
            fail("pausing");
    for ( int i = 0; i < argc; i++ )
    {
        uint32_t domid = strtoul(argv[i], NULL, 10);
        xen_pfn_t last;

        if ( xc_domain_maximum_gpfn(xch, domid, &last) < 0 )
            fail("the highest frame");
        for ( xen_pfn_t first = 0; first <= last; first += AT_ONCE )
            count_frames(domid, first, last - first < AT_ONCE ? last - first + 1 : AT_ONCE);
    }
    saved = xc_sharing_freed_pages(xch);
    for ( int i = 0; i < argc; i++ )
        if ( xc_domain_unpause(xch, strtoul(argv[i], NULL, 10)) )
            fail("unpausing");

    qsort(contents, count, sizeof(*contents), compare);
    for ( size_t i = 1; i < count; i++ )
        mergeable += !compare(&contents[i - 1], &contents[i]);
    printf("pages %zu mergeable %zu saved %ld permille %ld\n", count, mergeable, saved,
           mergeable ? saved * 1000 / (long)mergeable : 0);
    return 0;
}

int main(int argc, char **argv)
{
    xencall_handle *call = xencall_open(NULL, 0);

    xch = xc_interface_open(NULL, NULL, 0);
    memory = xenforeignmemory_open(NULL, 0);
    if ( !call || !xch || !memory )
        fail("opening Xen");
    types = xencall_alloc_buffer(call, AT_ONCE * sizeof(*types));
    if ( !types )
        fail("memory that Xen reaches");
    if ( argc == 2 && !strcmp(argv[1], "audit") )
    {
        int errors = xc_memshr_audit(xch);

        if ( errors < 0 && errno == EOPNOTSUPP )
            return 3;
        if ( errors < 0 )
            fail("the audit");
        printf("audit %d shared %ld saved %ld\n", errors, xc_sharing_used_frames(xch), xc_sharing_freed_pages(xch));
        return errors ? 1 : 0;
    }
    if ( argc == 2 && !strcmp(argv[1], "saved") )
    {
        printf("%ld\n", xc_sharing_freed_pages(xch));
        return 0;
    }
    if ( argc > 2 && !strcmp(argv[1], "count") )
        return count_all(argc - 2, argv + 2);
    fprintf(stderr, "usage: sharing-books audit | saved | count DOMID...\n");
    return 2;
}
