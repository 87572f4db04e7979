/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dump of event channels, with a clock that goes on by a millisecond a line: what is said at once and what in
 * pieces, that pauses are long enough, each line once, and what happens when domains and ports go between two pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/sched.h>

#define LINE    MILLISECS(1)        /* what the console takes for a line */
#define LOCKING 1000                /* what a port takes of which nothing is said */
#define AT_ONCE MILLISECS(50)       /* as event-dump.c has it */
#define PIECE   MILLISECS(5)
#define STRETCH 64                  /* free ports between two looks at the clock */
#define TEXT    (1 << 20)

int shim_start(void);

struct domain *shim_domains;
bool shim_in_list;
static s_time_t clock_now;
static unsigned int everything, locks;
static struct timer *timer;
static struct tasklet *scheduled;
static void (*key)(unsigned char key);
static char said[TEXT];
static size_t length;

char *xsm_show_security_evtchn(struct domain *d, const struct evtchn *chn)
{
    return chn->port % 7 ? NULL : strdup("label");
}

void read_lock(rwlock_t *lock)
{
    assert_true(shim_in_list && !lock->held);
    lock->held = true;
    locks++;
    clock_now += LOCKING;
}

void read_unlock(rwlock_t *lock)
{
    assert_true(lock->held);
    lock->held = false;
    locks--;
}

s_time_t NOW(void)
{
    return clock_now;
}

void init_timer(struct timer *which, void (*function)(void *data), void *data, unsigned int cpu)
{
    which->function = function;
    timer = which;
}

void set_timer(struct timer *which, s_time_t expires)
{
    assert_ptr_equal(which, timer);
    assert_int_equal(timer->expires, 0);
    timer->expires = expires;
}

void tasklet_schedule(struct tasklet *tasklet)
{
    assert_null(scheduled);
    scheduled = tasklet;
}

void process_pending_softirqs(void)
{
    assert_int_equal(locks, 0);
}

void printk(const char *format, ...)
{
    va_list arguments;
    size_t before = length;

    assert_int_equal(locks, 0);
    assert_int_not_equal(everything, 0);
    va_start(arguments, format);
    length += vsnprintf(said + length, TEXT - length, format, arguments);
    va_end(arguments);
    assert_true(length < TEXT);
    for ( ; before < length; before++ )
        clock_now += said[before] == '\n' ? LINE : 0;
}

void console_start_log_everything(void)
{
    everything++;
}

void console_end_log_everything(void)
{
    everything--;
}

void register_keyhandler(unsigned char which, void (*handler)(unsigned char key), const char *what, bool diagnostic)
{
    assert_int_equal(which, 'e');
    key = handler;
}

/* As Xen presses it. */
static void press(void)
{
    everything++;
    key('e');
    everything--;
}

/* The next piece, if there is one; it must not come early, nor take long. */
static bool next_piece(s_time_t took)
{
    s_time_t begin;

    if ( !timer->expires )
        return false;

    assert_true(timer->expires - clock_now >= (took > PIECE ? took : PIECE));
    clock_now = timer->expires;
    timer->expires = 0;
    timer->function(NULL);
    assert_non_null(scheduled);
    begin = clock_now;
    scheduled->func(NULL);
    scheduled = NULL;
    assert_int_equal(everything, 0);
    assert_false(shim_in_list);
    /* Beside the last line a piece may have a domain's first three, or the end. */
    assert_true(clock_now - begin <= PIECE + 4 * LINE + STRETCH * LOCKING);

    return true;
}

static unsigned int finish(void)
{
    unsigned int pieces = 0;

    while ( next_piece(0) )
        pieces++;

    return pieces;
}

/* A domain with ports up to count, each used-th in use. */
static struct domain *add(domid_t domid, unsigned int count, unsigned int used)
{
    struct domain **last = &shim_domains, *d = calloc(1, sizeof(*d));

    while ( *last )
        last = &(*last)->next_in_list;
    *last = d;
    d->domain_id = domid;
    d->valid_evtchns = count + 1;
    d->channels = calloc(count + 1, sizeof(*d->channels));
    for ( unsigned int port = 0; port <= count; port++ )
    {
        d->channels[port].port = port;
        d->channels[port].state = port % used ? ECS_FREE : ECS_IPI;
    }

    return d;
}

static void forget(struct domain *d)
{
    struct domain **at = &shim_domains;

    while ( *at != d )
        at = &(*at)->next_in_list;
    *at = d->next_in_list;
    free(d->channels);
    free(d);
}

static int begin(void **state)
{
    length = 0;
    said[0] = '\0';
    timer->expires = 0;

    return 0;
}

static int end(void **state)
{
    while ( shim_domains )
        forget(shim_domains);

    return 0;
}

static unsigned int times(const char *text)
{
    unsigned int count = 0;

    for ( const char *at = said; (at = strstr(at, text)); at += strlen(text) )
        count++;

    return count;
}

/* The domain's ports from first to last are said, in order, once. */
static void expect_ports(domid_t domid, unsigned int first, unsigned int last, unsigned int used)
{
    char line[80];
    const char *at, *next, *again;

    snprintf(line, sizeof(line), "information for domain %u:\n", domid);
    assert_int_equal(times(line), 1);
    at = strstr(said, line);
    next = strstr(at + 1, "information for domain");
    for ( unsigned int port = first; port <= last; port += used )
    {
        snprintf(line, sizeof(line), "\n    %4u [%u/%u/%u]: s=6 n=0 x=0%s\n", port, port % 2, port % 3 == 0, port % 5,
                 port % 7 ? "" : " Z=label");
        at = strstr(at, line);
        assert_non_null(at);
        again = strstr(at + 1, line);
        assert_true(!again || (next && again > next));
    }
    snprintf(line, sizeof(line), "\n    %4u [", last + used);
    at = strstr(at, line);
    assert_true(!at || (next && at > next));
}

static bool over(void)
{
    static const char last[] = "End of event-channel info\n";

    return times(last) == 1 && !strcmp(said + length - strlen(last), last);
}

static void test_small(void **state)
{
    add(0, 20, 1);
    add(3, 5, 1);
    press();
    assert_int_equal(timer->expires, 0);
    expect_ports(0, 1, 20, 1);
    expect_ports(3, 1, 5, 1);
    assert_true(over());
}

static void test_peers(void **state)
{
    struct domain *d = add(0, 5, 1), *other = add(9, 0, 1);

    d->channels[1].state = ECS_UNBOUND;
    d->channels[1].u.unbound.remote_domid = 12;
    d->channels[2].state = ECS_INTERDOMAIN;
    d->channels[2].u.interdomain.remote_dom = other;
    d->channels[2].u.interdomain.remote_port = 77;
    d->channels[3].state = ECS_PIRQ;
    d->channels[3].u.pirq.irq = 5;
    d->channels[4].state = ECS_VIRQ;
    d->channels[4].u.virq = 2;
    press();
    assert_non_null(strstr(said, "s=2 n=0 x=0 d=12\n"));
    assert_non_null(strstr(said, "s=3 n=0 x=0 d=9 p=77\n"));
    assert_non_null(strstr(said, "s=4 n=0 x=0 p=5 i=5\n"));
    assert_non_null(strstr(said, "s=5 n=0 x=0 v=2\n"));
}

static void test_pieces(void **state)
{
    s_time_t begin = clock_now;

    add(0, 3, 1);
    add(1, 1000, 1);
    press();
    assert_true(clock_now - begin >= AT_ONCE && clock_now - begin <= AT_ONCE + 2 * LINE);
    assert_false(over());
    /* The key's own line comes before. */
    assert_true(next_piece(clock_now - begin - LINE));
    /* Half of a processor at the most: 950 lines and as long a pause. */
    assert_in_range(finish(), 950 / 6, 950 / 4);
    assert_true(clock_now - begin >= 2 * 1000 * LINE);
    expect_ports(0, 1, 3, 1);
    expect_ports(1, 1, 1000, 1);
    assert_true(over());
}

/* Wherever the time is over, at the last port of a domain as well. */
static void test_every_boundary(void **state)
{
    for ( unsigned int count = 35; count < 60; count++ )
    {
        begin(NULL);
        add(2, count, 1);
        add(4, 12, 1);
        press();
        finish();
        expect_ports(2, 1, count, 1);
        expect_ports(4, 1, 12, 1);
        assert_true(over());
        end(NULL);
    }
}

static void test_second_key(void **state)
{
    add(1, 300, 1);
    press();
    press();
    assert_int_equal(times("is being dumped already, at port"), 1);
    assert_int_equal(times("of domain 1\n"), 1);
    finish();
    expect_ports(1, 1, 300, 1);
    assert_true(over());

    /* And when it is over, from the beginning. */
    begin(NULL);
    press();
    finish();
    expect_ports(1, 1, 300, 1);
    assert_true(over());
}

static void test_domain_goes(void **state)
{
    struct domain *gone;

    add(0, 10, 1);
    gone = add(5, 500, 1);
    add(7, 20, 1);
    press();
    assert_true(next_piece(0));
    assert_null(strstr(said, "domain 7"));
    forget(gone);
    finish();
    expect_ports(0, 1, 10, 1);
    expect_ports(7, 1, 20, 1);
    assert_int_equal(times("domain 5:"), 1);
    assert_true(over());
}

static void test_last_domain_goes(void **state)
{
    struct domain *gone;

    add(0, 10, 1);
    gone = add(5, 500, 1);
    press();
    forget(gone);
    assert_int_equal(finish(), 1);
    assert_true(over());
}

/* A domain that is being destroyed has ever fewer ports. */
static void test_ports_go(void **state)
{
    struct domain *d = add(5, 500, 1);

    add(6, 8, 1);
    press();
    d->valid_evtchns = 20;
    finish();
    expect_ports(6, 1, 8, 1);
    assert_null(strstr(said, "\n     100 ["));
    assert_true(over());
}

/* Nothing is said of free ports, and they take time all the same. */
static void test_free_ports(void **state)
{
    add(1, 100000, 9000);
    press();
    assert_in_range(finish(), 5, 30);
    expect_ports(1, 9000, 99000, 9000);
    assert_true(over());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small, begin, end),
        cmocka_unit_test_setup_teardown(test_peers, begin, end),
        cmocka_unit_test_setup_teardown(test_pieces, begin, end),
        cmocka_unit_test_setup_teardown(test_every_boundary, begin, end),
        cmocka_unit_test_setup_teardown(test_second_key, begin, end),
        cmocka_unit_test_setup_teardown(test_domain_goes, begin, end),
        cmocka_unit_test_setup_teardown(test_last_domain_goes, begin, end),
        cmocka_unit_test_setup_teardown(test_ports_go, begin, end),
        cmocka_unit_test_setup_teardown(test_free_ports, begin, end),
    };

    if ( shim_start() )
        return 1;

    return cmocka_run_group_tests(tests, NULL, NULL);
}
