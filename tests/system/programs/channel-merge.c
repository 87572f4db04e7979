/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MERGE and what may come of it: pages that are equal, already one, different in a single octet, held by somebody,
 * not there, unshared in the midst of it; and two guests that write all the time while they are merged.
 *
 *   channel-merge DOMID TTY LOG DOMID TTY LOG FRAMES SECONDS THIRD
 *
 * THIRD is a domain that began as they did.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel-sharing.h"

#define OCTETS      4096
#define ROUND_US    50000u      /* between two rounds of merges: the guests need CPUs, too */
#define ROUNDS_MIN  3           /* the guests write until there were so many */
#define STALES      5u          /* each an unshare between nomination and merge, on another CPU; enough of it */
#define RACE_US     20000000u   /* for which they are waited for: emulated CPUs may take turns and never race */
#define PATIENCE_US 240000000u

static struct pair pair;
static struct sharer *const source = &pair.sharers[0], *const client = &pair.sharers[1];

static void say(const char *when, const struct merged *m)
{
    printf("%s: merged %lu, already %lu, different %lu, source busy %lu, client busy %lu, stale %lu, no frame %lu\n",
           when, m->outcomes[XEN_MEMEVENT_MERGED], m->outcomes[XEN_MEMEVENT_ALREADY],
           m->outcomes[XEN_MEMEVENT_DIFFERENT], m->outcomes[XEN_MEMEVENT_SOURCE], m->outcomes[XEN_MEMEVENT_CLIENT],
           m->outcomes[XEN_MEMEVENT_STALE], m->others);
}

/* A frame that both have with the same octets, from the middle of their memory on. */
static uint64_t equal_frame(uint64_t from)
{
    for ( uint64_t gfn = from; gfn < pair.frames; gfn++ )
    {
        void *one = sharer_map(source, gfn, false), *other = sharer_map(client, gfn, false);
        bool equal = !memcmp(one, other, OCTETS);

        sharer_unmap(one);
        sharer_unmap(other);
        if ( equal )
            return gfn;
    }
    fail("no frame is equal in both guests from %#lx on", (unsigned long)from);
}

static void expect_outcome(uint64_t source_gfn, uint64_t client_gfn, long status, uint32_t outcome, const char *what)
{
    struct xen_memevent_operation operation;

    expect(status, pair_merge_frames(&pair, source_gfn, client_gfn, &operation), "%s", what);
    expect(outcome, operation.u.sharing.outcome, "outcome: %s", what);
}

static void expect_unshared(uint64_t gfn)
{
    expect(-ENOENT, sharer_do(source, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "the source is shared");
    expect(-ENOENT, sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "the client is shared");
}

static void merge_equal(void)
{
    uint64_t gfn = equal_frame(pair.frames / 2);

    expect_unshared(gfn);
    expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_MERGED, "equal pages");
    expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_ALREADY, "the same again");
    expect(0, sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare");
    expect(-ENOENT, sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare again");
    expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_MERGED, "equal pages after an unshare");
    expect(0, sharer_do(source, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of the source");
    expect(0, sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of who is left");
    expect_unshared(gfn);
    expect(0, sharer_do(source, XEN_MEMEVENT_SHARING_NOMINATE, gfn), "nominate");
    expect(0, sharer_do(source, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of what was only nominated");
    pass("equal pages are merged, once, and unshared");
}

/* One octet differs: Xen must find it wherever it is, and leave both as they are. */
static void merge_different(void)
{
    static const unsigned int places[] = { 0, 1, 7, 2048, 4088, 4095 };
    static uint8_t before[2][OCTETS];

    for ( unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++ )
    {
        uint64_t gfn = equal_frame(pair.frames / 2 + i);
        uint8_t *octets = sharer_map(client, gfn, true);

        octets[places[i]] ^= 1u << (i % 8);
        sharer_unmap(octets);
        for ( unsigned int s = 0; s < 2; s++ )
        {
            octets = sharer_map(&pair.sharers[s], gfn, false);
            memcpy(before[s], octets, OCTETS);
            sharer_unmap(octets);
        }

        expect_outcome(gfn, gfn, -EILSEQ, XEN_MEMEVENT_DIFFERENT, "pages that differ in a bit");
        expect_unshared(gfn);
        for ( unsigned int s = 0; s < 2; s++ )
        {
            octets = sharer_map(&pair.sharers[s], gfn, false);
            if ( memcmp(before[s], octets, OCTETS) )
                fail("a page that was not merged has changed");
            sharer_unmap(octets);
        }

        octets = sharer_map(client, gfn, true);
        octets[places[i]] ^= 1u << (i % 8);
        sharer_unmap(octets);
        expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_MERGED, "the same pages made equal");
    }
    pass("pages that differ in one bit are left as they are");
}

static void merge_held(void)
{
    uint64_t gfn = equal_frame(pair.frames / 2 + 64);
    void *held = sharer_map(client, gfn, false);

    expect_outcome(gfn, gfn, -EBUSY, XEN_MEMEVENT_CLIENT, "a client that is mapped");
    sharer_unmap(held);
    expect_unshared(gfn);
    held = sharer_map(source, gfn, false);
    expect_outcome(gfn, gfn, -EBUSY, XEN_MEMEVENT_SOURCE, "a source that is mapped");
    expect(-EBUSY, sharer_do(source, XEN_MEMEVENT_SHARING_NOMINATE, gfn), "nominating what is mapped");
    sharer_unmap(held);
    expect_unshared(gfn);
    expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_MERGED, "the same pages, mapped by nobody");
    pass("what somebody holds is busy, and whose page it was is said");
}

/* A page that more domains share than the two of a merge: those stay with it. */
static void merge_three(uint16_t third)
{
    uint64_t gfn = equal_frame(pair.frames / 2 + 128);
    struct pair with_third = pair;
    struct sharer *const thirds = &with_third.sharers[0];
    struct xen_memevent_operation operation;

    thirds->domid = third;
    expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_MERGED, "the pages of two");
    expect(0, pair_merge_frames(&with_third, gfn, gfn, &operation), "a third's with one of them");
    expect(XEN_MEMEVENT_MERGED, operation.u.sharing.outcome, "outcome: a third's with one of them");
    expect(0, sharer_do(source, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of who was left alone");
    expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_MERGED, "one of the two that are one, with the other");
    expect(0, pair_merge_frames(&with_third, gfn, gfn, &operation), "the third's once more");
    expect(0, sharer_do(thirds, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of the third");
    expect(0, sharer_do(source, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of the source");
    expect(0, sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of the client");
    expect(-ENOENT, sharer_do(thirds, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "the third is shared");
    expect_unshared(gfn);
    pass("a page that three domains share is merged with those of two of them at a time");
}

/*
 * Somebody unshares the client's page on another CPU all the time: now before it is nominated, now while the octets are
 * compared, now when it is merged already.  Which of these are met is chance, and not asked for; whatever is met must
 * leave the pages right.  Each of them for certain: tests/lib/hypervisor/test-emulated.c.
 */
static void merge_while_unshared(void)
{
    uint64_t gfn = equal_frame(pair.frames / 2 + 192), end = now_us() + RACE_US;
    unsigned long outcomes[OUTCOMES] = { 0 };
    pid_t unsharer = fork();

    if ( unsharer < 0 )
        fail("no process: %s", strerror(errno));
    if ( !unsharer )
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        hypervisor_open();
        for ( ;; )
            sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn);
    }
    while ( (outcomes[XEN_MEMEVENT_STALE] < STALES || !outcomes[XEN_MEMEVENT_MERGED]) && now_us() < end )
    {
        struct xen_memevent_operation operation;

        pair_merge_frames(&pair, gfn, gfn, &operation);
        outcomes[operation.u.sharing.outcome]++;
    }
    kill(unsharer, SIGKILL);
    waitpid(unsharer, NULL, 0);
    printf("while the client is unshared: merged %lu, already %lu, client busy %lu, stale %lu\n",
           outcomes[XEN_MEMEVENT_MERGED], outcomes[XEN_MEMEVENT_ALREADY], outcomes[XEN_MEMEVENT_CLIENT],
           outcomes[XEN_MEMEVENT_STALE]);
    if ( !outcomes[XEN_MEMEVENT_MERGED] )
        fail("nothing was ever merged");
    if ( outcomes[XEN_MEMEVENT_DIFFERENT] )
        fail("pages that nobody writes to were found different");
    /* What was undone is undone wholly: nobody holds the pages, and they can be merged. */
    sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn);
    expect_outcome(gfn, gfn, 0, XEN_MEMEVENT_MERGED, "equal pages that are left alone");
    expect(0, sharer_do(client, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of the client");
    expect(0, sharer_do(source, XEN_MEMEVENT_SHARING_UNSHARE, gfn), "unshare of the source");
    expect_unshared(gfn);
    pass("a page that is unshared while it is merged comes out of it whole%s",
         outcomes[XEN_MEMEVENT_STALE] ? "" : "; no unshare met a merge half-way this time");
}

static void merge_while_written(const char *seconds)
{
    struct merged merged = { { 0 }, 0 };
    char program[32];
    uint64_t until = now_us() + strtoul(seconds, NULL, 10) * 1000000ull + PATIENCE_US;
    unsigned int rounds = 0;

    snprintf(program, sizeof(program), "storm:%ss", seconds);
    do {
        if ( now_us() > until )
            fail("too little for the test to mean anything");
        for ( pair_tell(&pair, program); !pair_is_done(&pair, "guest: storm"); rounds++ )
        {
            pair_merge(&pair, &merged);
            usleep(ROUND_US);
        }
        say("while both write", &merged);
        printf("%u rounds\n", rounds);
    } while ( rounds < ROUNDS_MIN || !merged.outcomes[XEN_MEMEVENT_MERGED] ||
              !merged.outcomes[XEN_MEMEVENT_DIFFERENT] );
    pair_does(&pair, "verify", "guest: verify");
    pass("both guests are right after %u rounds of merges under their writes", rounds);
}

int main(int argc, char **argv)
{
    struct merged merged = { { 0 }, 0 };

    if ( argc != 10 )
        fail("usage: channel-merge DOMID TTY LOG DOMID TTY LOG FRAMES SECONDS THIRD");
    hypervisor_open();
    pair_open(&pair, argv + 1, strtoull(argv[7], NULL, 0));

    merge_equal();
    merge_different();
    merge_held();
    merge_three(strtoul(argv[9], NULL, 10));
    merge_while_unshared();

    pair_merge(&pair, &merged);
    say("all frames", &merged);
    if ( merged.outcomes[XEN_MEMEVENT_MERGED] < pair.frames / 2 )
        fail("too few pages were merged");
    pair_does(&pair, "verify", "guest: verify");
    pass("both guests read what they had after %lu merges", merged.outcomes[XEN_MEMEVENT_MERGED]);

    merge_while_written(argv[8]);

    return 0;
}
