/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is made from the table for others to read: the man page's list, bash
 * completion, and a configuration file in which every line is a comment.
 */
#include "options-private.h"

#include <errno.h>
#include <string.h>

/* Width of a comment in the example file. */
#define COMMENT_COLUMNS   76u

static bool on_command_line(const struct options_setting *setting)
{
    return setting->where & OPTIONS_COMMAND_LINE;
}

/* One sentence a line, as mdoc likes it; nothing in it is a macro. */
static void write_mdoc_text(const char *text, const char *end, FILE *out)
{
    bool line_start = true;

    for ( ; *text; text++ )
    {
        if ( line_start && *text == ' ' )
            continue;
        if ( line_start && (*text == '.' || *text == '\'') )
            fputs("\\&", out);

        if ( *text == '\\' )
            fputs("\\e", out);
        else if ( *text == '-' )
            fputs("\\-", out);
        else
            fputc(*text, out);

        line_start = *text == '.' && text[1] == ' ';
        if ( line_start )
            fputc('\n', out);
    }

    fprintf(out, "%s\n", end);
}

static void write_mdoc_setting(const struct options_setting *setting,
                               FILE *out)
{
    char allowed[OPTIONS_ALLOWED_BYTES];

    fputs(".It ", out);
    if ( on_command_line(setting) && setting->letter )
        fprintf(out, "Fl %c%s%s , ", setting->letter,
                setting->argument ? " Ar " : "",
                setting->argument ? setting->argument : "");
    if ( on_command_line(setting) )
        fprintf(out, "Fl \\-%s", setting->name);
    else
        fprintf(out, "Cm %s", setting->name);
    if ( setting->argument )
        fprintf(out, " Ns = Ns Ar %s", setting->argument);
    fputc('\n', out);

    write_mdoc_text(setting->help, "", out);

    if ( setting->type != OPTIONS_FLAG )
    {
        options_describe_allowed(setting, allowed, sizeof(allowed));
        fputs("Allowed: ", out);
        write_mdoc_text(allowed, ".", out);
    }
    if ( on_command_line(setting) && options_has_opposite(setting) )
        fprintf(out, "The opposite is\n.Fl \\-no\\-%s .\n", setting->name);
    if ( setting->value )
    {
        fputs("Default: ", out);
        write_mdoc_text(setting->value, ".", out);
    }

    if ( !(setting->where & OPTIONS_FILE) )
        fputs("Only on the command line.\n", out);
    else if ( !on_command_line(setting) )
        fputs("Only in the configuration file.\n", out);
}

static void write_mdoc(const struct options_program *program, FILE *out)
{
    size_t i;

    fprintf(out, ".\\\" Written by %s --generate=mdoc.\n"
            ".Bl -tag -width Ds\n", program->name);

    for ( i = 0; i < program->settings_count; i++ )
        write_mdoc_setting(&program->settings[i], out);

    fputs(".It Fl c Ar FILE , Fl \\-config Ns = Ns Ar FILE\n"
          "Read this configuration file, which must exist.\n"
          ".It Fl \\&? , Fl \\-help\n"
          "Show the list of options.\n"
          ".It Fl V , Fl \\-version\n"
          "Show the version.\n"
          ".El\n", out);
}

/* Program and setting names are letters, digits and '-': safe in a shell, and
 * '-' becomes '_' in a function's name. */
static void write_function_name(const char *name, FILE *out)
{
    fputc('_', out);
    for ( ; *name; name++ )
        fputc(*name == '-' ? '_' : *name, out);
}

static void write_bash_values(const struct options_program *program,
                              FILE *out)
{
    size_t i, j;

    fputs("    case $prev in\n"
          "    --config | -c)\n"
          "        _filedir\n"
          "        return\n"
          "        ;;\n", out);

    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];

        if ( !on_command_line(setting) || !setting->argument )
            continue;

        fprintf(out, "    --%s", setting->name);
        if ( setting->letter )
            fprintf(out, " | -%c", setting->letter);
        fputs(")\n", out);

        if ( setting->type == OPTIONS_PATH )
            fputs("        _filedir\n", out);
        else if ( setting->type == OPTIONS_WORD )
        {
            fputs("        COMPREPLY=( $(compgen -W '", out);
            for ( j = 0; setting->words[j]; j++ )
                fprintf(out, "%s%s", j ? " " : "", setting->words[j]);
            fputs("' -- \"$cur\") )\n", out);
        }

        fputs("        return\n"
              "        ;;\n", out);
    }

    fputs("    esac\n", out);
}

static void write_bash(const struct options_program *program, FILE *out)
{
    size_t i;

    fprintf(out, "# bash completion for %s, written by %s --generate=bash\n",
            program->name, program->name);
    write_function_name(program->name, out);
    fputs("()\n"
          "{\n"
          "    local cur prev words cword split\n"
          "    _init_completion -s || return\n"
          "\n", out);

    write_bash_values(program, out);

    fputs("    $split && return\n"
          "\n"
          "    COMPREPLY=( $(compgen -W '", out);
    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];

        if ( on_command_line(setting) )
            fprintf(out, "--%s%s ", setting->name,
                    setting->argument ? "=" : "");
    }
    fputs("--config= --help --version' -- \"$cur\") )\n"
          "    [[ ${COMPREPLY-} == *= ]] && compopt -o nospace\n"
          "}\n"
          "complete -F ", out);
    write_function_name(program->name, out);
    fprintf(out, " %s\n", program->name);
}

/* Wrapped at COMMENT_COLUMNS; a word that is longer gets its own line. */
static void write_comment(const char *text, FILE *out)
{
    size_t column = 0;

    while ( *text )
    {
        size_t length = strcspn(text, " ");

        if ( column && column + 1 + length > COMMENT_COLUMNS )
        {
            fputc('\n', out);
            column = 0;
        }
        if ( !column )
            column = fprintf(out, "# %.*s", (int)length, text);
        else
            column += fprintf(out, " %.*s", (int)length, text);

        text += length;
        text += strspn(text, " ");
    }

    fputc('\n', out);
}

static void write_conf(const struct options_program *program, FILE *out)
{
    char allowed[OPTIONS_ALLOWED_BYTES];
    size_t i;

    fprintf(out, "# %s.conf: settings of %s.\n"
            "#\n"
            "# 'key = value'; a comment has a line of its own. Every setting "
            "is here with\n"
            "# its default; take the '#' away from those that you change.\n",
            program->name, program->name);

    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];

        if ( !(setting->where & OPTIONS_FILE) )
            continue;

        fputc('\n', out);
        write_comment(setting->help, out);
        options_describe_allowed(setting, allowed, sizeof(allowed));
        fprintf(out, "# Allowed: %s.%s\n#%s = %s\n", allowed,
                setting->value ? "" : " Not set by default.", setting->name,
                setting->value ? setting->value :
                setting->argument ? setting->argument : "no");
    }
}

int options_generate(const struct options *options, const char *what,
                     FILE *out)
{
    if ( !strcmp(what, "mdoc") )
        write_mdoc(options->program, out);
    else if ( !strcmp(what, "bash") )
        write_bash(options->program, out);
    else if ( !strcmp(what, "conf") )
        write_conf(options->program, out);
    else
        return -EINVAL;

    return ferror(out) ? -EIO : 0;
}
