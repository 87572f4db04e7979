/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the journal or to stderr.  How often is log-limit's business,
 * which bytes are shown utf8's.
 */
#include "config.h"

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Every message would claim to come from this file. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "log-limit.h"
#include "utf8.h"

/* A name as shown; xenstore allows more, but no person reads more. */
#define NAME_BYTES      128u
/* The largest field besides MESSAGE, and how many there are. */
#define FIELD_BYTES     192u
#define FIELDS_MAX      6u
/* "xenpaging: d65535 (NAME): " */
#define PREFIX_BYTES    (NAME_BYTES + 96u)

/* One process, one log.  The lock protects all of it. */
static struct {
    pthread_mutex_t lock;
    const char *ident;          /* NULL: not open */
    bool journal;               /* speak its protocol */
    bool stderr_is_journal;     /* priorities are read from lines */
    int level;
    struct log_limit limit;
} log = { .lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO };

/* JOURNAL_STREAM is inherited: only if stderr still is that stream is it us
 * whom the journal listens to. */
static bool find_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           !fstat(STDERR_FILENO, &status) && status.st_dev == device &&
           status.st_ino == inode;
}

void log_open(const char *ident, bool to_stderr)
{
    pthread_mutex_lock(&log.lock);
    log.ident = ident;
    log.stderr_is_journal = find_journal();
    log.journal = log.stderr_is_journal && !to_stderr;
    pthread_mutex_unlock(&log.lock);
}

void log_set_level(int priority)
{
    pthread_mutex_lock(&log.lock);
    log.level = priority;
    pthread_mutex_unlock(&log.lock);
}

static const char *ident(void)
{
    return log.ident ? log.ident : program_invocation_short_name;
}

static uint64_t now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return now.tv_sec;
}

static void add_field(struct iovec *fields, int *count, char *text)
{
    fields[(*count)++] = (struct iovec){ text, strlen(text) };
}

/* `message` starts with "MESSAGE=".  False: the journal does not listen. */
static bool say_to_journal(int priority, const struct log_fields *about,
                           const char *name, char *message)
{
    char texts[FIELDS_MAX][FIELD_BYTES];
    struct iovec fields[FIELDS_MAX];
    int count = 0;

    add_field(fields, &count, message);

    snprintf(texts[count], FIELD_BYTES, "PRIORITY=%d", LOG_PRI(priority));
    add_field(fields, &count, texts[count]);

    snprintf(texts[count], FIELD_BYTES, "SYSLOG_IDENTIFIER=%s", ident());
    add_field(fields, &count, texts[count]);

    if ( about && about->has_domain )
    {
        snprintf(texts[count], FIELD_BYTES, "XEN_DOMID=%" PRIu32,
                 about->domid);
        add_field(fields, &count, texts[count]);
    }

    if ( name[0] )
    {
        snprintf(texts[count], FIELD_BYTES, "XEN_DOMAIN=%s", name);
        add_field(fields, &count, texts[count]);
    }

    if ( about && about->event )
    {
        snprintf(texts[count], FIELD_BYTES, "MEMEVENT_EVENT=%s",
                 about->event);
        add_field(fields, &count, texts[count]);
    }

    return sd_journal_sendv(fields, count) >= 0;
}

/* One write a line, so that threads and processes do not mix theirs. */
static void say_to_stderr(int priority, const char *message)
{
    char line[PREFIX_BYTES + LOG_MESSAGE_BYTES + 8];
    size_t length, done = 0;
    int used;

    if ( log.stderr_is_journal )
        used = snprintf(line, sizeof(line) - 1, "<%d>%s", LOG_PRI(priority),
                        message);
    else
        used = snprintf(line, sizeof(line) - 1, "%s: %s", ident(), message);

    length = (size_t)used < sizeof(line) - 1 ? (size_t)used
                                             : sizeof(line) - 2;
    line[length++] = '\n';

    while ( done < length )
    {
        ssize_t wrote = write(STDERR_FILENO, line + done, length - done);

        if ( wrote < 0 && errno == EINTR )
            continue;
        /* Nobody is left who could be told. */
        if ( wrote <= 0 )
            return;
        done += wrote;
    }
}

/* `text` is raw.  The lock is held. */
static void say(int priority, const struct log_fields *about,
                const char *text)
{
    static const char key[] = "MESSAGE=";
    char message[sizeof(key) + PREFIX_BYTES + LOG_MESSAGE_BYTES];
    char name[NAME_BYTES] = "";
    char *shown = message + sizeof(key) - 1;
    size_t room = sizeof(message) - (sizeof(key) - 1);
    int used = 0;

    memcpy(message, key, sizeof(key));

    if ( about && about->domain )
        utf8_escape(name, sizeof(name), about->domain,
                    strlen(about->domain));

    if ( about && about->has_domain )
        used = snprintf(shown, room, name[0] ? "d%" PRIu32 " (%s): "
                        : "d%" PRIu32 ": ", about->domid, name);

    utf8_escape(shown + used, LOG_MESSAGE_BYTES, text, strlen(text));

    if ( !log.journal || !say_to_journal(priority, about, name, message) )
        say_to_stderr(priority, shown);
}

/* The lock is held. */
static void tell_left_out(const struct log_limit_word *word)
{
    const struct log_fields about = {
        .has_domain = word->has_domain, .domid = word->domid,
        .event = word->word,
    };
    char text[LOG_WORD_BYTES + 64];

    snprintf(text, sizeof(text), "%" PRIu64 " more messages '%s' were left "
             "out", word->left_out, word->word);
    say(LOG_NOTICE, &about, text);
}

void log_message_v(int priority, const struct log_fields *fields,
                   const char *fmt, va_list args)
{
    /* One more than is shown, so that say() sees what does not fit and marks
     * it; escaping only makes text longer. */
    char text[LOG_MESSAGE_BYTES + 1];
    struct log_limit_word forgotten = { .left_out = 0 };
    uint64_t left_out = 0;
    int saved_errno = errno;

    pthread_mutex_lock(&log.lock);

    if ( LOG_PRI(priority) > log.level )
        goto out;

    if ( fields && fields->event && fields->event[0] &&
         LOG_PRI(priority) > LOG_CRIT &&
         !log_limit_pass(&log.limit, fields, now_seconds(), &left_out,
                         &forgotten) )
        goto out;

    /* Only a new word makes another go, and a new word always passes. */
    if ( forgotten.left_out )
        tell_left_out(&forgotten);

    errno = saved_errno;    /* for %m */
    if ( vsnprintf(text, sizeof(text), fmt, args) < 0 )
        snprintf(text, sizeof(text), "a message that cannot be formatted: %s",
                 fmt);

    if ( left_out )
    {
        size_t length = strlen(text);
        char note[64];
        size_t note_length = snprintf(note, sizeof(note), " (%" PRIu64
                                      " more like this were left out)",
                                      left_out);

        if ( length + note_length >= sizeof(text) )
            length = sizeof(text) - note_length - 1;
        memcpy(text + length, note, note_length + 1);
    }

    say(priority, fields, text);

 out:
    pthread_mutex_unlock(&log.lock);
    errno = saved_errno;
}

void log_message(int priority, const struct log_fields *fields,
                 const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_message_v(priority, fields, fmt, args);
    va_end(args);
}

/* The lock is held. */
static void flush(bool all)
{
    struct log_limit_word word;
    uint64_t now = now_seconds();
    unsigned int at = 0;

    while ( log_limit_flush(&log.limit, now, all, &at, &word) )
        tell_left_out(&word);
}

void log_flush(void)
{
    int saved_errno = errno;

    pthread_mutex_lock(&log.lock);
    flush(false);
    pthread_mutex_unlock(&log.lock);
    errno = saved_errno;
}

void log_close(void)
{
    int saved_errno = errno;

    pthread_mutex_lock(&log.lock);
    flush(true);
    memset(&log.limit, 0, sizeof(log.limit));
    log.ident = NULL;
    log.journal = false;
    log.stderr_is_journal = false;
    log.level = LOG_INFO;
    pthread_mutex_unlock(&log.lock);
    errno = saved_errno;
}
