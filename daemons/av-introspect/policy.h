/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From verdicts to actions, by lines of a file:
 *
 *     DOMAIN PLUGIN RULE VERDICT ACTION...
 *
 * The first three are patterns as of a shell, the domain's of its name or UUID. VERDICT is clean, unknown, suspicious,
 * malicious, unjudged (nobody could say) or * (all but clean). ACTION is none, or some of log, deny, pause, kill, hook.
 * The first line that fits counts; what none fits is done as without a file.
 */
#ifndef AV_POLICY_H
#define AV_POLICY_H

#include <stddef.h>

#include "scanner.h"

#define POLICY_LOG     (1U << 0)  /* a finding, in the journal and in the file */
#define POLICY_DENY    (1U << 1)  /* the vCPU takes an exception instead of executing it */
#define POLICY_PAUSE   (1U << 2)  /* the domain stands still until somebody unpauses it */
#define POLICY_KILL    (1U << 3)  /* it crashes */
#define POLICY_HOOK    (1U << 4)  /* a program is run */
#define POLICY_ACTIONS 5U

/* Behind the verdicts of a scanner: that there is none. */
#define POLICY_UNJUDGED SCAN_VERDICTS

#define POLICY_FILE_BYTES_MAX (1U << 20)    /* nobody writes more by hand */
#define POLICY_ERROR_BYTES    256U

struct policy;

/*
 * path NULL: the built-in policy, which denies and logs what is malicious, and logs what is suspicious and what a plugin
 * reports as unknown. -EINVAL: error says in which line what is wrong; -ENOMEM, -EFBIG, and what reading says.
 */
int  policy_open(struct policy **out, const char *path, char error[POLICY_ERROR_BYTES]);
/* The same of a text. */
int  policy_parse(struct policy **out, const char *text, size_t length, char error[POLICY_ERROR_BYTES]);
void policy_close(struct policy *policy);

/* POLICY_*. uuid has 36 characters. verdict: enum scan_verdict or POLICY_UNJUDGED. */
unsigned int policy_decide(const struct policy *policy, const char *name, const char *uuid, const char *plugin,
                           const char *rule, unsigned int verdict);

/* "clean" and so on, static. */
const char *policy_verdict_name(unsigned int verdict);
/* Of one bit; NULL behind the last. */
const char *policy_action_name(unsigned int bit);

#endif /* AV_POLICY_H */
