/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memeventctl: the table of subcommands.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "command.h"

#define PROGRAM  "memeventctl"

static const struct {
    const char *name, *full_name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "paging", PROGRAM " paging", "what the pager does, for each domain and for the host", paging_command },
    { "sharing", PROGRAM " sharing", "what sharing saves, and how it gets on", sharing_command },
    { "av", PROGRAM " av", "which guests are protected, and what was found in them", av_command },
};

#define COMMANDS  (sizeof(commands) / sizeof(commands[0]))

static void show_help(FILE *out)
{
    fputs("Usage: " PROGRAM " COMMAND [ARGUMENT...]\nShows and controls the memory-event daemons of a Xen host.\n\n", out);
    for ( size_t i = 0; i < COMMANDS; i++ )
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n  -?, --help     show this list\n  -V, --version  show the version\n\n'" PROGRAM " COMMAND --help' says more "
          "about one of them.\n", out);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    setlocale(LC_ALL, "");
    if ( word && (!strcmp(word, "--help") || !strcmp(word, "-?") || !strcmp(word, "help")) )
    {
        show_help(stdout);
        return EX_OK;
    }
    if ( word && (!strcmp(word, "--version") || !strcmp(word, "-V")) )
    {
        puts(PROGRAM " " PACKAGE_VERSION);
        return EX_OK;
    }
    for ( size_t i = 0; word && i < COMMANDS; i++ )
    {
        if ( strcmp(word, commands[i].name) )
            continue;
        argv[1] = (char *)commands[i].full_name;
        return commands[i].run(argc - 1, argv + 1);
    }
    if ( word )
        fprintf(stderr, PROGRAM ": there is no command '%s'\n\n", word);
    show_help(stderr);
    return EX_USAGE;
}
