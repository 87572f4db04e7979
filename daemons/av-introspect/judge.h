/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * judge: all plugins, asked about one domain: one call at a time, one judgement as the result. It runs in a worker and,
 * for images, in the program itself. What plugins say is cut, escaped and bounded here; nobody behind has to do it again, but
 * the broker does, as the process that says so may be anybody's by then.
 */
#ifndef AV_JUDGE_H
#define AV_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "plugins.h"

/* Who a finding is about; texts end in NUL. */
struct judge_process {
    uint32_t pid, uid;
    char name[AV_NAME_BYTES];
    char path[AV_TEXT_BYTES];
};

struct judge_finding {
    uint32_t verdict;                   /* enum av_verdict */
    uint32_t has_process;
    uint32_t page_alone;                /* 1: AV_FINDING_PAGE */
    uint32_t pad;
    uint64_t address, length;
    char plugin[AV_NAME_BYTES];
    char rule[AV_RULE_BYTES];
    char text[AV_TEXT_BYTES];
    struct judge_process process;
};

struct judgement {
    uint32_t verdict;                   /* the greatest of all plugins' and of all findings' */
    uint32_t count;                     /* of findings */
    uint32_t lost;                      /* findings that had no room */
    uint32_t defects;                   /* a bit for each plugin that said what it may not */
    uint32_t failed;                    /* a bit for each that could not judge */
    uint32_t rescan;                    /* 1: somebody asks for it */
    uint32_t more;                      /* 1: it does not depend on the page alone */
    uint32_t unjudged;                  /* a bit for each of those two that was to decide */
    struct judge_finding findings[AV_FINDINGS_MAX];
};

/* The rest of what a judge needs of where it is. */
struct judge_place {
    void *opaque;
    /* As in struct av_host; NULL: they are never known. */
    int (*registers)(void *opaque, uint32_t vcpu, struct av_registers *out);
    /* Called with a plugin's index before it is asked, and with PLUGINS_MAX afterwards; NULL: nobody wants to know. */
    void (*asked)(void *opaque, unsigned int plugin);
};

/* Whom a call is for. */
enum judge_who {
    JUDGE_DECIDE,                       /* plugins that decide about it */
    JUDGE_ALL,                          /* those that want to be told as well */
    JUDGE_AFTER,                        /* those alone: the others were asked before */
};

struct judge;

/* Memory and place are copied; plugins must outlive it. 0 or -ENOMEM. */
int  judge_open(struct judge **out, struct plugins *plugins, const struct memory *memory, const struct judge_place *place);
/* Detaches all plugins. */
void judge_close(struct judge *judge);

/* All of these: until `deadline` (view_now()), UINT64_MAX: none. *out is filled in. */
void judge_attach(struct judge *judge, const struct av_domain *domain, uint64_t deadline, struct judgement *out);

/*
 * The page of the event: its copy, so that what is judged is what was there. With AV_FLAG_GVA and AV_FLAG_REGISTERS what
 * lies beside it in the guest's virtual memory comes along, for plugins that want it.
 */
void judge_page(struct judge *judge, const struct av_event *event, const void *page, enum judge_who who,
                uint64_t deadline, struct judgement *out);

/* A piece of memory that is there as a whole; plugins get all of it. `address` is virtual if AV_SCAN_VIRTUAL is in flags. */
void judge_piece(struct judge *judge, const struct av_event *event, const void *bytes, uint64_t length, uint64_t address,
                 uint64_t focus, uint64_t focus_length, uint32_t flags, struct judgement *out);

void judge_event(struct judge *judge, const struct av_event *event, enum judge_who who, uint64_t deadline,
                 struct judgement *out);

/* Those whose tick_ms have passed since their last tick. Returns how many were asked. */
unsigned int judge_tick(struct judge *judge, uint64_t deadline, struct judgement *out);

#endif /* AV_JUDGE_H */
