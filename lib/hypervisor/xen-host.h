/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the xen-*.c files share: the open connections to the Xen host that this process is dom0 of.
 * Nothing outside lib/hypervisor includes this.
 */
#ifndef HYPERVISOR_XEN_HOST_H
#define HYPERVISOR_XEN_HOST_H

#include <pthread.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenstore.h>

#include "hypervisor.h"

struct xen_host {
    struct hypervisor hv;         /* first: the operations cast back */

    xentoollog_logger_stdiostream *logger;
    xc_interface *xc;
    xencall_handle *call;
    xenforeignmemory_handle *memory;
    xendevicemodel_handle *model;
    struct xs_handle *store;

    bool has_channels;            /* the hypervisor is ours; does not change */

    /* Scratch of submit(), query_frames() and the channels: argument pages that the hypervisor uses in place. */
    pthread_mutex_t batch_lock;
    void *channel_argument;       /* one page */
    struct xen_memevent_operation *operations; /* of a batch; NULL without channels */
    struct multicall_entry *multicall;
    xen_mem_paging_op_t *paging;
    xen_mem_sharing_op_t *sharing;
    xen_pfn_t *frames;

    struct hypervisor_counts counts; /* relaxed atomics: read by anyone, exact only when quiet */
};

/* A ring of either kind. */
struct xen_ring {
    struct hypervisor_ring ring;  /* first: the operations cast back */
    enum memevent_class class;
    uint16_t domid;
    bool enabled;                 /* upstream's ring: to be disabled at the end */
    xenforeignmemory_resource_handle *resource; /* a channel's memory */
    xenevtchn_handle *events;
    xenevtchn_port_or_error_t port;
};

static inline struct xen_host *xen_host_of(struct hypervisor *hv)
{
    return (struct xen_host *)hv;
}

static inline void xen_count(uint64_t *counter, uint64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* xen-domain.c */
int xen_get_domain(struct hypervisor *hv, uint16_t domid, struct domain_info *out);
int xen_list_domains(struct hypervisor *hv, uint16_t first, struct domain_info *out, unsigned int max);
int xen_pause_domain(struct hypervisor *hv, uint16_t domid);
int xen_unpause_domain(struct hypervisor *hv, uint16_t domid);
int xen_crash_domain(struct hypervisor *hv, uint16_t domid);
int xen_get_frame_limit(struct hypervisor *hv, uint16_t domid, uint64_t *out);
int xen_query_frames(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count,
                     uint8_t *states);
/* Before anything is touched: 0, or the error and sentence of memevent_attach(). */
int xen_check_paging(struct xen_host *host, uint16_t domid, const char **why);
const char *xen_paging_refusal(int error);

/* xen-vcpu.c */
int xen_inject_fault(struct hypervisor *hv, uint16_t domid, uint32_t vcpu);
int xen_inject_breakpoint(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint32_t length);
int xen_get_registers(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out);
int xen_set_monitor(struct hypervisor *hv, uint16_t domid, enum hypervisor_monitor what, uint32_t which, bool tell);

/* xen-batch.c */
int  xen_batch_open(struct xen_host *host);
void xen_batch_close(struct xen_host *host);
bool xen_batch_has_paging(struct xen_host *host);
void *xen_alloc_buffer(struct hypervisor *hv, unsigned int pages);
void xen_free_buffer(struct hypervisor *hv, void *buffer, unsigned int pages);
int  xen_lock_buffer(struct hypervisor *hv, void *memory, unsigned int pages);
void xen_unlock_buffer(struct hypervisor *hv, void *memory, unsigned int pages);
int  xen_submit(struct hypervisor *hv, struct hypervisor_operation *operations, unsigned int count);

/* xen-memory.c */
int xen_map_frames(struct hypervisor *hv, uint16_t domid, const uint64_t *gfns, unsigned int count, int *errors,
                   const void **out);
void xen_unmap_frames(struct hypervisor *hv, const void *mapping, unsigned int count);
int xen_get_memory(struct hypervisor *hv, struct memory_info *out);

/* xen-sharing.c */
extern const char xen_sharing_missing[];
int  xen_sharing_open(struct xen_host *host);
void xen_sharing_close(struct xen_host *host);
bool xen_sharing_is_there(struct xen_host *host);
int  xen_enable_sharing(struct hypervisor *hv, uint16_t domid, const char **why);
int  xen_audit_sharing(struct hypervisor *hv);
/* On a stock hypervisor, one stretch: the same call and the same domains. */
int  xen_sharing_carry_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count);

/* xen-operations.c: batches of a hypervisor with channels. */
int  xen_operations_open(struct xen_host *host);
void xen_operations_close(struct xen_host *host);
/* submit() of operations that were checked. */
int  xen_operations_carry_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count);

/* xen-channel.c */
extern const char xen_channels_missing[];
int  xen_channel_open(struct xen_host *host);       /* asks whether there are channels */
void xen_channel_close(struct xen_host *host);
/* HYPERVISOR_memevent_op; argument lies in a hypercall buffer.  0 or -errno. */
int  xen_channel_call(struct xen_host *host, uint32_t call, void *argument);
int  xen_channel_attach(struct xen_host *host, enum memevent_class class, uint16_t domid,
                        const struct memevent_options *options, struct hypervisor_ring **out, const char **why);
/* Ends the channel, or leaves it if that cannot be. */
void xen_channel_detach(struct xen_host *host, struct xen_ring *ring);
void xen_channel_leave(struct xen_host *host, struct xen_ring *ring);
int  xen_get_channel_info(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                          struct memevent_channel_info *out);

/* xen-ring.c */
/* One that nothing is bound to yet; NULL: no memory. */
struct xen_ring *xen_ring_new(enum memevent_class class, uint16_t domid);
/* Binds the class's event channel of the remote domain, with its priority, and gives ring its descriptor. */
int  xen_ring_bind(struct xen_host *host, struct xen_ring *ring, uint16_t remote, uint32_t remote_port);
int  xen_attach_ring(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                     const struct memevent_options *options, struct hypervisor_ring **out, const char **why);
void xen_detach_ring(struct hypervisor *hv, struct hypervisor_ring *ring);
void xen_leave_ring(struct hypervisor *hv, struct hypervisor_ring *ring);
int  xen_arm_ring(struct hypervisor *hv, struct hypervisor_ring *ring);
int  xen_notify_ring(struct hypervisor *hv, struct hypervisor_ring *ring);

/* xen-access.c.  On a stock hypervisor, one stretch: the same domain. */
int  xen_access_carry_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count);
/* Asked with the monitor's ring enabled. */
bool xen_access_is_there(struct xen_host *host, uint16_t domid);

/* xen-vm-event.c: upstream's rings, PAGING's and ACCESS's. */
int  xen_vm_event_attach(struct xen_host *host, enum memevent_class class, uint16_t domid, struct hypervisor_ring **out,
                         const char **why);
void xen_vm_event_detach(struct xen_host *host, struct xen_ring *ring);

/* xen-store.c */
int xen_watch_fd(struct hypervisor *hv);
int xen_add_watch(struct hypervisor *hv, const char *path, const char *token);
int xen_remove_watch(struct hypervisor *hv, const char *path, const char *token);
int xen_next_watch(struct hypervisor *hv, char *path, size_t path_size, char *token, size_t token_size);
int xen_read_key(struct hypervisor *hv, const char *path, char *value, size_t size);
int xen_write_key(struct hypervisor *hv, const char *path, const char *value);
int xen_remove_key(struct hypervisor *hv, const char *path);

#endif /* HYPERVISOR_XEN_HOST_H */
