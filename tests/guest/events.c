/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See events.h.  Two levels are N levels of depth two in another place; what is done with the bits is nlevel-
 * view.c's and fifo-view.c's.
 */
#include "events.h"

#include <stddef.h>

#include <public/event-nlevel.h>

#include "fifo-view.h"
#include "hypercall.h"
#include "layout.h"
#include "nlevel-view.h"

#define PAGE            4096ul
#define WORD_SHIFT      6
/* Apart by more than any depth needs: two of them in a page. */
#define SELECTORS_BYTES 2048ul
/* A control block has 72 octets and starts on a multiple of 8. */
#define CONTROL_BYTES   128ul
#define TABLES          2

static const struct {
    const char *name;
    unsigned int depth, channels;
} abis[EVENTS_ABIS] = {
    [EVENTS_2L] = { "2l", 2, 4096 },
    [EVENTS_FIFO] = { "fifo", 0, EVTCHN_FIFO_NR_CHANNELS },
    [EVENTS_N2] = { "n2", 2, 4096 },
    [EVENTS_N3] = { "n3", 3, 262144 },
    [EVENTS_N4] = { "n4", 4, 524288 },
};

static enum events_abi abi;         /* reserved for */
static bool is_fifo;                /* what Xen uses now */
static unsigned int vcpu_count;
static uint64_t pending_start, mask_start, words_start, vcpus_start, spare_start;
static uint32_t *tables[TABLES];
static struct nlevel_view levels;
static struct nlevel_view_vcpu level_vcpus[GUEST_VCPUS_MAX];
static struct fifo_view fifo;
static struct fifo_view_vcpu fifo_vcpus[GUEST_VCPUS_MAX];

static uint64_t take_pages(struct memory_range *free, uint64_t octets)
{
    free->end -= (octets + PAGE - 1) & ~(PAGE - 1);

    return free->end;
}

static void clear_pages(uint64_t start, uint64_t octets)
{
    volatile uint64_t *at = (void *)start;
    uint64_t i;

    for ( i = 0; i < octets / sizeof(*at); i++ )
        at[i] = 0;
}

static uint64_t bits_octets(void)
{
    uint64_t octets = abis[abi].channels / 8;

    return (octets + PAGE - 1) & ~(PAGE - 1);
}

bool events_reserve(enum events_abi wanted, struct memory_range *free, unsigned int vcpus)
{
    uint64_t channels = abis[wanted].channels;
    uint64_t need = channels * 4 * (TABLES + 1) + 4 * PAGE + GUEST_VCPUS_MAX * SELECTORS_BYTES;
    unsigned int i;

    abi = wanted;
    vcpu_count = vcpus;
    if ( free->end - free->start < need )
        return false;

    for ( i = 0; i < TABLES; i++ )
        tables[i] = (uint32_t *)take_pages(free, channels * sizeof(uint32_t));
    spare_start = take_pages(free, PAGE);
    vcpus_start = take_pages(free, GUEST_VCPUS_MAX * SELECTORS_BYTES);
    if ( abi == EVENTS_FIFO )
        words_start = take_pages(free, channels * sizeof(uint32_t));
    else
    {
        pending_start = take_pages(free, bits_octets());
        mask_start = take_pages(free, bits_octets());
    }

    return true;
}

unsigned int events_channels(void)
{
    return abis[abi].channels;
}

unsigned int events_depth(void)
{
    return abis[abi].depth;
}

bool events_is_nlevel(void)
{
    return abi >= EVENTS_N2;
}

const char *events_name(void)
{
    return abis[abi].name;
}

uint32_t *events_table(unsigned int which)
{
    return tables[which];
}

uint64_t events_spare_gfn(void)
{
    return spare_start / PAGE;
}

long events_call(unsigned int command, void *arg, size_t length)
{
    return hypercall(__HYPERVISOR_event_channel_op, command, arg, length);
}

static uint32_t *last_of(unsigned int vcpu)
{
    return (uint32_t *)&shared_info->vcpu_info[vcpu].evtchn_pending_sel;
}

static void view_two_levels(void)
{
    unsigned int i;

    levels = (struct nlevel_view){ .depth = 2, .word_shift = WORD_SHIFT, .channels = abis[EVENTS_2L].channels,
                                   .pending = (uint32_t *)&shared_info->evtchn_pending,
                                   .mask = (uint32_t *)&shared_info->evtchn_mask };
    for ( i = 0; i < GUEST_VCPUS_MAX; i++ )
        level_vcpus[i] = (struct nlevel_view_vcpu){ .last = last_of(i) };
    is_fifo = false;
}

static void register_levels(void)
{
    struct xen_nlevel_init init = { .depth = abis[abi].depth, .pages = bits_octets() / PAGE };
    struct xen_nlevel_vcpu vcpu;
    unsigned int i;
    long rc;

    clear_pages(pending_start, bits_octets());
    clear_pages(mask_start, bits_octets());
    clear_pages(vcpus_start, GUEST_VCPUS_MAX * SELECTORS_BYTES);
    for ( i = 0; i < init.pages; i++ )
    {
        init.pending_gfn[i] = pending_start / PAGE + i;
        init.mask_gfn[i] = mask_start / PAGE + i;
    }
    rc = events_call(EVTCHNOP_nlevel_init, &init, sizeof(init));
    if ( rc )
        guest_panic("EVTCHNOP_nlevel_init depth %u pages %u: %ld", init.depth, init.pages, rc);
    for ( i = 0; i < vcpu_count; i++ )
        level_vcpus[i].levels = (uint32_t *)(vcpus_start + i * SELECTORS_BYTES);
    levels = (struct nlevel_view){ .depth = init.depth, .word_shift = WORD_SHIFT, .channels = abis[abi].channels,
                                   .pending = (uint32_t *)pending_start, .mask = (uint32_t *)mask_start };
    for ( i = 0; i < vcpu_count && init.depth > 2; i++ )
    {
        uint64_t at = vcpus_start + i * SELECTORS_BYTES;

        vcpu = (struct xen_nlevel_vcpu){ .vcpu = i, .offset = at % PAGE, .gfn = at / PAGE };
        rc = events_call(EVTCHNOP_nlevel_vcpu, &vcpu, sizeof(vcpu));
        if ( rc )
            guest_panic("EVTCHNOP_nlevel_vcpu %u: %ld", i, rc);
    }
}

static void register_fifo(void)
{
    struct evtchn_expand_array expand;
    unsigned int i;
    long rc;

    clear_pages(words_start, abis[abi].channels * sizeof(uint32_t));
    clear_pages(vcpus_start, GUEST_VCPUS_MAX * CONTROL_BYTES);
    fifo = (struct fifo_view){ .channels = abis[abi].channels, .words = (uint32_t *)words_start };
    for ( i = 0; i < vcpu_count; i++ )
    {
        uint64_t at = vcpus_start + i * CONTROL_BYTES;
        struct evtchn_fifo_control_block *block = (void *)at;
        struct evtchn_init_control control = { .vcpu = i, .offset = at % PAGE, .control_gfn = at / PAGE };

        fifo_vcpus[i] = (struct fifo_view_vcpu){ .ready = &block->ready, .heads = block->head };
        rc = events_call(EVTCHNOP_init_control, &control, sizeof(control));
        if ( rc || control.link_bits != EVTCHN_FIFO_LINK_BITS )
            guest_panic("EVTCHNOP_init_control %u: %ld, %u link bits", i, rc, control.link_bits);
    }
    is_fifo = true;
    for ( i = 0; i < abis[abi].channels * sizeof(uint32_t) / PAGE; i++ )
    {
        expand.array_gfn = words_start / PAGE + i;
        rc = events_call(EVTCHNOP_expand_array, &expand, sizeof(expand));
        if ( rc )
            guest_panic("EVTCHNOP_expand_array page %u: %ld", i, rc);
    }
}

void events_register(void)
{
    view_two_levels();
    event_clear_by = events_clear;
    if ( abi == EVENTS_FIFO )
        register_fifo();
    else if ( abi != EVENTS_2L )
        register_levels();
}

void events_reset(void)
{
    struct evtchn_reset reset = { .dom = DOMID_SELF };
    long rc = events_call(EVTCHNOP_reset, &reset, sizeof(reset));

    if ( rc )
        guest_panic("EVTCHNOP_reset: %ld", rc);
    view_two_levels();
}

void events_clear(evtchn_port_t port)
{
    if ( is_fifo )
        fifo_view_clear(&fifo, port);
    else
        __atomic_and_fetch(&levels.pending[port / 32], ~(1u << (port % 32)), __ATOMIC_SEQ_CST);
}

bool events_is_pending(evtchn_port_t port)
{
    if ( is_fifo )
        return fifo_view_is_pending(&fifo, port);

    return __atomic_load_n(&levels.pending[port / 32], __ATOMIC_SEQ_CST) >> (port % 32) & 1;
}

void events_mask(evtchn_port_t port)
{
    if ( is_fifo )
        fifo_view_mask(&fifo, port);
    else
        nlevel_view_mask(&levels, port);
}

void events_unmask_by_xen(evtchn_port_t port)
{
    struct evtchn_unmask unmask = { .port = port };
    long rc = events_call(EVTCHNOP_unmask, &unmask, sizeof(unmask));

    if ( rc )
        guest_panic("EVTCHNOP_unmask %u: %ld", port, rc);
}

void events_unmask_here(evtchn_port_t port)
{
    unsigned int self = vcpu_self();

    if ( !is_fifo )
    {
        if ( nlevel_view_unmask(&levels, &level_vcpus[self], port) )
            __atomic_store_n(&shared_info->vcpu_info[self].evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    }
    else if ( !fifo_view_unmask(&fifo, port) )
        events_unmask_by_xen(port);
}

unsigned int events_take(void (*take)(void *arg, unsigned int port), void *arg)
{
    unsigned int self = vcpu_self();

    /* The upcall /before/ what it is about: what comes later sets it again. */
    if ( !__atomic_exchange_n(&shared_info->vcpu_info[self].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST) )
        return 0;

    return is_fifo ? fifo_view_take(&fifo, &fifo_vcpus[self], take, arg) :
                     nlevel_view_take(&levels, &level_vcpus[self], take, arg);
}
