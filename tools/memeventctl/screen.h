/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A screen that is drawn anew again and again, in plain ECMA-48 sequences that every terminal since the VT100 knows
 * (and xterm's second screen, which others ignore).  However the program ends, but for SIGKILL, the terminal is as it
 * was. One at a time, from one thread.
 */
#ifndef MEMEVENTCTL_SCREEN_H
#define MEMEVENTCTL_SCREEN_H

#include <stddef.h>

struct screen;

/* Takes the terminal of standard input and output.  -ENOTTY: it is none; -ENOMEM, or what the kernel says. */
int screen_open(struct screen **out);
/* Gives it back.  NULL is fine. */
void screen_close(struct screen *screen);

/* Draws as many lines of text as there is room for; longer ones are cut by the terminal.  0 or -errno. */
int screen_draw(struct screen *screen, const char *text);

unsigned int screen_rows(const struct screen *screen);
unsigned int screen_columns(const struct screen *screen);

enum screen_event {
    SCREEN_TIME,                  /* the time has passed */
    SCREEN_KEY,                   /* *key was pressed */
    SCREEN_RESIZED,               /* or the program was stopped and goes on: draw it */
    SCREEN_END,                   /* a signal to end, or the terminal went away; *key: the number, or 0 */
};

/* Waits for at most so long. */
enum screen_event screen_wait(struct screen *screen, int milliseconds, int *key);

#endif
