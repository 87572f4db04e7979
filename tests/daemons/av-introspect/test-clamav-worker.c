/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plugin clamav in a worker, which may open and make nothing: it is told of pages, finds what its signatures describe, and no worker
 * dies of what libclamav would do with files.
 */
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include <daemon/log.h>

#include "daemons/av-introspect/view.h"
#include "daemons/av-introspect/workers.h"

#include "av-test.h"

#define BUILT       "daemons/av-introspect/plugins/clamav/.libs"
#define PATIENCE_MS 60000

static struct scanner scanner;

/* Name, any kind of file, anywhere, and what it is in hexadecimal digits: "words of our own". */
static const char signature[] = "Own.Words:0:*:776f726473206f66206f7572206f776e\n";

static int begin(void **state)
{
    static char program[PATH_MAX], plugins[3 * PATH_MAX];
    char path[2 * PATH_MAX];
    struct plugins_words words = { "" };
    struct workers_options options = {
        .program = program, .plugins = plugins, .user = "nobody", .memory = UINT64_C(64) << 20, .hang_ms = 20000, .processes = 1,
    };
    FILE *file;

    log_set_level(LOG_CRIT);
    if ( av_make_directory(state) )
        return -1;
    av_copy(BUILT, "clamav.so");
    snprintf(path, sizeof(path), "%s/own.ndb", av_directory);
    file = fopen(path, "w");
    if ( !file || fputs(signature, file) < 0 || fclose(file) || chmod(path, 0644) || chmod(av_directory, 0755) )
        return -1;
    snprintf(plugins, sizeof(plugins), "clamav:database=%s", path);
    options.directory = av_directory;
    if ( !realpath("daemons/av-introspect/av-worker", program) || workers_open(&scanner, &options, &words) )
        return -1;
    if ( workers_wait(&scanner, PATIENCE_MS, &words) )
    {
        print_error("%s\n", words.text);
        return -1;
    }
    return scanner.add_domain(scanner.opaque, 1);
}

static int end(void **state)
{
    if ( scanner.close )
        scanner.close(scanner.opaque);
    return av_remove_directory(state);
}

/* Among other pages, of which none can be read. */
static struct scan_result judge(const char *words)
{
    static char page[SCAN_PAGE_BYTES];
    static uint64_t last;
    const uint64_t id = ++last;
    const struct scan_request request = {
        .id = id, .domid = 1, .urgency = SCAN_NOTIFY, .gfn = 3, .budget_ms = 100, .page = page,
        .has_gla = true, .gla = 0x400123, .cr3 = 0x10000,
    };
    uint64_t until = view_now() + PATIENCE_MS * UINT64_C(1000000);
    struct scan_result result;

    memset(page, 0x90, sizeof(page));
    memcpy(page + 1000, words, strlen(words));
    assert_int_equal(scanner.submit(scanner.opaque, &request), 0);
    while ( !scanner.take(scanner.opaque, &result) )
    {
        struct pollfd pollfd = { scanner.fd(scanner.opaque), POLLIN, 0 };

        assert_true(view_now() < until);
        poll(&pollfd, 1, 50);
        scanner.tick(scanner.opaque);
    }
    assert_int_equal(result.id, id);
    return result;
}

static void finds_and_lives(void **state)
{
    struct scan_statistics statistics;

    (void)state;
    for ( unsigned int i = 0; i < 3; i++ )
    {
        struct scan_result result = judge("words of our own");

        assert_int_equal(result.outcome, SCAN_DONE);
        assert_int_equal(result.verdict, SCAN_MALICIOUS);
        assert_string_equal(result.plugin, "clamav");
        assert_string_equal(result.rule, "Own.Words.UNOFFICIAL");
        /* The page is enough to know its equals by; that nothing is in one does not say that of others. */
        assert_false(result.has_context);
        result = judge("words of others");
        assert_int_equal(result.verdict, SCAN_CLEAN);
        assert_true(result.has_context);
    }
    scanner.get_statistics(scanner.opaque, 1, &statistics);
    assert_int_equal(statistics.deaths, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds_and_lives) };

    return cmocka_run_group_tests(tests, begin, end);
}
