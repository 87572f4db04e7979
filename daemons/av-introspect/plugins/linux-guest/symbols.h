/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * symbols: the names and addresses that a Linux kernel carries of itself (kallsyms), read from a copy of its
 * constants. The tables' form is that of scripts/kallsyms.c in Linux 4.20 to 6.3 with CONFIG_KALLSYMS_BASE_RELATIVE:
 * offsets, base, number, names as strings of tokens, a marker for each 256th, tokens, their index. They are found by
 * the base, which is the address of the kernel's first octet, and everything behind it has to agree with everything
 * else.
 *
 * The octets are the guest's. What is kept is a copy that was checked; a lookup cannot leave it.
 */
#ifndef AV_LINUX_GUEST_SYMBOLS_H
#define AV_LINUX_GUEST_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* Symbols: a distribution's kernel has a hundred thousand; with everything built in it may be three times that. */
#define SYMBOLS_MAX        (1u << 20)

/* Places that may look like the tables' begin before it is said that there are none; in a kernel there is one. */
#define SYMBOLS_TRIES_MAX  64u

/* Of a name, with the NUL; longer ones, which Rust makes, are cut. */
#define SYMBOLS_NAME_BYTES 128u

struct symbols;

struct symbol {
    uint64_t address;
    char     type;                      /* as nm has it: 't' and 'T' are code */
    char     name[SYMBOLS_NAME_BYTES];  /* printable ASCII, without quotes and backslashes; others are '?' */
};

/* base: the address of the kernel's first octet. 0; -ENOENT: there are no such tables; -ENOMEM. */
int  symbols_read(struct symbols **out, const uint8_t *bytes, size_t length, uint64_t base);
void symbols_free(struct symbols *symbols);

uint32_t symbols_count(const struct symbols *symbols);

/* In the order of the table, which is that of addresses if the kernel is honest. index is below the count. */
void symbols_get(const struct symbols *symbols, uint32_t index, struct symbol *out);

/* The same without the name, and much quicker. */
uint64_t symbols_address(const struct symbols *symbols, uint32_t index);

/* All of them in that order. */
void symbols_each(const struct symbols *symbols, void (*each)(void *arg, const struct symbol *symbol), void *arg);

/* Addresses of names, 0 for those that are not there; the first of several is taken. One pass over all. */
void symbols_find(const struct symbols *symbols, const char *const *names, uint64_t *addresses, size_t count);

/* The symbol that an address lies in, i.e. the last that begins at or before it, and where the next one begins (0:
 * nowhere). 0 or -ENOENT. next may be NULL. */
int symbols_at(const struct symbols *symbols, uint64_t address, struct symbol *out, uint64_t *next);

#endif /* AV_LINUX_GUEST_SYMBOLS_H */
