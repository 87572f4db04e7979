/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What arrives at stderr and in the journal.  stderr is a file while a message
 * is logged; the journal is this file's own sd_journal_sendv().
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/log-limit.h"
#include "daemon/log.h"

#define COUNT(array)    (sizeof(array) / sizeof((array)[0]))
#define CAPTURE_BYTES   (64 * 1024)

static char captured[CAPTURE_BYTES];
static int real_stderr, capture_fd;

/* The last journal entry, fields joined with newlines; how many there were. */
static char journal[CAPTURE_BYTES];
static unsigned int journal_entries;
static int journal_rc;

int sd_journal_sendv(const struct iovec *iov, int n)
{
    size_t used = 0;
    int i;

    journal_entries++;
    for ( i = 0; i < n; i++ )
    {
        assert_true(used + iov[i].iov_len + 2 < sizeof(journal));
        memcpy(journal + used, iov[i].iov_base, iov[i].iov_len);
        used += iov[i].iov_len;
        journal[used++] = '\n';
    }
    journal[used] = '\0';

    return journal_rc;
}

static void set_journal_stream(bool ours)
{
    struct stat status;
    char stream[64];

    assert_int_equal(fstat(capture_fd, &status), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu",
             (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino + !ours);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
}

static int begin(void **state)
{
    char name[] = "/tmp/test-log-XXXXXX";

    (void)state;
    unsetenv("JOURNAL_STREAM");
    journal[0] = '\0';
    journal_entries = 0;
    journal_rc = 0;
    capture_fd = mkostemp(name, O_APPEND | O_CLOEXEC);
    if ( capture_fd < 0 || unlink(name) )
        return -1;

    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);

    return dup2(capture_fd, STDERR_FILENO) < 0 ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    log_close();
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);

    return close(capture_fd);
}

/* What stderr got since the last look. */
static const char *look(void)
{
    static off_t seen;
    off_t size = lseek(capture_fd, 0, SEEK_END);
    ssize_t got;

    if ( size < seen )
        seen = 0;
    got = pread(capture_fd, captured, sizeof(captured) - 1, seen);
    assert_true(got >= 0);
    captured[got] = '\0';
    seen = size;

    return captured;
}

static void prefix_names_program_and_domain(void **state)
{
    (void)state;
    log_open("pager", false);
    look();
    log_message(LOG_ERR, NULL, "%d pages", 5);
    assert_string_equal(look(), "pager: 5 pages\n");
    log_message(LOG_ERR, LOG_DOMAIN(3, "web", "gone"), "is gone");
    assert_string_equal(look(), "pager: d3 (web): is gone\n");
    log_message(LOG_ERR, LOG_DOMAIN(0, NULL, NULL), "x");
    assert_string_equal(look(), "pager: d0: x\n");
    log_message(LOG_ERR, LOG_HOST("memory-low"), "low");
    assert_string_equal(look(), "pager: low\n");
    assert_int_equal(journal_entries, 0);
}

static void errno_is_kept_and_can_be_shown(void **state)
{
    (void)state;
    log_open("pager", false);
    look();
    errno = ENOSPC;
    log_message(LOG_ERR, LOG_HOST("e"), "write: %m");
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(look(), "pager: write: No space left on device\n");
}

static void a_guest_can_forge_no_line(void **state)
{
    (void)state;
    log_open("pager", false);
    look();
    log_message(LOG_ERR, LOG_DOMAIN(3, "a\npager: d1: fine\x1b[2J", "e"),
                "found '%s'", "\r\xff");
    assert_string_equal(look(), "pager: d3 (a\\x0apager: d1: fine\\x1b[2J): "
                        "found '\\x0d\\xff'\n");

    set_journal_stream(true);
    log_open("pager", false);
    log_message(LOG_ERR, LOG_DOMAIN(3, "a\nPRIORITY=7", "e"), "b\nXEN_DOMID=1");
    assert_string_equal(journal, "MESSAGE=d3 (a\\x0aPRIORITY=7): "
                        "b\\x0aXEN_DOMID=1\nPRIORITY=3\n"
                        "SYSLOG_IDENTIFIER=pager\nXEN_DOMID=3\n"
                        "XEN_DOMAIN=a\\x0aPRIORITY=7\nMEMEVENT_EVENT=e\n");
}

static void long_messages_are_cut_and_marked(void **state)
{
    char text[2 * LOG_MESSAGE_BYTES], name[2 * LOG_MESSAGE_BYTES];
    const char *shown;

    (void)state;
    memset(text, '\x01', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    log_open("pager", false);
    look();
    log_message(LOG_ERR, LOG_DOMAIN(3, name, NULL), "%s", text);
    shown = look();
    assert_true(strlen(shown) < 2 * LOG_MESSAGE_BYTES);
    assert_non_null(strstr(shown, "nnn...): \\x01"));
    assert_string_equal(shown + strlen(shown) - 8, "\\x01...\n");
}

static void levels_leave_out(void **state)
{
    (void)state;
    log_open("pager", false);
    look();
    log_message(LOG_DEBUG, NULL, "hidden");
    log_set_level(LOG_DEBUG);
    log_message(LOG_DEBUG, NULL, "seen");
    log_set_level(LOG_WARNING);
    log_message(LOG_NOTICE, NULL, "hidden");
    assert_string_equal(look(), "pager: seen\n");
}

static void journal_gets_fields(void **state)
{
    (void)state;
    set_journal_stream(true);
    log_open("pager", false);
    look();
    log_message(LOG_WARNING, LOG_DOMAIN(7, "db", "page-in-failed"), "gfn %d",
                1);
    assert_string_equal(journal, "MESSAGE=d7 (db): gfn 1\nPRIORITY=4\n"
                        "SYSLOG_IDENTIFIER=pager\nXEN_DOMID=7\n"
                        "XEN_DOMAIN=db\nMEMEVENT_EVENT=page-in-failed\n");
    log_message(LOG_INFO, NULL, "hello");
    assert_string_equal(journal, "MESSAGE=hello\nPRIORITY=6\n"
                        "SYSLOG_IDENTIFIER=pager\n");
    assert_string_equal(look(), "");
}

static void journal_that_does_not_listen_is_replaced_by_stderr(void **state)
{
    (void)state;
    set_journal_stream(true);
    log_open("pager", false);
    look();
    journal_rc = -ECONNREFUSED;
    log_message(LOG_ERR, NULL, "heard");
    assert_string_equal(look(), "<3>heard\n");
}

static void stderr_is_used_when_asked_for_or_when_it_is_not_the_journal(
    void **state)
{
    (void)state;
    set_journal_stream(true);
    log_open("pager", true);
    look();
    log_message(LOG_ERR, NULL, "asked");
    assert_string_equal(look(), "<3>asked\n");

    /* Inherited, but stderr was redirected since. */
    set_journal_stream(false);
    log_open("pager", false);
    log_message(LOG_ERR, NULL, "redirected");
    assert_string_equal(look(), "pager: redirected\n");
    assert_int_equal(journal_entries, 0);
}

static unsigned int lines(const char *text)
{
    unsigned int count = 0;

    while ( (text = strchr(text, '\n')) )
    {
        count++;
        text++;
    }

    return count;
}

static void floods_are_held_back_and_counted(void **state)
{
    unsigned int i;

    (void)state;
    log_open("pager", false);
    look();
    for ( i = 0; i < LOG_BURST + 25; i++ )
        log_message(LOG_WARNING, LOG_DOMAIN(3, "web", "flood"), "n %u", i);
    assert_int_equal(lines(look()), LOG_BURST);

    /* Another domain, no word, and what is critical are not touched. */
    log_message(LOG_WARNING, LOG_DOMAIN(4, NULL, "flood"), "other");
    log_message(LOG_WARNING, LOG_DOMAIN(3, NULL, NULL), "no word");
    log_message(LOG_CRIT, LOG_DOMAIN(3, NULL, "flood"), "critical");
    assert_int_equal(lines(look()), 3);

    /* The window is not over yet; at the end everything is said. */
    log_flush();
    assert_string_equal(look(), "");
    log_close();
    assert_non_null(strstr(look(), "d3: 25 more messages 'flood' were left "
                           "out\n"));
    assert_int_equal(lines(captured), 1);
}

static void words_that_make_room_are_told_of(void **state)
{
    char word[LOG_WORD_BYTES];
    unsigned int i;

    (void)state;
    log_open("pager", false);
    for ( i = 0; i < LOG_BURST + 3; i++ )
        log_message(LOG_WARNING, LOG_HOST("first"), "x");
    for ( i = 0; i < LOG_WORDS - 1; i++ )
    {
        snprintf(word, sizeof(word), "w%u", i);
        log_message(LOG_WARNING, LOG_HOST(word), "x");
    }
    look();

    /* All words came in the same second or a few; the first is the quietest
     * or among the quietest, and the table is full. */
    log_message(LOG_WARNING, LOG_HOST("one-too-many"), "x");
    assert_string_equal(look(), "pager: 3 more messages 'first' were left "
                        "out\npager: x\n");
}

/* The limit itself, with a clock of the test's own. */
static void windows_begin_anew(void **state)
{
    static const struct log_fields about = { .event = "w" };
    struct log_limit limit = { .words = { { .word = "" } } };
    struct log_limit_word word;
    uint64_t left_out;
    unsigned int at = 0, i;

    (void)state;
    for ( i = 0; i < LOG_BURST; i++ )
        assert_true(log_limit_pass(&limit, &about, 100, &left_out, &word));
    assert_false(log_limit_pass(&limit, &about, 100, &left_out, &word));
    assert_false(log_limit_pass(&limit, &about, 99 + LOG_WINDOW_SECONDS,
                                &left_out, &word));
    assert_false(log_limit_flush(&limit, 99 + LOG_WINDOW_SECONDS, false, &at,
                                 &word));

    assert_true(log_limit_pass(&limit, &about, 100 + LOG_WINDOW_SECONDS,
                               &left_out, &word));
    assert_int_equal(left_out, 2);
    assert_true(log_limit_pass(&limit, &about, 100 + LOG_WINDOW_SECONDS,
                               &left_out, &word));
    assert_int_equal(left_out, 0);

    for ( i = 0; i < LOG_BURST; i++ )
        log_limit_pass(&limit, &about, 100 + LOG_WINDOW_SECONDS, &left_out,
                       &word);
    at = 0;
    assert_true(log_limit_flush(&limit, 100 + 2 * LOG_WINDOW_SECONDS, false,
                                &at, &word));
    assert_int_equal(word.left_out, 2);
    assert_string_equal(word.word, "w");
    assert_false(log_limit_flush(&limit, 100 + 2 * LOG_WINDOW_SECONDS, true,
                                 &at, &word));
}

#define LOG_TEST(f)   cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(prefix_names_program_and_domain),
        LOG_TEST(errno_is_kept_and_can_be_shown),
        LOG_TEST(a_guest_can_forge_no_line),
        LOG_TEST(long_messages_are_cut_and_marked),
        LOG_TEST(levels_leave_out),
        LOG_TEST(journal_gets_fields),
        LOG_TEST(journal_that_does_not_listen_is_replaced_by_stderr),
        LOG_TEST(stderr_is_used_when_asked_for_or_when_it_is_not_the_journal),
        LOG_TEST(floods_are_held_back_and_counted),
        LOG_TEST(words_that_make_room_are_told_of),
        cmocka_unit_test(windows_begin_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
