/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the readers of the kinds of images share. Only they include it.
 */
#ifndef AV_IMAGE_PRIVATE_H
#define AV_IMAGE_PRIVATE_H

#include "image.h"

/* Memory from `first` on, `bytes` of it, at `offset` of the file. In ascending order of first, without overlap. */
struct image_piece {
    uint64_t first, bytes, offset;
};

/* One frame of a list, in ascending order; the index counts AV_PAGE_SIZE from `offset` on. */
struct image_frame {
    uint64_t gfn, index;
};

struct image {
    int fd;
    uint64_t bytes;                     /* of the file when it was opened */
    const char *kind;
    struct memory memory;

    struct image_piece *pieces;
    size_t pieces_count;

    struct image_frame *frames;         /* xl dump-core */
    size_t frames_count;
    uint64_t frames_offset;

    struct av_registers *vcpus;
    uint32_t vcpus_count;
};

/* All of it: 0, -ENODATA beyond the end, or what pread() says. */
int image_pread(const struct image *image, uint64_t offset, void *buffer, uint64_t length);

/* Says why, and returns rc. */
int image_refuse(struct image_words *words, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Fills in pieces or frames, and vcpus. Sets kind. */
int image_read_elf(struct image *image, struct image_words *words);
/* Of an ELF core that has sections of Xen's: count section headers at `offset`, whose names are in section `names`. */
int image_read_xen(struct image *image, uint64_t offset, uint32_t count, uint32_t names, struct image_words *words);
/* A place for one more vCPU's registers; NULL: no memory, or too many. */
struct av_registers *image_add_vcpu(struct image *image);

/* Notes: name, type and description of one, cut out of `length` octets at *at. 0: there is none any more. */
struct image_note {
    const char *name;                   /* not terminated */
    uint32_t name_length, type, length;
    const unsigned char *bytes;
};
int image_next_note(const unsigned char *notes, size_t length, size_t *at, struct image_note *out);

#endif /* AV_IMAGE_PRIVATE_H */
