/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The forms of instructions are those of Linux' arch/x86/kernel/{jump_label,static_call,ftrace}.c, from 5.10 on.
 * While it changes a site, a kernel has a breakpoint in the place of its first octet.
 */
#include "sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BREAKPOINT     0xcc
#define CALL           0xe8
#define JUMP           0xe9
#define JUMP_SHORT     0xeb
#define RETURN         0xc3
#define NEAR_BYTES     5u
#define SHORT_BYTES    2u
#define TWO_BYTES      0x0f
#define CONDITION_MASK 0xf0
#define CONDITION      0x80             /* behind TWO_BYTES: a jump on a condition */
#define CONDITION_BYTES 6u

static const uint8_t nothing[NEAR_BYTES] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
static const uint8_t nothing_short[SHORT_BYTES] = { 0x66, 0x90 };
/* A static call that answers 0: xor %eax, %eax with prefixes. */
static const uint8_t zero[NEAR_BYTES] = { 0x2e, 0x2e, 0x2e, 0x31, 0xc0 };

/* In front of a function that can be called indirectly, endbr64; and what the kernel makes of it where nobody does. */
#define ENDBR_BYTES    4u
static const uint8_t endbr[][ENDBR_BYTES] = {
    { 0xf3, 0x0f, 0x1e, 0xfa }, { 0x66, 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0x00 },
};

/* An entry of the table of jump labels: code and target, relative to themselves, and a key. */
#define JUMP_ENTRY     16u
#define CALL_ENTRY     8u

static const char trampoline[] = "__SCT__", dispatcher[] = "bpf_dispatcher_";

struct sites {
    struct site *list;
    uint32_t count, room;
    size_t length;                      /* of the code */
};

struct finding {
    struct sites *sites;
    const struct kernel *kernel;
    const uint8_t *text;
    int rc;
};

static void add(struct finding *f, uint64_t address, enum site_kind kind, unsigned int length, uint64_t target)
{
    struct sites *s = f->sites;
    uint64_t offset = address - f->kernel->place.text;

    if ( address < f->kernel->place.text || offset >= s->length || s->length - offset < length || s->count == SITES_MAX )
        return;
    if ( s->count == s->room )
    {
        uint32_t room = s->room ? 2 * s->room : 4096;
        struct site *more = realloc(s->list, room * sizeof(*more));

        if ( !more )
        {
            f->rc = -ENOMEM;
            return;
        }
        s->list = more;
        s->room = room;
    }
    s->list[s->count++] = (struct site){
        .offset = offset, .kind = kind, .length = length, .target = (int32_t)(target - f->kernel->place.text),
    };
}

static const uint8_t *octets(const struct finding *f, uint64_t address, size_t length)
{
    uint64_t offset = address - f->kernel->place.text;

    return address < f->kernel->place.text || offset >= f->sites->length || f->sites->length - offset < length
           ? NULL : f->text + offset;
}

/* A table in the kernel's constants; NULL and 0 if it is not all there. */
static const uint8_t *table(const struct kernel *kernel, enum kernel_name first, enum kernel_name last, size_t *length)
{
    uint64_t start = kernel->names[first], end = kernel->names[last];

    *length = 0;
    if ( !start || end < start || start < kernel->place.rodata || end > kernel->place.rodata_end || !kernel->rodata )
        return NULL;
    *length = end - start;
    return kernel->rodata + (start - kernel->place.rodata);
}

static uint64_t relative(uint64_t at, const uint8_t *bytes)
{
    int32_t distance;

    memcpy(&distance, bytes, sizeof(distance));
    return at + (int64_t)distance;
}

static void add_jumps(struct finding *f)
{
    size_t length;
    const uint8_t *entries = table(f->kernel, NAME_JUMPS, NAME_JUMPS_END, &length);

    for ( size_t at = 0; at + JUMP_ENTRY <= length; at += JUMP_ENTRY )
    {
        uint64_t here = f->kernel->names[NAME_JUMPS] + at, code = relative(here, entries + at);
        const uint8_t *is = octets(f, code, SHORT_BYTES);

        if ( is )
            add(f, code, SITE_JUMP, is[0] == JUMP_SHORT || is[0] == nothing_short[0] ? SHORT_BYTES : NEAR_BYTES,
                relative(here + 4, entries + at + 4));
    }
}

static void add_calls(struct finding *f)
{
    size_t length;
    const uint8_t *entries = table(f->kernel, NAME_STATIC_CALLS, NAME_STATIC_CALLS_END, &length);

    for ( size_t at = 0; at + CALL_ENTRY <= length; at += CALL_ENTRY )
    {
        uint64_t code = relative(f->kernel->names[NAME_STATIC_CALLS] + at, entries + at);
        const uint8_t *is = octets(f, code, NEAR_BYTES);

        if ( is )
            add(f, code, SITE_CALL,
                is[0] == TWO_BYTES && (is[1] & CONDITION_MASK) == CONDITION ? CONDITION_BYTES : NEAR_BYTES, 0);
    }
}

/* A kernel's functions may begin with a jump, but not to somewhere else. */
static bool jumps_out(const struct finding *f, uint64_t address, const uint8_t *is)
{
    return is[0] == JUMP && relative(address + NEAR_BYTES, is + 1) - f->kernel->place.text >= f->sites->length;
}

/* Functions whose begin is nothing, or a call already, or was taken by somebody. */
static void add_function(void *arg, const struct symbol *symbol)
{
    struct finding *f = arg;
    uint64_t address = symbol->address;
    const uint8_t *is = octets(f, address, ENDBR_BYTES + NEAR_BYTES);

    if ( !is || !strchr("tTwW", symbol->type) )
        return;
    if ( !strncmp(symbol->name, trampoline, sizeof(trampoline) - 1) )
    {
        add(f, address, SITE_CALL, NEAR_BYTES, 0);
        return;
    }
    for ( unsigned int i = 0; i < sizeof(endbr) / sizeof(endbr[0]); i++ )
        if ( !memcmp(is, endbr[i], ENDBR_BYTES) )
        {
            is += ENDBR_BYTES;
            address += ENDBR_BYTES;
            break;
        }
    if ( !memcmp(is, nothing, NEAR_BYTES) || is[0] == CALL || jumps_out(f, address, is) )
        add(f, address, strncmp(symbol->name, dispatcher, sizeof(dispatcher) - 1) ? SITE_FUNCTION : SITE_DISPATCHER,
            NEAR_BYTES, 0);
}

/* Of two that begin together the one that may hold least is kept. */
static int compare(const void *a, const void *b)
{
    const struct site *x = a, *y = b;

    return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : (int)x->kind - y->kind;
}

int sites_find(struct sites **out, const struct kernel *kernel, const uint8_t *text, size_t length)
{
    struct sites *s = calloc(1, sizeof(*s));
    struct finding f = { .sites = s, .kernel = kernel, .text = text };
    uint32_t kept = 0;

    *out = NULL;
    if ( !s )
        return -ENOMEM;
    s->length = length;
    add_jumps(&f);
    add_calls(&f);
    symbols_each(kernel->symbols, add_function, &f);
    if ( f.rc )
    {
        sites_free(s);
        return f.rc;
    }
    if ( s->count )
        qsort(s->list, s->count, sizeof(*s->list), compare);
    for ( uint32_t i = 0; i < s->count; i++ )
        if ( !kept || s->list[kept - 1].offset != s->list[i].offset )
            s->list[kept++] = s->list[i];
    s->count = kept;
    *out = s;
    return 0;
}

void sites_free(struct sites *sites)
{
    if ( !sites )
        return;
    free(sites->list);
    free(sites);
}

uint32_t sites_count(const struct sites *sites)
{
    return sites->count;
}

/* ---- what a site holds ---- */

/* Where a call or jump leads whose distance ends the site, as an offset in the code. */
static int64_t leads_to(const struct site *site, const uint8_t *is)
{
    return (int64_t)relative(site->offset + site->length, is + site->length - 4);
}

static enum site_state state_of(const struct sites *s, const struct site *site, const uint8_t *is)
{
    int64_t to;

    if ( is[0] == BREAKPOINT )
        return SITE_GOOD;
    if ( site->length == SHORT_BYTES )
        return !memcmp(is, nothing_short, SHORT_BYTES) ||
               (is[0] == JUMP_SHORT && (int64_t)site->offset + SHORT_BYTES + (int8_t)is[1] == site->target)
               ? SITE_GOOD : SITE_WRONG;

    to = leads_to(site, is);
    switch ( (enum site_kind)site->kind )
    {
    case SITE_JUMP:
        return !memcmp(is, nothing, NEAR_BYTES) || (is[0] == JUMP && to == site->target) ? SITE_GOOD : SITE_WRONG;
    case SITE_CALL:
        /* What it calls is chosen while the kernel runs; a module's function may be. */
        if ( site->length == CONDITION_BYTES )
            return is[0] == TWO_BYTES && (is[1] & CONDITION_MASK) == CONDITION ? SITE_GOOD : SITE_WRONG;
        return is[0] == CALL || is[0] == JUMP || is[0] == RETURN || !memcmp(is, nothing, NEAR_BYTES) ||
               !memcmp(is, zero, NEAR_BYTES) ? SITE_GOOD : SITE_WRONG;
    case SITE_DISPATCHER:
        if ( is[0] == JUMP )
            return SITE_GOOD;
        /* fall through */
    case SITE_FUNCTION:
        if ( is[0] == CALL )
            return to >= 0 && (uint64_t)to < s->length ? SITE_GOOD : SITE_TRACED;
        return !memcmp(is, nothing, NEAR_BYTES) ? SITE_GOOD : SITE_WRONG;
    }
    return SITE_WRONG;
}

uint64_t sites_read_lead(const struct site *site, uint64_t address, const struct reader *reader)
{
    uint8_t is[NEAR_BYTES];
    int32_t distance;

    if ( site->length != NEAR_BYTES || reader_read(reader, address, is, sizeof(is)) || (is[0] != JUMP && is[0] != CALL) )
        return 0;
    memcpy(&distance, is + 1, sizeof(distance));
    return address + NEAR_BYTES + distance;
}

/* The first site that ends behind `offset`. */
static uint32_t first_after(const struct sites *s, size_t offset)
{
    uint32_t low = 0, high = s->count;

    while ( low < high )
    {
        uint32_t middle = low + (high - low) / 2;

        if ( s->list[middle].offset + (size_t)SITES_BYTES <= offset )
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sites_mask(const struct sites *sites, uint8_t *bytes, size_t offset, size_t length, size_t beyond,
                void (*each)(void *arg, const struct site *site, enum site_state state), void *arg)
{
    uint32_t first = first_after(sites, offset);

    for ( uint32_t i = first; each && i < sites->count && sites->list[i].offset < offset + length; i++ )
    {
        const struct site *site = &sites->list[i];
        enum site_state state;

        if ( site->offset < offset || site->offset - offset + site->length > length + beyond )
            continue;
        state = state_of(sites, site, bytes + (site->offset - offset));
        if ( state != SITE_GOOD )
            each(arg, site, state);
    }
    for ( uint32_t i = first; i < sites->count && sites->list[i].offset < offset + length; i++ )
        for ( size_t at = sites->list[i].offset; at < sites->list[i].offset + (size_t)sites->list[i].length; at++ )
            if ( at >= offset && at < offset + length )
                bytes[at - offset] = 0;
}
