/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test of one channel stands on: the hypervisor's own core at one end, an attached consumer at the other.  Included by a
 * test once; how it attaches is its own.
 */
#ifndef TESTS_LIB_MEMEVENT_CHANNEL_BENCH_H
#define TESTS_LIB_MEMEVENT_CHANNEL_BENCH_H

#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "fake-channels.h"

static struct fake_channels fake;
static struct memevent_channel *channel;

/* The test's. */
static void attach(void);

static int begin(void **unused)
{
    (void)unused;
    fake_channels_init(&fake);
    attach();

    return 0;
}

static int end(void **unused)
{
    (void)unused;
    memevent_detach(channel);
    fake_channels_finish(&fake);

    return 0;
}

static bool is_readable(void)
{
    struct pollfd fd = { .fd = memevent_fd(channel), .events = POLLIN };

    return poll(&fd, 1, 0) == 1;
}

#endif
