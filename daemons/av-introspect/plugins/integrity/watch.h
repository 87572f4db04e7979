/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watch: what the integrity plugin keeps of a domain, and how it reports: each thing once.
 */
#ifndef AV_INTEGRITY_WATCH_H
#define AV_INTEGRITY_WATCH_H

#include <linux-guest/kernel.h>
#include <linux-guest/modules.h>
#include <linux-guest/tasks.h>

#include "region.h"
#include "sites.h"

/* Reports that are remembered, so as not to be repeated. Then they are repeated. */
#define WATCH_REPORTED_MAX  512u

/* Processes that are on the way to be called hidden. */
#define WATCH_DOUBTFUL_MAX  64u

/* So many looks in a row have to find that a process is in one list only: between its two entries there is time. */
#define WATCH_DOUBTS        3u

/* Walks over the list of modules in one look that find nothing: what leads somewhere may be as much as the tables have. */
#define LOOK_WALKS_MAX      4u

struct watch_doubt {
    uint64_t task;
    uint32_t looks, seen;               /* in a row; the number of the last */
};

struct watch {
    const struct av_host *host;
    struct kernel kernel;
    bool is_image;                      /* nothing will change: one look is all */
    int  traced;                        /* verdict for functions that are traced */

    uint8_t *text;                      /* a copy of the code, until hashes are made of it */
    bool *text_absent;                  /* of each of its pages: it could not be read */
    size_t text_read;
    struct sites *sites;
    struct region code, constants;
    bool constants_next;                /* a round is code, then constants */
    bool watched;                       /* there are hashes */
    bool said_unknown;

    uint32_t looks;                     /* at processes */
    struct watch_doubt doubts[WATCH_DOUBTFUL_MAX];
    uint64_t reported[WATCH_REPORTED_MAX];
    uint32_t reported_count;
    uint32_t rounds;                    /* over all of code and constants */
    uint32_t traced_now;                /* functions that are traced, in this pass over the code */
    bool traced_said;

    /* Of the last event whose vCPU's registers were to be had. */
    struct av_registers registers;
};

/* One verdict function's call. */
struct look {
    struct watch *watch;
    struct reader reader;
    int verdict;
    struct module module;               /* the last that something led to; zeros: none did */
    uint32_t walks;                     /* for nothing, over the list of modules */
};

/* address 0: it has no place. process may be NULL. */
void look_report(struct look *look, int verdict, const char *rule, uint64_t address, const struct av_process *process,
                 const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The same of what leads to somewhere else than the kernel's own code: the report says to which module, if it is one. */
void look_report_lead(struct look *look, const char *rule, uint64_t address, uint64_t to, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* "name+0x12" for people; the number alone if there is no symbol. */
const char *look_name(const struct look *look, uint64_t address, char out[SYMBOLS_NAME_BYTES + 24]);

/* tables.c: system calls, interrupts, registers. */
void look_at_tables(struct look *look);
void look_at_registers(struct look *look, const struct av_registers *registers);
/* processes.c */
void look_at_processes(struct look *look);

#endif /* AV_INTEGRITY_WATCH_H */
