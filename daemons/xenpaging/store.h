/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page store: where the bytes of paged-out pages live.
 *
 * One store a host holds the pages of all domains: same-filled pages as nothing but their index entry, the
 * rest compressed in a pool of memory, and behind that, when there is one, a file that takes the pages which
 * have been out longest.  It knows nothing of Xen, of events and of choosing pages; the pager does.
 *
 * Threads: none inside, and all calls on one store (its domains included) must come from one thread.
 * Errors are -errno throughout.  Nothing here logs: what went wrong is counted (store_get_statistics).
 *
 * What it promises:
 *  - a page that was put is there until it is forgotten: a full disk or a failed write never loses one;
 *  - wrong bytes are never given out: each page is verified against a keyed checksum that also covers
 *    the domain and the frame number it belongs to.
 */
#ifndef XENPAGING_STORE_H
#define XENPAGING_STORE_H

#include <stdbool.h>
#include <stdint.h>

/* A guest page; the only size Xen pages out. */
#define STORE_PAGE_SIZE 4096U

/* Frame numbers are below this: 40 bits of guest-physical address, which is as far as NPT and EPT guests go here. */
#define STORE_GFN_LIMIT (UINT64_C(1) << 28)

/* Domain numbers are below this (Xen's DOMID_FIRST_RESERVED). */
#define STORE_DOMID_LIMIT 0x7ff0U

/*
 * The smallest pool.  Pages on their way to the file still wait in the pool until they have been written, so there is
 * no useful store without one, and below this the size classes of the allocator would starve each other.
 */
#define STORE_RAM_MIN (UINT64_C(1) << 20)

/* The largest pool, from the 32 bits that name a place in it. */
#define STORE_RAM_MAX (UINT64_C(1) << 38)

/*
 * Most pages reserved at a time.  Each reserved page holds 4 KiB of directory ready besides its place in the pool
 * (its gfn might be the first of a new stretch), so this bounds that at 4 MiB.
 */
#define STORE_RESERVE_MAX 1024U

/* Most pages being read from the file at a time; beyond, store_get says -EAGAIN. */
#define STORE_READS_MAX 128U

/* Octets that tell a domain from an earlier one of the same number: its uuid. */
#define STORE_IDENTITY_SIZE 16U

struct store;
struct store_domain;

struct store_options {
    uint64_t    ram_bytes;       /* upper bound of the compressed pool, STORE_RAM_MIN..STORE_RAM_MAX */
    const char *spill_directory; /* NULL: no file */
    uint64_t    spill_bytes;     /* upper bound of the file; 0 with a NULL directory */
};

/* What is stored now.  pages is the sum of the four after it, but for entries found damaged (see damaged). */
struct store_counts {
    uint64_t pages;
    uint64_t same_filled;        /* cost nothing but their index entry */
    uint64_t lz4;                /* compressed in the pool */
    uint64_t raw;                /* did not compress, as they are in the pool */
    uint64_t in_file;
    uint64_t pool_bytes;         /* taken up in the pool by lz4 and raw, rounding included */
};

struct store_statistics {
    struct store_counts now;

    /* Space. */
    uint64_t reserved;           /* pages promised and not yet put */
    uint64_t ram_limit;          /* bytes the pool may grow to */
    uint64_t ram_allocated;      /* bytes of memory the pool holds now */
    uint64_t index_bytes;        /* bytes of memory the records and directories hold now */
    uint64_t file_limit;         /* bytes the file may grow to */
    uint64_t file_allocated;     /* bytes of disk it holds now */
    uint64_t file_used;          /* of these, with a page in them, or on its way to or from them */
    uint64_t file_retired_bytes; /* of file_allocated, not used again after a failed write */

    /* Since store_open. */
    uint64_t puts;
    uint64_t gets;               /* that gave a page or began to read one */
    uint64_t reads;              /* pages read from the file */
    uint64_t writes;             /* pages written to the file */
    uint64_t submits;            /* system calls that started these */
    uint64_t read_errors;        /* failed reads, each attempt counted */
    uint64_t write_errors;
    uint64_t checksum_errors;    /* pages whose bytes were found wrong, each time they were */
    uint64_t damaged;            /* index or pool records found impossible */
    uint64_t full;               /* store_reserve gave less than was asked for want of room */
    uint64_t waits;              /* store_reserve had to wait for the file */

    /* What became of the file. */
    bool has_file;
    bool direct;                 /* O_DIRECT was accepted */
    bool uring;                  /* io_uring works; otherwise each transfer is a blocking pread or pwrite */
    bool file_retired;           /* too many writes failed: nothing is written any more, only read */
    bool file_full;              /* the file system had no more room when last asked */
    bool ram_starved;            /* the kernel had no more memory for the pool when last asked */
};

/*
 * Opens a store.  The options are copied.  -EINVAL: a size out of its range, or sizes and directory that contradict each
 * other.  -EOPNOTSUPP: the directory's file system cannot allocate space ahead, so no page could be promised to be kept.
 * Other errors are those of open(2) in the directory and of memory.  A file system that is merely full is not an error.
 */
int store_open(struct store **out, const struct store_options *options);

/*
 * What outlives the process: descriptors of the index, the pool and the spill file (-1: there is none).  Another
 * process that has them goes on with every page that was put, whatever instant this one died at.  The first two are
 * memfds, or files on a tmpfs.
 */
struct store_state {
    int index, pool, file;
};

/* The store's own descriptors, to be left with somebody; they stay the store's. */
void store_get_state(const struct store *s, struct store_state *out);

/*
 * As store_open, but in these files, which must be empty (file: as spill file, in place of a nameless one in the
 * directory; -1: a nameless one).  The descriptors stay the caller's.
 */
int store_create(struct store **out, const struct store_options *options, const struct store_state *state);

/*
 * Goes on with what an earlier process left.  Nobody else may use it any more.  Limits may be other than they were,
 * but nothing shrinks below what it is; there is a spill file if there was one.  Nothing of what is found is believed:
 * what is not sound is counted (.damaged) and not used, and its pages are missing.
 *  -ENODATA          the earlier process died before it had made a store: there never was a page in it
 *  -EPROTONOSUPPORT  made by another version
 *  -EBADMSG          not what a store leaves
 *  -ENOMEM ...       nothing was changed: it can be tried again
 */
int store_adopt(struct store **out, const struct store_options *options, const struct store_state *state);

/* Waits for transfers in flight and frees everything, its domains included; reads in flight are not reported.  NULL is fine. */
void store_close(struct store *s);

/*
 * A domain's part of the store.  1: with the pages of that same domain which an earlier process left (those of another
 * domain of that number are forgotten); 0: empty.  -EINVAL: domid out of range.  -EEXIST: it is open already.  -ENOMEM.
 */
int store_domain_open(struct store *s, uint16_t domid, const uint8_t identity[STORE_IDENTITY_SIZE],
                      struct store_domain **out);

/* The first domain from *domid on that an earlier process left and that has not been opened since; false: there is none. */
bool store_domain_left(const struct store *s, uint16_t *domid, uint8_t identity[STORE_IDENTITY_SIZE]);
/* Forgets such a domain. */
void store_domain_drop(struct store *s, uint16_t domid);

/* Gives it up as an earlier process leaves it, with its pages: for the next store_domain_open.  NULL is fine. */
void store_domain_leave(struct store_domain *d);

/* The domain's part, left by an earlier process or opened; NULL: there is none. */
struct store_domain *store_domain_get(const struct store *s, uint16_t domid);

/* A word that is kept with the domain, for whoever opens it next; 0 at first. */
void store_domain_set_note(struct store_domain *d, uint32_t note);
uint32_t store_domain_note(const struct store_domain *d);

/*
 * Forgets all pages of the domain.  Reads in flight are still reported by store_reap (until then their buffers belong to
 * the store).  Takes time in proportion to the pages it holds.  NULL is fine.
 */
void store_domain_close(struct store_domain *d);

/*
 * How many of n pages of any content can be put from now on without failing; that many are reserved, 0 to n.
 * May wait for writes to the file, but only if it could otherwise give none at all.  0 therefore says that the store
 * is full (or STORE_RESERVE_MAX pages are reserved already).  Each reserved page is covered by memory that is allocated
 * and free now, so nothing that the disk does later can break the promise.
 */
unsigned int store_reserve(struct store *s, unsigned int n);

/* Gives back n reservations that are not going to be used; at most as many as are held. */
void store_unreserve(struct store *s, unsigned int n);

/*
 * Stores the STORE_PAGE_SIZE bytes at page and uses up one reservation.  -EEXIST: there is one already (it is kept, so is
 * the reservation).  -ENOBUFS: nothing was reserved.  -EINVAL: gfn out of range.  Never waits, and never fails for want of
 * room; -EBADMSG, with the page not stored, only if the store's own memory is found damaged.
 */
int store_put(struct store_domain *d, uint64_t gfn, const void *page);

bool store_has(const struct store_domain *d, uint64_t gfn);

/*
 * Gives the stored page, which stays stored.
 *  0         its bytes are in page, verified.
 *  1         they are being read from the file into page, which must be 4 KiB aligned and is the store's until
 *            store_reap reports cookie.
 *  -ENOENT   not stored.
 *  -EBADMSG  the stored bytes are wrong: page holds zeros; the entry stays.
 *  -EIO      they cannot be read (tried twice); the entry stays.
 *  -EAGAIN   STORE_READS_MAX are in flight: try again after store_reap.
 *  -EINVAL   page is not aligned and the file is involved.
 * The same page may be read several times at once; each is reported.
 */
int store_get(struct store_domain *d, uint64_t gfn, void *page, void *cookie);

/* Removes the page, after it was loaded or dropped; reads of it in flight are still reported.  -ENOENT. */
int store_forget(struct store_domain *d, uint64_t gfn);

uint64_t store_count(const struct store_domain *d);

/* Sets *gfn to the first stored gfn that is not below it; false if there is none. */
bool store_next(const struct store_domain *d, uint64_t *gfn);

/* Readable (poll, level-triggered) when store_reap has something to do.  The store's own; the same for its whole life. */
int store_fd(const struct store *s);

/* Is anything in flight?  If not, and as long as store_fd is not readable, store_reap would do nothing. */
bool store_is_busy(const struct store *s);

/* result: 0 (the page is there, verified), -EBADMSG (zeros), -EIO.  May call anything but store_reap and store_close. */
typedef void store_done_fn(void *arg, void *cookie, int result);

/* Finishes transfers and reports reads, never waiting.  Returns how many were reported. */
int store_reap(struct store *s, store_done_fn *done, void *arg);

void store_get_statistics(const struct store *s, struct store_statistics *out);

void store_domain_get_counts(const struct store_domain *d, struct store_counts *out);

#endif
