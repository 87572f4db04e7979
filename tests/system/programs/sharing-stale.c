/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that were equal a while ago, and what becomes of them when they are merged: what a scanner does to guests that
 * write after it looked.
 *
 *   sharing-stale note A B FIRST COUNT FILE    notes the frames in which both domains hold the same
 *   sharing-stale merge A B FILE               merges those by the operation that compares
 *   sharing-stale blind A B FILE               shares those by upstream's operations, which do not
 */
#include "channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>

static xc_interface *xch;
static xenforeignmemory_handle *memory;

static void note(uint32_t a, uint32_t b, xen_pfn_t first, unsigned long count, FILE *file)
{
    unsigned long noted = 0;

    for ( xen_pfn_t gfn = first; gfn < first + count; gfn++ )
    {
        int errors[2] = { 0 };
        void *one = xenforeignmemory_map(memory, a, PROT_READ, 1, &gfn, &errors[0]);
        void *other = xenforeignmemory_map(memory, b, PROT_READ, 1, &gfn, &errors[1]);

        if ( one && other && !errors[0] && !errors[1] && !memcmp(one, other, XC_PAGE_SIZE) )
        {
            fprintf(file, "%lu\n", (unsigned long)gfn);
            noted++;
        }
        if ( one )
            xenforeignmemory_unmap(memory, one, 1);
        if ( other )
            xenforeignmemory_unmap(memory, other, 1);
    }
    if ( !noted )
        fail("no frame holds the same in both");
    pass("%lu frames hold the same", noted);
}

static void merge(uint32_t a, uint32_t b, FILE *file)
{
    unsigned long merged = 0, different = 0, others = 0;
    unsigned long gfn;

    while ( fscanf(file, "%lu", &gfn) == 1 )
    {
        struct xen_memevent_operation operation = {
            .call = XEN_MEMEVENT_SHARING_MERGE, .domid = a,
            .u.sharing = { .gfn = gfn, .client_gfn = gfn, .client_domid = b },
        };
        long rc = memevent_call(operation.call, &operation, sizeof(operation));

        merged += !rc;
        different += rc == -EILSEQ;
        others += rc && rc != -EILSEQ;
    }
    if ( !different )
        fail("no frame was written to after it was noted: nothing is shown");
    pass("%lu merged, %lu found to be different, %lu neither", merged, different, others);
}

static void blind(uint32_t a, uint32_t b, FILE *file)
{
    unsigned long shared = 0, refused = 0;
    unsigned long gfn;

    while ( fscanf(file, "%lu", &gfn) == 1 )
    {
        uint64_t source, client;

        if ( xc_memshr_nominate_gfn(xch, a, gfn, &source) || xc_memshr_nominate_gfn(xch, b, gfn, &client) ||
             xc_memshr_share_gfns(xch, a, gfn, source, b, gfn, client) )
            refused++;
        else
            shared++;
    }
    if ( !shared )
        fail("nothing could be shared: nothing is shown");
    pass("%lu shared without being compared, %lu not", shared, refused);
}

int main(int argc, char **argv)
{
    bool notes = argc == 7 && !strcmp(argv[1], "note");
    uint32_t a, b;
    FILE *file;

    if ( !notes && (argc != 5 || (strcmp(argv[1], "merge") && strcmp(argv[1], "blind"))) )
    {
        fprintf(stderr, "usage: sharing-stale note A B FIRST COUNT FILE | merge|blind A B FILE\n");
        return 2;
    }
    hypervisor_open();
    xch = xc_interface_open(NULL, NULL, 0);
    memory = xenforeignmemory_open(NULL, 0);
    a = strtoul(argv[2], NULL, 10);
    b = strtoul(argv[3], NULL, 10);
    file = fopen(argv[argc - 1], notes ? "w" : "r");
    if ( !xch || !memory || !file )
        fail("opening: %s", strerror(errno));
    if ( xc_memshr_control(xch, a, 1) || xc_memshr_control(xch, b, 1) )
        fail("allowing sharing: %s", strerror(errno));
    if ( notes )
        note(a, b, strtoul(argv[4], NULL, 0), strtoul(argv[5], NULL, 0), file);
    else if ( !strcmp(argv[1], "merge") )
        merge(a, b, file);
    else
        blind(a, b, file);
    return fclose(file) ? 1 : 0;
}
