/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which host a spec means.  Apart from the channels, so that a program that brings its own struct hypervisor
 * links without the Xen libraries.
 */
#include <errno.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

int memevent_open_host(const char *spec, struct hypervisor **out)
{
    if ( !spec || !strcmp(spec, "xen") )
        return hypervisor_open_xen(out);
    if ( !strcmp(spec, "xen:stock") )
        return hypervisor_open_stock(out);
    /* Only programs of the build tree have it: lib/hypervisor/emulated/open.c. */
    if ( !strcmp(spec, "emulated") || !strncmp(spec, "emulated:", 9) )
        return -EOPNOTSUPP;

    return -EINVAL;
}

void memevent_close_host(struct hypervisor *host)
{
    if ( host )
        host->ops->close(host);
}
