/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests and results: what the broker sees of workers. Processes are workers-life.c's.
 */
#include "workers.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <daemon/log.h>

#include "view.h"
#include "workers-private.h"

#define SAME(kind, bit) _Static_assert(1u << (kind) == (bit), #bit)
SAME(SCAN_PAGE, AV_EVENT_SCAN);
SAME(SCAN_REGISTER, AV_EVENT_REGISTER);
SAME(SCAN_MSR, AV_EVENT_MSR);
SAME(SCAN_INTERRUPT, AV_EVENT_INTERRUPT);
SAME(SCAN_REQUEST, AV_EVENT_REQUEST);
SAME(SCAN_OVERFLOW, AV_EVENT_OVERFLOW);
_Static_assert((int)AV_CLEAN == (int)SCAN_CLEAN && (int)AV_UNKNOWN == (int)SCAN_UNKNOWN &&
               (int)AV_SUSPICIOUS == (int)SCAN_SUSPICIOUS && (int)AV_MALICIOUS == (int)SCAN_MALICIOUS, "one order of verdicts");

/* A request may wait so long for a worker that is to be started. */
#define SOON_NS UINT64_C(2000000000)

static struct domain *find_domain(const struct workers *w, uint16_t domid)
{
    struct domain *domain = w->domains;

    while ( domain && domain->domid != domid )
        domain = domain->next;
    return domain;
}

/* ---- results ---- */

/* One more result is to be taken. */
static void announce(struct workers *w)
{
    const uint64_t one = 1;

    if ( !w->results++ && write(w->pending, &one, sizeof(one)) < 0 )
        log_message(LOG_ERR, LOG_HOST("worker-failed"), "eventfd: %m");
}

static void count_taken(struct workers *w)
{
    uint64_t count;

    if ( !--w->results && read(w->pending, &count, sizeof(count)) < 0 )
        log_message(LOG_DEBUG, NULL, "eventfd: %m");
}

static void finish(struct workers *w, struct domain *domain, struct slot *slot, enum scan_outcome outcome)
{
    slot->result.id = slot->request.id;
    slot->result.domid = domain->domid;
    slot->result.outcome = outcome;
    slot->state = SLOT_DONE;
    domain->statistics.in_flight--;
    domain->statistics.done += outcome == SCAN_DONE;
    domain->statistics.failed += outcome == SCAN_FAILED;
    domain->statistics.refused += outcome == SCAN_REFUSED;
    announce(w);
}

/* Whoever makes a plugin fail over a page must not have it pass for one that was looked at. */
static void name_unjudged(const struct workers *w, struct scan_result *result, uint32_t plugins)
{
    unsigned int first = __builtin_ctz(plugins);

    result->is_unjudged = true;
    result->others_lost += result->plugin[0] != '\0';
    result_copy_text(result->plugin, sizeof(result->plugin), first < PLUGINS_MAX ? w->names[first] : "");
    result_copy_text(result->rule, sizeof(result->rule), "not-judged");
    result_copy_text(result->text, sizeof(result->text),
                     "the plugin could not judge it; its words in the journal say why");
    result->has_process = false;
}

void slot_judged(struct workers *w, struct domain *domain, struct slot *slot, const struct judgement *judgement,
                 uint64_t generation, uint64_t nanoseconds)
{
    poison_judged(w->poison, slot->name);
    result_fill(&slot->result, &slot->others, judgement);
    slot->result.generation = generation;
    slot->result.nanoseconds = nanoseconds;
    if ( judgement->unjudged && judgement->verdict < AV_SUSPICIOUS )
        name_unjudged(w, &slot->result, judgement->unjudged);
    finish(w, domain, slot, SCAN_DONE);
}

/* Nobody judges it any more. */
static void refuse(struct workers *w, struct domain *domain, struct slot *slot, const char *plugin, const char *how)
{
    char text[SCAN_TEXT_BYTES];

    snprintf(text, sizeof(text), "%u workers in a row have died of this page; the last one, in plugin %s, %s",
             POISON_DEATHS, plugin, how);
    slot->result.verdict = SCAN_UNKNOWN;
    result_copy_text(slot->result.plugin, sizeof(slot->result.plugin), plugin);
    result_copy_text(slot->result.rule, sizeof(slot->result.rule), "kills-workers");
    result_copy_text(slot->result.text, sizeof(slot->result.text), text);
    finish(w, domain, slot, SCAN_REFUSED);
}

void slot_died(struct workers *w, struct domain *domain, struct slot *slot, const char *plugin, const char *how)
{
    if ( poison_died(w->poison, slot->name) >= POISON_DEATHS )
    {
        log_message(LOG_ERR, LOG_DOMAIN(domain->domid, NULL, "page-kills-workers"),
                    "page %#llx: %u workers have died of it in a row, in plugin %s; it is not judged any more",
                    (unsigned long long)slot->request.gfn, POISON_DEATHS, plugin);
        refuse(w, domain, slot, plugin, how);
        return;
    }
    slot->state = SLOT_WAITS;
    slot->again = true;
}

void tick_judged(struct workers *w, struct domain *domain, const struct judgement *judgement)
{
    if ( !judgement->count && judgement->verdict < AV_SUSPICIOUS && !judgement->rescan )
        return;
    domain->told = (struct scan_result){ .domid = domain->domid, .outcome = SCAN_DONE, .generation = w->generation };
    result_fill(&domain->told, &domain->told_others, judgement);
    domain->has_ticked = true;
    announce(w);
}

/* ---- requests ---- */

struct slot *slot_next(struct domain *domain)
{
    struct slot *found = NULL;

    for ( unsigned int i = 0; i < WORKERS_SLOTS; i++ )
    {
        struct slot *slot = &domain->slots[i];

        if ( slot->state == SLOT_WAITS &&
             (!found || slot->request.urgency < found->request.urgency ||
              (slot->request.urgency == found->request.urgency && slot->order < found->order)) )
            found = slot;
    }
    return found;
}

static struct slot *free_slot(struct domain *domain, enum scan_urgency urgency)
{
    struct slot *found = NULL;
    unsigned int notifications = 0;

    for ( unsigned int i = 0; i < WORKERS_SLOTS; i++ )
    {
        struct slot *slot = &domain->slots[i];

        if ( slot->state == SLOT_FREE )
            found = slot;
        else
            notifications += slot->request.urgency != SCAN_DECIDE;
    }
    return urgency != SCAN_DECIDE && notifications >= WORKERS_SLOTS / 2 ? NULL : found;
}

static int submit(void *opaque, const struct scan_request *request)
{
    struct workers *w = opaque;
    struct domain *domain = find_domain(w, request->domid);
    struct slot *slot;

    if ( !domain )
        return -ENOENT;
    if ( !request->id || request->kind >= SCAN_TICK || (request->kind == SCAN_PAGE && !request->page) ||
         request->urgency > SCAN_AFTER )
        return -EINVAL;
    /* Without rules there are no workers; and after many deaths there is none that will come soon. */
    if ( !w->generation || domain->not_before > view_now() + SOON_NS )
        return -EAGAIN;
    slot = free_slot(domain, request->urgency);
    if ( !slot )
        return -EAGAIN;

    memset(&slot->result, 0, sizeof(slot->result));
    slot->request = *request;
    slot->has_registers = request->registers;
    if ( slot->has_registers )
        slot->registers = *request->registers;
    slot->request.registers = &slot->registers;
    if ( request->kind == SCAN_PAGE )
        memcpy(slot->page, request->page, SCAN_PAGE_BYTES);
    else
    {
        /* By this it is known again if workers die of it. */
        memset(slot->page, 0, SCAN_PAGE_BYTES);
        slot->page[0] = request->kind;
        memcpy(slot->page + sizeof(uint64_t), request->values, sizeof(request->values));
    }
    slot->request.page = slot->page;
    slot->name = poison_name(w->poison, slot->page);
    slot->order = ++w->next_order;
    slot->again = false;
    slot->state = SLOT_WAITS;
    domain->statistics.submitted++;
    domain->statistics.in_flight++;
    if ( poison_deaths(w->poison, slot->name) >= POISON_DEATHS )
        refuse(w, domain, slot, "?", "was not named again");
    else
        life_schedule(w, domain);
    return 0;
}

static int take(void *opaque, struct scan_result *out)
{
    struct workers *w = opaque;

    free(w->taken);
    w->taken = NULL;
    life_look(w);
    for ( struct domain *domain = w->domains; w->results && domain; domain = domain->next )
    {
        if ( domain->has_ticked )
        {
            *out = domain->told;
            w->taken = domain->told_others;
            domain->told_others = NULL;
            domain->has_ticked = false;
            count_taken(w);
            return 1;
        }
        for ( unsigned int i = 0; i < WORKERS_SLOTS; i++ )
        {
            struct slot *slot = &domain->slots[i];

            if ( slot->state != SLOT_DONE )
                continue;
            *out = slot->result;
            w->taken = slot->others;
            slot->others = NULL;
            slot->state = SLOT_FREE;
            count_taken(w);
            return 1;
        }
    }
    return 0;
}

/* ---- domains ---- */

static int add_domain(void *opaque, uint16_t domid)
{
    struct workers *w = opaque;
    struct domain *domain;

    if ( find_domain(w, domid) )
        return -EEXIST;
    domain = calloc(1, sizeof(*domain));
    if ( !domain )
        return -ENOMEM;
    domain->domid = domid;
    domain->next = w->domains;
    w->domains = domain;
    /* One is there before the first page comes. */
    life_schedule(w, domain);
    return 0;
}

static void free_domain(struct domain *domain)
{
    for ( unsigned int i = 0; i < WORKERS_SLOTS; i++ )
        free(domain->slots[i].others);
    free(domain->told_others);
    free(domain);
}

static void remove_domain(void *opaque, uint16_t domid)
{
    struct workers *w = opaque;
    struct domain **at = &w->domains, *domain;

    while ( *at && (*at)->domid != domid )
        at = &(*at)->next;
    domain = *at;
    if ( !domain )
        return;
    *at = domain->next;
    for ( unsigned int i = 0; i < WORKERS_SLOTS; i++ )
        if ( domain->slots[i].state == SLOT_DONE )
            count_taken(w);
    if ( domain->has_ticked )
        count_taken(w);
    life_leave(w, domain);
    free_domain(domain);
}

/* ---- the rest of a scanner ---- */

static int fd(void *opaque)
{
    return ((struct workers *)opaque)->epoll;
}

static void tick(void *opaque)
{
    struct workers *w = opaque;

    life_look(w);
    life_tick(w);
}

static uint64_t due(void *opaque)
{
    return life_due(opaque);
}

static uint64_t generation(void *opaque)
{
    return ((struct workers *)opaque)->generation;
}

static int reload(void *opaque)
{
    return link_reload(&((struct workers *)opaque)->link);
}

static void set_memory(void *opaque, scan_read *read, void *arg)
{
    struct workers *w = opaque;

    w->read = read;
    w->read_arg = arg;
}

static void set_registers(void *opaque,
                          int (*get)(void *arg, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out), void *arg)
{
    struct workers *w = opaque;

    w->get_registers = get;
    w->registers_arg = arg;
}

static uint32_t wants(void *opaque, bool decide)
{
    const struct workers *w = opaque;

    return decide ? w->decide : w->notify;
}

static void get_statistics(void *opaque, uint16_t domid, struct scan_statistics *out)
{
    struct workers *w = opaque;
    const struct domain *domain = find_domain(w, domid);

    memset(out, 0, sizeof(*out));
    if ( !domain )
        return;
    *out = domain->statistics;
    out->backing_off = domain->not_before > view_now();
    for ( const struct runner *runner = w->runners; runner; runner = runner->next )
        if ( runner->domain == domain && runner->life >= LIFE_IDLE )
            out->pid = runner->process.pid;
}

static void close_workers(void *opaque)
{
    struct workers *w = opaque;

    if ( !w )
        return;
    life_close(w);
    while ( w->domains )
    {
        struct domain *domain = w->domains;

        w->domains = domain->next;
        free_domain(domain);
    }
    poison_close(w->poison);
    if ( w->pending >= 0 )
        close(w->pending);
    if ( w->epoll >= 0 )
        close(w->epoll);
    free(w->program);
    free(w->directory);
    free(w->plugins);
    free(w->user);
    free(w->taken);
    free(w);
}

int workers_open(struct scanner *scanner, const struct workers_options *options, struct plugins_words *words)
{
    struct workers *w = calloc(1, sizeof(*w));
    struct epoll_event event = { .events = EPOLLIN };
    int rc = -ENOMEM;

    memset(scanner, 0, sizeof(*scanner));
    if ( !w )
        goto fail;
    w->epoll = w->pending = w->link.fd = w->link.pidfd = -1;
    w->options = *options;
    if ( !w->options.processes || w->options.processes > WORKERS_PROCESSES_MAX )
        w->options.processes = WORKERS_PROCESSES;
    w->program = strdup(options->program);
    w->directory = strdup(options->directory);
    w->plugins = strdup(options->plugins ? options->plugins : "");
    w->user = strdup(options->user);
    if ( !w->program || !w->directory || !w->plugins || !w->user )
        goto fail;
    rc = poison_open(&w->poison);
    if ( rc )
        goto fail;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->pending = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if ( w->epoll < 0 || w->pending < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->pending, &event) )
    {
        rc = -errno;
        goto fail;
    }
    rc = loader_start(w);
    if ( rc )
        goto fail;
    *scanner = (struct scanner){
        .opaque = w, .add_domain = add_domain, .remove_domain = remove_domain, .submit = submit, .take = take, .fd = fd,
        .tick = tick, .due = due, .generation = generation, .reload = reload, .set_memory = set_memory, .set_registers = set_registers,
        .wants = wants, .get_statistics = get_statistics, .close = close_workers,
    };
    return 0;

 fail:
    snprintf(words->text, sizeof(words->text), "workers cannot be started by %s: %s", options->program, strerror(-rc));
    close_workers(w);
    return rc;
}

int workers_wait(const struct scanner *scanner, uint32_t milliseconds, struct plugins_words *words)
{
    struct workers *w = scanner->opaque;
    uint64_t end = view_now() + (uint64_t)milliseconds * 1000000;

    while ( !w->generation )
    {
        struct pollfd pollfd = { w->epoll, POLLIN, 0 };
        uint64_t now = view_now();

        if ( w->refused )
        {
            *words = w->words;
            return -EPROTO;
        }
        if ( w->link.fd < 0 )
        {
            snprintf(words->text, sizeof(words->text),
                     "%s, which loads plugins, has ended before it had: see whether it is there and can be executed, and which "
                     "plugin it ends of", w->program);
            return -EPROTO;
        }
        if ( now >= end )
        {
            snprintf(words->text, sizeof(words->text), "plugins are not loaded after %u ms", milliseconds);
            return -ETIME;
        }
        poll(&pollfd, 1, (end - now) / 1000000 + 1);
        life_look(w);
    }
    return 0;
}

int workers_reload(const struct scanner *scanner)
{
    return reload(scanner->opaque);
}
