/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * poison: pages that workers died over. A guest chooses pages, so they are known by a keyed digest, and there is a limit of
 * how many are remembered; the one that was met longest ago makes room.
 */
#ifndef AV_POISON_H
#define AV_POISON_H

#include <stdint.h>

/* So many deaths by one page are no accident. */
#define POISON_DEATHS   3u

/* A guest can fill this, and gains that a page costs it three more workers, each with a longer back-off. */
#define POISON_PAGES    256u

struct poison;

/* 0 or -ENOMEM, -EIO (no randomness). */
int  poison_open(struct poison **out);
void poison_close(struct poison *poison);

/* What a page is known by; never 0. */
uint64_t poison_name(const struct poison *poison, const void *page);

/* A worker died over it. Returns how often that was so by now. */
uint32_t poison_died(struct poison *poison, uint64_t name);
/* How often; 0: never. */
uint32_t poison_deaths(const struct poison *poison, uint64_t name);
/* It was judged: forget it. */
void poison_judged(struct poison *poison, uint64_t name);
/* Other rules: forget all. */
void poison_clear(struct poison *poison);

#endif /* AV_POISON_H */
