/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What HYPERVISOR_memevent_op says to arguments that are wrong: pads, reserved bits, calls and annotations that are
 * not known, domains that are not there or not to be had, a domain that dies. None of it may change anything: the
 * guest is verified by the caller.
 *
 *   channel-arguments DOMID VICTIM      VICTIM is destroyed on the way
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenctrl.h>

#include "channel.h"

#define SELF        0x7ff0u         /* DOMID_SELF */
#define NOBODY      0x7000u         /* no domain has this number */
#define IDLE        0x7fffu
#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define PAGING      XEN_MEMEVENT_CLASS_PAGING
#define ACCESS      XEN_MEMEVENT_CLASS_ACCESS
#define INVALIDATE  XEN_MEMEVENT_CLASS_INVALIDATE
#define HOST        XEN_MEMEVENT_HOST
#define GUEST       0xffffu         /* in tables: the guest that lives */

static uint16_t guest;

static uint16_t domain(uint16_t domid)
{
    return domid == GUEST ? guest : domid;
}

/* ---- Tuples ---- */

static const struct tuple {
    uint32_t call;
    long wanted;
} tuples[] = {
    { 0x00000100, -EINVAL }, { 0x0000ff00, -EINVAL }, { 0x00008000, -EINVAL }, { 0x01030100, -EINVAL },
    { 0xffff0100, -EINVAL }, { 0x02010200, -EINVAL },
    { 0x00020000, -ENOSYS }, { 0x00ff0000, -ENOSYS }, { 0x01000000, -ENOSYS }, { 0x01040000, -ENOSYS },
    { 0x02000000, -ENOSYS }, { 0x02060000, -ENOSYS }, { 0x03000000, -ENOSYS }, { 0x03040000, -ENOSYS },
    { 0x04000000, -ENOSYS }, { 0x04020000, -ENOSYS }, { 0x05010000, -ENOSYS }, { 0x7f010000, -ENOSYS },
    { 0xff000000, -ENOSYS }, { 0xff010000, -ENOSYS }, { 0xffff00ff, -ENOSYS },
};

static void try_tuples(void)
{
    for ( unsigned int i = 0; i < COUNT(tuples); i++ )
    {
        uint8_t argument[128] = { 0 };
        struct xen_memevent_operation operation = { .call = tuples[i].call, .domid = guest };

        expect(tuples[i].wanted, memevent_call(tuples[i].call, argument, sizeof(argument)), "call %#x",
               tuples[i].call);
        expect(tuples[i].wanted, memevent_call_at(tuples[i].call, 0), "call %#x without an argument", tuples[i].call);
        memevent_call(tuples[i].call, &operation, sizeof(operation));
        expect(0, operation.status, "status of call %#x", tuples[i].call);
    }
    pass("%zu tuples that are not calls", COUNT(tuples));
}

/* In a batch, what is no operation has a status of its own, and the batch goes on. */
static void try_tuples_in_batch(void)
{
    struct xen_memevent_operation *operations = hypervisor_memory((COUNT(tuples) + 3) * sizeof(*operations));
    unsigned int i;

    for ( i = 0; i < COUNT(tuples); i++ )
    {
        operations[i].call = tuples[i].call;
        operations[i].domid = guest;
    }
    operations[i++].call = XEN_MEMEVENT_QUERY;
    operations[i++].call = XEN_MEMEVENT_BATCH;
    operations[i++].call = XEN_MEMEVENT_ATTACH;
    memevent_batch(operations, i);
    for ( i = 0; i < COUNT(tuples); i++ )
        expect(tuples[i].wanted, operations[i].status, "call %#x in a batch", tuples[i].call);
    for ( ; i < COUNT(tuples) + 3; i++ )
        expect(-ENOSYS, operations[i].status, "call %#x in a batch", operations[i].call);
    pass("the same in a batch, where calls that are no operations are refused as well");
}

/* An annotation that nobody knows is as if it were absent. */
static void try_annotations(void)
{
    for ( unsigned int annotations = 0; annotations < 256; annotations++ )
    {
        struct xen_memevent_query query = { .call = XEN_MEMEVENT_PAGING_EVICT | annotations };
        struct xen_memevent_operation operation = {
            .call = XEN_MEMEVENT_PAGING_QUERY | annotations, .domid = guest, .u.paging.gfn = 1,
        };

        expect(0, memevent_call(XEN_MEMEVENT_QUERY | annotations, &query, sizeof(query)), "query annotated %#x",
               annotations);
        expect(XEN_MEMEVENT_KNOWN_FAMILY | XEN_MEMEVENT_KNOWN_CALL, query.known, "known with annotations %#x",
               annotations);
        expect(0, query.annotations & ~annotations, "annotations that were not asked about");
        expect(-ENODEV, memevent_call(operation.call, &operation, sizeof(operation)), "an operation annotated %#x",
               annotations);
    }
    pass("256 sets of annotations are as if absent");
}

static void try_queries(void)
{
    static const struct {
        uint32_t call;
        uint32_t pad;
        long wanted;
        uint32_t known;
    } queries[] = {
        { XEN_MEMEVENT_QUERY, 0, 0, 3 }, { XEN_MEMEVENT_BATCH, 0, 0, 3 }, { XEN_MEMEVENT_SHARING_MERGE, 0, 0, 3 },
        { XEN_MEMEVENT_ACCESS_SET, 0, 0, 3 }, { 0x02ff0000, 0, 0, XEN_MEMEVENT_KNOWN_FAMILY }, { 0x05010000, 0, 0, 0 },
        { 0xff010000, 0, 0, 0 }, { 0x00000100, 0, -EINVAL, 0 }, { XEN_MEMEVENT_QUERY, 1, -EINVAL, 0 },
    };

    for ( unsigned int i = 0; i < COUNT(queries); i++ )
    {
        struct xen_memevent_query query = { .call = queries[i].call, .pad = queries[i].pad };

        expect(queries[i].wanted, memevent_call(XEN_MEMEVENT_QUERY, &query, sizeof(query)), "query %u", i);
        expect(queries[i].known, query.known, "what is known by query %u", i);
    }
    pass("queries tell families and calls that are known from others");
}

/* ---- Channels ---- */

static const struct attempt {
    const char *name;
    uint16_t domid, channel_class;
    uint32_t flags, batch, deadline, pad0;
    uint64_t pad1[2];
    long wanted;
} attempts[] = {
    { "a pad", GUEST, PAGING, 0, 0, 0, 1, { 0, 0 }, -EINVAL },
    { "a later pad", GUEST, PAGING, 0, 0, 0, 0, { 0, 1ull << 63 }, -EINVAL },
    { "class 0", GUEST, 0, 0, 0, 0, 0, { 0, 0 }, -ENOSYS },
    { "class 5", GUEST, 5, 0, 0, 0, 0, { 0, 0 }, -ENOSYS },
    { "class 0xffff", GUEST, 0xffff, 0, 0, 0, 0, { 0, 0 }, -ENOSYS },
    { "the host's class of a domain", GUEST, INVALIDATE, 0, 64, 10000, 0, { 0, 0 }, -ENOSYS },
    { "a domain's class of the host", HOST, PAGING, 0, 0, 0, 0, { 0, 0 }, -ENOSYS },
    { "a flag that PAGING has not", GUEST, PAGING, XEN_MEMEVENT_FULL_REGISTERS, 0, 0, 0, { 0, 0 }, -EINVAL },
    { "an unknown flag", GUEST, ACCESS, 2, 0, 0, 0, { 0, 0 }, -EINVAL },
    { "a batch of requests", GUEST, PAGING, 0, 1, 0, 0, { 0, 0 }, -EINVAL },
    { "a deadline of requests", GUEST, PAGING, 0, 0, 1, 0, { 0, 0 }, -EINVAL },
    { "no batch of records", HOST, INVALIDATE, 0, 0, 10000, 0, { 0, 0 }, -EINVAL },
    { "a batch larger than the ring", HOST, INVALIDATE, 0, ~0u, 10000, 0, { 0, 0 }, -EINVAL },
    { "no deadline", HOST, INVALIDATE, 0, 64, 0, 0, { 0, 0 }, -EINVAL },
    { "a deadline that is none", HOST, INVALIDATE, 0, 64, ~0u, 0, { 0, 0 }, -EINVAL },
    { "flags of records", HOST, INVALIDATE, 1, 64, 10000, 0, { 0, 0 }, -EINVAL },
    { "the caller itself", 0, PAGING, 0, 0, 0, 0, { 0, 0 }, -EPERM },
    { "no such domain", NOBODY, PAGING, 0, 0, 0, 0, { 0, 0 }, -ESRCH },
    { "DOMID_SELF", SELF, PAGING, 0, 0, 0, 0, { 0, 0 }, -ESRCH },
    { "the idle domain", IDLE, PAGING, 0, 0, 0, 0, { 0, 0 }, -ESRCH },
    { "no domain's number", 0xfffe, PAGING, 0, 0, 0, 0, { 0, 0 }, -ESRCH },
};

static void try_attachments(void)
{
    struct xen_memevent_detach detach = { .domid = guest, .channel_class = PAGING, .pad = 1 };
    struct xen_memevent_info info = { .domid = guest, .channel_class = PAGING, .pad0 = 1 };

    for ( unsigned int i = 0; i < COUNT(attempts); i++ )
    {
        const struct attempt *a = &attempts[i];
        struct xen_memevent_attach attach = {
            .domid = domain(a->domid), .channel_class = a->channel_class, .flags = a->flags, .batch = a->batch,
            .deadline = a->deadline, .pad0 = a->pad0, .pad1 = { a->pad1[0], a->pad1[1] },
        };

        expect(a->wanted, memevent_call(XEN_MEMEVENT_ATTACH, &attach, sizeof(attach)), "attach: %s", a->name);
        expect(0, attach.port, "a port after a refusal: %s", a->name);
    }
    expect(-EINVAL, memevent_call(XEN_MEMEVENT_DETACH, &detach, sizeof(detach)), "detach with a pad");
    expect(-EINVAL, memevent_call(XEN_MEMEVENT_INFO, &info, sizeof(info)), "info with a pad");
    info.pad0 = 0;
    info.pad1[1] = 1;
    expect(-EINVAL, memevent_call(XEN_MEMEVENT_INFO, &info, sizeof(info)), "info with a later pad");
    expect(-ENOENT, channel_detach(guest, PAGING), "detach of no channel");
    expect(-ENOENT, channel_detach(guest, 0xffff), "detach of no class");
    expect(-ENOENT, channel_info(guest, PAGING, &info), "info of no channel");
    expect(-ENOENT, channel_info(guest, 0xffff, &info), "info of no class");
    expect(-EPERM, channel_detach(0, PAGING), "detach of the caller");
    expect(-ESRCH, channel_info(NOBODY, PAGING, &info), "info of no domain");
    expect(-EFAULT, memevent_call_at(XEN_MEMEVENT_ATTACH, 0), "attach of nothing");
    expect(-EFAULT, memevent_call_at(XEN_MEMEVENT_ATTACH, ~0ul - 40), "attach of what ends beyond memory");
    expect(-EFAULT, memevent_call_at(XEN_MEMEVENT_INFO, 0xffff830000000000ul), "info into Xen's memory");
    expect(-EFAULT, memevent_call_at(XEN_MEMEVENT_BATCH, 0x0000900000000000ul), "a batch at no address");
    pass("%zu attachments, and ends and counters of what is not there, are refused", COUNT(attempts));
}

/* ---- Operations ---- */

#define DATA    ((uint64_t)1)       /* in the table: a page of ours */

static const struct wrong {
    const char *name;
    struct xen_memevent_operation operation;
    long wanted;
} wrongs[] = {
    { "pad0", { .call = XEN_MEMEVENT_PAGING_QUERY, .domid = GUEST, .pad0 = 1 }, -EINVAL },
    { "pad1", { .call = XEN_MEMEVENT_PAGING_QUERY, .domid = GUEST, .pad1 = 1 }, -EINVAL },
    { "paging's pad", { .call = XEN_MEMEVENT_PAGING_QUERY, .domid = GUEST, .u.paging.pad = { 0, 0, 0, 1 } }, -EINVAL },
    { "data without use", { .call = XEN_MEMEVENT_PAGING_NOMINATE, .domid = GUEST, .u.paging.data = DATA }, -EINVAL },
    { "evict to nowhere", { .call = XEN_MEMEVENT_PAGING_EVICT, .domid = GUEST }, -EINVAL },
    { "load from nowhere", { .call = XEN_MEMEVENT_PAGING_LOAD, .domid = GUEST }, -EINVAL },
    { "paging without a channel",
      { .call = XEN_MEMEVENT_PAGING_NOMINATE, .domid = GUEST, .u.paging.gfn = 1 }, -ENODEV },
    { "evict without a channel",
      { .call = XEN_MEMEVENT_PAGING_EVICT, .domid = GUEST, .u.paging.data = DATA }, -ENODEV },
    { "paging of the caller", { .call = XEN_MEMEVENT_PAGING_QUERY, .domid = 0 }, -EPERM },
    { "paging of nobody", { .call = XEN_MEMEVENT_PAGING_QUERY, .domid = NOBODY }, -ESRCH },
    { "paging of the host", { .call = XEN_MEMEVENT_PAGING_QUERY, .domid = HOST }, -ESRCH },
    { "sharing's pad", { .call = XEN_MEMEVENT_SHARING_MERGE, .domid = GUEST, .u.sharing.pad2 = 1 }, -EINVAL },
    { "sharing's later pad",
      { .call = XEN_MEMEVENT_SHARING_MERGE, .domid = GUEST, .u.sharing.pad3 = { 0, 1 } }, -EINVAL },
    { "an outcome at the outset",
      { .call = XEN_MEMEVENT_SHARING_MERGE, .domid = GUEST, .u.sharing.outcome = 1 }, -EINVAL },
    { "a handle at the outset",
      { .call = XEN_MEMEVENT_SHARING_NOMINATE, .domid = GUEST, .u.sharing.handle = 1 }, -EINVAL },
    { "a client of a nomination",
      { .call = XEN_MEMEVENT_SHARING_NOMINATE, .domid = GUEST, .u.sharing.client_domid = 1 }, -EINVAL },
    { "sharing of no frame",
      { .call = XEN_MEMEVENT_SHARING_NOMINATE, .domid = GUEST, .u.sharing.gfn = ~0ull }, -EINVAL },
    { "merge with nobody",
      { .call = XEN_MEMEVENT_SHARING_MERGE, .domid = GUEST, .u.sharing.client_domid = NOBODY }, -ESRCH },
    { "merge with the caller",
      { .call = XEN_MEMEVENT_SHARING_MERGE, .domid = GUEST, .u.sharing.client_domid = 0 }, -EPERM },
    { "unshare what is not", { .call = XEN_MEMEVENT_SHARING_UNSHARE, .domid = GUEST, .u.sharing.gfn = 1 }, -ENOENT },
    { "access's pad", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.count = 1, .u.access.pad = { 1 } },
      -EINVAL },
    { "access of no frames", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.access = 7 }, -EINVAL },
    { "access of frames beyond", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.gfn = 1ull << 40,
                                   .u.access.count = 1 }, -EINVAL },
    { "access of too many", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.count = ~0u }, -EINVAL },
    { "access done before",
      { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access = { .count = 1, .done = 1 } }, -EINVAL },
    { "an access that is none", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.count = 1,
                                  .u.access.access = 99 }, -EINVAL },
    { "access of two new ones", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.gfn = ~0ull,
                                  .u.access.count = 2, .u.access.access = 3 }, -EINVAL },
    { "access of new ones, changing", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.gfn = ~0ull,
                                        .u.access.count = 1, .u.access.access = 8 }, -EINVAL },
    { "access without a channel", { .call = XEN_MEMEVENT_ACCESS_SET, .domid = GUEST, .u.access.count = 1,
                                    .u.access.access = 7 }, -ENODEV },
};

static struct xen_memevent_operation operation_of(const struct wrong *wrong)
{
    static void *page;
    struct xen_memevent_operation operation = wrong->operation;

    if ( !page )
        page = hypervisor_memory(4096);
    operation.domid = domain(operation.domid);
    if ( operation.u.paging.data == DATA && operation.call >> 24 == XEN_MEMEVENT_FAMILY_PAGING )
        operation.u.paging.data = (uintptr_t)page;

    return operation;
}

static void try_operations(void)
{
    struct xen_memevent_operation *operations = hypervisor_memory(COUNT(wrongs) * sizeof(*operations)), operation;
    struct xen_memevent_batch batch = { .operations = (uintptr_t)operations, .count = 2, .done = 3 };

    for ( unsigned int i = 0; i < COUNT(wrongs); i++ )
    {
        operation = operations[i] = operation_of(&wrongs[i]);
        expect(wrongs[i].wanted, memevent_call(operation.call, &operation, sizeof(operation)), "%s", wrongs[i].name);
        expect(wrongs[i].wanted, operation.status, "status: %s", wrongs[i].name);
    }
    memevent_batch(operations, COUNT(wrongs));
    for ( unsigned int i = 0; i < COUNT(wrongs); i++ )
        expect(wrongs[i].wanted, operations[i].status, "in a batch: %s", wrongs[i].name);

    operation = operation_of(&wrongs[0]);
    expect(-EINVAL, memevent_call(XEN_MEMEVENT_PAGING_LOAD, &operation, sizeof(operation)),
           "a call of another call's operation");
    expect(-EINVAL, memevent_call(XEN_MEMEVENT_BATCH, &batch, sizeof(batch)), "a batch that is done before its begin");
    batch.count = ~0u;
    batch.done = 0;
    batch.operations = 8;
    expect(-EFAULT, memevent_call(XEN_MEMEVENT_BATCH, &batch, sizeof(batch)), "a batch of nothing");
    expect(0, batch.done, "operations of it");
    batch.count = 0;
    expect(0, memevent_call(XEN_MEMEVENT_BATCH, &batch, sizeof(batch)), "an empty batch");
    pass("%zu operations, alone and in a batch", COUNT(wrongs));
}

/* ---- A domain that dies ---- */

static bool is_there(xc_interface *xch, uint16_t domid, bool *dying)
{
    xc_dominfo_t info;

    if ( xc_domain_getinfo(xch, domid, 1, &info) != 1 || info.domid != domid )
        return false;
    *dying = info.dying;

    return true;
}

/* It cannot go while its channel's frames are mapped here. */
static void try_dying(uint16_t victim)
{
    struct xen_memevent_operation operation = { .call = XEN_MEMEVENT_PAGING_QUERY, .domid = victim };
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    struct channel channel, other;
    struct xen_memevent_info info;
    char command[64];
    bool dying = false;

    expect(0, channel_attach(&channel, victim, PAGING, 0, 0, 0), "attach to who will die");
    snprintf(command, sizeof(command), "xl destroy %u", victim);
    if ( system(command) )
        fail("'%s' does not work", command);
    if ( !is_there(xch, victim, &dying) || !dying )
        fail("the domain does not wait for its frames to be unmapped");

    expect(-ESRCH, channel_attach(&other, victim, ACCESS, 0, 0, 0), "attach to a dying domain");
    expect(-ESRCH, channel_attach(&other, victim, PAGING, 0, 0, 0), "attach to a dying domain again");
    expect(-ESRCH, channel_detach(victim, PAGING), "detach from a dying domain");
    expect(-ESRCH, channel_info(victim, PAGING, &info), "counters of a dying domain");
    expect(-ESRCH, memevent_call(operation.call, &operation, sizeof(operation)), "an operation on a dying domain");
    /* Its frames are still ours to write, to no end; a notification goes nowhere. */
    memset(channel.shared, 0xff, channel.attach.frames * 4096);
    xenevtchn_notify(channel.evtchn, channel.port);

    channel_abandon(&channel);
    for ( unsigned int i = 0; is_there(xch, victim, &dying); i++, usleep(10000) )
        if ( i == 1000 )
            fail("the domain does not go when its frames are unmapped");
    xc_interface_close(xch);
    pass("a dying domain says -ESRCH, and goes with the last mapping of its channel");
}

int main(int argc, char **argv)
{
    if ( argc != 3 )
        fail("usage: channel-arguments DOMID VICTIM");
    hypervisor_open();
    guest = strtoul(argv[1], NULL, 10);

    try_tuples();
    try_tuples_in_batch();
    try_annotations();
    try_queries();
    try_attachments();
    try_operations();
    try_dying(strtoul(argv[2], NULL, 10));

    return 0;
}
