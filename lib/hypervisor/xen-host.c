/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The life of a connection to the real Xen: open, ask what this hypervisor can do, close.
 * What it is used for afterwards is in the other xen-*.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/version.h>

static void xen_close(struct hypervisor *hv)
{
    struct xen_host *host = xen_host_of(hv);

    if ( !host )
        return;
    xen_operations_close(host);
    xen_sharing_close(host);
    xen_channel_close(host);
    xen_batch_close(host);
    if ( host->store )
        xs_close(host->store);
    if ( host->model )
        xendevicemodel_close(host->model);
    if ( host->memory )
        xenforeignmemory_close(host->memory);
    if ( host->call )
        xencall_close(host->call);
    if ( host->xc )
        xc_interface_close(host->xc);
    if ( host->logger )
        xtl_logger_destroy((xentoollog_logger *)host->logger);
    pthread_mutex_destroy(&host->batch_lock);
    free(host);
}

static int xen_probe(struct hypervisor *hv, struct hypervisor_info *out)
{
    struct xen_host *host = xen_host_of(hv);
    xen_extraversion_t extra = "";
    int version = xc_version(host->xc, XENVER_version, NULL);

    if ( version < 0 )
        return -errno;
    if ( xc_version(host->xc, XENVER_extraversion, &extra) < 0 )
        return -errno;
    snprintf(out->version, sizeof(out->version), "%d.%d%.*s", version >> 16, version & 0xffff,
             (int)sizeof(extra), extra);
    out->has_paging = xen_batch_has_paging(host);
    out->paging_missing = out->has_paging ? NULL :
        "this hypervisor was built without MEM_PAGING: rebuild Xen with CONFIG_EXPERT=y, "
        "CONFIG_UNSUPPORTED=y and CONFIG_MEM_PAGING=y, or boot the one that tests/system/xenhost builds";
    out->has_sharing = xen_sharing_is_there(host);
    out->sharing_missing = out->has_sharing ? NULL : xen_sharing_missing;
    out->has_channels = host->has_channels;
    out->channels_missing = host->has_channels ? NULL : xen_channels_missing;
    return 0;
}

static void xen_get_counts(const struct hypervisor *hv, struct hypervisor_counts *out)
{
    const struct xen_host *host = (const struct xen_host *)hv;

    out->hypercalls = __atomic_load_n(&host->counts.hypercalls, __ATOMIC_RELAXED);
    out->operations = __atomic_load_n(&host->counts.operations, __ATOMIC_RELAXED);
    out->system_calls = __atomic_load_n(&host->counts.system_calls, __ATOMIC_RELAXED);
}

static const struct hypervisor_ops xen_ops = {
    .name            = "xen",
    .close           = xen_close,
    .probe           = xen_probe,
    .get_domain      = xen_get_domain,
    .list_domains    = xen_list_domains,
    .pause_domain    = xen_pause_domain,
    .unpause_domain  = xen_unpause_domain,
    .crash_domain    = xen_crash_domain,
    .inject_fault    = xen_inject_fault,
    .inject_breakpoint = xen_inject_breakpoint,
    .get_registers   = xen_get_registers,
    .set_monitor     = xen_set_monitor,
    .get_frame_limit = xen_get_frame_limit,
    .query_frames    = xen_query_frames,
    .map_frames      = xen_map_frames,
    .unmap_frames    = xen_unmap_frames,
    .get_memory      = xen_get_memory,
    .enable_sharing  = xen_enable_sharing,
    .audit_sharing   = xen_audit_sharing,
    .alloc_buffer    = xen_alloc_buffer,
    .free_buffer     = xen_free_buffer,
    .lock_buffer     = xen_lock_buffer,
    .unlock_buffer   = xen_unlock_buffer,
    .submit          = xen_submit,
    .attach_ring     = xen_attach_ring,
    .detach_ring     = xen_detach_ring,
    .leave_ring      = xen_leave_ring,
    .arm_ring        = xen_arm_ring,
    .notify_ring     = xen_notify_ring,
    .get_channel_info = xen_get_channel_info,
    .watch_fd        = xen_watch_fd,
    .add_watch       = xen_add_watch,
    .remove_watch    = xen_remove_watch,
    .next_watch      = xen_next_watch,
    .read_key        = xen_read_key,
    .write_key       = xen_write_key,
    .remove_key      = xen_remove_key,
    .get_counts      = xen_get_counts,
};

static int open_host(struct hypervisor **out, bool uses_channels)
{
    struct xen_host *host = calloc(1, sizeof(*host));
    int rc;

    *out = NULL;
    if ( !host )
        return -ENOMEM;
    host->hv.ops = &xen_ops;
    pthread_mutex_init(&host->batch_lock, NULL);

    /*
     * The libraries log to stderr when they are given no logger.  What they would say reaches our callers
     * as an error number, and some of it (EBUSY from a nomination) is an ordinary answer; so only
     * what is critical to them is printed.
     */
    host->logger = xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
    if ( !host->logger )
    {
        rc = -ENOMEM;
        goto fail;
    }

    host->xc = xc_interface_open((xentoollog_logger *)host->logger, NULL, 0);
    if ( host->xc )
        host->call = xencall_open((xentoollog_logger *)host->logger, 0);
    if ( host->call )
        host->memory = xenforeignmemory_open((xentoollog_logger *)host->logger, 0);
    if ( host->memory )
        host->model = xendevicemodel_open((xentoollog_logger *)host->logger, 0);
    if ( host->model )
        host->store = xs_open(0);
    if ( !host->store )
    {
        rc = errno ? -errno : -EIO;
        goto fail;
    }

    rc = xen_batch_open(host);
    if ( !rc )
        rc = xen_sharing_open(host);
    if ( !rc )
        rc = xen_channel_open(host);
    host->has_channels &= uses_channels;
    if ( !rc )
        rc = xen_operations_open(host);
    if ( rc )
        goto fail;

    *out = &host->hv;
    return 0;

 fail:
    xen_close(&host->hv);
    return rc;
}

int hypervisor_open_xen(struct hypervisor **out)
{
    return open_host(out, true);
}

int hypervisor_open_stock(struct hypervisor **out)
{
    return open_host(out, false);
}
