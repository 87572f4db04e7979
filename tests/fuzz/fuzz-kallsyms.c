/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a kernel's constants, with symbols in them: whatever is read of them is in order, and all lookups stay
 * inside.
 *
 * An input: the constants, in which the kernel's first octet is at 0xffffffff81000000.
 */
#include <errno.h>
#include <string.h>

#define FUZZ_TARGET "kallsyms"
#include "fuzz.h"

#include "linux-guest/symbols.h"

#define BASE   UINT64_C(0xffffffff81000000)

/* Symbols that are looked at one by one. */
#define LOOKED 600u

static void count_one(void *arg, const struct symbol *symbol)
{
    REQUIRE(strlen(symbol->name) < SYMBOLS_NAME_BYTES);
    for ( const char *c = symbol->name; *c; c++ )
        REQUIRE(*c > ' ' && *c <= '~' && *c != '"' && *c != '\\');
    ++*(uint32_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "_text", "sys_call_table", "current_task" };
    uint64_t addresses[3], next;
    struct symbols *symbols;
    struct symbol symbol;
    uint32_t count = 0;
    int rc = symbols_read(&symbols, data, size, BASE);

    REQUIRE(rc == 0 || rc == -ENOENT);
    REQUIRE(!rc == !!symbols);
    if ( rc )
        return 0;
    REQUIRE(symbols_count(symbols) && symbols_count(symbols) <= SYMBOLS_MAX);
    symbols_each(symbols, count_one, &count);
    REQUIRE(count == symbols_count(symbols));
    symbols_find(symbols, names, addresses, 3);
    for ( uint32_t i = 0; i < count; i += count / LOOKED + 1 )
    {
        symbols_get(symbols, i, &symbol);
        REQUIRE(symbol.address == symbols_address(symbols, i));
        rc = symbols_at(symbols, symbol.address, &symbol, &next);
        REQUIRE(rc == 0 || rc == -ENOENT);
    }
    REQUIRE(symbols_at(symbols, UINT64_MAX, &symbol, &next) == 0 || symbols_address(symbols, 0) > 0);
    symbols_free(symbols);
    return 0;
}
