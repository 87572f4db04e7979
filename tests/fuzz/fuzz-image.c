/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as an image of a guest: it is refused in words, or every frame that it says it has can be asked for, in order, and what it
 * says of vCPUs is bounded.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_TARGET "image"
#include "fuzz.h"

#include "daemons/av-introspect/image.h"

/* Of the frames of one input; more of the same. */
#define FRAMES_MOST 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("image", MFD_CLOEXEC), rc;
    unsigned char page[AV_PAGE_SIZE];
    struct image_words words;
    struct image *image;
    uint64_t gfn = 0;

    REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    rc = image_open_fd(&image, fd, &words);
    if ( rc )
    {
        REQUIRE(rc < 0 && !image && words.text[0]);
        REQUIRE(memchr(words.text, 0, sizeof(words.text)));
        return 0;
    }

    REQUIRE(image_kind(image) && image_vcpus(image) <= IMAGE_VCPUS_MAX);
    for ( uint32_t i = 0; i <= image_vcpus(image); i++ )
    {
        struct av_registers registers;

        REQUIRE(image_registers(image, i, &registers) == (i < image_vcpus(image) ? 0 : -ENOENT));
        REQUIRE(i == image_vcpus(image) || registers.vcpu == i);
    }
    for ( unsigned int i = 0; i < FRAMES_MOST; i++ )
    {
        const struct memory *memory = image_memory(image);
        uint64_t next = image_next(image, gfn);

        if ( next == UINT64_MAX )
            break;
        REQUIRE(next >= gfn && next < memory->frames);
        /* What lies beyond the file's end is an error, and never a wrong byte. */
        REQUIRE(memory->read(memory->opaque, next, page) <= 0);
        REQUIRE(memory->read(memory->opaque, memory->frames, page) == -ENXIO);
        gfn = next + 1;
    }
    image_close(image);
    return 0;
}
