/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log: the one place where a daemon speaks.
 *
 * To the journal with fields when stderr is the journal, to stderr with a
 * readable prefix otherwise.  Text that a guest may have chosen (a domain's
 * name, anything in a message) is escaped here (utf8.h says how), so that
 * callers need not think of it.
 *
 * A message with an event word is rate limited per word and domain; the next
 * one that passes says how many were left out, and so does log_flush().
 * Messages without a word, and LOG_CRIT and worse, are never limited.
 *
 * Threads: all functions but log_open() and log_close() may be called from
 * any thread.  errno is preserved.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>     /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO... */

/* A message of one word and domain may come this often without being held
 * back, so that a burst's beginning is seen in full... */
#define LOG_BURST            10u
/* ...in each window of this length. */
#define LOG_WINDOW_SECONDS   30u
/* Words that are counted at a time (a word of one domain counts once); the
 * one that was quiet longest makes room. */
#define LOG_WORDS            64u
/* Words are told apart by this many bytes, NUL included. */
#define LOG_WORD_BYTES       32u
/* A message in full, escaped; longer ones are cut and marked "...". */
#define LOG_MESSAGE_BYTES    2048u

struct log_fields {
    bool has_domain;
    uint32_t domid;             /* XEN_DOMID */
    const char *domain;         /* XEN_DOMAIN; NULL when unknown */
    const char *event;          /* MEMEVENT_EVENT, a short stable word such as
                                   "page-in-failed"; NULL for none */
};

/* What a message is about; both expand to a pointer for log_message(). */
#define LOG_DOMAIN(id, name, word)                                      \
    (&(const struct log_fields){ .has_domain = true, .domid = (id),     \
                                 .domain = (name), .event = (word) })
#define LOG_HOST(word) (&(const struct log_fields){ .event = (word) })

/*
 * `ident` must stay valid.  to_stderr asks for stderr even under the journal
 * (a person runs the daemon in the foreground).  Before log_open() messages go
 * to stderr with the program's invocation name.
 */
void log_open(const char *ident, bool to_stderr);

/* Messages less important than `priority` are left out; LOG_INFO at start. */
void log_set_level(int priority);

/*
 * fields: LOG_DOMAIN(), LOG_HOST() or NULL.  fmt as printf's, without a
 * trailing newline; %m works.
 *
 *     log_message(LOG_ERR, LOG_DOMAIN(3, name, "page-in-failed"),
 *                 "page %#lx cannot be read back: %s", gfn, strerror(-rc));
 */
void log_message(int priority, const struct log_fields *fields,
                 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

void log_message_v(int priority, const struct log_fields *fields,
                   const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Says how many messages were left out, for each word whose window is over.
 * Meant for a timer that a daemon has anyway (the watchdog's). */
void log_flush(void);

/* As log_flush() for all words, and back to the state before log_open(). */
void log_close(void);

#endif /* DAEMON_LOG_H */
