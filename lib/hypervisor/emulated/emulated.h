/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A host without Xen: the operations of hypervisor.h over memory of this process, with guests whose vCPUs are
 * threads of the caller's that touch pages by emulated_access().  Events go through the channel core that the
 * hypervisor has.  For tests and for trying ideas; never installed.
 *
 * Everything here may be called from any thread.  Errors are -errno.
 */
#ifndef HYPERVISOR_EMULATED_H
#define HYPERVISOR_EMULATED_H

#include "hypervisor/hypervisor.h"

/* A host with so many pages of memory for its domains.  Closed by its close(), after all vCPUs have stopped. */
int emulated_open(uint64_t pages, struct hypervisor **out);

/*
 * A domain, all of whose frames are there and zero.  Who watches @introduceDomain is told, and of its end
 * @releaseDomain.  -EEXIST, -ENOMEM, -EINVAL.
 */
int emulated_create_domain(struct hypervisor *hv, uint16_t domid, uint32_t vcpus, uint64_t frames);
/* It dies: who waits in emulated_access() comes back with -ESRCH, and its memory is given up. */
int emulated_kill_domain(struct hypervisor *hv, uint16_t domid);

/*
 * A vCPU reads or writes octets of one page, and waits as long as that is not to be had: the page is out, or shared
 * and there is no memory for a copy, or its access is restricted.  One call at a time for each vCPU.
 * -ESRCH: the domain died.  -EFAULT: there is no page.  -ENOMEM: no memory for a copy and no OOM channel; the
 * domain has crashed.
 */
int emulated_access(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint64_t gfn, unsigned int offset,
                    void *octets, unsigned int size, bool is_write);
/* The same of an instruction's octets, which must be executable.  -EPERM: inject_fault() came in its place. */
int emulated_fetch(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint64_t gfn, unsigned int offset,
                   void *octets, unsigned int size);
/*
 * A vCPU does what set_monitor() asks to be told of, if it does: values are the first 32 octets of upstream's union, and
 * it waits for the answer. 0: it goes on as if nobody had looked; 1: and takes the breakpoint of inject_breakpoint();
 * -EACCES: what it wanted is refused; -EPERM: inject_fault() came in its place; -ESRCH.
 */
int emulated_do(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, enum hypervisor_monitor what, const uint64_t values[4]);
/*
 * The same of dom0, by a mapping: waits for a page that is out, and asks for it as FOREIGN.  A write gives a shared page a
 * copy; where there is no memory for it, the OOM channel is told, nobody waits, and it is -ENOMEM.
 */
int emulated_access_foreign(struct hypervisor *hv, uint16_t domid, uint64_t gfn, unsigned int offset, void *octets,
                            unsigned int size, bool is_write);
/* The guest gives a page up, as a balloon driver does. -ENOENT: there is none. */
int emulated_give_up(struct hypervisor *hv, uint16_t domid, uint64_t gfn);
/* And takes a fresh one.  -EEXIST, -ENOMEM. */
int emulated_populate(struct hypervisor *hv, uint16_t domid, uint64_t gfn);

/* ---- faults ---- */

/* Somebody holds the page, or no more: it cannot be nominated or evicted. */
int emulated_hold(struct hypervisor *hv, uint16_t domid, uint64_t gfn, bool hold);
/* The host's memory from now on.  Less than is in use: nothing more is to be had. */
void emulated_set_memory(struct hypervisor *hv, uint64_t pages);
/* The next nominations for sharing find no memory for the hypervisor's books. */
void emulated_fail_nominations(struct hypervisor *hv, unsigned int count);
/* Merges without comparing, as upstream's operation does: what a test of the comparison must notice. */
void emulated_skip_comparison(struct hypervisor *hv, bool skip);
/* The next signals of event channels get lost after the index was moved. */
void emulated_lose_signals(struct hypervisor *hv, unsigned int count);
/*
 * The consumer of a channel dies with what it holds: another can attach.  Its struct hypervisor_ring stays its
 * owner's, to be freed by leave_ring() or detach_ring().  -ENOENT: there is none.
 */
int emulated_kill_consumer(struct hypervisor *hv, enum memevent_class class, uint16_t domid);

/*
 * What can come in between.  The hook is called at each step, by the thread that takes it, while nobody holds anything:
 * it may do whatever else this header has, to any domain, and take all the time it wants.  At one of the MAPPED kind
 * gfn is the first of the frames, at a merge's the client's is the other one.
 */
enum emulated_step {
    EMULATED_STEP_MAPPED,               /* frames were mapped: their bytes are read next */
    EMULATED_STEP_UNMAPPED,             /* and have been read */
    EMULATED_STEP_BEFORE_MERGE,
    EMULATED_STEP_SOURCE_NOMINATED,
    EMULATED_STEP_CLIENT_NOMINATED,     /* both are: they are compared next */
    EMULATED_STEP_COMPARED,             /* and were equal: they become one next */
    EMULATED_STEP_MERGED,
    EMULATED_STEPS
};
typedef void (*emulated_hook)(void *opaque, enum emulated_step step, uint16_t domid, uint64_t gfn);
/* NULL: none, as at the begin.  Not while operations are under way. */
void emulated_set_hook(struct hypervisor *hv, emulated_hook hook, void *opaque);

#endif /* HYPERVISOR_EMULATED_H */
