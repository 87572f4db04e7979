/* SPDX-License-Identifier: GPL-2.0-only */
/* The stage's memory, and its header and intents judged.  Who asks the hypervisor, and the store, is resume.c. */
#include "store-stage.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "store.h"
#include "store-memory.h"

#define STAGE_MAGIC   UINT64_C(0x3145474154534758)
#define STAGE_VERSION 1U
#define STAGE_BYTES   ((1 + (uint64_t)STORE_STAGE_PAGES) * STORE_PAGE_SIZE)

#define DOMID_SHIFT   48

struct intent {
    uint64_t who;                /* 63..48 domid, 47..0 gfn */
    uint64_t check;              /* hash of who and of its place, by the seed */
};

struct header {
    uint64_t magic;              /* written last */
    uint32_t version;
    uint32_t pages;
    uint64_t seed;
    uint64_t check;              /* hash of all before it */
    uint64_t count;              /* of intents; 0 between an end and the next begin.  Written after these, in one piece */
    uint64_t zero[3];
    struct intent intent[STORE_STAGE_PAGES];
};
_Static_assert(offsetof(struct header, intent) == 64 && sizeof(struct header) <= STORE_PAGE_SIZE, "layout");

struct store_stage {
    struct store_memory memory;
    struct header *header;
    uint64_t seed;
};

static uint64_t header_check(const struct header *header)
{
    return XXH3_64bits(header, offsetof(struct header, check));
}

static uint64_t intent_check(const struct store_stage *t, unsigned int i, uint64_t who)
{
    return XXH3_64bits_withSeed(&who, sizeof(who), t->seed + i);
}

static int make(struct store_stage *t)
{
    struct header header = { .magic = STAGE_MAGIC, .version = STAGE_VERSION, .pages = STORE_STAGE_PAGES };
    int rc;

    if ( getrandom(&header.seed, sizeof(header.seed), 0) != (ssize_t)sizeof(header.seed) )
        return -EIO;
    rc = store_memory_fill(&t->memory, 0, STAGE_BYTES);
    if ( rc )
        return rc;
    t->seed = t->header->seed = header.seed;
    t->header->version = header.version;
    t->header->pages = header.pages;
    t->header->check = header_check(&header);
    /* All of it /before/ the magic; pairs with judge() in a process that takes over. */
    __atomic_store_n(&t->header->magic, header.magic, __ATOMIC_RELEASE);
    return 0;
}

static int judge(struct store_stage *t)
{
    struct header header;

    if ( t->memory.size != STAGE_BYTES )
        return -EBADMSG;
    memcpy(&header, t->header, offsetof(struct header, intent));
    /* Its maker died while he made it, and never had a page in it. */
    if ( !header.magic && !header.count )
        return make(t);
    if ( header.magic != STAGE_MAGIC || header.version != STAGE_VERSION || header.pages != STORE_STAGE_PAGES ||
         header.check != header_check(&header) || header.count > STORE_STAGE_PAGES )
        return -EBADMSG;
    t->seed = header.seed;
    return 0;
}

int store_stage_open(struct store_stage **out, int fd)
{
    struct store_stage *t = calloc(1, sizeof(*t));
    int rc;

    *out = NULL;
    if ( !t )
        return -ENOMEM;
    rc = store_memory_open(&t->memory, "xenpaging-stage", fd, STAGE_BYTES);
    if ( !rc )
    {
        t->header = (struct header *)t->memory.base;
        rc = t->memory.size ? judge(t) : make(t);
    }
    if ( rc )
    {
        store_stage_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

void store_stage_close(struct store_stage *t)
{
    if ( !t )
        return;
    store_memory_close(&t->memory);
    free(t);
}

int store_stage_fd(const struct store_stage *t)
{
    return t->memory.fd;
}

void *store_stage_pages(const struct store_stage *t)
{
    return t->memory.base + STORE_PAGE_SIZE;
}

void store_stage_begin(struct store_stage *t, uint16_t domid, const uint64_t *gfns, unsigned int count)
{
    for ( unsigned int i = 0; i < count; i++ )
    {
        uint64_t who = (uint64_t)domid << DOMID_SHIFT | gfns[i];

        t->header->intent[i] = (struct intent){ who, intent_check(t, i, who) };
    }
    /* The intents /before/ their count, which is /before/ the hypercall; pairs with store_stage_get() in another process. */
    __atomic_store_n(&t->header->count, count, __ATOMIC_RELEASE);
}

void store_stage_end(struct store_stage *t)
{
    /* Whatever was put /before/ this; pairs with store_stage_get() in another process. */
    __atomic_store_n(&t->header->count, 0, __ATOMIC_RELEASE);
}

int store_stage_get(const struct store_stage *t, unsigned int i, uint16_t *domid, uint64_t *gfn)
{
    struct intent intent;

    if ( i >= __atomic_load_n(&t->header->count, __ATOMIC_ACQUIRE) || i >= STORE_STAGE_PAGES )
        return 0;
    intent = t->header->intent[i];
    if ( intent.check != intent_check(t, i, intent.who) )
        return -EBADMSG;
    *domid = intent.who >> DOMID_SHIFT;
    *gfn = intent.who & ((UINT64_C(1) << DOMID_SHIFT) - 1);
    return *domid < STORE_DOMID_LIMIT && *gfn < STORE_GFN_LIMIT ? 1 : -EBADMSG;
}
