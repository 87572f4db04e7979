/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stand-ins.  A program that links this has the symbols itself, and so calls none of the real libraries'.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xentoollog.h>

#include <xen/event_channel.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/xen.h>

#include "fake-libraries.h"
#include "fake-sharing.h"

#define PAGE        4096U
#define BUFFERS_MAX 64U

struct fake_libraries fake;

static struct buffer {
    char *start;
    size_t size;
} buffers[BUFFERS_MAX];

static int events_fd = -1;
static bool events_masked;

/* Handles: only told apart from NULL and from each other. */
static char handles[6];

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    fake_sharing_reset();
    fake.exists = true;
    fake.flags = XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
    fake.priority = -1;
    fake.frames = fake.ring_frames = 2;
    fake.rings = 1;
    for ( unsigned int gfn = 0; gfn < 1024; gfn++ )
        fake.populated[gfn] = true;
}

static int fail_if(int error)
{
    errno = error;
    return error ? -1 : 0;
}

static void *open_handle(int number)
{
    if ( fake.open_fails_at == number )
    {
        errno = EACCES;
        return NULL;
    }
    fake.opened++;
    return &handles[number];
}

static int close_handle(const void *handle, int number)
{
    assert_ptr_equal(handle, &handles[number]);
    fake.opened--;
    return 0;
}

/* ---- hypercall buffers ---- */

static void *add_buffer(size_t size, size_t alignment)
{
    for ( unsigned int i = 0; i < BUFFERS_MAX; i++ )
    {
        if ( buffers[i].start )
            continue;
        buffers[i].start = aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
        buffers[i].size = size;
        memset(buffers[i].start, 0xa5, size);
        fake.buffers++;
        return buffers[i].start;
    }
    return NULL;
}

static void remove_buffer(void *p, size_t size)
{
    for ( unsigned int i = 0; i < BUFFERS_MAX; i++ )
    {
        if ( !p || buffers[i].start != p )
            continue;
        assert_true(!size || buffers[i].size == size);
        free(p);
        buffers[i].start = NULL;
        fake.buffers--;
        return;
    }
    fail_msg("no such buffer is freed");
}

/* The hypervisor may fault on anything else. */
static void *in_buffer(uint64_t address, size_t size)
{
    char *p = (char *)(uintptr_t)address;

    for ( unsigned int i = 0; i < BUFFERS_MAX; i++ )
        if ( buffers[i].start && p >= buffers[i].start && p + size <= buffers[i].start + buffers[i].size )
            return p;
    fail_msg("%zu bytes at %p are in no hypercall buffer", size, (void *)p);
    return NULL;
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t pages)
{
    assert_non_null(xcall);
    return add_buffer(pages * PAGE, PAGE);
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t pages)
{
    assert_non_null(xcall);
    remove_buffer(p, pages * PAGE);
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    assert_non_null(xcall);
    return add_buffer(size, 16);
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
    assert_non_null(xcall);
    remove_buffer(p, 0);
}

/* ---- hypercalls ---- */

/* mem_paging_memop() */
static int paging_op(const xen_mem_paging_op_t *op)
{
    const void *buffer = op->buffer.p;

    if ( fake.has_no_paging )
        return -EOPNOTSUPP;
    if ( op->domain != FAKE_DOMID || !fake.exists )
        return -ESRCH;
    assert_true(op->gfn < FAKE_GFNS);
    fake.asked[fake.operations++] = op->gfn;
    fake.asked_op = op->op;
    if ( op->op == XENMEM_paging_op_prep && buffer )
    {
        in_buffer((uintptr_t)buffer, PAGE);
        assert_int_equal((uintptr_t)buffer % PAGE, 0);
    }
    else
        assert_null(buffer);
    if ( op->op == XENMEM_paging_op_evict )
        /* A mapping is a reference, and a page with one cannot go. */
        assert_int_equal(fake.mapped, 0);
    else
        assert_true(op->op == XENMEM_paging_op_prep || op->op == XENMEM_paging_op_nominate);
    return -fake.paging[op->gfn];
}

static int memory_op(uint64_t command, uint64_t argument)
{
    if ( command == XENMEM_sharing_op )
    {
        assert_int_equal(argument % _Alignof(xen_mem_sharing_op_t), 0);
        return fake_sharing_operation(in_buffer(argument, sizeof(xen_mem_sharing_op_t)));
    }
    assert_int_equal(command, XENMEM_paging_op);
    assert_int_equal(argument % _Alignof(xen_mem_paging_op_t), 0);
    return paging_op(in_buffer(argument, sizeof(xen_mem_paging_op_t)));
}

static int multicall(struct multicall_entry *entries, uint64_t count)
{
    fake.multicalls++;
    if ( fake.multicall_fails )
        return -fake.multicall_fails;
    for ( uint64_t i = 0; i < count; i++ )
    {
        assert_int_equal(entries[i].op, __HYPERVISOR_memory_op);
        for ( unsigned int a = 2; a < 6; a++ )
            assert_int_equal(entries[i].args[a], 0);
        /* Each has its own argument. */
        for ( uint64_t j = 0; j < i; j++ )
            assert_int_not_equal(entries[i].args[1], entries[j].args[1]);
        entries[i].result = memory_op(entries[i].args[0], entries[i].args[1]);
    }
    return 0;
}

/* ---- HYPERVISOR_memevent_op ---- */

static bool is_known(uint32_t call)
{
    return call != fake.not_known && (call >> 24) <= XEN_MEMEVENT_FAMILY_ACCESS &&
           !(call & XEN_MEMEVENT_RESERVED_MASK);
}

static int32_t carry_out(const struct xen_memevent_operation *op)
{
    uint64_t gfn = op->u.paging.gfn;

    assert_int_equal(op->pad0, 0);
    assert_int_equal(op->pad1, 0);
    assert_int_equal(op->status, 0);
    if ( op->domid != FAKE_DOMID )
        return -ESRCH;
    if ( !is_known(op->call) )
        return -ENOSYS;
    assert_true(gfn < FAKE_GFNS);
    if ( op->call == XEN_MEMEVENT_PAGING_EVICT || op->call == XEN_MEMEVENT_PAGING_LOAD )
    {
        char *data = in_buffer(op->u.paging.data, PAGE);

        assert_int_equal((uintptr_t)data % PAGE, 0);
        if ( fake.faults[gfn] )
        {
            fake.faults[gfn]--;
            return -EFAULT;
        }
        if ( op->call == XEN_MEMEVENT_PAGING_EVICT )
            memcpy(data, &gfn, sizeof(gfn));
    }
    else if ( op->call >> 24 == XEN_MEMEVENT_FAMILY_PAGING )
        assert_int_equal(op->u.paging.data, 0);
    return op->call == XEN_MEMEVENT_PAGING_RELEASE ? -fake.release[gfn] : -fake.paging[gfn];
}

static int batch(struct xen_memevent_batch *batch)
{
    struct xen_memevent_operation *ops = in_buffer(batch->operations, batch->count * sizeof(*ops));

    assert_int_equal(batch->done, 0);
    fake.batches++;
    for ( ; batch->done < batch->count; batch->done++ )
    {
        struct xen_memevent_operation *op = &ops[batch->done];

        if ( batch->done == 1 && fake.batch_faults )
        {
            fake.batch_faults--;
            return -EFAULT;
        }
        fake.sent[fake.operations] = *op;
        fake.asked[fake.operations++] = op->u.paging.gfn;
        op->status = carry_out(op);
        if ( op->call == XEN_MEMEVENT_SHARING_MERGE )
        {
            op->u.sharing.outcome = XEN_MEMEVENT_DIFFERENT;
            op->u.sharing.handle = 0x123456789;
        }
        if ( op->call == XEN_MEMEVENT_ACCESS_SET )
            op->u.access.done = op->u.access.count - 1;
    }
    return 0;
}

static int attach(struct xen_memevent_attach *attach)
{
    assert_true(!attach->port && !attach->frames && !attach->pad0 && !attach->pad1[0] && !attach->pad1[1]);
    fake.attached = *attach;
    if ( fake.attach_fails )
        return -fake.attach_fails;
    attach->port = FAKE_PORT;
    attach->frames = fake.frames;
    attach->rings = fake.rings;
    attach->ring_frames = fake.ring_frames;
    attach->slots = 64;
    attach->request_size = 64;
    attach->response_size = 16;
    attach->request_offset = 4096;
    attach->response_offset = 256;
    attach->redelivered = 3;
    attach->attachment = ++fake.attaches;
    return 0;
}

static int memevent_op(uint32_t call, uint64_t argument)
{
    struct xen_memevent_query *query;
    struct xen_memevent_detach *detach;
    struct xen_memevent_info *info;

    if ( !fake.has_channels )
        return -ENOSYS;
    switch ( call )
    {
    case XEN_MEMEVENT_QUERY:
        query = in_buffer(argument, sizeof(*query));
        assert_true(!query->known && !query->annotations && !query->pad);
        query->known = is_known(query->call) ? XEN_MEMEVENT_KNOWN_FAMILY | XEN_MEMEVENT_KNOWN_CALL : 0;
        return 0;
    case XEN_MEMEVENT_BATCH:
        return batch(in_buffer(argument, sizeof(struct xen_memevent_batch)));
    case XEN_MEMEVENT_ATTACH:
        return attach(in_buffer(argument, sizeof(struct xen_memevent_attach)));
    case XEN_MEMEVENT_DETACH:
        detach = in_buffer(argument, sizeof(*detach));
        assert_int_equal(detach->pad, 0);
        assert_int_equal(detach->domid, fake.attached.domid);
        assert_int_equal(detach->channel_class, fake.attached.channel_class);
        if ( !fake.detach_fails )
            fake.detaches++;
        return -fake.detach_fails;
    case XEN_MEMEVENT_INFO:
        info = in_buffer(argument, sizeof(*info));
        /* Each word its own number. */
        for ( unsigned int i = 0; i < 4; i++ )
            (&info->outstanding)[i] = 100 + i;
        for ( unsigned int i = 0; i < 11; i++ )
            (&info->produced)[i] = 200 + i;
        return info->domid == FAKE_DOMID ? 0 : -ENOENT;
    }
    fail_msg("call %#x", call);
    return 0;
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    int rc;

    close_handle(xcall, 2);
    fake.opened++;
    fake.hypercalls++;
    if ( op == __HYPERVISOR_memory_op )
        rc = memory_op(arg1, arg2);
    else if ( op == XEN_MEMEVENT_HYPERCALL )
        rc = memevent_op(arg1, arg2);
    else if ( op == __HYPERVISOR_multicall )
        rc = multicall(in_buffer(arg1, arg2 * sizeof(struct multicall_entry)), arg2);
    else
    {
        const struct evtchn_set_priority *set = in_buffer(arg2, sizeof(*set));

        assert_int_equal(op, __HYPERVISOR_event_channel_op);
        assert_int_equal(arg1, EVTCHNOP_set_priority);
        assert_int_equal(set->port, FAKE_BOUND);
        rc = -fake.priority_fails;
        if ( !rc )
            fake.priority = set->priority;
    }
    return rc < 0 ? fail_if(-rc) : rc;
}

xencall_handle *xencall_open(xentoollog_logger *logger, unsigned int flags)
{
    assert_non_null(logger);
    (void)flags;
    return open_handle(2);
}

int xencall_close(xencall_handle *xcall)
{
    return close_handle(xcall, 2);
}

/* ---- mappings ---- */

xenforeignmemory_handle *xenforeignmemory_open(xentoollog_logger *logger, unsigned int flags)
{
    assert_non_null(logger);
    (void)flags;
    return open_handle(3);
}

int xenforeignmemory_close(xenforeignmemory_handle *memory)
{
    return close_handle(memory, 3);
}

void *xenforeignmemory_map(xenforeignmemory_handle *memory, uint32_t dom, int prot, size_t pages,
                           const xen_pfn_t *gfns, int *errors)
{
    char *mapping;

    assert_non_null(memory);
    assert_true(dom == FAKE_DOMID || dom == FAKE_CLIENT);
    assert_non_null(errors);
    if ( fake.map_fails )
    {
        errno = fake.map_fails;
        return NULL;
    }
    mapping = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(mapping != MAP_FAILED);
    for ( size_t i = 0; i < pages; i++ )
    {
        assert_true(gfns[i] < FAKE_GFNS);
        /* As the library has it from the kernel: negative. */
        errors[i] = -fake.mapping[gfns[i]];
        memset(mapping + i * PAGE, gfns[i] & 0xff, PAGE);
        memcpy(mapping + i * PAGE, &gfns[i], sizeof(gfns[i]));
        if ( !errors[i] )
            errors[i] = -fake_sharing_map(dom, gfns[i], prot & PROT_WRITE, (uint32_t *)(mapping + i * PAGE));
        /* What is not there faults. */
        if ( errors[i] )
            assert_int_equal(mprotect(mapping + i * PAGE, PAGE, PROT_NONE), 0);
        else
            assert_int_equal(mprotect(mapping + i * PAGE, PAGE, prot), 0);
    }
    fake.mapped += pages;
    return mapping;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *memory, void *mapping, size_t pages)
{
    assert_non_null(memory);
    fake.mapped -= pages;
    if ( !fake.mapped )
        fake_sharing_unmapped();
    return munmap(mapping, pages * PAGE);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
    xenforeignmemory_handle *memory, domid_t domid, unsigned int type, unsigned int id, unsigned long frame,
    unsigned long frames, void **address, int prot, int flags)
{
    assert_non_null(memory);
    assert_int_equal(domid, fake.attached.domid);
    assert_int_equal(type, XEN_MEMEVENT_RESOURCE);
    assert_int_equal(id, fake.attached.channel_class);
    assert_true(!frame && frames == fake.frames && prot == (PROT_READ | PROT_WRITE) && !flags);
    if ( fake.resource_fails )
    {
        errno = fake.resource_fails;
        return NULL;
    }
    *address = mmap(NULL, frames * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(*address != MAP_FAILED);
    fake.mapped += frames;
    return *address;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *memory, xenforeignmemory_resource_handle *resource)
{
    assert_non_null(memory);
    fake.mapped -= fake.frames;
    return munmap(resource, fake.frames * PAGE);
}

/* ---- libxenctrl ---- */

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild, unsigned int flags)
{
    assert_non_null(logger);
    (void)dombuild;
    (void)flags;
    return open_handle(1);
}

int xc_interface_close(xc_interface *xc)
{
    return close_handle(xc, 1);
}

int xc_version(xc_interface *xc, int command, void *argument)
{
    (void)xc;
    if ( command == XENVER_version )
        return 4 << 16 | 17;
    assert_int_equal(command, XENVER_extraversion);
    /* As long as it can be, without a NUL. */
    memset(argument, 'x', sizeof(xen_extraversion_t));
    return 0;
}

int xc_domain_getinfolist(xc_interface *xc, uint32_t first, unsigned int max, xc_domaininfo_t *info)
{
    (void)xc;
    if ( !max || first > FAKE_DOMID + 1 )
        return 0;
    memset(info, 0, sizeof(*info));
    info->domain = first <= FAKE_DOMID && fake.exists ? FAKE_DOMID : FAKE_DOMID + 1;
    info->flags = fake.flags;
    info->max_vcpu_id = 3;
    info->tot_pages = 1024;
    return 1;
}

int xc_domain_pause(xc_interface *xc, uint32_t domid)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    fake.pauses++;
    return 0;
}

int xc_domain_unpause(xc_interface *xc, uint32_t domid)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    assert_true(fake.pauses);
    fake.pauses--;
    return 0;
}

int xc_domain_maximum_gpfn(xc_interface *xc, uint32_t domid, xen_pfn_t *highest)
{
    (void)xc;
    (void)domid;
    *highest = FAKE_GFNS - 1;
    return 0;
}

int xc_domain_get_pod_target(xc_interface *xc, uint32_t domid, uint64_t *total, uint64_t *cache, uint64_t *entries)
{
    (void)xc;
    (void)domid;
    (void)total;
    (void)cache;
    if ( entries )
        *entries = fake.pod_entries;
    return fail_if(fake.pod_fails);
}

int xc_domctl(xc_interface *xc, struct xen_domctl *domctl)
{
    xen_pfn_t *frames = domctl->u.getpageframeinfo3.array.p;

    (void)xc;
    assert_int_equal(domctl->cmd, XEN_DOMCTL_getpageframeinfo3);
    assert_int_equal(domctl->domain, FAKE_DOMID);
    assert_true(domctl->u.getpageframeinfo3.num <= 1024);
    in_buffer((uintptr_t)frames, domctl->u.getpageframeinfo3.num * sizeof(*frames));
    if ( fake.domctl_fails )
        return fail_if(fake.domctl_fails);
    for ( uint64_t i = 0; i < domctl->u.getpageframeinfo3.num; i++ )
    {
        if ( frames[i] >= FAKE_GFNS || !fake.populated[frames[i]] )
            frames[i] = XEN_DOMCTL_PFINFO_XTAB;
        else
            frames[i] = frames[i] % 5 == 4 ? XEN_DOMCTL_PFINFO_BROKEN : XEN_DOMCTL_PFINFO_NOTAB;
    }
    return 0;
}

int xc_hvm_param_get(xc_interface *xc, uint32_t domid, uint32_t param, uint64_t *value)
{
    (void)xc;
    (void)domid;
    assert_int_equal(param, HVM_PARAM_PAGING_RING_PFN);
    *value = FAKE_RING_GFN;
    return fail_if(fake.param_fails);
}

int xc_domain_populate_physmap_exact(xc_interface *xc, uint32_t domid, unsigned long count, unsigned int order,
                                     unsigned int flags, xen_pfn_t *gfns)
{
    (void)xc;
    assert_true(domid == FAKE_DOMID && count == 1 && !order && !flags);
    if ( fake.populate_fails )
        return fail_if(fake.populate_fails);
    assert_false(fake.populated[*gfns]);
    fake.populated[*gfns] = true;
    return 0;
}

int xc_domain_decrease_reservation_exact(xc_interface *xc, uint32_t domid, unsigned long count, unsigned int order,
                                         xen_pfn_t *gfns)
{
    (void)xc;
    assert_true(domid == FAKE_DOMID && count == 1 && !order);
    if ( fake.decrease_fails )
        return fail_if(fake.decrease_fails);
    assert_true(fake.populated[*gfns]);
    fake.populated[*gfns] = false;
    return 0;
}

int xc_mem_paging_enable(xc_interface *xc, uint32_t domid, uint32_t *port)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    /* The guest could write to the ring's page until it is taken from it. */
    assert_true(fake.pauses);
    if ( fake.enable_fails )
        return fail_if(fake.enable_fails);
    assert_true(fake.populated[FAKE_RING_GFN]);
    fake.paging_enabled = true;
    *port = FAKE_PORT;
    return 0;
}

int xc_mem_paging_disable(xc_interface *xc, uint32_t domid)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    assert_true(fake.paging_enabled);
    fake.paging_enabled = false;
    fake.disables++;
    return 0;
}

/* ---- the device model's operations ---- */

xendevicemodel_handle *xendevicemodel_open(xentoollog_logger *logger, unsigned int flags)
{
    assert_non_null(logger);
    (void)flags;
    return open_handle(4);
}

int xendevicemodel_close(xendevicemodel_handle *model)
{
    return close_handle(model, 4);
}

int xendevicemodel_set_mem_type(xendevicemodel_handle *model, domid_t domid, hvmmem_type_t type, uint64_t first,
                                uint32_t count)
{
    assert_non_null(model);
    assert_true(domid == FAKE_DOMID && type == HVMMEM_ram_rw && count == 1);
    fake.asked[fake.operations++] = first;
    return fail_if(fake.set_type[first]);
}

/* ---- event channels ---- */

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    (void)flags;
    if ( fake.events_fail )
    {
        errno = fake.events_fail;
        return NULL;
    }
    events_fd = eventfd(0, EFD_CLOEXEC);
    events_masked = false;
    fake.channels++;
    return (xenevtchn_handle *)&handles[0];
}

int xenevtchn_close(xenevtchn_handle *events)
{
    assert_ptr_equal(events, &handles[0]);
    close(events_fd);
    fake.channels--;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *events)
{
    (void)events;
    return events_fd;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *events, uint32_t domid, evtchn_port_t port)
{
    (void)events;
    assert_int_equal(port, FAKE_PORT);
    fake.remote = domid;
    return fake.bind_fails ? fail_if(fake.bind_fails) : (int)FAKE_BOUND;
}

void fake_signal(void)
{
    assert_false(events_masked);
    events_masked = true;
    eventfd_write(events_fd, 1);
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *events)
{
    eventfd_t value;

    (void)events;
    /* It would sleep here, if nobody had made the descriptor one that does not. */
    assert_true(fcntl(events_fd, F_GETFL) & O_NONBLOCK);
    return eventfd_read(events_fd, &value) ? -1 : (int)FAKE_BOUND;
}

int xenevtchn_unmask(xenevtchn_handle *events, evtchn_port_t port)
{
    (void)events;
    assert_int_equal(port, FAKE_BOUND);
    assert_true(events_masked);
    events_masked = false;
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *events, evtchn_port_t port)
{
    (void)events;
    assert_int_equal(port, FAKE_BOUND);
    return fail_if(fake.notify_fails);
}

/* ---- xenstore ---- */

static const char long_value[] = "0123456789";

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    return open_handle(5);
}

void xs_close(struct xs_handle *xs)
{
    close_handle(xs, 5);
}

int xs_fileno(struct xs_handle *xs)
{
    (void)xs;
    return 99;
}

bool xs_watch(struct xs_handle *xs, const char *path, const char *token)
{
    (void)xs;
    (void)token;
    errno = EEXIST;
    return strcmp(path, "/watched");
}

bool xs_unwatch(struct xs_handle *xs, const char *path, const char *token)
{
    (void)xs;
    (void)token;
    errno = ENOENT;
    return strcmp(path, "/not-watched");
}

char **xs_check_watch(struct xs_handle *xs)
{
    static int round;
    const size_t pointers = 2 * sizeof(char *);
    char **event;

    (void)xs;
    errno = EAGAIN;
    if ( round++ % 2 )
        return NULL;
    /* One block, as the library gives it. */
    event = malloc(pointers + sizeof(long_value) + sizeof("token"));
    event[XS_WATCH_PATH] = memcpy((char *)event + pointers, long_value, sizeof(long_value));
    event[XS_WATCH_TOKEN] = memcpy(event[XS_WATCH_PATH] + sizeof(long_value), "token", sizeof("token"));
    return event;
}

void *xs_read(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned int *length)
{
    (void)xs;
    assert_int_equal(t, XBT_NULL);
    errno = ENOENT;
    if ( strcmp(path, "/value") )
        return NULL;
    *length = strlen(long_value);
    return strdup(long_value);
}

bool xs_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const void *data, unsigned int length)
{
    (void)xs;
    assert_int_equal(t, XBT_NULL);
    assert_int_equal(strlen(data), length);
    errno = EACCES;
    return strcmp(path, "/forbidden");
}

bool xs_rm(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    (void)xs;
    assert_int_equal(t, XBT_NULL);
    errno = ENOENT;
    return strcmp(path, "/not-there");
}
