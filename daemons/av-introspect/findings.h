/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was found, for people and programs: a message in the journal, an object of JSON in a line of a file, and what a
 * hook gets. Text that comes from a guest, or from a plugin, is made harmless here.
 */
#ifndef AV_FINDINGS_H
#define AV_FINDINGS_H

#include <time.h>

#include "scanner.h"

struct findings;

struct finding {
    uint16_t domid;
    const char *name, *uuid;      /* of the domain */
    enum scan_kind kind;
    const uint64_t *values;       /* as in a scan_request */
    uint64_t gfn, gla, rip, cr3;
    bool     has_gla;
    uint32_t vcpu;
    unsigned int verdict;         /* enum scan_verdict or POLICY_UNJUDGED */
    unsigned int actions;         /* POLICY_* */
    bool     has_run;             /* it may have been executed before this was known */
    bool     from_cache;
    const uint8_t *digest;        /* SCAN_DIGEST_BYTES, of a SCAN_PAGE; else NULL */
    const struct scan_result *result;
    uint64_t left_out;            /* findings of this domain before this one that were not written */
};

/*
 * path: the file, which is made, with mode 0600; NULL: none. hook: a program, or NULL. 0; -ENOMEM; what opening says, and
 * then *out works without a file.
 */
int  findings_open(struct findings **out, const char *path, uint64_t limit, const char *hook);
void findings_close(struct findings *findings);

void findings_add(struct findings *findings, const struct finding *finding);
/* Once in a while: hooks that have ended. */
void findings_tick(struct findings *findings);

uint64_t findings_count(const struct findings *findings);

#endif /* AV_FINDINGS_H */
