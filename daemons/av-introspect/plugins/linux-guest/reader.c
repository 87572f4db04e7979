/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One part a read: whoever follows pointers knows the next only when he has the last.
 */
#include "reader.h"

#include <errno.h>
#include <string.h>

int reader_read(const struct reader *reader, uint64_t address, void *buffer, size_t length)
{
    struct av_read part = {
        .size = sizeof(part), .status = -EINVAL, .address = address, .buffer = buffer, .length = length,
    };
    int rc;

    /* A pointer into user space is never followed: a process could lay out there what it likes us to see. */
    if ( !reader_is_kernel(address) || address + length < address )
    {
        memset(buffer, 0, length);
        return -EFAULT;
    }
    rc = reader->host->read_virtual(reader->call, reader->cr3, &part, 1);
    return rc < 0 ? rc : part.status;
}

int reader_read_pages(const struct reader *reader, uint64_t address, void *buffer, size_t length, bool *absent)
{
    size_t pages = (length + AV_PAGE_SIZE - 1) / AV_PAGE_SIZE;
    int rc = reader_read(reader, address, buffer, length);

    memset(absent, 0, pages * sizeof(*absent));
    if ( !rc || rc == -ETIME )
        return rc;
    for ( size_t i = 0; i < pages; i++ )
    {
        size_t at = i * AV_PAGE_SIZE, left = length - at;

        rc = reader_read(reader, address + at, (uint8_t *)buffer + at, left < AV_PAGE_SIZE ? left : AV_PAGE_SIZE);
        if ( rc == -ETIME )
            return rc;
        absent[i] = rc;
    }
    return 0;
}

int reader_read_u32(const struct reader *reader, uint64_t address, uint32_t *out)
{
    return reader_read(reader, address, out, sizeof(*out));
}

int reader_read_u64(const struct reader *reader, uint64_t address, uint64_t *out)
{
    return reader_read(reader, address, out, sizeof(*out));
}

int reader_translate(const struct reader *reader, uint64_t address, struct av_mapping *out)
{
    out->size = sizeof(*out);
    return reader->host->translate(reader->call, reader->cr3, address, out);
}
