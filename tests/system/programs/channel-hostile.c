/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A consumer that writes what it likes to every page that a channel shares with it, while events flow. A victim's
 * channels, and the host's, are attached again and again: each time the consumer serves for a moment as it should,
 * then writes random words everywhere, or at the indices, or into answers to requests that wait, and notifies. In
 * the end one that is honest takes over: the victim has been waiting for its pages, but has not been given wrong
 * ones.
 *
 *   channel-hostile DOMID TTY LOG FRAMES ROUNDS SEED
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel-pages.h"
#include "guest.h"

#define SERVE_MS        20          /* for which a round is honest */
#define BLOWS           200         /* notifications in a round, each after some writing */
#define EVICT_FRAMES    128
#define PATIENCE_US     240000000u

static struct pages pages;
static struct guest guest;

/*
 * What is attacked. The host's channel makes no traffic here of itself: the victim's pages are merged with each
 * other.
 */
enum { PAGING, OOM, ACCESS, INVALIDATE, CHANNELS };
static struct channel channels[CHANNELS];

static void attach_all(void)
{
    static const uint16_t classes[CHANNELS] = {
        [PAGING] = XEN_MEMEVENT_CLASS_PAGING, [OOM] = XEN_MEMEVENT_CLASS_OOM, [ACCESS] = XEN_MEMEVENT_CLASS_ACCESS,
        [INVALIDATE] = XEN_MEMEVENT_CLASS_INVALIDATE,
    };

    for ( unsigned int i = 0; i < CHANNELS; i++ )
    {
        bool host = i == INVALIDATE;

        expect(0, channel_attach(&channels[i], host ? XEN_MEMEVENT_HOST : pages.domid, classes[i],
                                 i == ACCESS ? XEN_MEMEVENT_FULL_REGISTERS : 0, host ? 64 : 0, host ? 1000 : 0),
               "attach, class %u", classes[i]);
    }
}

static void abandon_all(void)
{
    for ( unsigned int i = 0; i < CHANNELS; i++ )
        channel_abandon(&channels[i]);
}

/* ---- Honest ---- */

static void restrict_access(uint64_t first, uint32_t count, uint32_t access)
{
    struct xen_memevent_operation operation = {
        .call = XEN_MEMEVENT_ACCESS_SET, .domid = pages.domid,
        .u.access = { .gfn = first, .count = count, .access = access },
    };

    expect(0, memevent_call(operation.call, &operation, sizeof(operation)), "access %u of frames from %#"PRIx64,
           access, first);
}

#define ACCESS_RX   5u      /* XENMEM_access_rx */
#define ACCESS_RWX  7u      /* XENMEM_access_rwx */

/*
 * Set for all rounds: now and then an answer is said wrongly first, and again afterwards. What strikes at random
 * hits a waiting request's own identity too seldom to be counted on.
 */
static bool careless;

static bool now_and_then(void)
{
    return careless && random_next() % 4 == 0;
}

#define UNKNOWN_ACTION  (1u << 31)

/* Everything that waits on a reliable channel, once. */
static unsigned int serve(struct channel *c)
{
    uint8_t octets[XEN_MEMEVENT_FULL_SIZE];
    const struct xen_memevent_request *request = (const void *)octets;
    unsigned int count;

    for ( count = 0; channel_take(c, octets); count++ )
    {
        if ( c == &channels[PAGING] )
            pages_serve(&pages, request);
        else if ( c == &channels[ACCESS] && request->gfn < pages.frames )
            restrict_access(request->gfn, 1, ACCESS_RWX);
        if ( now_and_then() )
            channel_answer(c, request->id, UNKNOWN_ACTION);
        channel_answer(c, request->id, 0);
        if ( now_and_then() )
            channel_answer(c, request->id, 0);
    }
    if ( count )
        channel_publish(c);

    return count;
}

static unsigned int serve_all(int milliseconds)
{
    unsigned int count = 0;

    for ( unsigned int i = 0; i < INVALIDATE; i++ )
        count += serve(&channels[i]);
    if ( !count )
        channel_wait(&channels[PAGING], milliseconds);

    return count;
}

/* Pages of the victim go out, are merged with each other, and are restricted: each channel has something to say. */
static void make_traffic(void)
{
    uint64_t first = random_next() % (pages.frames - EVICT_FRAMES);

    pages_evict(&pages, first, EVICT_FRAMES);
    restrict_access(random_next() % (pages.frames - 64), 64, ACCESS_RX);
    memset(pages.operations, 0, 64 * sizeof(*pages.operations));
    for ( unsigned int i = 0; i < 64; i++ )
        pages.operations[i] = (struct xen_memevent_operation){
            .call = XEN_MEMEVENT_SHARING_MERGE, .domid = pages.domid,
            .u.sharing = { .gfn = random_next() % pages.frames, .client_gfn = random_next() % pages.frames,
                           .client_domid = pages.domid },
        };
    memevent_batch(pages.operations, 64);
}

/* ---- Not so ---- */

static uint32_t *word(struct channel *c, size_t octet)
{
    return (void *)(c->shared + octet);
}

/* Words that mean something somewhere, as well as those that mean nothing. */
static uint32_t bad_word(struct channel *c)
{
    uint32_t producer = *word(c, 0);

    switch ( random_next() % 8 )
    {
    case 0: return 0;
    case 1: return ~0u;
    case 2: return 1u << 31;
    case 3: return producer + (random_next() % 5) - 2;
    case 4: return producer + c->attach.slots + (random_next() % 3) - 1;
    case 5: return c->answered + random_next() % (2 * c->attach.slots);
    default: return random_next();
    }
}

static void write_anywhere(struct channel *c)
{
    size_t words = (size_t)c->attach.frames * 4096 / 4;

    for ( unsigned int n = random_next() % 256; n; n-- )
    {
        size_t octet = random_next() % words * 4;
        uint32_t value = bad_word(c);

        /* A right answer with this action loses the victim a write, and is allowed to. */
        if ( c == &channels[ACCESS] && octet >= c->attach.response_offset && octet < c->attach.request_offset )
            value &= ~XEN_MEMEVENT_ACTION_SKIP_WRITE;
        *word(c, octet) = value;
    }
}

static void write_everywhere(struct channel *c)
{
    size_t octets = (size_t)c->attach.frames * 4096;

    if ( random_next() % 2 )
        memset(c->shared, random_next(), octets);
    else
        for ( size_t octet = 0; octet < octets; octet += 4 )
            *word(c, octet) = random_next();
}

static void write_indices(struct channel *c)
{
    unsigned int ring = c->attach.rings > 1 ? random_next() % c->attach.rings : 0;

    /* The first 256 octets hold all of them, of reliable and of lossy rings. */
    for ( unsigned int n = 1 + random_next() % 8; n; n-- )
        *word(c, (size_t)ring * c->attach.ring_frames * 4096 + random_next() % 64 * 4) = bad_word(c);
}

/* Answers that name what waits, or nearly so. No action: a skipped write would be the victim's loss by right. */
static void write_answers(struct channel *c)
{
    for ( unsigned int n = random_next() % 16; n; n-- )
    {
        const struct xen_memevent_request *request = (void *)(c->shared + c->attach.request_offset +
            random_next() % c->attach.slots * c->attach.request_size);
        uint64_t id = random_next() % 2 ? request->id : random_next() % 4 << 32 | random_next() % c->attach.slots;

        switch ( random_next() % 4 )
        {
        case 0: id ^= 1ull << random_next() % 64; break;
        case 1: id += 1ull << 32; break;
        default: break;
        }
        channel_answer(c, id, random_next() % 4 ? 0 : UNKNOWN_ACTION);
    }
    __atomic_store_n(word(c, 128), c->answered, __ATOMIC_RELEASE);
}

static void strike(struct channel *c)
{
    switch ( random_next() % 16 )
    {
    case 0:
        write_everywhere(c);
        break;
    case 1: case 2: case 3:
        write_anywhere(c);
        break;
    case 4: case 5: case 6: case 7: case 8: case 9:
        write_indices(c);
        break;
    default:
        if ( c != &channels[INVALIDATE] )
            write_answers(c);
        break;
    }
    channel_kick(c);
}

/* ---- What came of it ---- */

static struct xen_memevent_info counters(unsigned int i)
{
    struct xen_memevent_info info;

    expect(0, channel_info(channels[i].domid, channels[i].channel_class, &info), "counters of channel %u", i);

    return info;
}

/* No counter is out of what it can be. */
static void check_counters(void)
{
    for ( unsigned int i = 0; i < INVALIDATE; i++ )
    {
        struct xen_memevent_info info = counters(i);

        if ( info.produced != info.answered + info.outstanding || info.waiting > info.outstanding ||
             info.outstanding > info.outstanding_max || info.outstanding_max > channels[i].attach.slots )
            fail("channel %u: produced %"PRIu64" answered %"PRIu64" outstanding %u waiting %u", i, info.produced,
                 info.answered, info.outstanding, info.waiting);
    }
}

/* The host's rings are what they were, whatever their last consumer wrote there. Records go on coming. */
static void check_renewed(void)
{
    const struct channel *c = &channels[INVALIDATE];
    struct xen_memevent_info before = counters(INVALIDATE), after;
    uint64_t produced = 0, dropped = 0;

    for ( unsigned int i = 0; i < c->attach.rings; i++ )
    {
        const struct xen_memevent_lossy *ring = (void *)(c->shared + (size_t)i * c->attach.ring_frames * 4096);

        if ( ring->producer - ring->consumer > c->attach.slots )
            fail("ring %u is left with %u records from %u on", i, ring->producer - ring->consumer, ring->consumer);
        produced += ring->produced;
        dropped += ring->dropped;
    }
    after = counters(INVALIDATE);
    if ( produced < before.produced || produced > after.produced || dropped < before.dropped ||
         dropped > after.dropped )
        fail("the rings show %"PRIu64" records and %"PRIu64" dropped, of %"PRIu64" and %"PRIu64, produced, dropped,
             after.produced, after.dropped);
}

static void serve_until_said(const char *program, const char *what)
{
    uint64_t until = now_us() + PATIENCE_US;
    char line[256];
    int rc = program ? guest_tell(&guest, program) : 0;

    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    while ( !(rc = guest_answered(&guest, what, line, sizeof(line))) )
    {
        if ( now_us() > until )
            fail("the guest never says '%s'", what);
        serve_all(10);
    }
    if ( rc < 0 || !strstr(line, "bad=0 ") )
        fail("the guest: %s", rc < 0 ? strerror(-rc) : line);
    puts(line);
}

/* Each kind of wrong was done somewhere, and something wrong was said on the PAGING channel. */
static bool did_every_wrong(void)
{
    struct xen_memevent_info all = { 0 };

    for ( unsigned int i = 0; i < CHANNELS; i++ )
    {
        struct xen_memevent_info info = counters(i);

        all.unknown += info.unknown;
        all.repeated += info.repeated;
        all.malformed += info.malformed;
        all.overruns += info.overruns;
        all.redelivered += info.redelivered;
        if ( i == PAGING && !info.unknown )
            return false;
    }

    return all.unknown && all.repeated && all.malformed && all.overruns && all.redelivered;
}

static void report(void)
{
    static const char *const names[CHANNELS] = { "PAGING", "OOM", "ACCESS", "INVALIDATE" };

    for ( unsigned int i = 0; i < CHANNELS; i++ )
    {
        struct xen_memevent_info info = counters(i);

        printf("%s: produced %"PRIu64" answered %"PRIu64" dropped %"PRIu64" unknown %"PRIu64" repeated %"PRIu64
               " malformed %"PRIu64" overruns %"PRIu64" redelivered %"PRIu64" kicks %"PRIu64"\n", names[i],
               info.produced, info.answered, info.dropped, info.unknown, info.repeated, info.malformed,
               info.overruns, info.redelivered, info.kicks);
    }
    if ( !did_every_wrong() )
        fail("a kind of wrong was never done");
}

int main(int argc, char **argv)
{
    unsigned long rounds, round, served = 0;
    uint64_t give_up;
    bool did_all = false;
    int rc;

    if ( argc != 7 )
        fail("usage: channel-hostile DOMID TTY LOG FRAMES ROUNDS SEED");
    hypervisor_open();
    guest.tty = argv[2];
    guest.log = argv[3];
    rounds = strtoul(argv[5], NULL, 10);
    random_seed(strtoull(argv[6], NULL, 0));
    pages_open(&pages, strtoul(argv[1], NULL, 10), strtoull(argv[4], NULL, 0));

    rc = guest_tell(&guest, "storm:3000");
    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    careless = true;
    give_up = now_us() + PATIENCE_US;
    /* What a round does depends on what the victim asks for meanwhile: on until all was done that is looked for below. */
    for ( round = 0; round < rounds || (!did_all && now_us() < give_up); round++ )
    {
        uint64_t until = now_us() + SERVE_MS * 1000;
        char line[256];

        attach_all();
        while ( now_us() < until )
            served += serve_all(5);
        make_traffic();
        served += serve_all(1);
        for ( unsigned int i = 0; i < BLOWS; i++ )
            strike(&channels[random_next() % CHANNELS]);
        check_counters();
        did_all = did_every_wrong();
        abandon_all();

        /* There is always something to answer. */
        rc = guest_answered(&guest, "guest: storm", line, sizeof(line));
        if ( rc < 0 || (rc && !strstr(line, "bad=0 ")) )
            fail("the victim: %s", rc < 0 ? strerror(-rc) : line);
        if ( rc && (rc = guest_tell(&guest, "storm:3000")) )
            fail("telling the guest: %s", strerror(-rc));
        if ( round % 20 == 19 )
            printf("%lu rounds, %lu requests served\n", round + 1, served);
    }
    pass("%lu rounds of hostile writing, and Xen is alive", rounds);

    careless = false;
    attach_all();
    check_renewed();
    report();
    serve_until_said(NULL, "guest: storm");
    restrict_access(0, pages.frames, ACCESS_RWX);
    serve_until_said("verify", "guest: verify");
    printf("%lu frames were still out\n", pages_out(&pages, true));
    while ( serve_all(100) )
        ;
    for ( unsigned int i = 0; i < CHANNELS; i++ )
        expect(0, channel_detach(channels[i].domid, channels[i].channel_class), "detach of channel %u", i);
    pass("an honest consumer takes over, and every word of the victim's is right");

    return 0;
}
