/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * metrics: a daemon's figures in Prometheus' text exposition format (version 0.0.4), in a file for node_exporter's
 * textfile collector.  The caller names families once, adds samples in any order, and writes the file, which is put
 * in place whole.
 *
 *     static const struct metrics_family families[] = {
 *         [SAVED]  = { "xensharing_saved_bytes", METRICS_GAUGE, "Memory that is free because of sharing" },
 *         [MERGED] = { "xensharing_pages_merged_total", METRICS_COUNTER, "Pages that began to share" },
 *     };
 *     metrics_open(&m, families, 2, "xensharing");
 *     ...each time:
 *     metrics_begin(m);
 *     metrics_add(m, SAVED, 4096 * saved, NULL);
 *     metrics_add(m, MERGED, merged, "domid", "3", "domain", name, NULL);
 *     metrics_write(m, "/var/lib/prometheus/node-exporter/xensharing.prom");
 *
 * Every sample gets the label daemon="...", by which several files in one directory stay apart.  A family without
 * samples is left out.  Label values are free text: what is no UTF-8 or a control character comes out as \xNN.
 *
 * Threads: a struct metrics belongs to one thread at a time.  Logs nothing.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Families that a daemon may name; a guard, not a budget. */
#define METRICS_FAMILIES_MAX  128U

/* All of one file.  A domain costs some 2 KiB, and a host of this kind has hundreds. */
#define METRICS_BYTES_MAX     (16U << 20)

enum metrics_type {
    METRICS_COUNTER,              /* only grows, until the daemon starts anew; its name ends in _total */
    METRICS_GAUGE,
};

struct metrics_family {           /* read only, and outlives struct metrics */
    const char *name;             /* [a-z][a-z0-9_]*, and begins with the daemon's name or xen_memevent_ */
    enum metrics_type type;
    const char *help;             /* one line */
};

struct metrics;

/*
 * `daemon` stays the caller's and valid.  0, -ENOMEM, or -EINVAL for families that contradict themselves: a bad name,
 * one that is there twice, a counter without _total or a gauge with it.
 */
int metrics_open(struct metrics **out, const struct metrics_family *families, size_t count, const char *daemon);
void metrics_close(struct metrics *metrics);

/* Forgets all samples. */
void metrics_begin(struct metrics *metrics);

/*
 * One sample of families[family].  Then pairs of a label's name ([a-z_][a-z0-9_]*, not "daemon") and its value, and
 * NULL; a sample with the same labels is added once.  An error (-ENOMEM, -EFBIG) is kept and said by metrics_write()
 * as well, so that the results here need not be looked at.  A double that is whole is printed without a point.
 */
int metrics_add(struct metrics *metrics, size_t family, double value, ... /* const char * */)
    __attribute__((sentinel));

/*
 * Replaces PATH (mode 0644) by what was added since metrics_begin(), by way of a new file PATH.new beside it.
 * 0, the first error of metrics_add(), or what open(), write() and rename() say; then PATH is as it was.
 */
int metrics_write(struct metrics *metrics, const char *path);

/* The text itself, NUL-terminated, for tests; the caller frees it.  NULL: no memory, or an earlier error. */
char *metrics_text(struct metrics *metrics, size_t *length);

#endif /* DAEMON_METRICS_H */
