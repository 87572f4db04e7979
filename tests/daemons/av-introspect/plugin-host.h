/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host for plugins in a test or a fuzzer: reads through page tables, and keeps the findings. Included by a
 * program's one file.
 */
#ifndef TESTS_AV_PLUGIN_HOST_H
#define TESTS_AV_PLUGIN_HOST_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemons/av-introspect/view.h"

#define HOST_FINDINGS 32u

/* Where frames take time, all calls have to end in it. */
#define HOST_DAY_US   UINT64_C(86400000000)

static struct {
    struct view *view;
    uint64_t reads_left;                /* of plugins; then -ETIME */
    uint64_t frame_us;                  /* what a frame takes; 0: nobody looks at the clock */
    struct av_registers registers;      /* of vCPU 0, if .known */
    unsigned int count;
    struct {
        uint32_t verdict;
        char rule[AV_RULE_BYTES], text[AV_TEXT_BYTES];
        struct av_process process;
    } findings[HOST_FINDINGS];
} plugin_host;

static inline void host_log(const struct av_host *host, int level, const char *fmt, ...)
{
    va_list args;

    (void)host;
    (void)level;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

static inline int host_refuse(const struct av_host *host, int error, const char *fmt, ...)
{
    (void)host;
    (void)fmt;
    return error;
}

static inline int host_report(struct av_call *call, const struct av_finding *finding)
{
    (void)call;
    if ( plugin_host.count == HOST_FINDINGS )
        return -ENOSPC;
    plugin_host.findings[plugin_host.count].verdict = finding->verdict;
    snprintf(plugin_host.findings[plugin_host.count].rule, AV_RULE_BYTES, "%s", finding->rule);
    snprintf(plugin_host.findings[plugin_host.count].text, AV_TEXT_BYTES, "%s", finding->text ? finding->text : "");
    memset(&plugin_host.findings[plugin_host.count].process, 0, sizeof(struct av_process));
    if ( finding->process )
        plugin_host.findings[plugin_host.count].process = *finding->process;
    plugin_host.count++;
    return 0;
}

static inline int host_read(bool is_virtual, uint64_t cr3, struct av_read *parts, uint32_t count)
{
    int whole = 0;

    for ( uint32_t i = 0; i < count; i++ )
    {
        if ( !plugin_host.reads_left )
        {
            memset(parts[i].buffer, 0, parts[i].length);
            parts[i].status = -ETIME;
            return -ETIME;
        }
        plugin_host.reads_left--;
        if ( is_virtual )
            parts[i].status = view_read_virtual(plugin_host.view, cr3, parts[i].address, parts[i].buffer, parts[i].length,
                                                NULL);
        else
            parts[i].status = view_read_physical(plugin_host.view, parts[i].address, parts[i].buffer, parts[i].length, NULL);
        whole += !parts[i].status;
    }
    return whole;
}

static inline int host_read_physical(struct av_call *call, struct av_read *parts, uint32_t count)
{
    (void)call;
    return host_read(false, 0, parts, count);
}

static inline int host_read_virtual(struct av_call *call, uint64_t cr3, struct av_read *parts, uint32_t count)
{
    (void)call;
    return host_read(true, cr3, parts, count);
}

static inline int host_translate(struct av_call *call, uint64_t cr3, uint64_t address, struct av_mapping *out)
{
    (void)call;
    return view_translate(plugin_host.view, cr3, address, out);
}

static inline int host_registers(struct av_call *call, uint32_t vcpu, struct av_registers *out)
{
    (void)call;
    if ( vcpu || !plugin_host.registers.known )
        return -ENOENT;
    *out = plugin_host.registers;
    return 0;
}

static inline uint64_t host_remaining(const struct av_call *call)
{
    (void)call;
    return plugin_host.frame_us ? HOST_DAY_US - view_reads(plugin_host.view) * plugin_host.frame_us : UINT64_MAX;
}

static inline int host_rescan(struct av_call *call)
{
    (void)call;
    return 0;
}

static const struct av_host host_table __attribute__((unused)) = {
    .size = sizeof(host_table), .abi_major = AV_ABI_MAJOR, .abi_minor = AV_ABI_MINOR,
    .log = host_log, .refuse = host_refuse, .report = host_report, .read_physical = host_read_physical,
    .read_virtual = host_read_virtual, .translate = host_translate, .registers = host_registers,
    .remaining = host_remaining, .rescan = host_rescan,
};

/* What was found by this rule, with this in its text; NULL. */
static inline const char *host_found(const char *rule, const char *text)
{
    for ( unsigned int i = 0; i < plugin_host.count; i++ )
        if ( !strcmp(plugin_host.findings[i].rule, rule) && strstr(plugin_host.findings[i].text, text) )
            return plugin_host.findings[i].text;
    return NULL;
}

#endif /* TESTS_AV_PLUGIN_HOST_H */
