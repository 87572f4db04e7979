/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is common to looking at a pager and at a sharer.  Reading one file is status.c's.
 */
#include "config.h"
#include "look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <daemon/host-directory.h>

/* Daemons write once a second: looking more often shows nothing new. */
#define WATCH_SECONDS      2U
#define WATCH_SECONDS_MAX  3600U

unsigned int look_parse_number(struct argp_state *state, const char *option, const char *text, unsigned int most,
                               const char *unit)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if ( text[0] < '0' || text[0] > '9' || *end || errno || !number || number > most )
        argp_error(state, "--%s=%s: give a number of %s from 1 to %u", option, text, unit, most);
    return number;
}

static void parse_host(struct look *look, const char *host, struct argp_state *state)
{
    if ( !host_is_emulated(host) )
    {
        if ( strcmp(host, "xen") )
            argp_error(state, "--host=%s: give xen, or what an emulated daemon was given", host);
        return;
    }
    if ( host_directory(host, look->emulated, sizeof(look->emulated)) )
        argp_error(state, "--host=%s: run= is a directory's absolute path", host);
    look->directory = look->emulated;
}

error_t look_parse(struct look *look, int key, char *argument, struct argp_state *state)
{
    switch ( key )
    {
    case LOOK_JSON:
        look->json = true;
        return 0;
    case LOOK_RUN_DIRECTORY:
        look->directory = argument;
        return 0;
    case LOOK_HOST:
        parse_host(look, argument, state);
        return 0;
    case 'w':
        look->watch = WATCH_SECONDS;
        if ( argument )
            look->watch = look_parse_number(state, "watch", argument, WATCH_SECONDS_MAX, "seconds");
        return 0;
    case 'V':
        puts("memeventctl " PACKAGE_VERSION);
        exit(EX_OK);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

double look_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int look_read(const struct look *look, const char *daemon, struct status_list *list)
{
    int rc = status_list_open(list, look->directory, daemon);

    if ( !rc )
        return EX_OK;
    fprintf(stderr, "memeventctl: %s: %s\n", look->directory, strerror(-rc));
    return rc == -EACCES ? EX_NOPERM : EX_OSERR;
}

static bool is_screen(const struct look *look)
{
    return look->watch && isatty(STDOUT_FILENO) && !look->json;
}

void look_clear(const struct look *look)
{
    if ( is_screen(look) )
        fputs("\033[H\033[2J", stdout);
}

int look_repeatedly(const struct look *look, const char *daemon,
                    int (*show)(const void *request, const struct status_list *list, const struct status_list *before,
                                double seconds),
                    const void *request)
{
    struct status_list before = { 0 }, list;
    double last = 0;
    int status;

    for ( ;; )
    {
        double time = look_now();

        status = look_read(look, daemon, &list);
        if ( status != EX_OK )
            break;
        look_clear(look);
        if ( last > 0 && !is_screen(look) && !look->json )
            putchar('\n');
        status = show(request, &list, &before, time - last);
        status_list_close(&before);
        before = list;
        if ( !look->watch || status == EX_IOERR || status == EX_OSERR )
            break;
        last = time;
        sleep(look->watch);
    }
    status_list_close(&before);
    return status;
}
