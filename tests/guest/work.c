/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See work.h. A phase is one command on all its vCPUs: each has a lane, with counts of its own, and
 * the lanes are added up when all are done. Fill, verify, storm and exec divide the pages among the
 * lanes, as they need a page for themselves; random touches of several lanes meet on a page, which
 * is what makes two vCPUs wait for one page-in.
 */
#include "work.h"

#include <stdint.h>

#include <xen/errno.h>
#include <xen/hvm/hvm_op.h>

#include "clock.h"
#include "console.h"
#include "histogram.h"
#include "hypercall.h"
#include "layout.h"
#include "report.h"
#include "text.h"
#include "trap.h"
#include "vcpu.h"

#define PAGES_PER_MIB       (1024 * 1024 / PATTERN_PAGE_BYTES)
#define NS_PER_S            1000000000ull

/* A whole phase of wrong pages would fill dom0's log; after so many lines they are only counted. */
#define BAD_LINES_MAX       16

/* A paced lane that fell behind by more than this does not catch up in one burst. */
#define PACE_BEHIND_NS      (100 * 1000000ull)

/*
 * Touches of a page that is surely there, to know what a touch costs that is not about paging. The
 * threshold is far above that and above a timer interrupt that Xen handles in the middle of one.
 */
#define BASELINE_TOUCHES    2000
#define BASELINE_FACTOR     4
#define SLOW_LEAST_NS       20000

/* What exec_page() writes: opcodes. */
#define MOV_EAX             0xb8ull
#define RET                 0xc3ull

/* A page that was just read is in; to find it out again so often in a row is no chance. */
#define CALL_TRIES_MAX      10000

struct lane {
    uint64_t touches, words, bad, checksum, random;
    uint64_t meanwhile;             /* touches of all lanes during one of this lane's calls, at the most */
    struct histogram slow;
} __attribute__((aligned(64)));

struct phase {
    const struct command *command;
    uint64_t pages;                 /* touches go to the first so many */
    uint64_t deadline;              /* TSC, 0: by count */
    uint64_t interval;              /* TSC between two touches of a lane, 0: at once */
};

static struct {
    struct pattern pattern;
    uint64_t *words;                /* of the work area, from its first page */
    uint32_t *generations;
    uint64_t pages;
    uint64_t slow_ns, slow_ticks;
    uint64_t phases, bad, writes;
    unsigned int bad_lines;
} area;

static struct lane lanes[GUEST_VCPUS_MAX];
static struct histogram merged;

static uint64_t *page_words(uint64_t page)
{
    return area.words + page * PATTERN_PAGE_WORDS;
}

static void describe(uint64_t page, struct page_pattern *out)
{
    pattern_describe_page(&area.pattern, page, area.generations[page], out);
}

static void note_touch(struct lane *lane, uint64_t ticks)
{
    lane->touches++;
    if ( ticks >= area.slow_ticks )
        histogram_add(&lane->slow, clock_ns(ticks));
}

static uint64_t touch_read(struct lane *lane, const volatile uint64_t *word)
{
    uint64_t start = clock_tsc(), value = *word;

    note_touch(lane, clock_tsc() - start);

    return value;
}

/* Writes and returns what was there, in one step: another vCPU may be at the same word. */
static uint64_t touch_write(struct lane *lane, uint64_t *word, uint64_t value)
{
    uint64_t start = clock_tsc();

    value = __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
    note_touch(lane, clock_tsc() - start);

    return value;
}

static void note_bad(struct lane *lane, const struct phase *phase, uint64_t page,
                     const struct page_pattern *is, const struct page_check *check)
{
    lane->bad += check->bad;
    if ( __atomic_fetch_add(&area.bad_lines, 1, __ATOMIC_RELAXED) >= BAD_LINES_MAX )
        return;

    console_print("bad page=%lu gfn=%lx word=%u expected=%016lx found=%016lx words=%u kind=%s "
                  "generation=%u phase=%s", page, (uint64_t)page_words(page) / PATTERN_PAGE_BYTES,
                  check->index, check->expected, check->found, check->bad,
                  pattern_kind_name(is->kind), area.generations[page],
                  command_name(phase->command->kind));
}

static void check_word(struct lane *lane, const struct phase *phase, uint64_t page,
                       const struct page_pattern *is, unsigned int index, uint64_t found)
{
    struct page_check check = { .bad = 1, .index = index, .found = found };

    check.expected = pattern_word(is, index);
    lane->words++;
    if ( found != check.expected )
        note_bad(lane, phase, page, is, &check);
}

static void check_page(struct lane *lane, const struct phase *phase, uint64_t page,
                       const struct page_pattern *is, unsigned int skip)
{
    struct page_check check;

    pattern_check(is, page_words(page), skip, &check);
    lane->words += PATTERN_PAGE_WORDS - (skip < PATTERN_PAGE_WORDS);
    /* Added up, so that the order of the lanes does not matter, and each with its page's number. */
    lane->checksum += pattern_mix(check.sum ^ pattern_mix(page));
    if ( check.bad )
        note_bad(lane, phase, page, is, &check);
}

static void fill_page(struct lane *lane, const struct phase *phase, uint64_t page)
{
    struct page_pattern is;

    (void)phase;
    area.generations[page] = 0;
    describe(page, &is);
    touch_write(lane, page_words(page), pattern_word(&is, 0));
    pattern_fill(&is, page_words(page));
}

static void verify_page(struct lane *lane, const struct phase *phase, uint64_t page)
{
    struct page_pattern is;

    describe(page, &is);
    touch_read(lane, page_words(page));
    check_page(lane, phase, page, &is, PATTERN_CHECK_ALL);
}

static unsigned int random_word(struct lane *lane)
{
    lane->random += 0x9e3779b97f4a7c15ull;

    return pattern_mix(lane->random) % PATTERN_PAGE_WORDS;
}

/* A write puts back what has to be there, so that it may meet others' touches of the page. */
static void touch_page(struct lane *lane, const struct phase *phase, uint64_t page)
{
    unsigned int index = random_word(lane);
    struct page_pattern is;
    uint64_t found;

    describe(page, &is);
    if ( phase->command->write )
        found = touch_write(lane, page_words(page) + index, pattern_word(&is, index));
    else
        found = touch_read(lane, page_words(page) + index);
    check_word(lane, phase, page, &is, index, found);
}

/* The first write is what faults; the old page is checked before all of it is overwritten. */
static void rewrite_page(struct lane *lane, const struct phase *phase, uint64_t page)
{
    unsigned int index = random_word(lane);
    struct page_pattern old, new;
    uint64_t found;

    describe(page, &old);
    pattern_describe_page(&area.pattern, page, area.generations[page] + 1, &new);
    found = touch_write(lane, page_words(page) + index, pattern_word(&new, index));
    check_word(lane, phase, page, &old, index, found);
    check_page(lane, phase, page, &old, index);
    area.generations[page]++;
    pattern_fill(&new, page_words(page));
}

/*
 * A hypercall whose argument is a random page's bytes, read as a port number: Xen says -EINVAL to
 * all of them but a stray one, and -EFAULT when the page is out. The time is until it was accepted.
 */
static void call_page(struct lane *lane, const struct phase *phase, uint64_t page)
{
    unsigned int index = random_word(lane);
    const uint64_t *word = page_words(page) + index;
    unsigned int tries = 0;
    struct page_pattern is;
    uint64_t start = clock_tsc();

    while ( hypercall_once(__HYPERVISOR_event_channel_op, EVTCHNOP_send, word) == -XEN_EFAULT )
    {
        hypercall_count_efault();
        if ( ++tries == CALL_TRIES_MAX )
            guest_panic("page %lu stays -EFAULT for a hypercall", page);
        (void)*(const volatile uint64_t *)word;
    }
    note_touch(lane, clock_tsc() - start);

    describe(page, &is);
    check_word(lane, phase, page, &is, index, *(const volatile uint64_t *)word);
}

static uint64_t all_touches(void)
{
    uint64_t touches = 0;
    unsigned int i;

    for ( i = 0; i < GUEST_VCPUS_MAX; i++ )
        touches += __atomic_load_n(&lanes[i].touches, __ATOMIC_RELAXED);

    return touches;
}

/*
 * Executes a function that is written to the page's first word for it, another one each time, and puts back what was there. The
 * time is that of the call.
 */
static void exec_page(struct lane *lane, const struct phase *phase, uint64_t page)
{
    uint64_t *word = page_words(page), was = *word, start, before = all_touches();
    uint32_t value, expected;
    struct page_pattern is;

    lane->random += 0x9e3779b97f4a7c15ull;
    expected = pattern_mix(lane->random);
    /* mov $expected, %eax; ret */
    *(volatile uint64_t *)word = MOV_EAX | (uint64_t)expected << 8 | RET << 40;
    start = clock_tsc();
    value = ((uint32_t (*)(void))word)();
    start = clock_tsc() - start;
    before = all_touches() - before;
    if ( before > lane->meanwhile )
        lane->meanwhile = before;
    note_touch(lane, start);
    *(volatile uint64_t *)word = was;
    if ( value != expected )
        guest_panic("page %lu executed as something else: %x, and not %x", page, value, expected);

    describe(page, &is);
    check_word(lane, phase, page, &is, 0, was);
}

/* What agents of the guest's own ask for; Xen tells who monitors it, and has the vCPU wait where that was asked for. */
static void request(struct lane *lane, const struct phase *phase, uint64_t page)
{
    uint64_t start = clock_tsc();
    long rc = hypercall_once(__HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, NULL);

    (void)phase;
    (void)page;
    if ( rc )
        guest_panic("HVMOP_guest_request_vm_event: %ld", rc);
    note_touch(lane, clock_tsc() - start);
}

static void (*const page_work[COMMAND_TIMED_KINDS])(struct lane *, const struct phase *, uint64_t) = {
    [COMMAND_FILL] = fill_page,
    [COMMAND_VERIFY] = verify_page,
    [COMMAND_SEQ] = touch_page,
    [COMMAND_RAND] = touch_page,
    [COMMAND_STORM] = rewrite_page,
    [COMMAND_CALL] = call_page,
    [COMMAND_EXEC] = exec_page,
    [COMMAND_REQUEST] = request,
};

static void pace(const struct phase *phase, uint64_t *due)
{
    uint64_t now;

    if ( !phase->interval )
        return;

    now = clock_tsc();
    if ( now > *due + clock_ticks(PACE_BEHIND_NS) )
        *due = now;
    clock_sleep_until(*due);
    *due += phase->interval;
}

/* The pages of lane @n, in order, so often. */
static void run_in_order(struct lane *lane, const struct phase *phase, unsigned int n,
                         unsigned int of, uint64_t passes)
{
    uint64_t first = phase->pages * n / of, end = phase->pages * (n + 1) / of, page;
    uint64_t due = clock_tsc();

    while ( passes-- )
        for ( page = first; page < end; page++ )
        {
            pace(phase, &due);
            page_work[phase->command->kind](lane, phase, page);
        }
}

static void run_at_random(struct lane *lane, const struct phase *phase, unsigned int n,
                          unsigned int of)
{
    bool owned = phase->command->kind == COMMAND_STORM;
    uint64_t first = owned ? phase->pages * n / of : 0;
    uint64_t pages = (owned ? phase->pages * (n + 1) / of : phase->pages) - first;
    uint64_t left = phase->command->count * (n + 1) / of - phase->command->count * n / of;
    uint64_t due = clock_tsc();

    if ( !pages )
        return;

    while ( phase->deadline ? clock_tsc() < phase->deadline : left-- > 0 )
    {
        pace(phase, &due);
        lane->random += 0x9e3779b97f4a7c15ull;
        page_work[phase->command->kind](lane, phase, first + pattern_mix(lane->random) % pages);
    }
}

static void run_lane(void *arg, unsigned int n, unsigned int of)
{
    const struct phase *phase = arg;
    struct lane *lane = &lanes[n];

    switch ( phase->command->kind )
    {
    case COMMAND_FILL:
    case COMMAND_VERIFY:
        run_in_order(lane, phase, n, of, 1);
        break;

    case COMMAND_SEQ:
    case COMMAND_EXEC:
        run_in_order(lane, phase, n, of, phase->command->count);
        break;

    default:
        run_at_random(lane, phase, n, of);
        break;
    }
}

static void clear_lane(struct lane *lane, unsigned int n)
{
    lane->touches = lane->words = lane->bad = lane->checksum = lane->meanwhile = 0;
    lane->random = pattern_mix(area.pattern.seed ^ pattern_mix(area.phases * GUEST_VCPUS_MAX + n));
    histogram_clear(&lane->slow);
}

static void finish_phase(const struct command *command, unsigned int vcpus, uint64_t ns)
{
    uint64_t touches = 0, bad = 0, checksum = 0, meanwhile = 0;
    char extra[CONSOLE_LINE_MAX / 2];
    unsigned int i;

    histogram_clear(&merged);
    for ( i = 0; i < vcpus; i++ )
    {
        touches += lanes[i].touches;
        bad += lanes[i].bad;
        checksum += lanes[i].checksum;
        meanwhile = lanes[i].meanwhile > meanwhile ? lanes[i].meanwhile : meanwhile;
        histogram_merge(&merged, &lanes[i].slow);
    }

    area.bad += bad;
    if ( command->kind == COMMAND_STORM || command->kind == COMMAND_FILL || command->write )
        area.writes += touches;

    if ( command->kind == COMMAND_VERIFY )
        text_print(extra, sizeof(extra), " pages=%lu bad=%lu checksum=%016lx vcpus=%u", touches,
                   bad, checksum, vcpus);
    else if ( command->kind == COMMAND_EXEC )
        text_print(extra, sizeof(extra), " meanwhile=%lu bad=%lu vcpus=%u", meanwhile, bad, vcpus);
    else
        text_print(extra, sizeof(extra), " bad=%lu vcpus=%u", bad, vcpus);
    report_phase(command->kind, extra, touches, ns, &merged);
}

uint64_t work_open(struct memory_range free, uint32_t mem_mib, const struct pattern *pattern)
{
    uint64_t free_pages = (free.end - free.start) / PATTERN_PAGE_BYTES;
    uint64_t table_pages = (free_pages * sizeof(uint32_t) + PATTERN_PAGE_BYTES - 1) /
                           PATTERN_PAGE_BYTES;
    uint64_t most = free_pages - table_pages, pages = (uint64_t)mem_mib * PAGES_PER_MIB;

    if ( pages > most )
        return 0;

    area.pattern = *pattern;
    area.generations = (uint32_t *)free.start;
    area.words = (uint64_t *)(free.start + table_pages * PATTERN_PAGE_BYTES);
    area.pages = pages ? pages : most;

    return area.pages;
}

void work_set_slow(uint32_t slow_us)
{
    struct lane *lane = &lanes[0];
    uint64_t start, p50, p99, max;
    unsigned int i;

    histogram_clear(&merged);
    clear_lane(lane, 0);
    for ( i = 0; i < BASELINE_TOUCHES; i++ )
    {
        start = clock_tsc();
        (void)*(volatile uint64_t *)area.words;
        histogram_add(&merged, clock_ns(clock_tsc() - start));
    }

    p50 = histogram_percentile(&merged, 50);
    p99 = histogram_percentile(&merged, 99);
    max = merged.max;
    area.slow_ns = slow_us * 1000ull;
    if ( !slow_us )
        area.slow_ns = p99 * BASELINE_FACTOR > SLOW_LEAST_NS ? p99 * BASELINE_FACTOR
                                                             : SLOW_LEAST_NS;
    area.slow_ticks = clock_ticks(area.slow_ns);
    console_print("baseline touches=%u p50ns=%lu p99ns=%lu maxns=%lu slowus=%lu", BASELINE_TOUCHES,
                  p50, p99, max, report_us(area.slow_ns));
}

bool work_run(const struct command *command, unsigned int vcpus)
{
    struct phase phase = { .command = command, .pages = area.pages };
    uint64_t start, bad = area.bad;
    unsigned int i;

    if ( command->vcpus )
        vcpus = command->vcpus;
    else if ( command->kind == COMMAND_SEQ )
        vcpus = 1;                  /* one stream is what a sequence means */
    if ( command->working_mib )
        phase.pages = (uint64_t)command->working_mib * PAGES_PER_MIB;

    area.phases++;
    for ( i = 0; i < vcpus; i++ )
        clear_lane(&lanes[i], i);

    if ( command->rate )
        phase.interval = clock_ticks(NS_PER_S * vcpus / command->rate);
    start = clock_tsc();
    if ( command->ms )
        phase.deadline = start + clock_ticks(command->ms * 1000000);
    vcpus_run(run_lane, &phase, vcpus);
    finish_phase(command, vcpus, clock_ns(clock_tsc() - start));

    return area.bad == bad;
}

void work_flip(uint64_t page, uint32_t bit)
{
    page_words(page)[bit / 64] ^= 1ull << (bit % 64);
    console_print("flip page=%lu gfn=%lx word=%u bit=%u", page,
                  (uint64_t)page_words(page) / PATTERN_PAGE_BYTES, bit / 64, bit % 64);
}

void work_report(void)
{
    char extra[CONSOLE_LINE_MAX / 2];

    text_print(extra, sizeof(extra), " pages=%lu writes=%lu bad=%lu efault=%lu refetch=%lu",
               area.pages, area.writes, area.bad, hypercall_efaults(), trap_refetches());
    report_totals(extra);
}

uint64_t work_bad(void)
{
    return area.bad;
}
