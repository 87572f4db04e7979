/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The monitor ring of one domain as upstream's tools see it: Xen's own headers and libxenctrl, nothing of
 * the suite's. Tests of the hypervisor use it, so that they judge a stock one and ours alike.
 */
#ifndef TESTS_SYSTEM_PROGRAMS_MONITOR_H
#define TESTS_SYSTEM_PROGRAMS_MONITOR_H

#include <stdint.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xen/vm_event.h>

struct monitor {
    xc_interface *xch;              /* the caller's */
    uint32_t domid;
    void *page;
    xenevtchn_handle *evtchn;
    int port;                       /* ours; -1: not bound */
    vm_event_back_ring_t ring;
};

/* Takes the domain's monitor ring. 0, or -errno with nothing held: -EBUSY, somebody else has it. */
int monitor_open(struct monitor *m, xc_interface *xch, uint32_t domid);

/* Gives it back. Restrictions of pages stay, and whoever runs into one finds no listener. */
void monitor_close(struct monitor *m);

/* 1 and the oldest request that was not taken yet, or 0. */
int monitor_take(struct monitor *m, vm_event_request_t *request);

/* Answers a request; flags are VM_EVENT_FLAG_* beyond those that resuming its vCPU needs. 0 or -errno. */
int monitor_answer(struct monitor *m, const vm_event_request_t *request, uint32_t flags);

/* Sleeps until Xen signals, or for so many milliseconds. 0 or -errno. */
int monitor_wait(struct monitor *m, int milliseconds);

#endif
