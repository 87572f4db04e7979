/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * yara: libyara over what the host gives to scan: one contiguous piece, so that a match that begins in one page and ends in the
 * next is found. One scanner for each process, used again and again (a new one costs three times what a page does).
 *
 * A rule says how bad it is by its metadata, severity = "suspicious" or "malicious"; one that says nothing is as the option
 * `verdict`. What a rule is called and described as (meta description) is in the finding.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <av-introspect/plugin.h>

#include "rules.h"

/* A match that crosses into the next page may be as long as this, and begin as far in the one before. */
#define WINDOW_BYTES   AV_PAGE_SIZE

/* libyara has seconds only, and looks at its clock rarely; the worker's own limit comes after. */
#define US_A_SECOND    1000000u

enum { OPTION_RULES, OPTION_VERDICT, OPTION_TIMEOUT, OPTIONS };

static const struct av_option options[OPTIONS] = {
    [OPTION_RULES] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_PATH, .flags = AV_OPTION_REQUIRED, .name = "rules",
        .help = "A file of YARA rules in source, or a directory with *.yar and *.yara files.",
    },
    [OPTION_VERDICT] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_TEXT, .name = "verdict", .value = "malicious",
        .help = "What a rule means that does not say it: suspicious or malicious.",
    },
    [OPTION_TIMEOUT] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_NUMBER, .name = "timeout", .value = "5",
        .help = "Seconds for one piece of memory, after which it is unjudged.", .minimum = 1, .maximum = 3600,
    },
};

struct yara {
    const struct av_host *host;
    const char *path;
    YR_RULES *rules;
    YR_SCANNER *scanner;
    uint8_t digest[32];
    int verdict, timeout;
};

/* A rule that matches. */
struct found {
    const YR_RULE *rule;
    struct av_finding finding;
};

/* What one scan tells the callback. */
struct piece {
    const struct yara *yara;
    const struct av_scan *scan;
    struct found found[AV_FINDINGS_MAX];    /* the host takes no more */
    unsigned int count;
    int verdict;
};

static int make_scanner(struct yara *y, YR_RULES *rules, YR_SCANNER **out)
{
    if ( yr_scanner_create(rules, out) )
        return y->host->refuse(y->host, -ENOMEM, "no memory for a scanner");
    yr_scanner_set_timeout(*out, y->timeout);
    /* Its handlers of signals are for files that shrink. */
    yr_scanner_set_flags(*out, SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING);
    return 0;
}

static void destroy(void *instance)
{
    struct yara *y = instance;

    if ( y->scanner )
        yr_scanner_destroy(y->scanner);
    if ( y->rules )
        yr_rules_destroy(y->rules);
    yr_finalize();
    free(y);
}

static int create(const struct av_host *host, const struct av_value *values, void **instance)
{
    struct yara *y = calloc(1, sizeof(*y));
    const char *verdict = values[OPTION_VERDICT].text;
    int rc;

    if ( !y )
        return -ENOMEM;
    y->host = host;
    y->path = values[OPTION_RULES].text;
    y->timeout = values[OPTION_TIMEOUT].number;
    y->verdict = !strcmp(verdict, "suspicious") ? AV_SUSPICIOUS : AV_MALICIOUS;
    if ( y->verdict == AV_MALICIOUS && strcmp(verdict, "malicious") )
    {
        free(y);
        return host->refuse(host, -EINVAL, "verdict=%s: it must be suspicious or malicious", verdict);
    }
    if ( yr_initialize() )
    {
        free(y);
        return host->refuse(host, -ENOMEM, "libyara cannot be initialised");
    }
    rc = rules_compile(host, y->path, &y->rules, y->digest);
    if ( !rc )
        rc = make_scanner(y, y->rules, &y->scanner);
    if ( rc )
    {
        destroy(y);
        return rc;
    }
    host->log(host, AV_LOG_INFO, "%u rules of %s", y->rules->num_rules, y->path);
    *instance = y;
    return 0;
}

static int reload(void *instance)
{
    struct yara *y = instance;
    uint8_t digest[32];
    YR_SCANNER *scanner;
    YR_RULES *rules;
    int rc = rules_compile(y->host, y->path, &rules, digest);

    if ( !rc )
        rc = make_scanner(y, rules, &scanner);
    if ( rc )
    {
        if ( rules )
            yr_rules_destroy(rules);
        return rc;
    }
    yr_scanner_destroy(y->scanner);
    yr_rules_destroy(y->rules);
    y->scanner = scanner;
    y->rules = rules;
    memcpy(y->digest, digest, sizeof(digest));
    return 0;
}

static void generation(void *instance, uint8_t digest[32])
{
    memcpy(digest, ((const struct yara *)instance)->digest, 32);
}

static const char *find_meta(YR_RULE *rule, const char *name)
{
    YR_META *meta;

    yr_rule_metas_foreach(rule, meta)
    {
        if ( meta->type == META_TYPE_STRING && !strcmp(meta->identifier, name) )
            return meta->string;
    }
    return NULL;
}

/*
 * Where the rule matches: the first match that touches what the scan is about. 1: one does, or the rule has no strings that
 * matched and is about the whole; 0: all lie beside it, in pages that are another scan's.
 */
static int find_match(YR_SCAN_CONTEXT *context, YR_RULE *rule, const struct av_scan *scan, uint64_t *offset, uint64_t *length)
{
    int any = 0;
    YR_STRING *string;
    YR_MATCH *match;

    *offset = scan->focus;
    *length = 0;
    yr_rule_strings_foreach(rule, string)
    {
        yr_string_matches_foreach(context, string, match)
        {
            uint64_t start = match->base + match->offset, end = start + match->match_length;

            any = 1;
            if ( start >= scan->focus + scan->focus_length || end <= scan->focus )
                continue;
            *offset = start;
            *length = match->match_length;
            return 1;
        }
    }
    return !any;
}

static int on_rule(YR_SCAN_CONTEXT *context, int message, void *data, void *arg)
{
    struct piece *piece = arg;
    YR_RULE *rule = data;
    struct av_finding finding = { .size = sizeof(finding), .verdict = piece->yara->verdict };
    const char *severity;
    uint64_t offset;

    if ( message != CALLBACK_MSG_RULE_MATCHING )
        return CALLBACK_CONTINUE;
    if ( !find_match(context, rule, piece->scan, &offset, &finding.length) )
        return CALLBACK_CONTINUE;
    severity = find_meta(rule, "severity");
    if ( severity && !strcmp(severity, "suspicious") )
        finding.verdict = AV_SUSPICIOUS;
    else if ( severity && !strcmp(severity, "malicious") )
        finding.verdict = AV_MALICIOUS;
    finding.rule = rule->identifier;
    finding.text = find_meta(rule, "description");
    finding.address = piece->scan->address + offset;
    if ( piece->verdict < (int)finding.verdict )
        piece->verdict = finding.verdict;
    piece->found[piece->count++] = (struct found){ .rule = rule, .finding = finding };
    return piece->count == AV_FINDINGS_MAX ? CALLBACK_ABORT : CALLBACK_CONTINUE;
}

/* The rule matches on what the scan is about, whatever lies beside it. */
static int on_rule_alone(YR_SCAN_CONTEXT *context, int message, void *data, void *arg)
{
    struct piece *piece = arg;

    (void)context;
    for ( unsigned int i = 0; message == CALLBACK_MSG_RULE_MATCHING && i < piece->count; i++ )
        if ( piece->found[i].rule == data )
            piece->found[i].finding.flags |= AV_FINDING_PAGE;
    return CALLBACK_CONTINUE;
}

static int look(struct yara *y, YR_CALLBACK_FUNC callback, struct piece *piece, const uint8_t *bytes, uint64_t length, int seconds)
{
    yr_scanner_set_timeout(y->scanner, seconds);
    yr_scanner_set_callback(y->scanner, callback, piece);
    return yr_scanner_scan_mem(y->scanner, bytes, length);
}

static int scan(void *instance, void *attached, struct av_call *call, const struct av_scan *scan)
{
    struct yara *y = instance;
    struct piece piece = { .yara = y, .scan = scan, .verdict = AV_CLEAN };
    uint64_t remaining = y->host->remaining(call) / US_A_SECOND;
    int rc, seconds = remaining < (uint64_t)y->timeout ? (int)remaining : y->timeout;

    (void)attached;
    /* At least one second: nobody may wait any more, but a verdict is of use to the next. */
    rc = look(y, on_rule, &piece, scan->bytes, scan->length, seconds ? seconds : 1);
    /*
     * Mostly there is nothing. That this look fails is no harm: what is found is asked about again, then. So it has the least
     * there is: with the whole limit once more a worker may be taken for one that hangs, and what it found is lost.
     */
    if ( !rc && piece.count && scan->length > scan->focus_length )
        (void)look(y, on_rule_alone, &piece, scan->bytes + scan->focus, scan->focus_length, 1);
    for ( unsigned int i = 0; i < piece.count; i++ )
        y->host->report(call, &piece.found[i].finding);
    if ( !rc || piece.verdict > AV_UNKNOWN )
        return piece.verdict;
    return rc == ERROR_SCAN_TIMEOUT ? -ETIME : rc == ERROR_INSUFFICIENT_MEMORY ? -ENOMEM : -EIO;
}

const struct av_plugin av_plugin = {
    AV_PLUGIN_VERSION,
    .name = "yara", .version = "1", .summary = "Finds what YARA rules describe.",
    .decide = AV_EVENT_SCAN, .window_before = WINDOW_BYTES, .window_after = WINDOW_BYTES,
    .options = options, .options_count = OPTIONS,
    .create = create, .reload = reload, .generation = generation, .scan = scan, .destroy = destroy,
};
