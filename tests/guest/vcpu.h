/* SPDX-License-Identifier: GPL-2.0-only */
/* The other vCPUs: bringing them up, and giving all of them a piece of work. */
#ifndef TESTS_GUEST_VCPU_H
#define TESTS_GUEST_VCPU_H

/* Starts every vCPU that the domain has, up to GUEST_VCPUS_MAX; returns how many there are. */
unsigned int vcpus_open(void);

/*
 * Calls @work(arg, n, of) on vCPUs n = 0 .. of - 1 at once and returns when all have returned. On
 * vCPU 0 only.
 */
void vcpus_run(void (*work)(void *arg, unsigned int n, unsigned int of), void *arg,
               unsigned int of);

/* Binds the vCPUs' own channels again, after all were closed while nobody waited for one. */
void vcpus_rebind(void);

/*
 * Calls @change, which closes all channels, while no other vCPU waits for one; then binds the vCPUs' own again.  On
 * vCPU 0 only.
 */
void vcpus_change_channels(void (*change)(void));

#endif
