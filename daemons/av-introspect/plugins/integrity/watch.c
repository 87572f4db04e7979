/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports. What is the same is told by rule and text, so that another entry of the same table is another report.
 */
#include "watch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

/* Adds the module that `to` is in. Many entries of a table may lead to the same one. */
static void add_module(struct look *look, uint64_t to, char text[AV_TEXT_BYTES])
{
    const struct module *module = &look->module;
    size_t length = strlen(text);

    if ( to - module->start >= module->bytes )
    {
        if ( look->walks == LOOK_WALKS_MAX )
            return;
        if ( modules_find(&look->watch->kernel, &look->reader, to, &look->module) )
        {
            look->walks++;
            look->module.bytes = 0;
            return;
        }
    }
    snprintf(text + length, AV_TEXT_BYTES - length, ", in module %s", module->name);
}

/* to 0: it leads nowhere. */
static void report(struct look *look, struct av_finding *finding, uint64_t to, const char *format, va_list args)
{
    struct watch *w = look->watch;
    char text[AV_TEXT_BYTES];
    int verdict = finding->verdict;
    uint64_t key;

    vsnprintf(text, sizeof(text), format, args);
    key = XXH3_64bits_withSeed(text, strlen(text), XXH3_64bits(finding->rule, strlen(finding->rule)));
    for ( uint32_t i = 0; i < w->reported_count; i++ )
        if ( w->reported[i] == key )
            return;
    if ( to )
        add_module(look, to, text);
    /* What was said before is no verdict of this look: whoever acts on it has done so. */
    if ( look->verdict < verdict )
        look->verdict = verdict;
    finding->text = text;
    if ( !w->host->report(look->reader.call, finding) && w->reported_count < WATCH_REPORTED_MAX )
        w->reported[w->reported_count++] = key;
}

void look_report(struct look *look, int verdict, const char *rule, uint64_t address, const struct av_process *process,
                 const char *format, ...)
{
    struct av_finding finding = {
        .size = sizeof(finding), .verdict = verdict, .rule = rule, .address = address, .process = process,
    };
    va_list args;

    va_start(args, format);
    report(look, &finding, 0, format, args);
    va_end(args);
}

void look_report_lead(struct look *look, const char *rule, uint64_t address, uint64_t to, const char *format, ...)
{
    struct av_finding finding = { .size = sizeof(finding), .verdict = AV_MALICIOUS, .rule = rule, .address = address };
    va_list args;

    va_start(args, format);
    report(look, &finding, to, format, args);
    va_end(args);
}

const char *look_name(const struct look *look, uint64_t address, char out[SYMBOLS_NAME_BYTES + 24])
{
    const struct kernel *kernel = &look->watch->kernel;
    struct symbol symbol;

    if ( kernel->symbols && !symbols_at(kernel->symbols, address, &symbol, NULL) && address >= kernel->place.text &&
         address < kernel->place.text + PLACE_BYTES_MAX )
        snprintf(out, SYMBOLS_NAME_BYTES + 24, "%s+%#" PRIx64, symbol.name, address - symbol.address);
    else
        snprintf(out, SYMBOLS_NAME_BYTES + 24, "%#" PRIx64, address);
    return out;
}
