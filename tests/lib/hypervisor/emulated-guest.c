/* SPDX-License-Identifier: GPL-2.0-only */
/* See emulated-guest.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <unistd.h>

#include <memevent/operations.h>

#include "emulated-guest.h"

/* Whoever waits for ever ends with an error. */
#define PATIENCE_S  300

struct hypervisor *hv;
static char *data;

int guest_set_up(void **state)
{
    (void)state;
    alarm(PATIENCE_S);
    assert_int_equal(emulated_open(2 * FRAMES, &hv), 0);
    assert_int_equal(emulated_create_domain(hv, DOMID, 4, FRAMES), 0);
    data = hv->ops->alloc_buffer(hv, FRAMES);
    assert_non_null(data);

    return 0;
}

int guest_tear_down(void **state)
{
    (void)state;
    hv->ops->free_buffer(hv, data, FRAMES);
    hv->ops->close(hv);

    return 0;
}

int guest_carry_out(uint32_t call, uint64_t gfn)
{
    struct hypervisor_operation one = {
        .call = call, .domid = DOMID, .gfn = gfn,
        .data = call == PAGING_EVICT || call == PAGING_LOAD ? data + gfn * HYPERVISOR_PAGE_SIZE : NULL,
    };

    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);

    return one.status;
}

void guest_take_out(uint64_t gfn)
{
    assert_int_equal(guest_carry_out(PAGING_NOMINATE, gfn), 0);
    assert_int_equal(guest_carry_out(PAGING_EVICT, gfn), 0);
}

int guest_write(uint32_t vcpu, uint64_t gfn, uint64_t value)
{
    return emulated_access(hv, DOMID, vcpu, gfn, 8, &value, sizeof(value), true);
}

uint64_t guest_read(uint32_t vcpu, uint64_t gfn)
{
    uint64_t value = ~0ull;

    assert_int_equal(emulated_access(hv, DOMID, vcpu, gfn, 8, &value, sizeof(value), false), 0);

    return value;
}

static void *run_access(void *argument)
{
    struct access *access = argument;

    if ( access->is_foreign )
        access->rc = emulated_access_foreign(hv, DOMID, access->gfn, 8, &access->value, sizeof(access->value),
                                             access->is_write);
    else if ( access->is_fetch )
        access->rc = emulated_fetch(hv, DOMID, access->vcpu, access->gfn, 8, &access->value, sizeof(access->value));
    else
        access->rc = emulated_access(hv, DOMID, access->vcpu, access->gfn, 8, &access->value, sizeof(access->value),
                                     access->is_write);

    return NULL;
}

void access_begin(struct access *access)
{
    assert_int_equal(pthread_create(&access->thread, NULL, run_access, access), 0);
}

void access_end(struct access *access, int rc)
{
    pthread_join(access->thread, NULL);
    assert_int_equal(access->rc, rc);
}

struct memevent_channel *guest_attach(enum memevent_class class)
{
    struct memevent_channel *channel;

    assert_int_equal(memevent_attach(hv, class, class == MEMEVENT_CLASS_INVALIDATE ? MEMEVENT_HOST : DOMID, &channel,
                                     NULL), 0);

    return channel;
}

void guest_wait_event(struct memevent_channel *channel, struct memevent_event *event)
{
    struct pollfd one = { .fd = memevent_fd(channel), .events = POLLIN };

    while ( memevent_next(channel, event) != 1 )
        if ( !memevent_arm(channel) )
            assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
}

int guests_merge(uint16_t source_domid, uint64_t source, uint16_t client_domid, uint64_t client,
                 uint32_t *outcome, uint64_t *handle)
{
    struct hypervisor_operation one = {
        .call = SHARING_MERGE, .domid = source_domid, .gfn = source,
        .sharing = { .client_domid = client_domid, .client_gfn = client },
    };

    assert_int_equal(hv->ops->submit(hv, &one, 1), 0);
    *outcome = one.sharing.outcome;
    *handle = one.sharing.handle;

    return one.status;
}

int guest_merge(uint64_t source, uint64_t client, uint32_t *outcome, uint64_t *handle)
{
    return guests_merge(DOMID, source, DOMID, client, outcome, handle);
}
