/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * privilege: gives up, for good, what a daemon does not need any more once
 * everything is open.
 *
 * The daemon says which rights it keeps, each with its reason, in one block
 * next to the call; sandboxing that can be said in a unit file is said there.
 *
 *     static const struct privilege_right kept[] = {
 *         { CAP_IPC_LOCK, "hypercall buffers and the page store are locked" },
 *     };
 *     rc = privilege_drop(kept, ARRAY_SIZE(kept),
 *                         PRIVILEGE_HOLDS_GUEST_MEMORY);
 */
#ifndef DAEMON_PRIVILEGE_H
#define DAEMON_PRIVILEGE_H

#include <stddef.h>

#include <linux/capability.h>

struct privilege_right {
    int capability;             /* CAP_... */
    const char *reason;         /* a clause for readers; must not be empty */
};

/* The process holds a guest's bytes: no core dump, no ptrace by equals. */
#define PRIVILEGE_HOLDS_GUEST_MEMORY  0x1u

/*
 * In this order: no core dumps (if asked), no new privileges, all capabilities
 * but `kept` dropped from every set including the bounding set.  A kept right
 * that the process does not have is no error: it runs with less.  Ordinary
 * users may call this too; only the bounding set then stays as it is.
 *
 * 0; -EINVAL for a right without a reason or an unknown flag; -EPERM, -EIO and
 * what prctl() says.  After an error the process may have lost some rights
 * already and must end.  Threads: call it while there is only one; capabilities
 * belong to threads.
 */
int privilege_drop(const struct privilege_right *kept, size_t count,
                   unsigned int flags);

/* Like "ipc_lock", for a log line; static; "unknown" for what is no right. */
const char *privilege_name(int capability);

#endif /* DAEMON_PRIVILEGE_H */
