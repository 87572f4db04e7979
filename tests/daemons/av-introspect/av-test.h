/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of plugins share: a directory that only we can write, with copies of plugins from the build in it. Included
 * after cmocka.h by one file of a program.
 */
#ifndef TESTS_AV_TEST_H
#define TESTS_AV_TEST_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILT_PLUGINS "tests/daemons/av-introspect/plugins/.libs"
#define BUILT_TEMPLATE "daemons/av-introspect/plugins/template/.libs"
#define BUILT_YARA "daemons/av-introspect/plugins/yara/.libs"

static char av_directory[PATH_MAX];

static void av_copy(const char *from_directory, const char *name)
{
    char from[PATH_MAX], to[2 * PATH_MAX], bytes[65536];
    size_t n;
    FILE *in, *out;

    snprintf(from, sizeof(from), "%s/%s", from_directory, name);
    snprintf(to, sizeof(to), "%s/%s", av_directory, name);
    in = fopen(from, "r");
    if ( !in )
        print_error("%s: is it built?\n", from);
    assert_non_null(in);
    out = fopen(to, "w");
    assert_non_null(out);
    while ( (n = fread(bytes, 1, sizeof(bytes), in)) )
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0755), 0);
}

static int av_make_directory(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(av_directory, sizeof(av_directory), "%s/av-test-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(av_directory) ? 0 : -1;
}

static int av_remove_directory(void **state)
{
    char command[PATH_MAX + 16];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", av_directory);
    return system(command);
}

#endif /* TESTS_AV_TEST_H */
