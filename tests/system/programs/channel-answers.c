/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers in any order, and answers that are wrong: a guest with several vCPUs writes all over its memory, of which
 * most is out, and verifies itself in the end. While all of its vCPUs wait, each kind of wrong answer is given,
 * must be counted as what it is, and must wake nobody.
 *
 *   channel-answers DOMID TTY LOG FRAMES VCPUS SEED      frames [0, FRAMES) may be taken out
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#include "channel-pages.h"
#include "guest.h"

#define HELD_MAX        64
#define GATHER_MS       20          /* no further vCPU comes within this: those that wait are all that will */
#define EVICT_FRAMES    512         /* taken out again now and then, so that the storm goes on finding some */
#define EVICT_ROUNDS    8
#define FORGERY_ROUNDS  4           /* all wrong answers, so many times */
#define FORGERY_APART   16          /* rounds between two of them */
#define ALL_US          10000000u   /* within which all vCPUs of a storm come to wait, when they are waited for */
#define REQUEST_MS      60000       /* within which a request comes, also on a host that stood still for a while */
#define TOGETHER        10          /* rounds of each order with several requests: fewer show nothing */
#define PATIENCE_US     240000000u

static struct channel channel;
static struct pages pages;
static struct guest guest;
static xc_interface *xch;
static unsigned int vcpus;
static uint64_t last_answered;      /* an id that was */

static struct held {
    struct xen_memevent_request requests[HELD_MAX];
    unsigned int count;
} held;

static struct xen_memevent_info counters(void)
{
    struct xen_memevent_info info;

    expect(0, channel_info(channel.domid, channel.channel_class, &info), "the counters");

    return info;
}

/* Each vCPU that waits, once it is clear that no other will, and not before `until`. True: all of them do. */
static bool gather(uint64_t until)
{
    do {
        while ( held.count < HELD_MAX && channel_take(&channel, &held.requests[held.count]) )
            held.count++;
    } while ( held.count < vcpus && (channel_wait(&channel, GATHER_MS) || now_us() < until) );

    return held.count == vcpus;
}

static void answer_all(void)
{
    for ( unsigned int i = 0; i < held.count; i++ )
    {
        pages_serve(&pages, &held.requests[i]);
        channel_answer(&channel, held.requests[i].id, 0);
        last_answered = held.requests[i].id;
    }
    if ( held.count )
        channel_publish(&channel);
    held.count = 0;
}

static void swap(unsigned int one, unsigned int other)
{
    struct xen_memevent_request request = held.requests[one];

    held.requests[one] = held.requests[other];
    held.requests[other] = request;
}

/* ---- Orders ---- */

static void reverse(void)
{
    for ( unsigned int i = 0; i < held.count / 2; i++ )
        swap(i, held.count - 1 - i);
}

static void shuffle(void)
{
    for ( unsigned int i = held.count; i > 1; i-- )
        swap(i - 1, random_next() % i);
}

static void keep(void)
{
}

static const struct order {
    const char *name;
    void (*arrange)(void);
} orders[] = { { "reverse", reverse }, { "shuffled", shuffle }, { "as they came", keep } };
#define ORDERS (sizeof(orders) / sizeof(orders[0]))

/* ---- Wrong answers ---- */

/* The id of a request that waits becomes another. */
static uint64_t id_of_nothing(uint64_t id)  { (void)id; return 0; }
static uint64_t id_of_all(uint64_t id)      { (void)id; return ~0ull; }
static uint64_t id_to_come(uint64_t id)     { return id + (1ull << 32); }
static uint64_t id_far_ahead(uint64_t id)   { return id + (0x7ffffffeull << 32); }
static uint64_t id_without(uint64_t id)     { return (uint32_t)id; }
static uint64_t id_beyond(uint64_t id)      { return (id & ~0xffffffffull) | channel.attach.slots; }
static uint64_t id_far_beyond(uint64_t id)  { return id | 0xffffffffull; }
/* The highest place is the last one that is given to anybody: nothing has ever been sent from it. */
static uint64_t id_of_free(uint64_t id)     { (void)id; return (1ull << 32) | (channel.attach.slots - 1); }
static uint64_t id_before(uint64_t id)      { return id - (1ull << 32); }
static uint64_t id_answered(uint64_t id)    { (void)id; return last_answered; }
static uint64_t id_itself(uint64_t id)      { return id; }

static const struct forgery {
    const char *name;
    uint64_t (*id)(uint64_t id);
    uint32_t action, pad;
    size_t counter;
} forgeries[] = {
#define UNKNOWN     offsetof(struct xen_memevent_info, unknown)
#define REPEATED    offsetof(struct xen_memevent_info, repeated)
#define MALFORMED   offsetof(struct xen_memevent_info, malformed)
    { "no id", id_of_nothing, 0, 0, UNKNOWN },
    { "an id of ones", id_of_all, 0, 0, UNKNOWN },
    { "a generation that is yet to come", id_to_come, 0, 0, UNKNOWN },
    { "a generation far ahead", id_far_ahead, 0, 0, UNKNOWN },
    { "generation 0", id_without, 0, 0, UNKNOWN },
    { "an index out of range", id_beyond, 0, 0, UNKNOWN },
    { "an index far out of range", id_far_beyond, 0, 0, UNKNOWN },
    { "a place that is free", id_of_free, 0, 0, UNKNOWN },
    { "the generation before", id_before, 0, 0, REPEATED },
    { "what was answered", id_answered, 0, 0, REPEATED },
    { "a pad", id_itself, 0, 1, MALFORMED },
    { "a pad of ones", id_itself, 0, ~0u, MALFORMED },
    { "an unknown action", id_itself, 1, 0, MALFORMED },
    { "all actions", id_itself, ~0u, 0, MALFORMED },
    { "an unknown action of an unknown request", id_far_beyond, ~0u, ~0u, UNKNOWN },
};
#define FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))

/* The time for which the guest's vCPUs ran: it stands still while all of them wait. */
static uint64_t guest_ran(void)
{
    uint64_t ran = 0;

    for ( unsigned int i = 0; i < vcpus; i++ )
    {
        xc_vcpuinfo_t info;

        if ( xc_vcpu_getinfo(xch, channel.domid, i, &info) )
            fail("vCPU %u: %s", i, strerror(errno));
        ran += info.cpu_time;
    }

    return ran;
}

/* Only this counter has gone up by one, and nothing else has happened. */
static void expect_counted(const struct xen_memevent_info *before, size_t counter, const char *what)
{
    struct xen_memevent_info found = counters(), wanted = *before;

    ++*(uint64_t *)((char *)&wanted + counter);
    wanted.kicks++;
    if ( memcmp(&found, &wanted, sizeof(found)) )
        fail("%s: unknown %"PRIu64" repeated %"PRIu64" malformed %"PRIu64" overruns %"PRIu64" answered %"PRIu64
             " outstanding %u; before: %"PRIu64" %"PRIu64" %"PRIu64" %"PRIu64" %"PRIu64" %u", what, found.unknown,
             found.repeated, found.malformed, found.overruns, found.answered, found.outstanding, before->unknown,
             before->repeated, before->malformed, before->overruns, before->answered, before->outstanding);
}

static void forge(const struct forgery *forgery)
{
    uint64_t id = held.requests[random_next() % held.count].id;
    struct xen_memevent_response response = { forgery->id(id), forgery->action, forgery->pad };
    struct xen_memevent_info before = counters();

    channel_put(&channel, &response);
    channel_publish(&channel);
    expect_counted(&before, forgery->counter, forgery->name);
}

/* The index of responses, too far ahead, and behind. */
static void overrun(uint32_t by)
{
    struct xen_memevent_info before = counters();

    channel.answered += by;
    channel_publish(&channel);
    expect_counted(&before, offsetof(struct xen_memevent_info, overruns), "an index out of bounds");
}

/* All vCPUs wait. */
static void forge_everything(void)
{
    uint64_t ran = guest_ran();

    for ( unsigned int i = 0; i < FORGERIES; i++ )
        forge(&forgeries[i]);
    overrun(channel.attach.slots + 1);
    overrun(~0u);
    overrun(0x80000000u);
    channel_wait(&channel, GATHER_MS);      /* somebody who was woken would run now */
    if ( guest_ran() != ran )
        fail("a vCPU runs after a wrong answer");
}

/* One right answer twice in a row: the first one counts. */
static void answer_twice(void)
{
    struct xen_memevent_info before = counters(), after;

    pages_serve(&pages, &held.requests[--held.count]);
    channel_answer(&channel, held.requests[held.count].id, 0);
    channel_answer(&channel, held.requests[held.count].id, 0);
    channel_publish(&channel);
    after = counters();
    expect(before.answered + 1, after.answered, "answers, of which one came twice");
    expect(before.repeated + 1, after.repeated, "repeated answers");
}

/* ---- The storm ---- */

/* The guest carries the program out, or goes on with what it was told before; `what` begins its last word on it. */
static void serve(const char *program, const char *what)
{
    unsigned long rounds[ORDERS] = { 0 }, several[ORDERS] = { 0 }, forged = 0, round = 0, next = FORGERY_APART;
    uint64_t until = now_us() + PATIENCE_US;
    bool storm = !strcmp(what, "guest: storm");
    char line[256];
    int rc = program ? guest_tell(&guest, program) : 0;

    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    while ( !(rc = guest_answered(&guest, what, line, sizeof(line))) || held.count )
    {
        unsigned int order = round++ % ORDERS;
        bool forge = storm && round >= next && forged < FORGERY_ROUNDS;

        if ( now_us() > until )
            fail("the guest never says '%s'", what);
        /* While something is out, every vCPU of a storm comes to wait: it goes on until all have done their share. */
        if ( gather(forge ? now_us() + ALL_US : 0) && forge )
        {
            forge_everything();
            expect(-EBUSY, channel_detach(channel.domid, channel.channel_class), "detach with requests unanswered");
            answer_twice();
            forged++;
            next = round + FORGERY_APART;
        }
        rounds[order] += held.count != 0;
        several[order] += held.count > 1;
        orders[order].arrange();
        answer_all();
        if ( round % EVICT_ROUNDS == 0 )
            pages_evict(&pages, random_next() % (pages.frames - EVICT_FRAMES), EVICT_FRAMES);
    }
    if ( rc < 0 || !strstr(line, "bad=0 ") )
        fail("the guest: %s", rc < 0 ? strerror(-rc) : line);

    puts(line);
    for ( unsigned int i = 0; i < ORDERS; i++ )
        printf("%s: %lu rounds, %lu of them with several requests\n", orders[i].name, rounds[i], several[i]);
    if ( !storm )
        return;
    if ( several[0] < TOGETHER || several[1] < TOGETHER )
        fail("too few requests came together");
    pass("%u vCPUs answered in reverse and shuffled order, and every word is right", vcpus);
    expect(FORGERY_ROUNDS, forged, "rounds of wrong answers while all vCPUs wait");
    pass("%lu wrong answers of %zu kinds, each in its own counter, and nobody woken",
         forged * (FORGERIES + 3), FORGERIES + 3);
}

/* Everything comes in. A guest that has said its last word still runs, and may ask for what its waiting needs. */
static void settle(void)
{
    uint64_t until = now_us() + ALL_US;

    printf("%lu frames were still out\n", pages_out(&pages, true));
    expect(0, pages_out(&pages, false), "frames that are out after all were loaded");
    do {
        gather(0);
        answer_all();
    } while ( counters().outstanding && now_us() < until );
}

static void take(struct xen_memevent_request *request)
{
    while ( !channel_take(&channel, request) )
        if ( !channel_wait(&channel, REQUEST_MS) )
            fail("no request comes");
}

/*
 * A request that is answered without its page: who waits asks for it again, under another id. The others wait
 * meanwhile, as one of them may want the same page.
 */
static void answer_with_nothing(void)
{
    struct xen_memevent_request first, second;
    int rc = guest_tell(&guest, "seq/working=1");

    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    take(&first);
    for ( unsigned int i = 0; i < 20; i++ )
    {
        channel_answer(&channel, first.id, 0);
        channel_publish(&channel);
        for ( take(&second); second.vcpu != first.vcpu || !(second.flags & XEN_MEMEVENT_VCPU_PAUSED); take(&second) )
            held.requests[held.count++] = second;
        if ( second.id == first.id || second.gfn != first.gfn || second.kind != first.kind )
            fail("vCPU %u asked for frame %#"PRIx64", was not given it, and asks for %#"PRIx64, first.vcpu, first.gfn,
                 second.gfn);
        first = second;
    }
    held.requests[held.count++] = first;
    pass("answered without its page 20 times, a vCPU asked again each time");
}

int main(int argc, char **argv)
{
    struct xen_memevent_info info;
    struct channel other;
    unsigned long out;

    if ( argc != 7 )
        fail("usage: channel-answers DOMID TTY LOG FRAMES VCPUS SEED");
    hypervisor_open();
    xch = xc_interface_open(NULL, NULL, 0);
    if ( !xch )
        fail("libxenctrl: %s", strerror(errno));
    guest.tty = argv[2];
    guest.log = argv[3];
    vcpus = strtoul(argv[5], NULL, 10);
    random_seed(strtoull(argv[6], NULL, 0));
    pages_open(&pages, strtoul(argv[1], NULL, 10), strtoull(argv[4], NULL, 0));

    expect(0, channel_attach(&channel, pages.domid, XEN_MEMEVENT_CLASS_PAGING, 0, 0, 0), "attach");
    expect(-EBUSY, channel_attach(&other, pages.domid, XEN_MEMEVENT_CLASS_PAGING, 0, 0, 0), "a second attach");
    out = pages_evict(&pages, 0, pages.frames);
    printf("%lu of %lu frames are out\n", out, (unsigned long)pages.frames);
    if ( out < pages.frames / 2 )
        fail("too few frames went out");
    expect(-EBUSY, channel_detach(pages.domid, XEN_MEMEVENT_CLASS_PAGING), "detach with pages out");
    pass("a second consumer, and an end with pages out, get -EBUSY");

    answer_with_nothing();
    serve(NULL, "guest: seq");
    serve("storm:6000", "guest: storm");
    serve("verify", "guest: verify");

    settle();
    info = counters();
    expect(0, info.outstanding, "outstanding requests in the end");
    expect(info.produced, info.answered, "answered requests, of those produced");
    expect(0, channel_detach(pages.domid, XEN_MEMEVENT_CLASS_PAGING), "detach");
    expect(-ENOENT, channel_info(pages.domid, XEN_MEMEVENT_CLASS_PAGING, &info), "counters of no channel");
    channel_abandon(&channel);
    expect(0, channel_attach(&channel, pages.domid, XEN_MEMEVENT_CLASS_PAGING, 0, 0, 0), "attach after detach");
    expect(1, channel.attach.attachment, "attachments of a new channel");
    expect(0, channel_detach(pages.domid, XEN_MEMEVENT_CLASS_PAGING), "detach of a channel that was not used");
    pass("detached with everything in, and attached anew");

    return 0;
}
