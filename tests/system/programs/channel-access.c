/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ACCESS channel: many frames are restricted at once, a guest writes to them, and each event says which frame,
 * where, how and by which instruction; it is answered by stepping over, or by giving the access back. Meanwhile
 * upstream's ring is not to be had, and a channel that ends lets go of whoever waits.
 *
 *   channel-access DOMID TTY LOG FRAMES
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenctrl.h>

#include "channel.h"
#include "guest.h"
#include "monitor.h"

#define CLASS           XEN_MEMEVENT_CLASS_ACCESS
#define PATIENCE_US     240000000u
#define STEPS           500         /* instructions that are stepped over before access is given back */
#define FRAME_SHIFT     12

static struct channel channel;
static struct guest guest;
static uint16_t domid;
static uint64_t frames;

static struct seen {
    unsigned long events, steps, writes, fetches, gla, walks, frames;
    uint8_t of[65536];              /* by frame: an event has named it */
} seen;

static long try_set(uint64_t first, uint32_t count, uint32_t access)
{
    struct xen_memevent_operation operation = {
        .call = XEN_MEMEVENT_ACCESS_SET, .domid = domid,
        .u.access = { .gfn = first, .count = count, .access = access },
    };
    long rc = memevent_call(operation.call, &operation, sizeof(operation));

    if ( !rc )
        expect(count, operation.u.access.done, "frames that were set");

    return rc;
}

static void set(uint64_t first, uint32_t count, uint32_t access)
{
    expect(0, try_set(first, count, access), "access %u of %u frames from %#"PRIx64, access, count, first);
}

/* What every event of a restriction to rx must look like. */
static void check(const struct xen_memevent_access_request *request)
{
    const struct xen_memevent_request *head = &request->request;

    if ( head->kind != VM_EVENT_REASON_MEM_ACCESS || !(head->flags & XEN_MEMEVENT_VCPU_PAUSED) ||
         head->gfn >= frames || head->causer != domid || !head->time )
        fail("an event of kind %u, flags %#x, frame %#"PRIx64", causer %u", head->kind, head->flags, head->gfn,
             head->causer);
    if ( !(request->access & MEM_ACCESS_W) )
        fail("frame %#"PRIx64" may be read and executed, and says %#x", head->gfn, request->access);
    if ( request->access & MEM_ACCESS_GLA_VALID )
    {
        seen.gla++;
        /* The guest's memory is mapped one to one. */
        if ( !(request->access & MEM_ACCESS_FAULT_IN_GPT) && request->gla >> FRAME_SHIFT != head->gfn )
            fail("frame %#"PRIx64" at linear address %#"PRIx64, head->gfn, request->gla);
    }
    if ( !request->rip || !request->cr3 || request->rip >> FRAME_SHIFT >= frames ||
         request->gpr[4] >> FRAME_SHIFT >= frames )
        fail("registers: rip %#"PRIx64" rsp %#"PRIx64" cr3 %#"PRIx64, request->rip, request->gpr[4], request->cr3);
    for ( unsigned int i = 0; i < 4; i++ )
        if ( request->values[i] )
            fail("values of another kind of event");
}

/* With FULL_REGISTERS both kinds of registers must say the same. */
static void check_registers(const void *octets)
{
    const struct xen_memevent_access_request *request = octets;
    struct vm_event_regs_x86 full;

    if ( channel.attach.request_size != XEN_MEMEVENT_FULL_SIZE )
        return;
    memcpy(&full, (const uint8_t *)octets + XEN_MEMEVENT_REGISTERS_OFFSET, sizeof(full));
    if ( full.rip != request->rip || full.cr3 != request->cr3 || full.rax != request->gpr[0] ||
         full.rsp != request->gpr[4] || full.rdi != request->gpr[7] || full.r15 != request->gpr[15] ||
         !full.cr0 || !full.msr_efer )
        fail("full registers: rip %#"PRIx64" for %#"PRIx64, full.rip, request->rip);
}

/* Answers what is there: steps over while there are steps left, then sets frames free. */
static unsigned int serve(unsigned long steps)
{
    static uint64_t octets[XEN_MEMEVENT_FULL_SIZE / 8];
    const struct xen_memevent_access_request *request = (void *)octets;
    unsigned int count;

    for ( count = 0; channel_take(&channel, octets); count++ )
    {
        uint64_t gfn = request->request.gfn;
        bool walk = request->access & MEM_ACCESS_FAULT_IN_GPT;
        /* A walk's frame is set free: its instruction may be one that cannot be emulated, a hypercall for instance. */
        bool step = !walk && seen.steps < steps;

        check(request);
        check_registers(octets);
        seen.events++;
        seen.steps += step;
        seen.walks += walk;
        seen.frames += !seen.of[gfn];
        seen.of[gfn] = 1;
        if ( !step )
            set(gfn, 1, XENMEM_access_rwx);
        channel_answer(&channel, request->request.id, step ? XEN_MEMEVENT_ACTION_EMULATE : 0);
    }
    if ( count )
        channel_publish(&channel);

    return count;
}

static void guest_does(const char *program, const char *what, unsigned long steps)
{
    uint64_t until = now_us() + PATIENCE_US;
    char line[256];
    int rc = program ? guest_tell(&guest, program) : 0;

    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    while ( !(rc = guest_answered(&guest, what, line, sizeof(line))) )
    {
        if ( now_us() > until )
            fail("the guest never says '%s'", what);
        serve(steps);
        channel_wait(&channel, 20);
    }
    if ( rc < 0 || !strstr(line, "bad=0 ") )
        fail("the guest: %s", rc < 0 ? strerror(-rc) : line);
    puts(line);
}

static void say(const char *what)
{
    printf("%s: %lu events on %lu frames, %lu stepped over, %lu with gla, %lu by walks\n", what, seen.events,
           seen.frames, seen.steps, seen.gla, seen.walks);
}

/* All of memory may not be written to; each frame tells once, and is set free. */
static void restrict_all(uint32_t flags)
{
    struct xen_memevent_info info;
    uint64_t until;

    memset(&seen, 0, sizeof(seen));
    expect(0, channel_attach(&channel, domid, CLASS, flags, 0, 0), "attach");
    set(0, frames, XENMEM_access_rx);
    guest_does("storm:6000", "guest: storm", 0);
    say(flags ? "all frames, full registers" : "all frames");
    if ( seen.frames < frames / 4 || seen.events < seen.frames )
        fail("too few frames were written to");
    guest_does("verify", "guest: verify", 0);
    set(0, frames, XENMEM_access_rwx);
    /* What a guest writes while it waits for the next word may have been restricted until now. */
    until = now_us() + PATIENCE_US;
    do {
        channel_wait(&channel, 20);
        serve(0);
        expect(0, channel_info(domid, CLASS, &info), "the counters");
    } while ( info.outstanding && now_us() < until );
    expect(info.produced, info.answered, "events answered");
}

static void step_over(void)
{
    memset(&seen, 0, sizeof(seen));
    set(0, frames, XENMEM_access_rx);
    guest_does("storm:300", "guest: storm", STEPS);
    say("stepped over");
    expect(STEPS, seen.steps, "instructions stepped over");
    set(0, frames, XENMEM_access_rwx);
    guest_does("verify", "guest: verify", 0);
    pass("%u instructions stepped over, and every word is right", STEPS);
}

static void refuse_ring(void)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    static struct monitor monitor;
    struct channel other;

    if ( !xch )
        fail("libxenctrl: %s", strerror(errno));
    expect(-EBUSY, monitor_open(&monitor, xch, domid), "upstream's ring beside the channel");
    expect(-EBUSY, channel_attach(&other, domid, CLASS, 0, 0, 0), "a second consumer");
    expect(0, channel_detach(domid, CLASS), "detach");
    channel_abandon(&channel);
    expect(0, monitor_open(&monitor, xch, domid), "upstream's ring after the channel's end");
    expect(-EBUSY, channel_attach(&other, domid, CLASS, 0, 0, 0), "attach beside upstream's ring");
    monitor_close(&monitor);
    xc_interface_close(xch);
    pass("either the channel or upstream's ring, and each after the other");
}

/* Nobody answers: the vCPUs wait. They go on when the channel ends, with the access that nobody guards any more. */
static void end_under_waiting(unsigned int vcpus)
{
    static uint64_t octets[XEN_MEMEVENT_FULL_SIZE / 8];
    uint64_t until = now_us() + PATIENCE_US;
    struct xen_memevent_info info;
    char line[256];
    unsigned int waiting = 0;
    int rc;

    expect(0, channel_attach(&channel, domid, CLASS, 0, 0, 0), "attach");
    set(0, frames, XENMEM_access_rx);
    rc = guest_tell(&guest, "storm:2000");
    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    /* Each of them has a share of the storm, and may write nowhere. */
    while ( waiting < vcpus )
        if ( channel_take(&channel, octets) )
            waiting++;
        else if ( !channel_wait(&channel, 1000) && now_us() > until )
            fail("%u of %u vCPUs wait", waiting, vcpus);
    expect(0, channel_info(domid, CLASS, &info), "the counters");
    expect(waiting, info.outstanding, "vCPUs that wait");
    expect(0, channel_detach(domid, CLASS), "detach with vCPUs waiting");
    channel_abandon(&channel);
    while ( !(rc = guest_answered(&guest, "guest: storm", line, sizeof(line))) )
    {
        if ( now_us() > until )
            fail("the guest does not go on");
        usleep(10000);
    }
    if ( rc < 0 || !strstr(line, "bad=0 ") )
        fail("the guest: %s", rc < 0 ? strerror(-rc) : line);
    puts(line);
    pass("a channel's end lets go of %u vCPUs that wait", waiting);
}

int main(int argc, char **argv)
{
    if ( argc != 5 )
        fail("usage: channel-access DOMID TTY LOG FRAMES");
    hypervisor_open();
    domid = strtoul(argv[1], NULL, 10);
    guest.tty = argv[2];
    guest.log = argv[3];
    frames = strtoull(argv[4], NULL, 0);
    if ( frames > sizeof(seen.of) )
        fail("more frames than there is room for");

    restrict_all(0);
    pass("events of all frames say what was written, where and by whom");
    step_over();
    refuse_ring();
    restrict_all(XEN_MEMEVENT_FULL_REGISTERS);
    expect(0, channel_detach(domid, CLASS), "detach");
    channel_abandon(&channel);
    pass("full registers agree with the short ones");
    end_under_waiting(2);

    return 0;
}
