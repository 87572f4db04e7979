/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What workers.c (requests and results), workers-life.c (processes) and workers-loader.c share.
 */
#ifndef AV_WORKERS_PRIVATE_H
#define AV_WORKERS_PRIVATE_H

#include "link.h"
#include "poison.h"
#include "process.h"
#include "workers.h"

/* Requests of one domain; notifications have no more than half of them, so that there is room for who waits. */
#define WORKERS_SLOTS        (2u * SCAN_REQUESTS_LEAST)

#define WORKERS_PROCESSES_MAX 16u

/* The first death costs nothing; then twice as long each time, up to half a minute. */
#define BACKOFF_FIRST_NS     UINT64_C(100000000)
#define BACKOFF_MOST_NS      UINT64_C(30000000000)

/* A worker that is not ready after this long hangs: attach() may read much, and has 20 s for it. */
#define START_NS             UINT64_C(30000000000)

/* Plugins in a domain's other workers look for themselves, too, so as to know it; so many times more seldom than in its oldest. */
#define TICK_OTHERS          8u

/* Events handled before the broker gets on with its own. */
#define EVENTS_A_LOOK        256u

/* A worker's signal can be left over from what was seen before; so many cannot. */
#define IDLE_CALLS_MAX       1024u

enum slot_state { SLOT_FREE, SLOT_WAITS, SLOT_RUNS, SLOT_DONE };

struct slot {
    enum slot_state state;
    uint64_t order;                     /* of submission; who died comes first again */
    struct scan_request request;
    bool has_registers;
    struct hypervisor_registers registers;
    uint64_t name;                      /* poison.h */
    bool again;
    struct scan_result result;
    struct scan_finding *others;        /* malloc'd; the result's, until it is taken */
    unsigned char page[SCAN_PAGE_BYTES];
};

struct domain;

enum life { LIFE_NONE, LIFE_STARTS, LIFE_IDLE, LIFE_BUSY };

struct runner {
    enum life life;
    struct process process;
    struct domain *domain;              /* NULL: it is removed, and this one ends */
    struct slot *slot;                  /* BUSY; NULL: it ticks */
    uint64_t tag, generation;
    uint64_t limit;                     /* view_now(), after which it is killed */
    uint64_t tick_began, tick_after;    /* the last one; no other before that */
    uint32_t idle_calls;                /* signals since its request that said nothing */
    const char *killed;                 /* why it was; NULL: it was not */
    struct runner *next;
};

struct domain {
    uint16_t domid;
    struct scan_statistics statistics;
    struct slot slots[WORKERS_SLOTS];
    uint32_t failures;                  /* deaths since the last judgement */
    uint64_t not_before;                /* back-off */
    bool has_ticked;                    /* and what was found then was not taken: told, told_others */
    struct scan_result told;
    struct scan_finding *told_others;
    struct domain *next;
};

struct workers {
    struct workers_options options;
    char *program, *directory, *plugins, *user;
    int epoll, pending;                 /* pending: an eventfd in epoll, readable while results wait */
    struct link link;
    bool linked, refused;
    struct plugins_words words;         /* why it was refused */
    uint32_t link_failures;
    uint64_t link_not_before;
    uint64_t generation;
    uint32_t decide, notify, tick_ms;
    char names[PLUGINS_MAX][AV_NAME_BYTES];
    struct poison *poison;
    struct domain *domains;
    struct runner *runners;
    uint64_t next_tag, next_order;
    uint32_t results;                   /* SLOT_DONE and has_ticked, in all domains */
    scan_read *read;
    void *read_arg;
    int (*get_registers)(void *arg, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out);
    void *registers_arg;
    struct scan_finding *taken;         /* others of the result that was taken last */
    struct judgement judgement;         /* the one that is looked at */
};

/* ---- workers-life.c ---- */

/* What an epoll event is about: a runner, and which descriptor of it; the loader; or the pending results, which are 0. */
#define ABOUT_PIDFD    UINT64_C(1)
#define ABOUT_LINK     UINT64_C(2)
#define ABOUT_FLAGS    UINT64_C(3)

/* Handles what has happened, a bounded number of things. */
void life_look(struct workers *w);
/* Limits, back-offs, plugins that look for themselves. */
void life_tick(struct workers *w);
/* When plugins want the next of their ticks: view_now(), UINT64_MAX: none, or nobody is free to carry it out. */
uint64_t life_due(const struct workers *w);
/* Gives waiting requests to idle workers, and starts more. */
void life_schedule(struct workers *w, struct domain *domain);
/* Ends the workers of a domain, or those of an old generation that are idle. */
void life_leave(struct workers *w, const struct domain *domain);
void life_renew(struct workers *w);
void life_close(struct workers *w);
/* Has life_look() look when a descriptor is readable, or no more. 0 or -errno; nothing is forgotten about an fd of -1. */
int  life_watch(struct workers *w, int fd, uint64_t about);
void life_forget(struct workers *w, int fd);
/* When the next attempt may be made after so many that failed. */
uint64_t life_back_off(uint32_t failures);
/* Takes a worker out of the list that has no process, or one that has ended. */
void life_free(struct workers *w, struct runner *runner);

/* ---- workers-loader.c ---- */

/* 0 or -errno. */
int  loader_start(struct workers *w);
/* Takes one message of its. */
void loader_look(struct workers *w);
/* Ends one that does not come up, and starts another. */
void loader_tick(struct workers *w, uint64_t now);

/* ---- workers-requests.c ---- */

/* All but when: kind, who, event, registers, page. */
void request_put(struct request_in *in, const struct slot *slot);
/* For plugins that were told of no event: registers of the first vCPU, as they are now. */
void request_put_registers(const struct workers *w, const struct domain *domain, struct request_in *in);

/* ---- workers-results.c ---- */

void result_copy_text(char *out, size_t size, const char *text);
/* *others: all findings but the heaviest, malloc'd; NULL: none. */
void result_fill(struct scan_result *result, struct scan_finding **others, const struct judgement *judgement);

/* ---- workers.c ---- */

/* The next request that a worker is to have; NULL: none waits. */
struct slot *slot_next(struct domain *domain);
/* The request's end. */
void slot_judged(struct workers *w, struct domain *domain, struct slot *slot, const struct judgement *judgement,
                 uint64_t generation, uint64_t nanoseconds);
void slot_died(struct workers *w, struct domain *domain, struct slot *slot, const char *plugin, const char *how);
/* What plugins found in a tick, or say of one. */
void tick_judged(struct workers *w, struct domain *domain, const struct judgement *judgement);

#endif /* AV_WORKERS_PRIVATE_H */
