/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the broker's files share: one struct for the host, all of it the loop's thread's.
 */
#ifndef AV_BROKER_PRIVATE_H
#define AV_BROKER_PRIVATE_H

#include <time.h>

#include <event2/event.h>

#include <daemon/loop.h>

#include "broker.h"
#include "findings.h"
#include "gaps.h"
#include "guard.h"
#include "policy.h"
#include "settings.h"
#include "verdicts.h"

#define SECOND_NS UINT64_C(1000000000)

struct metrics;
struct metrics_socket;

/* A domain that was looked at, whether it is protected or not. */
struct wish {
    struct wish *next;
    uint16_t domid;
    uint8_t  uuid_octets[16];
    char     name[GUARD_NAME_BYTES];
    char     uuid[GUARD_UUID_BYTES];
    bool     is_named;            /* the tool stack had written its name */
    bool     is_wanted;
    bool     by_xenstore;
    bool     is_there;            /* in the look that is under way */
    const char *refusal;          /* static; NULL: none */
    bool     was_refused;         /* and said: not again until something changes */
    struct gap left;              /* by a former broker, until a guard has it */
};

struct broker {
    const struct settings *settings;
    const struct scanner *scanner;
    struct hypervisor *hv;
    struct hypervisor_info info;
    struct loop *loop;
    struct event *watches, *results, *second, *watchdog, *due;
    struct verdicts *verdicts;
    struct policy *policy;
    struct findings *findings;
    struct metrics *metrics;                /* NULL until they are needed, or none */
    struct metrics_socket *metrics_socket;
    int metrics_error;                      /* that was said last */
    struct gaps *gaps;
    struct wish *wishes;
    struct guard *guards;
    uint64_t last_scan;           /* number of */
    uint64_t generation;          /* of the rules, when it was last looked */
    bool has_results;
    bool stopping;
    bool publish_failed;
    int exit_status;
    int lock_fd;
    time_t began;
};

static inline uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Deadlines have changed: sets the timer. */
void broker_plan(struct broker *broker);

/* ---- domains.c ---- */

int  domains_open(struct broker *broker);
void domains_take_watches(struct broker *broker);
/* All domains there are, and what is wanted of them now. */
void domains_look(struct broker *broker);
void domains_close(struct broker *broker);

/* ---- status.c ---- */

void status_write(struct broker *broker);
void status_remove(struct broker *broker);

/* ---- metrics.c ---- */

/* Does nothing if nobody asked for them. */
void broker_metrics_write(struct broker *broker);
/* Before the loop is closed. */
void broker_metrics_close(struct broker *broker);

#endif /* AV_BROKER_PRIVATE_H */
