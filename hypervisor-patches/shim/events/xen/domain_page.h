/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name, and for what mm.h has of a domain's pages: a frame's number is the page
 * of the program's memory that it is, and a mapping of it is that page.
 */
#ifndef SHIM_EVENTS_XEN_DOMAIN_PAGE_H
#define SHIM_EVENTS_XEN_DOMAIN_PAGE_H

#include <xen/mm.h>
#include <xen/types.h>

#define PAGE_MASK (~(PAGE_SIZE - 1L))
#define P2M_ALLOC 0
#define PGT_writable_page 0

struct page_info;

#define get_page_from_gfn(d, gfn, type, how) ((struct page_info *)(uintptr_t)((gfn) * PAGE_SIZE))
#define get_page_type(page, type) ((page) != NULL)
#define put_page(page) ((void)(page))
#define put_page_and_type(page) ((void)(page))
#define __map_domain_page_global(page) ((void *)(page))
#define unmap_domain_page_global(address) ((void)(address))
#define domain_page_map_to_mfn(address) ((uintptr_t)(address) / PAGE_SIZE)
#define mfn_to_page(mfn) ((struct page_info *)((mfn) * PAGE_SIZE))

#endif /* SHIM_EVENTS_XEN_DOMAIN_PAGE_H */
