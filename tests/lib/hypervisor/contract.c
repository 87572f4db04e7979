/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hypervisor.h promises of paging and of its channels, asked one by one of a guest that uses its pages meanwhile.  That
 * the guest finds its bytes unchanged is for the guest to say.  Sharing and access rights are in the files beside this.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "contract-private.h"

/* In which another vCPU that is going to touch a page has done so. */
#define SETTLE_MS   1000
/* Times that a page is nominated and evicted before it must have worked: a touch may come in between. */
#define TRIES       1000
/* Pages out at a time, and times that a case with chance in it is repeated. */
#define PAGES       8
#define ROUNDS      10

void contract_fail(struct contract *c, const char *file, int line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    printf("  %s:%d: ", file, line);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
    c->failures++;
}

#define fail(c, line, ...) contract_fail((c), "contract.c", (line), __VA_ARGS__)

double contract_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* ---- operations ---- */

static struct hypervisor_operation operation(const struct contract *c, uint32_t call, unsigned int page)
{
    return (struct hypervisor_operation){
        .call = call, .domid = c->domid, .gfn = c->first + page,
        .data = call == PAGING_EVICT || call == PAGING_LOAD ? c->pages + (size_t)page * HYPERVISOR_PAGE_SIZE : NULL,
    };
}

/* One operation's status. */
static int carry_out(struct contract *c, uint32_t call, unsigned int page)
{
    struct hypervisor_operation one = operation(c, call, page);
    int rc = c->hv->ops->submit(c->hv, &one, 1);

    return rc ? rc : one.status;
}

/* Nominates, evicts and asks in one submission, until the guest does not come in between. */
bool contract_take_out(struct contract *c, unsigned int page)
{
    struct hypervisor_operation steps[3];
    unsigned int i;

    for ( i = 0; i < TRIES; i++ )
    {
        steps[0] = operation(c, PAGING_NOMINATE, page);
        steps[1] = operation(c, PAGING_EVICT, page);
        steps[2] = operation(c, PAGING_QUERY, page);
        EXPECT(c, c->hv->ops->submit(c->hv, steps, 3), 0);
        if ( !steps[1].status )
        {
            c->is_out[page] = true;
            EXPECT(c, steps[0].status, 0);
            EXPECT(c, steps[2].status, 0);
            return true;
        }
        if ( steps[1].status != -EAGAIN && steps[1].status != -EBUSY && steps[1].status != -EFAULT )
            break;
    }
    fail(c, __LINE__, "a page was not evicted: %d", steps[1].status);

    return false;
}

void contract_load(struct contract *c, unsigned int page)
{
    int rc;

    if ( !c->is_out[page] )
        return;
    rc = carry_out(c, PAGING_LOAD, page);
    if ( rc )
        fail(c, __LINE__, "a page was not loaded: %d", rc);
    c->is_out[page] = false;
}

/* ---- events ---- */

bool contract_wait_event(struct contract *c, struct memevent_event *event, int patience_ms)
{
    struct pollfd one = { .fd = memevent_fd(c->channel), .events = POLLIN };
    double end = contract_now() + patience_ms / 1000.0;
    int rc;

    for ( ;; )
    {
        rc = memevent_next(c->channel, event);
        if ( rc == 1 )
            return true;
        EXPECT(c, rc, 0);
        rc = memevent_arm(c->channel);
        EXPECT(c, rc == 0 || rc == 1, 1);
        if ( rc < 0 || (rc == 0 && poll(&one, 1, patience_ms) != 1) || contract_now() > end )
            return false;
    }
}

static bool next_event(struct contract *c, struct memevent_event *event)
{
    bool came = contract_wait_event(c, event, PATIENCE_MS);

    if ( !came )
        fail(c, __LINE__, "no event came");

    return came;
}

/* What vCPUs ask for by now, at least one and at most max requests: some may wait for each other and not for us. */
static unsigned int collect(struct contract *c, struct memevent_event *events, unsigned int max)
{
    unsigned int held = next_event(c, &events[0]);

    while ( held && held < max && contract_wait_event(c, &events[held], SETTLE_MS) )
        held++;

    return held;
}

/* Which of our pages the event is about, or -1. */
static int page_of(struct contract *c, const struct memevent_event *event)
{
    if ( event->kind != MEMEVENT_PAGING_POPULATE || event->gfn < c->first || event->gfn >= c->first + c->count )
    {
        fail(c, __LINE__, "an event of kind %u for frame %llx that nobody has", event->kind,
             (unsigned long long)event->gfn);
        return -1;
    }

    return event->gfn - c->first;
}

static void answer(struct contract *c, const struct memevent_event *event)
{
    EXPECT(c, memevent_answer(c->channel, event->id), 0);
}

/* All that is out comes in, and whoever waits goes on. */
static void load_all(struct contract *c)
{
    struct memevent_event event;
    unsigned int page;

    for ( page = 0; page < c->count; page++ )
        contract_load(c, page);
    while ( memevent_next(c->channel, &event) == 1 )
        answer(c, &event);
    EXPECT(c, memevent_flush(c->channel), 0);
}

bool contract_attach(struct contract *c, enum memevent_class class)
{
    const char *why = NULL;
    int rc = memevent_attach(c->hv, class, class == MEMEVENT_CLASS_INVALIDATE ? MEMEVENT_HOST : c->domid, &c->channel,
                             &why);

    if ( rc )
        fail(c, __LINE__, "cannot attach: %d%s%s", rc, why ? ", " : "", why ? why : "");

    return !rc;
}

static bool attach(struct contract *c)
{
    return contract_attach(c, MEMEVENT_CLASS_PAGING);
}

void contract_detach(struct contract *c)
{
    memevent_detach(c->channel);
    c->channel = NULL;
}

static int get_info(struct contract *c, struct memevent_channel_info *info)
{
    return c->hv->ops->get_channel_info(c->hv, MEMEVENT_CLASS_PAGING, c->domid, info);
}

/* ---- the cases ---- */

static void case_refusals(struct contract *c)
{
    static struct hypervisor_operation many[HYPERVISOR_BATCH_MAX + 1];
    struct hypervisor_operation one = operation(c, PAGING_QUERY, 0);
    struct domain_info info;

    EXPECT(c, c->hv->ops->submit(c->hv, many, HYPERVISOR_BATCH_MAX + 1), -EINVAL);
    one.pad = 1;
    EXPECT(c, c->hv->ops->submit(c->hv, &one, 1), -EINVAL);
    one = operation(c, PAGING_QUERY, 0);
    /* The highest that a domain can have, and nobody's. */
    one.domid = 0x7fef;
    EXPECT(c, c->hv->ops->submit(c->hv, &one, 1), 0);
    EXPECT(c, one.status, -ESRCH);
    EXPECT(c, c->hv->ops->get_domain(c->hv, 0x7fef, &info), -ESRCH);
    EXPECT(c, c->hv->ops->get_domain(c->hv, c->domid, &info), 0);
    EXPECT(c, info.domid, c->domid);
    EXPECT(c, info.is_hvm && info.has_hap && !info.is_dying, 1);
}

static void case_attach(struct contract *c)
{
    struct memevent_channel_info info;
    struct memevent_channel *second;
    const char *why = NULL;

    EXPECT(c, get_info(c, &info), -ENOENT);
    EXPECT(c, memevent_attach(c->hv, MEMEVENT_CLASS_PAGING, 0x7fef, &second, &why), -ESRCH);
    if ( !attach(c) )
        return;
    EXPECT(c, memevent_can_reattach(c->channel), 1);
    EXPECT(c, memevent_reports_touches(c->channel), 0);
    EXPECT(c, memevent_get_redelivered(c->channel), 0);
    EXPECT(c, memevent_attach(c->hv, MEMEVENT_CLASS_PAGING, c->domid, &second, &why), -EBUSY);
    EXPECT(c, get_info(c, &info), 0);
    EXPECT(c, info.attachments, 1);
    EXPECT(c, info.produced + info.answered + info.outstanding, 0);
    contract_detach(c);
    /* Nothing is out, nothing unanswered: it has ended, and the next one is new. */
    EXPECT(c, get_info(c, &info), -ENOENT);
    if ( !attach(c) )
        return;
    EXPECT(c, get_info(c, &info), 0);
    EXPECT(c, info.attachments, 1);
    /* Left, it waits for the next even so. */
    memevent_leave(c->channel);
    c->channel = NULL;
    EXPECT(c, get_info(c, &info), 0);
    if ( !attach(c) )
        return;
    EXPECT(c, get_info(c, &info), 0);
    EXPECT(c, info.attachments, 2);
    contract_detach(c);
    EXPECT(c, get_info(c, &info), -ENOENT);
}

static void case_states(struct contract *c)
{
    struct hypervisor_operation empty_load = operation(c, PAGING_LOAD, 0);
    struct memevent_event event;
    uint8_t state = 0;

    if ( !attach(c) )
        return;
    EXPECT(c, carry_out(c, PAGING_RELEASE, 0), -ENOENT);
    EXPECT(c, carry_out(c, PAGING_QUERY, 0), -ENOENT);
    EXPECT(c, carry_out(c, PAGING_LOAD, 0), -ENOENT);
    EXPECT(c, carry_out(c, PAGING_EVICT, 0), -EAGAIN);

    if ( contract_take_out(c, 0) )
    {
        EXPECT(c, c->hv->ops->query_frames(c->hv, c->domid, c->first, 1, &state), 0);
        EXPECT(c, state, FRAME_EMPTY);
        EXPECT(c, carry_out(c, PAGING_QUERY, 0), 0);
        EXPECT(c, carry_out(c, PAGING_NOMINATE, 0), -EBUSY);
        EXPECT(c, carry_out(c, PAGING_RELEASE, 0), -ENOENT);
        /* Its bytes are in our hands: they must not be written over. */
        {
            struct hypervisor_operation again = operation(c, PAGING_EVICT, 1);

            again.gfn = c->first;
            EXPECT(c, c->hv->ops->submit(c->hv, &again, 1), 0);
            EXPECT(c, again.status, -EAGAIN);
        }
        empty_load.data = NULL;
        EXPECT(c, c->hv->ops->submit(c->hv, &empty_load, 1), 0);
        EXPECT(c, empty_load.status, -EINVAL);

        if ( next_event(c, &event) )
        {
            EXPECT(c, page_of(c, &event), 0);
            EXPECT(c, event.flags & MEMEVENT_FLAG_AGAIN, 0);
            EXPECT(c, !!(event.flags & MEMEVENT_FLAG_VCPU_PAUSED), !(event.flags & MEMEVENT_FLAG_FOREIGN));
            EXPECT(c, event.id != 0, 1);
            contract_load(c, 0);
            EXPECT(c, carry_out(c, PAGING_QUERY, 0), -ENOENT);
            EXPECT(c, carry_out(c, PAGING_LOAD, 0), -ENOENT);
            answer(c, &event);
            EXPECT(c, memevent_answer(c->channel, event.id), -EALREADY);
            EXPECT(c, memevent_answer(c->channel, event.id + (1ull << 40)), -ENOENT);
            EXPECT(c, memevent_answer(c->channel, 0), -ENOENT);
        }
        load_all(c);
        EXPECT(c, c->hv->ops->query_frames(c->hv, c->domid, c->first, 1, &state), 0);
        EXPECT(c, state, FRAME_RAM);
    }
    contract_detach(c);
}

/* A touch takes the mark away; nobody is told, and nobody waits. */
static void case_touch(struct contract *c)
{
    struct memevent_event event;
    double end = contract_now() + PATIENCE_MS / 1000.0;
    int rc;

    if ( !attach(c) )
        return;
    EXPECT(c, carry_out(c, PAGING_NOMINATE, 1), 0);
    do {
        rc = carry_out(c, PAGING_QUERY, 1);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    } while ( rc == -EAGAIN && contract_now() < end );
    EXPECT(c, rc, -ENOENT);
    EXPECT(c, carry_out(c, PAGING_EVICT, 1), -EAGAIN);
    EXPECT(c, memevent_next(c->channel, &event), 0);
    contract_detach(c);
}

static void case_release(struct contract *c)
{
    const uint32_t calls[] = { PAGING_NOMINATE, PAGING_QUERY, PAGING_RELEASE, PAGING_QUERY, PAGING_EVICT };
    struct hypervisor_operation steps[5];
    unsigned int i, step;

    if ( !attach(c) )
        return;
    for ( i = 0; i < TRIES; i++ )
    {
        for ( step = 0; step < 5; step++ )
            steps[step] = operation(c, calls[step], 2);
        EXPECT(c, c->hv->ops->submit(c->hv, steps, 5), 0);
        EXPECT(c, steps[0].status, 0);
        EXPECT(c, steps[3].status, -ENOENT);
        EXPECT(c, steps[4].status, -EAGAIN);
        /* Else a touch was first. */
        if ( steps[1].status == -EAGAIN && !steps[2].status )
            break;
        EXPECT(c, steps[2].status, -ENOENT);
    }
    EXPECT(c, i < TRIES, 1);
    contract_detach(c);
}

/* As many requests as there are vCPUs, or nearly, answered from the last to the first, and in any order. */
static void case_orders(struct contract *c)
{
    struct memevent_event events[PAGES], swap;
    struct memevent_statistics statistics;
    struct memevent_channel_info info;
    struct domain_info domain;
    unsigned int round, page, held, most, together = 0, i, j;

    EXPECT(c, c->hv->ops->get_domain(c->hv, c->domid, &domain), 0);
    most = domain.vcpus < PAGES ? domain.vcpus : PAGES;
    if ( !attach(c) )
        return;
    for ( round = 0; round < ROUNDS; round++ )
    {
        /* All of them, so that each vCPU meets one. */
        for ( page = 0; page < c->count; page++ )
            contract_take_out(c, page);
        held = collect(c, events, most);
        together = held > together ? held : together;
        for ( i = 0; i < held; i++ )
            if ( page_of(c, &events[i]) >= 0 )
                contract_load(c, page_of(c, &events[i]));
        memevent_get_statistics(c->channel, &statistics);
        EXPECT(c, statistics.outstanding, held);
        for ( i = held; round && i-- > 1; )
        {
            j = rand() % (i + 1);
            swap = events[i];
            events[i] = events[j];
            events[j] = swap;
        }
        while ( held )
            answer(c, &events[--held]);
        load_all(c);
    }
    EXPECT(c, get_info(c, &info), 0);
    EXPECT(c, info.unknown + info.repeated + info.malformed + info.overruns, 0);
    EXPECT(c, info.outstanding_max >= together, 1);
    EXPECT(c, info.produced >= ROUNDS, 1);
    /* Else there was only one order. */
    EXPECT(c, together > 1 || most == 1, 1);
    contract_detach(c);
}

/* What was not answered comes again to the next consumer, under its id; what was answered does not. */
static void case_left(struct contract *c)
{
    struct memevent_event events[PAGES], event;
    struct memevent_channel_info info;
    struct domain_info domain;
    unsigned int round, page, held, most, again, i;

    EXPECT(c, c->hv->ops->get_domain(c->hv, c->domid, &domain), 0);
    most = domain.vcpus < PAGES ? domain.vcpus : PAGES;
    for ( round = 0; round < ROUNDS; round++ )
    {
        if ( !attach(c) )
            return;
        for ( page = 0; page < c->count; page++ )
            contract_take_out(c, page);
        held = collect(c, events, most);
        if ( !held )
            break;
        /* One is answered, and the rest is left. */
        if ( page_of(c, &events[0]) >= 0 )
            contract_load(c, page_of(c, &events[0]));
        answer(c, &events[0]);
        EXPECT(c, memevent_flush(c->channel), 0);
        memevent_leave(c->channel);
        c->channel = NULL;

        EXPECT(c, get_info(c, &info), 0);
        EXPECT(c, info.attachments, 1);
        if ( !attach(c) )
            return;
        again = memevent_get_redelivered(c->channel);
        EXPECT(c, again >= held - 1, 1);
        for ( ; again && next_event(c, &event); again-- )
        {
            EXPECT(c, !!(event.flags & MEMEVENT_FLAG_AGAIN), 1);
            EXPECT(c, event.id != events[0].id, 1);
            for ( i = 1; i < held; i++ )
                if ( events[i].id == event.id )
                {
                    EXPECT(c, event.gfn, events[i].gfn);
                    EXPECT(c, event.vcpu, events[i].vcpu);
                    events[i].id = 0;
                }
            if ( page_of(c, &event) >= 0 )
                contract_load(c, page_of(c, &event));
            answer(c, &event);
        }
        for ( i = 1; i < held; i++ )
            EXPECT(c, events[i].id, 0);
        EXPECT(c, get_info(c, &info), 0);
        EXPECT(c, info.attachments, 2);
        load_all(c);
        contract_detach(c);
    }
}

/* A channel with pages out does not end: who detaches leaves it, and the pages can be had by the next. */
static void case_pages_out(struct contract *c)
{
    struct memevent_channel_info info;

    if ( !attach(c) )
        return;
    contract_take_out(c, 3);
    contract_detach(c);
    EXPECT(c, get_info(c, &info), 0);
    if ( !attach(c) )
        return;
    EXPECT(c, get_info(c, &info), 0);
    EXPECT(c, info.attachments, 2);
    EXPECT(c, carry_out(c, PAGING_QUERY, 3), 0);
    load_all(c);
    contract_detach(c);
    EXPECT(c, get_info(c, &info), -ENOENT);
}

struct contract_case {
    const char *name;
    void (*run)(struct contract *c);
};

static int run(struct contract *c, const struct contract_case *cases, unsigned int number)
{
    unsigned int i, before;

    c->pages = c->hv->ops->alloc_buffer(c->hv, c->count);
    c->is_out = calloc(c->count, sizeof(*c->is_out));
    if ( !c->pages || !c->is_out || c->count < PAGES )
        fail(c, __LINE__, "no memory, or fewer than %u frames", PAGES);
    else
        for ( i = 0; i < number; i++ )
        {
            before = c->failures;
            cases[i].run(c);
            printf("%s %u - %s\n", c->failures == before ? "ok" : "not ok", i + 1, cases[i].name);
            fflush(stdout);
        }
    if ( c->pages )
        c->hv->ops->free_buffer(c->hv, c->pages, c->count);
    free(c->is_out);

    return c->failures;
}

int contract_run(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count,
                 const struct contract_means *means)
{
    static const struct contract_case cases[] = {
        { "refusals", case_refusals },
        { "attaching", case_attach },
        { "the states of a page", case_states },
        { "a touch of a marked page", case_touch },
        { "taking a mark back", case_release },
        { "answers in any order", case_orders },
        { "unanswered requests come again", case_left },
        { "a channel with pages out", case_pages_out },
        { "a page that is out, and dom0", contract_foreign },
        { "what becomes of shared pages", contract_sharing },
        { "records of it", contract_records },
        { "a copy without memory", contract_no_memory },
        { "access rights", contract_access },
    };
    struct contract c = { .hv = hv, .domid = domid, .first = first, .count = count, .means = means };

    return run(&c, cases, sizeof(cases) / sizeof(cases[0]));
}

int contract_run_stock(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count)
{
    static const struct contract_case cases[] = {
        { "what becomes of shared pages", contract_sharing },
    };
    struct contract c = { .hv = hv, .domid = domid, .first = first, .count = count };

    return run(&c, cases, sizeof(cases) / sizeof(cases[0]));
}
