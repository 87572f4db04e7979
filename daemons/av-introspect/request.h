/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * request: the memory that broker and worker share, and what goes between broker and loader. One page of requests at a time: a
 * worker has at most one, so that it is known what it died of.
 *
 * There are two pieces, each written by one side only; the worker's mapping of the broker's piece is read-only, and
 * neither can be made smaller. Who wants something writes it, then the sequence number behind which it lies (release), then
 * signals the other's eventfd; who is woken reads that number (acquire).
 *
 * The worker trusts the broker. The broker believes nothing: it copies once, checks the copy and uses only the copy.
 */
#ifndef AV_REQUEST_H
#define AV_REQUEST_H

#include <stdint.h>

#include <av-introspect/plugin.h>

#include "judge.h"
#include "plugins.h"

#define REQUEST_MAGIC      0x61765157u  /* "WQva" */
#define REQUEST_VERSION    1u

/* Frames that one question asks for; a worker reads on ahead when it reads in order. */
#define REQUEST_FRAMES     64u

/* Frames that a worker may have for one request; 256 MiB, more than any kernel's text and data. */
#define REQUEST_READS_MAX  65536u

/* Lines of plugins' words that are kept between two looks of the broker; further ones are counted. */
#define REQUEST_LINES      16u

enum request_kind {
    REQUEST_PAGE = 1,
    REQUEST_EVENT,
    REQUEST_TICK,
    REQUEST_STOP,                       /* detach and end; nothing is answered */
};

/*
 * Broker's piece.
 *      0  magic, version; the domain (struct av_domain)
 *    512  sequence of the request, kind, who, hang limit; event, registers
 *   4096  page
 *   8192  sequence of the question that is answered; a status for each frame
 *  12288  frames
 */
struct request_in {
    uint32_t magic, version;
    struct av_domain domain;
    uint8_t  pad0[512 - 8 - sizeof(struct av_domain)];

    uint32_t sequence;                  /* never 0; the fields behind it belong to it */
    uint32_t kind;
    uint32_t who;                       /* enum judge_who */
    uint32_t has_registers;
    uint64_t deadline;                  /* view_now() */
    struct av_event event;
    struct av_registers registers;
    uint8_t  pad1[4096 - 512 - 24 - sizeof(struct av_event) - sizeof(struct av_registers)];

    uint8_t  page[AV_PAGE_SIZE];

    uint32_t answered;
    uint32_t pad2;
    int32_t  status[REQUEST_FRAMES];
    uint8_t  pad3[4096 - 8 - 4 * REQUEST_FRAMES];

    uint8_t  frames[REQUEST_FRAMES][AV_PAGE_SIZE];
};
_Static_assert(offsetof(struct request_in, sequence) == 512, "layout");
_Static_assert(offsetof(struct request_in, page) == 4096, "layout");
_Static_assert(offsetof(struct request_in, answered) == 8192, "layout");
_Static_assert(offsetof(struct request_in, frames) == 12288, "layout");

struct request_line {
    uint32_t level;
    uint32_t plugin;                    /* index */
    char text[AV_TEXT_BYTES];
};

/*
 * Worker's piece.
 *      0  ready (1: attached), plugin that is asked now (PLUGINS_MAX: none)
 *      8  question: sequence, frames it is about
 *   1024  lines, and how many there ever were
 *   8192  sequence of the request that is done, nanoseconds it took, judgement
 */
struct request_out {
    uint32_t ready;
    uint32_t asked;
    uint32_t question;                  /* never 0 */
    uint32_t question_count;
    uint64_t question_gfns[REQUEST_FRAMES];
    uint8_t  pad0[1024 - 16 - 8 * REQUEST_FRAMES];

    uint32_t lines_count;
    uint32_t pad1;
    struct request_line lines[REQUEST_LINES];
    uint8_t  pad2[8192 - 1024 - 8 - REQUEST_LINES * sizeof(struct request_line)];

    uint32_t done;
    uint32_t pad3;
    uint64_t nanoseconds;
    struct judgement judgement;
};
_Static_assert(offsetof(struct request_out, lines_count) == 1024, "layout");
_Static_assert(offsetof(struct request_out, done) == 8192, "layout");

/* ---- the loader, over a socket that keeps messages whole ---- */

enum loader_kind {
    LOADER_PLUGIN = 1,                  /* to it: text is a spec, before anything else */
    LOADER_CREATE,                      /* to it: text is the user's name; answered by READY or REFUSED */
    LOADER_START,                       /* to it: a worker, with four descriptors: in, out, wake, tell. STARTED */
    LOADER_RELOAD,                      /* to it: answered by READY or REFUSED, then all is as before */
    LOADER_READY,                       /* from it: generation, decide, notify, tick_ms */
    LOADER_REFUSED,                     /* from it: status, and text says why */
    LOADER_STARTED,                     /* from it: tag, and pid or a status */
    LOADER_LINE,                        /* from it: level, text of a plugin */
    LOADER_NAME,                        /* from it: text is the name of plugin number `tag`; before READY */
};

struct loader_message {
    uint32_t kind;
    int32_t  status;                    /* -errno, a pid, a level */
    uint64_t tag;                       /* START: the broker's; STARTED has it again */
    uint64_t generation;
    uint64_t memory;                    /* START: octets that the worker may have more than the loader */
    uint32_t decide, notify;
    uint32_t tick_ms;                   /* shortest of all; 0: none wants any */
    uint32_t pad;
    char     text[PLUGINS_SPEC_BYTES];
};

#endif /* AV_REQUEST_H */
