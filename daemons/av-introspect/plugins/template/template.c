/* SPDX-License-Identifier: MIT */
/*
 * A plugin to copy: it finds a word in memory that is about to be executed. Build your own with
 *
 *     cc -shared -fPIC -o mine.so mine.c      (.name must be "mine")
 *
 * and try it on an image: av-introspect --image guest.raw --plugin ./mine.so:word=hello. av-introspect-plugin(7) is a tutorial.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <av-introspect/plugin.h>

enum { OPTION_WORD, OPTION_SUSPICIOUS, OPTIONS };

static const struct av_option options[OPTIONS] = {
    [OPTION_WORD] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_TEXT, .flags = AV_OPTION_REQUIRED, .name = "word",
        .help = "What is looked for.",
    },
    [OPTION_SUSPICIOUS] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_FLAG, .name = "suspicious", .value = "no",
        .help = "Call it suspicious, not malicious.",
    },
};

struct template {
    const struct av_host *host;
    const char *word;
    size_t length;
    int verdict;
};

/* In the loader: may read files. Texts of options live as long as the instance. */
static int create(const struct av_host *host, const struct av_value *values, void **instance)
{
    struct template *t = calloc(1, sizeof(*t));

    if ( !t )
        return -ENOMEM;
    t->host = host;
    t->word = values[OPTION_WORD].text;
    t->length = strlen(t->word);
    t->verdict = values[OPTION_SUSPICIOUS].number ? AV_SUSPICIOUS : AV_MALICIOUS;
    if ( t->length >= AV_PAGE_SIZE )
    {
        free(t);
        return host->refuse(host, -EINVAL, "word: at most %u characters", AV_PAGE_SIZE - 1);
    }
    *instance = t;
    return 0;
}

/* In a worker: no files. What is beside the page comes along as wide as the window below says. */
static int scan(void *instance, void *attached, struct av_call *call, const struct av_scan *scan)
{
    const struct template *t = instance;
    const uint8_t *at = memmem(scan->bytes, scan->length, t->word, t->length);
    char text[AV_TEXT_BYTES];

    (void)attached;
    if ( !at )
        return AV_CLEAN;
    snprintf(text, sizeof(text), "the word '%s' is here", t->word);
    t->host->report(call, &(struct av_finding){
        .size = sizeof(struct av_finding), .verdict = t->verdict, .rule = "word", .text = text,
        .address = scan->address + (at - scan->bytes), .length = t->length,
    });
    return t->verdict;
}

static void destroy(void *instance)
{
    free(instance);
}

const struct av_plugin av_plugin = {
    AV_PLUGIN_VERSION,
    .name = "template", .version = "1", .summary = "Finds a word.",
    .decide = AV_EVENT_SCAN, .window_before = AV_PAGE_SIZE, .window_after = AV_PAGE_SIZE,
    .options = options, .options_count = OPTIONS,
    .create = create, .scan = scan, .destroy = destroy,
};
