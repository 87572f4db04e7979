/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The description has no cycle that could be followed without an end: structures inside of structures are entered to
 * a depth.
 */
#include "types.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* Structures without a name inside of each other; the kernel has three. */
#define DEPTH_MAX  8u

/* What looks like a description's begin and is none, as in tables of what descriptions begin with. */
#define TRIES_MAX  16u

/* Members of one structure that are looked at, nested ones with it: a guest may nest what is wide. */
#define MEMBERS_MAX 65536u

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

struct search {
    const struct btf *btf;
    const char *member;
    unsigned int looked;
};

/* In bits, or -1. */
static int64_t find_member(struct search *search, const struct btf_type *type, unsigned int depth)
{
    const struct btf_member *member = btf_members(type);

    for ( unsigned int i = 0; i < btf_vlen(type); i++, member++ )
    {
        const char *name = btf__name_by_offset(search->btf, member->name_off);
        int64_t offset = btf_member_bit_offset(type, i), inner;
        const struct btf_type *in;

        if ( ++search->looked > MEMBERS_MAX )
            return -1;
        if ( name && name[0] )
        {
            if ( !strcmp(name, search->member) )
                return btf_member_bitfield_size(type, i) ? -1 : offset;
            continue;
        }
        in = btf__type_by_id(search->btf, member->type);
        if ( !in || !btf_is_composite(in) || depth == DEPTH_MAX )
            continue;
        inner = find_member(search, in, depth + 1);
        if ( inner >= 0 )
            return offset + inner;
    }
    return -1;
}

static uint32_t find_offset(const struct btf *btf, const struct types_wanted *wanted)
{
    struct search search = { .btf = btf, .member = wanted->member };
    int id = btf__find_by_name_kind(btf, wanted->type, BTF_KIND_STRUCT);
    const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;
    int64_t bits = type ? find_member(&search, type, 0) : -1;

    return bits < 0 || bits % 8 || bits / 8 > TYPES_OFFSET_MAX ? UINT32_MAX : bits / 8;
}

/* How many octets a description that begins here says that it has; 0: none begins here. */
static size_t description_bytes(const uint8_t *bytes, size_t left)
{
    struct btf_header header;
    uint64_t total;

    if ( left < sizeof(header) )
        return 0;
    memcpy(&header, bytes, sizeof(header));
    if ( header.magic != BTF_MAGIC || header.version != BTF_VERSION || header.flags || header.hdr_len != sizeof(header) )
        return 0;
    /* As the kernel's build makes it: types, then strings, and nothing between. */
    if ( header.type_off || header.type_len % 4 || header.str_off != header.type_len || !header.type_len || !header.str_len )
        return 0;
    total = (uint64_t)sizeof(header) + header.type_len + header.str_len;
    return total > left || total > TYPES_BYTES_MAX ? 0 : total;
}

int types_read(const uint8_t *bytes, size_t length, const struct types_wanted *wanted, uint32_t *offsets, size_t count,
               size_t *found)
{
    static const uint8_t magic[] = { BTF_MAGIC & 0xff, BTF_MAGIC >> 8, BTF_VERSION, 0 };
    unsigned int tries = 0;
    size_t from = 0;

    /* It would write to stderr, which a worker has not. */
    libbpf_set_print(say_nothing);
    for ( size_t i = 0; i < count; i++ )
        offsets[i] = UINT32_MAX;
    while ( from < length && tries < TRIES_MAX )
    {
        const uint8_t *at = memmem(bytes + from, length - from, magic, sizeof(magic));
        size_t total = at ? description_bytes(at, bytes + length - at) : 0;
        struct btf *btf = NULL;

        if ( !at )
            break;
        from = at - bytes + 1;
        if ( !total )
            continue;
        tries++;
        btf = btf__new(at, total);
        if ( !btf && errno == ENOMEM )
            return -ENOMEM;
        if ( !btf )
            continue;
        for ( size_t i = 0; i < count; i++ )
            offsets[i] = find_offset(btf, &wanted[i]);
        btf__free(btf);
        *found = at - bytes;
        return 0;
    }
    return -ENOENT;
}
