/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory is looked at twice: as the vCPUs see it, in pieces of what is contiguous for them, so that what lies across pages is
 * found; then frames that are in no vCPU's tables, as they lie in the guest's physical memory.
 */
#include "examine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <daemon/log.h>

#include "image.h"
#include "judge.h"
#include "sandbox.h"
#include "view.h"

/* A piece: large enough that a scanner's start does not count, small enough for a laptop. */
#define PIECE_BYTES    (4u << 20)
/* What a piece has of the one before it: a match of this length is not cut in two. */
#define OVERLAP_BYTES  (64u << 10)

/* A sentence of one finding as JSON: each octet as \u00XX at worst. */
#define JSON_BYTES     (6 * AV_TEXT_BYTES)

struct examine {
    const struct settings *settings;
    FILE *out;
    struct image *image;
    struct plugins *plugins;
    struct judge *judge;
    struct view *view;                  /* for listing; the judge has its own */
    const struct memory *memory;
    unsigned char *seen;                /* a bit for each frame */
    unsigned char *piece;
    uint64_t cr3;                       /* 0: physical */

    /* The piece that is being gathered. */
    uint64_t start;                     /* address of its first byte */
    uint64_t length, old;               /* old: of these so many were judged with the piece before */
    uint32_t flags;
    bool fresh;                         /* something in it was not seen */

    uint64_t scanned, findings[AV_MALICIOUS + 1], lost, failed;
};

static void say(void *arg, int level, const char *plugin, const char *text)
{
    (void)arg;
    log_message(level, NULL, "plugin %s: %s", plugin, text);
}

/* ---- results ---- */

static const char *const verdict_names[] = {
    [AV_CLEAN] = "clean", [AV_UNKNOWN] = "unknown", [AV_SUSPICIOUS] = "suspicious", [AV_MALICIOUS] = "malicious",
};

/* Well-formed UTF-8 without control characters; quotes and backslashes are left. */
static const char *json(const char *text, char out[JSON_BYTES])
{
    char *to = out;

    for ( ; *text; text++ )
    {
        if ( *text == '"' || *text == '\\' )
            *to++ = '\\';
        *to++ = *text;
    }
    *to = 0;
    return out;
}

static void print(struct examine *x, const struct judge_finding *f)
{
    char rule[JSON_BYTES], text[JSON_BYTES];

    if ( x->settings->json )
        fprintf(x->out, "{\"verdict\":\"%s\",\"plugin\":\"%s\",\"rule\":\"%s\",\"text\":\"%s\",\"space\":\"%s\","
                "\"cr3\":%" PRIu64 ",\"address\":%" PRIu64 ",\"length\":%" PRIu64 "}\n", verdict_names[f->verdict],
                f->plugin, json(f->rule, rule), json(f->text, text), x->flags & AV_SCAN_VIRTUAL ? "virtual" : "physical",
                x->cr3, f->address, f->length);
    else
        fprintf(x->out, "%-10s %-10s %-24s %s %#" PRIx64 "%s%s\n", verdict_names[f->verdict], f->plugin, f->rule,
                x->flags & AV_SCAN_VIRTUAL ? "virtual " : "physical", f->address, f->text[0] ? "  " : "", f->text);
}

static void take(struct examine *x, const struct judgement *judgement)
{
    for ( uint32_t i = 0; i < judgement->count; i++ )
    {
        print(x, &judgement->findings[i]);
        x->findings[judgement->findings[i].verdict]++;
    }
    x->lost += judgement->lost;
    x->failed += !!(judgement->failed | judgement->defects);
    /* A verdict without a finding is one, too. */
    if ( judgement->verdict >= AV_SUSPICIOUS && !judgement->count )
    {
        struct judge_finding finding = { .verdict = judgement->verdict, .address = x->start + x->old, .rule = "verdict" };

        print(x, &finding);
        x->findings[judgement->verdict]++;
    }
}

/* ---- pieces ---- */

static void judge_gathered(struct examine *x)
{
    const struct av_event event = {
        .size = sizeof(event), .kind = AV_EVENT_SCAN, .gfn = AV_NO_GFN, .gva = x->start + x->old, .cr3 = x->cr3,
        .flags = AV_FLAG_IMAGE | (x->flags & AV_SCAN_VIRTUAL ? AV_FLAG_GVA | AV_FLAG_REGISTERS : 0),
    };
    struct judgement judgement;

    if ( x->length > x->old && x->fresh )
    {
        judge_piece(x->judge, &event, x->piece, x->length, x->start, x->old, x->length - x->old, x->flags, &judgement);
        take(x, &judgement);
        x->scanned += x->length - x->old;
    }
    x->fresh = false;
}

static void end_piece(struct examine *x)
{
    judge_gathered(x);
    x->length = x->old = 0;
}

static void add_page(struct examine *x, uint64_t address, uint32_t flags, const void *page, bool fresh)
{
    if ( x->length && (address != x->start + x->length || flags != x->flags) )
        end_piece(x);
    if ( x->length == PIECE_BYTES )
    {
        judge_gathered(x);
        memmove(x->piece, x->piece + PIECE_BYTES - OVERLAP_BYTES, OVERLAP_BYTES);
        x->start += PIECE_BYTES - OVERLAP_BYTES;
        x->length = x->old = OVERLAP_BYTES;
    }
    if ( !x->length )
        x->start = address;
    x->flags = flags;
    x->fresh |= fresh;
    memcpy(x->piece + x->length, page, AV_PAGE_SIZE);
    x->length += AV_PAGE_SIZE;
}

static bool see(struct examine *x, uint64_t gfn)
{
    unsigned char bit = 1u << gfn % 8;
    bool seen = x->seen[gfn / 8] & bit;

    x->seen[gfn / 8] |= bit;
    return !seen;
}

static int add_mapping(void *arg, const struct av_mapping *mapping)
{
    struct examine *x = arg;
    unsigned char page[AV_PAGE_SIZE];

    for ( uint64_t at = 0; at < mapping->bytes; at += AV_PAGE_SIZE )
    {
        uint64_t gfn = (mapping->physical + at) / AV_PAGE_SIZE;

        /* A large page of nothing: go to what is there. */
        if ( gfn >= x->memory->frames )
            break;
        if ( x->memory->read(x->memory->opaque, gfn, page) )
            continue;
        add_page(x, mapping->virtual_start + at,
                 AV_SCAN_VIRTUAL | (mapping->flags & AV_MAPPING_EXECUTABLE ? AV_SCAN_EXECUTABLE : 0), page, see(x, gfn));
    }
    return 0;
}

static void examine_space(struct examine *x, uint64_t cr3, const struct av_registers *registers)
{
    int rc;

    view_begin(x->view, UINT64_MAX);
    if ( registers )
    {
        bool long_mode = !(registers->known & AV_REGISTER_EFER);

        view_set_paging(x->view, view_paging_of(registers->cr0, registers->cr4,
                                                long_mode ? (registers->cr4 >> 5 & 1) << 10 : registers->efer));
    }
    x->cr3 = cr3;
    rc = view_list(x->view, cr3, add_mapping, x);
    end_piece(x);
    if ( rc )
        log_message(LOG_WARNING, NULL, "address space %#" PRIx64 ": %s", cr3,
                    rc == -E2BIG ? "it has more tables than are looked at; the rest is judged as it lies in memory"
                                 : "there are no page tables there");
}

/* Those of vCPUs, each once, and the one that was asked for. */
static void examine_spaces(struct examine *x, uint64_t cr3)
{
    uint64_t done[IMAGE_VCPUS_MAX];
    uint32_t count = 0;

    if ( cr3 )
        examine_space(x, cr3, NULL);
    for ( uint32_t i = 0; !cr3 && i < image_vcpus(x->image); i++ )
    {
        struct av_registers registers;
        uint32_t d = 0;

        if ( image_registers(x->image, i, &registers) || !(registers.known & AV_REGISTER_CONTROL) ||
             !(registers.cr0 >> 31 & 1) )
            continue;
        while ( d < count && done[d] != registers.cr3 )
            d++;
        if ( d < count )
            continue;
        done[count++] = registers.cr3;
        examine_space(x, registers.cr3, &registers);
    }
}

static void examine_frames(struct examine *x)
{
    unsigned char page[AV_PAGE_SIZE];

    x->cr3 = 0;
    for ( uint64_t gfn = image_next(x->image, 0); gfn != UINT64_MAX; gfn = image_next(x->image, gfn + 1) )
        if ( see(x, gfn) && !x->memory->read(x->memory->opaque, gfn, page) )
            add_page(x, gfn * AV_PAGE_SIZE, 0, page, true);
    end_piece(x);
}

/* ---- life ---- */

static int registers_of(void *opaque, uint32_t vcpu, struct av_registers *out)
{
    return image_registers(opaque, vcpu, out);
}

static int each_plugin(char *lines, int (*call)(struct plugins *, const char *, struct plugins_words *),
                       struct plugins *plugins, struct plugins_words *words)
{
    char *copy = strdup(lines), *rest = copy, *line;
    int rc = copy ? 0 : -ENOMEM;

    while ( !rc && (line = strsep(&rest, "\n")) )
        if ( line[0] )
            rc = call(plugins, line, words);
    free(copy);
    return rc;
}

/* The order of it all is that of what is needed: root's eyes for files, then none of root's rights for others' code. */
static int open_plugins(struct examine *x, struct plugins_words *words)
{
    int rc = plugins_open(&x->plugins, x->settings->plugin_directory, say, x);

    if ( !rc )
        rc = each_plugin(x->settings->plugins, plugins_find, x->plugins, words);
    if ( !rc )
        rc = sandbox_drop_user(x->settings->worker_user, words->text, sizeof(words->text));
    if ( !rc )
        rc = each_plugin(x->settings->plugins, plugins_add, x->plugins, words);
    if ( !rc )
        rc = plugins_create(x->plugins, words);
    return rc;
}

static int prepare(struct examine *x, struct plugins_words *words)
{
    const struct judge_place place = { .opaque = x->image, .registers = registers_of };
    struct av_domain domain = {
        .size = sizeof(domain), .flags = AV_DOMAIN_IMAGE, .vcpus = image_vcpus(x->image), .frames = x->memory->frames,
    };
    struct judgement judgement;
    int rc = judge_open(&x->judge, x->plugins, x->memory, &place);

    if ( !rc )
        rc = view_open(&x->view, x->memory);
    /* A bit a frame: 2 MiB for 64 GiB. An ELF header may claim more than there can be memory. */
    x->seen = calloc(x->memory->frames / 8 + 1, 1);
    x->piece = malloc(PIECE_BYTES);
    if ( rc || !x->seen || !x->piece )
    {
        snprintf(words->text, sizeof(words->text), "no memory for an image of %" PRIu64 " frames", x->memory->frames);
        return -ENOMEM;
    }
    rc = sandbox_enter_image(words->text, sizeof(words->text));
    if ( rc )
        return rc;
    judge_attach(x->judge, &domain, UINT64_MAX, &judgement);
    take(x, &judgement);
    return 0;
}

static int summarise(struct examine *x)
{
    bool found = x->findings[AV_SUSPICIOUS] || x->findings[AV_MALICIOUS];

    if ( !x->settings->json )
        fprintf(x->out, "%s: %" PRIu64 " MiB judged, %" PRIu64 " malicious, %" PRIu64 " suspicious%s\n",
                image_kind(x->image), x->scanned >> 20, x->findings[AV_MALICIOUS], x->findings[AV_SUSPICIOUS],
                x->lost ? "; there was more in some pieces than is kept of one" : "");
    if ( x->failed )
        log_message(LOG_WARNING, NULL, "in %" PRIu64 " calls a plugin could not judge", x->failed);
    return fflush(x->out) ? EX_IOERR : found ? EXAMINE_FOUND : x->failed ? EX_SOFTWARE : EX_OK;
}

int examine_run(const struct settings *settings, FILE *out)
{
    struct examine x = { .settings = settings, .out = out };
    struct plugins_words words = { "" };
    struct image_words image_words = { "" };
    uint64_t cr3 = 0;
    int rc, status = EX_OK;

    if ( settings->cr3 )
    {
        char *end;

        errno = 0;
        cr3 = strtoull(settings->cr3, &end, 0);
        if ( errno || *end || !cr3 )
        {
            log_message(LOG_ERR, NULL, "--cr3=%s: it must be a number, such as 0x1a3c000", settings->cr3);
            return EX_USAGE;
        }
    }
    if ( !settings->plugins )
    {
        log_message(LOG_ERR, NULL, "--image needs a --plugin that judges it");
        return EX_USAGE;
    }
    rc = image_open(&x.image, settings->image, &image_words);
    if ( rc )
    {
        log_message(LOG_ERR, NULL, "image %s: %s", settings->image, image_words.text);
        return rc == -ENOENT || rc == -EACCES ? EX_NOINPUT : EX_DATAERR;
    }
    x.memory = image_memory(x.image);

    rc = open_plugins(&x, &words);
    if ( rc )
        status = rc == -EINVAL ? EX_USAGE : EX_UNAVAILABLE;
    else if ( prepare(&x, &words) )
        status = EX_OSERR;
    if ( status )
        log_message(LOG_ERR, NULL, "%s", words.text);
    else
    {
        examine_spaces(&x, cr3);
        examine_frames(&x);
        /* Plugins may have a last word. */
        judge_close(x.judge);
        x.judge = NULL;
        status = summarise(&x);
    }

    judge_close(x.judge);
    view_close(x.view);
    plugins_close(x.plugins);
    image_close(x.image);
    free(x.seen);
    free(x.piece);
    return status;
}

int examine_help(const struct settings *settings, FILE *out)
{
    static const char suffix[] = ":help";
    struct plugins_words words = { "" };
    struct plugins *plugins;
    char *lines, *rest, *line;
    int status = -1;

    if ( !settings->plugins || !strstr(settings->plugins, suffix) )
        return -1;
    lines = rest = strdup(settings->plugins);
    while ( status < 0 && lines && (line = strsep(&rest, "\n")) )
    {
        size_t length = strlen(line);
        char *text;

        if ( length <= strlen(suffix) || strcmp(line + length - strlen(suffix), suffix) )
            continue;
        line[length - strlen(suffix)] = 0;
        status = EX_UNAVAILABLE;
        if ( plugins_open(&plugins, settings->plugin_directory, say, NULL) )
            break;
        text = plugins_help(plugins, line, &words);
        if ( text )
        {
            fputs(text, out);
            status = EX_OK;
        }
        else
            log_message(LOG_ERR, NULL, "%s", words.text);
        free(text);
        plugins_close(plugins);
    }
    free(lines);
    return status;
}
