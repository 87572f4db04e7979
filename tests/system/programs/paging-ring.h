/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The paging ring of one domain as upstream's tools see it. It is a ring like the monitor's: take, answer and wait
 * with monitor.h. What the suite itself does with rings is in lib/memevent.
 */
#ifndef TESTS_SYSTEM_PROGRAMS_PAGING_RING_H
#define TESTS_SYSTEM_PROGRAMS_PAGING_RING_H

#include "monitor.h"

/*
 * Maps the page that HVM parameter `param` of the domain names, *gfn says which, after putting one there if
 * there is none: Xen wants it for a ring. NULL with errno set on failure. It stays mapped until the program ends.
 */
void *paging_ring_page(xc_interface *xch, uint32_t domid, int param, xen_pfn_t *gfn);

/* Takes the domain's paging ring, until the program ends. 0 or -errno. */
int paging_ring_open(struct monitor *m, xc_interface *xch, uint32_t domid);

#endif
