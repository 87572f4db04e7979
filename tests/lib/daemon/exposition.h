/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prometheus' text exposition format, version 0.0.4, read as strictly as its description allows: what a test accepts
 * here, every collector does.  Written from the description, not from lib/daemon's writer.
 */
#ifndef TESTS_EXPOSITION_H
#define TESTS_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

#define EXPOSITION_SAMPLES_MAX  4096U
#define EXPOSITION_ERROR_BYTES  512U

struct exposition_sample {
    char *family;                 /* its name */
    char *labels;                 /* between the braces, as it stands there; "" if there are none */
    double value;
};

struct exposition {
    struct exposition_sample samples[EXPOSITION_SAMPLES_MAX];
    size_t count;
    char error[EXPOSITION_ERROR_BYTES];   /* "" : the text is right */
};

/*
 * Families are in one piece, each with one HELP and one TYPE before its samples, each with a sample at least; no two
 * samples are of the same name and labels; counters end in _total and are at least 0.  Returns 0 or -1 with `error`.
 */
int  exposition_parse(struct exposition *e, const char *text, size_t length);
void exposition_free(struct exposition *e);

/* Reads a file that a daemon wrote, in the place of what was read before. 0 or -1 with `error`. */
int exposition_read(struct exposition *e, const char *path);

/* There is a sample of it. */
bool exposition_has(const struct exposition *e, const char *family);

/*
 * Compares with man/xen-memevent-metrics.7, in both directions: each family that was read is listed, and each that is listed
 * was read, if its name begins with PREFIX or it is one that all daemons have. 0 or -1 with `error`.
 */
int exposition_is_documented(struct exposition *e, const char *prefix);

/* The value of the sample with exactly these labels, as they stand in the text; NULL if there is none. */
const double *exposition_value(const struct exposition *e, const char *family, const char *labels);

#endif
