/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images of each kind, made here: frames, holes, registers; and those that are cut, lie, or are something else.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* The layout that image-xen.h says it is. */
#include <xen/xen.h>

#include "daemons/av-introspect/image-xen.h"
#include "daemons/av-introspect/image.h"

static unsigned char file[1 << 20];
static size_t file_bytes;
static struct image_words words;

static int open_file(struct image **out)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    assert_int_equal(write(fd, file, file_bytes), file_bytes);
    return image_open_fd(out, fd, &words);
}

static void put(size_t offset, const void *bytes, size_t length)
{
    assert_in_range(offset + length, 0, sizeof(file));
    memcpy(file + offset, bytes, length);
    if ( file_bytes < offset + length )
        file_bytes = offset + length;
}

static int clear(void **state)
{
    (void)state;
    memset(file, 0, sizeof(file));
    file_bytes = 0;
    return 0;
}

static void expect_frame(const struct image *image, uint64_t gfn, unsigned char first, unsigned char last)
{
    const struct memory *memory = image_memory(image);
    unsigned char page[AV_PAGE_SIZE];

    assert_int_equal(memory->read(memory->opaque, gfn, page), 0);
    assert_int_equal(page[0], first);
    assert_int_equal(page[AV_PAGE_SIZE - 1], last);
}

static void expect_none(const struct image *image, uint64_t gfn)
{
    const struct memory *memory = image_memory(image);
    unsigned char page[AV_PAGE_SIZE];

    assert_int_equal(memory->read(memory->opaque, gfn, page), -ENXIO);
}

static void raw(void **state)
{
    struct image *image;

    (void)state;
    memset(file, 'a', 4096);
    memset(file + 4096, 'b', 4096);
    memset(file + 8192, 'c', 100);
    file_bytes = 8292;
    assert_int_equal(open_file(&image), 0);
    assert_string_equal(image_kind(image), "raw");
    assert_int_equal(image_memory(image)->frames, 3);
    expect_frame(image, 0, 'a', 'a');
    expect_frame(image, 1, 'b', 'b');
    expect_frame(image, 2, 'c', 0);
    expect_none(image, 3);
    expect_none(image, UINT64_MAX);
    assert_int_equal(image_next(image, 2), 2);
    assert_int_equal(image_next(image, 3), UINT64_MAX);
    assert_int_equal(image_vcpus(image), 0);
    image_close(image);
}

static void put_elf(unsigned int segments, unsigned int sections)
{
    const Elf64_Ehdr header = {
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
        .e_phoff = segments ? 64 : 0, .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = segments,
        .e_shoff = sections ? 64 : 0, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = sections,
    };

    put(0, &header, sizeof(header));
}

static void put_segment(unsigned int i, uint32_t type, uint64_t address, uint64_t offset, uint64_t bytes)
{
    const Elf64_Phdr header = { .p_type = type, .p_paddr = address, .p_offset = offset, .p_filesz = bytes };

    put(64 + i * sizeof(header), &header, sizeof(header));
}

static void elf_core(void **state)
{
    struct { Elf64_Nhdr header; char name[8]; unsigned char bytes[440]; } note = {
        .header = { 5, 440, 0 }, .name = "QEMU",
    };
    struct av_registers registers;
    struct image *image;

    (void)state;
    put_elf(4, 0);
    /* Not in order, one of them less than a page, two that overlap. */
    put_segment(0, PT_LOAD, 0x100000, 0x3000, 0x2000);
    put_segment(1, PT_NOTE, 0, 0x1000, sizeof(note));
    put_segment(2, PT_LOAD, 0x1800, 0x6000, 0x800);
    put_segment(3, PT_LOAD, 0x101000, 0x7000, 0x2000);
    note.bytes[0] = 1;
    note.bytes[8 + 8 * 1] = 0xbb;       /* rbx */
    note.bytes[8 + 8 * 6] = 0x55;       /* rsp */
    note.bytes[392 + 3 * 8 + 1] = 0x30; /* cr3 */
    put(0x1000, &note, sizeof(note));
    memset(file + 0x3000, 'x', 0x1000);
    memset(file + 0x4000, 'y', 0x1000);
    memset(file + 0x6000, 'h', 0x800);
    memset(file + 0x7000, 'o', 0x2000);
    file_bytes = 0x9000;

    assert_int_equal(open_file(&image), 0);
    assert_string_equal(image_kind(image), "ELF core");
    expect_frame(image, 1, 0, 'h');
    expect_frame(image, 0x100, 'x', 'x');
    expect_frame(image, 0x101, 'y', 'y');
    expect_frame(image, 0x102, 'o', 'o');
    expect_none(image, 0);
    expect_none(image, 2);
    assert_int_equal(image_next(image, 0), 1);
    assert_int_equal(image_next(image, 2), 0x100);
    assert_int_equal(image_next(image, 0x103), UINT64_MAX);
    assert_int_equal(image_vcpus(image), 1);
    assert_int_equal(image_registers(image, 0, &registers), 0);
    assert_int_equal(registers.gpr[3], 0xbb);
    assert_int_equal(registers.gpr[4], 0x55);
    assert_int_equal(registers.cr3, 0x3000);
    assert_int_equal(image_registers(image, 1, &registers), -ENOENT);
    image_close(image);
}

#define NOTES    0x1000u
#define STRINGS  0x1100u
#define VCPUS    0x2000u
#define NUMBERS  0x6000u
#define PAGES    0x7000u

static void put_section(unsigned int i, const char *name, uint64_t offset, uint64_t bytes)
{
    const Elf64_Shdr header = { .sh_name = i * 16, .sh_offset = offset, .sh_size = bytes };

    put(64 + i * sizeof(header), &header, sizeof(header));
    put(STRINGS + i * 16, name, strlen(name) + 1);
}

static void put_xen(uint64_t magic, uint64_t pages)
{
    struct { Elf64_Nhdr header; char name[4]; uint64_t words[4]; } note = {
        .header = { 4, 32, 0x2000001 }, .name = "Xen", .words = { magic, 1, pages, 4096 },
    };
    static const uint64_t numbers[4] = { 0x77, 3, UINT64_MAX, 5 };
    struct vcpu_guest_context context = { .user_regs = { .rbx = 0xb, .r15 = 15, .rdi = 0xd1, .rip = 0x1b } };
    uint16_t names = 5;

    context.ctrlreg[0] = 0x80000011;
    context.ctrlreg[3] = 0x123000;
    context.ctrlreg[4] = 0x20;
    put_elf(0, 6);
    put(offsetof(Elf64_Ehdr, e_shstrndx), &names, sizeof(names));
    put_section(0, "", 0, 0);
    put_section(1, ".note.Xen", NOTES, sizeof(note));
    put_section(2, ".xen_prstatus", VCPUS, sizeof(context));
    put_section(3, ".xen_pfn", NUMBERS, sizeof(numbers));
    put_section(4, ".xen_pages", PAGES, 4 * 4096);
    put_section(5, ".shstrtab", STRINGS, 6 * 16);
    put(NOTES, &note, sizeof(note));
    put(VCPUS, &context, sizeof(context));
    put(NUMBERS, numbers, sizeof(numbers));
    for ( unsigned int i = 0; i < 4; i++ )
        memset(file + PAGES + i * 4096, 'A' + i, 4096);
    file_bytes = PAGES + 4 * 4096;
}

static void xl_dump_core(void **state)
{
    struct av_registers registers;
    struct image *image;

    (void)state;
    put_xen(0xf00febee, 4);
    assert_int_equal(open_file(&image), 0);
    assert_string_equal(image_kind(image), "xl dump-core");
    assert_int_equal(image_memory(image)->frames, 0x78);
    expect_frame(image, 0x77, 'A', 'A');
    expect_frame(image, 3, 'B', 'B');
    expect_frame(image, 5, 'D', 'D');
    expect_none(image, 4);
    expect_none(image, 0);
    assert_int_equal(image_next(image, 0), 3);
    assert_int_equal(image_next(image, 6), 0x77);
    assert_int_equal(image_next(image, 0x78), UINT64_MAX);
    assert_int_equal(image_registers(image, 0, &registers), 0);
    assert_int_equal(registers.cr3, 0x123000);
    assert_int_equal(registers.gpr[3], 0xb);
    assert_int_equal(registers.gpr[7], 0xd1);
    assert_int_equal(registers.gpr[15], 15);
    assert_int_equal(registers.rip, 0x1b);
    image_close(image);
}

static void expect_refused(int rc, const char *word)
{
    struct image *image = (struct image *)1;

    assert_int_equal(open_file(&image), rc);
    assert_null(image);
    if ( !strstr(words.text, word) )
        fail_msg("'%s' does not say '%s'", words.text, word);
}

/* What the file has no octets for is not there; of the last frame, what there are. */
static void a_segment_longer_than_the_file(void **state)
{
    struct image *image;

    (void)state;
    put_elf(1, 0);
    put_segment(0, PT_LOAD, 0, 0x1000, UINT64_MAX - 0x1000);
    memset(file + 0x1000, 'x', 0x1800);
    file_bytes = 0x2800;
    assert_int_equal(open_file(&image), 0);
    assert_int_equal(image_memory(image)->frames, 2);
    expect_frame(image, 1, 'x', 0);
    expect_none(image, 2);
    image_close(image);
}

static void refusals_are_said_in_words(void **state)
{
    (void)state;
    expect_refused(-ENOEXEC, "empty");
    put_elf(1, 0);
    file_bytes = 20;
    expect_refused(-ENOEXEC, "ends in its ELF header");
    put_elf(1, 0);
    expect_refused(-ENOEXEC, "beyond its end");
    put_segment(0, PT_LOAD, 0, 1 << 30, 4096);
    expect_refused(-ENOEXEC, "no memory in it");
    put_segment(0, PT_NOTE, 0, 0, UINT64_MAX);
    expect_refused(-ENOEXEC, "notes");
    file[EI_CLASS] = ELFCLASS32;
    expect_refused(-EOPNOTSUPP, "64-bit");
    clear(NULL);
    put_elf(1, 0);
    file[offsetof(Elf64_Ehdr, e_type)] = ET_EXEC;
    expect_refused(-EOPNOTSUPP, "no core");
    clear(NULL);
    put_xen(0xf00febed, 4);
    expect_refused(-EOPNOTSUPP, "PV guest");
    put_xen(0x1234, 4);
    expect_refused(-ENOEXEC, "magic");
    put_xen(0xf00febee, 4);
    put_section(3, ".xen_pfm", NUMBERS, 32);
    expect_refused(-ENOEXEC, "numbers");
    put_xen(0xf00febee, 4);
    put_section(4, ".xen_pages", UINT64_MAX - 10, 4096);
    expect_refused(-ENOEXEC, "beyond its end");
}

/* Cut at any length it is refused, or says what is there; a frame that is not in the file any more is an error. */
static void cut_images(void **state)
{
    size_t whole;

    (void)state;
    put_xen(0xf00febee, 4);
    whole = file_bytes;
    for ( file_bytes = 1; file_bytes < whole; file_bytes += 97 )
    {
        unsigned char page[AV_PAGE_SIZE];
        struct image *image;

        if ( open_file(&image) )
            continue;
        for ( uint64_t gfn = image_next(image, 0); gfn != UINT64_MAX; gfn = image_next(image, gfn + 1) )
            assert_int_equal(image_memory(image)->read(image_memory(image)->opaque, gfn, page), 0);
        image_close(image);
    }
}

static void the_layout_is_xens(void **state)
{
    (void)state;
#define AT(name, field) assert_int_equal(name, offsetof(struct vcpu_guest_context, field))
    assert_int_equal(XEN_VCPU_BYTES, sizeof(struct vcpu_guest_context));
    AT(XEN_R12, user_regs.r12);
    AT(XEN_RBP, user_regs.rbp);
    AT(XEN_RBX, user_regs.rbx);
    AT(XEN_R8, user_regs.r8);
    AT(XEN_R8 - 8, user_regs.r9);
    AT(XEN_R12 - 24, user_regs.r15);
    AT(XEN_RAX, user_regs.rax);
    AT(XEN_RCX, user_regs.rcx);
    AT(XEN_RDX, user_regs.rdx);
    AT(XEN_RSI, user_regs.rsi);
    AT(XEN_RDI, user_regs.rdi);
    AT(XEN_RIP, user_regs.rip);
    AT(XEN_RFLAGS, user_regs.rflags);
    AT(XEN_RSP, user_regs.rsp);
    AT(XEN_CONTROL, ctrlreg);
    AT(XEN_FS_BASE, fs_base);
    AT(XEN_GS_BASE_KERNEL, gs_base_kernel);
    AT(XEN_GS_BASE_USER, gs_base_user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(raw, clear),
        cmocka_unit_test_setup(elf_core, clear),
        cmocka_unit_test_setup(xl_dump_core, clear),
        cmocka_unit_test_setup(a_segment_longer_than_the_file, clear),
        cmocka_unit_test_setup(refusals_are_said_in_words, clear),
        cmocka_unit_test_setup(cut_images, clear),
        cmocka_unit_test(the_layout_is_xens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
