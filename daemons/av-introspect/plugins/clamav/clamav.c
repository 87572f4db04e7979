/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clamav: libclamav over pages that are executed. It is told afterwards, as it is slower than others by far. The
 * engine is made once for a host, before workers are forked, and none of them writes to it, so that they share its
 * memory.
 *
 * Pages are no files: nothing is unpacked, and signatures that want a kind of file, or a place in one, do not match.
 * A worker can open nothing; the directory that libclamav makes for each scan is one that the sandbox only pretends
 * to make.
 */
#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <av-introspect/plugin.h>

#include "database.h"

/* As yara's: a match that crosses into the next page may be as long as this. */
#define WINDOW_BYTES   AV_PAGE_SIZE

/* Signatures that match in one scan and are told of; the host keeps as many findings. */
#define NAMES_MAX      AV_FINDINGS_MAX

/* What ClamAV calls software that somebody may want. */
static const char unwanted[] = "PUA.";

enum { OPTION_DATABASE, OPTION_TIMEOUT, OPTIONS };

static const struct av_option options[OPTIONS] = {
    [OPTION_DATABASE] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_PATH, .flags = AV_OPTION_REQUIRED, .name = "database",
        .help = "A file of ClamAV's signatures, or a directory of such, as /var/lib/clamav.",
    },
    [OPTION_TIMEOUT] = {
        .size = sizeof(struct av_option), .type = AV_OPTION_NUMBER, .name = "timeout", .value = "5000",
        .help = "Milliseconds for one piece of memory, after which it counts as unknown.", .minimum = 1, .maximum = 3600000,
    },
};

struct clamav {
    const struct av_host *host;
    const char *path;
    uint32_t timeout;
    struct cl_engine *engine;
    uint8_t digest[32];
};

struct names {
    char names[NAMES_MAX][AV_RULE_BYTES];
    unsigned int count;
};

/* It would write to stderr, which a worker has not. */
static void say_nothing(enum cl_msg level, const char *full, const char *message, void *context)
{
    (void)level;
    (void)full;
    (void)message;
    (void)context;
}

static bool has_name(const struct names *names, const char *name)
{
    for ( unsigned int i = 0; i < names->count; i++ )
        if ( !strncmp(names->names[i], name, AV_RULE_BYTES - 1) )
            return true;
    return false;
}

static void on_match(int fd, const char *name, void *context)
{
    struct names *names = context;

    (void)fd;
    if ( names && name && names->count < NAMES_MAX && !has_name(names, name) )
        snprintf(names->names[names->count++], AV_RULE_BYTES, "%s", name);
}

static int load(struct clamav *c, struct cl_engine **engine, uint8_t digest[32])
{
    unsigned int signatures;
    int rc = database_open(c->host, c->path, c->timeout, engine, digest, &signatures);

    if ( rc )
        return rc;
    cl_engine_set_clcb_virus_found(*engine, on_match);
    c->host->log(c->host, AV_LOG_INFO, "%u signatures of %s", signatures, c->path);
    return 0;
}

static void destroy(void *instance)
{
    struct clamav *c = instance;

    if ( c->engine )
        cl_engine_free(c->engine);
    free(c);
}

/*
 * What looks like text is turned into UTF-8, by modules of libc that a worker cannot open: they are loaded before workers are
 * forked, and stay. One that is not there is left out here, and ends the worker that wants it.
 */
static void load_encodings(void)
{
    static const char *const encodings[] = {
        "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF-32LE", "UTF-32BE", "UCS-4", "UCS-4LE", "UCS-4BE", "ISO-8859-1",
    };

    for ( size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++ )
    {
        (void)iconv_open("UTF-8", encodings[i]);
        (void)iconv_open("UTF-16BE", encodings[i]);
        (void)iconv_open("UTF-8//TRANSLIT", encodings[i]);
    }
}

static int create(const struct av_host *host, const struct av_value *values, void **instance)
{
    struct clamav *c = calloc(1, sizeof(*c));
    cl_error_t error = c ? cl_init(CL_INIT_DEFAULT) : CL_EMEM;
    int rc;

    if ( error != CL_SUCCESS )
    {
        free(c);
        return host->refuse(host, -ENOMEM, "libclamav cannot be initialised: %s", cl_strerror(error));
    }
    cl_set_clcb_msg(say_nothing);
    load_encodings();
    c->host = host;
    c->path = values[OPTION_DATABASE].text;
    c->timeout = values[OPTION_TIMEOUT].number;
    rc = load(c, &c->engine, c->digest);
    if ( rc )
    {
        destroy(c);
        return rc;
    }
    *instance = c;
    return 0;
}

static int reload(void *instance)
{
    struct clamav *c = instance;
    struct cl_engine *engine;
    uint8_t digest[32];
    int rc = load(c, &engine, digest);

    if ( rc )
        return rc;
    cl_engine_free(c->engine);
    c->engine = engine;
    memcpy(c->digest, digest, sizeof(digest));
    return 0;
}

static void generation(void *instance, uint8_t digest[32])
{
    memcpy(digest, ((const struct clamav *)instance)->digest, 32);
}

/* 0, or -errno if it could not be said of all signatures whether they match. */
static int look(const struct clamav *c, const uint8_t *bytes, uint64_t length, struct names *names)
{
    struct cl_scan_options scan = { .general = CL_SCAN_GENERAL_ALLMATCHES };
    const char *name = NULL;
    unsigned long scanned = 0;
    cl_error_t error;
    cl_fmap_t *map;

    names->count = 0;
    if ( !length )
        return 0;
    map = cl_fmap_open_memory(bytes, length);
    if ( !map )
        return -ENOMEM;
    error = cl_scanmap_callback(map, NULL, &name, &scanned, c->engine, &scan, names);
    cl_fmap_close(map);
    if ( error == CL_VIRUS )
        on_match(-1, name, names);
    return error == CL_CLEAN || error == CL_VIRUS ? 0 : error == CL_ETIMEOUT ? -ETIME : error == CL_EMEM ? -ENOMEM : -EIO;
}

static int report(const struct clamav *c, struct av_call *call, const struct av_scan *scan, const char *name, bool crosses)
{
    bool is_unwanted = !strncmp(name, unwanted, sizeof(unwanted) - 1);
    struct av_finding finding = {
        .size = sizeof(finding), .verdict = is_unwanted ? AV_SUSPICIOUS : AV_MALICIOUS, .rule = name,
        .text = crosses ? "a signature of ClamAV matches, across the page's boundary" : "a signature of ClamAV matches",
        .address = scan->address + scan->focus, .flags = crosses ? 0 : AV_FINDING_PAGE,
    };

    c->host->report(call, &finding);
    return finding.verdict;
}

/*
 * All of it first: mostly that is clean. What matches is asked of the page alone; what matches only with what lies
 * beside it, and not there alone, crosses the boundary.
 */
static int scan(void *instance, void *attached, struct av_call *call, const struct av_scan *scan)
{
    static struct names all, page, before, after;
    const struct clamav *c = instance;
    uint64_t end = scan->focus + scan->focus_length;
    int verdict = AV_CLEAN, said, rc = look(c, scan->bytes, scan->length, &all);

    (void)attached;
    if ( !all.count )
        return rc;
    rc = look(c, scan->bytes + scan->focus, scan->focus_length, &page);
    if ( !rc )
        rc = look(c, scan->bytes, scan->focus, &before);
    if ( !rc )
        rc = look(c, scan->bytes + end, scan->length - end, &after);
    for ( unsigned int i = 0; i < page.count; i++ )
    {
        said = report(c, call, scan, page.names[i], false);
        verdict = said > verdict ? said : verdict;
    }
    for ( unsigned int i = 0; !rc && i < all.count; i++ )
        if ( !has_name(&page, all.names[i]) && !has_name(&before, all.names[i]) && !has_name(&after, all.names[i]) )
        {
            said = report(c, call, scan, all.names[i], true);
            verdict = said > verdict ? said : verdict;
        }
    return verdict ? verdict : rc;
}

const struct av_plugin av_plugin = {
    AV_PLUGIN_VERSION,
    .name = "clamav", .version = "1", .summary = "Finds what ClamAV's signatures describe.",
    .notify = AV_EVENT_SCAN, .window_before = WINDOW_BYTES, .window_after = WINDOW_BYTES,
    .options = options, .options_count = OPTIONS,
    .create = create, .reload = reload, .generation = generation, .scan = scan, .destroy = destroy,
};
