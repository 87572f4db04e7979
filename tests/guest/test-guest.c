/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's pure parts, run natively: that the check sees every single wrong bit and every page
 * that is not the one it should be, that a command is understood or refused, that percentiles and
 * formatting are what they say. What the guest does on Xen is shown by tests/system.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"
#include "pattern.h"
#include "program.h"
#include "text.h"

static const struct pattern mixed = {
    .seed = 7,
    .percent = { [PATTERN_ZERO] = 25, [PATTERN_SAME] = 25, [PATTERN_TEXT] = 25,
                 [PATTERN_RANDOM] = 25 },
};

static struct pattern only(enum pattern_kind kind)
{
    struct pattern pattern = { .seed = 7 };

    pattern.percent[kind] = 100;

    return pattern;
}

static void every_flipped_bit_is_seen(void **state)
{
    uint64_t words[PATTERN_PAGE_WORDS];
    struct page_pattern page;
    struct page_check check;
    unsigned int kind, bit;
    uint64_t sum;

    (void)state;
    for ( kind = 0; kind < PATTERN_KINDS; kind++ )
    {
        struct pattern pattern = only(kind);

        pattern_describe_page(&pattern, 123, 4, &page);
        assert_int_equal(page.kind, kind);
        pattern_fill(&page, words);
        pattern_check(&page, words, PATTERN_CHECK_ALL, &check);
        assert_int_equal(check.bad, 0);
        sum = check.sum;

        for ( bit = 0; bit < PATTERN_PAGE_BITS; bit++ )
        {
            words[bit / 64] ^= 1ull << (bit % 64);
            pattern_check(&page, words, PATTERN_CHECK_ALL, &check);
            assert_int_equal(check.bad, 1);
            assert_int_equal(check.index, bit / 64);
            assert_int_equal(check.expected, pattern_word(&page, bit / 64));
            assert_int_equal(check.found, words[bit / 64]);
            assert_int_not_equal(check.sum, sum);
            words[bit / 64] ^= 1ull << (bit % 64);
        }
    }
}

static void skipped_word_is_not_judged(void **state)
{
    uint64_t words[PATTERN_PAGE_WORDS];
    struct page_pattern page;
    struct page_check check;

    (void)state;
    pattern_describe_page(&mixed, 5, 0, &page);
    pattern_fill(&page, words);
    words[9] = ~words[9];
    words[10] = ~words[10];
    pattern_check(&page, words, 9, &check);
    assert_int_equal(check.bad, 1);
    assert_int_equal(check.index, 10);
}

/* A page in another's place, and an older or newer copy of itself. */
static void other_pages_are_seen(void **state)
{
    static const enum pattern_kind kinds[] = { PATTERN_SAME, PATTERN_TEXT, PATTERN_RANDOM };
    uint64_t words[PATTERN_PAGE_WORDS];
    struct page_pattern page;
    struct page_check check;
    unsigned int i, other;

    (void)state;
    for ( i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++ )
    {
        struct pattern pattern = only(kinds[i]);

        for ( other = 0; other < 2000; other++ )
        {
            pattern_describe_page(&pattern, other, 1, &page);
            pattern_fill(&page, words);
            pattern_describe_page(&pattern, other + 1, 1, &page);
            pattern_check(&page, words, PATTERN_CHECK_ALL, &check);
            assert_int_not_equal(check.bad, 0);
            pattern_describe_page(&pattern, other, 2, &page);
            pattern_check(&page, words, PATTERN_CHECK_ALL, &check);
            assert_int_not_equal(check.bad, 0);
            pattern.seed++;
            pattern_describe_page(&pattern, other, 1, &page);
            pattern_check(&page, words, PATTERN_CHECK_ALL, &check);
            assert_int_not_equal(check.bad, 0);
            pattern.seed--;
        }
    }
}

static void mix_is_kept(void **state)
{
    unsigned int counts[PATTERN_KINDS] = { 0 }, i;
    struct pattern pattern = { .seed = 99, .percent = { [PATTERN_ZERO] = 10, [PATTERN_TEXT] = 60,
                                                        [PATTERN_RANDOM] = 30 } };
    struct page_pattern page;

    (void)state;
    for ( i = 0; i < 100000; i++ )
    {
        pattern_describe_page(&pattern, i, 0, &page);
        counts[page.kind]++;
    }
    assert_in_range(counts[PATTERN_ZERO], 9500, 10500);
    assert_int_equal(counts[PATTERN_SAME], 0);
    assert_in_range(counts[PATTERN_TEXT], 59000, 61000);
    assert_in_range(counts[PATTERN_RANDOM], 29000, 31000);
}

/* Guests of one seed: the same pages are theirs in every generation, and the others stay common. */
static void own_pages_are_own(void **state)
{
    struct pattern one = only(PATTERN_RANDOM), other = one;
    unsigned int differ = 0, i;
    struct page_pattern a, b;
    bool before;

    (void)state;
    one.own = 1;
    other.own = 2;
    one.own_percent = other.own_percent = 30;
    for ( i = 0; i < 10000; i++ )
    {
        pattern_describe_page(&one, i, 0, &a);
        pattern_describe_page(&other, i, 0, &b);
        before = a.base != b.base;
        differ += before;
        pattern_describe_page(&one, i, 5, &a);
        pattern_describe_page(&other, i, 5, &b);
        assert_int_equal(a.base != b.base, before);
    }
    assert_in_range(differ, 2800, 3200);
}

/* What each kind is for: nothing, one word, few different words, only different words. */
static void kinds_look_as_they_should(void **state)
{
    static const unsigned int least[PATTERN_KINDS] = { 1, 1, 20, 512 };
    static const unsigned int most[PATTERN_KINDS] = { 1, 1, 64, 512 };
    uint64_t words[PATTERN_PAGE_WORDS];
    unsigned int kind, i, j, different;
    struct page_pattern page;

    (void)state;
    for ( kind = 0; kind < PATTERN_KINDS; kind++ )
    {
        struct pattern pattern = only(kind);

        pattern_describe_page(&pattern, 17, 0, &page);
        pattern_fill(&page, words);
        for ( different = i = 0; i < PATTERN_PAGE_WORDS; i++ )
        {
            for ( j = 0; j < i && words[j] != words[i]; j++ )
                ;
            different += j == i;
        }
        assert_in_range(different, least[kind], most[kind]);
    }
}

static void program_is_understood(void **state)
{
    char why[PROGRAM_WHY_MAX] = "";
    const struct command *c;
    struct options o;

    (void)state;
    assert_int_equal(options_parse(&o, "mem=64 seed=0x1f mix=zero:10,same:5,text:60,random:25 "
                                       "rate=100 slow=50 loop=3 flip=9:32767 events=n3 "
                                       "run=fill,verify/vcpus=2,seq,seq:2/write,rand:20000/rate=5/"
                                       "working=16,storm:30s,idle:500ms,call:7,flip:1:2,exec:2,request:9/vcpus=4,report,wait",
                                   why), 0);
    assert_string_equal(why, "");
    c = o.program.commands;
    assert_int_equal(o.mem_mib, 64);
    assert_int_equal(o.pattern.seed, 0x1f);
    assert_int_equal(o.pattern.percent[PATTERN_SAME], 5);
    assert_int_equal(o.slow_us, 50);
    assert_int_equal(o.loops, 3);
    assert_true(o.flip);
    assert_true(o.events);
    assert_int_equal(o.events_abi, EVENTS_N3);
    assert_int_equal(o.flip_page, 9);
    assert_int_equal(o.flip_bit, 32767);
    assert_int_equal(o.program.count, 13);
    assert_int_equal(c[0].kind, COMMAND_FILL);
    assert_int_equal(c[0].rate, 0);             /* has no such option, so no default of it either */
    assert_int_equal(c[1].vcpus, 2);
    assert_int_equal(c[2].count, 1);
    assert_int_equal(c[3].count, 2);
    assert_true(c[3].write);
    assert_int_equal(c[3].rate, 100);
    assert_int_equal(c[4].count, 20000);
    assert_int_equal(c[4].rate, 5);
    assert_int_equal(c[4].working_mib, 16);
    assert_int_equal(c[5].ms, 30000);
    assert_int_equal(c[6].ms, 500);
    assert_int_equal(c[7].kind, COMMAND_CALL);
    assert_int_equal(c[8].count, 1);
    assert_int_equal(c[8].bit, 2);
    assert_int_equal(c[9].kind, COMMAND_EXEC);
    assert_int_equal(c[9].count, 2);
    assert_int_equal(c[10].kind, COMMAND_REQUEST);
    assert_int_equal(c[10].count, 9);
    assert_int_equal(c[10].vcpus, 4);
    assert_int_equal(c[11].kind, COMMAND_REPORT);
    assert_int_equal(c[12].kind, COMMAND_WAIT);
}

static void defaults_are_a_program(void **state)
{
    char why[PROGRAM_WHY_MAX] = "";
    struct options o;

    (void)state;
    assert_int_equal(options_parse(&o, "  ", why), 0);
    assert_int_equal(o.program.count, 2);
    assert_int_equal(o.program.commands[1].kind, COMMAND_VERIFY);
    assert_int_equal(o.loops, 1);
    assert_int_equal(options_parse(&o, "loop=forever", why), 0);
    assert_int_equal(o.loops, 0);
}

/* As typed on the console: blanks do what strokes do on the command line. */
static void typed_line_is_understood(void **state)
{
    static const char line[] = "  rand:5s  rate=10 write , flip-bit:3:4,stop";
    char why[PROGRAM_WHY_MAX] = "";
    struct program p;

    (void)state;
    assert_int_equal(program_parse(&p, line, strlen(line), why), 0);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.commands[0].ms, 5000);
    assert_int_equal(p.commands[0].rate, 10);
    assert_true(p.commands[0].write);
    assert_int_equal(p.commands[1].kind, COMMAND_FLIP);
    assert_int_equal(p.commands[2].kind, COMMAND_STOP);
}

static void wrong_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "bogus=1", "mem", "mem=", "mem=0", "mem=4097", "mem=1x", "mem=-1", "mem=1 mem=1",
        "seed=18446744073709551616", "seed=0x10000000000000000", "seed=0x", "seed= 1",
        "mix=zero:100,text:0", "mix=zero:50,zero:50", "mix=zero:50", "mix=zero:60,text:60",
        "mix=paper:100", "mix=", "mix=zero", "mix=zero:100,", "run=", "run=,", "run=fill,", "run=fill:1",
        "run=verify:x", "run=seq:0", "run=seq:", "run=rand", "run=rand:", "run=rand:s", "run=rand:ms",
        "run=rand:1099511627777", "run=rand:700000s", "run=storm:-5", "run=idle", "run=idle:5",
        "run=idle:5s/rate=1", "run=fill/write", "run=storm:1s/write", "run=rand:1/rate=0",
        "run=rand:1/rate=", "run=rand:1/rate", "run=rand:1/rate=10000001", "run=rand:1/write=1",
        "run=rand:1/what", "run=rand:1/vcpus=0", "run=rand:1/vcpus=4294967296", "run=flip:1",
        "run=flip:1:32768", "run=flip:1:2:3", "run=call:5s", "run=exec:0", "run=exec:1/write", "run=request",
        "run=request:1/working=1", "run=report:1", "run=stop:now", "loop=0",
        "loop=never", "slow=0", "slow=1000001", "rate=0", "working=0", "flip=1", "flip=:1", "flip=1:",
        "events=", "events=n5", "events=fif", "events=2l:1", "run=events", "run=events:0", "run=events:5s",
        "run=event-fuzz", "run=event-fuzz:0", "run=event-fuzz:5s",
        "run=suspend:1",
        "own=1", "own=1:0", "own=1:101", "own=:5", "own=1:5:", "\377\376", "=", "=1", "run=\001",
    };
    char why[PROGRAM_WHY_MAX];
    struct options o;
    unsigned int i;
    size_t j;

    (void)state;
    for ( i = 0; i < sizeof(lines) / sizeof(lines[0]); i++ )
    {
        why[0] = '\0';
        if ( !options_parse(&o, lines[i], why) )
            fail_msg("accepted: %s", lines[i]);
        assert_true(why[0]);
        for ( j = 0; why[j]; j++ )
            assert_in_range(why[j], ' ', '~');
    }
}

static void long_lines_are_refused(void **state)
{
    char line[PROGRAM_TEXT_MAX + 2], why[PROGRAM_WHY_MAX] = "";
    struct options o;
    struct program p;
    unsigned int i;

    (void)state;
    memset(line, ' ', sizeof(line));
    line[PROGRAM_TEXT_MAX] = '\0';
    assert_int_not_equal(options_parse(&o, line, why), 0);
    line[PROGRAM_TEXT_MAX - 1] = '\0';
    assert_int_equal(options_parse(&o, line, why), 0);

    for ( i = 0; i <= PROGRAM_COMMANDS_MAX; i++ )
        memcpy(line + i * 5, "fill,", 5);
    assert_int_equal(program_parse(&p, line, PROGRAM_COMMANDS_MAX * 5 - 1, why), 0);
    assert_int_not_equal(program_parse(&p, line, (PROGRAM_COMMANDS_MAX + 1) * 5 - 1, why), 0);
}

/* Random octets and random cuts of a good line: no answer is wrong, but none may hurt. */
static void noise_does_no_harm(void **state)
{
    static const char good[] = "mem=64 run=fill,rand:20000/rate=5/working=16,storm:30s,flip:1:2";
    char line[sizeof(good)], *heap, why[PROGRAM_WHY_MAX];
    struct options *o = malloc(sizeof(*o));
    unsigned int i, j;
    uint64_t r;

    (void)state;
    assert_non_null(o);
    for ( i = 0; i < 20000; i++ )
    {
        memcpy(line, good, sizeof(good));
        for ( j = 0, r = pattern_mix(i + 1); j < 4; j++, r = pattern_mix(r + 1) )
            line[r % (sizeof(good) - 1)] = "\0 ,:/=0x9sm\377"[(r >> 32) % 12];
        heap = strdup(line);                    /* so that a sanitizer sees a read too far */
        assert_non_null(heap);
        options_parse(o, heap, why);
        free(heap);
    }
    free(o);
}

static void channels_are_limited(void **state)
{
    struct limits limits = { .pages = 1024, .vcpus = 2 };
    struct command c = { .kind = COMMAND_EVENTS, .count = 4096 };
    char why[PROGRAM_WHY_MAX];

    (void)state;
    assert_int_not_equal(command_check(&c, &limits, why), 0);
    limits.channels = 4096;
    assert_int_equal(command_check(&c, &limits, why), 0);
    c.count++;
    assert_int_not_equal(command_check(&c, &limits, why), 0);
    c.kind = COMMAND_EVENT_FUZZ;
    assert_int_equal(command_check(&c, &limits, why), 0);
    limits.channels = 0;
    assert_int_not_equal(command_check(&c, &limits, why), 0);
    c.kind = COMMAND_SUSPEND;
    assert_int_not_equal(command_check(&c, &limits, why), 0);
    limits.vcpus = 1;
    assert_int_equal(command_check(&c, &limits, why), 0);
}

static void machine_limits_are_kept(void **state)
{
    struct limits limits = { .pages = 1024, .vcpus = 2 };
    struct command c = { .kind = COMMAND_RAND, .count = 1, .vcpus = 2, .working_mib = 4 };
    char why[PROGRAM_WHY_MAX];

    (void)state;
    assert_int_equal(command_check(&c, &limits, why), 0);
    c.vcpus = 3;
    assert_int_not_equal(command_check(&c, &limits, why), 0);
    c.vcpus = 0;
    c.working_mib = 5;
    assert_int_not_equal(command_check(&c, &limits, why), 0);
    c = (struct command){ .kind = COMMAND_FLIP, .count = 1023 };
    assert_int_equal(command_check(&c, &limits, why), 0);
    c.count = 1024;
    assert_int_not_equal(command_check(&c, &limits, why), 0);
}

static void percentiles_are_close(void **state)
{
    struct histogram a, b;
    uint64_t i;

    (void)state;
    histogram_clear(&a);
    histogram_clear(&b);
    assert_int_equal(histogram_percentile(&a, 50), 0);

    for ( i = 1; i <= 1000; i++ )
        histogram_add(i % 2 ? &a : &b, i * 1000);
    histogram_merge(&a, &b);
    assert_int_equal(a.count, 1000);
    assert_int_equal(a.max, 1000000);
    assert_in_range(histogram_percentile(&a, 50), 500000, 500000 * 17 / 16);
    assert_in_range(histogram_percentile(&a, 99), 990000, 1000000);
    assert_int_equal(histogram_percentile(&a, 100), 1000000);

    histogram_clear(&a);
    histogram_add(&a, 3);
    assert_int_equal(histogram_percentile(&a, 1), 3);
    histogram_add(&a, UINT64_MAX);
    assert_int_equal(histogram_percentile(&a, 50), 3);
    assert_true(histogram_percentile(&a, 99) == UINT64_MAX);
}

/* Each bin's values are told as something not smaller and at most 1/16 larger. */
static void every_bin_is_tight(void **state)
{
    unsigned int bit, i;
    struct histogram h;

    (void)state;
    for ( bit = 0; bit < 63; bit++ )
        for ( i = 0; i < 32; i++ )
        {
            uint64_t value = pattern_mix(bit * 32 + i + 1) >> (63 - bit) | 1ull << bit, told;

            histogram_clear(&h);
            histogram_add(&h, value);
            histogram_add(&h, UINT64_MAX);
            told = histogram_percentile(&h, 50);
            assert_true(told >= value && told - value <= value / 16);
        }
}

static void text_is_formatted(void **state)
{
    char out[64], small[8];

    (void)state;
    assert_int_equal(text_print(out, sizeof(out), "%s=%u %ld %016lx|%c|%.*s", "a", 0u, -5l, 0xabcul,
                                'z', 2, "xyz"), 28);
    assert_string_equal(out, "a=0 -5 0000000000000abc|z|xy");
    text_print(out, sizeof(out), "%lu %d", (unsigned long)UINT64_MAX, -2147483647 - 1);
    assert_string_equal(out, "18446744073709551615 -2147483648");
    text_print(out, sizeof(out), "%s", "\033[2J\n\377");
    assert_string_equal(out, "?[2J??");
    assert_int_equal(text_print(small, sizeof(small), "%s", "far too long"), 7);
    assert_string_equal(small, "far too");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(skipped_word_is_not_judged),
        cmocka_unit_test(other_pages_are_seen),
        cmocka_unit_test(mix_is_kept),
        cmocka_unit_test(own_pages_are_own),
        cmocka_unit_test(kinds_look_as_they_should),
        cmocka_unit_test(program_is_understood),
        cmocka_unit_test(defaults_are_a_program),
        cmocka_unit_test(typed_line_is_understood),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(long_lines_are_refused),
        cmocka_unit_test(noise_does_no_harm),
        cmocka_unit_test(machine_limits_are_kept),
        cmocka_unit_test(channels_are_limited),
        cmocka_unit_test(percentiles_are_close),
        cmocka_unit_test(every_bin_is_tight),
        cmocka_unit_test(text_is_formatted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
