/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was judged before: verdicts by the SHA-256 of a page, for all domains together, as long as the rules are the same.
 * Bounded: what is full forgets. A verdict of old rules is none.
 */
#ifndef AV_VERDICTS_H
#define AV_VERDICTS_H

#include "scanner.h"

struct verdicts;

/* Room for at least so many pages. 0, -ENOMEM, -ENOSYS: no SHA-256 in this build of libgcrypt. */
int  verdicts_open(struct verdicts **out, uint32_t pages);
void verdicts_close(struct verdicts *verdicts);

/* Of SCAN_PAGE_BYTES octets. */
void verdicts_digest(const void *page, uint8_t digest[SCAN_DIGEST_BYTES]);

/* true: judged by rules of this generation; *out is as it was then, id and time aside. */
bool verdicts_find(struct verdicts *verdicts, const uint8_t digest[SCAN_DIGEST_BYTES], uint64_t generation,
                   struct scan_result *out);
/* Keeps one whose outcome is SCAN_DONE, and which depends on the page alone; others are not kept. */
void verdicts_keep(struct verdicts *verdicts, const uint8_t digest[SCAN_DIGEST_BYTES], const struct scan_result *result);

/* All is forgotten: somebody judges by something else now. */
void verdicts_clear(struct verdicts *verdicts);

struct verdicts_statistics {
    uint64_t hits, misses, kept, forgotten;
    uint64_t entries, limit;
};
void verdicts_get_statistics(const struct verdicts *verdicts, struct verdicts_statistics *out);

#endif /* AV_VERDICTS_H */
