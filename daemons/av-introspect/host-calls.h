/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that a plugin has during a call, and what a call is. judge.c makes calls; plugins.c fills the table in.
 */
#ifndef AV_HOST_CALLS_H
#define AV_HOST_CALLS_H

#include "judge.h"
#include "view.h"

struct av_call {
    struct plugin *plugin;              /* NULL: none is under way */
    struct view *view;
    const struct judge_place *place;
    const struct av_event *event;       /* NULL: it has none */
    uint64_t deadline;
    struct judgement *out;
};

/* All but log and refuse. */
void host_calls_fill(struct av_host *host);

/* A text of a plugin, escaped and cut; NULL is empty. */
void host_calls_copy_text(char *out, size_t size, const char *text);

/* How the guest of these registers pages, if they say it. */
enum view_paging host_calls_paging(const struct av_registers *registers);

#endif /* AV_HOST_CALLS_H */
