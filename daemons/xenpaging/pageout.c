/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages on their way out: nominate what the clock offers, evict what stayed untouched, in bounded steps
 * between page-ins; and the way back for a domain that is to have everything in.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <daemon/log.h>

#include "paged.h"

/* Nominations a call: cheap, no bytes move. */
#define NOMINATE_PAGES    256U

/* Nominated pages beyond what must go now: the queue in which a page shows that it is still in use. */
#define QUEUE_SHARE       16U     /* one in so many resident pages, and */
#define QUEUE_LEAST       128U

/* A smaller excess waits for company this long: each step costs the same few system calls. */
#define EXCESS_BATCH      16
#define EXCESS_WAIT_MS    100U

/* So far below the target pages are brought back unasked; less is the ordinary swing around it. */
#define SLACK_PAGES       64

/* While faults came within this time, steps are short. */
#define BUSY_MS           20U

/* A full store is asked again this often. */
#define STORE_RETRY_MS    1000U

/* Evictions made to find memory for a page-in that the host had none for. */
#define MEMORY_SHORT_PAGES 32

/* The device model is asked to let go of its mappings at most this often. */
#define FLUSH_CACHE_MS    5000U

/* Random pages a second for the working-set estimate: 30 s of them are 480 samples, a standard error of 2 %. */
#define SAMPLES_A_SECOND  16U

/*
 * Nominations given back by a touch in one step.  Each takes a place on a stock ring's eight until it is answered, and
 * a vCPU that finds none has to wait in Xen for one: so, few.
 */
#define RELEASE_PAGES     2U

/* Frames looked at a second for nominated ones, which are asked about. */
#define ASK_FRAMES        16384U

/* How fresh the hypervisor's count of the domain's pages must be. */
#define INFO_AGE_MS       20U

/* It was refused so often that it may not be there any more: a nominated page that the guest gives up goes silently. */
static bool is_gone(struct paged *d, uint64_t gfn)
{
    struct pager *p = d->pager;
    uint8_t state;

    if ( !choose_refused(d->choose, gfn, p->now) ||
         p->hv->ops->query_frames(p->hv, d->domid, gfn, 1, &state) || state != FRAME_EMPTY )
        return false;
    pages_set(d->pages, pages_find(d->pages, gfn), PAGE_ABSENT, p->now);
    return true;
}

static unsigned int nominate(struct paged *d, const uint64_t *gfns, unsigned int count, uint8_t flags)
{
    struct hypervisor_operation ops[NOMINATE_PAGES];
    struct pager *p = d->pager;
    unsigned int accepted = 0;

    if ( !count )
        return 0;
    for ( unsigned int i = 0; i < count; i++ )
        ops[i] = (struct hypervisor_operation){
            .call = PAGING_NOMINATE, .domid = d->domid, .gfn = gfns[i],
        };
    if ( p->hv->ops->submit(p->hv, ops, count) )
        return 0;
    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( !ops[i].status )
        {
            choose_nominated(d->choose, gfns[i], flags, p->now);
            accepted++;
        }
        else if ( ops[i].status != -ESRCH )
            is_gone(d, gfns[i]);
    }
    return accepted;
}

/* Asks about nominated pages, where no event tells of a touch. */
static void ask(struct paged *d, const uint64_t *gfns, unsigned int count)
{
    struct hypervisor_operation ops[NOMINATE_PAGES];
    struct pager *p = d->pager;

    for ( unsigned int i = 0; i < count; i++ )
        ops[i] = (struct hypervisor_operation){ .call = PAGING_QUERY, .domid = d->domid, .gfn = gfns[i] };
    if ( !count || p->hv->ops->submit(p->hv, ops, count) )
        return;
    for ( unsigned int i = 0; i < count; i++ )
        if ( ops[i].status == -ENOENT )
            choose_touched(d->choose, gfns[i], p->now);
}

/* Some of the nominated pages in their turn: those that nobody evicts should not be taken for cold for ever. */
static void ask_some(struct paged *d)
{
    uint64_t gfns[NOMINATE_PAGES];
    unsigned int count = 0;

    for ( unsigned int looked = 0; looked < ASK_FRAMES && count < NOMINATE_PAGES; looked++, d->ask_from++ )
    {
        const struct page *page = pages_next(d->pages, &d->ask_from);

        if ( !page )
        {
            d->ask_from = 0;
            break;
        }
        if ( page->state == PAGE_NOMINATED )
            gfns[count++] = d->ask_from;
    }
    ask(d, gfns, count);
}

void pageout_mark(struct paged *d, uint64_t gfn)
{
    const struct page *page = pages_find(d->pages, gfn);

    /* A marker that nobody hears of is none. */
    if ( d->reports_touches && page && page->state == PAGE_RESIDENT )
        nominate(d, &gfn, 1, PAGE_MARKER);
}

void pageout_sample(struct paged *d)
{
    uint64_t gfns[SAMPLES_A_SECOND];

    if ( d->phase == PAGED_RUNNING && !d->failed )
        nominate(d, gfns, choose_samples(d->choose, gfns, SAMPLES_A_SECOND), PAGE_SAMPLED);
    if ( !d->reports_touches && d->phase != PAGED_GONE )
    {
        ask(d, gfns, choose_due(d->choose, gfns, SAMPLES_A_SECOND, d->pager->now));
        ask_some(d);
    }
    choose_tick(d->choose, d->pager->now);
}

/* The page is out and its bytes are in the buffer, and there is room for them in the store. */
static void keep(struct paged *d, uint64_t gfn, void *bytes)
{
    struct pager *p = d->pager;
    int rc = store_put(d->store, gfn, bytes);

    if ( rc == -EEXIST )
    {
        /* The guest gave this frame up once and the message was lost on the way: the old bytes are nobody's. */
        pagein_forget(d, gfn);
        rc = store_put(d->store, gfn, bytes);
    }
    if ( !rc )
    {
        choose_evicted(d->choose, gfn, p->now);
        d->pages_now--;
        d->statistics.paged_out++;
        return;
    }
    log_message(LOG_ERR, LOG_DOMAIN(d->domid, d->name, "store-refused"),
                "page %#" PRIx64 " could not be stored (%s) and goes back to the guest", gfn, strerror(-rc));
    pagein_return(d, gfn, bytes);
}

/* Evicts up to max pages of those that waited untouched.  Returns how many went. */
static unsigned int evict(struct paged *d, unsigned int max, bool all_ages)
{
    struct hypervisor_operation ops[STEP_PAGES];
    uint64_t gfns[STEP_PAGES];
    struct pager *p = d->pager;
    unsigned int room, count, gone = 0;
    int rc;

    /* Each may have to go straight back (keep()), and then needs a buffer to do so from. */
    if ( max > p->free_load_count )
        max = p->free_load_count;
    if ( !max )
        return 0;
    room = store_reserve(p->store, max);
    if ( !room )
    {
        if ( !p->store_full )
            log_message(LOG_WARNING, LOG_HOST("store-full"),
                        "there is no more room for pages: targets cannot be reached. Raise memory-limit or spill-limit, "
                        "or make room in %s", p->settings->spill_directory);
        p->store_full = true;
        p->store_full_at = p->now;
        return 0;
    }
    p->store_full = false;
    count = choose_victims(d->choose, gfns, room, all_ages, p->now);
    store_unreserve(p->store, room - count);
    if ( !count )
        return 0;

    for ( unsigned int i = 0; i < count; i++ )
        ops[i] = (struct hypervisor_operation){
            .call = PAGING_EVICT, .domid = d->domid, .status = -EIO, .gfn = gfns[i],
            .data = (char *)store_stage_pages(p->stage) + (size_t)i * HYPERVISOR_PAGE_SIZE,
        };
    store_stage_begin(p->stage, d->domid, gfns, count);
    rc = p->hv->ops->submit(p->hv, ops, count);
    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( !ops[i].status )
        {
            keep(d, gfns[i], ops[i].data);
            gone++;
        }
        else if ( ops[i].status == -EAGAIN )
        {
            /* Its second chance: touched meanwhile, where no event tells of it. */
            store_unreserve(p->store, 1);
            choose_touched(d->choose, gfns[i], p->now);
        }
        else if ( ops[i].status == -EFAULT )
        {
            /* Linux moved the page that its bytes were to go to: it is for the next time, if it still can go. */
            store_unreserve(p->store, 1);
            choose_put_back(d->choose, gfns[i], p->now);
        }
        else
        {
            /* Touched meanwhile (an event says so), or mapped by dom0: it stays nominated and waits its turn again. */
            store_unreserve(p->store, 1);
            if ( rc || ops[i].status == -ESRCH || !is_gone(d, gfns[i]) )
                choose_put_back(d->choose, gfns[i], p->now);
        }
    }
    /* All are in the store, or back. */
    store_stage_end(p->stage);
    return gone;
}

/* A device model keeps parts of the guest mapped, which pins them.  It may not listen; then they stay. */
static void ask_for_mappings(struct paged *d)
{
    struct pager *p = d->pager;
    char path[96], state[16];

    if ( p->now - d->last_flush < FLUSH_CACHE_MS )
        return;
    d->last_flush = p->now;
    snprintf(path, sizeof(path), "/local/domain/0/device-model/%u/state", d->domid);
    if ( p->hv->ops->read_key(p->hv, path, state, sizeof(state)) < 0 )
        return;
    snprintf(path, sizeof(path), "/local/domain/0/device-model/%u/command", d->domid);
    p->hv->ops->write_key(p->hv, path, "flush-cache");
}

static uint64_t excess(const struct paged *d)
{
    int64_t more = d->target == TARGET_NONE ? 0 : d->pages_now - (int64_t)d->target;

    if ( d->pager->memory_short && more < MEMORY_SHORT_PAGES )
        more = MEMORY_SHORT_PAGES;
    return more > 0 ? more : 0;
}

static bool nominate_more(struct paged *d, uint64_t need)
{
    uint64_t gfns[NOMINATE_PAGES];
    uint64_t resident = pages_count(d->pages, PAGE_RESIDENT);
    uint64_t queued = pages_count(d->pages, PAGE_NOMINATED);
    uint64_t wanted = need + resident / QUEUE_SHARE + QUEUE_LEAST;
    unsigned int count;

    if ( queued >= wanted || !resident )
        return false;
    count = wanted - queued < NOMINATE_PAGES ? wanted - queued : NOMINATE_PAGES;
    count = choose_nominees(d->choose, gfns, count);
    return nominate(d, gfns, count, 0) > 0;
}

static bool step_out(struct paged *d)
{
    struct pager *p = d->pager;
    uint64_t need = excess(d);
    unsigned int step = p->now - d->last_fault < BUSY_MS ? STEP_PAGES_BUSY : STEP_PAGES;
    unsigned int gone = 0;
    bool nominated;

    if ( !need || (p->store_full && p->now - p->store_full_at < STORE_RETRY_MS) )
        return false;
    if ( need < EXCESS_BATCH && p->now - d->last_evict < EXCESS_WAIT_MS )
        return false;
    nominated = nominate_more(d, need);
    gone = evict(d, need < step ? need : step, false);
    if ( gone )
    {
        d->last_evict = p->now;
        choose_set_pressed(d->choose, false);
    }
    else if ( !nominated && !p->store_full )
    {
        choose_set_pressed(d->choose, true);
        ask_for_mappings(d);
    }
    return gone || nominated;
}

static bool step_in(struct paged *d, uint64_t wanted)
{
    if ( !store_count(d->store) )
        return false;
    return pagein_bring(d, wanted < STEP_PAGES_BUSY ? wanted : STEP_PAGES_BUSY) > 0;
}

/* Gives nominations back, where there is a call for that. */
static bool release_all(struct paged *d)
{
    struct hypervisor_operation ops[NOMINATE_PAGES];
    struct pager *p = d->pager;
    unsigned int count = 0;

    for ( ; count < NOMINATE_PAGES; d->release_from++ )
    {
        const struct page *page = pages_next(d->pages, &d->release_from);

        if ( !page )
        {
            d->release_from = 0;
            break;
        }
        if ( page->state == PAGE_NOMINATED )
            ops[count++] = (struct hypervisor_operation){
                .call = PAGING_RELEASE, .domid = d->domid, .gfn = d->release_from,
            };
    }
    if ( !count || p->hv->ops->submit(p->hv, ops, count) )
        return false;
    for ( unsigned int i = 0; i < count; i++ )
        if ( !ops[i].status || ops[i].status == -ENOENT )
            choose_released(d->choose, ops[i].gfn, p->now);
    return true;
}

/*
 * Gives nominations back.  A stock hypervisor has no call for that: what can be evicted is, and comes back in with the
 * rest; what dom0 has mapped cannot be, and is touched on the guest's behalf.
 */
static bool release_step(struct paged *d)
{
    struct pager *p = d->pager;
    unsigned int given = 0;

    if ( !pages_count(d->pages, PAGE_NOMINATED) )
        return false;
    if ( !d->reports_touches )
        return release_all(d);
    if ( evict(d, STEP_PAGES_BUSY, true) )
        return true;
    for ( unsigned int asked = 0; asked < RELEASE_PAGES; d->release_from++ )
    {
        const struct page *page = pages_next(d->pages, &d->release_from);
        struct hypervisor_operation touch = { .call = PAGING_RELEASE, .domid = d->domid };

        if ( !page )
        {
            d->release_from = 0;
            break;
        }
        if ( page->state != PAGE_NOMINATED )
            continue;
        touch.gfn = d->release_from;
        if ( p->hv->ops->submit(p->hv, &touch, 1) )
            break;
        asked++;
        if ( touch.status == -ENOENT )
        {
            choose_touched(d->choose, touch.gfn, p->now);
            given++;
        }
    }
    /* What nobody answers to now is asked again with the next round that something else starts. */
    return pagein_serve(d) || given;
}

bool pageout_step(struct paged *d)
{
    if ( d->phase == PAGED_GONE )
        return false;
    if ( pagein_rescan(d) )
        return true;
    if ( d->phase == PAGED_LEAVING )
        return step_in(d, STEP_PAGES_BUSY) || (!store_count(d->store) && release_step(d));
    if ( d->failed )
        return false;
    if ( paged_scan_step(d) )
        return true;
    paged_refresh(d, INFO_AGE_MS);
    /* While somebody finds no memory nothing is brought in unasked. */
    if ( d->target == TARGET_NONE || (d->pages_now + SLACK_PAGES < (int64_t)d->target && !d->pager->memory_short) )
        return step_in(d, d->target == TARGET_NONE ? STEP_PAGES_BUSY : d->target - d->pages_now);
    return step_out(d);
}
