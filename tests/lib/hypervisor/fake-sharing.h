/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Upstream's sharing behind the stand-ins: two domains' frames, what is in them, and who shares what by which handle.
 * Like Xen it compares nothing; a test of who should have done so finds pages shared that are not equal.
 */
#ifndef TESTS_HYPERVISOR_FAKE_SHARING_H
#define TESTS_HYPERVISOR_FAKE_SHARING_H

#include <stdbool.h>
#include <stdint.h>

#include <xenctrl.h>

#define FAKE_CLIENT    6U         /* another domain, which only has frames; FAKE_DOMID is the first */
#define FAKE_SHARABLE  2048U

struct fake_sharing_frame {
    uint32_t contents;            /* what each of its words is */
    uint64_t handle;              /* 0: not shared */
    int nominate;                 /* errno of its nomination */
    int unshare;                  /* of what makes it private */
    bool writes;                  /* its guest writes once it has been read by a mapping */
};

struct fake_sharing {
    struct fake_sharing_frame frames[2][FAKE_SHARABLE];
    uint64_t last_handle;
    bool is_missing;
    int control_fails, audit_finds;
    unsigned int nominations, shares, wrong;  /* wrong: shared, and not equal */
};

extern struct fake_sharing fake_sharing;

void fake_sharing_reset(void);
/* Frames that have this page. */
unsigned int fake_sharing_sharers(uint64_t handle);
/* XENMEM_sharing_op */
int fake_sharing_operation(xen_mem_sharing_op_t *op);
/* A frame is mapped; its errno.  What it holds goes to page. */
int fake_sharing_map(uint32_t domid, uint64_t gfn, bool to_write, uint32_t *page);
/* Everything is unmapped. */
void fake_sharing_unmapped(void);

#endif /* TESTS_HYPERVISOR_FAKE_SHARING_H */
