/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of bench/sharing have in common: time, an image of memory, and results as they come. */
#ifndef BENCH_SHARING_H
#define BENCH_SHARING_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_PAGE 4096U

void bench_require(bool truth, const char *what);
double bench_cpu(void);           /* seconds of this thread's CPU */
double bench_clock(void);         /* seconds */
uint64_t bench_random(void);
/* Page-aligned memory of so many pages, small ones only. */
uint8_t *bench_memory(uint64_t pages);
void bench_free(uint8_t *memory, uint64_t pages);

/* One figure of one round.  aim: what it should be, in words, or NULL. */
void bench_result(const char *name, const char *unit, const char *aim, double value);

/*
 * Three guests: half of each the image that all have, a tenth zeros, the rest its own.  Fills memory of so many pages,
 * returns how many of them could be saved.
 */
uint64_t bench_guests(uint8_t *memory, uint64_t pages);

/* sharing-ksm.c: the same image for us and for the kernel's KSM.  Why it cannot be had, or NULL. */
const char *bench_against_ksm(uint64_t pages, unsigned int rounds);

#endif
