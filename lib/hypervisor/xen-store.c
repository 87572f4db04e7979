/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * xenstore: keys and watches, over the one connection of the host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen-host.h"

int xen_watch_fd(struct hypervisor *hv)
{
    return xs_fileno(xen_host_of(hv)->store);
}

int xen_add_watch(struct hypervisor *hv, const char *path, const char *token)
{
    return xs_watch(xen_host_of(hv)->store, path, token) ? 0 : -errno;
}

int xen_remove_watch(struct hypervisor *hv, const char *path, const char *token)
{
    return xs_unwatch(xen_host_of(hv)->store, path, token) ? 0 : -errno;
}

int xen_next_watch(struct hypervisor *hv, char *path, size_t path_size, char *token, size_t token_size)
{
    char **event = xs_check_watch(xen_host_of(hv)->store);

    if ( !event )
        return errno == EAGAIN ? 0 : -errno;
    snprintf(path, path_size, "%s", event[XS_WATCH_PATH]);
    snprintf(token, token_size, "%s", event[XS_WATCH_TOKEN]);
    free(event);
    return 1;
}

int xen_read_key(struct hypervisor *hv, const char *path, char *value, size_t size)
{
    unsigned int length;
    char *text = xs_read(xen_host_of(hv)->store, XBT_NULL, path, &length);

    if ( !text )
        return -errno;
    /* The value may hold NUL bytes; the library puts one behind it. */
    if ( size )
    {
        size_t kept = length < size ? length : size - 1;

        memcpy(value, text, kept);
        value[kept] = '\0';
    }
    free(text);
    return length;
}

int xen_write_key(struct hypervisor *hv, const char *path, const char *value)
{
    return xs_write(xen_host_of(hv)->store, XBT_NULL, path, value, strlen(value)) ? 0 : -errno;
}

int xen_remove_key(struct hypervisor *hv, const char *path)
{
    return xs_rm(xen_host_of(hv)->store, XBT_NULL, path) ? 0 : -errno;
}
