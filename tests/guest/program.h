/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command language (README.md has its table): the kernel command line's options and the
 * commands of run= and of the console. Everything in it is taken as hostile: a word is understood
 * completely or the whole is refused in words. Pure; also compiled natively for its test.
 */
#ifndef TESTS_GUEST_PROGRAM_H
#define TESTS_GUEST_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pattern.h"

/* Longer than any test needs; a longer line is refused and not cut. */
#define PROGRAM_TEXT_MAX        1024
#define PROGRAM_COMMANDS_MAX    64
#define PROGRAM_WHY_MAX         160

/* What can be asked without any sum or product of it running over 64 bits. */
#define PROGRAM_COUNT_MAX       (1ull << 40)
#define PROGRAM_RATE_MAX        10000000u
#define PROGRAM_MS_MAX          (7ull * 24 * 3600 * 1000)
#define PROGRAM_SLOW_US_MAX     1000000u
#define PROGRAM_MEM_MIB_MAX     4096u

enum command_kind {
    COMMAND_FILL,
    COMMAND_VERIFY,
    COMMAND_SEQ,
    COMMAND_RAND,
    COMMAND_STORM,
    COMMAND_CALL,
    COMMAND_EXEC,
    COMMAND_REQUEST,
    COMMAND_TIMED_KINDS,            /* those before this one touch pages and are timed */
    COMMAND_IDLE = COMMAND_TIMED_KINDS,
    COMMAND_EVENTS,
    COMMAND_EVENT_FUZZ,
    COMMAND_SUSPEND,
    COMMAND_REPORT,
    COMMAND_FLIP,
    COMMAND_WAIT,
    COMMAND_STOP,
    COMMAND_KINDS
};

/* What event channels are used by; see events.h. */
enum events_abi { EVENTS_2L, EVENTS_FIFO, EVENTS_N2, EVENTS_N3, EVENTS_N4, EVENTS_ABIS };

struct command {
    enum command_kind kind;
    uint64_t count;                 /* touches, passes; FLIP: the page; EVENTS: channels; EVENT_FUZZ: calls. 0 when ms is set */
    uint64_t ms;
    uint32_t bit;                   /* FLIP: in the page */
    uint32_t rate;                  /* touches a second, all vCPUs together; 0: as fast as it goes */
    uint32_t working_mib;           /* touches stay in the first so many MiB; 0: everywhere */
    uint32_t vcpus;                 /* 0: the command's own number */
    bool write;
};

struct program {
    unsigned int count;
    struct command commands[PROGRAM_COMMANDS_MAX];
};

struct options {
    struct pattern pattern;
    uint32_t mem_mib;               /* 0: all there is */
    uint32_t slow_us;               /* 0: chosen from the measured baseline */
    uint64_t loops;                 /* 0: for ever */
    uint32_t rate;                  /* for commands that do not say */
    uint32_t working_mib;           /* likewise */
    bool flip;                      /* once, before the first verify */
    uint64_t flip_page;
    uint32_t flip_bit;
    bool events;                    /* said which ABI */
    enum events_abi events_abi;
    struct program program;
};

/* What the machine has, once that is known. */
struct limits {
    uint64_t pages;
    unsigned int vcpus;
    uint32_t channels;              /* 0: no ABI was said */
};

/* Each returns 0 or -XEN_EINVAL with a sentence in @why, which has PROGRAM_WHY_MAX octets. */
int options_parse(struct options *out, const char *text, char *why);
int program_parse(struct program *out, const char *text, size_t length, char *why);
int command_check(const struct command *command, const struct limits *limits, char *why);

void command_set_defaults(struct command *command, const struct options *options);
const char *command_name(enum command_kind kind);

#endif
