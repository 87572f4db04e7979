/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opening an image, the raw kind, and reading frames of any kind. What an ELF file says is read in image-elf.c and
 * image-xen.c.
 */
#include "image-private.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int image_refuse(struct image_words *words, int rc, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(words->text, sizeof(words->text), fmt, args);
    va_end(args);
    return rc;
}

int image_pread(const struct image *image, uint64_t offset, void *buffer, uint64_t length)
{
    uint64_t at = 0;

    if ( offset > image->bytes || length > image->bytes - offset )
        return -ENODATA;
    while ( at < length )
    {
        ssize_t n = pread(image->fd, (unsigned char *)buffer + at, length - at, offset + at);

        if ( n < 0 && errno == EINTR )
            continue;
        if ( n < 0 )
            return -errno;
        /* It was cut since. */
        if ( !n )
            return -ENODATA;
        at += n;
    }
    return 0;
}

struct av_registers *image_add_vcpu(struct image *image)
{
    struct av_registers *more;

    if ( image->vcpus_count == IMAGE_VCPUS_MAX )
        return NULL;
    more = realloc(image->vcpus, (image->vcpus_count + 1) * sizeof(*more));
    if ( !more )
        return NULL;
    image->vcpus = more;
    more += image->vcpus_count;
    memset(more, 0, sizeof(*more));
    more->size = sizeof(*more);
    more->vcpu = image->vcpus_count++;
    return more;
}

/* The piece or frame that holds `gfn`, or the next one after it; the count if there is none. */
static size_t locate_frame(const struct image *image, uint64_t gfn)
{
    size_t low = 0, high = image->frames_count;

    while ( low < high )
    {
        size_t middle = low + (high - low) / 2;

        if ( image->frames[middle].gfn < gfn )
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t locate_piece(const struct image *image, uint64_t address)
{
    size_t low = 0, high = image->pieces_count;

    while ( low < high )
    {
        size_t middle = low + (high - low) / 2;

        if ( image->pieces[middle].first + image->pieces[middle].bytes <= address )
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t image_next(const struct image *image, uint64_t gfn)
{
    uint64_t address = gfn * AV_PAGE_SIZE;
    size_t i;

    if ( gfn >= image->memory.frames )
        return UINT64_MAX;
    if ( image->frames )
    {
        i = locate_frame(image, gfn);
        return i < image->frames_count ? image->frames[i].gfn : UINT64_MAX;
    }
    /* A piece may begin or end in the middle of a frame, which then counts. */
    for ( i = locate_piece(image, address); i < image->pieces_count; i++ )
        return image->pieces[i].first <= address ? gfn : image->pieces[i].first / AV_PAGE_SIZE;
    return UINT64_MAX;
}

static int read_frame(void *opaque, uint64_t gfn, void *page)
{
    const struct image *image = opaque;
    uint64_t address = gfn * AV_PAGE_SIZE;
    bool found = false;

    if ( gfn >= image->memory.frames )
        return -ENXIO;
    if ( image->frames )
    {
        size_t i = locate_frame(image, gfn);

        if ( i == image->frames_count || image->frames[i].gfn != gfn )
            return -ENXIO;
        return image_pread(image, image->frames_offset + image->frames[i].index * AV_PAGE_SIZE, page, AV_PAGE_SIZE);
    }

    memset(page, 0, AV_PAGE_SIZE);
    for ( size_t i = locate_piece(image, address); i < image->pieces_count; i++ )
    {
        const struct image_piece *piece = &image->pieces[i];
        uint64_t from = piece->first > address ? piece->first : address;
        uint64_t to = piece->first + piece->bytes;
        int rc;

        if ( to > address + AV_PAGE_SIZE )
            to = address + AV_PAGE_SIZE;
        if ( from >= to )
            break;
        rc = image_pread(image, piece->offset + (from - piece->first), (unsigned char *)page + (from - address), to - from);
        if ( rc )
            return rc;
        found = true;
    }
    return found ? 0 : -ENXIO;
}

static int read_raw(struct image *image, struct image_words *words)
{
    image->kind = "raw";
    image->pieces = calloc(1, sizeof(*image->pieces));
    if ( !image->pieces )
        return image_refuse(words, -ENOMEM, "no memory");
    image->pieces[0] = (struct image_piece){ 0, image->bytes, 0 };
    image->pieces_count = 1;
    return 0;
}

/* Frames are numbered up to the last that is there. */
static void count_frames(struct image *image)
{
    uint64_t end = 0;

    if ( image->frames_count )
        end = image->frames[image->frames_count - 1].gfn + 1;
    else if ( image->pieces_count )
    {
        const struct image_piece *last = &image->pieces[image->pieces_count - 1];

        end = (last->first + last->bytes - 1) / AV_PAGE_SIZE + 1;
    }
    image->memory = (struct memory){ image, read_frame, end, NULL };
}

int image_open_fd(struct image **out, int fd, struct image_words *words)
{
    struct image *image = calloc(1, sizeof(*image));
    unsigned char magic[SELFMAG];
    struct stat st;
    off_t size;
    int rc;

    *out = NULL;
    words->text[0] = 0;
    if ( !image )
    {
        close(fd);
        return image_refuse(words, -ENOMEM, "no memory");
    }
    image->fd = fd;
    if ( fstat(fd, &st) )
    {
        rc = image_refuse(words, -errno, "%s", strerror(errno));
        goto fail;
    }
    /* A disk's partition is an image as well; a pipe is none. */
    size = lseek(fd, 0, SEEK_END);
    if ( size < 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) )
    {
        rc = image_refuse(words, -EOPNOTSUPP, "it is neither a file nor a block device");
        goto fail;
    }
    image->bytes = size;
    if ( !size )
    {
        rc = image_refuse(words, -ENOEXEC, "it is empty");
        goto fail;
    }
    rc = image_pread(image, 0, magic, sizeof(magic));
    if ( !rc && !memcmp(magic, ELFMAG, SELFMAG) )
        rc = image_read_elf(image, words);
    else if ( !rc || rc == -ENODATA )
        rc = read_raw(image, words);
    if ( rc )
        goto fail;
    count_frames(image);
    *out = image;
    return 0;

 fail:
    if ( !words->text[0] )
        image_refuse(words, rc, "%s", strerror(-rc));
    image_close(image);
    return rc;
}

int image_open(struct image **out, const char *path, struct image_words *words)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    *out = NULL;
    if ( fd < 0 )
        return image_refuse(words, -errno, "%s", strerror(errno));
    return image_open_fd(out, fd, words);
}

void image_close(struct image *image)
{
    if ( !image )
        return;
    free(image->pieces);
    free(image->frames);
    free(image->vcpus);
    if ( image->fd >= 0 )
        close(image->fd);
    free(image);
}

const struct memory *image_memory(const struct image *image)
{
    return &image->memory;
}

const char *image_kind(const struct image *image)
{
    return image->kind;
}

uint32_t image_vcpus(const struct image *image)
{
    return image->vcpus_count;
}

int image_registers(const struct image *image, uint32_t vcpu, struct av_registers *out)
{
    if ( vcpu >= image->vcpus_count )
        return -ENOENT;
    *out = image->vcpus[vcpu];
    return 0;
}
