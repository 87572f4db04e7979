/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract, asked of the Xen host that this runs on, of a domain whose vCPUs touch the frames all the time and check
 * their contents themselves:
 *     contract-host DOMID FIRST-FRAME FRAMES [TAKE-MEMORY GIVE-MEMORY]
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
    struct hypervisor *hv;
    int rc, failures;

    if ( argc != 4 && argc != 6 )
    {
        fprintf(stderr, "usage: contract-host DOMID FIRST-FRAME FRAMES [TAKE-MEMORY GIVE-MEMORY]\n");
        return 2;
    }
    rc = memevent_open_host(NULL, &hv);
    if ( rc )
    {
        fprintf(stderr, "the host cannot be opened: %s\n", strerror(-rc));
        return 1;
    }
    failures = contract_run(hv, strtoul(argv[1], NULL, 0), strtoull(argv[2], NULL, 0), strtoul(argv[3], NULL, 0),
                            argc == 6 ? &means : NULL);
    memevent_close_host(hv);

    return failures != 0;
}
