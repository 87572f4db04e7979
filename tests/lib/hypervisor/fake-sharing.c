/* SPDX-License-Identifier: GPL-2.0-only */
/* See fake-sharing.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake-libraries.h"
#include "fake-sharing.h"

#include <xen/memory.h>

#define WORDS (4096 / sizeof(uint32_t))

struct fake_sharing fake_sharing;

void fake_sharing_reset(void)
{
    memset(&fake_sharing, 0, sizeof(fake_sharing));
}

static struct fake_sharing_frame *frame_of(uint32_t domid, uint64_t gfn)
{
    assert_true(domid == FAKE_DOMID || domid == FAKE_CLIENT);
    assert_true(gfn < FAKE_SHARABLE);

    return &fake_sharing.frames[domid == FAKE_CLIENT][gfn];
}

unsigned int fake_sharing_sharers(uint64_t handle)
{
    unsigned int count = 0;

    for ( unsigned int i = 0; i < 2 * FAKE_SHARABLE; i++ )
        count += handle && fake_sharing.frames[i / FAKE_SHARABLE][i % FAKE_SHARABLE].handle == handle;

    return count;
}

static int share(const xen_mem_sharing_op_t *op)
{
    struct fake_sharing_frame *source = frame_of(op->domain, op->u.share.source_gfn);
    struct fake_sharing_frame *client = frame_of(op->u.share.client_domain, op->u.share.client_gfn);
    uint64_t from = client->handle;

    if ( !source->handle || source->handle != op->u.share.source_handle )
        return XENMEM_SHARING_OP_S_HANDLE_INVALID;
    if ( !from || from != op->u.share.client_handle )
        return XENMEM_SHARING_OP_C_HANDLE_INVALID;
    fake_sharing.shares++;
    fake_sharing.wrong += source->contents != client->contents;
    for ( unsigned int i = 0; i < 2 * FAKE_SHARABLE; i++ )
    {
        struct fake_sharing_frame *frame = &fake_sharing.frames[i / FAKE_SHARABLE][i % FAKE_SHARABLE];

        if ( frame->handle == from )
        {
            frame->handle = source->handle;
            frame->contents = source->contents;
        }
    }

    return 0;
}

int fake_sharing_operation(xen_mem_sharing_op_t *op)
{
    struct fake_sharing_frame *frame;

    if ( fake_sharing.is_missing )
        return -ENOSYS;
    if ( op->domain != FAKE_DOMID && op->domain != FAKE_CLIENT )
        return -ESRCH;
    switch ( op->op )
    {
    case XENMEM_sharing_op_nominate_gfn:
        fake_sharing.nominations++;
        /* A mapping is a reference, and a page with one cannot be nominated. */
        assert_int_equal(fake.mapped, 0);
        frame = frame_of(op->domain, op->u.nominate.u.gfn);
        if ( frame->nominate )
            return -frame->nominate;
        if ( !frame->handle )
            frame->handle = ++fake_sharing.last_handle;
        op->u.nominate.handle = frame->handle;
        return 0;

    case XENMEM_sharing_op_share:
        return share(op);

    case XENMEM_sharing_op_debug_gfn:
        frame = frame_of(op->domain, op->u.debug.u.gfn);
        return frame->handle ? (int)fake_sharing_sharers(frame->handle) : -EINVAL;

    default:
        fail_msg("sharing operation %u", op->op);
        return 0;
    }
}

int fake_sharing_map(uint32_t domid, uint64_t gfn, bool to_write, uint32_t *page)
{
    struct fake_sharing_frame *frame = frame_of(domid, gfn);

    if ( to_write && frame->handle )
    {
        if ( frame->unshare )
            return frame->unshare;
        frame->handle = 0;
    }
    for ( unsigned int i = 0; frame->contents && i < WORDS; i++ )
        page[i] = frame->contents;

    return 0;
}

void fake_sharing_unmapped(void)
{
    for ( unsigned int i = 0; i < 2 * FAKE_SHARABLE; i++ )
    {
        struct fake_sharing_frame *frame = &fake_sharing.frames[i / FAKE_SHARABLE][i % FAKE_SHARABLE];

        if ( !frame->writes )
            continue;
        frame->writes = false;
        frame->contents++;
        frame->handle = 0;
    }
}

/* ---- libxenctrl ---- */

static int fail_if(int error)
{
    errno = error;

    return error ? -1 : 0;
}

int xc_memshr_control(xc_interface *xc, uint32_t domid, int enable)
{
    (void)xc;
    assert_true(domid == FAKE_DOMID && enable == 1);

    return fail_if(fake_sharing.control_fails);
}

int xc_memshr_audit(xc_interface *xc)
{
    (void)xc;

    return fake_sharing.audit_finds < 0 ? fail_if(-fake_sharing.audit_finds) : fake_sharing.audit_finds;
}

long xc_sharing_used_frames(xc_interface *xc)
{
    (void)xc;

    return fake_sharing.is_missing ? -1 : 7;
}

long xc_sharing_freed_pages(xc_interface *xc)
{
    (void)xc;

    return fake_sharing.is_missing ? -1 : 5;
}

int xc_physinfo(xc_interface *xc, xc_physinfo_t *info)
{
    (void)xc;
    info->total_pages = 1000;
    info->free_pages = 300;

    return 0;
}
