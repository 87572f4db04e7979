/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ELF cores: headers, program headers and notes. Memory is what PT_LOAD segments say of physical addresses; registers come from
 * the notes that QEMU writes for each vCPU. One that has Xen's sections is handed to image-xen.c.
 */
#include "image-private.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* QEMU's note, as target/i386/arch_dump.c of QEMU 8 has it: version and size, then these at fixed places. */
#define QEMU_NOTE      "QEMU"
#define QEMU_VERSION   1u
#define QEMU_BYTES     440u
#define QEMU_GPR       8u       /* rax rbx rcx rdx rsi rdi rsp rbp r8..r15 rip rflags */
#define QEMU_SEGMENTS  152u     /* cs ds es fs gs ss ldt tr gdt idt: selector, limit, flags, pad: 4 each; base: 8 */
#define QEMU_SEGMENT   24u
#define QEMU_CONTROL   392u     /* cr0 .. cr4 */
#define QEMU_KERNEL_GS 432u

int image_next_note(const unsigned char *notes, size_t length, size_t *at, struct image_note *out)
{
    Elf64_Nhdr header;
    size_t left, name, bytes;

    if ( *at > length || length - *at < sizeof(header) )
        return 0;
    memcpy(&header, notes + *at, sizeof(header));
    left = length - *at - sizeof(header);
    /* Both are padded to four; in 64 bits it cannot wrap. */
    name = ((size_t)header.n_namesz + 3) & ~(size_t)3;
    bytes = ((size_t)header.n_descsz + 3) & ~(size_t)3;
    if ( name > left || header.n_descsz > left - name )
        return 0;
    out->name = (const char *)notes + *at + sizeof(header);
    out->name_length = header.n_namesz;
    out->type = header.n_type;
    out->length = header.n_descsz;
    out->bytes = notes + *at + sizeof(header) + name;
    *at += sizeof(header) + name + (bytes > left - name ? left - name : bytes);
    return 1;
}

static uint64_t word(const unsigned char *bytes)
{
    uint64_t out;

    memcpy(&out, bytes, sizeof(out));
    return out;
}

static int take_qemu(struct image *image, const struct image_note *note)
{
    /* Where each of ours is among QEMU's: rax rcx rdx rbx rsp rbp rsi rdi. */
    static const unsigned char order[8] = { 0, 2, 3, 1, 6, 7, 4, 5 };
    const unsigned char *b = note->bytes;
    struct av_registers *r;
    uint32_t version;

    if ( note->length < QEMU_BYTES )
        return 0;
    memcpy(&version, b, sizeof(version));
    if ( version != QEMU_VERSION )
        return 0;
    r = image_add_vcpu(image);
    if ( !r )
        return -ENOMEM;
    r->known = AV_REGISTER_GPR | AV_REGISTER_CONTROL | AV_REGISTER_TABLES | AV_REGISTER_BASES;
    for ( unsigned int i = 0; i < 16; i++ )
        r->gpr[i] = word(b + QEMU_GPR + 8 * (i < 8 ? order[i] : i));
    r->rip = word(b + QEMU_GPR + 8 * 16);
    r->rflags = word(b + QEMU_GPR + 8 * 17);
    r->fs_base = word(b + QEMU_SEGMENTS + 3 * QEMU_SEGMENT + 16);
    r->gs_base = word(b + QEMU_SEGMENTS + 4 * QEMU_SEGMENT + 16);
    memcpy(&r->gdt_limit, b + QEMU_SEGMENTS + 8 * QEMU_SEGMENT + 4, 4);
    r->gdt_base = word(b + QEMU_SEGMENTS + 8 * QEMU_SEGMENT + 16);
    memcpy(&r->idt_limit, b + QEMU_SEGMENTS + 9 * QEMU_SEGMENT + 4, 4);
    r->idt_base = word(b + QEMU_SEGMENTS + 9 * QEMU_SEGMENT + 16);
    r->cr0 = word(b + QEMU_CONTROL);
    r->cr3 = word(b + QEMU_CONTROL + 24);
    r->cr4 = word(b + QEMU_CONTROL + 32);
    r->shadow_gs = word(b + QEMU_KERNEL_GS);
    return 0;
}

static int read_notes(struct image *image, const Elf64_Phdr *header, struct image_words *words)
{
    struct image_note note;
    unsigned char *notes;
    size_t at = 0;
    int rc;

    if ( header->p_filesz > IMAGE_NOTES_BYTES )
        return image_refuse(words, -ENOEXEC, "its notes have %llu octets, more than any core has",
                            (unsigned long long)header->p_filesz);
    notes = malloc(header->p_filesz ? header->p_filesz : 1);
    if ( !notes )
        return -ENOMEM;
    rc = image_pread(image, header->p_offset, notes, header->p_filesz);
    while ( !rc && image->vcpus_count < IMAGE_VCPUS_MAX && image_next_note(notes, header->p_filesz, &at, &note) )
        if ( note.name_length == sizeof(QEMU_NOTE) && !memcmp(note.name, QEMU_NOTE, sizeof(QEMU_NOTE)) )
            rc = take_qemu(image, &note);
    free(notes);
    return rc == -ENODATA ? image_refuse(words, -ENOEXEC, "its notes lie beyond its end") : rc;
}

static int by_address(const void *a, const void *b)
{
    const struct image_piece *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* What lies beyond the file's end is not there; what overlaps what was before begins behind it. */
static size_t tidy(const struct image *image, struct image_piece *pieces, size_t count)
{
    uint64_t end = 0;
    size_t kept = 0;

    qsort(pieces, count, sizeof(*pieces), by_address);
    for ( size_t i = 0; i < count; i++ )
    {
        struct image_piece p = pieces[i];

        if ( p.offset >= image->bytes )
            continue;
        if ( p.bytes > image->bytes - p.offset )
            p.bytes = image->bytes - p.offset;
        if ( p.bytes > UINT64_MAX - p.first )
            p.bytes = UINT64_MAX - p.first;
        if ( p.first < end )
        {
            uint64_t cut = end - p.first;

            if ( cut >= p.bytes )
                continue;
            p.first += cut;
            p.offset += cut;
            p.bytes -= cut;
        }
        if ( !p.bytes )
            continue;
        end = p.first + p.bytes;
        pieces[kept++] = p;
    }
    return kept;
}

static int read_segments(struct image *image, const Elf64_Ehdr *elf, uint32_t count, struct image_words *words)
{
    int rc = 0;

    if ( elf->e_phentsize != sizeof(Elf64_Phdr) || count > IMAGE_PIECES_MAX )
        return image_refuse(words, -ENOEXEC, "its program headers make no sense (%u of %u octets)", count, elf->e_phentsize);
    image->pieces = calloc(count ? count : 1, sizeof(*image->pieces));
    if ( !image->pieces )
        return -ENOMEM;

    for ( uint32_t i = 0; i < count && !rc; i++ )
    {
        Elf64_Phdr header;

        if ( elf->e_phoff > UINT64_MAX - (uint64_t)i * sizeof(header) )
            return image_refuse(words, -ENOEXEC, "its program headers lie beyond its end");
        rc = image_pread(image, elf->e_phoff + (uint64_t)i * sizeof(header), &header, sizeof(header));
        if ( rc )
            return image_refuse(words, -ENOEXEC, "its program headers lie beyond its end");
        if ( header.p_type == PT_LOAD && header.p_filesz )
            image->pieces[image->pieces_count++] =
                (struct image_piece){ header.p_paddr, header.p_filesz, header.p_offset };
        else if ( header.p_type == PT_NOTE )
            rc = read_notes(image, &header, words);
    }
    if ( rc )
        return rc;
    image->kind = "ELF core";
    image->pieces_count = tidy(image, image->pieces, image->pieces_count);
    return image->pieces_count ? 0 : image_refuse(words, -ENOEXEC, "it has no memory in it");
}

/* Where there are more than the 16 bits of the header hold, the first section has the number (sh_info). */
static int read_counts(const struct image *image, const Elf64_Ehdr *elf, uint32_t *segments, uint32_t *sections)
{
    Elf64_Shdr first;

    *segments = elf->e_phnum;
    *sections = elf->e_shnum;
    if ( elf->e_phnum != PN_XNUM )
        return 0;
    if ( !elf->e_shoff || image_pread(image, elf->e_shoff, &first, sizeof(first)) )
        return -ENOEXEC;
    *segments = first.sh_info;
    return 0;
}

int image_read_elf(struct image *image, struct image_words *words)
{
    uint32_t segments, sections;
    Elf64_Ehdr elf;

    if ( image_pread(image, 0, &elf, sizeof(elf)) )
        return image_refuse(words, -ENOEXEC, "it ends in its ELF header");
    if ( elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_machine != EM_X86_64 )
        return image_refuse(words, -EOPNOTSUPP, "it is not a 64-bit x86 ELF core");
    if ( elf.e_type != ET_CORE )
        return image_refuse(words, -EOPNOTSUPP, "it is an ELF file, but no core (a program?)");
    if ( read_counts(image, &elf, &segments, &sections) )
        return image_refuse(words, -ENOEXEC, "the number of its program headers is missing");

    /* xl writes sections only. */
    if ( !segments && sections )
    {
        if ( elf.e_shentsize != sizeof(Elf64_Shdr) || sections > IMAGE_SECTIONS_MAX )
            return image_refuse(words, -ENOEXEC, "its section headers make no sense (%u of %u octets)", sections,
                                elf.e_shentsize);
        return image_read_xen(image, elf.e_shoff, sections, elf.e_shstrndx, words);
    }
    return read_segments(image, &elf, segments, words);
}
