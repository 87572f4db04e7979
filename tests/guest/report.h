/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines of phases, and what they come to. Only the first vCPU may call these. */
#ifndef TESTS_GUEST_REPORT_H
#define TESTS_GUEST_REPORT_H

#include <stdint.h>

#include "histogram.h"
#include "program.h"

/* Rounded up: nothing that took time is said to have taken none. */
uint64_t report_us(uint64_t ns);

/* Prints a phase's line, with @extra at its end, and adds it to the totals; @slow: the slow touches among @touches. */
void report_phase(enum command_kind kind, const char *extra, uint64_t touches, uint64_t ns, const struct histogram *slow);

/* A line for each kind of command that ran, and one for all of them, with @extra at its end. */
void report_totals(const char *extra);

#endif
