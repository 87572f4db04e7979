/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See fake-access.h.  As Xen does, a call for many frames stops at the first that fails and does not say where.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <xenctrl.h>

#include "fake-access.h"

#define PAGE 4096U

struct fake_access fake_access;

static int failed(int error)
{
    errno = error;
    return -1;
}

void *xc_monitor_enable(xc_interface *xc, uint32_t domid, uint32_t *port)
{
    void *page;

    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    assert_false(fake_access.is_enabled);
    if ( fake_access.enable_fails )
    {
        errno = fake_access.enable_fails;
        return NULL;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    fake.mapped++;
    fake_access.is_enabled = true;
    *port = FAKE_PORT;
    return page;
}

int xc_monitor_disable(xc_interface *xc, uint32_t domid)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    assert_true(fake_access.is_enabled);
    fake_access.is_enabled = false;
    fake_access.disables++;
    return 0;
}

int xc_get_mem_access(xc_interface *xc, uint32_t domid, uint64_t gfn, xenmem_access_t *access)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    assert_int_equal(gfn, UINT64_MAX);
    if ( fake_access.is_missing )
        return failed(EINVAL);
    if ( !fake_access.is_enabled )
        return failed(ENODEV);
    *access = XENMEM_access_rwx;
    return 0;
}

static int set(uint64_t gfn, uint32_t access)
{
    if ( gfn >= FAKE_GFNS )
        return failed(EINVAL);
    if ( fake_access.fails[gfn] )
        return failed(fake_access.fails[gfn]);
    fake_access.access[gfn] = access + 1;
    return 0;
}

int xc_set_mem_access(xc_interface *xc, uint32_t domid, xenmem_access_t access, uint64_t first, uint32_t count)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    assert_true(fake_access.is_enabled && count);
    fake_access.calls++;
    for ( uint64_t gfn = first; gfn < first + count; gfn++ )
        if ( set(gfn, access) )
            return -1;
    return 0;
}

int xc_set_mem_access_multi(xc_interface *xc, uint32_t domid, uint8_t *access, uint64_t *gfns, uint32_t count)
{
    (void)xc;
    assert_int_equal(domid, FAKE_DOMID);
    assert_true(fake_access.is_enabled && count);
    fake_access.calls++;
    for ( uint32_t i = 0; i < count; i++ )
        if ( set(gfns[i], access[i]) )
            return -1;
    return 0;
}
