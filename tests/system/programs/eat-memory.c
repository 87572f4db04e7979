/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives all of the host's free memory to a domain, which does not see it: whoever needs a page after that finds none.
 * It comes back when the domain is destroyed.
 *
 *   eat-memory DOMID [KEEP]  says how many KiB that were; KEEP: KiB that are left
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

/* Orders to ask for, the largest first: 2 MiB, and page by page what is left. */
static const unsigned int orders[] = { 9, 4, 0 };

/* Extents in one call. */
#define AT_ONCE 64UL

/* Extents of that order that may still be taken, as many as one call takes. */
static unsigned long allowed(xc_interface *xch, unsigned int order, unsigned long keep)
{
    xc_physinfo_t info = { 0 };
    unsigned long extents;

    if ( !keep )
        return AT_ONCE;
    if ( xc_physinfo(xch, &info) || info.free_pages <= keep )
        return 0;
    extents = (info.free_pages - keep) >> order;
    return extents < AT_ONCE ? extents : AT_ONCE;
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    unsigned long eaten = 0, keep = 0;
    uint32_t domid;

    if ( argc != 2 && argc != 3 )
    {
        fprintf(stderr, "usage: eat-memory DOMID [KEEP]\n");
        return 2;
    }
    domid = strtoul(argv[1], NULL, 10);
    if ( argc == 3 )
        keep = strtoul(argv[2], NULL, 10) / 4;
    if ( !xch || xc_domain_setmaxmem(xch, domid, ~0u) )
    {
        printf("FAILED: %s\n", strerror(errno));
        return 1;
    }
    for ( unsigned int i = 0; i < sizeof(orders) / sizeof(orders[0]); i++ )
    {
        unsigned long most = AT_ONCE, count;

        while ( (count = allowed(xch, orders[i], keep)) && most )
        {
            int got;

            if ( count > most )
                count = most;
            got = xc_domain_increase_reservation(xch, domid, count, orders[i], 0, NULL);
            if ( got > 0 )
                eaten += (unsigned long)got << orders[i];
            /* With the last of them one at a time. */
            if ( got < (int)count )
                most = count > 1 ? 1 : 0;
        }
    }
    printf("%lu KiB\n", eaten * 4);
    return eaten ? 0 : 1;
}
