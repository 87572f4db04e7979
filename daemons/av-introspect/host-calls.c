/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What plugins may do: read, report, ask. A plugin may write into our memory as it likes; these only keep an honest one from
 * mistakes.
 */
#include "host-calls.h"

#include <errno.h>
#include <string.h>

#include <daemon/utf8.h>

/* The first version's; a smaller one was never in use. */
#define READ_BYTES_LEAST      sizeof(struct av_read)
#define FINDING_BYTES_LEAST   offsetof(struct av_finding, process)
#define REGISTERS_BYTES_LEAST offsetof(struct av_registers, cr3)

#define CR4_PAE    (UINT64_C(1) << 5)
#define EFER_LMA   (UINT64_C(1) << 10)

void host_calls_copy_text(char *out, size_t size, const char *text)
{
    utf8_escape(out, size, text ? text : "", text ? strnlen(text, size) : 0);
}

enum view_paging host_calls_paging(const struct av_registers *r)
{
    if ( !(r->known & AV_REGISTER_CONTROL) )
        return VIEW_LEVELS_4;
    /* Who does not say it has PAE for long mode only, today. */
    return view_paging_of(r->cr0, r->cr4, r->known & AV_REGISTER_EFER ? r->efer : r->cr4 & CR4_PAE ? EFER_LMA : 0);
}

static int report(struct av_call *call, const struct av_finding *theirs)
{
    struct av_finding finding = { 0 };
    struct judge_finding *out;

    if ( !call->plugin || theirs->size < FINDING_BYTES_LEAST || !theirs->rule )
        return -EINVAL;
    memcpy(&finding, theirs, theirs->size < sizeof(finding) ? theirs->size : sizeof(finding));
    if ( finding.verdict > AV_MALICIOUS )
        return -EINVAL;
    if ( call->out->verdict < finding.verdict )
        call->out->verdict = finding.verdict;
    if ( call->out->count == AV_FINDINGS_MAX )
    {
        call->out->lost++;
        return -ENOSPC;
    }

    out = &call->out->findings[call->out->count++];
    memset(out, 0, sizeof(*out));
    out->verdict = finding.verdict;
    out->page_alone = (finding.flags & AV_FINDING_PAGE) != 0;
    out->address = finding.address;
    out->length = finding.length;
    host_calls_copy_text(out->plugin, sizeof(out->plugin), call->plugin->name);
    host_calls_copy_text(out->rule, sizeof(out->rule), finding.rule);
    host_calls_copy_text(out->text, sizeof(out->text), finding.text);
    if ( finding.process )
    {
        out->has_process = 1;
        out->process.pid = finding.process->pid;
        out->process.uid = finding.process->uid;
        host_calls_copy_text(out->process.name, sizeof(out->process.name), finding.process->name);
        host_calls_copy_text(out->process.path, sizeof(out->process.path), finding.process->path);
    }
    return 0;
}

/* 0 and the address space, or -ESRCH. */
static int find_space(const struct av_call *call, uint64_t *cr3)
{
    if ( *cr3 )
        return 0;
    if ( !call->event || !(call->event->flags & AV_FLAG_REGISTERS) )
        return -ESRCH;
    *cr3 = call->event->cr3;
    return 0;
}

static int read_parts(struct av_call *call, bool is_virtual, uint64_t cr3, struct av_read *parts, uint32_t count)
{
    uint64_t total = 0;
    bool late = false;
    int whole = 0, space;
    size_t each;

    if ( !call->plugin || (count && (!parts || parts->size < READ_BYTES_LEAST)) || count > INT32_MAX )
        return -EINVAL;
    each = count ? parts->size : 0;
    for ( uint32_t i = 0; i < count; i++ )
    {
        const struct av_read *part = (const struct av_read *)((char *)parts + i * each);

        if ( part->length && !part->buffer )
            return -EINVAL;
        if ( part->length > AV_READ_MAX || (total += part->length) > AV_READ_MAX )
            return -E2BIG;
    }
    call->out->more = 1;
    space = is_virtual ? find_space(call, &cr3) : 0;

    for ( uint32_t i = 0; i < count; i++ )
    {
        struct av_read *part = (struct av_read *)((char *)parts + i * each);

        if ( space || late )
        {
            part->status = space ? space : -ETIME;
            memset(part->buffer, 0, part->length);
            continue;
        }
        part->status = is_virtual ? view_read_virtual(call->view, cr3, part->address, part->buffer, part->length, NULL)
                                  : view_read_physical(call->view, part->address, part->buffer, part->length, NULL);
        late = part->status == -ETIME;
        whole += !part->status;
    }
    return late ? -ETIME : whole;
}

static int read_physical(struct av_call *call, struct av_read *parts, uint32_t count)
{
    return read_parts(call, false, 0, parts, count);
}

static int read_virtual(struct av_call *call, uint64_t cr3, struct av_read *parts, uint32_t count)
{
    return read_parts(call, true, cr3, parts, count);
}

static int translate(struct av_call *call, uint64_t cr3, uint64_t address, struct av_mapping *out)
{
    struct av_mapping mapping;
    uint32_t size = out->size;
    int rc;

    if ( !call->plugin || size < sizeof(size) )
        return -EINVAL;
    call->out->more = 1;
    rc = find_space(call, &cr3);
    if ( !rc )
        rc = view_translate(call->view, cr3, address, &mapping);
    if ( rc )
        return rc;
    mapping.size = size < sizeof(mapping) ? size : sizeof(mapping);
    memcpy(out, &mapping, mapping.size);
    return 0;
}

static int registers(struct av_call *call, uint32_t vcpu, struct av_registers *out)
{
    struct av_registers known = { 0 };
    uint32_t size = out->size;
    int rc;

    if ( !call->plugin || size < REGISTERS_BYTES_LEAST )
        return -EINVAL;
    call->out->more = 1;
    rc = call->place->registers ? call->place->registers(call->place->opaque, vcpu, &known) : -ENOENT;
    if ( rc )
        return -ENOENT;
    known.size = size < sizeof(known) ? size : sizeof(known);
    memcpy(out, &known, known.size);
    return 0;
}

static uint64_t remaining(const struct av_call *call)
{
    uint64_t now;

    if ( call->deadline == UINT64_MAX )
        return UINT64_MAX;
    now = view_now();
    return now < call->deadline ? (call->deadline - now) / 1000 : 0;
}

static int rescan(struct av_call *call)
{
    if ( !call->plugin )
        return -EINVAL;
    call->out->rescan = 1;
    return 0;
}

void host_calls_fill(struct av_host *host)
{
    host->report = report;
    host->read_physical = read_physical;
    host->read_virtual = read_virtual;
    host->translate = translate;
    host->registers = registers;
    host->remaining = remaining;
    host->rescan = rescan;
}
