/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One channel of <public/memevent.h> as the hypervisor gives it, without libmemevent: a consumer here can say what
 * a right one never says. Nothing checks for the caller; what Xen answers is returned as it is.
 */
#ifndef TESTS_SYSTEM_PROGRAMS_CHANNEL_H
#define TESTS_SYSTEM_PROGRAMS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include <public/memevent.h>

struct channel {
    uint16_t domid, channel_class;
    struct xen_memevent_attach attach;      /* as Xen filled it in */
    xenevtchn_handle *evtchn;
    int port;                               /* ours */
    xenforeignmemory_resource_handle *frames;
    uint8_t *shared;                        /* attach.frames of them, writable */
    uint32_t consumed;                      /* reliable: requests taken */
    uint32_t answered;                      /* reliable: responses written; published by channel_publish() */
};

/* Ends the program with status 1. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* One more thing shown. */
void pass(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails unless what Xen returned is what is wanted; format names the call. */
void expect(long wanted, long found, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* This process's doors to Xen; once, and once more in a child. Standard output becomes line by line. */
void hypervisor_open(void);

/* size octets that Xen can reach, zeroed; never given back. */
void *hypervisor_memory(size_t size);

/* HYPERVISOR_memevent_op with a copy of size octets (at most 128), which are copied back. What it returns. */
long memevent_call(uint32_t call, void *argument, size_t size);

/* The same with an address as it is. */
long memevent_call_at(uint32_t call, unsigned long address);

/* Operations in hypervisor_memory(). All of them are carried out, or the program ends. */
void memevent_batch(struct xen_memevent_operation *operations, uint32_t count);

/* 0, or what Xen says against it, with nothing held. batch and deadline: for INVALIDATE. */
int channel_attach(struct channel *c, uint16_t domid, uint16_t channel_class, uint32_t flags, uint32_t batch,
                   uint32_t deadline);

/* As if the consumer had died: Xen is not told. */
void channel_abandon(struct channel *c);

int channel_detach(uint16_t domid, uint16_t channel_class);
int channel_info(uint16_t domid, uint16_t channel_class, struct xen_memevent_info *info);

/*
 * Reliable. Copies the next request of attach.request_size octets; false: there is none, and Xen will notify of
 * one.
 */
bool channel_take(struct channel *c, void *request);

/* Reliable. Writes one response of attach.response_size octets, or one that has only these fields. */
void channel_put(struct channel *c, const void *response);
void channel_answer(struct channel *c, uint64_t id, uint32_t action);

/* Reliable. What was put can be read by Xen, which is told; it has read them when this returns. */
void channel_publish(struct channel *c);
void channel_kick(struct channel *c);

/* Waits for a notification, so many milliseconds at most. Whether there was one. */
bool channel_wait(struct channel *c, int milliseconds);

/* Microseconds of a clock that only goes on. */
uint64_t now_us(void);

/* A generator for tests that repeat what they did: the same seed, the same numbers. */
void random_seed(uint64_t seed);
uint64_t random_next(void);

#endif
