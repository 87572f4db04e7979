/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract, asked of the Xen host that this runs on, of a domain whose vCPUs touch the frames all the time and check
 * their contents themselves:
 *     contract-host DOMID FIRST-FRAME FRAMES
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

int main(int argc, char *argv[])
{
    struct hypervisor *hv;
    int rc, failures;

    if ( argc != 4 )
    {
        fprintf(stderr, "usage: contract-host DOMID FIRST-FRAME FRAMES\n");
        return 2;
    }
    rc = memevent_open_host(NULL, &hv);
    if ( rc )
    {
        fprintf(stderr, "the host cannot be opened: %s\n", strerror(-rc));
        return 1;
    }
    failures = contract_run(hv, strtoul(argv[1], NULL, 0), strtoull(argv[2], NULL, 0), strtoul(argv[3], NULL, 0));
    memevent_close_host(hv);

    return failures != 0;
}
