/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FIFO event channels in every order of a small model, with Xen's own code and a domain's: no event is lost to a mask
 * that comes and goes, to another event that is linked behind it, to a change of its priority, or to the moment at which the
 * domain registers.  Compiled and run by test-fifo, where Xen's source is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <xen/domain_page.h>
#include <xen/event.h>

#include "interleave.h"
#include "tests/guest/fifo-view.h"

#define FIRST   1u
#define BESIDE  2u
#define PORTS   3u
#define HIGH    3u              /* a priority above the default */
#define HEAP    4096u

/* As xen/event.h leaves it to event_channel.h, which is another file's own. */
void evtchn_2l_init(struct domain *d);
int evtchn_fifo_init_control(struct evtchn_init_control *init_control);
int evtchn_fifo_expand_array(const struct evtchn_expand_array *expand_array);

/* The domain's page of event words, of which few are ever other than 0, and the one of its control block. */
static struct {
    uint32_t words[PAGE_SIZE / sizeof(uint32_t)], block[PAGE_SIZE / sizeof(uint32_t)];
    struct shared_info shared_info;
    uint32_t work[PORTS];
} shared __attribute__((aligned(PAGE_SIZE)));

static struct {
    uint8_t octets[HEAP];
    size_t used;
} heap __attribute__((aligned(16)));

static struct evtchn channels[PORTS];
static struct vcpu vcpu, *vcpus[] = { &vcpu };
static struct domain domain;
struct vcpu *shim_current = &vcpu;
static struct fifo_view view;
static struct fifo_view_vcpu view_vcpu;
static bool upcall;
static uint32_t found, wanted, rounds;

void *model_memory(size_t size)
{
    void *memory = heap.octets + heap.used;

    size = (size + 15) & ~15ul;
    INTERLEAVE_REQUIRE(heap.used + size <= sizeof(heap.octets));
    heap.used += size;

    return memory;
}

void shim_xen_says(const char *format)
{
    interleave_fail(format);
}

void vcpu_mark_events_pending(struct vcpu *v)
{
    (void)v;
    interleave_raise(&upcall);
}

void evtchn_check_pollers(struct domain *d, unsigned int port)
{
    (void)d, (void)port;
}

/* ---- threads ---- */

/* What the domain's operations are is read like a word that another thread may be about to change. */
static const struct evtchn_port_ops *operations(void)
{
    interleave_look();

    return domain.evtchn_port_ops;
}

static void send_work(unsigned int port, uint32_t work)
{
    const struct evtchn_port_ops *ops;

    interleave_store(&shared.work[port], work);
    /* The hypercall, and the channel's lock in it. */
    interleave_barrier();
    ops = operations();
    ops->set_pending(&vcpu, &channels[port]);
}

static void run_first(void)
{
    send_work(FIRST, 1);
}

static void run_beside(void)
{
    send_work(BESIDE, 1);
}

/* Twice: the second may find the first in any state. */
static void run_first_twice(void)
{
    send_work(FIRST, 1);
    send_work(FIRST, 2);
}

static void run_mask(void)
{
    fifo_view_mask(&view, FIRST);
}

static void run_hypervisor_unmasks(void)
{
    domain.evtchn_port_ops->unmask(&domain, &channels[FIRST]);
}

/* The hypervisor is asked only where the domain cannot do it. */
static void run_domain_unmasks(void)
{
    if ( !fifo_view_unmask(&view, FIRST) )
        run_hypervisor_unmasks();
}

static void run_mask_then_hypervisor(void)
{
    run_mask();
    run_hypervisor_unmasks();
}

static void run_mask_then_domain(void)
{
    run_mask();
    run_domain_unmasks();
}

static void run_priority(void)
{
    interleave_barrier();
    INTERLEAVE_REQUIRE(!domain.evtchn_port_ops->set_priority(&domain, &channels[FIRST], HIGH));
}

static void look(void *arg, unsigned int port)
{
    (void)arg;
    INTERLEAVE_REQUIRE(port && port < PORTS);
    if ( interleave_load(&shared.work[port]) == (port == FIRST ? rounds : 1) )
        found |= 1u << port;
}

/* Ends when it has found the work of all: before that, somebody has to wake it. */
static void run_vcpu(void)
{
    while ( (found & wanted) != wanted )
    {
        interleave_wait(&upcall);
        fifo_view_take(&view, &view_vcpu, look, NULL);
    }
}

static void run_init_control(void)
{
    struct evtchn_init_control control = { .control_gfn = (uintptr_t)shared.block / PAGE_SIZE };

    INTERLEAVE_REQUIRE(!evtchn_fifo_init_control(&control));
}

static void run_expand_array(void)
{
    struct evtchn_expand_array expand = { .array_gfn = (uintptr_t)shared.words / PAGE_SIZE };

    INTERLEAVE_REQUIRE(!evtchn_fifo_expand_array(&expand));
}

/* ---- models ---- */

static void begin_two_levels(void)
{
    struct evtchn_fifo_control_block *block = (void *)shared.block;
    unsigned int port;

    memset(&shared, 0, sizeof(shared));
    memset(&heap, 0, sizeof(heap));
    vcpu = (struct vcpu){ .domain = &domain, .vcpu_info = &shared.shared_info.vcpu_info[0] };
    domain = (struct domain){ .max_vcpus = 1, .vcpu = vcpus, .shared_info = &shared.shared_info, .evtchn = channels,
                              .valid_evtchns = PORTS };
    evtchn_2l_init(&domain);
    memset(channels, 0, sizeof(channels));
    for ( port = 1; port < PORTS; port++ )
        channels[port] = (struct evtchn){ .state = ECS_INTERDOMAIN, .port = port };
    view = (struct fifo_view){ .channels = PAGE_SIZE / sizeof(uint32_t), .words = shared.words };
    view_vcpu = (struct fifo_view_vcpu){ .ready = &block->ready, .heads = block->head };
    upcall = false;
    found = 0;
}

/* Channels that are bound after the registration: before any event word is there, or later. */
static void begin_without_words(void)
{
    begin_two_levels();
    domain.valid_evtchns = 0;
    run_init_control();
    domain.valid_evtchns = PORTS;
}

static void begin(void)
{
    unsigned int port;

    begin_without_words();
    run_expand_array();
    for ( port = 1; port < PORTS; port++ )
        domain.evtchn_port_ops->init(&domain, &channels[port]);
}

/* FIRST is pending and linked, the only one of its queue: it may be masked, and taken, while another is linked behind it. */
static void begin_linked(void)
{
    begin();
    shared.work[FIRST] = 1;
    domain.evtchn_port_ops->set_pending(&vcpu, &channels[FIRST]);
}

static void begin_linked_masked(void)
{
    begin_linked();
    shared.words[FIRST] |= 1u << EVTCHN_FIFO_MASKED;
}

static void end(void)
{
    unsigned int port;

    INTERLEAVE_REQUIRE((found & wanted) == wanted);
    for ( port = 1; port < PORTS; port++ )
    {
        uint32_t word = shared.words[port];

        INTERLEAVE_REQUIRE(!(word & (1u << EVTCHN_FIFO_BUSY)));
        /* Whatever is still pending is on its way. */
        INTERLEAVE_REQUIRE(!(word & (1u << EVTCHN_FIFO_PENDING)) || (word & (1u << EVTCHN_FIFO_MASKED)) ||
                           ((word & (1u << EVTCHN_FIFO_LINKED)) && upcall));
    }
}

/* The vCPU comes when all is done: what is linked has to be whole. */
static void end_take(void)
{
    INTERLEAVE_REQUIRE(upcall);
    fifo_view_take(&view, &view_vcpu, look, NULL);
    end();
}

static void end_expand(void)
{
    run_expand_array();
    end_take();
}

/* What the hypervisor reads without loads. */
static void hash_unloaded(void)
{
    interleave_hash(heap.octets, (heap.used + 7) & ~7ul);
    interleave_hash(channels, sizeof(channels));
    interleave_hash(&domain.evtchn_port_ops, sizeof(domain.evtchn_port_ops));
}

static void hash(void)
{
    hash_unloaded();
    interleave_hash(shared.words, PORTS * sizeof(uint32_t));
    interleave_hash(shared.block, sizeof(struct evtchn_fifo_control_block));
    interleave_hash(shared.shared_info.evtchn_pending, sizeof(shared.shared_info.evtchn_pending[0]));
    interleave_hash(&vcpu.vcpu_info->evtchn_pending_sel, sizeof(vcpu.vcpu_info->evtchn_pending_sel));
    interleave_hash(shared.work, sizeof(shared.work));
    interleave_hash(&view_vcpu, sizeof(view_vcpu));
    interleave_hash(&upcall, 1);
    interleave_hash(&found, sizeof(found));
}

static void check(const char *name, struct interleave_model *model, unsigned int all)
{
    wanted = all;
    rounds = model->run[0] == run_first_twice ? 2 : 1;
    model->shared = &shared;
    model->shared_size = sizeof(shared);
    model->end = model->end ? model->end : end;
    model->hash = hash;
    model->hash_locked = hash_unloaded;
    interleave_require(name, model);
}

static void test_link(void **state)
{
    struct interleave_model model = {
        .threads = 3, .run = { run_first, run_beside, run_vcpu }, .begin = begin,
    };

    (void)state;
    check("two at once, one linked behind the other", &model, 1u << FIRST | 1u << BESIDE);
}

static void test_link_taken(void **state)
{
    struct interleave_model model = {
        .threads = 2, .run = { run_beside, run_vcpu }, .begin = begin_linked,
    };

    (void)state;
    check("linked behind one that is taken", &model, 1u << FIRST | 1u << BESIDE);
}

static void test_again(void **state)
{
    struct interleave_model model = {
        .threads = 2, .run = { run_first_twice, run_vcpu }, .begin = begin_linked,
    };

    (void)state;
    check("an event that comes again", &model, 1u << FIRST);
}

static void test_link_mask(void **state)
{
    struct interleave_model model = {
        .threads = 3, .run = { run_beside, run_mask, run_vcpu }, .begin = begin_linked,
    };

    (void)state;
    check("linked behind one that is masked", &model, 1u << BESIDE);
}

static void test_link_hypervisor_unmasks(void **state)
{
    struct interleave_model model = {
        .threads = 2, .run = { run_beside, run_hypervisor_unmasks }, .begin = begin_linked_masked,
        .end = end_take,
    };

    (void)state;
    check("linked behind one that the hypervisor unmasks", &model, 1u << FIRST | 1u << BESIDE);
}

static void test_link_domain_unmasks(void **state)
{
    struct interleave_model model = {
        .threads = 2, .run = { run_beside, run_domain_unmasks }, .begin = begin_linked_masked,
        .end = end_take,
    };

    (void)state;
    check("linked behind one that the domain unmasks", &model, 1u << FIRST | 1u << BESIDE);
}

static void test_hypervisor_unmasks(void **state)
{
    struct interleave_model model = {
        .threads = 3, .run = { run_first, run_mask_then_hypervisor, run_vcpu }, .begin = begin,
    };

    (void)state;
    check("a mask that the hypervisor takes away", &model, 1u << FIRST);
}

static void test_domain_unmasks(void **state)
{
    struct interleave_model model = {
        .threads = 3, .run = { run_first, run_mask_then_domain, run_vcpu }, .begin = begin,
    };

    (void)state;
    check("a mask that the domain takes away", &model, 1u << FIRST);
}

static void test_priority(void **state)
{
    struct interleave_model model = {
        .threads = 3, .run = { run_first_twice, run_priority, run_vcpu }, .begin = begin, .looks = true,
    };

    (void)state;
    check("a priority that changes", &model, 1u << FIRST);
}

static void test_registration(void **state)
{
    struct interleave_model model = {
        .threads = 2, .run = { run_first, run_init_control }, .begin = begin_two_levels, .end = end_expand,
        .looks = true,
    };

    (void)state;
    check("an event while the domain registers", &model, 1u << FIRST);
}

static void test_expansion(void **state)
{
    struct interleave_model model = {
        .threads = 2, .run = { run_first, run_expand_array }, .begin = begin_without_words, .end = end_take,
        .looks = true,
    };

    (void)state;
    check("an event while its word comes", &model, 1u << FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_link_taken),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_link_mask),
        cmocka_unit_test(test_link_hypervisor_unmasks),
        cmocka_unit_test(test_link_domain_unmasks),
        cmocka_unit_test(test_hypervisor_unmasks),
        cmocka_unit_test(test_domain_unmasks),
        cmocka_unit_test(test_priority),
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_expansion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
