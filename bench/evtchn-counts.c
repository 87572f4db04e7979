/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * evtchn-counts: the hypervisor's own C of each event-channel ABI against the side of a domain that tests/guest has, one
 * vCPU, for bench/evtchn to count under callgrind: what is counted is dumped with a name that says what it was.
 * What needs no counting (who waits for whom, memory) goes to the standard output. Built and read by bench/evtchn.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include <xen/event.h>
#include <xen/event-nlevel-tree.h>
#include <xen/event-nlevel.h>
#include <xen/mm.h>

#include "tests/guest/fifo-view.h"
#include "tests/guest/nlevel-view.h"

#define WORD_SHIFT      6
#define CHANNELS_MOST   (XEN_NLEVEL_PAGES_MAX * XEN_NLEVEL_CHANNELS_A_PAGE)
#define PROBES          64u         /* channels of which each is raised and taken alone */
#define WORDS_A_PAGE    (PAGE_SIZE / sizeof(event_word_t))
#define OCTETS          (EVTCHN_FIFO_NR_CHANNELS * sizeof(event_word_t))     /* more than the bits of any depth */
#define RANKED          0           /* FIFO's highest priority */

_Static_assert(OCTETS >= 2 * XEN_NLEVEL_PAGES_MAX * PAGE_SIZE, "the pages hold all bits");

/* As xen/event.h leaves it to event_channel.h, which is another file's own. */
void evtchn_2l_init(struct domain *d);
int evtchn_fifo_init_control(struct evtchn_init_control *init_control);
int evtchn_fifo_expand_array(const struct evtchn_expand_array *expand_array);
void evtchn_fifo_destroy(struct domain *d);

static const struct abi {
    const char *name;
    unsigned int depth, channels;   /* depth 0: FIFO */
    bool registered;
} abis[] = {
    { "2l", 2, 4096, false },
    { "fifo", 0, EVTCHN_FIFO_NR_CHANNELS, true },
    { "n2", 2, 4096, true },
    { "n3", 3, 262144, true },
    { "n4", 4, CHANNELS_MOST, true },
};

static const struct abi *abi;
static struct shared_info shared_info __attribute__((aligned(PAGE_SIZE)));
static struct evtchn channels[CHANNELS_MOST];
static struct vcpu vcpu, *vcpus[] = { &vcpu };
static struct domain domain;
static uint32_t *pages, *own_page;  /* the domain's: of its channels, and of its vCPU */
static uint64_t octets;             /* of them that it uses */
static struct nlevel_view levels;
static struct nlevel_view_vcpu level_vcpu;
static struct fifo_view fifo;
static struct fifo_view_vcpu fifo_vcpu;

struct vcpu *shim_current = &vcpu;

void shim_xen_says(const char *format)
{
    fprintf(stderr, "evtchn-counts: Xen says: %s\n", format);
    exit(1);
}

void vcpu_mark_events_pending(struct vcpu *v)
{
    v->vcpu_info->evtchn_upcall_pending = 1;
}

void evtchn_check_pollers(struct domain *d, unsigned int port)
{
    (void)d, (void)port;
}

static void require(bool condition, const char *what)
{
    if ( condition )
        return;
    fprintf(stderr, "evtchn-counts: %s, %s\n", abi->name, what);
    exit(1);
}

static uint64_t frame_of(const void *at)
{
    return (uintptr_t)at / PAGE_SIZE;
}

static void register_fifo(unsigned int count)
{
    struct evtchn_init_control control = { .control_gfn = frame_of(own_page) };
    struct evtchn_fifo_control_block *block = (void *)own_page;
    unsigned int page, most = (count + WORDS_A_PAGE) / WORDS_A_PAGE;

    require(!evtchn_fifo_init_control(&control), "EVTCHNOP_init_control");
    for ( page = 0; page < most; page++ )
        require(!evtchn_fifo_expand_array(&(struct evtchn_expand_array){
                    .array_gfn = frame_of(pages) + page }), "EVTCHNOP_expand_array");
    fifo = (struct fifo_view){ .channels = most * WORDS_A_PAGE, .words = pages };
    fifo_vcpu = (struct fifo_view_vcpu){ .ready = &block->ready, .heads = block->head };
    octets = (uint64_t)most * PAGE_SIZE + sizeof(*block);
}

static void register_levels(unsigned int count)
{
    struct xen_nlevel_init init = { .depth = abi->depth, .pages = count / XEN_NLEVEL_CHANNELS_A_PAGE + 1 };
    struct xen_nlevel_vcpu selectors = { .gfn = frame_of(own_page) };
    struct nlevel_tree tree;
    unsigned int i;

    for ( i = 0; i < init.pages; i++ )
    {
        init.pending_gfn[i] = frame_of(pages) + i;
        init.mask_gfn[i] = frame_of(pages) + XEN_NLEVEL_PAGES_MAX + i;
    }
    require(!evtchn_nlevel_init(&init), "EVTCHNOP_nlevel_init");
    require(abi->depth == 2 || !evtchn_nlevel_vcpu(&selectors), "EVTCHNOP_nlevel_vcpu");
    nlevel_layout(&tree, abi->depth, WORD_SHIFT, init.pages);
    levels = (struct nlevel_view){ .depth = abi->depth, .word_shift = WORD_SHIFT, .channels = tree.channels,
        .pending = pages, .mask = pages + XEN_NLEVEL_PAGES_MAX * PAGE_SIZE / sizeof(*pages) };
    level_vcpu.levels = own_page;
    octets = 2ull * init.pages * PAGE_SIZE + nlevel_selectors_octets(&tree);
}

/* A domain with @count channels, 1 to @count, of the ABI. */
static void begin(unsigned int count)
{
    unsigned int port;

    memset(&shared_info, 0, sizeof(shared_info));
    memset(pages, 0, OCTETS);
    memset(own_page, 0, PAGE_SIZE);
    memset(channels, 0, (count + 1) * sizeof(*channels));
    vcpu = (struct vcpu){ .domain = &domain, .vcpu_info = &shared_info.vcpu_info[0] };
    domain = (struct domain){ .max_vcpus = 1, .vcpu = vcpus, .shared_info = &shared_info, .evtchn = channels };
    evtchn_2l_init(&domain);
    levels = (struct nlevel_view){ .depth = 2, .word_shift = WORD_SHIFT, .channels = 4096,
        .pending = (uint32_t *)shared_info.evtchn_pending, .mask = (uint32_t *)shared_info.evtchn_mask };
    level_vcpu = (struct nlevel_view_vcpu){ .last = (uint32_t *)&vcpu.vcpu_info->evtchn_pending_sel };
    octets = 0;
    if ( abi->registered && abi->depth )
        register_levels(count);
    else if ( abi->registered )
        register_fifo(count);
    for ( port = 1; port <= count; port++ )
    {
        channels[port] = (struct evtchn){ .state = ECS_INTERDOMAIN, .port = port };
        if ( domain.evtchn_port_ops->init )
            domain.evtchn_port_ops->init(&domain, &channels[port]);
    }
    domain.valid_evtchns = count + 1;
}

static void end(void)
{
    evtchn_fifo_destroy(&domain);
    evtchn_nlevel_destroy(&domain);
}

static void raise_one(unsigned int port)
{
    evtchn_port_set_pending(&domain, 0, &channels[port]);
}

/* ---- the domain's handlers ---- */

static unsigned int taken, last, again;
static unsigned int before_last;        /* handlers that ran before the last one's */

static void count_one(void *arg, unsigned int port)
{
    (void)arg, (void)port;
    taken++;
}

/* Each of the others' handlers raises its channel anew, as long as the last one waits. */
static void wait_for_last(void *arg, unsigned int port)
{
    (void)arg;
    if ( port == last )
        before_last = taken;
    else if ( again && before_last == ~0u )
        raise_one(port);
    taken++;
}

static unsigned int take(void (*handler)(void *arg, unsigned int port))
{
    vcpu.vcpu_info->evtchn_upcall_pending = 0;

    return abi->depth ? nlevel_view_take(&levels, &level_vcpu, handler, NULL)
                      : fifo_view_take(&fifo, &fifo_vcpu, handler, NULL);
}

/* ---- what is measured ---- */

/* Ends what was being counted; it is divided by @of. */
static void counted(const char *what, unsigned int count, unsigned int of)
{
    char name[80];

    snprintf(name, sizeof(name), "%s %s %u %u", abi->name, what, count, of);
    CALLGRIND_DUMP_STATS_AT(name);
}

#define COUNT(statement) \
    do { \
        CALLGRIND_ZERO_STATS; \
        CALLGRIND_TOGGLE_COLLECT; \
        statement; \
        CALLGRIND_TOGGLE_COLLECT; \
    } while ( 0 )

/* With nothing else pending; channels from all over. */
static void measure_alone(unsigned int count)
{
    unsigned int i, probes = count < PROBES ? count : PROBES, ports[PROBES];

    for ( i = 0; i < probes; i++ )
        ports[i] = 1 + (uint64_t)(count - 1) * i / (probes > 1 ? probes - 1 : 1);

    begin(count);
    for ( i = 0; i < probes; i++ )
    {
        COUNT(raise_one(ports[i]));
        counted("send-alone", count, probes);
        require(vcpu.vcpu_info->evtchn_upcall_pending, "no upcall");
        COUNT(taken = take(count_one));
        counted("dispatch-alone", count, probes);
        require(taken == 1, "what was raised is not found");
    }
    /* Once more, when the channel is pending already. */
    for ( i = 0; i < probes; i++ )
    {
        raise_one(ports[i]);
        COUNT(raise_one(ports[i]));
        counted("send-pending", count, probes);
        require(take(count_one) == 1, "what was raised is not found");
    }
    end();
}

static void raise_all(unsigned int count)
{
    for ( unsigned int port = 1; port <= count; port++ )
        raise_one(port);
}

static void measure_together(unsigned int count)
{
    begin(count);
    COUNT(raise_all(count));
    counted("send-all", count, count);
    COUNT(taken = take(count_one));
    counted("dispatch-all", count, count);
    require(taken == count, "not all that were raised are found");
    end();
}

/* The last of all that are pending: raised last, and behind all others where order is by number. */
static void measure_wait(unsigned int count, const char *what, bool raises_again, bool ranked)
{
    begin(count);
    last = count;
    again = raises_again;
    before_last = ~0u;
    taken = 0;
    if ( ranked )
        require(!domain.evtchn_port_ops->set_priority(&domain, &channels[last], RANKED), "no priority");
    raise_all(count);
    while ( vcpu.vcpu_info->evtchn_upcall_pending )
        take(wait_for_last);
    require(before_last != ~0u, "the last is never found");
    printf("wait %s %s %u %u\n", abi->name, what, count, before_last);
    end();
}

static void measure_memory(unsigned int count)
{
    begin(count);
    printf("memory %s %u %llu %zu %zu\n", abi->name, count, (unsigned long long)octets,
           malloc_usable_size(domain.evtchn_fifo) + malloc_usable_size(domain.evtchn_nlevel),
           malloc_usable_size(vcpu.evtchn_fifo));
    end();
}

int main(int argc, char **argv)
{
    static const unsigned int counts[] = { 1, 1000, 100000 };
    bool counting = argc > 1 && !strcmp(argv[1], "count");
    unsigned int i, j;

    pages = aligned_alloc(PAGE_SIZE, OCTETS);
    own_page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    if ( !pages || !own_page )
        return 1;
    setvbuf(stdout, NULL, _IONBF, 0);
    for ( i = 0; i < sizeof(abis) / sizeof(abis[0]); i++ )
        for ( j = 0; j < sizeof(counts) / sizeof(counts[0]); j++ )
        {
            abi = &abis[i];
            if ( counts[j] >= abi->channels )
                continue;
            if ( counting )
            {
                measure_alone(counts[j]);
                measure_together(counts[j]);
                continue;
            }
            measure_wait(counts[j], "once", false, false);
            measure_wait(counts[j], "again", true, false);
            if ( !abi->depth )
                measure_wait(counts[j], "ranked", true, true);
            measure_memory(counts[j]);
        }
    /* What the counting itself has: a call of nothing. */
    if ( counting )
    {
        COUNT((void)0);
        counted("nothing", 0, 1);
    }
    free(pages);
    free(own_page);

    return 0;
}
