/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hypervisor.h promises of a host with channels, asked of any host: the emulated one, and real Xen.  Written against
 * hypervisor.h and libmemevent alone.
 */
#ifndef TESTS_LIB_HYPERVISOR_CONTRACT_H
#define TESTS_LIB_HYPERVISOR_CONTRACT_H

#include "hypervisor/hypervisor.h"

/* What only who has made the host can do to it.  0, or what went wrong. */
struct contract_means {
    void *opaque;
    int (*take_memory)(void *opaque);       /* all that nobody has */
    int (*give_memory)(void *opaque);       /* back; it may take its time */
};

/*
 * The domain's vCPUs read and write each of the count frames from first on, over and over, and check what they find;
 * some of the frames are zero, and stay so.  Nobody else is attached to it.  Without means, what needs them is left
 * out.  Says on standard output what was asked; returns how much was not as promised.
 */
int contract_run(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count,
                 const struct contract_means *means);

/* Of it, what a host without channels has too, by whatever way: sharing. */
int contract_run_stock(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count);

#endif /* TESTS_LIB_HYPERVISOR_CONTRACT_H */
