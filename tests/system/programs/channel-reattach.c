/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Consumers of a PAGING channel that are killed at random instants, while the guest writes all over its memory: what
 * they left unanswered comes again, marked so, and no vCPU waits for ever.
 *
 *   channel-reattach DOMID TTY LOG FRAMES KILLS SECONDS SEED
 *
 * At least KILLS; the guest writes for SECONDS, and again while there were too few.
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

#include "channel-pages.h"
#include "guest.h"

#define LIFE_US         150000u     /* of a consumer, at most, once it is attached */
#define EVICT_FRAMES    256
#define HOLD_US         3000u       /* for which a consumer keeps its requests, at most: it may die on them */
#define HELD_MAX        64
#define ATTACH_SECONDS  30
#define LEFT_SHARE      10          /* one of so many kills, at least, leaves something unanswered */
#define PATIENCE_US     240000000u

/* What the consumer that lives now has done; it may be killed between any two writes. */
static struct progress {
    volatile uint32_t attached;     /* its attachment's number */
    volatile uint32_t redelivered, again;
    volatile uint64_t served;
} *progress;

static struct pages pages;
static struct guest guest;

/*
 * A consumer's life. It ends by a signal; or, if it is the last one, with everything in and nothing asked for: a guest
 * that has said its last word still runs, and may ask for what its waiting needs.
 */
static void consume(bool last)
{
    struct xen_memevent_request held[HELD_MAX];
    struct channel channel;
    unsigned int count, again = 0;
    uint64_t quiet_since = now_us();
    char line[256];
    int rc;

    expect(0, channel_attach(&channel, pages.domid, XEN_MEMEVENT_CLASS_PAGING, 0, 0, 0), "attach after a kill");
    progress->redelivered = channel.attach.redelivered;
    for ( bool first = true; ; first = false )
    {
        for ( count = 0; count < HELD_MAX && channel_take(&channel, &held[count]); count++ )
            again += !!(held[count].flags & XEN_MEMEVENT_AGAIN);
        progress->again = again;
        if ( first )
            progress->attached = channel.attach.attachment;
        if ( count )
            usleep(random_next() % HOLD_US);
        while ( count )
        {
            unsigned int i = random_next() % count;

            pages_serve(&pages, &held[i]);
            channel_answer(&channel, held[i].id, 0);
            held[i] = held[--count];
            progress->served++;
            if ( random_next() % 2 )
                channel_publish(&channel);
            quiet_since = now_us();
        }
        channel_publish(&channel);
        if ( !last )
            pages_evict(&pages, random_next() % (pages.frames - EVICT_FRAMES), random_next() % EVICT_FRAMES);
        if ( last && (rc = guest_answered(&guest, "guest: ", line, sizeof(line))) && !channel_wait(&channel, 100) )
        {
            struct xen_memevent_info info;
            unsigned long out = pages_out(&pages, true);

            if ( out )
                printf("%lu frames were still out\n", out);
            expect(0, channel_info(pages.domid, XEN_MEMEVENT_CLASS_PAGING, &info), "the counters");
            if ( !info.outstanding )
                exit(rc < 0);
        }
        if ( now_us() - quiet_since > 60000000u )
            fail("nothing was asked for in a minute, and the guest has not ended");
        channel_wait(&channel, 10);
    }
}

static pid_t start_consumer(bool last)
{
    uint64_t seed = random_next();
    pid_t pid;

    progress->attached = 0;
    pid = fork();
    if ( pid < 0 )
        fail("fork: %s", strerror(errno));
    if ( pid )
        return pid;

    random_seed(seed);
    hypervisor_open();
    pages_inherit(&pages);
    consume(last);
    exit(1);
}

static void guest_says(const char *what)
{
    char line[256];
    int rc = guest_answered(&guest, what, line, sizeof(line));

    if ( rc <= 0 || !strstr(line, "bad=0 ") )
        fail("the guest: %s", rc < 0 ? strerror(-rc) : line);
    puts(line);
}

/* The guest carries a program out, served by a consumer that is not killed. */
static void ask_with_consumer(const char *program, const char *what)
{
    pid_t pid;
    int status, rc = guest_tell(&guest, program);

    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    pid = start_consumer(true);
    if ( waitpid(pid, &status, 0) != pid || status )
        fail("the last consumer ended with %#x", status);
    guest_says(what);
}

static void say(unsigned long kills, unsigned long left, unsigned long served, unsigned long redelivered)
{
    printf("%lu kills, of which %lu left something; %lu requests served, %lu given again\n", kills, left, served,
           redelivered);
}

static void check_redelivery(void)
{
    expect(progress->redelivered, progress->again, "requests marked as given before, of those announced");
}

int main(int argc, char **argv)
{
    unsigned long kills = 0, wanted, served = 0, left = 0, redelivered = 0, notes = 0;
    struct xen_memevent_info info;
    char line[256], program[32];
    uint64_t give_up;
    int rc, status;

    if ( argc != 8 )
        fail("usage: channel-reattach DOMID TTY LOG FRAMES KILLS SECONDS SEED");
    hypervisor_open();
    guest.tty = argv[2];
    guest.log = argv[3];
    wanted = strtoul(argv[5], NULL, 10);
    random_seed(strtoull(argv[7], NULL, 0));
    pages_open(&pages, strtoul(argv[1], NULL, 10), strtoull(argv[4], NULL, 0));
    progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ( progress == MAP_FAILED )
        fail("no memory: %s", strerror(errno));

    snprintf(program, sizeof(program), "storm:%ss", argv[6]);
    give_up = now_us() + strtoul(argv[6], NULL, 10) * 1000000ull + PATIENCE_US;
    rc = guest_tell(&guest, program);
    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    while ( !(rc = guest_answered(&guest, "guest: storm", line, sizeof(line))) || kills < wanted ||
            left < kills / LEFT_SHARE || redelivered < kills / LEFT_SHARE )
    {
        uint64_t until = now_us() + ATTACH_SECONDS * 1000000ull;
        pid_t pid;

        if ( rc )
        {
            guest_says("guest: storm");
            if ( now_us() > give_up )
                fail("%lu kills, of which %lu left something: too few for the test to mean anything", kills, left);
            rc = guest_tell(&guest, program);
            if ( rc )
                fail("telling the guest: %s", strerror(-rc));
        }
        pid = start_consumer(false);
        while ( !progress->attached )
        {
            if ( waitpid(pid, &status, WNOHANG) == pid )
                fail("a consumer ended with %#x", status);
            if ( now_us() > until )
                fail("a consumer does not get attached");
            usleep(1000);
        }
        expect(kills + 1, progress->attached, "attachments");
        check_redelivery();
        redelivered += progress->redelivered;
        usleep(random_next() % LIFE_US);
        kill(pid, SIGKILL);
        if ( waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL )
            fail("a consumer ended with %#x before it was killed", status);
        kills++;
        served += progress->served;
        progress->served = 0;
        expect(0, channel_info(pages.domid, XEN_MEMEVENT_CLASS_PAGING, &info), "the counters");
        left += info.outstanding != 0;
        if ( kills / 50 > notes )
        {
            notes = kills / 50;
            say(kills, left, served, redelivered);
        }
    }
    guest_says("guest: storm");
    ask_with_consumer("verify", "guest: verify");
    expect(0, channel_info(pages.domid, XEN_MEMEVENT_CLASS_PAGING, &info), "the counters");
    say(kills, left, served, redelivered);
    if ( info.redelivered < redelivered )
        fail("Xen counts %"PRIu64" redelivered", info.redelivered);
    pass("killed %lu times on its requests, and every word is right", kills);

    expect(0, pages_out(&pages, false), "frames that are out after all were loaded");
    expect(0, channel_detach(pages.domid, XEN_MEMEVENT_CLASS_PAGING), "detach");
    rc = guest_tell(&guest, "verify");
    while ( !rc && !(rc = guest_answered(&guest, "guest: verify", line, sizeof(line))) )
        usleep(10000);
    guest_says("guest: verify");
    pass("and after the end of the channel");

    return 0;
}
