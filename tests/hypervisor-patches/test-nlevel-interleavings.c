/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels of N levels in every order of a small model, with the hypervisor's own code and a domain's: no event
 * is lost to a mask that comes and goes, to another event of the same word, or to selectors that come late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <xen/event-nlevel-tree.h>

#include "interleave.h"
#include "tests/guest/nlevel-view.h"

#define WORD_SHIFT  5
#define DEPTH       3
/* Of the first word of level 1, and of its second: channels are apart there, and meet in the last word. */
#define FIRST       3u
#define BESIDE      4u
#define FAR         1029u
/* Of FIRST's word of level 1, but not of its word of pending. */
#define NEXT        35u
#define WORDS       40          /* of pending and mask: up to FAR */
#define LEVEL_WORDS 34          /* of level 1: two, and level_size() in between */

static struct {
    uint32_t pending[WORDS], mask[WORDS], levels[LEVEL_WORDS], last, work[4];
} shared;
static uint32_t *levels;        /* NULL: not registered */
static struct nlevel_tree tree;
static const struct nlevel_selectors selectors = { .levels = (uint32_t *const *)&levels, .last = &shared.last };
static struct nlevel_view view;
static const struct nlevel_view_vcpu vcpu = { .levels = shared.levels, .last = &shared.last };
static const unsigned int channels[] = { FIRST, BESIDE, FAR, NEXT };
#define CHANNELS    (sizeof(channels) / sizeof(channels[0]))
static bool upcall;
static unsigned int found, wanted;
static uint32_t rounds;         /* of FIRST's work; of the others' there is one */

static unsigned int number_of(unsigned int channel)
{
    unsigned int i = 0;

    while ( i < CHANNELS && channels[i] != channel )
        i++;
    INTERLEAVE_REQUIRE(i < CHANNELS);

    return i;
}

static void send_work(unsigned int channel, uint32_t work)
{
    interleave_store(&shared.work[number_of(channel)], work);
    if ( nlevel_set_pending(&tree, &selectors, channel, NULL) )
        interleave_raise(&upcall);
}

static void send(unsigned int channel)
{
    send_work(channel, 1);
}

static void run_first(void)
{
    send(FIRST);
}

static void run_beside(void)
{
    send(BESIDE);
}

static void run_far(void)
{
    send(FAR);
}

static void run_next(void)
{
    send(NEXT);
}

/* Twice: the second may find the first's bits in any state. */
static void run_first_twice(void)
{
    send_work(FIRST, 1);
    send_work(FIRST, 2);
}

static void run_mask_then_hypervisor(void)
{
    nlevel_view_mask(&view, FIRST);
    if ( nlevel_unmask(&tree, &selectors, FIRST) )
        interleave_raise(&upcall);
}

static void run_mask_then_domain(void)
{
    nlevel_view_mask(&view, FIRST);
    if ( nlevel_view_unmask(&view, &vcpu, FIRST) )
        interleave_raise(&upcall);
}

static void run_register(void)
{
    interleave_barrier();
    levels = shared.levels;
    nlevel_select_all(&tree, &selectors, NEXT + 1);
    interleave_raise(&upcall);
}

static void look(void *arg, unsigned int channel)
{
    (void)arg;
    if ( interleave_load(&shared.work[number_of(channel)]) == (channel == FIRST ? rounds : 1) )
        found |= 1u << number_of(channel);
}

/* Ends when it has found the work of all: before that, somebody has to wake it. */
static void run_vcpu(void)
{
    while ( found != wanted )
    {
        interleave_wait(&upcall);
        nlevel_view_take(&view, &vcpu, look, NULL);
    }
}

static void begin(void)
{
    memset(&shared, 0, sizeof(shared));
    levels = shared.levels;
    upcall = false;
    found = 0;
}

static void begin_unregistered(void)
{
    begin();
    levels = NULL;
}

static void end(void)
{
    unsigned int i;

    INTERLEAVE_REQUIRE(found == wanted);
    /* Whatever is still pending is on its way. */
    for ( i = 0; i < CHANNELS; i++ )
        INTERLEAVE_REQUIRE(!nlevel_is_pending(&tree, channels[i]) || nlevel_is_masked(&tree, channels[i]) ||
                           (nlevel_is_selected(&tree, &selectors, channels[i]) && upcall));
}

static void hash(void)
{
    bool registered = levels;

    interleave_hash(&shared, sizeof(shared));
    interleave_hash(&registered, 1);
    interleave_hash(&upcall, 1);
    interleave_hash(&found, sizeof(found));
}

static void check(const char *name, struct interleave_model *model, unsigned int all)
{
    wanted = all;
    rounds = model->run[0] == run_first_twice ? 2 : 1;
    /* Two words of level 1 and one page that is shorter than others; nothing behind is touched. */
    tree = (struct nlevel_tree){ .depth = DEPTH, .word_shift = WORD_SHIFT, .channels = FAR + 1,
                                 .pending = { shared.pending }, .mask = { shared.mask } };
    view = (struct nlevel_view){ .depth = DEPTH, .word_shift = WORD_SHIFT, .channels = FAR + 1,
                                 .pending = shared.pending, .mask = shared.mask };
    model->shared = &shared;
    model->shared_size = sizeof(shared);
    model->end = end;
    model->hash = hash;
    interleave_require(name, model);
}

static void test_hypervisor_unmasks(void **state)
{
    struct interleave_model model = {
        .threads = 4, .run = { run_first, run_beside, run_mask_then_hypervisor, run_vcpu }, .begin = begin,
    };

    (void)state;
    check("a mask that the hypervisor takes away", &model, 3);
}

static void test_domain_unmasks(void **state)
{
    struct interleave_model model = {
        .threads = 4, .run = { run_first, run_far, run_mask_then_domain, run_vcpu }, .begin = begin,
    };

    (void)state;
    check("a mask that the domain takes away", &model, 5);
}

static void test_twice(void **state)
{
    struct interleave_model model = {
        .threads = 3, .run = { run_first_twice, run_mask_then_domain, run_vcpu }, .begin = begin,
    };

    (void)state;
    check("an event that comes again", &model, 1);
}

static void test_late_selectors(void **state)
{
    struct interleave_model model = {
        .threads = 4, .run = { run_first, run_next, run_register, run_vcpu }, .begin = begin_unregistered,
    };

    (void)state;
    check("selectors that come late", &model, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hypervisor_unmasks),
        cmocka_unit_test(test_domain_unmasks),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_late_selectors),
    };

#ifdef __SANITIZE_THREAD__
    print_message("one thread that changes stacks is nothing for the thread sanitizer\n");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
