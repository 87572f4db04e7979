/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which host a spec means, in programs of the build tree that have the emulated one as well: stands where
 * lib/memevent/host.c does in those that are installed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <memevent/memevent.h>

#include "guests.h"

#define PREFIX "emulated"

/* The host's guests go with it. */
static struct hypervisor *emulated_host;
static struct emulated_guests *guests;

static int open_emulated(const char *text, struct hypervisor **out)
{
    struct emulated_spec spec;
    char wrong[512];
    int rc = emulated_spec_parse(text, &spec, wrong, sizeof(wrong));

    if ( rc )
    {
        fprintf(stderr, "--host=" PREFIX ": %s\n", wrong);
        return rc;
    }
    if ( emulated_host )
        return -EBUSY;
    if ( spec.run[0] && mkdir(spec.run, 0755) && errno != EEXIST )
        return -errno;
    rc = emulated_open(spec.host, out);
    if ( rc )
        return rc;
    rc = emulated_guests_start(*out, &spec, &guests);
    if ( rc )
    {
        (*out)->ops->close(*out);
        return rc;
    }
    emulated_host = *out;

    return 0;
}

int memevent_open_host(const char *spec, struct hypervisor **out)
{
    size_t length = strlen(PREFIX);

    if ( !spec || !strcmp(spec, "xen") )
        return hypervisor_open_xen(out);
    if ( !strcmp(spec, "xen:stock") )
        return hypervisor_open_stock(out);
    if ( !strncmp(spec, PREFIX, length) && (!spec[length] || spec[length] == ':') )
        return open_emulated(spec + length + (spec[length] == ':'), out);

    return -EINVAL;
}

void memevent_close_host(struct hypervisor *host)
{
    uint64_t wrong = 0;

    if ( !host )
        return;
    if ( host == emulated_host )
    {
        wrong = emulated_guests_stop(guests);
        emulated_host = NULL;
        guests = NULL;
    }
    host->ops->close(host);
    if ( wrong )
    {
        fprintf(stderr, PREFIX ": %llu pages were not as the guests had left them\n", (unsigned long long)wrong);
        abort();
    }
}
