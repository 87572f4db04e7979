/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract, asked of the Xen host that this runs on, of a domain whose vCPUs touch the frames all the time and check
 * their contents themselves:
 *     contract-host DOMID FIRST-FRAME FRAMES [TAKE-MEMORY GIVE-MEMORY]
 *     contract-host DOMID FIRST-FRAME FRAMES stock     by upstream's interfaces
 *
 * The last two are commands: one takes all of the host's free memory, the other gives it back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

static int take_memory(void *commands)
{
    return system(((char **)commands)[0]);
}

static int give_memory(void *commands)
{
    return system(((char **)commands)[1]);
}

int main(int argc, char *argv[])
{
    const struct contract_means means = { argv + 4, take_memory, give_memory };
    bool is_stock = argc == 5 && !strcmp(argv[4], "stock");
    struct hypervisor *hv;
    uint64_t first;
    int rc, failures;

    if ( argc != 4 && argc != 6 && !is_stock )
    {
        fprintf(stderr, "usage: contract-host DOMID FIRST-FRAME FRAMES [TAKE-MEMORY GIVE-MEMORY | stock]\n");
        return 2;
    }
    rc = memevent_open_host(is_stock ? "xen:stock" : NULL, &hv);
    if ( rc )
    {
        fprintf(stderr, "the host cannot be opened: %s\n", strerror(-rc));
        return 1;
    }
    first = strtoull(argv[2], NULL, 0);
    if ( is_stock )
        failures = contract_run_stock(hv, strtoul(argv[1], NULL, 0), first, strtoul(argv[3], NULL, 0));
    else
        failures = contract_run(hv, strtoul(argv[1], NULL, 0), first, strtoul(argv[3], NULL, 0),
                                argc == 6 ? &means : NULL);
    memevent_close_host(hv);

    return failures != 0;
}
