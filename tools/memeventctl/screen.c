/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal is taken and given back here and nowhere else.  Signals are read from a descriptor, so that nothing is
 * left half done by one.
 */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* The second screen, no cursor, no wrapping of long lines; and the way back. */
#define TAKE  "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define GIVE  "\033[0m\033[?7h\033[?25h\033[?1049l"

/* Of a terminal that does not say. */
#define ROWS     24U
#define COLUMNS  80U

struct screen {
    int signals;
    sigset_t before;
    struct termios terminal;
    bool taken;
};

static int write_all(const char *text, size_t length)
{
    while ( length )
    {
        ssize_t n = write(STDOUT_FILENO, text, length);

        if ( n < 0 && errno != EINTR )
            return -errno;
        text += n > 0 ? n : 0;
        length -= n > 0 ? n : 0;
    }
    return 0;
}

static int take(struct screen *s)
{
    struct termios raw = s->terminal;

    raw.c_lflag &= ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if ( tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) )
        return -errno;
    s->taken = true;
    return write_all(TAKE, strlen(TAKE));
}

static void give(struct screen *s)
{
    if ( !s->taken )
        return;
    s->taken = false;
    write_all(GIVE, strlen(GIVE));
    tcsetattr(STDIN_FILENO, TCSADRAIN, &s->terminal);
}

int screen_open(struct screen **out)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
    struct screen *s = calloc(1, sizeof(*s));
    sigset_t set;
    int rc = 0;

    *out = NULL;
    if ( !s )
        return -ENOMEM;
    s->signals = -1;
    sigemptyset(&set);
    for ( size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++ )
        sigaddset(&set, signals[i]);
    if ( !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &s->terminal) )
    {
        free(s);
        return -ENOTTY;
    }
    /* A terminal that went away is an error of write(). */
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, &s->before);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if ( s->signals < 0 )
        rc = -errno;
    if ( !rc )
        rc = take(s);
    if ( rc )
    {
        screen_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void screen_close(struct screen *s)
{
    if ( !s )
        return;
    give(s);
    if ( s->signals >= 0 )
        close(s->signals);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    free(s);
}

static unsigned int size(bool columns)
{
    struct winsize w;

    if ( ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_row || !w.ws_col )
        return columns ? COLUMNS : ROWS;
    return columns ? w.ws_col : w.ws_row;
}

unsigned int screen_rows(const struct screen *s)
{
    (void)s;
    return size(false);
}

unsigned int screen_columns(const struct screen *s)
{
    (void)s;
    return size(true);
}

int screen_draw(struct screen *s, const char *text)
{
    /* Over what is there, line by line: clearing it first would flicker. */
    int rc = write_all("\033[H", 3);

    for ( unsigned int row = 0, rows = screen_rows(s); row < rows && *text && !rc; row++ )
    {
        size_t length = strcspn(text, "\n");

        rc = write_all(text, length);
        if ( !rc )
            rc = write_all("\033[K", 3);
        if ( !rc && row + 1 < rows )
            rc = write_all("\r\n", 2);
        text += length + (text[length] == '\n');
    }
    return rc ? rc : write_all("\033[J", 3);
}

/* Stops as ^Z asks for, with the terminal in order, and goes on when it is told to. */
static enum screen_event pause_here(struct screen *s)
{
    give(s);
    raise(SIGSTOP);
    return take(s) ? SCREEN_END : SCREEN_RESIZED;
}

enum screen_event screen_wait(struct screen *s, int milliseconds, int *key)
{
    struct pollfd fds[] = { { .fd = s->signals, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
    struct signalfd_siginfo info;
    unsigned char byte;

    *key = 0;
    if ( poll(fds, 2, milliseconds) <= 0 )
        return SCREEN_TIME;
    if ( fds[0].revents && read(s->signals, &info, sizeof(info)) == sizeof(info) )
    {
        *key = info.ssi_signo;
        if ( info.ssi_signo == SIGTSTP )
            return pause_here(s);
        return info.ssi_signo == SIGWINCH ? SCREEN_RESIZED : SCREEN_END;
    }
    if ( !fds[1].revents )
        return SCREEN_TIME;
    if ( read(STDIN_FILENO, &byte, 1) != 1 )
        return SCREEN_END;
    *key = byte;
    return SCREEN_KEY;
}
