/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One index record: what is stored for one guest page, and where.
 *
 * Records live in a memfd that may outlive the process, so the layout is fixed, holds no pointers, and is never used
 * undecoded: store_record_decode() is the one place that reads one, and everything it lets through is in bounds.
 *
 *     octet  0..7   sum     checksum of the page (store_page_sum), or of a same-filled page its 8-byte word
 *     octet  8..15  where   see below
 *     octet 16..23  who     domid in bits 55..40, gfn in bits 39..0, STORE_RECORD_MARK in bits 63..56; 0 when free
 *
 *     where:  63..60 kind
 *     FREE    59..32 zero, 31..0 the next free record
 *     SAME    59..0  check of sum and who
 *     LZ4     59..48 stored octets - 1, 47..32 check, 31..0 place in the pool
 *     RAW     as LZ4, with 4096 octets
 *     FILE    59..36 check, 35..0 slot in the file
 *
 * check is a keyed hash of the rest of where and of who.  where is always written last and in one store, so a process
 * that dies at any instant leaves a record which is either what it was or what it was to become.
 */
#ifndef XENPAGING_STORE_RECORD_H
#define XENPAGING_STORE_RECORD_H

#include <stdint.h>

/* Names no record and no place in the pool; both are numbered below it. */
#define STORE_NONE UINT32_MAX

/* Octets of the key for checks and checksums; XXH3 wants at least 136 and is at home with 192. */
#define STORE_SECRET_SIZE 192

struct store_secret {
    unsigned char bytes[STORE_SECRET_SIZE];
};

struct store_record {
    uint64_t sum;
    uint64_t where;
    uint64_t who;
};
_Static_assert(sizeof(struct store_record) == 24, "layout shared with a later process");

enum store_kind {
    STORE_FREE = 0,
    STORE_SAME = 1,
    STORE_LZ4 = 2,
    STORE_RAW = 3,
    STORE_FILE = 4,
};

/* What numbers in a record must stay below. */
struct store_bounds {
    uint32_t records;            /* for FREE */
    uint32_t places;             /* for LZ4 and RAW */
    uint64_t slots;              /* for FILE */
};

/* A record, decoded. */
struct store_entry {
    enum store_kind kind;
    uint16_t domid;
    uint64_t gfn;
    uint64_t sum;
    uint32_t length;             /* LZ4, RAW: octets stored, 1..4096 */
    uint32_t place;              /* LZ4, RAW */
    uint64_t slot;               /* FILE */
    uint32_t next;               /* FREE: STORE_NONE at the end */
};

/* 0, or -EBADMSG with *out all zero. */
int store_record_decode(const struct store_record *record, const struct store_secret *secret,
                        const struct store_bounds *bounds, struct store_entry *out);

/* Writes the record so that it is valid at no instant but as a whole.  The entry must be in bounds. */
void store_record_encode(struct store_record *record, const struct store_secret *secret, const struct store_entry *entry);

/* Changes only where the bytes are, in one store. */
void store_record_relocate(struct store_record *record, const struct store_secret *secret, const struct store_entry *entry);

#endif
