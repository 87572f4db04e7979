/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests that wait for memory: they go on as soon as a page was evicted anywhere, are told to try again in time if
 * none could be, and what nobody could help is shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/lib/memevent/fake-channels.h"

#include "daemons/xenpaging/paged.h"

#define DOMID FAKE_CHANNELS_DOMID

static struct fake_channels fake;
static struct pager p;
static struct paged paged;

static int begin(void **unused)
{
    (void)unused;
    fake_channels_init(&fake);
    memset(&p, 0, sizeof(p));
    memset(&paged, 0, sizeof(paged));
    p.hv = &fake.hv;
    p.now = UINT32_MAX - 2000;
    p.first = &paged;
    assert_int_equal(loop_open(&p.loop), 0);
    oom_add(&p, DOMID);
    /* Once is enough. */
    oom_add(&p, DOMID);
    assert_true(fake.attached);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    oom_close(&p);
    assert_null(p.oom);
    loop_close(p.loop);
    fake_channels_finish(&fake);
    return 0;
}

static uint64_t lack(uint32_t vcpu)
{
    const struct xen_memevent_request request = { .gfn = vcpu, .kind = XEN_MEMEVENT_OOM_UNSHARE };

    return fake_channels_ask(&fake, vcpu, &request);
}

static struct oom_statistics statistics(void)
{
    struct oom_statistics s;

    oom_get_statistics(&p, &s);
    return s;
}

static void test_goes_on_after_an_eviction(void **unused)
{
    (void)unused;
    assert_false(oom_serve(&p));
    assert_false(p.memory_short);
    lack(3);
    lack(4);
    assert_true(oom_serve(&p));
    /* Pages are to go. */
    assert_true(p.memory_short);
    assert_int_equal(statistics().waiting, 2);
    p.now += 10;
    assert_true(oom_serve(&p));
    assert_true(fake_channels_waits(&fake, 3));
    paged.statistics.paged_out++;
    assert_false(oom_serve(&p));
    assert_false(fake_channels_waits(&fake, 3));
    assert_false(fake_channels_waits(&fake, 4));
    assert_int_equal(statistics().answered_with, 2);
    assert_int_equal(statistics().answered_without, 0);
    assert_int_equal(statistics().events, 2);
    assert_int_equal(statistics().waiting, 0);
    assert_false(statistics().unresolved);

    /* What went before it waited is gone already; and a domain that leaves takes no eviction back. */
    lack(3);
    assert_true(oom_serve(&p));
    p.first = NULL;
    p.paged_out_gone = paged.statistics.paged_out;
    assert_true(oom_serve(&p));
    p.paged_out_gone++;
    assert_false(oom_serve(&p));
}

static void test_nobody_waits_for_ever(void **unused)
{
    unsigned int rounds = 0;

    (void)unused;
    for ( uint32_t since = p.now; p.now - since < 3000; p.now += 50, rounds++ )
    {
        /* It comes back as soon as it is let go. */
        if ( !fake_channels_waits(&fake, 1) )
            lack(1);
        oom_serve(&p);
        if ( p.now - since < 900 )
            assert_false(statistics().unresolved);
        else if ( p.now - since > 2000 )
            assert_true(statistics().unresolved);
    }
    assert_true(statistics().answered_without >= 3000 / OOM_ANSWER_MS - 3);
    assert_true(statistics().answered_without <= 3000 / OOM_ANSWER_MS + 1);
    assert_int_equal(statistics().answered_with, 0);
    /* Memory is found after all. */
    lack(1);
    oom_serve(&p);
    paged.statistics.paged_out++;
    oom_serve(&p);
    assert_false(fake_channels_waits(&fake, 1));
    assert_false(statistics().unresolved);
}

/* Or nobody comes back: then there is nothing to complain of. */
static void test_unresolved_passes(void **unused)
{
    (void)unused;
    for ( uint32_t since = p.now; p.now - since < 2000; p.now += 100 )
    {
        if ( !fake_channels_waits(&fake, 1) )
            lack(1);
        oom_serve(&p);
    }
    assert_true(statistics().unresolved);
    p.now += 400;
    oom_serve(&p);
    p.now += 2000;
    oom_serve(&p);
    assert_false(statistics().unresolved);
}

/* More than are waited for at a time stay on the channel. */
static void test_many(void **unused)
{
    (void)unused;
    for ( uint32_t vcpu = 0; vcpu < FAKE_CHANNELS_VCPUS; vcpu++ )
        assert_true(lack(vcpu));
    assert_true(oom_serve(&p));
    assert_true(statistics().waiting < FAKE_CHANNELS_VCPUS);
    for ( unsigned int i = 0; i < 5; i++ )
    {
        paged.statistics.paged_out++;
        oom_serve(&p);
    }
    assert_int_equal(statistics().waiting, 0);
    for ( uint32_t vcpu = 0; vcpu < FAKE_CHANNELS_VCPUS; vcpu++ )
        assert_false(fake_channels_waits(&fake, vcpu));
}

/* A pager that ends leaves who waits to the next one. */
static void test_next_pager(void **unused)
{
    (void)unused;
    lack(5);
    assert_true(oom_serve(&p));
    oom_remove(&p, DOMID);
    oom_remove(&p, DOMID);
    assert_null(p.oom);
    assert_int_equal(fake.ended, 0);
    oom_add(&p, DOMID);
    assert_true(oom_serve(&p));
    assert_int_equal(statistics().waiting, 1);
    paged.statistics.paged_out++;
    assert_false(oom_serve(&p));
    assert_false(fake_channels_waits(&fake, 5));
}

static void test_sleep(void **unused)
{
    (void)unused;
    assert_true(oom_arm(&p));
    lack(1);
    assert_int_equal(fake.signals, 1);
    oom_serve(&p);
    p.oom_statistics.events = 0;
    lack(2);
    /* Not armed again yet: it must not be slept on. */
    assert_true(oom_serve(&p));
    assert_int_equal(p.oom_statistics.events, 1);
}

static void test_hypervisor_without(void **unused)
{
    (void)unused;
    oom_close(&p);
    fake.attach_error = -ENODEV;
    oom_add(&p, DOMID);
    assert_null(p.oom);
    assert_false(p.oom_missing);
    fake.attach_error = -ENOSYS;
    oom_add(&p, DOMID);
    assert_true(p.oom_missing);
    fake.attach_error = 0;
    oom_add(&p, DOMID);
    /* Not asked again. */
    assert_null(p.oom);
    assert_false(oom_serve(&p));
    assert_true(oom_arm(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_goes_on_after_an_eviction, begin, end),
        cmocka_unit_test_setup_teardown(test_nobody_waits_for_ever, begin, end),
        cmocka_unit_test_setup_teardown(test_unresolved_passes, begin, end),
        cmocka_unit_test_setup_teardown(test_many, begin, end),
        cmocka_unit_test_setup_teardown(test_next_pager, begin, end),
        cmocka_unit_test_setup_teardown(test_sleep, begin, end),
        cmocka_unit_test_setup_teardown(test_hypervisor_without, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
