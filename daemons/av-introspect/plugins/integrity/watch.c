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

void look_report(struct look *look, int verdict, const char *rule, uint64_t address, const struct av_process *process,
                 const char *format, ...)
{
    struct watch *w = look->watch;
    struct av_finding finding = {
        .size = sizeof(finding), .verdict = verdict, .rule = rule, .address = address, .process = process,
    };
    char text[AV_TEXT_BYTES];
    uint64_t key;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    key = XXH3_64bits_withSeed(text, strlen(text), XXH3_64bits(rule, strlen(rule)));
    for ( uint32_t i = 0; i < w->reported_count; i++ )
        if ( w->reported[i] == key )
            return;
    /* What was said before is no verdict of this look: whoever acts on it has done so. */
    if ( look->verdict < verdict )
        look->verdict = verdict;
    finding.text = text;
    if ( !w->host->report(look->reader.call, &finding) && w->reported_count < WATCH_REPORTED_MAX )
        w->reported[w->reported_count++] = key;
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
