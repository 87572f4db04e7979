/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest on the emulated host, for the tests of that host: made anew for each case, with as much memory again for the
 * host. Whatever goes wrong here fails the case. Include cmocka.h first.
 */
#ifndef TESTS_LIB_HYPERVISOR_EMULATED_GUEST_H
#define TESTS_LIB_HYPERVISOR_EMULATED_GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <memevent/memevent.h>

#include "hypervisor/emulated/emulated.h"

#define DOMID    3
#define FRAMES   64u
/* Far beyond what a scheduler takes its time for. */
#define PATIENCE_MS 60000

/* A case with a host and a guest of its own. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_set_up, guest_tear_down)

extern struct hypervisor *hv;

int guest_set_up(void **state);
int guest_tear_down(void **state);

/* One operation on a frame, and its status. Pages go out to a place of their own, and come in from it. */
int guest_carry_out(uint32_t call, uint64_t gfn);
/* Nominates and evicts. */
void guest_take_out(uint64_t gfn);
/* Two frames, of any guests; the operation's status. */
int guests_merge(uint16_t source_domid, uint64_t source, uint16_t client_domid, uint64_t client, uint32_t *outcome,
                 uint64_t *handle);
/* Two frames of this guest. */
int guest_merge(uint64_t source, uint64_t client, uint32_t *outcome, uint64_t *handle);

/* A word of the frame, by a vCPU; 0 or what became of the access. */
int guest_write(uint32_t vcpu, uint64_t gfn, uint64_t value);
uint64_t guest_read(uint32_t vcpu, uint64_t gfn);

/* An access that waits, on a thread of its own. */
struct access {
    pthread_t thread;
    uint32_t vcpu;
    uint64_t gfn, value;
    bool is_write, is_fetch, is_foreign;
    int rc;
};
void access_begin(struct access *access);
/* Waits for it; rc is what must have become of it. */
void access_end(struct access *access, int rc);

/* A consumer of the guest's, or of the host's invalidates. */
struct memevent_channel *guest_attach(enum memevent_class class);
/* The next event, which comes in a minute at most. */
void guest_wait_event(struct memevent_channel *channel, struct memevent_event *event);

#endif /* TESTS_LIB_HYPERVISOR_EMULATED_GUEST_H */
