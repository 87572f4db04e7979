/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * history: a bounded file of samples, kept by a daemon and read by people's tools while it is written.
 *
 * One sample a period; the newest takes the place of the oldest, so that the file never grows beyond what it was made
 * for.  A sample is a time and up to HISTORY_FIGURES figures, whose names stand in the file.
 *
 *       octet  size
 *           0     8  magic "xmeHIST1"
 *           8     4  capacity      samples, 1 to HISTORY_CAPACITY_MAX
 *          12     4  period        seconds
 *          16     4  figures       1 to HISTORY_FIGURES
 *          20     4  pad           zero
 *          24   416  names         HISTORY_FIGURES times HISTORY_NAME_BYTES, NUL-padded; [a-z][a-z0-9_]*
 *         440    64  pad           zero
 *         504     8  check         of octets 0 to 503
 *         512   128  each sample   (sequence - 1) % capacity is its place
 *     of a sample
 *           0     8  sequence      from 1 on; 0: never written
 *           8     8  time          seconds since 1970
 *          16   104  values        HISTORY_FIGURES times 8
 *         120     8  check         of octets 0 to 119
 *
 * In the byte order of x86; the file is of one host and stays there.  `check` is XXH64 with seed 0: it finds damage
 * and a sample that is just being written, not malice.  Nothing in the file is trusted to be right: it is bounded,
 * and checked before use.
 *
 * Threads: a struct history belongs to one thread at a time.  Logs nothing.
 */
#ifndef DAEMON_HISTORY_H
#define DAEMON_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_FIGURES       13U
#define HISTORY_NAME_BYTES    32U

/* A week of minutes is 10080, 1.2 MiB; a year of minutes is the most that a reader takes (64 MiB). */
#define HISTORY_CAPACITY_MAX  525600U
#define HISTORY_WEEK          10080U
#define HISTORY_MINUTE        60U

/* An error in words. */
#define HISTORY_ERROR_BYTES   256U

struct history_sample {
    uint64_t sequence;            /* set by history_add() */
    uint64_t time;                /* wall clock, seconds since 1970 */
    uint64_t values[HISTORY_FIGURES];
};

/* The daemon's side. */

struct history;

enum history_start {
    HISTORY_NEW,                  /* there was no file */
    HISTORY_GOES_ON,              /* samples of an earlier life are there */
    HISTORY_SET_ASIDE,            /* what was there could not be used; it is PATH.old now, and `error` says why */
};

/*
 * Opens or makes PATH (mode 0644).  A file with other figures, another capacity or another period, and a damaged one,
 * are set aside.  error: HISTORY_ERROR_BYTES, may be NULL.  Returns enum history_start; -EINVAL for names that cannot
 * be, -ENOMEM, -EBUSY (another process keeps it), or what open() and the like say.
 */
int  history_open(struct history **out, const char *path, const char *const *names, size_t figures,
                  uint32_t capacity, uint32_t period, char *error);
void history_close(struct history *history);

/*
 * Adds one, and gives it its number.  Call it as often as you like: it is taken only if a period has passed by the
 * sample's own time since the last one, or if the clock went back.  1: taken, 0: too soon, or -errno of the write.
 */
int  history_add(struct history *history, struct history_sample *sample);

/* The reader's side. */

struct history_view {
    uint32_t capacity, period;
    size_t figures;
    char names[HISTORY_FIGURES][HISTORY_NAME_BYTES];
    struct history_sample *samples;   /* oldest first */
    size_t count;
    size_t damaged;               /* samples whose check is wrong, and that were left out */
};

/*
 * Reads all of PATH.  0, or -errno with `error` (HISTORY_ERROR_BYTES) set: -ENOENT, -EBADMSG for what is no history
 * or is damaged, -ENOMEM, or what open() and read() say.
 */
int  history_view_open(struct history_view *view, const char *path, char *error);
/* The same of bytes in memory. */
int  history_view_parse(struct history_view *view, const void *bytes, size_t length, char *error);
void history_view_close(struct history_view *view);

/* The place of a figure in values[], or -ENOENT. */
int  history_view_find(const struct history_view *view, const char *name);

#endif /* DAEMON_HISTORY_H */
