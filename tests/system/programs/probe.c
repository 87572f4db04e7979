/* SPDX-License-Identifier: MIT */
/*
 * A plugin for system tests: decides about writes of registers and breakpoints, is told of pages and requests, and says what it
 * sees. It forbids one thing: that a program is kept from reading the TSC (CR4.TSD).
 */
#include <stdio.h>
#include <string.h>

#include <av-introspect/plugin.h>

#define CR4_TSD (UINT64_C(1) << 2)
#define NOTED   "FOUND-" "AFTERWARDS"

static const struct av_host *host;

static int create(const struct av_host *h, const struct av_value *values, void **instance)
{
    (void)values;
    (void)instance;
    host = h;
    return 0;
}

static int say(struct av_call *call, int verdict, const char *rule, const char *text)
{
    host->report(call, &(struct av_finding){ .size = sizeof(struct av_finding), .verdict = verdict, .rule = rule, .text = text });
    return verdict;
}

/* All of the vCPU's, of which an event has only some; and a walk through its tables, to where system calls go. */
static int describe(struct av_call *call, uint32_t vcpu, char *out, size_t size)
{
    struct av_registers r = { .size = sizeof(r) };
    struct av_mapping mapping = { .size = sizeof(mapping) };
    int rc = host->registers(call, vcpu, &r);

    if ( rc )
        return rc;
    rc = host->translate(call, r.cr3, r.lstar, &mapping);
    snprintf(out, size, "pae %d lma %d paging %d idt %#x walk %d executable %d user %d", (int)(r.cr4 >> 5 & 1),
             (int)(r.efer >> 10 & 1), (int)(r.cr0 >> 31 & 1), r.idt_limit, rc, !!(mapping.flags & AV_MAPPING_EXECUTABLE),
             !!(mapping.flags & AV_MAPPING_USER));
    return 0;
}

static int event(void *instance, void *attached, struct av_call *call, const struct av_event *event)
{
    char text[AV_TEXT_BYTES] = "no registers";

    (void)instance;
    (void)attached;
    switch ( event->kind )
    {
    case AV_EVENT_REGISTER:
        if ( event->values[0] == 4 && (event->values[1] & ~event->values[2] & CR4_TSD) )
            return say(call, AV_MALICIOUS, "tsc-forbidden", NULL);
        return AV_CLEAN;
    case AV_EVENT_MSR:
        snprintf(text, sizeof(text), "msr %#llx", (unsigned long long)event->values[0]);
        return say(call, AV_SUSPICIOUS, "msr", text);
    case AV_EVENT_INTERRUPT:
        describe(call, event->vcpu, text, sizeof(text));
        /* Kernels have breakpoints of their own. */
        return event->rip >> 63 ? AV_CLEAN : say(call, AV_SUSPICIOUS, "breakpoint", text);
    case AV_EVENT_REQUEST:
        snprintf(text, sizeof(text), "rax %llu rdi %llu waits %d", (unsigned long long)event->gpr[0],
                 (unsigned long long)event->gpr[7], !!(event->flags & AV_FLAG_WAITING));
        return say(call, AV_SUSPICIOUS, "request", text);
    }
    return AV_CLEAN;
}

static int scan(void *instance, void *attached, struct av_call *call, const struct av_scan *scan)
{
    (void)instance;
    (void)attached;
    for ( uint64_t at = 0; at + strlen(NOTED) <= scan->focus_length; at++ )
        if ( !memcmp(scan->bytes + scan->focus + at, NOTED, strlen(NOTED)) )
            return say(call, AV_MALICIOUS, "noted", NULL);
    return AV_CLEAN;
}

static int tick(void *instance, void *attached, struct av_call *call)
{
    static int said;
    char text[AV_TEXT_BYTES];

    (void)instance;
    (void)attached;
    if ( said || describe(call, 0, text, sizeof(text)) )
        return AV_CLEAN;
    said = 1;
    return say(call, AV_SUSPICIOUS, "ticked", text);
}

const struct av_plugin av_plugin = {
    AV_PLUGIN_VERSION, .name = "probe", .version = "1", .summary = "Says what it is told.",
    .decide = AV_EVENT_REGISTER | AV_EVENT_MSR | AV_EVENT_INTERRUPT, .notify = AV_EVENT_SCAN | AV_EVENT_REQUEST,
    .tick_ms = 1000, .create = create, .event = event, .scan = scan, .tick = tick,
};
