/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * image: a guest's memory in a file, hostile like the guest. Three kinds: raw (frame n at n * 4096), ELF core with program
 * headers (what QEMU, kdump and others write), and what `xl dump-core` writes, an ELF core whose sections hold frames
 * and their numbers. Nothing is mapped and nothing is read before it is asked for: a file may be cut while we read it.
 */
#ifndef AV_IMAGE_H
#define AV_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "memory.h"

/* vCPUs that are known of an image; a host of 128 has them. */
#define IMAGE_VCPUS_MAX     128u

/* Pieces of an ELF core: memory is in a few, or, with holes, in some thousands. */
#define IMAGE_PIECES_MAX    65536u

/* Sections of an `xl dump-core`: it has eight. */
#define IMAGE_SECTIONS_MAX  256u

/* Notes in front of everything: registers of all vCPUs, some hundred octets to five KiB each. */
#define IMAGE_NOTES_BYTES   (4u << 20)

/* Frames listed by number, 16 octets each here: 1 TiB of guest. */
#define IMAGE_FRAMES_MAX    (UINT64_C(1) << 28)

struct image;

/* A sentence for people. */
struct image_words {
    char text[AV_TEXT_BYTES];
};

/*
 * 0 and *out; -ENOEXEC: it begins like one of the kinds and then makes no sense; -EOPNOTSUPP: it is a kind that cannot be read (a PV
 * guest, 32-bit ELF, another byte order); -ENOMEM; what open() and read() say. Words say it for people.
 */
int  image_open(struct image **out, const char *path, struct image_words *words);
/* The same for a descriptor, which is the image's from then on, also after an error. */
int  image_open_fd(struct image **out, int fd, struct image_words *words);
void image_close(struct image *image);

/* Valid as long as the image is. */
const struct memory *image_memory(const struct image *image);
const char *image_kind(const struct image *image);      /* "raw", "ELF core", "xl dump-core" */

/* The next frame that is there, from `gfn` on; UINT64_MAX: none. */
uint64_t image_next(const struct image *image, uint64_t gfn);

uint32_t image_vcpus(const struct image *image);
/* 0, or -ENOENT. */
int image_registers(const struct image *image, uint32_t vcpu, struct av_registers *out);

#endif /* AV_IMAGE_H */
