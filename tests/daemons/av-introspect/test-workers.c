/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers as the broker has them: real processes, with a plugin that does what it must not. What it does is contained and named,
 * others go on, and a page that kills again and again is refused.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <daemon/log.h>

#include "daemons/av-introspect/view.h"
#include "daemons/av-introspect/workers.h"

#include "av-test.h"

/* Beyond what a loaded machine needs for anything here. */
#define PATIENCE_MS 60000u

static struct scanner scanner;
static uint64_t next_id;

static struct workers_options options_of(const char *plugins)
{
    static char program[PATH_MAX];

    assert_non_null(realpath("daemons/av-introspect/av-worker", program));
    return (struct workers_options){
        .program = program, .directory = av_directory, .plugins = plugins, .user = "nobody",
        .memory = UINT64_C(64) << 20, .hang_ms = 20000, .processes = 1,
    };
}

static void begin_with(const struct workers_options *options)
{
    struct plugins_words words = { "" };

    assert_int_equal(workers_open(&scanner, options, &words), 0);
    if ( workers_wait(&scanner, PATIENCE_MS, &words) )
        print_error("%s\n", words.text);
    assert_int_not_equal(scanner.generation(scanner.opaque), 0);
}

static int begin_bad(void **state)
{
    const struct workers_options options = options_of("bad\n");

    (void)state;
    next_id = 0;
    begin_with(&options);
    return scanner.add_domain(scanner.opaque, 1);
}

static int end(void **state)
{
    (void)state;
    if ( scanner.close )
        scanner.close(scanner.opaque);
    memset(&scanner, 0, sizeof(scanner));
    return 0;
}

static uint64_t submit_page(uint16_t domid, const void *page, bool has_gla)
{
    const struct scan_request request = {
        .id = ++next_id, .domid = domid, .urgency = SCAN_DECIDE, .gfn = 3, .budget_ms = 100, .page = page,
        .has_gla = has_gla, .gla = 0x400123, .cr3 = 0x10000,
    };

    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    return request.id;
}

static uint64_t submit_word(uint16_t domid, const char *word)
{
    static char page[SCAN_PAGE_BYTES];

    memset(page, 0, sizeof(page));
    strcpy(page, word);
    return submit_page(domid, page, false);
}

/* Until there is one, as the broker waits: by the descriptor, and ticking. */
static struct scan_result wait_result(void)
{
    uint64_t end = view_now() + PATIENCE_MS * UINT64_C(1000000);
    struct scan_result result;

    while ( !scanner.take(scanner.opaque, &result) )
    {
        struct pollfd pollfd = { scanner.fd(scanner.opaque), POLLIN, 0 };

        assert_true(view_now() < end);
        poll(&pollfd, 1, 50);
        scanner.tick(scanner.opaque);
    }
    assert_in_range(strnlen(result.text, sizeof(result.text)), 0, sizeof(result.text) - 1);
    return result;
}

static struct scan_result judge_word(const char *word)
{
    uint64_t id = submit_word(1, word);
    struct scan_result result = wait_result();

    assert_int_equal(result.id, id);
    return result;
}

static void verdicts_come_back(void **state)
{
    struct scan_result result = judge_word("found");

    (void)state;
    assert_int_equal(result.outcome, SCAN_DONE);
    assert_int_equal(result.verdict, SCAN_MALICIOUS);
    assert_int_equal(result.generation, scanner.generation(scanner.opaque));
    result = judge_word("nothing");
    assert_int_equal(result.outcome, SCAN_DONE);
    assert_int_equal(result.verdict, SCAN_CLEAN);
    assert_false(result.has_context);
    assert_int_equal(judge_word("late").verdict, SCAN_CLEAN);
}

/* Each of these kills its worker three times, is refused with the plugin's name, and a clean page is judged after. */
static void deaths_are_contained(void **state)
{
    static const char *const words[] = { "crash", "abort", "exit", "outside", "socket", "open", "exec" };

    (void)state;
    for ( unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++ )
    {
        struct scan_statistics before, after;
        struct scan_result result;

        scanner.get_statistics(scanner.opaque, 1, &before);
        result = judge_word(words[i]);
        print_message("%s: %s\n", words[i], result.text);
        assert_int_equal(result.outcome, SCAN_REFUSED);
        assert_string_equal(result.plugin, "bad");
        assert_non_null(strstr(result.text, "bad"));
        scanner.get_statistics(scanner.opaque, 1, &after);
        assert_int_equal(after.deaths - before.deaths, 3);

        /* And again, at once, without another death. */
        result = judge_word(words[i]);
        assert_int_equal(result.outcome, SCAN_REFUSED);
        assert_int_equal(judge_word("nothing").outcome, SCAN_DONE);
        scanner.get_statistics(scanner.opaque, 1, &after);
        assert_int_equal(after.deaths - before.deaths, 3);
    }
}

static void hangs_are_ended(void **state)
{
    struct workers_options options = options_of("bad");
    struct scan_result result;

    (void)state;
    end(NULL);
    options.hang_ms = 4000;
    begin_with(&options);
    assert_int_equal(scanner.add_domain(scanner.opaque, 1), 0);
    result = judge_word("loop");
    assert_int_equal(result.outcome, SCAN_REFUSED);
    assert_non_null(strstr(result.text, "hung"));
    assert_int_equal(judge_word("found").verdict, SCAN_MALICIOUS);
}

static void eaters_are_ended(void **state)
{
    (void)state;
    assert_int_equal(judge_word("eat").outcome, SCAN_REFUSED);
    assert_int_equal(judge_word("found").verdict, SCAN_MALICIOUS);
}

static void nonsense_is_no_verdict(void **state)
{
    struct scan_result result;

    (void)state;
    /* Nor is it one that says that it cannot. */
    for ( unsigned int i = 0; i < 2; i++ )
    {
        result = judge_word(i ? "nonsense" : "error");
        assert_int_equal(result.outcome, SCAN_DONE);
        assert_true(result.is_unjudged);
        assert_int_equal(result.verdict, SCAN_UNKNOWN);
        assert_string_equal(result.plugin, "bad");
        assert_string_equal(result.rule, "not-judged");
    }
    result = judge_word("log");
    assert_int_equal(result.verdict, SCAN_CLEAN);
    assert_false(result.is_unjudged);

    result = judge_word("many");
    assert_int_equal(result.verdict, SCAN_MALICIOUS);
    /* Nothing that moves a cursor or is no text. */
    for ( const char *at = result.text; *at; at++ )
        assert_in_range((unsigned char)*at, ' ', '~');
    for ( const char *at = result.rule; *at; at++ )
        assert_in_range((unsigned char)*at, ' ', '~');
}

/* Killed by somebody else, as often as you like: what it had is judged by the next, unless it is always the same page's turn. */
static void killed_workers_are_replaced(void **state)
{
    (void)state;
    for ( unsigned int i = 0; i < 10; i++ )
    {
        uint64_t id = submit_word(1, "slow");
        struct scan_statistics statistics;
        struct scan_result result;

        do
        {
            poll(NULL, 0, 5);
            scanner.tick(scanner.opaque);
            scanner.get_statistics(scanner.opaque, 1, &statistics);
        }
        while ( !statistics.pid );
        kill(statistics.pid, SIGKILL);
        result = wait_result();
        assert_int_equal(result.id, id);
        assert_int_equal(result.outcome, SCAN_DONE);
        /* On a busy machine it may have been done before it was killed; then its death comes after. */
        for ( uint64_t patience = view_now() + PATIENCE_MS * UINT64_C(1000000); statistics.deaths < i + 1; )
        {
            assert_true(view_now() < patience);
            poll(NULL, 0, 5);
            scanner.tick(scanner.opaque);
            scanner.get_statistics(scanner.opaque, 1, &statistics);
        }
        assert_int_equal(statistics.deaths, i + 1);
    }
}

/* ---- memory ---- */

#define GUEST_FRAMES 64u
static unsigned char guest[GUEST_FRAMES][SCAN_PAGE_BYTES];

static void read_guest(void *arg, uint16_t domid, const uint64_t *gfns, uint32_t count, void *pages, int32_t *status)
{
    assert_ptr_equal(arg, guest);
    assert_int_equal(domid, 1);
    assert_in_range(count, 1, SCAN_FRAMES_MAX);
    for ( uint32_t i = 0; i < count; i++ )
    {
        status[i] = gfns[i] < GUEST_FRAMES ? 0 : -ENXIO;
        if ( !status[i] )
            memcpy((unsigned char *)pages + (size_t)i * SCAN_PAGE_BYTES, guest[gfns[i]], SCAN_PAGE_BYTES);
    }
}

static void map_page(uint64_t gva, uint64_t gfn)
{
    uint64_t *l4 = (uint64_t *)guest[0x10], *l3 = (uint64_t *)guest[0x11], *l2 = (uint64_t *)guest[0x12],
             *l1 = (uint64_t *)guest[0x13];

    l4[gva >> 39 & 511] = 0x11007;
    l3[gva >> 30 & 511] = 0x12007;
    l2[gva >> 21 & 511] = 0x13007;
    l1[gva >> 12 & 511] = gfn << 12 | 7;
}

static void memory_beyond_the_page(void **state)
{
    static char page[SCAN_PAGE_BYTES];
    struct scan_result result;

    (void)state;
    /* Nobody who reads: what lies beyond is not there. */
    assert_int_equal(judge_word("read").verdict, SCAN_UNKNOWN);

    memset(guest, 0, sizeof(guest));
    memcpy(&guest[4][SCAN_PAGE_BYTES - 4], "abcd", 4);
    memcpy(&guest[5][0], "efgh", 4);
    scanner.set_memory(scanner.opaque, read_guest, guest);
    result = judge_word("read");
    assert_int_equal(result.verdict, SCAN_SUSPICIOUS);
    assert_string_equal(result.text, "abcdefgh");

    /* Neighbours in virtual memory lie anywhere; the second behind is not mapped. */
    memset(guest, 0, sizeof(guest));
    map_page(0x3ff000, 40);
    map_page(0x400000, 41);
    map_page(0x401000, 7);
    guest[40][0] = 'b';
    guest[7][0] = 'a';
    strcpy(page, "window");
    submit_page(1, page, true);
    result = wait_result();
    assert_string_equal(result.rule, "window");
    assert_string_equal(result.text, "bwa");
    map_page(0x402000, 8);
    guest[8][0] = 'z';
    submit_page(1, page, true);
    result = wait_result();
    assert_string_equal(result.text, "bwaz");
}

/* Workers with these rules, and a guest whose page before the one that is judged is frame 40. */
static void begin_yara(const char *rules, uint32_t hang_ms)
{
    char plugins[3 * PATH_MAX], path[2 * PATH_MAX];
    struct workers_options options;
    FILE *file;

    end(NULL);
    snprintf(path, sizeof(path), "%s/rules.yar", av_directory);
    file = fopen(path, "w");
    fputs(rules, file);
    fclose(file);
    snprintf(plugins, sizeof(plugins), "yara:rules=%s,timeout=60", path);
    /* The workers' user reads it. */
    chmod(av_directory, 0755);
    options = options_of(plugins);
    options.hang_ms = hang_ms;
    begin_with(&options);
    assert_int_equal(scanner.add_domain(scanner.opaque, 1), 0);
    memset(guest, 0, sizeof(guest));
    scanner.set_memory(scanner.opaque, read_guest, guest);
    map_page(0x3ff000, 40);
}

/* A match that begins in the page before, with rules that the loader has compiled. */
static void yara_in_a_worker(void **state)
{
    static char page[SCAN_PAGE_BYTES];
    struct scan_result result;

    (void)state;
    begin_yara("rule Crossing { meta: description = \"over two pages\" strings: $a = \"begins-ends\" condition: $a }\n", 20000);
    memcpy(&guest[40][SCAN_PAGE_BYTES - 7], "begins-", 7);
    memcpy(page, "ends", 4);
    submit_page(1, page, false);
    assert_int_equal(wait_result().verdict, SCAN_CLEAN);
    submit_page(1, page, true);
    result = wait_result();
    assert_int_equal(result.verdict, SCAN_MALICIOUS);
    assert_string_equal(result.plugin, "yara");
    assert_string_equal(result.rule, "Crossing");
    assert_string_equal(result.text, "over two pages");
    assert_true(result.has_context);
    /* What the page alone holds, its equals hold. */
    memcpy(page, "begins-ends", 11);
    submit_page(1, page, true);
    result = wait_result();
    assert_int_equal(result.verdict, SCAN_MALICIOUS);
    assert_false(result.has_context);
}

/* What is only of use to its equals may not take so long that the worker is taken for one that hangs, and the finding lost. */
static void yara_keeps_what_it_found(void **state)
{
    static char page[SCAN_PAGE_BYTES] = "begins-ends";
    const struct scan_request request = {
        .id = ++next_id, .domid = 1, .urgency = SCAN_DECIDE, .gfn = 3, .budget_ms = PATIENCE_MS, .page = page,
        .has_gla = true, .gla = 0x400123, .cr3 = 0x10000,
    };
    struct scan_result result;

    (void)state;
    /* Without its neighbours the page keeps this one going for ever. */
    begin_yara("rule Alone { strings: $a = \"begins-ends\" condition: "
               "$a and (filesize > 4096 or for any i in (1..2000000000) : ( uint8(i % 64) == 256 )) }\n", 30000);
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    result = wait_result();
    assert_int_equal(result.outcome, SCAN_DONE);
    assert_int_equal(result.verdict, SCAN_MALICIOUS);
    assert_string_equal(result.rule, "Alone");
    assert_true(result.has_context);
    /* It has a second; with all that is left of the call's time it would take more than twenty. */
    assert_in_range(result.nanoseconds, 0, 15 * UINT64_C(1000000000));
}

/* ---- events ---- */

/* 32 bits, with large pages: the walk goes as the registers say. */
static const struct hypervisor_registers plain_registers = {
    .gpr = { 0x77 }, .cr0 = 0x80000001, .cr3 = 0x10000, .cr4 = 0x10, .lstar = 0xffffffff81e00000, .idt_limit = 0xfff,
};

static void registers_come_along(void **state)
{
    static char page[SCAN_PAGE_BYTES] = "registers";
    struct hypervisor_registers registers = plain_registers;
    struct scan_request request = {
        .domid = 1, .urgency = SCAN_DECIDE, .vcpu = 3, .gfn = 3, .page = page, .cr3 = 0x10000, .registers = &registers,
    };
    struct scan_result result;

    (void)state;
    memset(guest, 0, sizeof(guest));
    map_page(0x400000, 41);
    scanner.set_memory(scanner.opaque, read_guest, guest);
    /* The same table read as one of two levels has a page of 4 MiB. */
    ((uint32_t *)guest[0x10])[1] = 0x00800083;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    result = wait_result();
    assert_string_equal(result.text, "vcpu 3 rax 0x77 lstar 0xffffffff81e00000 idt 0xfff walk 0 0x800123");
    assert_true(result.has_context);

    /* As one of PAE's, of which the first table has four entries anywhere in a page. */
    memset(guest[0x10], 0, SCAN_PAGE_BYTES);
    *(uint64_t *)&guest[0x10][0x20] = 0x12001;
    registers.cr4 = 0x20;
    registers.cr3 = 0x10020;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_non_null(strstr(wait_result().text, "walk 0 0x29123"));

    /* And of five levels. */
    memset(guest[0x10], 0, SCAN_PAGE_BYTES);
    map_page(0x400000, 41);
    *(uint64_t *)guest[0x14] = 0x10007;
    registers.cr4 = 0x1020;
    registers.efer = 0x500;
    registers.cr3 = 0x14000;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_non_null(strstr(wait_result().text, "walk 0 0x29123"));

    request.registers = NULL;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_int_equal(wait_result().verdict, SCAN_UNKNOWN);
}

static void all_findings_come_back(void **state)
{
    struct scan_result result = judge_word("three");

    (void)state;
    assert_int_equal(result.verdict, SCAN_MALICIOUS);
    assert_string_equal(result.rule, "third");
    assert_int_equal(result.others_count, 2);
    assert_string_equal(result.others[0].rule, "first");
    assert_int_equal(result.others[0].verdict, SCAN_UNKNOWN);
    assert_string_equal(result.others[1].rule, "second");
    assert_string_equal(result.others[1].plugin, "bad");
    assert_false(result.rescan);
    assert_true(judge_word("rescan").rescan);
}

static void events_reach_who_wants_them(void **state)
{
    struct scan_request request = {
        .domid = 1, .urgency = SCAN_DECIDE, .kind = SCAN_MSR, .gfn = 9, .values = { 7, 8, 9 }, .registers = &plain_registers,
    };
    struct scan_result result;

    (void)state;
    assert_int_equal(scanner.wants(scanner.opaque, true), 1U << SCAN_PAGE | 1U << SCAN_MSR);
    assert_int_equal(scanner.wants(scanner.opaque, false), 1U << SCAN_REQUEST);
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    result = wait_result();
    assert_int_equal(result.verdict, SCAN_SUSPICIOUS);
    assert_string_equal(result.rule, "event");
    assert_string_equal(result.text, "kind 4 values 7 8 9 gfn 1 flags 5");

    /* Who has decided is not told once more. */
    request.urgency = SCAN_AFTER;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_int_equal(wait_result().verdict, SCAN_CLEAN);
    request.kind = SCAN_REQUEST;
    request.urgency = SCAN_DECIDE;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_int_equal(wait_result().verdict, SCAN_CLEAN);
    request.urgency = SCAN_AFTER;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_int_equal(wait_result().verdict, SCAN_SUSPICIOUS);

    /* One that kills workers is refused, another of the kind is not. */
    request.kind = SCAN_MSR;
    request.urgency = SCAN_DECIDE;
    request.values[3] = 0xdead;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_int_equal(wait_result().outcome, SCAN_REFUSED);
    request.values[3] = 0;
    request.id = ++next_id;
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    assert_int_equal(wait_result().outcome, SCAN_DONE);
    request.kind = SCAN_TICK;
    assert_int_equal(scanner.submit(scanner.opaque, &request), -EINVAL);
}

static int give_registers(void *arg, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out)
{
    assert_int_equal(domid, 1);
    assert_int_equal(vcpu, 0);
    *out = *(const struct hypervisor_registers *)arg;
    return 0;
}

static void ticks_are_told(void **state)
{
    const struct workers_options options = options_of("ticks");
    struct scan_result result;

    (void)state;
    end(NULL);
    begin_with(&options);
    scanner.set_registers(scanner.opaque, give_registers, (void *)&plain_registers);
    assert_int_equal(scanner.add_domain(scanner.opaque, 1), 0);
    result = wait_result();
    assert_int_equal(result.id, 0);
    assert_int_equal(result.domid, 1);
    assert_int_equal(result.verdict, SCAN_SUSPICIOUS);
    assert_string_equal(result.plugin, "ticks");
    assert_non_null(strstr(result.text, "vcpu 0 rax 0x77 lstar 0xffffffff81e00000 idt 0xfff"));
    /*
     * The next one is due when the shortest of plugins' intervals is over, and not while one is under way; nor before the
     * worker had as much time for others as that took.
     */
    for ( unsigned int i = 0; i < 3; i++ )
    {
        const uint64_t interval = 100 * UINT64_C(1000000), patience = view_now() + PATIENCE_MS * UINT64_C(1000000);
        uint64_t due, began, seen, ended;

        while ( scanner.due(scanner.opaque) == UINT64_MAX )
        {
            assert_true(view_now() < patience);
            poll(NULL, 0, 5);
            assert_int_equal(scanner.take(scanner.opaque, &result), 0);
        }
        while ( view_now() < scanner.due(scanner.opaque) )
            poll(NULL, 0, 5);
        began = view_now();
        scanner.tick(scanner.opaque);
        assert_int_equal(scanner.due(scanner.opaque), UINT64_MAX);
        /* It is long over in the third round, but nobody has looked. */
        poll(NULL, 0, i == 2 ? 300 : 0);
        do
        {
            assert_true(view_now() < patience);
            poll(NULL, 0, 5);
            seen = view_now();
            assert_int_equal(scanner.take(scanner.opaque, &result), 0);
            ended = view_now();
            due = scanner.due(scanner.opaque);
        } while ( due == UINT64_MAX );
        assert_true(due >= began + interval);
        assert_true(due <= ended + interval || due <= ended + (ended - began));
        if ( i == 2 )
            assert_true(due >= seen + interval + 100 * UINT64_C(1000000));
    }
    /* A domain that goes takes what it had to tell with it. */
    scanner.remove_domain(scanner.opaque, 1);
    assert_int_equal(scanner.take(scanner.opaque, &result), 0);
}

/* ---- many ---- */

static void a_slow_scan_holds_nobody(void **state)
{
    struct workers_options options = options_of("bad");
    uint64_t slow, quick;

    (void)state;
    end(NULL);
    options.processes = 2;
    begin_with(&options);
    assert_int_equal(scanner.add_domain(scanner.opaque, 1), 0);
    assert_int_equal(scanner.add_domain(scanner.opaque, 1), -EEXIST);
    slow = submit_word(1, "loop");
    quick = submit_word(1, "found");
    assert_int_equal(wait_result().id, quick);
    assert_int_not_equal(slow, quick);
    scanner.remove_domain(scanner.opaque, 1);
    assert_int_equal(scanner.add_domain(scanner.opaque, 1), 0);
    submit_word(1, "found");
    assert_int_equal(wait_result().id, next_id);
}

static void requests_of_many_domains(void **state)
{
    unsigned int done[4] = { 0 };

    (void)state;
    for ( uint16_t domid = 2; domid < 4; domid++ )
        assert_int_equal(scanner.add_domain(scanner.opaque, domid), 0);
    for ( unsigned int i = 0; i < 64; i++ )
        for ( uint16_t domid = 1; domid < 4; domid++ )
            submit_word(domid, i % 8 == 7 ? "exit" : "found");
    for ( unsigned int i = 0; i < 64 * 3; i++ )
    {
        struct scan_result result = wait_result();

        assert_in_range(result.id, 1, next_id);
        done[1 + (result.id - 1) % 3]++;
        assert_true(result.outcome == SCAN_REFUSED || result.verdict == SCAN_MALICIOUS);
    }
    for ( uint16_t domid = 1; domid < 4; domid++ )
    {
        struct scan_statistics statistics;

        assert_int_equal(done[domid], 64);
        scanner.get_statistics(scanner.opaque, domid, &statistics);
        assert_int_equal(statistics.in_flight, 0);
        assert_int_equal(statistics.done + statistics.refused, 64);
    }
}

static void there_is_room_for_who_waits(void **state)
{
    static const char page[SCAN_PAGE_BYTES] = "slow";
    struct scan_request request = { .domid = 1, .urgency = SCAN_NOTIFY, .page = page };
    unsigned int taken = 0;

    (void)state;
    for ( request.id = 1000; !scanner.submit(scanner.opaque, &request); request.id++ )
        taken++;
    assert_in_range(taken, 1, 1000);
    request.urgency = SCAN_DECIDE;
    for ( unsigned int i = 0; i < SCAN_REQUESTS_LEAST; i++, request.id++ )
        assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    request.domid = 9;
    assert_int_equal(scanner.submit(scanner.opaque, &request), -ENOENT);
}

static void reloaded_rules_are_another_generation(void **state)
{
    uint64_t before = scanner.generation(scanner.opaque), end = view_now() + PATIENCE_MS * UINT64_C(1000000);
    struct scan_result result;

    (void)state;
    assert_int_equal(judge_word("found").generation, before);
    assert_int_equal(workers_reload(&scanner), 0);
    while ( scanner.generation(scanner.opaque) == before )
    {
        assert_true(view_now() < end);
        poll(NULL, 0, 5);
        scanner.tick(scanner.opaque);
    }
    result = judge_word("found");
    assert_int_equal(result.verdict, SCAN_MALICIOUS);
    assert_int_equal(result.generation, scanner.generation(scanner.opaque));
}

static void refusals_are_said_in_words(void **state)
{
    static const struct { const char *plugins, *words; } cases[] = {
        { "old", "it was built for version" },
        { "newer", "it was built for version" },
        { "bad:refuse=yes,size=4K", "rules are missing, size=4096" },
        { "bad:size=1", "it must be from 1024 to 1048576" },
        { "bad:siez=1", "it has no option siez" },
        { "bad:size", "size wants a size" },
        { "bad\nbad", "stands there twice" },
        { "missing", "No such file" },
        { "template", "it needs word=" },
        { "BAD", "lower case" },
        { "loose", "can be written by others" },
        { "text", "cannot be loaded" },
    };

    (void)state;
    for ( unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        const struct workers_options options = options_of(cases[i].plugins);
        struct plugins_words words = { "" };

        assert_int_equal(workers_open(&scanner, &options, &words), 0);
        assert_int_equal(workers_wait(&scanner, PATIENCE_MS, &words), -EPROTO);
        print_message("%s\n", words.text);
        assert_non_null(strstr(words.text, cases[i].words));
        assert_int_equal(scanner.generation(scanner.opaque), 0);
        end(NULL);
    }
}

/* One that cannot be executed is said at once, and not when patience ends. */
static void a_loader_that_ends_is_said(void **state)
{
    struct workers_options options = options_of("bad");
    struct plugins_words words = { "" };

    (void)state;
    options.program = "/nowhere/av-worker";
    /* It may have ended before it was told anything. */
    if ( !workers_open(&scanner, &options, &words) )
        assert_int_equal(workers_wait(&scanner, PATIENCE_MS, &words), -EPROTO);
    assert_non_null(strstr(words.text, "/nowhere/av-worker"));
}

static int make_plugins(void **state)
{
    char path[2 * PATH_MAX];
    FILE *file;

    log_set_level(LOG_CRIT);
    if ( av_make_directory(state) )
        return -1;
    av_copy(BUILT_PLUGINS, "bad.so");
    av_copy(BUILT_PLUGINS, "old.so");
    av_copy(BUILT_PLUGINS, "newer.so");
    av_copy(BUILT_PLUGINS, "ticks.so");
    av_copy(BUILT_TEMPLATE, "template.so");
    av_copy(BUILT_YARA, "yara.so");
    snprintf(path, sizeof(path), "%s/loose.so", av_directory);
    file = fopen(path, "w");
    fclose(file);
    chmod(path, 0666);
    snprintf(path, sizeof(path), "%s/text.so", av_directory);
    file = fopen(path, "w");
    fputs("no plugin\n", file);
    fclose(file);
    return chmod(path, 0755);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verdicts_come_back, begin_bad, end),
        cmocka_unit_test_setup_teardown(deaths_are_contained, begin_bad, end),
        cmocka_unit_test_setup_teardown(hangs_are_ended, begin_bad, end),
        cmocka_unit_test_setup_teardown(eaters_are_ended, begin_bad, end),
        cmocka_unit_test_setup_teardown(nonsense_is_no_verdict, begin_bad, end),
        cmocka_unit_test_setup_teardown(killed_workers_are_replaced, begin_bad, end),
        cmocka_unit_test_setup_teardown(memory_beyond_the_page, begin_bad, end),
        cmocka_unit_test_setup_teardown(yara_in_a_worker, begin_bad, end),
        cmocka_unit_test_setup_teardown(yara_keeps_what_it_found, begin_bad, end),
        cmocka_unit_test_setup_teardown(registers_come_along, begin_bad, end),
        cmocka_unit_test_setup_teardown(all_findings_come_back, begin_bad, end),
        cmocka_unit_test_setup_teardown(events_reach_who_wants_them, begin_bad, end),
        cmocka_unit_test_setup_teardown(ticks_are_told, begin_bad, end),
        cmocka_unit_test_setup_teardown(a_slow_scan_holds_nobody, begin_bad, end),
        cmocka_unit_test_setup_teardown(requests_of_many_domains, begin_bad, end),
        cmocka_unit_test_setup_teardown(there_is_room_for_who_waits, begin_bad, end),
        cmocka_unit_test_setup_teardown(reloaded_rules_are_another_generation, begin_bad, end),
        cmocka_unit_test_teardown(refusals_are_said_in_words, end),
        cmocka_unit_test_teardown(a_loader_that_ends_is_said, end),
    };

    return cmocka_run_group_tests(tests, make_plugins, av_remove_directory);
}
