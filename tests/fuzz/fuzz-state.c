/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a pager leaves to the next, damaged: index, pool, spill file and stage are made by a store, an input says what is
 * done to them, and then they are adopted and used.  An input is a list of orders of 16 octets: what (0), a small number
 * (1), a 16-bit one (2..3), a 32-bit one (4..7) and a 64-bit one (8..15), little-endian.
 *
 * Orders above PLAIN know the key, and make checks right, to get past them; after those wrong bytes may be given out,
 * which without them may not happen.
 */
#define FUZZ_TARGET "state"
#include "fuzz.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "daemons/xenpaging/store-index.h"
#include "daemons/xenpaging/store-page.h"
#include "daemons/xenpaging/store-ram.h"
#include "daemons/xenpaging/store-stage.h"
#include "daemons/xenpaging/store.h"

enum order {
    FLIP_INDEX, FLIP_RECORDS, FLIP_POOL, FLIP_STAGE, CUT_INDEX, CUT_POOL, CUT_STAGE, CUT_FILE, WRITES, NO_FILE,
    PLAIN,
    RECORD = PLAIN, HEADER, DOMAIN, SEGMENT, CELL, INTENT, COUNT, ORDERS,
};

struct orders {
    uint8_t what, a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
};
_Static_assert(sizeof(struct orders) == 16, "an input's layout");

#define DOMAINS      2U
#define PAGES        40U
#define RAM_BYTES    STORE_RAM_MIN
#define FILE_PAGES   32U

/* In intents of the stage, which keeps its layout to itself. */
#define STAGE_SEED   16U
#define STAGE_COUNT  32U
#define STAGE_INTENT 64U

static const uint8_t uuid[STORE_IDENTITY_SIZE] = { 7 };
static int made[4];               /* index, pool, file, stage: the sound ones */
static unsigned char page[STORE_PAGE_SIZE] __attribute__((aligned(STORE_PAGE_SIZE)));

static void content(unsigned int domain, uint64_t gfn, unsigned char *out)
{
    uint64_t x = gfn * 977 + domain + 1, words[STORE_PAGE_SIZE / 8];

    for ( unsigned int i = 0; i < STORE_PAGE_SIZE / 8; i++ )
    {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[i] = gfn % 3 == 0 ? gfn : gfn % 3 == 1 && i > 60 ? 1 : x;
    }
    memcpy(out, words, STORE_PAGE_SIZE);
}

static void ignore(void *arg, void *cookie, int result)
{
    (void)arg;
    *(int *)cookie = result;
}

static void make(void)
{
    const struct store_options options = { .ram_bytes = RAM_BYTES };
    const uint64_t gfns[] = { 1000, 1001, 1002 };
    struct store_domain *domain;
    struct store_stage *stage;
    struct store *s;

    for ( unsigned int i = 0; i < 3; i++ )
        REQUIRE((made[i] = memfd_create("made", MFD_CLOEXEC)) >= 0);
    REQUIRE(!store_create(&s, &options, &(struct store_state){ made[0], made[1], made[2] }));
    for ( unsigned int d = 0; d < DOMAINS; d++ )
    {
        REQUIRE(!store_domain_open(s, 1 + d, uuid, &domain));
        for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        {
            content(d, gfn, page);
            REQUIRE(store_reserve(s, 1) == 1 && !store_put(domain, gfn, page));
        }
    }
    store_close(s);
    REQUIRE(!ftruncate(made[2], FILE_PAGES * STORE_PAGE_SIZE));
    REQUIRE(!store_stage_open(&stage, -1));
    store_stage_begin(stage, 1, gfns, 3);
    REQUIRE((made[3] = dup(store_stage_fd(stage))) >= 0);
    store_stage_close(stage);
}

static int copy(int fd, unsigned char **mapped, size_t *size)
{
    int out = memfd_create("damaged", MFD_CLOEXEC);
    struct stat sb;

    REQUIRE(out >= 0 && !fstat(fd, &sb) && !ftruncate(out, sb.st_size));
    *size = sb.st_size;
    *mapped = mmap(NULL, sb.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
    REQUIRE(*mapped != MAP_FAILED);
    for ( off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0; )
    {
        off_t hole = lseek(fd, at, SEEK_HOLE);

        REQUIRE(pread(fd, *mapped + at, hole - at, at) == hole - at);
        at = hole;
    }
    return out;
}

struct damaged {
    int fd[4];
    unsigned char *map[4];
    size_t size[4];
};

static void check_header(struct store_index_header *header)
{
    header->check = XXH3_64bits_withSecret(header, offsetof(struct store_index_header, check), header->secret.bytes,
                                           sizeof(header->secret.bytes));
}

static void order(struct damaged *x, const struct orders *o)
{
    struct store_index_header *header = (struct store_index_header *)x->map[0];
    struct store_record *records = (struct store_record *)(x->map[0] + STORE_INDEX_RECORDS);
    uint32_t count = (x->size[0] - STORE_INDEX_RECORDS) / sizeof(*records);
    unsigned char *segment = x->map[1] + (size_t)(o->a % (x->size[1] / STORE_SEGMENT_SIZE)) * STORE_SEGMENT_SIZE;
    struct store_entry entry = {
        .kind = o->a % 5, .domid = 1 + o->b % DOMAINS, .gfn = o->d >> 32 & (STORE_GFN_LIMIT - 1), .sum = o->d,
        .length = 1 + (o->d & 4095), .place = o->d & 0xffff, .slot = o->d & 63, .next = o->d & 8191,
    };
    uint64_t word = o->d;

    switch ( o->what % ORDERS )
    {
    case FLIP_INDEX:
        x->map[0][o->c % (STORE_INDEX_DOMAINS + 4096)] ^= o->a;
        break;
    case FLIP_RECORDS:
        x->map[0][STORE_INDEX_RECORDS + o->c % (2 * DOMAINS * PAGES * sizeof(*records))] ^= o->a;
        break;
    case FLIP_POOL:
        x->map[1][o->c % x->size[1]] ^= o->a;
        break;
    case FLIP_STAGE:
        x->map[3][o->c % (STORE_PAGE_SIZE + 64)] ^= o->a;
        break;
    case CUT_INDEX:
        (void)!ftruncate(x->fd[0], o->c % (2 * x->size[0]));
        break;
    case CUT_POOL:
        (void)!ftruncate(x->fd[1], o->c % (2 * x->size[1]));
        break;
    case CUT_STAGE:
        (void)!ftruncate(x->fd[3], o->c % (2 * x->size[3]));
        break;
    case CUT_FILE:
        (void)!ftruncate(x->fd[2], o->c % (2 * x->size[2]));
        break;
    case WRITES:
        memcpy(x->map[0] + STORE_INDEX_WRITES + o->a % 64 * sizeof(word), &word, sizeof(word));
        break;
    case NO_FILE:
        close(x->fd[2]);
        x->fd[2] = -1;
        break;
    case RECORD:
        if ( entry.kind == STORE_RAW )
            entry.length = STORE_PAGE_SIZE;
        store_record_encode(&records[o->c % (2 * DOMAINS * PAGES) % count], &header->secret, &entry);
        break;
    case HEADER:
        memcpy((unsigned char *)header + (o->c % 6 < 4 ? 8 + o->c % 6 * 4 : 24 + STORE_SECRET_SIZE + o->c % 3 * 8), &word,
               o->c % 6 < 4 ? 4 : 8);
        check_header(header);
        break;
    case DOMAIN:
    {
        struct store_index index = { .header = header };

        /* Only its entry, without the memory that it has already. */
        index.memory.limit = 0;
        index.domains = (struct store_index_domain *)(x->map[0] + STORE_INDEX_DOMAINS);
        if ( o->a & 1 )
            store_index_clear_domain(&index, 1 + o->b % DOMAINS);
        else
            store_index_set_note(&index, 1 + o->b % DOMAINS, o->c);
        break;
    }
    case SEGMENT:
        memcpy(segment + 4, &o->c, sizeof(o->c));
        break;
    case CELL:
        memcpy(segment + 16 + o->b % 4096 * 16, &o->c, sizeof(o->c));
        break;
    case INTENT:
    {
        uint64_t seed, intent[2] = { word, 0 };

        memcpy(&seed, x->map[3] + STAGE_SEED, sizeof(seed));
        intent[1] = XXH3_64bits_withSeed(&word, sizeof(word), seed + o->a % 3);
        memcpy(x->map[3] + STAGE_INTENT + o->a % 3 * sizeof(intent), intent, sizeof(intent));
        break;
    }
    default:
        memcpy(x->map[3] + STAGE_COUNT, &word, sizeof(word));
        break;
    }
}

/* Whatever is given out is right; what is wrong is said. */
static void use(struct store *s, bool forged)
{
    for ( unsigned int d = 0; d < DOMAINS; d++ )
    {
        unsigned char expected[STORE_PAGE_SIZE];
        struct store_domain *domain;

        REQUIRE(store_domain_open(s, 1 + d, uuid, &domain) >= 0);
        for ( uint64_t gfn = 0; store_next(domain, &gfn); gfn++ )
        {
            int result = 1, rc = store_get(domain, gfn, page, &result);

            while ( rc == 1 && result == 1 )
            {
                struct pollfd fd = { .fd = store_fd(s), .events = POLLIN };

                poll(&fd, 1, 1000);
                store_reap(s, ignore, NULL);
            }
            rc = rc == 1 ? result : rc;
            REQUIRE(rc == 0 || rc == -EBADMSG || rc == -EIO);
            if ( rc || forged )
                continue;
            content(d, gfn, expected);
            REQUIRE(gfn < PAGES && !memcmp(page, expected, sizeof(page)));
        }
        for ( uint64_t gfn = 2000; gfn < 2008 && store_reserve(s, 1); gfn++ )
        {
            content(d, gfn, page);
            if ( store_put(domain, gfn, page) )
                store_unreserve(s, 1);
        }
        for ( uint64_t gfn = 0; gfn < PAGES; gfn += 2 )
            store_forget(domain, gfn);
    }
}

static uint64_t count_of(struct store *s)
{
    struct store_statistics statistics;

    store_get_statistics(s, &statistics);
    return statistics.now.pages;
}

static void adopt(struct damaged *x, bool forged)
{
    const struct store_options options = { .ram_bytes = RAM_BYTES };
    const struct store_state state = { x->fd[0], x->fd[1], x->fd[2] };
    struct store *s;
    uint64_t count;
    int rc = store_adopt(&s, &options, &state);

    REQUIRE(rc == 0 || rc == -EBADMSG || rc == -ENODATA || rc == -EPROTONOSUPPORT);
    if ( rc )
        return;
    use(s, forged);
    count = count_of(s);
    store_close(s);
    /* What was made of it is sound enough to be gone on with again. */
    REQUIRE(!store_adopt(&s, &options, &state));
    REQUIRE(forged || count_of(s) == count);
    store_close(s);
}

static void stage(const struct damaged *x)
{
    struct store_stage *t;
    uint16_t domid;
    uint64_t gfn;
    int rc = store_stage_open(&t, x->fd[3]);

    REQUIRE(rc == 0 || rc == -EBADMSG);
    if ( rc )
        return;
    for ( unsigned int i = 0; (rc = store_stage_get(t, i, &domid, &gfn)) != 0; i++ )
    {
        REQUIRE(i < STORE_STAGE_PAGES && (rc == 1 || rc == -EBADMSG));
        REQUIRE(rc < 0 || (domid < STORE_DOMID_LIMIT && gfn < STORE_GFN_LIMIT));
        page[0] ^= *((unsigned char *)store_stage_pages(t) + (size_t)i * STORE_PAGE_SIZE);
    }
    store_stage_end(t);
    store_stage_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_index_header *header;
    struct damaged x;
    struct stat sb;
    bool forged = false;

    if ( !made[3] )
        make();
    for ( unsigned int i = 0; i < 4; i++ )
        x.fd[i] = copy(made[i], &x.map[i], &x.size[i]);
    /* The copies belong together as the originals did. */
    header = (struct store_index_header *)x.map[0];
    REQUIRE(!fstat(x.fd[1], &sb));
    header->pool_inode = sb.st_ino;
    REQUIRE(!fstat(x.fd[2], &sb));
    header->spill_inode = sb.st_ino;
    header->spill_device = sb.st_dev;
    check_header(header);

    for ( ; size >= sizeof(struct orders); data += sizeof(struct orders), size -= sizeof(struct orders) )
    {
        struct orders o;

        memcpy(&o, data, sizeof(o));
        forged |= o.what % ORDERS >= PLAIN;
        order(&x, &o);
        /* What was cut is not there to be written to. */
        if ( (o.what % ORDERS >= CUT_INDEX && o.what % ORDERS <= CUT_FILE) || o.what % ORDERS == NO_FILE )
            break;
    }
    adopt(&x, forged);
    stage(&x);
    for ( unsigned int i = 0; i < 4; i++ )
    {
        munmap(x.map[i], x.size[i]);
        if ( x.fd[i] >= 0 )
            close(x.fd[i]);
    }
    return 0;
}
