/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `xl dump-core` writes: an ELF core of sections, described in Xen's docs/misc/dump-core-format.txt. Frames of an HVM or PVH
 * guest are in .xen_pages, in the order of the numbers in .xen_pfn; vCPUs are in .xen_prstatus, as Xen's public header
 * lays them out (checked by a test against that header).
 */
#include "image-private.h"
#include "image-xen.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Of the notes' section, whose name is "Xen" in each. */
#define NOTE_HEADER    0x2000001u       /* four 64-bit words: magic, vCPUs, pages, octets of a page */
#define MAGIC_HVM      0xf00febeeu
#define MAGIC_PV       0xf00febedu

/* Names of sections, as far as they are looked at. */
#define NAME_BYTES     16u

enum part { PART_NOTES, PART_VCPUS, PART_NUMBERS, PART_P2M, PART_PAGES, PARTS };
static const char *const names_of[PARTS] = { ".note.Xen", ".xen_prstatus", ".xen_pfn", ".xen_p2m", ".xen_pages" };

struct part_place {
    bool there;
    uint64_t offset, bytes;
};

static uint64_t word(const unsigned char *bytes)
{
    uint64_t out;

    memcpy(&out, bytes, sizeof(out));
    return out;
}

static int find_parts(const struct image *image, uint64_t offset, uint32_t count, uint32_t names,
                      struct part_place places[PARTS])
{
    Elf64_Shdr strings, header;

    if ( names >= count || offset > image->bytes ||
         image_pread(image, offset + (uint64_t)names * sizeof(strings), &strings, sizeof(strings)) )
        return -ENOEXEC;
    for ( uint32_t i = 0; i < count; i++ )
    {
        char name[NAME_BYTES] = { 0 };
        uint64_t left;

        if ( image_pread(image, offset + (uint64_t)i * sizeof(header), &header, sizeof(header)) )
            return -ENOEXEC;
        if ( header.sh_name >= strings.sh_size || strings.sh_offset > image->bytes - header.sh_name )
            continue;
        left = image->bytes - strings.sh_offset - header.sh_name;
        if ( image_pread(image, strings.sh_offset + header.sh_name, name, left < NAME_BYTES - 1 ? left : NAME_BYTES - 1) )
            continue;
        for ( unsigned int p = 0; p < PARTS; p++ )
            if ( !strcmp(name, names_of[p]) && !places[p].there )
                places[p] = (struct part_place){ true, header.sh_offset, header.sh_size };
    }
    return 0;
}

static int read_header(const struct image *image, const struct part_place *place, uint64_t header[4])
{
    unsigned char bytes[512];
    size_t at = 0, length = place->bytes < sizeof(bytes) ? place->bytes : sizeof(bytes);
    struct image_note note;

    if ( image_pread(image, place->offset, bytes, length) )
        return -ENOEXEC;
    while ( image_next_note(bytes, length, &at, &note) )
    {
        if ( note.type != NOTE_HEADER || note.name_length != sizeof("Xen") || memcmp(note.name, "Xen", sizeof("Xen")) ||
             note.length < 4 * sizeof(*header) )
            continue;
        memcpy(header, note.bytes, 4 * sizeof(*header));
        return 0;
    }
    return -ENOEXEC;
}

/* A vCPU that was never up has zeros, cr0 among them; it counts, as it has its number. */
static int read_vcpus(struct image *image, const struct part_place *place, uint64_t count)
{
    /* Where each of ours is among Xen's: rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
    static const unsigned short order[16] = {
        XEN_RAX, XEN_RCX, XEN_RDX, XEN_RBX, XEN_RSP, XEN_RBP, XEN_RSI, XEN_RDI,
        XEN_R8, XEN_R8 - 8, XEN_R8 - 16, XEN_R8 - 24, XEN_R12, XEN_R12 - 8, XEN_R12 - 16, XEN_R12 - 24,
    };
    static unsigned char bytes[XEN_VCPU_BYTES];

    if ( count > place->bytes / XEN_VCPU_BYTES )
        count = place->bytes / XEN_VCPU_BYTES;
    for ( uint64_t i = 0; i < count && i < IMAGE_VCPUS_MAX; i++ )
    {
        struct av_registers *r;

        if ( image_pread(image, place->offset + i * XEN_VCPU_BYTES, bytes, sizeof(bytes)) )
            return -ENOEXEC;
        r = image_add_vcpu(image);
        if ( !r )
            return -ENOMEM;
        r->known = AV_REGISTER_GPR | AV_REGISTER_CONTROL | AV_REGISTER_BASES;
        for ( unsigned int g = 0; g < 16; g++ )
            r->gpr[g] = word(bytes + order[g]);
        r->rip = word(bytes + XEN_RIP);
        r->rflags = word(bytes + XEN_RFLAGS);
        r->cr0 = word(bytes + XEN_CONTROL);
        r->cr3 = word(bytes + XEN_CONTROL + 24);
        r->cr4 = word(bytes + XEN_CONTROL + 32);
        r->fs_base = word(bytes + XEN_FS_BASE);
        r->gs_base = word(bytes + XEN_GS_BASE_USER);
        r->shadow_gs = word(bytes + XEN_GS_BASE_KERNEL);
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct image_frame *x = a, *y = b;

    return x->gfn < y->gfn ? -1 : x->gfn > y->gfn ? 1 : x->index < y->index ? -1 : x->index > y->index;
}

static int read_numbers(struct image *image, const struct part_place *numbers, const struct part_place *pages)
{
    uint64_t count = numbers->bytes / 8, there = pages->bytes / AV_PAGE_SIZE, chunk[512];
    size_t kept = 0;

    if ( numbers->offset > image->bytes || pages->offset > image->bytes )
        return -ENOEXEC;
    /* No more than the file has: a number in a header costs nothing, memory does. */
    if ( count > (image->bytes - numbers->offset) / 8 )
        count = (image->bytes - numbers->offset) / 8;
    if ( there > (image->bytes - pages->offset) / AV_PAGE_SIZE )
        there = (image->bytes - pages->offset) / AV_PAGE_SIZE;
    if ( count > there )
        count = there;
    if ( !count || count > IMAGE_FRAMES_MAX )
        return -ENOEXEC;
    image->frames = malloc(count * sizeof(*image->frames));
    if ( !image->frames )
        return -ENOMEM;

    for ( uint64_t at = 0; at < count; at += sizeof(chunk) / sizeof(chunk[0]) )
    {
        uint64_t part = count - at < sizeof(chunk) / sizeof(chunk[0]) ? count - at : sizeof(chunk) / sizeof(chunk[0]);

        if ( image_pread(image, numbers->offset + at * 8, chunk, part * 8) )
            return -ENOEXEC;
        for ( uint64_t i = 0; i < part; i++ )
            /* A frame number is 40 bits; ~0 marks a page that went away while it was dumped. */
            if ( chunk[i] < UINT64_C(1) << 40 )
                image->frames[kept++] = (struct image_frame){ chunk[i], at + i };
    }
    qsort(image->frames, kept, sizeof(*image->frames), by_number);
    image->frames_count = 0;
    for ( size_t i = 0; i < kept; i++ )
        if ( !image->frames_count || image->frames[image->frames_count - 1].gfn != image->frames[i].gfn )
            image->frames[image->frames_count++] = image->frames[i];
    image->frames_offset = pages->offset;
    return image->frames_count ? 0 : -ENOEXEC;
}

int image_read_xen(struct image *image, uint64_t offset, uint32_t count, uint32_t names, struct image_words *words)
{
    struct part_place places[PARTS] = { 0 };
    uint64_t header[4] = { 0 };
    int rc = find_parts(image, offset, count, names, places);

    if ( rc )
        return image_refuse(words, rc, "its section headers lie beyond its end");
    if ( !places[PART_NOTES].there || read_header(image, &places[PART_NOTES], header) )
        return image_refuse(words, -ENOEXEC, "it has sections, but not those of 'xl dump-core'");
    if ( header[0] == MAGIC_PV || (places[PART_P2M].there && !places[PART_NUMBERS].there) )
        return image_refuse(words, -EOPNOTSUPP, "it is of a PV guest; only those of PVH and HVM guests can be read");
    if ( header[0] != MAGIC_HVM || header[3] != AV_PAGE_SIZE )
        return image_refuse(words, -ENOEXEC, "its header has a magic or a page size that nobody knows");
    if ( !places[PART_NUMBERS].there || !places[PART_PAGES].there )
        return image_refuse(words, -ENOEXEC, "its pages, or their numbers, are missing");
    rc = read_numbers(image, &places[PART_NUMBERS], &places[PART_PAGES]);
    if ( rc )
        return image_refuse(words, rc, rc == -ENOMEM ? "no memory" : "its pages lie beyond its end, or have no numbers");
    image->kind = "xl dump-core";
    if ( !places[PART_VCPUS].there )
        return 0;
    rc = read_vcpus(image, &places[PART_VCPUS], header[1]);
    return rc ? image_refuse(words, rc, "its vCPUs cannot be read") : 0;
}
