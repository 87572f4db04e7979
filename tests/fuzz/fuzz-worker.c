/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as what a worker writes into its piece of memory, between looks of the broker. Whatever is there, what the broker takes
 * out of it is bounded, its texts end, and a result comes only for a request that is under way.
 *
 * An input is a list of orders: what (0), place (1..2, of the piece, in fours), value (3..6), little-endian.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FUZZ_TARGET "worker"
#include "fuzz.h"

#include "daemons/av-introspect/process.h"

#define ORDER_BYTES 7u

enum order { POKE, LOOK, BEGIN, DONE, ASK, LINES, FILL, ORDERS };

static void check_text(const char *text, size_t size)
{
    REQUIRE(memchr(text, 0, size));
}

static void check(const struct judgement *judgement)
{
    REQUIRE(judgement->count <= AV_FINDINGS_MAX && judgement->verdict <= AV_MALICIOUS);
    for ( uint32_t i = 0; i < judgement->count; i++ )
    {
        const struct judge_finding *f = &judgement->findings[i];

        REQUIRE(f->verdict <= judgement->verdict);
        check_text(f->plugin, sizeof(f->plugin));
        check_text(f->rule, sizeof(f->rule));
        check_text(f->text, sizeof(f->text));
        check_text(f->process.name, sizeof(f->process.name));
        check_text(f->process.path, sizeof(f->process.path));
    }
}

/* As workers-life.c does. false: it would be ended. */
static bool look(struct process *process)
{
    static struct judgement judgement;
    struct request_line line;
    uint32_t lost, before = process->done;
    uint64_t gfns[REQUEST_FRAMES], nanoseconds;
    unsigned int found = process_look(process, &judgement, &nanoseconds);

    for ( unsigned int i = 0; process_line(process, &line, &lost); i++ )
    {
        REQUIRE(i < REQUEST_LINES && line.plugin <= PLUGINS_MAX);
        check_text(line.text, sizeof(line.text));
    }
    REQUIRE(process_plugin(process) <= PLUGINS_MAX);
    if ( found & PROCESS_NONSENSE )
        return false;
    if ( found & PROCESS_DONE )
    {
        REQUIRE(!(found & PROCESS_ASKS) && process->done == process->sequence && before != process->done);
        check(&judgement);
    }
    if ( found & PROCESS_ASKS )
    {
        uint32_t count = process_gfns(process, gfns);
        int32_t *status;

        REQUIRE(count <= REQUEST_FRAMES);
        memset(process_frames(process, &status), 0, (size_t)count * AV_PAGE_SIZE);
        memset(status, 0, count * sizeof(*status));
        process_answer(process);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct av_domain domain = { .size = sizeof(domain) };
    struct process process;
    bool alive = true;

    REQUIRE(!process_open(&process, &domain));
    for ( ; alive && size >= ORDER_BYTES; data += ORDER_BYTES, size -= ORDER_BYTES )
    {
        struct request_out *out = process.out;
        uint16_t place;
        uint32_t value;

        memcpy(&place, data + 1, sizeof(place));
        memcpy(&value, data + 3, sizeof(value));
        switch ( data[0] % ORDERS )
        {
        case POKE:
            memcpy((unsigned char *)out + place * 4 % (sizeof(*out) & ~3u), &value, sizeof(value));
            break;
        case LOOK:
            alive = look(&process);
            break;
        case BEGIN:
            /* The broker gives nothing new while there is something under way. */
            if ( process.done == process.sequence )
                process_begin(&process);
            break;
        case DONE:
            out->ready = 1;
            out->judgement.count = place;
            out->judgement.verdict = value;
            out->done = process.sequence;
            alive = look(&process);
            break;
        case ASK:
            out->question++;
            out->question_count = value;
            alive = look(&process);
            break;
        case LINES:
            out->lines_count += value;
            break;
        case FILL:
            memset(&out->judgement.findings[place % AV_FINDINGS_MAX], value, sizeof(out->judgement.findings[0]));
            memset(&out->lines[place % REQUEST_LINES], value, sizeof(out->lines[0]));
            break;
        }
    }
    process_close(&process);
    return 0;
}
