/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An honest consumer of a PAGING channel, as slow as it is told: takes all of a guest's memory out, and serves the
 * guest while it carries a program out, until a file appears. What another domain's consumer answered meanwhile is
 * compared with it.
 *
 *   channel-serve DOMID TTY LOG FRAMES PROGRAM MS [STOP [OTHER]]
 *
 *   MS      sleeps so long before each answer
 *   STOP    the program is carried out again and again until this file is there; then nothing is slow any more
 *   OTHER   a domain whose consumer is slow: it must not have answered more than a quarter of what was answered here
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel-pages.h"
#include "guest.h"

#define TIMES_MAX       65536
#define EVICT_FRAMES    256         /* taken out again after so many were asked for */
#define PATIENCE_US     300000000u
#define SLOWER          4           /* as one behind the other, both would have been answered as often */
#define SLOW_ANSWERS    3           /* of the other's, at least, to compare with */

static struct channel channel;
static struct pages pages;
static struct guest guest;
static unsigned int delay_us;
static unsigned long served, since_evicted, slow;
static uint32_t times[TIMES_MAX];   /* us that an answer took, without the sleep before it */

static void serve(void)
{
    struct xen_memevent_request request;

    while ( channel_take(&channel, &request) )
    {
        uint64_t begin;

        if ( delay_us )
        {
            usleep(delay_us);
            slow++;
        }
        begin = now_us();
        pages_serve(&pages, &request);
        channel_answer(&channel, request.id, 0);
        channel_publish(&channel);
        times[served++ % TIMES_MAX] = now_us() - begin;
        since_evicted++;
    }
}

static void guest_does(const char *program, const char *stop)
{
    uint64_t until = now_us() + PATIENCE_US;
    char what[64], line[256];
    int rc = guest_tell(&guest, program);

    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    snprintf(what, sizeof(what), "guest: %.*s", (int)strcspn(program, ": /"), program);
    while ( !(rc = guest_answered(&guest, what, line, sizeof(line))) )
    {
        if ( now_us() > until )
            fail("the guest never says '%s'", what);
        if ( stop && !access(stop, F_OK) )
            delay_us = 0;
        serve();
        if ( since_evicted >= EVICT_FRAMES )
        {
            pages_evict(&pages, random_next() % (pages.frames - EVICT_FRAMES), EVICT_FRAMES);
            since_evicted = 0;
        }
        channel_wait(&channel, 5);
    }
    if ( rc < 0 || !strstr(line, "bad=0 ") )
        fail("the guest: %s", rc < 0 ? strerror(-rc) : line);
    puts(line);
}

static int by_value(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

    return a < b ? -1 : a > b;
}

static void say_figures(const struct xen_memevent_info *info)
{
    unsigned long n = served < TIMES_MAX ? served : TIMES_MAX;

    qsort(times, n, sizeof(times[0]), by_value);
    printf("served %lu (%lu of them slowly), median %u us, p99 %u us; %"PRIu64" notifications\n", served, slow,
           n ? times[n / 2] : 0, n ? times[n * 99 / 100] : 0, info->notifications);
}

static uint64_t answered(uint16_t domid)
{
    struct xen_memevent_info info;

    expect(0, channel_info(domid, XEN_MEMEVENT_CLASS_PAGING, &info), "counters of domain %u", domid);

    return info.answered;
}

int main(int argc, char **argv)
{
    const char *stop = argc > 7 ? argv[7] : NULL;
    struct xen_memevent_info info;
    uint16_t other;
    uint64_t others = 0;

    if ( argc < 7 || argc > 9 )
        fail("usage: channel-serve DOMID TTY LOG FRAMES PROGRAM MS [STOP [OTHER]]");
    hypervisor_open();
    guest.tty = argv[2];
    guest.log = argv[3];
    delay_us = strtoul(argv[6], NULL, 10) * 1000;
    other = argc > 8 ? strtoul(argv[8], NULL, 10) : 0;
    pages_open(&pages, strtoul(argv[1], NULL, 10), strtoull(argv[4], NULL, 0));

    expect(0, channel_attach(&channel, pages.domid, XEN_MEMEVENT_CLASS_PAGING, 0, 0, 0), "attach");
    printf("%lu of %"PRIu64" frames are out\n", pages_evict(&pages, 0, pages.frames), pages.frames);
    if ( other )
        others = answered(other);
    do
        guest_does(argv[5], stop);
    while ( (stop && access(stop, F_OK)) || (other && answered(other) - others < SLOW_ANSWERS) );
    expect(0, channel_info(pages.domid, XEN_MEMEVENT_CLASS_PAGING, &info), "the counters");
    say_figures(&info);
    if ( other )
    {
        others = answered(other) - others;
        printf("domain %u was answered %"PRIu64" times meanwhile\n", other, others);
        if ( served < SLOWER * others )
            fail("the other consumer's slowness is felt here");
    }

    guest_does("verify", stop);
    pages_out(&pages, true);
    serve();
    expect(0, channel_detach(pages.domid, XEN_MEMEVENT_CLASS_PAGING), "detach");
    expect(0, info.unknown + info.repeated + info.malformed + info.overruns, "answers refused");
    pass("domain %u: %lu requests served, and every word is right", pages.domid, served);

    return 0;
}
