/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's INVALIDATE channel under two guests whose pages are merged and written to: what was produced is
 * consumed or counted as dropped, exactly, whatever the consumer does; a notification stands for a batch, or for a
 * deadline.
 *
 *   channel-invalidate DOMID TTY LOG DOMID TTY LOG FRAMES
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel-sharing.h"

#define RECORDS_BATCH   64
#define LONG_US         10000000u       /* a deadline that does not pass by itself */
#define SHORT_US        100000u
#define DEADLINE_MS     60000           /* within which it has passed, also on a host that stood still for a while */
#define RINGS_MAX       64              /* one for each CPU that an emulated host can have, and more */
#define NAP_US          50000u          /* a slow consumer sleeps so until it has lost something */
#define PATIENCE_US     240000000u

static struct pair pair;
static struct channel channel;

/* What was read of the rings, by kind and reason. */
static struct read {
    uint64_t records, handles, gfns, reasons[8];
} total;

static struct xen_memevent_lossy *ring(unsigned int i)
{
    return (void *)(channel.shared + (size_t)i * channel.attach.ring_frames * 4096);
}

static void check_record(const struct xen_memevent_record *record)
{
    bool of_handle = record->kind == XEN_MEMEVENT_HANDLE;

    if ( (!of_handle && record->kind != XEN_MEMEVENT_GFN) || record->pad || (of_handle && record->domid) ||
         record->reason < XEN_MEMEVENT_UNSHARED || record->reason > XEN_MEMEVENT_DYING ||
         (!of_handle && record->domid != pair.sharers[0].domid && record->domid != pair.sharers[1].domid) )
        fail("a record of kind %u, reason %u, domain %u, pad %u", record->kind, record->reason, record->domid,
             record->pad);
    total.records++;
    total.handles += of_handle;
    total.gfns += !of_handle;
    total.reasons[record->reason]++;
}

/* Takes at most so many records. How many. */
static uint64_t consume(uint64_t most)
{
    uint64_t taken = 0;

    for ( unsigned int i = 0; i < channel.attach.rings; i++ )
    {
        const struct xen_memevent_record *records = (void *)((uint8_t *)ring(i) + channel.attach.request_offset);
        uint32_t producer = __atomic_load_n(&ring(i)->producer, __ATOMIC_ACQUIRE), consumer = ring(i)->consumer;

        if ( producer - consumer > channel.attach.slots )
            fail("ring %u: %u records from %u on", i, producer - consumer, consumer);
        for ( ; consumer != producer && taken < most; taken++ )
            check_record(&records[consumer++ & (channel.attach.slots - 1)]);
        /* The copies /before/ the index; pairs with Xen's acquire of it. */
        __atomic_store_n(&ring(i)->consumer, consumer, __ATOMIC_RELEASE);
    }

    return taken;
}

/* The rings outlive their consumers: what is there may be of domains that were here before. */
static void skip(void)
{
    for ( unsigned int i = 0; i < channel.attach.rings; i++ )
        __atomic_store_n(&ring(i)->consumer, __atomic_load_n(&ring(i)->producer, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

static void arm(void)
{
    for ( unsigned int i = 0; i < channel.attach.rings; i++ )
        __atomic_add_fetch(&ring(i)->armed, 1, __ATOMIC_SEQ_CST);
}

static struct xen_memevent_info counters(void)
{
    struct xen_memevent_info info;

    expect(0, channel_info(XEN_MEMEVENT_HOST, XEN_MEMEVENT_CLASS_INVALIDATE, &info), "the counters");

    return info;
}

static int try_attach(struct channel *c, uint32_t deadline)
{
    return channel_attach(c, XEN_MEMEVENT_HOST, XEN_MEMEVENT_CLASS_INVALIDATE, 0, RECORDS_BATCH, deadline);
}

static void attach(uint32_t deadline)
{
    expect(0, try_attach(&channel, deadline), "attach");
}

/* With the rest of it read while nobody runs: every record that was offered is accounted for. */
static void expect_exact(const struct xen_memevent_info *before, uint64_t taken, const char *when)
{
    struct xen_memevent_info now;
    uint64_t produced, dropped, shown_produced = 0, shown_dropped = 0;

    pair_pause(&pair);
    taken += consume(~0ull);
    now = counters();
    produced = now.produced - before->produced;
    dropped = now.dropped - before->dropped;
    for ( unsigned int i = 0; i < channel.attach.rings; i++ )
    {
        shown_produced += ring(i)->produced;
        shown_dropped += ring(i)->dropped;
    }
    expect(now.produced, shown_produced, "records produced, as the rings show it");
    expect(now.dropped, shown_dropped, "records dropped, as the rings show it");
    printf("%s: produced %"PRIu64", taken %"PRIu64", dropped %"PRIu64", notifications %"PRIu64"\n", when, produced,
           taken, dropped, now.notifications - before->notifications);
    expect(produced - dropped, taken, "%s: records taken", when);
    expect(produced - dropped, now.answered - before->answered, "%s: records consumed, as Xen counts", when);
    pair_unpause(&pair);
}

/* How many frames of the guests are one. */
static unsigned long merge_all(void)
{
    struct merged merged = { { 0 }, 0 };

    pair_merge(&pair, &merged);

    return merged.outcomes[XEN_MEMEVENT_MERGED] + merged.outcomes[XEN_MEMEVENT_ALREADY];
}

/* Everything is merged, and written to by both guests, which change nothing by it. Nobody reads. */
static void drop_exactly(void)
{
    struct xen_memevent_info before, now;
    uint64_t left;
    unsigned long merged;

    attach(LONG_US);
    skip();
    before = counters();
    merged = merge_all();
    printf("%lu of %"PRIu64" frames are merged\n", merged, pair.frames);
    if ( merged < channel.attach.slots )
        fail("too few for the ring");
    pair_does(&pair, "seq/write", "guest: seq");

    now = counters();
    left = now.produced - now.dropped - now.answered;
    if ( now.dropped == before.dropped || left > (uint64_t)channel.attach.slots * channel.attach.rings )
        fail("dropped %"PRIu64", %"PRIu64" left", now.dropped - before.dropped, left);
    expect(before.answered, now.answered, "records consumed by nobody");
    expect(0, now.notifications - before.notifications, "notifications that nobody asked for");
    expect_exact(&before, 0, "nobody read");
    pass("produced = consumed + dropped when nobody reads");
}

/*
 * A consumer that sleeps after each notification until records are lost, or does not; notifications against
 * records.
 */
static void notify_in_batches(bool slow, const char *who)
{
    struct xen_memevent_info before, now;
    uint64_t taken = 0, wakes = 0, until = now_us() + PATIENCE_US, begin = now_us(), notified, most;

    pair_pause(&pair);
    merge_all();
    consume(~0ull);
    before = counters();
    arm();
    pair_unpause(&pair);
    pair_tell(&pair, "seq/write");
    while ( !pair_is_done(&pair, "guest: seq") )
    {
        if ( now_us() > until )
            fail("the guests do not end");
        if ( !channel_wait(&channel, 20) )
            continue;
        wakes++;
        for ( now = counters(); slow && now.dropped == counters().dropped && !pair_is_done(&pair, "guest: seq"); )
            usleep(NAP_US);
        taken += consume(~0ull);
        arm();
    }
    wakes += channel_wait(&channel, 0);
    now = counters();
    expect_exact(&before, taken, who);
    if ( slow && now.dropped == before.dropped )
        fail("the slow consumer was not slow enough");
    notified = now.notifications - before.notifications;
    most = (now.produced - before.produced) / RECORDS_BATCH +
           ((now_us() - begin) / LONG_US + 1) * channel.attach.rings;       /* deadlines that can have passed */
    if ( !wakes || notified > most )
        fail("%"PRIu64" notifications for %"PRIu64" records", notified, now.produced - before.produced);
}

/* Nothing is left to be read, or to be told of. */
static void settle(void)
{
    do
        consume(~0ull);
    while ( channel_wait(&channel, 300) );
}

/* From this frame on, the first that the guests share: the first of them has it for itself now. */
static uint64_t unshare_one(uint64_t gfn)
{
    for ( ; sharer_do(&pair.sharers[0], XEN_MEMEVENT_SHARING_UNSHARE, gfn); gfn++ )
        if ( gfn >= pair.frames - 8 )
            fail("no frame is shared");

    return gfn;
}

/* The ring that has got a record since the last call, or -1. */
static int changed_ring(void)
{
    static uint32_t producers[RINGS_MAX];
    int changed = -1;

    for ( unsigned int i = 0; i < channel.attach.rings && i < RINGS_MAX; i++ )
    {
        uint32_t producer = __atomic_load_n(&ring(i)->producer, __ATOMIC_ACQUIRE);

        if ( producer != producers[i] )
            changed = i;
        producers[i] = producer;
    }

    return changed;
}

/* One record is no batch: it is told of by a deadline, once, if that is wished. */
static void keep_deadlines(void)
{
    struct xen_memevent_info before;
    uint64_t gfn = pair.frames / 2, since, until = now_us() + PATIENCE_US;
    bool early, again;
    int first;

    /* What a guest writes while it waits for the next word would be told of, too. */
    pair_pause(&pair);
    merge_all();
    consume(~0ull);
    gfn = unshare_one(gfn);
    if ( !consume(~0ull) )
        fail("an unshare makes no record");

    /* The long one counts from the attachment on. A host that stood still as long as that shows nothing. */
    do {
        channel_abandon(&channel);
        since = now_us();
        attach(LONG_US);
        settle();
        before = counters();
        arm();
        gfn = unshare_one(gfn + 1);
        early = channel_wait(&channel, 500) || counters().notifications != before.notifications;
    } while ( now_us() - since >= LONG_US );
    if ( early )
        fail("a notification of less than a batch before the deadline");
    channel_abandon(&channel);

    /* Each CPU's ring has its own wish. That both records come from one CPU is Xen's scheduler's to say. */
    attach(SHORT_US);
    do {
        if ( now_us() > until )
            fail("no two records came from one CPU");
        settle();
        before = counters();
        arm();
        if ( channel_wait(&channel, 500) )
            fail("a notification of nothing");
        changed_ring();
        gfn = unshare_one(gfn + 1);
        if ( !channel_wait(&channel, DEADLINE_MS) )
            fail("no notification within the deadline");
        first = changed_ring();
        sharer_do(&pair.sharers[1], XEN_MEMEVENT_SHARING_UNSHARE, gfn);
        again = channel_wait(&channel, 500);
        before.notifications = counters().notifications - before.notifications;
        if ( !consume(~0ull) )
            fail("nothing to read after the notification");
    } while ( changed_ring() != first );
    if ( again )
        fail("a second notification for one wish");
    expect(1, before.notifications, "notifications");
    channel_abandon(&channel);
    pair_unpause(&pair);
    pass("less than a batch is told of by the deadline, once for one wish");
}

/* Reads a few records, says so, and waits for its end. */
static void short_life(volatile uint32_t *taken)
{
    hypervisor_open();
    attach(LONG_US);
    *taken = consume(10) + 1;
    for ( ; ; )
        pause();
}

static void kill_consumers(void)
{
    volatile uint32_t *taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct xen_memevent_info before;
    uint64_t by_others = 0;
    uint32_t attachment;
    struct channel other;

    attach(LONG_US);
    consume(~0ull);
    before = counters();
    attachment = channel.attach.attachment;
    expect(-EBUSY, try_attach(&other, LONG_US), "a second consumer");
    channel_abandon(&channel);
    merge_all();
    pair_does(&pair, "seq/write", "guest: seq");

    for ( unsigned int i = 0; i < 5; i++ )
    {
        pid_t pid;
        int status;

        *taken = 0;
        pid = fork();
        if ( !pid )
            short_life(taken);
        for ( unsigned int ms = 0; pid > 0 && !*taken; ms++, usleep(1000) )
            if ( ms > 20000 || waitpid(pid, &status, WNOHANG) == pid )
                fail("a consumer does not get attached");
        expect(-EBUSY, try_attach(&other, LONG_US), "a second consumer while one lives");
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        by_others += *taken - 1;
    }
    attach(LONG_US);
    expect(attachment + 6, channel.attach.attachment, "attachments");
    expect(50, by_others, "records that were read before a death");
    expect_exact(&before, by_others, "five were killed");
    pass("consumers that are killed lose nothing, and nothing is told twice");
}

int main(int argc, char **argv)
{
    if ( argc != 8 )
        fail("usage: channel-invalidate DOMID TTY LOG DOMID TTY LOG FRAMES");
    hypervisor_open();
    pair_open(&pair, argv + 1, strtoull(argv[7], NULL, 0));

    drop_exactly();
    notify_in_batches(false, "a quick consumer");
    notify_in_batches(true, "a slow consumer");
    pass("and with a quick and a slow consumer; at most one notification for %u records", RECORDS_BATCH);
    channel_abandon(&channel);
    attach(LONG_US);
    keep_deadlines();
    kill_consumers();

    printf("records: %"PRIu64" of handles, %"PRIu64" of frames; unshared %"PRIu64" destroyed %"PRIu64" replaced %"
           PRIu64" undone %"PRIu64" dying %"PRIu64"\n", total.handles, total.gfns,
           total.reasons[XEN_MEMEVENT_UNSHARED], total.reasons[XEN_MEMEVENT_DESTROYED],
           total.reasons[XEN_MEMEVENT_REPLACED], total.reasons[XEN_MEMEVENT_UNDONE],
           total.reasons[XEN_MEMEVENT_DYING]);
    if ( !total.reasons[XEN_MEMEVENT_UNSHARED] || !total.reasons[XEN_MEMEVENT_REPLACED] )
        fail("a reason never came");
    pair_does(&pair, "verify", "guest: verify");
    expect(0, channel_detach(XEN_MEMEVENT_HOST, XEN_MEMEVENT_CLASS_INVALIDATE), "detach");
    expect(-ENOENT, channel_detach(XEN_MEMEVENT_HOST, XEN_MEMEVENT_CLASS_INVALIDATE), "detach again");
    pass("both guests are right");

    return 0;
}
