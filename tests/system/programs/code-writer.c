/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program of a Linux guest that makes instructions and executes them, or does what a monitor is told of, one thing a run:
 *
 *   code-writer unpack|patch|jit clean|bad|noted      write code into anonymous memory, and call it
 *   code-writer breakpoint|tsc|request                INT3; a read of the TSC that was forbidden before; a call of the hypervisor
 *   code-writer tables                                once something was typed, execute the first table of its own page tables,
 *                                                     which somebody has made to hold itself (modules/twisted.c)
 *
 * It says what it gets out of that, and the shell its status. `bad` code has a marker beside it that scanners look for, `noted`
 * code one for who is told afterwards; such code says "INFECTED" when it is executed. No library: it is put into an initrd as it is.
 */
#include <stddef.h>
#include <stdint.h>

#define SYS_read      0
#define SYS_write     1
#define SYS_mmap      9
#define SYS_mprotect 10
#define SYS_exit     60
#define SYS_prctl   157

#define PROT_READ     1
#define PROT_WRITE    2
#define PROT_EXEC     4
#define MAP_ANONYMOUS_PRIVATE 0x22
#define PR_SET_TSC   26
#define PR_TSC_SIGSEGV 2

#define PAGE       4096u
#define MARKER_AT   512u        /* octets into the page: behind the code */
#define JIT_ROUNDS  300u        /* of write and call: more than a page may flip in a second */

/* Where entry 100 of a table that holds itself there has it, and in that table nothing but zeros, which write to where RAX points. */
#define TABLE      UINT64_C(0x32190c864000)
#define ZEROS_AT   (200 * 8u)

/* __HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event. */
#define HVM_OP       34
#define REQUEST      24

/* The marker, so that this file's own page has it not. */
#define COVER 0x2a
static const uint8_t covered[] = {
    'X' ^ COVER, '5' ^ COVER, 'O' ^ COVER, '!' ^ COVER, 'P' ^ COVER, '%' ^ COVER, '@' ^ COVER, 'A' ^ COVER, 'P' ^ COVER,
    '[' ^ COVER, '4' ^ COVER, '\\' ^ COVER, 'P' ^ COVER, 'Z' ^ COVER, 'X' ^ COVER, '5' ^ COVER, '4' ^ COVER, '(' ^ COVER,
    'P' ^ COVER, '^' ^ COVER, ')' ^ COVER, '7' ^ COVER, 'C' ^ COVER, 'C' ^ COVER, ')' ^ COVER, '7' ^ COVER, '}' ^ COVER,
    '$' ^ COVER, 'E' ^ COVER, 'I' ^ COVER, 'C' ^ COVER, 'A' ^ COVER, 'R' ^ COVER, '-' ^ COVER, 'S' ^ COVER, 'T' ^ COVER,
    'A' ^ COVER, 'N' ^ COVER, 'D' ^ COVER, 'A' ^ COVER, 'R' ^ COVER, 'D' ^ COVER, '-' ^ COVER, 'A' ^ COVER, 'N' ^ COVER,
    'T' ^ COVER, 'I' ^ COVER, 'V' ^ COVER, 'I' ^ COVER, 'R' ^ COVER, 'U' ^ COVER, 'S' ^ COVER, '-' ^ COVER, 'T' ^ COVER,
    'E' ^ COVER, 'S' ^ COVER, 'T' ^ COVER, '-' ^ COVER, 'F' ^ COVER, 'I' ^ COVER, 'L' ^ COVER, 'E' ^ COVER, '!' ^ COVER,
    '$' ^ COVER, 'H' ^ COVER, '+' ^ COVER, 'H' ^ COVER, '*' ^ COVER,
};

/* The same of probe.c. */
static const uint8_t covered_note[] = {
    'F' ^ COVER, 'O' ^ COVER, 'U' ^ COVER, 'N' ^ COVER, 'D' ^ COVER, '-' ^ COVER, 'A' ^ COVER, 'F' ^ COVER, 'T' ^ COVER,
    'E' ^ COVER, 'R' ^ COVER, 'W' ^ COVER, 'A' ^ COVER, 'R' ^ COVER, 'D' ^ COVER, 'S' ^ COVER,
};

enum kind { CLEAN, BAD, NOTED };

static long call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = 0;
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static _Noreturn void leave(int status)
{
    for ( ;; )
        call(SYS_exit, status, 0, 0, 0, 0);
}

static void say(const char *text)
{
    size_t length = 0;

    while ( text[length] )
        length++;
    call(SYS_write, 1, (long)text, length, 0, 0);
}

static int is(const char *a, const char *b)
{
    while ( *a && *a == *b )
        a++, b++;
    return *a == *b;
}

static uint8_t *new_page(int protection)
{
    long page = call(SYS_mmap, 0, PAGE, protection, MAP_ANONYMOUS_PRIVATE, -1);

    if ( page < 0 && page > -4096 )
        leave(2);
    return (uint8_t *)page;
}

/* A function that returns the number, and what lies behind it. */
static void write_code(volatile uint8_t *page, uint32_t number, enum kind kind)
{
    const uint8_t *marker = kind == NOTED ? covered_note : covered;
    size_t length = kind == NOTED ? sizeof(covered_note) : sizeof(covered);

    page[0] = 0xb8;                             /* mov $number, %eax; ret */
    for ( unsigned int i = 0; i < 4; i++ )
        page[1 + i] = number >> 8 * i;
    page[5] = 0xc3;
    for ( size_t i = 0; i < length; i++ )
        page[MARKER_AT + i] = kind ? marker[i] ^ COVER : 0;
}

static uint32_t call_code(const uint8_t *page)
{
    uint32_t (*code)(void) = (uint32_t (*)(void))(uintptr_t)page;
    uint32_t number;

    /* What was compiled before is not what is there now. */
    __asm__ volatile("" ::: "memory");
    number = code();
    __asm__ volatile("" ::: "memory");
    return number;
}

static void check_code(const uint8_t *page, uint32_t number, enum kind kind)
{
    if ( call_code(page) != number )
        leave(3);
    if ( kind )
        say("INFECTED\n");
}

static void unpack(enum kind kind)
{
    uint8_t *page = new_page(PROT_READ | PROT_WRITE);

    write_code(page, 17, kind);
    if ( call(SYS_mprotect, (long)page, PAGE, PROT_READ | PROT_EXEC, 0, 0) )
        leave(2);
    check_code(page, 17, kind);
    say("unpacked code ran\n");
}

/* Twice, and what is bad comes last. */
static void patch(enum kind kind)
{
    uint8_t *page = new_page(PROT_READ | PROT_WRITE | PROT_EXEC);

    write_code(page, 1, CLEAN);
    check_code(page, 1, CLEAN);
    write_code(page, 2, CLEAN);
    check_code(page, 2, CLEAN);
    say("patched code ran\n");
    write_code(page, 3, kind);
    check_code(page, 3, kind);
    say("patched again\n");
}

static void jit(enum kind kind)
{
    uint8_t *page = new_page(PROT_READ | PROT_WRITE | PROT_EXEC);

    for ( uint32_t i = 0; i < JIT_ROUNDS; i++ )
    {
        write_code(page, i * 0x01010101u, CLEAN);
        check_code(page, i * 0x01010101u, CLEAN);
    }
    say("jit done\n");
    if ( !kind )
        return;
    /* Somebody looks at it now and then, and stops it. */
    write_code(page, 5, kind);
    for ( ;; )
        call_code(page);
}

static void read_forbidden_tsc(void)
{
    uint32_t low, high;

    if ( call(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) )
        leave(2);
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    say("tsc was read\n");
}

static void request(void)
{
    uint32_t eax = 0, ebx, ecx, edx;
    long result;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    /* "Genu", and AMD's instruction on everything else. */
    if ( ebx == 0x756e6547 )
        __asm__ volatile("vmcall" : "=a"(result) : "0"(HVM_OP), "D"(REQUEST), "S"(0) : "memory");
    else
        __asm__ volatile("vmmcall" : "=a"(result) : "0"(HVM_OP), "D"(REQUEST), "S"(0) : "memory");
    say(result ? "request refused\n" : "request heard\n");
}

static _Noreturn void execute_table(void)
{
    char word;

    if ( call(SYS_read, 0, (long)&word, 1, 0, 0) != 1 )
        leave(2);
    __asm__ volatile("jmp *%1" : : "a"(0), "r"(TABLE + ZEROS_AT));
    __builtin_unreachable();
}

__attribute__((used)) static void run(long *stack)
{
    char **argv = (char **)(stack + 1);
    const char *what = stack[0] > 1 ? argv[1] : "";
    enum kind kind = stack[0] < 3 ? CLEAN : is(argv[2], "bad") ? BAD : is(argv[2], "noted") ? NOTED : CLEAN;

    if ( is(what, "unpack") )
        unpack(kind);
    else if ( is(what, "patch") )
        patch(kind);
    else if ( is(what, "jit") )
        jit(kind);
    else if ( is(what, "breakpoint") )
        __asm__ volatile("int3");
    else if ( is(what, "tsc") )
        read_forbidden_tsc();
    else if ( is(what, "request") )
        request();
    else if ( is(what, "tables") )
        execute_table();
    else
        leave(1);
    leave(0);
}

/* Linux begins with the stack at the arguments, and aligned. */
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tcall run\n");
