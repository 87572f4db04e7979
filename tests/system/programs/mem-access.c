/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restricts frames of a running self-checking guest and looks at what Xen makes of it: which events come, what the
 * access is afterwards, and whether the guest's memory is what it has to be. On NPT and on EPT; it judges Xen only.
 *
 *   mem-access DOMID TTY LOG MIB      the guest has so many MiB, waits for a program, and has one vCPU
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

#include "watch.h"

#define IMAGE_FRAME         0x100           /* where the guest's code begins (tests/guest/guest.lds) */
#define WORKING             FRAMES_PER_MIB  /* frames that working=1 touches */
#define FETCH_STEPS         400             /* fetches that are stepped over, before the code is let go */

static bool npt;
static uint64_t work;               /* first frame of the guest's work area */
static uint64_t code;               /* frames that were executed are below, but for the hypercalls' */

/* All that NPT can say, and what it cannot. */
static const xenmem_access_t kinds[] = {
    XENMEM_access_n, XENMEM_access_r, XENMEM_access_rw, XENMEM_access_rx, XENMEM_access_rwx, XENMEM_access_rx2rw,
    XENMEM_access_n2rwx,
};
static const xenmem_access_t unreadable[] = { XENMEM_access_w, XENMEM_access_x, XENMEM_access_wx };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each frame tells once, without stopping anybody, and is free after that. In passing: where the guest has what. */
static void phase_n2rwx(void)
{
    unsigned int run = 0;
    uint64_t gfn, last = 0;

    watch_set(XENMEM_access_n2rwx, IMAGE_FRAME, watch.frames - IMAGE_FRAME);
    watch_from(IMAGE_FRAME, watch.frames - IMAGE_FRAME, 0);
    watch_guest_do("seq:1 read working=1", "guest: seq");

    if ( watch.seen.paused )
        fail("n2rwx stopped a vCPU %lu times", watch.seen.paused);
    if ( watch.seen.events != watch.told )
        fail("%lu events of %u frames", watch.seen.events, watch.told);
    /*
     * What the guest works on lies behind its code and data, whose last frame may be the one before: so these are the last
     * of the longest run of frames. They need not be told one after the other: code is met on the way.
     * The last frame of code is among the guest's data and holds its hypercalls, which cannot be stepped over.
     */
    for ( gfn = IMAGE_FRAME; gfn < watch.frames; gfn++ )
    {
        run = watch.flags[gfn] ? run + 1 : 0;
        if ( run >= WORKING )
            work = gfn + 1 - WORKING;
        if ( watch.flags[gfn] & MEM_ACCESS_X )
        {
            code = last;
            last = gfn + 1;
        }
    }
    if ( !work )
        fail("no %u frames were touched that lie together", WORKING);
    if ( !code )
        fail("no two frames were executed");
    watch_expect_access(XENMEM_access_rwx, work, WORKING);
    watch_expect_access(XENMEM_access_n2rwx, work + WORKING, 16);
    watch_set(XENMEM_access_rwx, IMAGE_FRAME, watch.frames - IMAGE_FRAME);
    pass("n2rwx: %u frames told once each; data at %#"PRIx64", code at %#x-%#"PRIx64, watch.told, work, IMAGE_FRAME,
         code);
}

static void phase_kinds(void)
{
    uint64_t gfns[COUNT(kinds)];
    uint8_t accesses[COUNT(kinds)];
    unsigned int i;

    for ( i = 0; i < COUNT(kinds); i++ )
    {
        watch_set(kinds[i], work + 8, 1);
        watch_expect_access(kinds[i], work + 8, 1);
        watch_expect_access(XENMEM_access_rwx, work + 7, 1);
        watch_expect_access(XENMEM_access_rwx, work + 9, 1);
        gfns[i] = work + 32 + i;
        accesses[i] = kinds[i];
    }
    watch_set(XENMEM_access_rwx, work + 8, 1);

    if ( xc_set_mem_access_multi(watch.xch, watch.domid, accesses, gfns, COUNT(kinds)) )
        fail("a list of accesses: %s", strerror(errno));
    for ( i = 0; i < COUNT(kinds); i++ )
        watch_expect_access(kinds[i], gfns[i], 1);
    watch_set(XENMEM_access_rwx, work + 32, COUNT(kinds));

    for ( i = 0; i < COUNT(kinds); i++ )
    {
        watch_set(kinds[i], ~0ull, 0);
        watch_expect_access(kinds[i], ~0ull, 1);
        watch_set(XENMEM_access_default, work + 8, 1);
        watch_expect_access(kinds[i], work + 8, 1);
    }
    watch_set(XENMEM_access_rwx, ~0ull, 0);
    watch_set(XENMEM_access_default, work + 8, 1);
    watch_expect_access(XENMEM_access_rwx, work + 8, 1);
    pass("n, r, rw, rx, rwx, rx2rw and n2rwx are kept, one by one, in a list, and as the default");
}

static void refused(const char *how, xenmem_access_t access, int rc)
{
    if ( rc != -1 || errno != EINVAL )
        fail("%s: access %s gave %d (%s), not EINVAL", how, access_name(access), rc, strerror(errno));
}

static void phase_unreadable(void)
{
    uint64_t gfns[2] = { work + 8, work + 9 };
    unsigned int i;

    if ( !npt )
    {
        pass("no NPT here: w, x and wx are not looked at");
        return;
    }
    for ( i = 0; i < COUNT(unreadable); i++ )
    {
        xenmem_access_t access = unreadable[i];
        uint8_t list[2] = { access, access };

        refused("frame", access, xc_set_mem_access(watch.xch, watch.domid, access, work + 8, 1));
        refused("list", access, xc_set_mem_access_multi(watch.xch, watch.domid, list, gfns, 2));
        refused("default", access, xc_set_mem_access(watch.xch, watch.domid, access, ~0ull, 0));
    }
    watch_expect_access(XENMEM_access_rwx, work + 8, 2);
    watch_expect_access(XENMEM_access_rwx, ~0ull, 1);
    pass("w, x and wx, which NPT has no entry for, give EINVAL and change nothing");
}

static void phase_singlestep(void)
{
    uint32_t capabilities;

    if ( xc_monitor_get_capabilities(watch.xch, watch.domid, &capabilities) )
        fail("capabilities: %s", strerror(errno));
    if ( !npt )
        return;
    if ( capabilities & (1u << XEN_DOMCTL_MONITOR_EVENT_SINGLESTEP) )
        fail("single-stepping is offered on SVM");
    if ( xc_monitor_singlestep(watch.xch, watch.domid, true) != -1 || errno != EOPNOTSUPP )
        fail("single-stepping is not refused on SVM");
    pass("single-stepping, which SVM has not, is refused as before");
}

/* Every instruction that may not write is carried out by Xen, and the frame stays as it is. */
static void phase_write(xenmem_access_t access)
{
    watch_set(access, work, WORKING);
    watch_from(work, WORKING, ~0ul);
    watch_guest_do("seq:1 write working=1", "guest: seq");

    if ( watch.seen.events != WORKING || watch.told != WORKING || watch.seen.paused != WORKING )
        fail("%s: %u writes, one a frame, gave %lu events of %u frames, %lu of them stopped the vCPU",
             access_name(access), WORKING, watch.seen.events, watch.told, watch.seen.paused);
    if ( !(watch.seen.all & MEM_ACCESS_W) || (watch.seen.any & MEM_ACCESS_X) || watch.seen.in_walks )
        fail("%s: flags of writes: all %#x, any %#x", access_name(access), watch.seen.all, watch.seen.any);
    if ( watch.seen.elsewhere )
        fail("%s: %lu events of frames that are free", access_name(access), watch.seen.elsewhere);
    watch_expect_access(access, work, WORKING);

    watch_from(work, WORKING, ~0ul);
    watch_guest_do("storm:2 working=1", "guest: storm");
    if ( watch.seen.events < 2 * 512 )
        fail("%s: 2 frames written word by word gave %lu events", access_name(access), watch.seen.events);
    watch_expect_access(access, work, WORKING);

    watch_from(0, watch.frames, 0);
    watch_guest_do("verify", "guest: verify");
    if ( watch.seen.events )
        fail("%s: reading gave %lu events", access_name(access), watch.seen.events);
    watch_set(XENMEM_access_rwx, work, WORKING);
    pass("%s: each write is an event, is stepped over, and leaves the frame as it was; reading is free",
         access_name(access));
}

static void phase_none(void)
{
    watch_set(XENMEM_access_n, work + 16, 4);
    watch_from(work + 16, 4, ~0ul);
    watch_guest_do("verify", "guest: verify");
    if ( watch.seen.events < 4 * 64 || watch.told != 4 || watch.seen.elsewhere )
        fail("n: reading 4 frames gave %lu events of %u frames, and %lu elsewhere", watch.seen.events, watch.told,
             watch.seen.elsewhere);
    if ( !(watch.seen.all & MEM_ACCESS_R) || (watch.seen.any & MEM_ACCESS_WX) )
        fail("n: flags of reads: all %#x, any %#x", watch.seen.all, watch.seen.any);
    watch_expect_access(XENMEM_access_n, work + 16, 4);
    watch_set(XENMEM_access_rwx, work + 16, 4);
    pass("n: each read is an event, and is stepped over");
}

static void phase_rx2rw(void)
{
    watch_set(XENMEM_access_rx2rw, work, 64);
    watch_from(0, watch.frames, 0);
    watch_guest_do("verify, seq:1 read working=1", "guest: verify");
    watch_expect_access(XENMEM_access_rx2rw, work, 64);
    watch_guest_do("seq:1 write working=1", "guest: seq");
    if ( watch.seen.events )
        fail("rx2rw gave %lu events", watch.seen.events);
    watch_expect_access(XENMEM_access_rw, work, 64);
    watch_set(XENMEM_access_rwx, work, 64);
    pass("rx2rw: a write makes it rw, and nobody is told");
}

static void phase_fetch(void)
{
    uint64_t count = code - IMAGE_FRAME;

    watch_set(XENMEM_access_rw, IMAGE_FRAME, count);
    watch_from(IMAGE_FRAME, count, FETCH_STEPS);
    watch_guest_do("rand:200 working=1", "guest: rand");
    if ( watch.seen.events < FETCH_STEPS || watch.seen.stepped != FETCH_STEPS )
        fail("rw: running guest code gave %lu events, %lu stepped over", watch.seen.events, watch.seen.stepped);
    if ( !(watch.seen.all & MEM_ACCESS_X) || (watch.seen.any & MEM_ACCESS_W) )
        fail("rw: flags of fetches: all %#x, any %#x", watch.seen.all, watch.seen.any);
    if ( watch.seen.gla != watch.seen.events || watch.seen.gla_wrong )
        fail("rw: %lu of %lu fetches say a linear address, %lu a wrong one", watch.seen.gla, watch.seen.events,
             watch.seen.gla_wrong);
    watch_set(XENMEM_access_rwx, IMAGE_FRAME, count);
    pass("rw: fetches are events with the linear address; %u instructions stepped over, the rest let go",
         FETCH_STEPS);
}

/* Types of entries change when the domain's writes are logged, and change back: access has to live through it. */
static void phase_log_dirty(void)
{
    DECLARE_HYPERCALL_BUFFER(uint8_t, bitmap);
    unsigned long bytes = (watch.frames + 7) / 8, i, dirty = 0;
    uint64_t gfn;

    bitmap = xc_hypercall_buffer_alloc_pages(watch.xch, bitmap, (bytes + XC_PAGE_SIZE - 1) / XC_PAGE_SIZE);
    if ( !bitmap )
        fail("no memory for the bitmap");
    watch_set(XENMEM_access_r, work, WORKING);
    watch_set(XENMEM_access_n, work, 2);
    if ( xc_logdirty_control(watch.xch, watch.domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0, 0, NULL) < 0 ||
         xc_logdirty_control(watch.xch, watch.domid, XEN_DOMCTL_SHADOW_OP_CLEAN, HYPERCALL_BUFFER(bitmap),
                             watch.frames, 0, NULL) < 0 )
        fail("log-dirty: %s", strerror(errno));

    watch_from(work, WORKING, ~0ul);
    watch_guest_do("seq:1 write working=1", "guest: seq");
    if ( watch.seen.events != WORKING )
        fail("log-dirty: %u writes gave %lu events", WORKING, watch.seen.events);
    if ( xc_logdirty_control(watch.xch, watch.domid, XEN_DOMCTL_SHADOW_OP_PEEK, HYPERCALL_BUFFER(bitmap),
                             watch.frames, 0, NULL) < 0 )
        fail("log-dirty: %s", strerror(errno));
    for ( gfn = work; gfn < work + WORKING; gfn++ )
        dirty += bitmap[gfn / 8] >> gfn % 8 & 1;
    for ( i = 0; i < 2; i++ )
    {
        watch_expect_access(XENMEM_access_n, work, 2);
        watch_expect_access(XENMEM_access_r, work + 2, WORKING - 2);
        if ( !i && xc_shadow_control(watch.xch, watch.domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0) )
            fail("log-dirty: %s", strerror(errno));
        watch_from(work, WORKING, ~0ul);
        watch_guest_do("verify", "guest: verify");
        if ( watch.told != 2 )
            fail("log-dirty: reading gave events of %u frames, not of those 2 that are n", watch.told);
    }
    if ( dirty != WORKING )
        fail("%u frames were written by stepping over, %lu are logged", WORKING, dirty);
    xc_hypercall_buffer_free_pages(watch.xch, bitmap, (bytes + XC_PAGE_SIZE - 1) / XC_PAGE_SIZE);
    watch_set(XENMEM_access_rwx, work, WORKING);
    pass("log-dirty: access stays, and what Xen wrote for the guest is logged");
}

/* What the guest does while nobody listens is for the script: Xen then lifts what the guest runs into. */
static void phase_no_listener(void)
{
    int rc;

    watch_set(XENMEM_access_r, work, WORKING);
    monitor_close(&watch.monitor);
    rc = monitor_open(&watch.monitor, watch.xch, watch.domid);
    if ( rc )
        fail("the ring, once more: %s", strerror(-rc));
    watch_expect_access(XENMEM_access_r, work, WORKING);
    watch_set(XENMEM_access_rwx, work, WORKING);
    pass("access outlives its listener");
}

/* A frame that is paged out keeps its access, takes a new one, and comes back with it. */
static void phase_paging(void)
{
    static const xenmem_access_t before[] = { XENMEM_access_r, XENMEM_access_n, XENMEM_access_rx };
    static uint8_t page[XC_PAGE_SIZE] __attribute__((aligned(XC_PAGE_SIZE)));
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    uint32_t port;
    unsigned int i;

    if ( !memory )
        fail("foreign memory: %s", strerror(errno));
    if ( xc_mem_paging_enable(watch.xch, watch.domid, &port) )
        fail("paging: %s", strerror(errno));
    for ( i = 0; i < COUNT(before); i++ )
    {
        xen_pfn_t gfn = work + 100 + i;
        void *map = xenforeignmemory_map(memory, watch.domid, PROT_READ, 1, &gfn, NULL);

        if ( !map )
            fail("frame %#"PRIx64" cannot be mapped: %s", gfn, strerror(errno));
        memcpy(page, map, XC_PAGE_SIZE);
        xenforeignmemory_unmap(memory, map, 1);

        watch_set(before[i], gfn, 1);
        if ( xc_mem_paging_nominate(watch.xch, watch.domid, gfn) )
            fail("nominate: %s", strerror(errno));
        watch_expect_access(before[i], gfn, 1);
        if ( xc_mem_paging_evict(watch.xch, watch.domid, gfn) )
            fail("evict: %s", strerror(errno));
        if ( before[i] == XENMEM_access_rx )
            watch_set(XENMEM_access_rw, gfn, 1);
        if ( xc_mem_paging_load(watch.xch, watch.domid, gfn, page) )
            fail("load: %s", strerror(errno));
        watch_expect_access(before[i] == XENMEM_access_rx ? XENMEM_access_rw : before[i], gfn, 1);
    }
    watch_set(XENMEM_access_rwx, work + 100, COUNT(before));
    xenforeignmemory_close(memory);
    pass("paged out and in again, a frame has its access, also one that it got while it was out");
}

static bool host_has_npt(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    bool amd = false;
    char line[256];

    while ( file && fgets(line, sizeof(line), file) )
        amd |= !!strstr(line, "AuthenticAMD");
    if ( file )
        fclose(file);

    return amd;
}

int main(int argc, char **argv)
{
    int rc;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if ( argc != 5 )
        fail("usage: mem-access DOMID TTY LOG MIB");
    watch.domid = strtoul(argv[1], NULL, 10);
    watch.guest.tty = argv[2];
    watch.guest.log = argv[3];
    watch.frames = strtoul(argv[4], NULL, 10) * FRAMES_PER_MIB;
    npt = host_has_npt();
    if ( watch.frames > FRAMES_MAX )
        fail("a guest of %s MiB is too large for this test", argv[4]);

    watch.xch = xc_interface_open(NULL, NULL, 0);
    if ( !watch.xch )
        fail("Xen: %s", strerror(errno));
    rc = monitor_open(&watch.monitor, watch.xch, watch.domid);
    if ( rc )
        fail("the monitor ring: %s", strerror(-rc));
    if ( xc_set_mem_access(watch.xch, watch.domid, XENMEM_access_rwx, IMAGE_FRAME, 1) )
        fail("this hypervisor knows no access of frames (%s)%s", strerror(errno),
             npt && errno == EINVAL ? ": a stock one refuses it on NPT" : "");

    phase_n2rwx();
    phase_kinds();
    phase_unreadable();
    phase_singlestep();
    phase_write(XENMEM_access_r);
    phase_write(XENMEM_access_rx);
    phase_none();
    phase_rx2rw();
    phase_fetch();
    phase_log_dirty();
    phase_no_listener();
    phase_paging();

    watch_from(0, watch.frames, 0);
    watch_guest_do("verify", "guest: verify");
    if ( watch.seen.events )
        fail("%lu events although nothing is restricted", watch.seen.events);

    /* The monitor's ring first: in a stock Xen the end of one ring takes what the others need. */
    watch_set(XENMEM_access_n, work, WORKING);
    monitor_close(&watch.monitor);
    xc_mem_paging_disable(watch.xch, watch.domid);
    xc_interface_close(watch.xch);
    pass("done; %u frames are left without any access and without a listener", WORKING);

    return 0;
}
