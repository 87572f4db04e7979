/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * utf8: text from outside, made fit to be shown to a person.
 *
 * A guest's admin chooses its name and a program's user its arguments; neither
 * may move the cursor, forge a line or reverse the writing direction of a log.
 */
#ifndef DAEMON_UTF8_H
#define DAEMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes (1 to 4) of the well-formed character at the start of `text`, 0 if it
 * is not one (overlong, surrogate, beyond U+10FFFF, cut) or length is 0.
 * *point is its code point.
 */
size_t utf8_decode(const char *text, size_t length, unsigned int *point);

/* Control characters, line and paragraph separators, direction overrides,
 * invisible marks. */
bool utf8_is_control(unsigned int point);

/*
 * Copies with each byte of what is malformed or a control character written
 * as \xNN.  Backslashes stay, so that escaping twice is escaping once.  The
 * result ends in NUL; if it did not fit, it ends in "...".  `room` is at least
 * 4.  Returns the result's length.
 */
size_t utf8_escape(char *out, size_t room, const char *text, size_t length);

#endif /* DAEMON_UTF8_H */
