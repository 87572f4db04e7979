/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The history's reader: what is in the file is checked here, also for the daemon that goes on with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "history-private.h"

#define BYTES_MAX  (sizeof(struct history_header) + (uint64_t)HISTORY_CAPACITY_MAX * sizeof(struct history_record))

uint64_t history_header_check(const struct history_header *header)
{
    return XXH64(header, offsetof(struct history_header, check), 0);
}

uint64_t history_record_check(const struct history_record *record)
{
    return XXH64(record, offsetof(struct history_record, check), 0);
}

static int __attribute__((format(printf, 2, 3))) complain(char *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if ( error )
        vsnprintf(error, HISTORY_ERROR_BYTES, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

static bool is_name(const char name[HISTORY_NAME_BYTES])
{
    size_t length = strnlen(name, HISTORY_NAME_BYTES);

    if ( !length || length == HISTORY_NAME_BYTES || name[0] < 'a' || name[0] > 'z' )
        return false;
    for ( size_t i = 0; i < HISTORY_NAME_BYTES; i++ )
        if ( i < length ? !memchr("abcdefghijklmnopqrstuvwxyz0123456789_", name[i], 37) : name[i] )
            return false;
    return true;
}

int history_check_header(const struct history_header *header, size_t length, char *error)
{
    if ( length < sizeof(*header) )
        return complain(error, "it is cut off: %zu bytes are less than its header", length);
    if ( memcmp(header->magic, HISTORY_MAGIC, sizeof(header->magic)) )
        return complain(error, "it is no history, or one of another version");
    if ( header->check != history_header_check(header) )
        return complain(error, "its header is damaged: the checksum is wrong");
    if ( !header->capacity || header->capacity > HISTORY_CAPACITY_MAX || !header->period ||
         !header->figures || header->figures > HISTORY_FIGURES )
        return complain(error, "its header makes no sense: %" PRIu32 " samples of %" PRIu32 " figures every %" PRIu32
                        " s", header->capacity, header->figures, header->period);
    for ( uint32_t i = 0; i < header->figures; i++ )
        if ( !is_name(header->names[i]) )
            return complain(error, "its header makes no sense: the name of figure %" PRIu32, i + 1);
    if ( length != sizeof(*header) + (uint64_t)header->capacity * sizeof(struct history_record) )
        return complain(error, "its size is wrong: %zu bytes for %" PRIu32 " samples", length, header->capacity);
    return 0;
}

static int by_sequence(const void *a, const void *b)
{
    const struct history_sample *x = a, *y = b;

    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int take_samples(struct history_view *view, const char *bytes)
{
    view->samples = calloc(view->capacity, sizeof(*view->samples));
    if ( !view->samples )
        return -ENOMEM;
    for ( uint32_t i = 0; i < view->capacity; i++ )
    {
        static const struct history_record unwritten;
        struct history_record record;

        memcpy(&record, bytes + (uint64_t)i * sizeof(record), sizeof(record));
        if ( !memcmp(&record, &unwritten, sizeof(record)) )
            continue;
        /* A sample that is being written while we read is as good as damaged, and as little harm. */
        if ( !record.sequence || (record.sequence - 1) % view->capacity != i ||
             record.check != history_record_check(&record) )
        {
            view->damaged++;
            continue;
        }
        view->samples[view->count].sequence = record.sequence;
        view->samples[view->count].time = record.time;
        memcpy(view->samples[view->count].values, record.values, sizeof(record.values));
        view->count++;
    }
    qsort(view->samples, view->count, sizeof(*view->samples), by_sequence);
    return 0;
}

int history_view_parse(struct history_view *view, const void *bytes, size_t length, char *error)
{
    struct history_header header = { 0 };
    int rc;

    *view = (struct history_view){ 0 };
    memcpy(&header, bytes, length < sizeof(header) ? length : sizeof(header));
    rc = history_check_header(&header, length, error);
    if ( rc )
        return rc;
    view->capacity = header.capacity;
    view->period = header.period;
    view->figures = header.figures;
    memcpy(view->names, header.names, sizeof(view->names));
    rc = take_samples(view, (const char *)bytes + sizeof(header));
    if ( rc )
        complain(error, "there is no memory for its samples");
    else if ( view->damaged && !view->count )
        rc = complain(error, "all its samples are damaged");
    if ( rc )
        history_view_close(view);
    return rc;
}

int history_view_open(struct history_view *view, const char *path, char *error)
{
    /* Not blocking: somebody may have put a pipe there. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
    struct stat about;
    size_t length = 0;
    char *bytes = NULL;

    *view = (struct history_view){ 0 };
    if ( fd < 0 || fstat(fd, &about) )
        rc = -errno;
    else if ( !S_ISREG(about.st_mode) || (uint64_t)about.st_size > BYTES_MAX )
        rc = complain(error, S_ISREG(about.st_mode) ? "it is larger than any history" : "it is not a file");
    else if ( !(bytes = malloc(about.st_size + 1)) )
        rc = -ENOMEM;
    if ( rc && rc != -EBADMSG )
        complain(error, "%s", strerror(-rc));
    while ( !rc && length < (size_t)about.st_size )
    {
        ssize_t n = pread(fd, bytes + length, about.st_size - length, length);

        if ( n < 0 && errno != EINTR )
        {
            rc = -errno;
            complain(error, "%s", strerror(-rc));
        }
        if ( !n )
            break;
        length += n > 0 ? n : 0;
    }
    if ( fd >= 0 )
        close(fd);
    if ( !rc )
        rc = history_view_parse(view, bytes, length, error);
    free(bytes);
    return rc;
}

void history_view_close(struct history_view *view)
{
    free(view->samples);
    *view = (struct history_view){ 0 };
}

int history_view_find(const struct history_view *view, const char *name)
{
    for ( size_t i = 0; i < view->figures; i++ )
        if ( !strcmp(view->names[i], name) )
            return i;
    return -ENOENT;
}
