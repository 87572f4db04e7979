/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * integrity: whether a Linux guest's kernel is still what it was, and who in the guest did what others have found.
 *
 * Nothing is known of the guest beforehand. Page tables come with the first event; then, in ticks of some
 * milliseconds each, the kernel's symbols and types are read from its own memory, and hashes are made of its code and
 * constants; from then on each tick looks at the few places by which control goes, which are some KiB, and compares a
 * part of the rest, of which a round takes its time. All state is of one worker: what was changed before it began is
 * not seen but by the tables.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <av-introspect/plugin.h>

#include "watch.h"

#define TICK_MS        250u

/*
 * A vCPU that wants to execute a page waits as long as this for a worker that ticks, and for the step that is under way;
 * longer as long as nothing is watched yet, which is some seconds once. One step of the round is made even if there is no
 * time left for it: where a crossing to the broker takes milliseconds, what comes before it takes all there is in every
 * tick.
 */
#define TICK_US        20000u
#define PREPARE_US     100000u

/* Each so many ticks lists of processes are gone through, and registers of other vCPUs than the first are taken from an
 * event: they can be had only then, and a verdict of a call that asked for them is not kept for other pages that are the
 * same. */
#define PROCESSES_TICKS 8u

enum { OPTION_TRACED, OPTIONS };

static const struct av_option options[OPTIONS] = {
    [OPTION_TRACED] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_TEXT, .name = "traced", .value = "clean",
        .help = "What it means that functions of the kernel are traced, by whomever: clean or suspicious.",
    },
};

struct integrity {
    const struct av_host *host;
    int traced;
};

/* Of one domain. */
struct domain {
    struct watch watch;
    uint32_t ticks;
    bool wants_registers;
};

static int create(const struct av_host *host, const struct av_value *values, void **instance)
{
    const char *traced = values[OPTION_TRACED].text;
    struct integrity *integrity;

    if ( strcmp(traced, "clean") && strcmp(traced, "suspicious") )
        return host->refuse(host, -EINVAL, "traced=%s: it must be clean or suspicious", traced);
    integrity = calloc(1, sizeof(*integrity));
    if ( !integrity )
        return -ENOMEM;
    integrity->host = host;
    integrity->traced = strcmp(traced, "suspicious") ? AV_CLEAN : AV_SUSPICIOUS;
    *instance = integrity;
    return 0;
}

static void destroy(void *instance)
{
    free(instance);
}

/* ---- what is known at first ---- */

/* A piece of copying the code, and hashes at its end. As kernel_step(). */
static int take_code(struct look *look)
{
    struct watch *w = look->watch;
    struct reader *reader = &look->reader;
    size_t total = w->kernel.place.text_end - w->kernel.place.text, left = total - w->text_read;
    size_t part = left < REGION_STEP ? left : REGION_STEP;
    uint64_t key;
    int rc;

    reader->cr3 = w->kernel.cr3;
    if ( !w->text && !(w->text = calloc(1, total)) )
        return -ENOMEM;
    if ( !w->text_absent && !(w->text_absent = calloc(total / AV_PAGE_SIZE + 1, sizeof(bool))) )
        return -ENOMEM;
    if ( left )
    {
        rc = reader_read_pages(reader, w->kernel.place.text + w->text_read, w->text + w->text_read, part,
                               w->text_absent + w->text_read / AV_PAGE_SIZE);
        if ( rc )
            return rc;
        w->text_read += part;
        return 1;
    }

    if ( getrandom(&key, sizeof(key), 0) != sizeof(key) )
        return -EIO;
    rc = sites_find(&w->sites, &w->kernel, w->text, total);
    if ( !rc )
        rc = region_take(&w->code, w->kernel.place.text, w->text, total, w->sites, w->text_absent, key);
    if ( !rc )
        rc = region_take(&w->constants, w->kernel.place.rodata, w->kernel.rodata,
                         w->kernel.place.rodata_end - w->kernel.place.rodata, NULL, w->kernel.rodata_absent, ~key);
    if ( rc )
        return rc;
    w->host->log(w->host, AV_LOG_INFO, "Linux at %#" PRIx64 ": %u symbols, %zu KiB of code with %u places that it "
                 "changes itself, %zu KiB of constants", w->kernel.place.text, symbols_count(w->kernel.symbols), w->code.bytes >> 10,
                 sites_count(w->sites), w->constants.bytes >> 10);
    if ( !w->kernel.has_types )
        look_report(look, AV_UNKNOWN, "no-types", w->kernel.place.text, NULL,
                    "the kernel has no types (BTF) that can be read: hidden processes are not looked for, and findings "
                    "name no process");
    free(w->text);
    free(w->text_absent);
    free(w->kernel.rodata);
    free(w->kernel.rodata_absent);
    w->text = w->kernel.rodata = NULL;
    w->text_absent = w->kernel.rodata_absent = NULL;
    w->watched = true;
    return 0;
}

/* The next piece of work of a domain that is not watched yet; as kernel_step(). */
static int prepare(struct look *look)
{
    struct watch *w = look->watch;
    int rc = w->kernel.state == KERNEL_KNOWN ? take_code(look) : kernel_step(&w->kernel, &look->reader);

    if ( w->kernel.state == KERNEL_UNKNOWN && !w->said_unknown )
    {
        w->said_unknown = true;
        look_report(look, AV_UNKNOWN, "no-symbols", w->kernel.place.text, NULL,
                    "there is a kernel without symbols (kallsyms) that can be read; its integrity cannot be judged");
    }
    return rc ? rc : w->kernel.state == KERNEL_KNOWN && !w->watched;
}

/* ---- comparisons ---- */

static void code_changed(void *arg, uint64_t address)
{
    struct look *look = arg;
    char name[SYMBOLS_NAME_BYTES + 24];

    look_report(look, AV_MALICIOUS, "kernel-code", address, NULL, "the kernel's code was changed, at or behind %s",
                look_name(look, address, name));
}

static void constants_changed(void *arg, uint64_t address)
{
    struct look *look = arg;
    char name[SYMBOLS_NAME_BYTES + 24];

    look_report(look, AV_MALICIOUS, "kernel-constants", address, NULL, "the kernel's constants were changed, at or behind %s",
                look_name(look, address, name));
}

static void site_changed(void *arg, const struct site *site, enum site_state state)
{
    struct look *look = arg;
    struct watch *w = look->watch;
    uint64_t address = w->kernel.place.text + site->offset, to;
    char name[SYMBOLS_NAME_BYTES + 24];

    look_name(look, address, name);
    if ( state == SITE_WRONG && (to = sites_read_lead(site, address, &look->reader)) )
        look_report_lead(look, "kernel-code", address, to,
                         "the kernel's code was changed at %s, where it changes it itself, but not so that it leads to %#" PRIx64,
                         name, to);
    else if ( state == SITE_WRONG )
        look_report(look, AV_MALICIOUS, "kernel-code", address, NULL,
                    "the kernel's code was changed at %s, where it changes it itself, but not to this", name);
    else if ( !w->traced_now++ && !w->traced_said )
    {
        w->traced_said = true;
        look_report(look, w->traced, "traced", address, NULL, "functions of the kernel are traced, %s first", name);
    }
}

/* Some of code or constants; 0: there is more of this round; 1: there is not; -ETIME. */
static int compare(struct look *look)
{
    const struct region_reports code = { look, code_changed, site_changed };
    const struct region_reports constants = { look, constants_changed, NULL };
    struct watch *w = look->watch;
    int rc;

    look->reader.cr3 = w->kernel.cr3;
    if ( w->constants_next )
    {
        rc = region_compare(&w->constants, &look->reader, NULL, &constants);
        w->constants_next = rc <= 0;
        if ( rc > 0 && !w->rounds++ )
            w->host->log(w->host, AV_LOG_INFO, "all of it was compared for the first time");
        return rc;
    }
    if ( !w->code.at )
        w->traced_now = 0;
    rc = region_compare(&w->code, &look->reader, w->sites, &code);
    if ( rc <= 0 )
        return rc;
    w->constants_next = true;
    if ( !w->traced_now )
        w->traced_said = false;
    return 0;
}

/* A part of a round: 1: the round goes on; 0: it is at its end; -ETIME. */
static int step(struct look *look)
{
    int rc = compare(look);

    return rc < 0 ? rc : !rc;
}

/* What whoever takes a kernel over changes first; registers, if they are known, of a vCPU as it is. */
static void look_where_control_goes(struct look *look, const struct av_registers *registers)
{
    look->reader.cr3 = look->watch->kernel.cr3;
    look_at_tables(look);
    if ( registers )
        look_at_registers(look, registers);
}

static void look_around(struct look *look)
{
    struct watch *w = look->watch;

    look->reader.cr3 = w->kernel.cr3;
    if ( w->kernel.has_types )
        look_at_processes(look);
    if ( w->registers.known )
        look_at_registers(look, &w->registers);
    w->registers.known = 0;
}

/* ---- life ---- */

static void detach(void *instance, void *attached)
{
    struct domain *domain = attached;

    (void)instance;
    region_free(&domain->watch.code);
    region_free(&domain->watch.constants);
    sites_free(domain->watch.sites);
    free(domain->watch.text);
    free(domain->watch.text_absent);
    kernel_forget(&domain->watch.kernel);
    free(domain);
}

static struct look look_of(const struct integrity *integrity, struct domain *domain, struct av_call *call)
{
    return (struct look){
        .watch = &domain->watch, .verdict = AV_CLEAN,
        .reader = { .host = integrity->host, .call = call, .cr3 = domain->watch.kernel.cr3 },
    };
}

/* An image is looked at once and for all. */
static int look_at_image(const struct integrity *integrity, struct domain *domain, struct av_call *call,
                         const struct av_domain *is)
{
    struct look look = look_of(integrity, domain, call);
    struct watch *w = &domain->watch;
    int rc = -ENOENT;

    for ( uint32_t i = 0; rc && i < is->vcpus; i++ )
    {
        w->registers.size = sizeof(w->registers);
        if ( integrity->host->registers(call, i, &w->registers) || !(w->registers.known & AV_REGISTER_CONTROL) )
            continue;
        kernel_try(&w->kernel, w->registers.cr3);
        rc = kernel_step(&w->kernel, &look.reader) == 1 ? 0 : -ENOENT;
    }
    if ( rc && !place_search(&look.reader, is->frames, &w->kernel.place) )
    {
        kernel_try(&w->kernel, look.reader.cr3);
        rc = 0;
    }
    while ( !rc && (rc = prepare(&look)) == 1 )
        rc = 0;
    if ( !w->watched )
    {
        if ( !w->said_unknown )
            look_report(&look, AV_UNKNOWN, "no-kernel", 0, NULL, "there is no Linux kernel that can be read here");
        return rc == -ENOMEM ? rc : 0;
    }
    for ( uint32_t i = 0; i < is->vcpus; i++ )
    {
        struct av_registers registers = { .size = sizeof(registers) };

        if ( !integrity->host->registers(call, i, &registers) )
            look_at_registers(&look, &registers);
    }
    w->registers.known = 0;
    look_where_control_goes(&look, NULL);
    look_around(&look);
    /* Sites only: there is nothing to compare with. */
    while ( !compare(&look) )
        ;
    return 0;
}

static int attach(void *instance, struct av_call *call, const struct av_domain *is, void **attached)
{
    const struct integrity *integrity = instance;
    struct domain *domain = calloc(1, sizeof(*domain));
    int rc = 0;

    if ( !domain )
        return -ENOMEM;
    domain->watch.host = integrity->host;
    domain->watch.traced = integrity->traced;
    domain->watch.is_image = is->flags & AV_DOMAIN_IMAGE;
    domain->wants_registers = true;
    if ( domain->watch.is_image )
        rc = look_at_image(integrity, domain, call, is);
    if ( rc )
    {
        detach(instance, domain);
        return rc;
    }
    *attached = domain;
    return 0;
}

/* A page tells nothing; its event has page tables in it. Registers are asked for seldom: see PROCESSES_TICKS. */
static int scan(void *instance, void *attached, struct av_call *call, const struct av_scan *scan)
{
    const struct integrity *integrity = instance;
    struct domain *domain = attached;
    struct watch *w = &domain->watch;

    if ( w->is_image || !(scan->event->flags & AV_FLAG_REGISTERS) )
        return AV_CLEAN;
    kernel_try(&w->kernel, scan->event->cr3);
    if ( domain->wants_registers && w->watched )
    {
        domain->wants_registers = false;
        w->registers = (struct av_registers){ .size = sizeof(w->registers) };
        if ( integrity->host->registers(call, scan->event->vcpu, &w->registers) )
            w->registers.known = 0;
    }
    return AV_CLEAN;
}

static int tick(void *instance, void *attached, struct av_call *call)
{
    const struct integrity *integrity = instance;
    struct domain *domain = attached;
    struct look look = look_of(integrity, domain, call);
    struct av_registers registers = { .size = sizeof(registers) };
    uint64_t began = integrity->host->remaining(call), limit = domain->watch.watched ? TICK_US : PREPARE_US;
    int rc;

    if ( domain->watch.is_image )
        return AV_CLEAN;
    if ( integrity->host->registers(call, 0, &registers) )
        registers.known = 0;
    if ( (registers.known & AV_REGISTER_CONTROL) && registers.cr3 )
        kernel_try(&domain->watch.kernel, registers.cr3);
    if ( domain->watch.watched )
        look_where_control_goes(&look, registers.known ? &registers : NULL);
    if ( domain->watch.watched && domain->ticks++ % PROCESSES_TICKS == 0 )
    {
        look_around(&look);
        domain->wants_registers = true;
    }
    do
        rc = domain->watch.watched ? step(&look) : prepare(&look);
    while ( rc > 0 && (began == UINT64_MAX || integrity->host->remaining(call) + limit > began) );
    return rc < 0 && rc != -ETIME ? rc : look.verdict;
}

/* Only if it is quick: a vCPU may wait for it. */
static int attribute(void *instance, void *attached, struct av_call *call, const struct av_event *event,
                     struct av_process *out)
{
    const struct integrity *integrity = instance;
    struct domain *domain = attached;
    struct look look = look_of(integrity, domain, call);
    const struct kernel *kernel = &domain->watch.kernel;
    struct task task;

    if ( domain->watch.is_image || kernel->state != KERNEL_KNOWN || !kernel->has_types ||
         task_on_vcpu(kernel, &look.reader, event->vcpu, event->flags & AV_FLAG_REGISTERS ? event->cr3 : 0, &task) )
        return -ENOENT;
    task_describe(kernel, &look.reader, &task, out);
    return 0;
}

const struct av_plugin av_plugin = {
    AV_PLUGIN_VERSION,
    .name = "integrity", .version = "1", .summary = "Sees when a Linux guest's kernel is changed, and who did what was found.",
    .decide = AV_EVENT_SCAN, .tick_ms = TICK_MS,
    .options = options, .options_count = OPTIONS,
    .create = create, .attach = attach, .scan = scan, .tick = tick, .attribute = attribute, .detach = detach,
    .destroy = destroy,
};
