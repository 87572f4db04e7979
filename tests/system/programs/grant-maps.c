/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * grant-maps PAGES: dom0 maps its own grants, by the kernel and by hypercalls of our own.
 *
 * PAGES are shared with gntalloc and mapped with gntdev, and what is written on one side is read on the other. Then
 * the same grants are mapped by hypercall, as for a device, which needs no address, until Xen has no room
 * for more: that has to be an error and nothing else. All is unmapped, and each handle tried once more: it has to be
 * refused, also when its place has been used again.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xengnttab.h>
#include <xen/grant_table.h>

#define OURSELVES 0             /* dom0's number */
#define AT_ONCE   256U          /* pages for one call of the library, operations for one hypercall */
#define MOST      (1u << 20)    /* handles that are kept; four times what a domain may have by default */
#define AGAIN     10000U        /* mappings that are made again while stale handles are tried */
#define NONSENSE  100000U       /* handles that nobody ever gave out, or only by chance */

static xencall_handle *calls;
static uint32_t *refs, *handles;
static uint64_t *addresses;

static void __attribute__((noreturn)) fail(const char *what, long which)
{
    printf("FAILED: %s (%ld): %s\n", what, which, strerror(errno));
    exit(1);
}

static void *need(void *memory)
{
    if ( !memory )
        fail("memory", 0);

    return memory;
}

/* Shares and maps all pages, looks at them from both sides, and unmaps them. */
static void **by_the_kernel(unsigned int pages, long page_size)
{
    xengntshr_handle *sharer = xengntshr_open(NULL, 0);
    xengnttab_handle *mapper = xengnttab_open(NULL, 0);
    void **shared = need(calloc(pages / AT_ONCE, sizeof(*shared)));

    if ( !sharer || !mapper )
        fail("opening the grant devices", 0);
    for ( unsigned int i = 0; i < pages / AT_ONCE; i++ )
    {
        shared[i] = xengntshr_share_pages(sharer, OURSELVES, AT_ONCE, refs + i * AT_ONCE, 1);
        if ( !shared[i] )
            fail("sharing pages", i);
        for ( unsigned int j = 0; j < AT_ONCE; j++ )
            *(unsigned int *)((char *)shared[i] + j * page_size) = i * AT_ONCE + j;
    }
    for ( unsigned int round = 0; round < 2; round++ )
        for ( unsigned int i = 0; i < pages / AT_ONCE; i++ )
        {
            char *mapped = xengnttab_map_domain_grant_refs(mapper, AT_ONCE, OURSELVES, refs + i * AT_ONCE,
                                                           PROT_READ | PROT_WRITE);

            if ( !mapped )
                fail("mapping pages", i);
            for ( unsigned int j = 0; j < AT_ONCE; j++ )
            {
                unsigned int *word = (unsigned int *)(mapped + j * page_size);

                if ( word[round] != i * AT_ONCE + j )
                    fail("a mapped page is another one", i * AT_ONCE + j);
                word[round + 1] = word[round];
            }
            if ( xengnttab_unmap(mapper, mapped, AT_ONCE) )
                fail("unmapping pages", i);
        }
    for ( unsigned int i = 0; i < pages; i++ )
        if ( ((unsigned int *)((char *)shared[i / AT_ONCE] + i % AT_ONCE * page_size))[2] != i )
            fail("what was written to a mapped page is not in it", i);
    xengnttab_close(mapper);
    printf("PASS: %u pages mapped by the kernel, read and written\n", pages);

    return shared;  /* they stay shared until the program ends */
}

/* How many of count references could be mapped; their handles. Those that could not have to have found no room. */
static unsigned int map(const uint32_t *ref, unsigned int count, uint32_t *handle, uint64_t *address)
{
    gnttab_map_grant_ref_t *ops = need(xencall_alloc_buffer(calls, AT_ONCE * sizeof(*ops)));
    unsigned int got = 0;

    memset(ops, 0, AT_ONCE * sizeof(*ops));
    for ( unsigned int i = 0; i < count; i++ )
    {
        ops[i].flags = GNTMAP_device_map | GNTMAP_readonly;
        ops[i].ref = ref[i];
        ops[i].dom = OURSELVES;
    }
    if ( xencall3(calls, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uintptr_t)ops, count) )
        fail("the map hypercall", count);
    for ( unsigned int i = 0; i < count; i++ )
        if ( ops[i].status == GNTST_okay )
        {
            handle[got] = ops[i].handle;
            address[got++] = ops[i].dev_bus_addr;
        }
        else if ( ops[i].status != GNTST_no_space )
            fail("mapping by hypercall: another status than 'no space'", ops[i].status);
    xencall_free_buffer(calls, ops);

    return got;
}

/* Unmaps count handles; how many were refused as bad. */
static unsigned int unmap(const uint32_t *handle, const uint64_t *address, unsigned int count)
{
    gnttab_unmap_grant_ref_t *ops = need(xencall_alloc_buffer(calls, AT_ONCE * sizeof(*ops)));
    unsigned int refused = 0;

    for ( unsigned int done = 0; done < count; done += AT_ONCE )
    {
        unsigned int now = count - done < AT_ONCE ? count - done : AT_ONCE;

        memset(ops, 0, AT_ONCE * sizeof(*ops));
        for ( unsigned int i = 0; i < now; i++ )
        {
            ops[i].handle = handle[done + i];
            ops[i].dev_bus_addr = address ? address[done + i] : 0;
        }
        if ( xencall3(calls, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uintptr_t)ops, now) )
            fail("the unmap hypercall", now);
        for ( unsigned int i = 0; i < now; i++ )
        {
            if ( ops[i].status != GNTST_okay && ops[i].status != GNTST_bad_handle )
                fail("unmapping by hypercall: another status than 'bad handle'", ops[i].status);
            refused += ops[i].status == GNTST_bad_handle;
        }
    }
    xencall_free_buffer(calls, ops);

    return refused;
}

int main(int argc, char **argv)
{
    unsigned int pages, count = 0, got, refused;
    uint32_t fresh[AT_ONCE], wild;
    uint64_t fresh_addresses[AT_ONCE];
    cpu_set_t first;
    void **shared;

    if ( argc != 2 || !(pages = strtoul(argv[1], NULL, 10) / AT_ONCE * AT_ONCE) )
    {
        fprintf(stderr, "usage: grant-maps PAGES, at least %u\n", AT_ONCE);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* What one vCPU has unmapped another need not map next, and then no stale handle would have a place in use. */
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if ( sched_setaffinity(0, sizeof(first), &first) )
        fail("the first vCPU", 0);
    calls = need(xencall_open(NULL, 0));
    refs = need(calloc(pages, sizeof(*refs)));
    handles = need(calloc(MOST, sizeof(*handles)));
    addresses = need(calloc(MOST, sizeof(*addresses)));
    shared = by_the_kernel(pages, sysconf(_SC_PAGESIZE));
    errno = 0;

    /* Until there is no room. */
    for ( unsigned int at = 0; count + AT_ONCE <= MOST; at = (at + AT_ONCE) % pages )
    {
        got = map(refs + at, AT_ONCE, handles + count, addresses + count);
        count += got;
        if ( got < AT_ONCE )
            break;
    }
    if ( count + AT_ONCE > MOST )
        fail("there is no limit", count);
    printf("%u mappings until there was no room\n", count);
    if ( map(refs, AT_ONCE, fresh, fresh_addresses) )
        fail("there was room for more after all", count);
    refused = unmap(handles, addresses, count);
    if ( refused )
        fail("handles were refused", refused);
    printf("PASS: no room is an error, and all that was mapped can be unmapped\n");

    refused = unmap(handles, addresses, count);
    if ( refused != count )
        fail("stale handles were taken", count - refused);
    for ( unsigned int done = 0; done < AGAIN; done += AT_ONCE )
    {
        if ( map(refs, AT_ONCE, fresh, fresh_addresses) != AT_ONCE )
            fail("there is no room any more", done);
        /* Some of these had the same place; each names the same grants. */
        refused = unmap(handles + done, addresses + done, AT_ONCE) + unmap(handles, addresses, AT_ONCE) +
                  unmap(handles + count - AT_ONCE - done, addresses + count - AT_ONCE - done, AT_ONCE);
        if ( refused != 3 * AT_ONCE )
            fail("stale handles were taken while others are mapped", 3 * AT_ONCE - refused);
        if ( unmap(fresh, fresh_addresses, AT_ONCE) )
            fail("mappings are gone that nobody unmapped", done);
    }
    printf("PASS: stale handles are refused, the mappings in their places stay\n");

    /* Any number but a valid one: nothing is mapped but by the kernel, and not many of its mappings. */
    srandom(1);
    for ( unsigned int i = 0; i < NONSENSE / AT_ONCE; i++ )
        for ( unsigned int j = 0; j < AT_ONCE; j++ )
        {
            wild = (uint32_t)random() << 16 ^ (uint32_t)random();
            handles[i * AT_ONCE + j] = wild | 0xff000000;
        }
    if ( unmap(handles, NULL, NONSENSE / AT_ONCE * AT_ONCE) != NONSENSE / AT_ONCE * AT_ONCE )
        fail("a handle out of the air was taken", 0);
    printf("PASS: handles out of the air are refused\n");

    free(shared);
    return 0;
}
