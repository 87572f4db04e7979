/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What xenstore says that a domain should be paged to.
 */
#ifndef XENPAGING_TARGET_H
#define XENPAGING_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Below a domain's own path; upstream's name and meaning: KiB, 0 or absent: everything in. */
#define TARGET_KEY        "memory/target-tot_pages"

/* The longest value that is a number: 2^64 has 20 digits; one more, so that a longer one is seen to be too long. */
#define TARGET_TEXT_MAX   22U

/*
 * Reads a value of the key: decimal digits, blanks around them allowed.  *pages is the target in pages, rounded
 * down, at least 1; UINT64_MAX for 0.  -EINVAL: not a number; -ERANGE: beyond what a domain can have.
 */
int target_parse(const char *text, size_t length, uint64_t *pages);

#endif
