/* SPDX-License-Identifier: GPL-2.0-only */
/* See program.h. Carrying the commands out is work.c's and main.c's. */
#include "program.h"

#include <xen/errno.h>

#include "text.h"

struct span {
    const char *at;
    size_t length;
};

enum argument { ARG_NONE, ARG_PASSES, ARG_COUNT_OR_TIME, ARG_COUNT, ARG_TIME, ARG_PAGE_BIT };

#define OPT_RATE    1u
#define OPT_WORKING 2u
#define OPT_VCPUS   4u
#define OPT_WRITE   8u

/* The language's commands; the parser and command_name() read nothing else. */
static const struct form {
    const char *name;
    enum argument argument;
    unsigned int options;
} forms[COMMAND_KINDS] = {
    [COMMAND_FILL]   = { "fill", ARG_NONE, OPT_VCPUS },
    [COMMAND_VERIFY] = { "verify", ARG_NONE, OPT_VCPUS },
    [COMMAND_SEQ]    = { "seq", ARG_PASSES, OPT_RATE | OPT_WORKING | OPT_VCPUS | OPT_WRITE },
    [COMMAND_RAND]   = { "rand", ARG_COUNT_OR_TIME, OPT_RATE | OPT_WORKING | OPT_VCPUS | OPT_WRITE },
    [COMMAND_STORM]  = { "storm", ARG_COUNT_OR_TIME, OPT_RATE | OPT_WORKING | OPT_VCPUS },
    [COMMAND_CALL]   = { "call", ARG_COUNT, OPT_RATE | OPT_WORKING | OPT_VCPUS },
    [COMMAND_EXEC]   = { "exec", ARG_PASSES, OPT_RATE | OPT_WORKING | OPT_VCPUS },
    [COMMAND_REQUEST] = { "request", ARG_COUNT, OPT_RATE | OPT_VCPUS },
    [COMMAND_IDLE]   = { "idle", ARG_TIME, 0 },
    [COMMAND_EVENTS] = { "events", ARG_COUNT, 0 },
    [COMMAND_EVENT_FUZZ] = { "event-fuzz", ARG_COUNT, 0 },
    [COMMAND_SUSPEND] = { "suspend", ARG_NONE, 0 },
    [COMMAND_REPORT] = { "report", ARG_NONE, 0 },
    [COMMAND_FLIP]   = { "flip", ARG_PAGE_BIT, 0 },
    [COMMAND_WAIT]   = { "wait", ARG_NONE, 0 },
    [COMMAND_STOP]   = { "stop", ARG_NONE, 0 },
};

/* As much of a refused word as a sentence quotes. */
#define QUOTE_MAX 48

static int refuse(char *why, const char *reason, struct span what)
{
    int most = what.length < QUOTE_MAX ? (int)what.length : QUOTE_MAX;

    text_print(why, PROGRAM_WHY_MAX, "%s: '%.*s'", reason, most, what.at);

    return -XEN_EINVAL;
}

static bool span_is(struct span s, const char *word)
{
    size_t i;

    for ( i = 0; i < s.length && word[i]; i++ )
        if ( s.at[i] != word[i] )
            return false;

    return i == s.length && !word[i];
}

/* Splits off what is before the first of @separators; false when there was none. */
static bool span_split(struct span *rest, struct span *head, const char *separators)
{
    size_t i, j;

    for ( i = 0; i < rest->length; i++ )
        for ( j = 0; separators[j]; j++ )
            if ( rest->at[i] == separators[j] )
            {
                *head = (struct span){ rest->at, i };
                rest->at += i + 1;
                rest->length -= i + 1;
                return true;
            }

    *head = *rest;
    *rest = (struct span){ rest->at + rest->length, 0 };

    return false;
}

static struct span span_trim(struct span s)
{
    while ( s.length && s.at[0] == ' ' )
        s.at++, s.length--;
    while ( s.length && s.at[s.length - 1] == ' ' )
        s.length--;

    return s;
}

/* Decimal, or hexadecimal after 0x, from @least to @most; nothing before or behind. */
static bool parse_number(struct span s, uint64_t least, uint64_t most, uint64_t *out)
{
    unsigned int base = 10, digit;
    uint64_t value = 0;

    if ( s.length > 2 && s.at[0] == '0' && s.at[1] == 'x' )
    {
        base = 16;
        s.at += 2;
        s.length -= 2;
    }

    if ( !s.length )
        return false;

    for ( ; s.length; s.at++, s.length-- )
    {
        char c = *s.at;

        if ( c >= '0' && c <= '9' )
            digit = c - '0';
        else if ( base == 16 && c >= 'a' && c <= 'f' )
            digit = c - 'a' + 10;
        else
            return false;

        if ( value > (most - digit) / base || digit > most )
            return false;
        value = value * base + digit;
    }

    *out = value;

    return value >= least;
}

static bool parse_u32(struct span s, uint64_t least, uint32_t most, uint32_t *out)
{
    uint64_t value;

    if ( !parse_number(s, least, most, &value) )
        return false;
    *out = value;

    return true;
}

/* 30s, 500ms */
static bool parse_time(struct span s, uint64_t *ms)
{
    uint64_t unit = 1000;

    if ( !s.length || s.at[--s.length] != 's' )
        return false;
    if ( s.length && s.at[s.length - 1] == 'm' )
    {
        s.length--;
        unit = 1;
    }
    if ( !parse_number(s, 1, PROGRAM_MS_MAX / unit, ms) )
        return false;
    *ms *= unit;

    return true;
}

static bool parse_page_bit(struct span s, uint64_t *page, uint32_t *bit)
{
    struct span head;

    return span_split(&s, &head, ":") && parse_number(head, 0, PROGRAM_COUNT_MAX, page) &&
           parse_u32(s, 0, PATTERN_PAGE_BITS - 1, bit);
}

static bool parse_argument(enum argument argument, bool given, struct span s, struct command *c)
{
    switch ( argument )
    {
    case ARG_NONE:
        return !given;

    case ARG_PASSES:
        c->count = 1;
        return !given || parse_number(s, 1, PROGRAM_COUNT_MAX, &c->count);

    case ARG_COUNT:
        return parse_number(s, 1, PROGRAM_COUNT_MAX, &c->count);

    case ARG_COUNT_OR_TIME:
        return parse_time(s, &c->ms) || parse_number(s, 1, PROGRAM_COUNT_MAX, &c->count);

    case ARG_TIME:
        return parse_time(s, &c->ms);

    case ARG_PAGE_BIT:
        return parse_page_bit(s, &c->count, &c->bit);
    }

    return false;
}

static int parse_command_option(struct span word, unsigned int allowed, struct command *c, char *why)
{
    struct span value = word, name;
    bool has_value = span_split(&value, &name, "=");
    unsigned int option;
    bool valid;

    if ( span_is(name, "rate") )
    {
        option = OPT_RATE;
        valid = has_value && parse_u32(value, 1, PROGRAM_RATE_MAX, &c->rate);
    }
    else if ( span_is(name, "working") )
    {
        option = OPT_WORKING;
        valid = has_value && parse_u32(value, 1, PROGRAM_MEM_MIB_MAX, &c->working_mib);
    }
    else if ( span_is(name, "vcpus") )
    {
        option = OPT_VCPUS;
        valid = has_value && parse_u32(value, 1, UINT32_MAX, &c->vcpus);
    }
    else if ( span_is(name, "write") || span_is(name, "read") )
    {
        option = OPT_WRITE;
        c->write = name.at[0] == 'w';
        valid = !has_value;
    }
    else
        return refuse(why, "unknown option of a command", word);

    if ( !(allowed & option) )
        return refuse(why, "this command has no such option", word);

    return valid ? 0 : refuse(why, "bad value", word);
}

static int parse_command(struct span text, struct command *c, char *why)
{
    struct span rest = text, word, name;
    unsigned int kind;
    bool more, given;
    int rc;

    *c = (struct command){ 0 };
    more = span_split(&rest, &word, "/ ");
    given = span_split(&word, &name, ":");

    for ( kind = 0; kind < COMMAND_KINDS; kind++ )
        if ( span_is(name, forms[kind].name) )
            break;
    if ( span_is(name, "flip-bit") )
        kind = COMMAND_FLIP;
    if ( kind == COMMAND_KINDS )
        return refuse(why, "unknown command", name);

    c->kind = kind;
    if ( !parse_argument(forms[kind].argument, given, word, c) )
        return refuse(why, "bad or missing argument of a command", text);

    while ( more )
    {
        more = span_split(&rest, &word, "/ ");
        if ( !word.length )             /* several blanks in a row */
            continue;
        rc = parse_command_option(word, forms[kind].options, c, why);
        if ( rc )
            return rc;
    }

    return 0;
}

int program_parse(struct program *out, const char *text, size_t length, char *why)
{
    struct span rest = { text, length }, one;
    bool more;
    int rc;

    out->count = 0;
    do {
        more = span_split(&rest, &one, ",");
        if ( out->count == PROGRAM_COMMANDS_MAX )
            return refuse(why, "too many commands, from", one);
        rc = parse_command(span_trim(one), &out->commands[out->count], why);
        if ( rc )
            return rc;
        out->count++;
    } while ( more );

    return 0;
}

/* zero:25,text:50,random:25 */
static bool parse_mix(struct span text, struct pattern *pattern)
{
    struct span one, name;
    unsigned int kind, sum = 0;
    uint32_t percent;
    bool more;

    for ( kind = 0; kind < PATTERN_KINDS; kind++ )
        pattern->percent[kind] = 0;

    do {
        more = span_split(&text, &one, ",");
        if ( !span_split(&one, &name, ":") || !parse_u32(one, 1, 100, &percent) )
            return false;
        for ( kind = 0; kind < PATTERN_KINDS; kind++ )
            if ( span_is(name, pattern_kind_name(kind)) )
                break;
        if ( kind == PATTERN_KINDS || pattern->percent[kind] )
            return false;
        pattern->percent[kind] = percent;
        sum += percent;
    } while ( more );

    return sum == 100;
}

/* N:PERCENT */
static bool parse_own(struct span text, struct pattern *pattern)
{
    struct span name;
    uint32_t percent;

    if ( !span_split(&text, &name, ":") || !parse_number(name, 0, UINT64_MAX, &pattern->own) ||
         !parse_u32(text, 1, 100, &percent) )
        return false;
    pattern->own_percent = percent;

    return true;
}

/* The kernel command line's words; each may be given once. */
enum word { WORD_MEM, WORD_SEED, WORD_MIX, WORD_RUN, WORD_LOOP, WORD_RATE, WORD_WORKING, WORD_SLOW,
            WORD_FLIP, WORD_OWN, WORD_EVENTS, WORDS };

static const char *const words[WORDS] = {
    "mem", "seed", "mix", "run", "loop", "rate", "working", "slow", "flip", "own", "events",
};

static const char *const event_abis[EVENTS_ABIS] = { "2l", "fifo", "n2", "n3", "n4" };

static bool parse_events(struct options *o, struct span value)
{
    o->events = true;
    for ( o->events_abi = 0; o->events_abi < EVENTS_ABIS; o->events_abi++ )
        if ( span_is(value, event_abis[o->events_abi]) )
            return true;

    return false;
}

static int parse_word(struct options *o, unsigned int word, struct span value, struct span whole,
                      char *why)
{
    bool valid = false;

    switch ( word )
    {
    case WORD_MEM:
        valid = parse_u32(value, 1, PROGRAM_MEM_MIB_MAX, &o->mem_mib);
        break;

    case WORD_SEED:
        valid = parse_number(value, 0, UINT64_MAX, &o->pattern.seed);
        break;

    case WORD_MIX:
        if ( !parse_mix(value, &o->pattern) )
            return refuse(why, "mix= takes zero, same, text, random with percentages that make 100",
                          whole);
        return 0;

    case WORD_RUN:
        return program_parse(&o->program, value.at, value.length, why);

    case WORD_LOOP:
        o->loops = 0;
        valid = span_is(value, "forever") || parse_number(value, 1, PROGRAM_COUNT_MAX, &o->loops);
        break;

    case WORD_RATE:
        valid = parse_u32(value, 1, PROGRAM_RATE_MAX, &o->rate);
        break;

    case WORD_WORKING:
        valid = parse_u32(value, 1, PROGRAM_MEM_MIB_MAX, &o->working_mib);
        break;

    case WORD_SLOW:
        valid = parse_u32(value, 1, PROGRAM_SLOW_US_MAX, &o->slow_us);
        break;

    case WORD_FLIP:
        o->flip = true;
        valid = parse_page_bit(value, &o->flip_page, &o->flip_bit);
        break;

    case WORD_OWN:
        valid = parse_own(value, &o->pattern);
        break;

    case WORD_EVENTS:
        valid = parse_events(o, value);
        break;
    }

    return valid ? 0 : refuse(why, "bad value", whole);
}

int options_parse(struct options *out, const char *text, char *why)
{
    static const char run[] = "fill,verify";
    struct span rest = { text, 0 }, whole, value, name;
    unsigned int word, seen = 0, i;
    bool more;
    int rc;

    *out = (struct options){ .loops = 1, .pattern = { .seed = 1,
        .percent = { [PATTERN_ZERO] = 25, [PATTERN_TEXT] = 50, [PATTERN_RANDOM] = 25 } } };

    while ( text[rest.length] )
        if ( ++rest.length >= PROGRAM_TEXT_MAX )
            return refuse(why, "the command line is too long", (struct span){ text, QUOTE_MAX });

    do {
        more = span_split(&rest, &whole, " ");
        if ( !whole.length )
            continue;

        value = whole;
        if ( !span_split(&value, &name, "=") )
            return refuse(why, "not name=value", whole);
        for ( word = 0; word < WORDS; word++ )
            if ( span_is(name, words[word]) )
                break;
        if ( word == WORDS )
            return refuse(why, "unknown option", whole);
        if ( seen & (1u << word) )
            return refuse(why, "given twice", whole);
        seen |= 1u << word;

        rc = parse_word(out, word, value, whole, why);
        if ( rc )
            return rc;
    } while ( more );

    if ( !(seen & (1u << WORD_RUN)) )
        program_parse(&out->program, run, sizeof(run) - 1, why);

    for ( i = 0; i < out->program.count; i++ )
        command_set_defaults(&out->program.commands[i], out);

    return 0;
}

void command_set_defaults(struct command *command, const struct options *options)
{
    unsigned int allowed = forms[command->kind].options;

    if ( (allowed & OPT_RATE) && !command->rate )
        command->rate = options->rate;
    if ( (allowed & OPT_WORKING) && !command->working_mib )
        command->working_mib = options->working_mib;
}

int command_check(const struct command *command, const struct limits *limits, char *why)
{
    const char *name = forms[command->kind].name;
    uint64_t working = (uint64_t)command->working_mib * (1024 * 1024 / PATTERN_PAGE_BYTES);
    const char *reason = NULL;

    if ( command->vcpus > limits->vcpus )
        reason = "more vcpus than there are";
    else if ( working > limits->pages )
        reason = "working is larger than the work area";
    else if ( command->kind == COMMAND_FLIP && command->count >= limits->pages )
        reason = "the page is outside the work area";
    else if ( (command->kind == COMMAND_EVENTS || command->kind == COMMAND_EVENT_FUZZ) && !limits->channels )
        reason = "the command line does not say events=";
    else if ( command->kind == COMMAND_EVENTS && command->count > limits->channels )
        reason = "more channels than the ABI has";
    else if ( command->kind == COMMAND_SUSPEND && limits->vcpus > 1 )
        reason = "only with one vcpu";

    if ( !reason )
        return 0;

    text_print(why, PROGRAM_WHY_MAX, "%s: %s (%lu pages, %u vcpus)", name, reason,
               (unsigned long)limits->pages, limits->vcpus);

    return -XEN_EINVAL;
}

const char *command_name(enum command_kind kind)
{
    return forms[kind].name;
}
