/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests of the emulated host that write all the time while their pages are merged: nobody finds another's bytes, and the
 * books are in order.  Without the comparison they do find them, or else they would not be looking.  And what a
 * spec can say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <memevent/operations.h>

#include "hypervisor/emulated/guests.h"

#define PAGES  512u
/* Times that all pages are gone through; each takes some milliseconds, in which the guests write some pages. */
#define ROUNDS 100u

static struct hypervisor_operation operations[PAGES];

/* Each page of the one with the same of the other, and with the next but three.  How many became one. */
static unsigned int merge_all(struct hypervisor *hv, unsigned int round)
{
    unsigned int merged = 0;

    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        operations[gfn] = (struct hypervisor_operation){
            .call = SHARING_MERGE, .domid = 1 + round % 2, .gfn = gfn,
            .sharing = { .client_domid = 2 - round % 2, .client_gfn = round % 4 < 2 ? gfn : (gfn + 4) % PAGES },
        };
    assert_int_equal(hv->ops->submit(hv, operations, PAGES), 0);
    for ( unsigned int i = 0; i < PAGES; i++ )
        merged += operations[i].sharing.outcome == MEMEVENT_MERGED;

    return merged;
}

/* How many pages the guests found that were not theirs. */
static uint64_t run(bool compares, unsigned int *merged)
{
    struct emulated_spec spec;
    struct emulated_guests *guests;
    struct hypervisor *hv;
    char wrong[256];
    uint64_t found;

    assert_int_equal(emulated_spec_parse("domains=2,memory=2M,vcpus=2,rate=100000,working=50,common=100", &spec, wrong,
                                         sizeof(wrong)), 0);
    spec.seed = time(NULL);
    print_message("seed %llu\n", (unsigned long long)spec.seed);
    assert_int_equal(spec.memory, PAGES);
    assert_int_equal(emulated_open(spec.host, &hv), 0);
    assert_int_equal(emulated_guests_start(hv, &spec, &guests), 0);
    emulated_skip_comparison(hv, !compares);
    *merged = 0;
    for ( unsigned int round = 0; round < (compares ? ROUNDS : 3); round++ )
    {
        *merged += merge_all(hv, round);
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    assert_int_equal(hv->ops->audit_sharing(hv), 0);
    found = emulated_guests_stop(guests);
    assert_int_equal(hv->ops->audit_sharing(hv), 0);
    hv->ops->close(hv);

    return found;
}

static void test_merging(void **state)
{
    unsigned int merged;

    (void)state;
    assert_int_equal(run(true, &merged), 0);
    /* All began as they were in the other. */
    assert_true(merged > PAGES / 2);
}

static void test_no_comparison(void **state)
{
    unsigned int merged;

    (void)state;
    assert_true(run(false, &merged) > 0);
}

static void test_spec(void **state)
{
    static const struct { const char *text, *wrong; } bad[] = {
        { "domains=0", "domains is a number from 1 to 64" }, { "domains=", "domains is a number" },
        { "domains=2x", "domains is a number" }, { "memory=99999999999999999999", "memory is a size" },
        { "memory=18014398509481985K", "memory is a size" }, { "memory=1T", "memory is a size" },
        { "memory", "'memory' is not known" }, { "mem=1M", "'mem=1M' is not known" }, { "load=", "load is storm" },
        { "run=relative", "absolute path" }, { "working=101", "working is a number from 1 to 100" },
        { "vcpus=-1", "vcpus is a number" },
    };
    struct emulated_spec spec;
    char wrong[512];

    (void)state;
    assert_int_equal(emulated_spec_parse("", &spec, wrong, sizeof(wrong)), 0);
    assert_true(spec.domains == 2 && spec.memory == 16384 && spec.host == 40960 && !spec.target && !spec.run[0]);
    assert_int_equal(emulated_spec_parse("domains=3,memory=4096K,vcpus=5,target=1M,load=sequential,rate=9,working=100,"
                                         "common=0,host=1G,seed=77,run=/a/b", &spec, wrong, sizeof(wrong)), 0);
    assert_true(spec.domains == 3 && spec.memory == 1024 && spec.vcpus == 5 && spec.target == 256 &&
                spec.load == EMULATED_LOAD_SEQUENTIAL && spec.rate == 9 && spec.working == 100 && !spec.common &&
                spec.host == 262144 && spec.seed == 77);
    assert_string_equal(spec.run, "/a/b");
    for ( unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++ )
    {
        assert_int_equal(emulated_spec_parse(bad[i].text, &spec, wrong, sizeof(wrong)), -EINVAL);
        assert_non_null(strstr(wrong, bad[i].wrong));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merging), cmocka_unit_test(test_no_comparison), cmocka_unit_test(test_spec),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
