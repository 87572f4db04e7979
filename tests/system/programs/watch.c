/* SPDX-License-Identifier: GPL-2.0-only */
/* See watch.h. */
#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_SECONDS      240     /* emulated hosts step over some hundred instructions a second at the worst */
#define QUIET_MS            200
#define GLANCE_MS           20      /* between looks at the guest's console, when there are no events */

struct watch watch;

static const char *const names[] = {
    [XENMEM_access_n] = "n", [XENMEM_access_r] = "r", [XENMEM_access_w] = "w", [XENMEM_access_rw] = "rw",
    [XENMEM_access_x] = "x", [XENMEM_access_rx] = "rx", [XENMEM_access_wx] = "wx", [XENMEM_access_rwx] = "rwx",
    [XENMEM_access_rx2rw] = "rx2rw", [XENMEM_access_n2rwx] = "n2rwx",
};

const char *access_name(xenmem_access_t access)
{
    return (unsigned int)access < sizeof(names) / sizeof(names[0]) ? names[access] : "?";
}

void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("FAILED: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    exit(1);
}

void pass(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("PASS: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
}

void watch_set(xenmem_access_t access, uint64_t first, uint32_t count)
{
    if ( xc_set_mem_access(watch.xch, watch.domid, access, first, count) )
        fail("access %s of frames %#"PRIx64"+%u: %s", access_name(access), first, count, strerror(errno));
}

void watch_expect_access(xenmem_access_t wanted, uint64_t first, unsigned int count)
{
    xenmem_access_t is;
    uint64_t gfn;

    for ( gfn = first; gfn < first + count; gfn++ )
    {
        if ( xc_get_mem_access(watch.xch, watch.domid, gfn, &is) )
            fail("access of frame %#"PRIx64" cannot be asked for: %s", gfn, strerror(errno));
        if ( is != wanted )
            fail("frame %#"PRIx64" is %s, not %s", gfn, access_name(is), access_name(wanted));
    }
}

static void note(const vm_event_request_t *request)
{
    uint64_t gfn = request->u.mem_access.gfn;
    uint32_t flags = request->u.mem_access.flags;

    if ( request->version != VM_EVENT_INTERFACE_VERSION || request->reason != VM_EVENT_REASON_MEM_ACCESS )
        fail("an event of version %u, reason %u", request->version, request->reason);
    if ( gfn >= watch.frames )
        fail("an event of frame %#"PRIx64", which is no RAM", gfn);
    if ( gfn < watch.first || gfn >= watch.end )
    {
        watch.seen.elsewhere++;
        return;
    }

    watch.told += !watch.flags[gfn];
    watch.flags[gfn] |= flags & MEM_ACCESS_RWX;
    watch.seen.all &= flags;
    watch.seen.any |= flags;
    watch.seen.events++;
    watch.seen.paused += !!(request->flags & VM_EVENT_FLAG_VCPU_PAUSED);
    watch.seen.in_walks += !!(flags & MEM_ACCESS_FAULT_IN_GPT);
    /* This guest maps its memory at its own address. */
    if ( flags & MEM_ACCESS_GLA_VALID )
    {
        watch.seen.gla++;
        if ( request->u.mem_access.gla != gfn * XC_PAGE_SIZE + request->u.mem_access.offset ||
             ((flags & MEM_ACCESS_X) && request->u.mem_access.gla - request->data.regs.x86.rip >= 15) )
            watch.seen.gla_wrong++;
    }
}

/* Answers all that is there; the number of events. */
static unsigned int serve(void)
{
    vm_event_request_t request;
    unsigned int count = 0;
    uint32_t flags;
    int rc;

    while ( monitor_take(&watch.monitor, &request) )
    {
        note(&request);
        count++;
        flags = 0;
        if ( request.flags & VM_EVENT_FLAG_VCPU_PAUSED )
        {
            uint64_t gfn = request.u.mem_access.gfn;

            if ( gfn >= watch.first && gfn < watch.end && watch.seen.stepped < watch.steps )
            {
                flags = VM_EVENT_FLAG_EMULATE;
                watch.seen.stepped++;
            }
            else
                watch_set(XENMEM_access_rwx, gfn, 1);
        }
        rc = monitor_answer(&watch.monitor, &request, flags);
        if ( rc )
            fail("an answer: %s", strerror(-rc));
    }

    return count;
}

void watch_from(uint64_t first, uint64_t count, unsigned long steps)
{
    watch.first = first;
    watch.end = first + count;
    watch.steps = steps;
    watch.told = 0;
    memset(&watch.seen, 0, sizeof(watch.seen));
    watch.seen.all = ~0u;
    memset(watch.flags, 0, sizeof(watch.flags));
}

/* Serves events until there are none for a moment. */
static void serve_until_quiet(void)
{
    do {
        int rc = monitor_wait(&watch.monitor, QUIET_MS);

        if ( rc )
            fail("the event channel: %s", strerror(-rc));
    } while ( serve() );
}

/* The guest carries a program out while its events are served; the last line of `what` must find nothing wrong. */
void watch_guest_do(const char *program, const char *what)
{
    time_t until = time(NULL) + ANSWER_SECONDS;
    char line[256];
    int rc = guest_tell(&watch.guest, program);

    while ( !rc )
    {
        rc = monitor_wait(&watch.monitor, GLANCE_MS);
        if ( rc )
            break;
        /* The log is looked at when nothing happens: to read it costs more than an event. */
        if ( serve() && time(NULL) <= until )
            continue;
        rc = guest_answered(&watch.guest, what, line, sizeof(line));
        if ( !rc && time(NULL) > until )
            fail("the guest did not finish '%s' within %u s; %lu events", program, ANSWER_SECONDS, watch.seen.events);
    }
    if ( rc < 0 )
        fail("the guest's console: %s", strerror(-rc));
    serve_until_quiet();

    if ( !strstr(line, " bad=0") )
        fail("the guest, asked for '%s', said '%s'", program, line);
    printf("   %s\n   %lu events, %lu stepped over, %lu in walks, %lu elsewhere\n", line, watch.seen.events,
           watch.seen.stepped, watch.seen.in_walks, watch.seen.elsewhere);
}

