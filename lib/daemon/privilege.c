/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place where rights are given up.  Which are kept, and why, is said
 * by the daemon that calls.
 */
#include "privilege.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cap-ng.h>

static int forbid_core_dumps(void)
{
    const struct rlimit none = { 0, 0 };

    /* The limit alone does not hold for a core_pattern that is a pipe, and the
     * flag alone is set anew by the kernel at the next exec(). */
    if ( setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) )
        return -errno;

    return 0;
}

static int forbid_new_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

/* Built from nothing, so that a capability that the kernel gains tomorrow is
 * dropped as well. */
static int choose_capabilities(const struct privilege_right *kept,
                               size_t count)
{
    bool had[CAP_LAST_CAP + 1] = { false };
    size_t i;

    for ( i = 0; i < count; i++ )
    {
        int capability = kept[i].capability;

        if ( !kept[i].reason || !kept[i].reason[0] || capability < 0 ||
             capability > CAP_LAST_CAP )
            return -EINVAL;

        had[capability] = capng_have_capability(CAPNG_PERMITTED, capability);
    }

    capng_clear(CAPNG_SELECT_BOTH);

    for ( i = 0; i < count; i++ )
    {
        capng_type_t sets = CAPNG_BOUNDING_SET;

        if ( had[kept[i].capability] )
            sets |= CAPNG_EFFECTIVE | CAPNG_PERMITTED;
        if ( capng_update(CAPNG_ADD, sets, kept[i].capability) )
            return -EINVAL;
    }

    return 0;
}

static int drop_capabilities(const struct privilege_right *kept, size_t count)
{
    bool may_bound;
    int rc;

    if ( capng_get_caps_process() )
        return -EIO;

    may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

    rc = choose_capabilities(kept, count);
    if ( rc )
        return rc;

    /* Ambient ones would come back at the next exec(). */
    if ( prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) )
        return -errno;

    /* Bounding first: it needs CAP_SETPCAP, which goes with the rest. */
    if ( may_bound && capng_apply(CAPNG_SELECT_BOUNDS) )
        return -EPERM;

    return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int privilege_drop(const struct privilege_right *kept, size_t count,
                   unsigned int flags)
{
    int rc = 0;

    if ( flags & ~PRIVILEGE_HOLDS_GUEST_MEMORY )
        return -EINVAL;

    if ( flags & PRIVILEGE_HOLDS_GUEST_MEMORY )
        rc = forbid_core_dumps();
    if ( !rc )
        rc = forbid_new_privileges();
    if ( !rc )
        rc = drop_capabilities(kept, count);

    return rc;
}

const char *privilege_name(int capability)
{
    const char *name = capability < 0 ? NULL
                                      : capng_capability_to_name(capability);

    return name ? name : "unknown";
}
