/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock hand, the queue of nominated pages, the working-set samples.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "choose.h"

/* Frames looked at in one call, so that a domain of hot pages does not hold up everybody's page-ins. */
#define SCAN_MAX      4096U

/* Samples that wait to be settled: SAMPLES_A_SECOND (see pageout.c) times CHOOSE_SAMPLE_MS, with room. */
#define SAMPLES_MAX   1024U

/* The estimate is an average in which a sample's weight halves over about this many later ones. */
#define SAMPLE_WEIGHT 256.0

/* Queue growth: starts here, doubles. */
#define QUEUE_START   1024U

const uint32_t choose_age_seconds[CHOOSE_AGES - 1] = { 1, 10, 60, 600 };

/* An entry is good only while its page is still nominated since then: pages leave without a search. */
struct nominated {
    uint64_t gfn;
    uint32_t since;
};

struct choose {
    struct pages *pages;
    uint64_t hand;
    uint64_t random;
    uint32_t grace;

    struct nominated *queue;      /* ring; queue_size is a power of two */
    uint32_t queue_size, queue_head, queue_count;

    struct nominated samples[SAMPLES_MAX];
    uint32_t sample_head, sample_count;
    double cold_share;            /* of the samples, 0..1 */
    uint64_t settled;

    uint64_t nominated, refused, touched, evicted;
};

int choose_open(struct pages *pages, struct choose **out)
{
    struct choose *c = calloc(1, sizeof(*c));

    *out = NULL;
    if ( !c )
        return -ENOMEM;
    c->pages = pages;
    c->grace = CHOOSE_GRACE_MS;
    c->queue_size = QUEUE_START;
    c->queue = calloc(c->queue_size, sizeof(*c->queue));
    /* Where the samples fall must not be predictable to a guest; without randomness they are merely regular. */
    if ( getrandom(&c->random, sizeof(c->random), GRND_NONBLOCK) != sizeof(c->random) || !c->random )
        c->random = UINT64_C(0x9e3779b97f4a7c15);
    if ( !c->queue )
    {
        choose_close(c);
        return -ENOMEM;
    }
    *out = c;
    return 0;
}

void choose_close(struct choose *c)
{
    if ( !c )
        return;
    free(c->queue);
    free(c);
}

static uint64_t next_random(struct choose *c)
{
    /* xorshift64* (Vigna): for spreading samples, nothing else. */
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    return c->random * UINT64_C(0x2545f4914f6cdd1d);
}

unsigned int choose_nominees(struct choose *c, uint64_t *gfns, unsigned int max)
{
    uint64_t start = c->hand;
    unsigned int found = 0;
    bool wrapped = false;

    for ( unsigned int scanned = 0; scanned < SCAN_MAX && found < max; scanned++ )
    {
        struct page *page = pages_next(c->pages, &c->hand);

        if ( !page && !wrapped )
        {
            wrapped = true;
            c->hand = 0;
            page = pages_next(c->pages, &c->hand);
        }
        /* At most once around: a small domain's hot pages would lose all their heat, and cold ones come twice. */
        if ( !page || (wrapped && c->hand >= start) )
            break;
        if ( page->state == PAGE_RESIDENT )
        {
            if ( page->heat )
                page->heat--;
            else
                gfns[found++] = c->hand;
        }
        c->hand++;
    }
    return found;
}

unsigned int choose_samples(struct choose *c, uint64_t *gfns, unsigned int max)
{
    unsigned int found = 0;

    /* A pick that falls on a page that is not resident is not repeated: the estimate is of resident pages. */
    for ( unsigned int i = 0; i < max; i++ )
    {
        const struct page *page = pages_pick(c->pages, next_random(c), &gfns[found]);

        if ( page && page->state == PAGE_RESIDENT )
            found++;
    }
    return found;
}

static bool grow_queue(struct choose *c)
{
    struct nominated *queue = calloc((size_t)c->queue_size * 2, sizeof(*queue));

    if ( !queue )
        return false;
    for ( uint32_t i = 0; i < c->queue_count; i++ )
        queue[i] = c->queue[(c->queue_head + i) & (c->queue_size - 1)];
    free(c->queue);
    c->queue = queue;
    c->queue_size *= 2;
    c->queue_head = 0;
    return true;
}

/* Without memory for the queue the page stays nominated and unknown to it: it is not evicted, only touched. */
static void enqueue(struct choose *c, struct page *page, uint64_t gfn, uint32_t since)
{
    if ( c->queue_count == c->queue_size && !grow_queue(c) )
        return;
    page->flags |= PAGE_QUEUED;
    c->queue[(c->queue_head + c->queue_count++) & (c->queue_size - 1)] =
        (struct nominated){ .gfn = gfn, .since = since };
}

/* Marks it as taken: a page that was touched and nominated within one millisecond has two entries that look good. */
static bool take_if_nominated(struct choose *c, const struct nominated *entry)
{
    struct page *page = pages_find(c->pages, entry->gfn);

    if ( !page || page->state != PAGE_NOMINATED || !(page->flags & PAGE_QUEUED) || page->since != entry->since )
        return false;
    page->flags &= ~PAGE_QUEUED;
    return true;
}

void choose_nominated(struct choose *c, uint64_t gfn, uint8_t flags, uint32_t now)
{
    struct page *page = pages_find(c->pages, gfn);

    if ( !page )
        return;
    pages_set(c->pages, page, PAGE_NOMINATED, now);
    page->flags = flags;
    page->refusals = 0;
    c->nominated++;
    enqueue(c, page, gfn, now);
    if ( (flags & PAGE_SAMPLED) && c->sample_count < SAMPLES_MAX )
        c->samples[(c->sample_head + c->sample_count++) % SAMPLES_MAX] =
            (struct nominated){ .gfn = gfn, .since = now };
}

bool choose_refused(struct choose *c, uint64_t gfn, uint32_t now)
{
    struct page *page = pages_find(c->pages, gfn);

    (void)now;
    if ( !page )
        return false;
    c->refused++;
    if ( page->state == PAGE_RESIDENT )
        page->heat = PAGE_HEAT_MAX;
    if ( ++page->refusals < CHOOSE_REFUSALS_MAX )
        return false;
    page->refusals = 0;
    return true;
}

static void settle_sample(struct choose *c, bool cold)
{
    double weight = c->settled < SAMPLE_WEIGHT ? 1.0 / (double)(c->settled + 1) : 1.0 / SAMPLE_WEIGHT;

    c->cold_share += ((cold ? 1.0 : 0.0) - c->cold_share) * weight;
    c->settled++;
}

void choose_released(struct choose *c, uint64_t gfn, uint32_t now)
{
    struct page *page = pages_find(c->pages, gfn);

    if ( page && page->state == PAGE_NOMINATED )
        pages_set(c->pages, page, PAGE_RESIDENT, now);
}

void choose_touched(struct choose *c, uint64_t gfn, uint32_t now)
{
    struct page *page = pages_make(c->pages, gfn);

    if ( !page )
        return;
    if ( page->state == PAGE_NOMINATED )
        c->touched++;
    /* Its time as a sample is not over, or choose_tick() would have settled it. */
    if ( page->flags & PAGE_SAMPLED )
        settle_sample(c, false);
    pages_set(c->pages, page, PAGE_RESIDENT, now);
    page->refusals = 0;
    if ( page->heat < PAGE_HEAT_MAX )
        page->heat++;
}

unsigned int choose_victims(struct choose *c, uint64_t *gfns, unsigned int max, bool all_ages, uint32_t now)
{
    unsigned int found = 0;

    while ( found < max && c->queue_count )
    {
        const struct nominated *entry = &c->queue[c->queue_head];

        /* The queue is in order of time: behind a young one there are only younger ones. */
        if ( !all_ages && now - entry->since < c->grace )
            break;
        if ( take_if_nominated(c, entry) )
            gfns[found++] = entry->gfn;
        c->queue_head = (c->queue_head + 1) & (c->queue_size - 1);
        c->queue_count--;
    }
    return found;
}

void choose_put_back(struct choose *c, uint64_t gfn, uint32_t now)
{
    struct page *page = pages_find(c->pages, gfn);

    if ( !page || page->state != PAGE_NOMINATED )
        return;
    page->since = now;
    enqueue(c, page, gfn, now);
}

void choose_evicted(struct choose *c, uint64_t gfn, uint32_t now)
{
    struct page *page = pages_find(c->pages, gfn);
    uint8_t sampled;

    if ( !page )
        return;
    /* A sample goes on: whether somebody wants the page back is what it is to tell. */
    sampled = page->flags & PAGE_SAMPLED;
    c->evicted++;
    page->heat = 0;
    pages_set(c->pages, page, PAGE_OUT, now);
    page->flags |= sampled;
}

void choose_set_pressed(struct choose *c, bool pressed)
{
    if ( !pressed )
        c->grace = CHOOSE_GRACE_MS;
    else if ( c->grace / 2 >= CHOOSE_GRACE_LEAST_MS )
        c->grace /= 2;
}

/* Was it settled already?  Then its page is no sample any more, or is one again, with an entry behind this one. */
static bool is_settled(const struct choose *c, const struct nominated *sample)
{
    const struct page *page = pages_find(c->pages, sample->gfn);

    if ( !page || !(page->flags & PAGE_SAMPLED) )
        return true;
    for ( uint32_t i = 1; i < c->sample_count; i++ )
        if ( c->samples[(c->sample_head + i) % SAMPLES_MAX].gfn == sample->gfn )
            return true;
    return false;
}

unsigned int choose_due(const struct choose *c, uint64_t *gfns, unsigned int max, uint32_t now)
{
    unsigned int found = 0;

    for ( uint32_t i = 0; i < c->sample_count && found < max; i++ )
    {
        const struct nominated *sample = &c->samples[(c->sample_head + i) % SAMPLES_MAX];
        const struct page *page = pages_find(c->pages, sample->gfn);

        if ( now - sample->since < CHOOSE_SAMPLE_MS )
            break;
        if ( page && page->state == PAGE_NOMINATED && (page->flags & PAGE_SAMPLED) )
            gfns[found++] = sample->gfn;
    }
    return found;
}

void choose_tick(struct choose *c, uint32_t now)
{
    while ( c->sample_count )
    {
        const struct nominated *sample = &c->samples[c->sample_head];

        if ( now - sample->since < CHOOSE_SAMPLE_MS )
            break;
        if ( !is_settled(c, sample) )
        {
            pages_find(c->pages, sample->gfn)->flags &= ~PAGE_SAMPLED;
            settle_sample(c, true);
        }
        c->sample_head = (c->sample_head + 1) % SAMPLES_MAX;
        c->sample_count--;
    }
}

static unsigned int age_bucket(uint32_t milliseconds)
{
    unsigned int bucket = 0;

    while ( bucket < CHOOSE_AGES - 1 && milliseconds / 1000 >= choose_age_seconds[bucket] )
        bucket++;
    return bucket;
}

void choose_get_statistics(const struct choose *c, uint32_t now, struct choose_statistics *out)
{
    uint64_t resident = pages_count(c->pages, PAGE_RESIDENT) + pages_count(c->pages, PAGE_NOMINATED);

    *out = (struct choose_statistics){
        .nominated = c->nominated,
        .refused = c->refused,
        .touched = c->touched,
        .evicted = c->evicted,
        .samples = c->settled,
        .working_set_pages = c->settled ? (uint64_t)((double)resident * (1.0 - c->cold_share)) : 0,
    };
    for ( uint64_t gfn = 0; ; gfn++ )
    {
        const struct page *page = pages_next(c->pages, &gfn);

        if ( !page )
            break;
        if ( page->state == PAGE_NOMINATED || page->state == PAGE_OUT )
            out->cold_pages[age_bucket(now - page->since)]++;
    }
}
