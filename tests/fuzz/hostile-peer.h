/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of a ring, for the targets whose input is what it does: it writes what it likes to its memory, and may
 * refuse to be notified.  Included by a target once, after PEER_OCTETS is defined.
 */
#ifndef TESTS_FUZZ_HOSTILE_PEER_H
#define TESTS_FUZZ_HOSTILE_PEER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "memevent/channel.h"

struct peer {
    struct hypervisor hv;
    struct hypervisor_ring ring;
    uint64_t memory[PEER_OCTETS / sizeof(uint64_t)];
    unsigned int notified;
    bool fails;                     /* notifications do */
};

struct given {
    uint64_t id;
    bool answered;
};

struct input {
    const uint8_t *data;
    size_t size;
};

static int arm_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    (void)hv;
    (void)ring;

    return 0;
}

static int notify_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct peer *peer = (struct peer *)hv;

    (void)ring;
    if ( peer->fails )
        return -EIO;
    peer->notified++;

    return 0;
}

static void detach_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    (void)hv;
    (void)ring;
}

static const struct hypervisor_ops peer_ops = {
    .name = "a hostile peer",
    .detach_ring = detach_ring,
    .arm_ring = arm_ring,
    .notify_ring = notify_ring,
};

static uint64_t take(struct input *input, unsigned int bytes)
{
    uint64_t value = 0;

    while ( bytes-- && input->size )
    {
        value = value << 8 | *input->data++;
        input->size--;
    }

    return value;
}

/* offset (2), length (1), bytes */
static void write_memory(struct peer *peer, struct input *input)
{
    size_t offset = take(input, 2) % sizeof(peer->memory);
    size_t length = take(input, 1);

    if ( length > input->size )
        length = input->size;
    if ( length > sizeof(peer->memory) - offset )
        length = sizeof(peer->memory) - offset;
    memcpy((char *)peer->memory + offset, input->data, length);
    input->data += length;
    input->size -= length;
}

#endif
