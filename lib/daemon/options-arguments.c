/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line, by argp from the table.
 *
 * argp is kept silent and told never to exit; as it does not say which word it
 * refused, explain() looks again once it has.
 */
#include "config.h"

#include "options-private.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Keys that are no letters.  A setting's own is KEY_SETTING + its index. */
#define KEY_SETTING   0x1000
#define KEY_OPPOSITE  (KEY_SETTING + (int)OPTIONS_SETTINGS_MAX)
#define KEY_GENERATE  (KEY_OPPOSITE + (int)OPTIONS_SETTINGS_MAX)
#define KEY_USAGE     (KEY_GENERATE + 1)

/* Two for a flag, five of our own, one that ends the list. */
#define ENTRIES_MAX   (2 * OPTIONS_SETTINGS_MAX + 6)
/* Help of one setting, with what is allowed and the default. */
#define DOC_BYTES     1024u
/* "no-" and a name, or a name's start. */
#define NAME_BYTES    80u

struct command_line {
    struct options *options;
    struct options_request *request;
    FILE *answers;
    const struct argp *argp;
    int rc;
};

/* What argp wants to have; freed as one. */
struct vocabulary {
    struct argp_option entries[ENTRIES_MAX];
    char docs[OPTIONS_SETTINGS_MAX][DOC_BYTES];
    char opposite_names[OPTIONS_SETTINGS_MAX][NAME_BYTES];
    char opposite_docs[OPTIONS_SETTINGS_MAX][NAME_BYTES + 32];
};

static const struct options_source here = { NULL, 0 };

static void describe(const struct options_setting *setting, char *doc)
{
    char allowed[OPTIONS_ALLOWED_BYTES];

    options_describe_allowed(setting, allowed, sizeof(allowed));

    if ( setting->type == OPTIONS_FLAG )
        snprintf(doc, DOC_BYTES, "%s%s", setting->help,
                 options_has_opposite(setting) && setting->value
                 ? (setting->value[0] == 'y' ? " Default: yes." :
                    " Default: no.") : "");
    else
        snprintf(doc, DOC_BYTES, "%s Allowed: %s.%s%s%s", setting->help,
                 allowed, setting->value ? " Default: " : "",
                 setting->value ? setting->value : "",
                 setting->value ? "." : "");
}

static void build_vocabulary(const struct options_program *program,
                             struct vocabulary *words)
{
    static const struct argp_option own[] = {
        { "config", 'c', "FILE", 0, "Read this configuration file, which must "
          "exist.", -2 },
        { "generate", KEY_GENERATE, "WHAT", OPTION_HIDDEN, "", -2 },
        { "help", '?', NULL, 0, "Show this list.", -1 },
        { "usage", KEY_USAGE, NULL, OPTION_HIDDEN, "", -1 },
        { "version", 'V', NULL, 0, "Show the version.", -1 },
    };
    struct argp_option *entry = words->entries;
    size_t i;

    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];

        if ( !(setting->where & OPTIONS_COMMAND_LINE) )
            continue;

        describe(setting, words->docs[i]);
        *entry++ = (struct argp_option){
            .name = setting->name,
            .key = setting->letter ? setting->letter : KEY_SETTING + (int)i,
            .arg = setting->argument, .doc = words->docs[i],
            .group = 2 * i + 1,     /* the table's order */
        };

        if ( !options_has_opposite(setting) )
            continue;

        snprintf(words->opposite_names[i], NAME_BYTES, "no-%s",
                 setting->name);
        snprintf(words->opposite_docs[i], sizeof(words->opposite_docs[i]),
                 "The opposite of --%s.", setting->name);
        *entry++ = (struct argp_option){
            .name = words->opposite_names[i], .key = KEY_OPPOSITE + (int)i,
            .doc = words->opposite_docs[i], .group = 2 * i + 2,
        };
    }

    memcpy(entry, own, sizeof(own));
}

static const struct options_setting *find_key(const struct options *options,
                                              int key, bool *opposite)
{
    const struct options_program *program = options->program;
    size_t i;

    *opposite = false;

    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];

        if ( !(setting->where & OPTIONS_COMMAND_LINE) )
            continue;

        if ( key == KEY_SETTING + (int)i ||
             (setting->letter && key == setting->letter) )
            return setting;

        if ( key == KEY_OPPOSITE + (int)i )
        {
            *opposite = true;
            return setting;
        }
    }

    return NULL;
}

static error_t take_setting(struct command_line *line, int key,
                            const char *value)
{
    const struct options_setting *setting;
    bool opposite;

    setting = find_key(line->options, key, &opposite);
    if ( !setting )
        return ARGP_ERR_UNKNOWN;

    if ( setting->type == OPTIONS_FLAG )
        value = opposite ? "no" : "yes";

    line->rc = options_take(line->options, setting, &here,
                            OPTIONS_FROM_COMMAND_LINE, value, strlen(value));

    return -line->rc;
}

/* The rest of the command line is not looked at any more. */
static void end_with_answer(struct command_line *line,
                            struct argp_state *state)
{
    line->request->answered = true;
    state->next = state->argc;
}

static void print_help(const struct command_line *line, unsigned int flags)
{
    char name[NAME_BYTES];

    snprintf(name, sizeof(name), "%s", line->options->program->name);
    argp_help(line->argp, line->answers, flags, name);
}

static error_t parse_key(int key, char *value, struct argp_state *state)
{
    struct command_line *line = state->input;

    if ( line->request->answered )
        return 0;

    switch ( key )
    {
    case 'c':
        line->request->config = value;
        return 0;

    case '?':
        print_help(line, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG |
                         ARGP_HELP_DOC);
        end_with_answer(line, state);
        return 0;

    case KEY_USAGE:
        print_help(line, ARGP_HELP_USAGE);
        end_with_answer(line, state);
        return 0;

    case 'V':
        fprintf(line->answers, "%s %s\nGPL-2.0-only; there is no warranty.\n",
                line->options->program->name, PACKAGE_VERSION);
        end_with_answer(line, state);
        return 0;

    case KEY_GENERATE:
        line->rc = options_generate(line->options, value, line->answers);
        if ( line->rc == -EINVAL )
            options_fail(line->options, &here, "--generate: found '%s', "
                         "allowed is mdoc, bash or conf; see --help", value);
        end_with_answer(line, state);
        return -line->rc;

    case ARGP_KEY_ARG:
        line->rc = options_fail(line->options, &here, "found the word '%s', "
                                "allowed are options only; see %s --help",
                                value, line->options->program->name);
        return EINVAL;

    default:
        return take_setting(line, key, value);
    }
}

/* By name or an abbreviation of it; *count is how many it could be. */
static const struct argp_option *find_long(const struct argp_option *entries,
                                           const char *name, size_t length,
                                           unsigned int *count)
{
    const struct argp_option *found = NULL;

    *count = 0;
    for ( ; entries->name; entries++ )
    {
        if ( strncmp(entries->name, name, length) )
            continue;

        found = entries;
        if ( !entries->name[length] )
        {
            *count = 1;
            return found;
        }
        ++*count;
    }

    return found;
}

static const struct argp_option *find_letter(const struct argp_option *entries,
                                             char letter)
{
    for ( ; entries->name; entries++ )
        if ( entries->key == letter )
            return entries;

    return NULL;
}

static void explain_missing(struct options *options,
                            const struct argp_option *entry)
{
    options_fail(options, &here, "--%s: found nothing behind it, allowed is "
                 "--%s=%s; see %s --help", entry->name, entry->name,
                 entry->arg, options->program->name);
}

/* True when this word is the one; *skip when it takes the next word along. */
static bool explain_long(struct options *options,
                         const struct argp_option *entries, const char *word,
                         bool last, bool *skip)
{
    const char *program = options->program->name;
    size_t length = strcspn(word, "=");
    const struct argp_option *entry;
    const struct options_setting *setting;
    unsigned int count;

    entry = find_long(entries, word, length, &count);
    setting = options_find(options, word, length);

    if ( !entry && setting )
        options_fail(options, &here, "--%s: found on the command line, "
                     "allowed is it in the configuration file only; write "
                     "'%s = ...' into %s/%s.conf", setting->name,
                     setting->name, OPTIONS_DIRECTORY, program);
    else if ( !entry )
        options_fail(options, &here, "--%.*s: there is no such option; see "
                     "%s --help for those there are", (int)length, word,
                     program);
    else if ( count > 1 )
        options_fail(options, &here, "--%.*s: found an abbreviation of %u "
                     "options, --%s among them; write it in full",
                     (int)length, word, count, entry->name);
    else if ( !entry->arg && word[length] )
        options_fail(options, &here, "--%s: found '%s', allowed is no value; "
                     "write --%s alone", entry->name, word + length,
                     entry->name);
    else if ( entry->arg && !word[length] && last )
        explain_missing(options, entry);
    else
    {
        *skip = entry->arg && !word[length];
        return false;
    }

    return true;
}

static bool explain_letters(struct options *options,
                            const struct argp_option *entries,
                            const char *word, bool last, bool *skip)
{
    for ( ; *word; word++ )
    {
        const struct argp_option *entry = find_letter(entries, *word);

        if ( !entry )
        {
            options_fail(options, &here, "-%c: there is no such option; see "
                         "%s --help for those there are", *word,
                         options->program->name);
            return true;
        }

        if ( !entry->arg )
            continue;

        if ( !word[1] && last )
        {
            explain_missing(options, entry);
            return true;
        }
        *skip = !word[1];
        break;
    }

    return false;
}

/* Walks the words as getopt did and says which it cannot have liked. */
static void explain(struct options *options,
                    const struct argp_option *entries, int argc, char **argv)
{
    int i;

    for ( i = 1; i < argc; i++ )
    {
        const char *word = argv[i];
        bool last = i + 1 == argc, skip = false;

        if ( word[0] != '-' || !word[1] )
            continue;
        if ( !strcmp(word, "--") )
            break;

        if ( word[1] == '-'
             ? explain_long(options, entries, word + 2, last, &skip)
             : explain_letters(options, entries, word + 1, last, &skip) )
            return;

        i += skip;
    }

    options_fail(options, &here, "the command line cannot be understood; see "
                 "%s --help", options->program->name);
}

int options_parse_arguments(struct options *options, int argc, char **argv,
                            FILE *answers, struct options_request *request)
{
    struct command_line line = { options, request, answers, NULL, 0 };
    struct vocabulary *words = calloc(1, sizeof(*words));
    struct argp argp = { .parser = parse_key };
    char *doc = NULL;
    error_t error;

    options->error[0] = '\0';

    /* \v: what follows goes below the list of options. */
    if ( !words ||
         asprintf(&doc, "%s\vSettings may also stand in the configuration "
                  "file, %s/%s.conf unless --config names another, as 'name "
                  "= value'; the command line goes before it.",
                  options->program->summary, OPTIONS_DIRECTORY,
                  options->program->name) < 0 )
    {
        options_fail(options, &here, "no memory for the command line");
        free(words);
        return -ENOMEM;
    }

    build_vocabulary(options->program, words);
    argp.options = words->entries;
    argp.doc = doc;
    line.argp = &argp;

    error = argp_parse(&argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_ERRS |
                       ARGP_NO_HELP, NULL, &line);

    if ( error && !line.rc )
    {
        line.rc = -error;
        if ( error == ENOMEM )
            options_fail(options, &here, "no memory for the command line");
        else
            explain(options, words->entries, argc, argv);
    }
    else if ( !error && request->answered &&
              (fflush(answers) || ferror(answers)) )
    {
        options_fail(options, &here, "the answer cannot be written: %s",
                     strerror(errno));
        line.rc = -EIO;
    }

    free(words);
    free(doc);

    return line.rc;
}
