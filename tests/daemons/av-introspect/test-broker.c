/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker over the emulated host: vCPUs are threads that write and execute pages, and what they get to execute is what
 * was judged. One broker a test, in a thread of its own, stopped by a signal as an admin does it.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include <daemon/log.h>
#include <daemons/av-introspect/broker.h>
#include <hypervisor/emulated/emulated.h>

#include "broker-bench.h"
#include "marker-scanner.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A vCPU that executes a page, and may have to wait. */
struct runner {
    pthread_t thread;
    uint32_t vcpu;
    uint64_t gfn;
    int rc;
    char got[128];
    bool is_done;
};

static void *run_code(void *arg)
{
    struct runner *r = arg;

    r->rc = execute(DOMID, r->vcpu, r->gfn, r->got);
    __atomic_store_n(&r->is_done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void begin(struct runner *r, uint32_t vcpu, uint64_t gfn)
{
    *r = (struct runner){ .vcpu = vcpu, .gfn = gfn };
    assert_int_equal(pthread_create(&r->thread, NULL, run_code, r), 0);
}

static bool is_done(const struct runner *r)
{
    return __atomic_load_n(&r->is_done, __ATOMIC_ACQUIRE);
}

static unsigned int count_findings(const char *word)
{
    FILE *file = fopen(t.findings, "r");
    unsigned int count = 0;
    char line[4096];

    while ( file && fgets(line, sizeof(line), file) )
        count += strstr(line, word) != NULL;
    if ( file )
        fclose(file);
    return count;
}

/* ---- tests ---- */

static void test_judged_before_executed(void **state)
{
    (void)state;
    start();
    put(DOMID, 0, 3, CODE);
    runs(DOMID, 3, CODE);
    put(DOMID, 1, 3, MARKER_MALICIOUS);
    is_denied(DOMID, 3);
    is_denied(DOMID, 3);
    assert_int_equal(count_findings("\"malicious\""), 2);
    assert_int_equal(count_findings("\"cached\":true"), 1);
    put(DOMID, 1, 3, CODE " again");
    runs(DOMID, 3, CODE " again");
    put(DOMID, 1, 3, MARKER_SUSPICIOUS);
    runs(DOMID, 3, MARKER_SUSPICIOUS);
    assert_int_equal(count_findings("\"suspicious\""), 1);
}

/* Nobody changes what is being judged: who writes is heard of, and the new octets are judged. */
static void test_written_while_judged(void **state)
{
    struct runner r;

    (void)state;
    start();
    put(DOMID, 0, 5, CODE);
    marker_scanner_hold(true);
    begin(&r, 0, 5);
    wait_for(marker_scanner_held() == 1);
    /* Meanwhile the other one may have come once more, and waits for the former octets again, which is as good. */
    put(DOMID, 1, 5, MARKER_MALICIOUS);
    wait_for(marker_scanner_held() >= 2);
    assert_false(is_done(&r));
    marker_scanner_hold(false);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, -EPERM);
}

static void test_several_wait(void **state)
{
    struct runner r[VCPUS];

    (void)state;
    start();
    put(DOMID, 0, 7, CODE);
    marker_scanner_hold(true);
    for ( unsigned int i = 0; i < VCPUS; i++ )
        begin(&r[i], i, i < 2 ? 7 : 8 + i);
    wait_for(marker_scanner_held() == VCPUS - 1);
    marker_scanner_hold(false);
    for ( unsigned int i = 0; i < VCPUS; i++ )
    {
        pthread_join(r[i].thread, NULL);
        assert_int_equal(r[i].rc, 0);
    }
}

static void test_deadline_open(void **state)
{
    struct runner r;

    (void)state;
    t.settings.deadline = DEADLINE_SHORT;
    start();
    put(DOMID, 0, 5, MARKER_MALICIOUS);
    marker_scanner_hold(true);
    begin(&r, 0, 5);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, 0);
    assert_int_equal(count_findings("malicious"), 0);
    /* The verdict comes late, is told, and counts for the next time. */
    marker_scanner_hold(false);
    wait_for(count_findings("\"has_run\":true") == 1);
    wait_for(execute(DOMID, 0, 5, r.got) == -EPERM);
}

static void test_deadline_closed(void **state)
{
    struct runner r;

    (void)state;
    t.settings.deadline = DEADLINE_SHORT;
    t.settings.unjudged = UNJUDGED_WAITS;
    start();
    put(DOMID, 0, 5, CODE);
    marker_scanner_hold(true);
    begin(&r, 0, 5);
    wait_for(status_of(DOMID, "scanning", "vcpus_waiting") == 1);
    pause_ms(4 * DEADLINE_SHORT);
    assert_false(is_done(&r));
    marker_scanner_hold(false);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, 0);
}

/* A scanner that dies over a page gets it three times. */
static void test_nobody_can_judge(void **state)
{
    (void)state;
    start();
    put(DOMID, 0, 5, CODE);
    marker_scanner_fail(2);
    runs(DOMID, 5, CODE);
    assert_int_equal(count_findings("unjudged"), 0);
    put(DOMID, 0, 6, CODE "6");
    marker_scanner_fail(3);
    runs(DOMID, 6, CODE "6");
    assert_int_equal(count_findings("unjudged"), 1);
    stop();
    t.settings.unjudged = UNJUDGED_WAITS;
    start();
    put(DOMID, 0, 6, CODE "7");
    marker_scanner_fail(3);
    is_denied(DOMID, 6);
}

/* One that could not is asked anew for an equal page, and where nobody may run unjudged, nobody does. */
static void test_a_plugin_cannot_judge(void **state)
{
    (void)state;
    start();
    for ( uint64_t gfn = 5; gfn < 7; gfn++ )
    {
        put(DOMID, 0, gfn, CODE MARKER_UNJUDGED);
        runs(DOMID, gfn, CODE MARKER_UNJUDGED);
    }
    assert_int_equal(marker_scanner_taken(), 2);
    assert_int_equal(count_findings("unjudged"), 2);
    stop();
    t.settings.unjudged = UNJUDGED_WAITS;
    start();
    is_denied(DOMID, 5);
}

static void test_no_room(void **state)
{
    (void)state;
    start();
    put(DOMID, 0, 5, CODE);
    marker_scanner_refuse(20);
    runs(DOMID, 5, CODE);
}

/* A verdict is by content, for all domains, as long as the rules are the same. */
static void test_cache(void **state)
{
    unsigned int taken;

    (void)state;
    assert_int_equal(emulated_create_domain(t.hv, OTHER, 1, FRAMES), 0);
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/2/memory/av-protect", "yes"), 0);
    start();
    wait_for(status_of(OTHER, "pages", "sweep_permille") == 1000);
    put(DOMID, 0, 5, CODE);
    runs(DOMID, 5, CODE);
    taken = marker_scanner_taken();
    put(DOMID, 0, 9, CODE);
    runs(DOMID, 9, CODE);
    put(OTHER, 0, 5, CODE);
    runs(OTHER, 5, CODE);
    assert_int_equal(marker_scanner_taken(), taken);
    wait_for(status_of(DOMID, "pages", "executable") == 2);
    marker_scanner_set_generation(2);
    /* What may be executed by the former rules may not by these. */
    wait_for(status_of(DOMID, "pages", "executable") == 0);
    runs(OTHER, 5, CODE);
    assert_int_equal(marker_scanner_taken(), taken + 1);
}

/* A broker ends while a vCPU waits for it to judge a page. */
static void stop_while_it_waits(struct runner *r)
{
    start();
    put(DOMID, 0, 5, MARKER_MALICIOUS);
    marker_scanner_hold(true);
    begin(r, 0, 5);
    wait_for(marker_scanner_held() == 1);
    stop();
}

/* Page and vCPUs of a broker that is gone are the next one's. */
static void test_left_and_taken_over(void **state)
{
    struct runner r;

    (void)state;
    t.settings.at_exit = EXIT_GUARD;
    stop_while_it_waits(&r);
    assert_false(is_done(&r));
    marker_scanner_hold(false);
    start();
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, -EPERM);
    t.settings.at_exit = EXIT_LIFT;
}

static void test_let_go(void **state)
{
    struct runner r;

    (void)state;
    stop_while_it_waits(&r);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, 0);
    runs(DOMID, 5, MARKER_MALICIOUS);
    put(DOMID, 0, 6, MARKER_MALICIOUS);
    runs(DOMID, 6, MARKER_MALICIOUS);
}

static bool is_alone;

/* In the place of the library's, which the linker leaves to be called by that name. */
int __wrap_memevent_can_reattach(const struct memevent_channel *channel);
int __real_memevent_can_reattach(const struct memevent_channel *channel);

int __wrap_memevent_can_reattach(const struct memevent_channel *channel)
{
    return !is_alone && __real_memevent_can_reattach(channel);
}

/* Over a ring that no later broker can take up nobody is left waiting, whatever is to be at the end. */
static void test_nobody_can_take_over(void **state)
{
    struct runner r;

    (void)state;
    is_alone = true;
    t.settings.at_exit = EXIT_GUARD;
    stop_while_it_waits(&r);
    pthread_join(r.thread, NULL);
    is_alone = false;
    assert_int_equal(r.rc, 0);
    marker_scanner_hold(false);
    put(DOMID, 0, 6, MARKER_MALICIOUS);
    runs(DOMID, 6, MARKER_MALICIOUS);
    start();
    wait_for(status_says(DOMID, "gap", "new_code", "ran"));
    is_denied(DOMID, 6);
}

static void test_domain_dies(void **state)
{
    struct runner r;

    (void)state;
    start();
    put(DOMID, 0, 5, CODE);
    marker_scanner_hold(true);
    begin(&r, 0, 5);
    wait_for(marker_scanner_held() == 1);
    assert_int_equal(emulated_kill_domain(t.hv, DOMID), 0);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, -ESRCH);
    marker_scanner_hold(false);
    wait_for(status_of(DOMID, "pages", "restricted") == -1);
    assert_int_equal(emulated_create_domain(t.hv, DOMID, VCPUS, FRAMES), 0);
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/1/name", "guarded again"), 0);
    wait_for(status_of(DOMID, "pages", "sweep_permille") == 1000);
    put(DOMID, 0, 5, MARKER_MALICIOUS);
    is_denied(DOMID, 5);
}

/* The domain is protected, is not while the key has the value `lifted`, and is again with `anew`. */
static void follows_key(const char *key, const char *lifted, const char *anew)
{
    start();
    put(DOMID, 0, 5, MARKER_MALICIOUS);
    is_denied(DOMID, 5);
    assert_int_equal(t.hv->ops->write_key(t.hv, key, lifted), 0);
    wait_for(status_of(DOMID, "pages", "restricted") == -1);
    runs(DOMID, 5, MARKER_MALICIOUS);
    assert_int_equal(t.hv->ops->write_key(t.hv, key, anew), 0);
    wait_for(status_of(DOMID, "pages", "sweep_permille") == 1000);
    is_denied(DOMID, 5);
}

static void test_wishes(void **state)
{
    (void)state;
    follows_key("/local/domain/1/memory/av-protect", "no", "yes");
}

/* The configuration knows it by another name from then on; one that arrives by migration has two, too. */
static void test_renamed(void **state)
{
    char got[128];

    (void)state;
    follows_key("/local/domain/1/name", "others", "guarded anew");
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/1/name", "guarded at last"), 0);
    wait_for(execute(DOMID, 0, 5, got) == -EPERM && count_findings("\"guarded at last\"") > 0);
}

/* A page that is written and executed in turn is looked at in intervals; what is found there is stopped again. */
static const struct hypervisor_ops *ops_of_host;
static bool is_suspended;

static int list_suspended(struct hypervisor *hv, uint16_t first, struct domain_info *out, uint32_t max)
{
    int count = ops_of_host->list_domains(hv, first, out, max);

    for ( int i = 0; i < count; i++ )
        out[i].is_suspended = __atomic_load_n(&is_suspended, __ATOMIC_RELAXED);
    return count;
}

/* Nothing of it is restricted when its image is made, nobody waits in it, and when it goes on it is guarded again. */
static void test_suspended(void **state)
{
    struct hypervisor_ops ops = *t.hv->ops;
    struct runner r;

    (void)state;
    ops_of_host = t.hv->ops;
    ops.list_domains = list_suspended;
    t.hv->ops = &ops;
    start();
    put(DOMID, 0, 5, MARKER_MALICIOUS);
    marker_scanner_hold(true);
    begin(&r, 0, 5);
    wait_for(marker_scanner_held() == 1);
    __atomic_store_n(&is_suspended, true, __ATOMIC_RELAXED);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, 0);
    marker_scanner_hold(false);
    wait_for(status_of(DOMID, "pages", "restricted") == -1);
    pause_ms(600);
    pause_ms(600);
    assert_int_equal(status_of(DOMID, "pages", "restricted"), -1);
    runs(DOMID, 5, MARKER_MALICIOUS);
    __atomic_store_n(&is_suspended, false, __ATOMIC_RELAXED);
    wait_for(status_of(DOMID, "pages", "sweep_permille") == 1000);
    is_denied(DOMID, 5);
    stop();
    t.hv->ops = ops_of_host;
}

static void test_flips(void **state)
{
    char code[128];

    (void)state;
    t.settings.flips = 4;
    start();
    for ( unsigned int i = 0; i < 200; i++ )
    {
        snprintf(code, sizeof(code), CODE " %u", i);
        put(DOMID, 0, 5, code);
        runs(DOMID, 5, code);
    }
    assert_true(marker_scanner_taken() < 100);
    put(DOMID, 0, 5, MARKER_MALICIOUS);
    wait_for(count_findings("\"has_run\":true") >= 1);
    wait_for(execute(DOMID, 0, 5, code) == -EPERM);
}

/* However often it is tried: what is denied stays so. */
static void test_denied_often(void **state)
{
    (void)state;
    t.settings.flips = 4;
    start();
    put(DOMID, 0, 5, MARKER_MALICIOUS);
    for ( unsigned int i = 0; i < 50; i++ )
        is_denied(DOMID, 5);
    /* Not all of them are written down. */
    assert_true(count_findings("malicious") < 50);
}

static void test_pause_and_kill(void **state)
{
    char path[96];
    FILE *file;
    struct runner r;

    (void)state;
    snprintf(path, sizeof(path), "%s/policy", t.directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "# by rule\nguarded marker SUSPECT * pause\n* * EICAR malicious log kill\n");
    fclose(file);
    t.settings.policy = path;
    start();
    put(DOMID, 0, 5, MARKER_SUSPICIOUS);
    put(DOMID, 0, 6, MARKER_MALICIOUS);
    begin(&r, 0, 5);
    wait_for(status_of(DOMID, "scanning", "denied") == 1);
    assert_false(is_done(&r));
    /* It tries again, and is paused again. */
    assert_int_equal(t.hv->ops->unpause_domain(t.hv, DOMID), 0);
    wait_for(status_of(DOMID, "scanning", "denied") == 2);
    assert_false(is_done(&r));
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/1/memory/av-protect", "no"), 0);
    wait_for(status_of(DOMID, "pages", "restricted") == -1);
    assert_int_equal(t.hv->ops->unpause_domain(t.hv, DOMID), 0);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, 0);
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/1/memory/av-protect", "yes"), 0);
    wait_for(status_of(DOMID, "pages", "sweep_permille") == 1000);
    begin(&r, 0, 6);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, -ESRCH);
}

/* Memory that comes is restricted from the first moment on, and given back with all else. */
static void test_new_memory(void **state)
{
    (void)state;
    start();
    for ( uint64_t gfn = 20; gfn < 24; gfn++ )
    {
        assert_int_equal(emulated_give_up(t.hv, DOMID, gfn), 0);
        assert_int_equal(emulated_populate(t.hv, DOMID, gfn), 0);
        put(DOMID, 0, gfn, MARKER_MALICIOUS);
        is_denied(DOMID, gfn);
    }
    stop();
    assert_int_equal(emulated_give_up(t.hv, DOMID, 20), 0);
    assert_int_equal(emulated_populate(t.hv, DOMID, 20), 0);
    put(DOMID, 0, 20, MARKER_MALICIOUS);
    runs(DOMID, 20, MARKER_MALICIOUS);
}

/* ---- events besides executions ---- */

#define BIT(kind) (1U << (kind))
#define MONITORED (BIT(SCAN_REGISTER) | BIT(SCAN_MSR) | BIT(SCAN_INTERRUPT) | BIT(SCAN_REQUEST))

static int does(enum hypervisor_monitor what, uint64_t v0, uint64_t v1, uint64_t v2)
{
    return emulated_do(t.hv, DOMID, 2, what, (uint64_t[4]){ v0, v1, v2 });
}

/* What nobody wants is not told; what somebody decides waits for him, and what is denied does not happen. */
static void test_monitored(void **state)
{
    struct hypervisor_registers registers;
    struct scan_request asked;

    (void)state;
    start();
    assert_int_equal(does(MONITOR_MSR, 0xc0000082, MARKER_VALUE, 1), 0);
    assert_int_equal(does(MONITOR_BREAKPOINT, 0, 0, 1), 0);
    assert_false(marker_scanner_last(SCAN_MSR, &asked, &registers));

    marker_scanner_want(BIT(SCAN_PAGE) | MONITORED, 0);
    wait_for(does(MONITOR_BREAKPOINT, 7, 0, 1) == 1);
    assert_true(marker_scanner_last(SCAN_INTERRUPT, &asked, &registers));
    assert_int_equal(asked.values[0], 3);
    assert_int_equal(asked.urgency, SCAN_DECIDE);
    assert_int_equal(does(MONITOR_CONTROL_REGISTER, 2, 0x20, 0x30), 0);
    assert_true(marker_scanner_last(SCAN_REGISTER, &asked, &registers));
    assert_int_equal(asked.values[0], 4);
    assert_int_equal(asked.values[1], 0x20);
    assert_int_equal(asked.values[2], 0x30);
    assert_int_equal(asked.vcpu, 2);
    assert_non_null(asked.registers);
    assert_int_equal(registers.gpr[0], 2);
    assert_int_equal(does(MONITOR_CONTROL_REGISTER, 0, MARKER_VALUE, 0x30), -EACCES);
    assert_int_equal(count_findings("\"event\":\"register\""), 1);
    assert_int_equal(does(MONITOR_MSR, 0xc0000082, 5, 6), 0);
    assert_int_equal(does(MONITOR_MSR, 0xc0000082, MARKER_VALUE, 6), -EACCES);
    assert_int_equal(count_findings("\"register\":\"0xc0000082\",\"new\":\"0xbad\",\"old\":\"0x6\""), 1);
    assert_int_equal(does(MONITOR_REQUEST, 0, 0, 0), 0);
    assert_true(marker_scanner_last(SCAN_REQUEST, &asked, &registers));

    /* When nobody wants it any more, it is not told. */
    marker_scanner_want(BIT(SCAN_PAGE), 0);
    wait_for(does(MONITOR_BREAKPOINT, 7, 0, 1) == 0);
    assert_int_equal(does(MONITOR_MSR, 0xc0000082, MARKER_VALUE, 6), 0);
    wait_for(status_of(DOMID, "scanning", "monitored") >= 6);
}

/* Who only wants to be told holds nobody up, and knows the registers of that moment all the same. */
static void test_told(void **state)
{
    struct hypervisor_registers registers;
    struct scan_request asked;
    char got[128];
    int rc;

    (void)state;
    marker_scanner_want(BIT(SCAN_PAGE), MONITORED | BIT(SCAN_PAGE) | BIT(SCAN_OVERFLOW));
    start();
    wait_for(does(MONITOR_BREAKPOINT, 7, 0, 1) == 1);
    marker_scanner_hold(true);
    assert_int_equal(does(MONITOR_MSR, 0xc0000082, MARKER_VALUE, 6), 0);
    wait_for(marker_scanner_last(SCAN_MSR, &asked, &registers));
    assert_int_equal(asked.urgency, SCAN_NOTIFY);
    assert_non_null(asked.registers);
    assert_int_equal(count_findings("0xbad"), 0);
    /* More than anybody keeps. */
    for ( unsigned int i = 0; i < 400; i++ )
        assert_int_equal(does(MONITOR_REQUEST, 0, 0, 0), 0);
    marker_scanner_hold(false);
    wait_for(count_findings("0xbad") == 1);

    /* A page is decided, let be executed, and told; a slow vCPU may come only after that. */
    put(DOMID, 0, 5, MARKER_LATER);
    rc = execute(DOMID, 0, 5, got);
    assert_true(!rc || rc == -EPERM);
    wait_for(count_findings("\"has_run\":true") == 2);
    wait_for(status_of(DOMID, "scanning", "told") == 1);
    /* What they found counts from now on, for equal pages as well. */
    is_denied(DOMID, 5);
    put(DOMID, 0, 6, MARKER_LATER);
    is_denied(DOMID, 6);
}

/* What had no room is counted, and who wants to hear of it does. */
static void test_untold(void **state)
{
    struct hypervisor_registers registers;
    struct scan_request asked;

    (void)state;
    marker_scanner_want(BIT(SCAN_PAGE), BIT(SCAN_REQUEST) | BIT(SCAN_OVERFLOW));
    start();
    does(MONITOR_REQUEST, 0, 0, 0);
    wait_for((does(MONITOR_REQUEST, 0, 0, 0), marker_scanner_last(SCAN_REQUEST, &asked, &registers)));
    marker_scanner_refuse(UINT32_MAX);
    for ( unsigned int i = 0; i < 400; i++ )
        assert_int_equal(does(MONITOR_REQUEST, 0, 0, 0), 0);
    wait_for(status_of(DOMID, "scanning", "untold") > 100);
    marker_scanner_refuse(0);
    wait_for(marker_scanner_last(SCAN_OVERFLOW, &asked, &registers));
    assert_true(asked.values[0] > 100);
}

/* In any order, some of them not there; each comes where it was asked for. */
static void test_reads(void **state)
{
    static unsigned char pages[SCAN_FRAMES_MAX][SCAN_PAGE_BYTES];
    const uint64_t gfns[] = {
        5, 6, 7, FRAMES - 1, FRAMES, FRAMES + 1, 6, 5, UINT64_MAX, 0, UINT64_C(1) << 40, 8, 9, 10, 11, 12,
    };
    int32_t status[COUNT(gfns)];
    struct marker_read read = { .domid = DOMID, .count = COUNT(gfns), .gfns = gfns, .pages = pages, .status = status };
    char text[32];

    (void)state;
    start();
    for ( unsigned int i = 0; i < FRAMES; i++ )
    {
        snprintf(text, sizeof(text), "frame %u", i);
        put(DOMID, 0, i, text);
    }
    memset(status, 1, sizeof(status));
    marker_scanner_read(&read);
    for ( unsigned int i = 0; i < COUNT(gfns); i++ )
    {
        snprintf(text, sizeof(text), "frame %" PRIu64, gfns[i]);
        if ( gfns[i] < FRAMES )
            assert_string_equal((char *)pages[i], text);
        assert_int_equal(status[i], gfns[i] < FRAMES ? 0 : -ENXIO);
    }
    read.domid = DOMID + 7;
    marker_scanner_read(&read);
    assert_int_equal(status[0], -ENXIO);
}

/* Between two brokers of one domain; the judge of what the last one left is what the next one says. */
static void test_gap(void **state)
{
    char path[96], command[160], *text = NULL;
    size_t size;
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s/av-introspect-guarded.json", t.directory);
    start();
    assert_int_equal(status_of(DOMID, "gap", "milliseconds"), -1);
    stop();
    pause_ms(60);
    start();
    wait_for(status_of(DOMID, "gap", "milliseconds") >= 60);
    assert_true(status_says(DOMID, "gap", "new_code", "ran"));

    stop();
    t.settings.at_exit = EXIT_GUARD;
    start();
    stop();
    pause_ms(60);
    start();
    wait_for(status_of(DOMID, "gap", "milliseconds") >= 60);
    assert_true(status_says(DOMID, "gap", "new_code", "waited"));
    stop();

    /* Another domain with that number; what the broker wrote is taken as it is but for that. */
    snprintf(command, sizeof(command), "sed -i 's/\"uuid\": *\"...../\"uuid\":\"other/' %s", path);
    assert_int_equal(system(command), 0);
    start();
    assert_int_equal(status_of(DOMID, "gap", "milliseconds"), -1);
    stop();
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    assert_null(strstr(text, "other"));
    free(text);
    fclose(file);

    /* Nonsense is nothing. */
    snprintf(command, sizeof(command), "echo '{\"domains\":[7,{\"uuid\":[]},{\"domid\":1}' > %s", path);
    assert_int_equal(system(command), 0);
    start();
    assert_int_equal(status_of(DOMID, "gap", "milliseconds"), -1);
    stop();
    snprintf(command, sizeof(command), "echo '{\"domains\":[7,{\"uuid\":[]},{\"domid\":1}]}' > %s", path);
    assert_int_equal(system(command), 0);
    start();
    assert_int_equal(status_of(DOMID, "gap", "milliseconds"), -1);
}

/* More often than in each second, which is when all scanners are ticked. */
static void test_ticks_when_they_are_due(void **state)
{
    unsigned int ticks;

    (void)state;
    start();
    marker_scanner_want_ticks(10);
    ticks = marker_scanner_ticks();
    /* Patience has fewer seconds than that. */
    wait_for(marker_scanner_ticks() > ticks + 100);
}

static void test_ticked(void **state)
{
    unsigned int taken;

    (void)state;
    start();
    marker_scanner_tick(DOMID, 2, false);
    wait_for(count_findings("\"event\":\"tick\"") == 3);
    assert_int_equal(count_findings("TICKED"), 1);
    assert_int_equal(count_findings("OTHER"), 2);

    /* Nothing changes but what a plugin looks for. */
    put(DOMID, 0, 5, CODE);
    runs(DOMID, 5, CODE);
    taken = marker_scanner_taken();
    runs(DOMID, 5, CODE);
    assert_int_equal(marker_scanner_taken(), taken);
    wait_for(status_of(DOMID, "pages", "executable") == 1);
    marker_scanner_tick(DOMID, 0, true);
    wait_for(status_of(DOMID, "pages", "executable") == 0);
    runs(DOMID, 5, CODE);
    assert_int_equal(marker_scanner_taken(), taken + 1);
}

/* A vCPU that waits for a decision when the guard ends goes on, and so does what comes after. */
static void *do_write(void *arg)
{
    struct runner *r = arg;

    r->rc = does(MONITOR_CONTROL_REGISTER, 0, MARKER_VALUE, 0x30);
    __atomic_store_n(&r->is_done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void test_monitors_end(void **state)
{
    struct runner r = { 0 };

    (void)state;
    marker_scanner_want(BIT(SCAN_PAGE) | MONITORED, 0);
    start();
    wait_for(does(MONITOR_BREAKPOINT, 7, 0, 1) == 1);
    marker_scanner_hold(true);
    assert_int_equal(pthread_create(&r.thread, NULL, do_write, &r), 0);
    wait_for(marker_scanner_held() == 1);
    assert_false(is_done(&r));
    stop();
    pthread_join(r.thread, NULL);
    assert_int_equal(r.rc, 0);
    assert_int_equal(does(MONITOR_BREAKPOINT, 7, 0, 1), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_judged_before_executed),
        TEST(test_written_while_judged),
        TEST(test_several_wait),
        TEST(test_deadline_open),
        TEST(test_deadline_closed),
        TEST(test_nobody_can_judge),
        TEST(test_a_plugin_cannot_judge),
        TEST(test_no_room),
        TEST(test_cache),
        TEST(test_left_and_taken_over),
        TEST(test_let_go),
        TEST(test_nobody_can_take_over),
        TEST(test_domain_dies),
        TEST(test_wishes),
        TEST(test_renamed),
        TEST(test_suspended),
        TEST(test_flips),
        TEST(test_denied_often),
        TEST(test_pause_and_kill),
        TEST(test_new_memory),
        TEST(test_monitored),
        TEST(test_told),
        TEST(test_untold),
        TEST(test_ticked),
        TEST(test_gap),
        TEST(test_reads),
        TEST(test_ticks_when_they_are_due),
        TEST(test_monitors_end),
#undef TEST
    };

    log_open("test-broker", true);
    log_set_level(LOG_WARNING);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
