/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a judgement becomes for the broker: the heaviest finding in the result itself, all others beside it. Texts are made harmless once
 * more, as the process that sent them may be anybody's.
 */
#include <stdlib.h>
#include <string.h>

#include <daemon/utf8.h>

#include "workers-private.h"

void result_copy_text(char *out, size_t size, const char *text)
{
    utf8_escape(out, size, text, strlen(text));
}

static const struct judge_finding *heaviest(const struct judgement *judgement)
{
    const struct judge_finding *found = NULL;

    for ( uint32_t i = 0; i < judgement->count; i++ )
        if ( !found || judgement->findings[i].verdict > found->verdict )
            found = &judgement->findings[i];
    return found;
}

static void copy_finding(struct scan_finding *out, const struct judge_finding *finding)
{
    memset(out, 0, sizeof(*out));
    out->verdict = finding->verdict;
    result_copy_text(out->plugin, sizeof(out->plugin), finding->plugin);
    result_copy_text(out->rule, sizeof(out->rule), finding->rule);
    result_copy_text(out->text, sizeof(out->text), finding->text);
    out->has_process = finding->has_process;
    if ( !finding->has_process )
        return;
    out->pid = finding->process.pid;
    result_copy_text(out->comm, sizeof(out->comm), finding->process.name);
    result_copy_text(out->path, sizeof(out->path), finding->process.path);
}

void result_fill(struct scan_result *result, struct scan_finding **others, const struct judgement *judgement)
{
    const struct judge_finding *finding = heaviest(judgement);

    *others = NULL;
    result->verdict = judgement->verdict;
    /* What else was read can only make it worse, and it is bad enough. */
    result->has_context = judgement->more &&
                          !(finding && finding->page_alone && finding->verdict == judgement->verdict);
    result->rescan = judgement->rescan;
    result->others_lost = judgement->lost;
    if ( !finding )
        return;
    if ( judgement->count > 1 )
        *others = calloc(judgement->count - 1, sizeof(**others));
    if ( *others )
    {
        for ( uint32_t i = 0; i < judgement->count; i++ )
            if ( &judgement->findings[i] != finding )
                copy_finding(&(*others)[result->others_count++], &judgement->findings[i]);
    }
    else
        result->others_lost += judgement->count - 1;
    result->others = *others;
    result_copy_text(result->plugin, sizeof(result->plugin), finding->plugin);
    result_copy_text(result->rule, sizeof(result->rule), finding->rule);
    result_copy_text(result->text, sizeof(result->text), finding->text);
    result->has_process = finding->has_process;
    if ( !finding->has_process )
        return;
    result->pid = finding->process.pid;
    result_copy_text(result->comm, sizeof(result->comm), finding->process.name);
    result_copy_text(result->path, sizeof(result->path), finding->process.path);
}
