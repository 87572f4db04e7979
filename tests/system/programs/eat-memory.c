/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives all of the host's free memory to a domain, which does not see it: whoever needs a page after that finds none.
 * It comes back when the domain is destroyed.
 *
 *   eat-memory DOMID         says how many KiB that were
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

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    unsigned long eaten = 0;
    uint32_t domid;

    if ( argc != 2 )
    {
        fprintf(stderr, "usage: eat-memory DOMID\n");
        return 2;
    }
    domid = strtoul(argv[1], NULL, 10);
    if ( !xch || xc_domain_setmaxmem(xch, domid, ~0u) )
    {
        printf("FAILED: %s\n", strerror(errno));
        return 1;
    }
    for ( unsigned int i = 0; i < sizeof(orders) / sizeof(orders[0]); i++ )
    {
        unsigned long count = AT_ONCE;

        while ( count )
        {
            int got = xc_domain_increase_reservation(xch, domid, count, orders[i], 0, NULL);

            if ( got > 0 )
                eaten += (unsigned long)got << orders[i];
            /* With the last of them one at a time. */
            if ( got < (int)count )
                count = count > 1 ? 1 : 0;
        }
    }
    printf("%lu KiB\n", eaten * 4);
    return eaten ? 0 : 1;
}
