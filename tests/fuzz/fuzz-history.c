/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A history file that somebody else wrote.  The input is the file; so that a fuzzer gets past the checksums, it is
 * read a second time with all of them made right.
 */
#define FUZZ_TARGET "history"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include <xxhash.h>

#include "lib/daemon/history-private.h"

static void read_it(const void *bytes, size_t size)
{
    char error[HISTORY_ERROR_BYTES] = "";
    struct history_view view;
    int rc = history_view_parse(&view, bytes, size, error);

    if ( rc )
    {
        REQUIRE(rc == -EBADMSG || rc == -ENOMEM);
        REQUIRE(error[0] && !view.samples && !view.count);
        /* The words go to a terminal. */
        for ( const char *c = error; *c; c++ )
            REQUIRE(*c >= ' ' && *c <= '~');
        return;
    }
    REQUIRE(view.figures >= 1 && view.figures <= HISTORY_FIGURES && view.period);
    REQUIRE(view.count + view.damaged <= view.capacity);
    for ( size_t i = 0; i < view.figures; i++ )
    {
        REQUIRE(memchr(view.names[i], 0, HISTORY_NAME_BYTES) && history_view_find(&view, view.names[i]) >= 0);
        for ( const char *c = view.names[i]; *c; c++ )
            REQUIRE((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_');
    }
    for ( size_t i = 1; i < view.count; i++ )
        REQUIRE(view.samples[i - 1].sequence < view.samples[i].sequence);
    history_view_close(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    read_it(data, size);
    if ( size < sizeof(struct history_header) )
        return 0;
    copy = malloc(size);
    REQUIRE(copy);
    memcpy(copy, data, size);
    ((struct history_header *)copy)->check = history_header_check((struct history_header *)copy);
    for ( size_t at = sizeof(struct history_header); at + sizeof(struct history_record) <= size;
          at += sizeof(struct history_record) )
    {
        struct history_record *record = (struct history_record *)(copy + at);

        record->check = history_record_check(record);
    }
    read_it(copy, size);
    free(copy);
    return 0;
}
