/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One walk, with a limit.
 */
#include "modules.h"

#include <errno.h>
#include <string.h>

static int read_module(const struct kernel *kernel, const struct reader *reader, uint64_t at, struct module *out)
{
    uint64_t layout = kernel_member(kernel, at, MODULE_LAYOUT), start = kernel_member(kernel, layout, LAYOUT_BASE),
             size = kernel_member(kernel, layout, LAYOUT_SIZE), name = kernel_member(kernel, at, MODULE_NAME);
    uint32_t bytes;
    int rc;

    if ( !start || !size || !name )
        return -ENOENT;
    rc = reader_read_u64(reader, start, &out->start);
    if ( !rc )
        rc = reader_read_u32(reader, size, &bytes);
    if ( rc )
        return rc;
    out->bytes = bytes;
    rc = reader_read(reader, name, out->name, sizeof(out->name));
    out->name[sizeof(out->name) - 1] = 0;
    return rc;
}

int modules_find(const struct kernel *kernel, const struct reader *reader, uint64_t address, struct module *out)
{
    uint64_t head = kernel->names[NAME_MODULES], at;
    int rc;

    if ( !head || !kernel->has_types || kernel->members[MODULE_LIST] == UINT32_MAX )
        return -ENOENT;
    rc = reader_read_u64(reader, head, &at);
    for ( unsigned int i = 0; !rc && at != head; i++ )
    {
        if ( i == MODULES_MAX )
            return -E2BIG;
        rc = read_module(kernel, reader, at - kernel->members[MODULE_LIST], out);
        if ( !rc && address >= out->start && address - out->start < out->bytes )
            return 0;
        if ( !rc )
            rc = reader_read_u64(reader, at, &at);
    }
    return rc ? rc : -ENOENT;
}
