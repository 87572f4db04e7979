/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The work area and what is done to it: fill, verify, touch in order or at random, rewrite. Every
 * touch is timed and every value read is compared with what it has to be.
 */
#ifndef TESTS_GUEST_WORK_H
#define TESTS_GUEST_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "program.h"

/*
 * Takes the work area and the table of its pages' generations out of @free; @mem_mib 0 takes all.
 * Returns the number of pages, 0 when @free is too small.
 */
uint64_t work_open(struct memory_range free, uint32_t mem_mib, const struct pattern *pattern);

/* 0 lets the measured baseline choose. Says on the console what it is. */
void work_set_slow(uint32_t slow_us);

/* One of the timed commands on @vcpus vCPUs; prints its line. False: wrong bytes were found. */
bool work_run(const struct command *command, unsigned int vcpus);

void work_flip(uint64_t page, uint32_t bit);

/* A line for each kind of command that ran, and one for the whole guest. */
void work_report(void);

/* Wrong words found since the start. */
uint64_t work_bad(void);

#endif
