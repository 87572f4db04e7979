/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hypervisor.h promises of a host with channels, asked of any host: the emulated one, and real Xen.  Written against
 * hypervisor.h and libmemevent alone.
 */
#ifndef TESTS_LIB_HYPERVISOR_CONTRACT_H
#define TESTS_LIB_HYPERVISOR_CONTRACT_H

#include "hypervisor/hypervisor.h"

/*
 * The domain's vCPUs touch each of the count frames from first on, over and over, and check what they find.  Nobody
 * else is attached to it.  Says on standard output what was asked; returns how much was not as promised.
 */
int contract_run(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count);

#endif /* TESTS_LIB_HYPERVISOR_CONTRACT_H */
