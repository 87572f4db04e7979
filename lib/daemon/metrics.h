/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * metrics: a daemon's figures in Prometheus' text exposition format (version 0.0.4), in a file for node_exporter's
 * textfile collector.  The caller names families once, adds samples in any order, and writes the file, which is put
 * in place whole.
 *
 *     static const struct metrics_family saved = { "xensharing_saved_bytes", METRICS_GAUGE, "Memory that is free" };
 *
 *     metrics_open(&m, "xensharing");
 *     SAVED = metrics_declare(m, &saved);
 *     ...each time:
 *     metrics_begin(m);
 *     metrics_add(m, SAVED, 4096.0 * pages, "domid", "3", "domain", name, NULL);
 *     metrics_write(m, "/var/lib/prometheus/node-exporter/xensharing.prom");
 *
 * Every sample gets the label daemon="...", by which several files in one directory stay apart.  A family without
 * samples is left out.  Values of labels are free text: what is no UTF-8 or a control character comes out as \xNN.
 * What all daemons of the suite have in common (xen_memevent_...) is declared by metrics_open().
 *
 * Threads: a struct metrics belongs to one thread at a time.  Logs nothing.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Families that a daemon may declare; a guard, not a budget. */
#define METRICS_FAMILIES_MAX  128U

/* All of one file.  A domain costs some 2 KiB, and a host of this kind has hundreds. */
#define METRICS_BYTES_MAX     (16U << 20)

/* Longer values of labels are cut; the longest name of a domain is 63 bytes, each of which may become \xNN. */
#define METRICS_LABEL_BYTES   256U

enum metrics_type {
    METRICS_COUNTER,              /* only grows, until the daemon starts anew; its name ends in _total */
    METRICS_GAUGE,
};

struct metrics_family {           /* read only, and outlives struct metrics */
    const char *name;             /* [a-z][a-z0-9_]*; begins with the daemon's name, without what follows a '-' */
    enum metrics_type type;
    const char *help;             /* one line */
};

/* What each daemon can say of itself; CPU time and memory are measured by metrics_add_daemon(). */
struct metrics_daemon {
    uint64_t started;             /* wall clock, seconds since 1970 */
    uint64_t hypercalls;          /* struct hypervisor_counts has these three */
    uint64_t operations;
    uint64_t system_calls;
};

struct metrics;

/* `daemon` stays the caller's and valid: "xensharing", "xenpaging-3".  0 or -ENOMEM. */
int metrics_open(struct metrics **out, const char *daemon);
void metrics_close(struct metrics *metrics);

/*
 * The family's number for metrics_add(): 0, 1... in the order of the calls.  -EINVAL for a bad name, a counter without
 * _total or a gauge with it; -EEXIST, -ENOSPC, -ENOMEM.
 */
int metrics_declare(struct metrics *metrics, const struct metrics_family *family);

/* Forgets all samples. */
void metrics_begin(struct metrics *metrics);

/*
 * One sample of a family.  Then pairs of a label's name ([a-z_][a-z0-9_]*, not "daemon") and its value, and NULL; the
 * caller adds no two with the same labels.  An error (-ENOMEM, -EFBIG, -EINVAL) is kept and said by metrics_write() as
 * well, so that the results here need not be looked at.
 */
int metrics_add(struct metrics *metrics, int family, double value, ... /* const char * */)
    __attribute__((sentinel));

/* The samples that all daemons have. */
int metrics_add_daemon(struct metrics *metrics, const struct metrics_daemon *daemon);

/*
 * Replaces PATH (mode 0644) by what was added since metrics_begin(), by way of a new file PATH.new beside it.
 * 0, the first error of metrics_add(), or what open(), write() and rename() say; then PATH is as it was.
 */
int metrics_write(struct metrics *metrics, const char *path);

/* The text itself, NUL-terminated, for tests; the caller frees it.  NULL: no memory, or an earlier error. */
char *metrics_text(struct metrics *metrics, size_t *length);

#endif /* DAEMON_METRICS_H */
