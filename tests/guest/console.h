/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PV console ring that the toolstack gave the guest. Lines come out whole, whichever vCPU
 * prints, and none is lost: a printer waits until the daemon in dom0 has made room.
 */
#ifndef TESTS_GUEST_CONSOLE_H
#define TESTS_GUEST_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line, with its end. */
#define CONSOLE_LINE_MAX 512

void console_open(void);

/*
 * EVTCHNOP_reset closed the channel, and its other end waits: binds it again.  @remote_port is that end, which
 * console_remote_port() told before.
 */
uint32_t console_remote_port(void);
void console_rebind(uint32_t remote_port);

/* A line; the prefix "guest: " and the line's end are added. */
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a guest that is about to end: takes the lock by force if need be, and drains. */
void console_print_last(const char *line);

/* Waits until dom0 has taken everything, for a bounded time. */
void console_drain(void);

/*
 * The next line of input that is not empty, without its end; its length, or -XEN_E2BIG for one of
 * @size octets or more, which is thrown away. Without @wait 0 when there is none yet.
 */
long console_read_line(char *line, size_t size, bool wait);

#endif
