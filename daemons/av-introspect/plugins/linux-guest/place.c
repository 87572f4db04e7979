/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each translation is a walk that ends, and the steps are bounded by the size of what is looked at. Which of its own
 * pages a kernel shows here is its own affair: the worst that it can do is not to be found.
 */
#include "place.h"

#include <errno.h>
#include <string.h>

/* The kernel is mapped in such steps, and small pages are mixed in where rights change. */
#define STEP          (UINT64_C(2) << 20)

#define PRESENT       1u
#define ADDRESS_MASK  UINT64_C(0x000ffffffffff000)

/* Of the tables' first and second level, for PLACE_FIRST. */
#define TOP_ENTRY     511u
#define NEXT_ENTRY    510u

/* A run of pages with the same rights. */
struct run {
    uint64_t first, end;
    uint32_t rights;
};

static void take_run(const struct run *run, struct place *out)
{
    uint64_t bytes = run->end - run->first;

    if ( run->rights & AV_MAPPING_WRITABLE || bytes < PLACE_PART_LEAST || bytes > PLACE_PART_MAX )
        return;
    /* Code comes first, and is the first; modules have theirs elsewhere. */
    if ( run->rights & AV_MAPPING_EXECUTABLE && !out->text )
    {
        out->text = run->first;
        out->text_end = run->end;
    }
    else if ( !(run->rights & AV_MAPPING_EXECUTABLE) && out->text && !out->rodata )
    {
        out->rodata = run->first;
        out->rodata_end = run->end;
    }
}

int place_find(const struct reader *reader, struct place *out)
{
    struct run run = { .rights = UINT32_MAX };
    uint64_t at = PLACE_FIRST, end = PLACE_LAST;
    bool found = false;
    int rc;

    memset(out, 0, sizeof(*out));
    while ( at < end && !out->rodata )
    {
        struct av_mapping mapping;
        uint64_t next;
        uint32_t rights;

        rc = reader_translate(reader, at, &mapping);
        if ( rc == -ETIME || rc == -ESRCH || rc == -EINVAL )
            return rc;
        if ( rc )
        {
            /* Holes inside are as small as a page: what was freed after the boot. */
            at += found ? AV_PAGE_SIZE : STEP;
            continue;
        }
        if ( !found )
        {
            found = true;
            end = at + PLACE_BYTES_MAX < end ? at + PLACE_BYTES_MAX : end;
        }
        next = mapping.virtual_start + mapping.bytes;
        rights = mapping.flags & (AV_MAPPING_WRITABLE | AV_MAPPING_EXECUTABLE);
        if ( next <= at || next > PLACE_LAST )
            next = PLACE_LAST;
        if ( rights != run.rights || at != run.end )
        {
            take_run(&run, out);
            run = (struct run){ .first = at, .rights = rights };
        }
        run.end = at = next;
    }
    if ( !out->rodata )
        take_run(&run, out);
    return !found ? -ENOENT : !out->rodata ? -EAGAIN : 0;
}

static int read_entry(const struct reader *reader, uint64_t table, unsigned int index, uint64_t *out)
{
    struct av_read part = {
        .size = sizeof(part), .address = table + index * sizeof(*out), .buffer = out, .length = sizeof(*out),
    };
    int rc = reader->host->read_physical(reader->call, &part, 1);

    return rc < 0 ? rc : part.status;
}

int place_search(struct reader *reader, uint64_t frames, struct place *out)
{
    for ( uint64_t frame = 1; frame < frames; frame++ )
    {
        uint64_t entry;
        int rc = read_entry(reader, frame * AV_PAGE_SIZE, TOP_ENTRY, &entry);

        if ( rc == -ETIME )
            return rc;
        /* Most frames end here. */
        if ( rc || !(entry & PRESENT) || (entry & ADDRESS_MASK) / AV_PAGE_SIZE >= frames || !(entry & ADDRESS_MASK) )
            continue;
        rc = read_entry(reader, entry & ADDRESS_MASK, NEXT_ENTRY, &entry);
        if ( rc || !(entry & PRESENT) || (entry & ADDRESS_MASK) / AV_PAGE_SIZE >= frames || !(entry & ADDRESS_MASK) )
            continue;
        reader->cr3 = frame * AV_PAGE_SIZE;
        rc = place_find(reader, out);
        if ( !rc || rc == -ETIME )
            return rc;
    }
    reader->cr3 = 0;
    return -ENOENT;
}
