/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of findings: lines that are whole, set aside before there are too many; and the hook, which gets the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include <daemon/log.h>

#include <daemons/av-introspect/findings.h>
#include <daemons/av-introspect/policy.h>

#define LIMIT   4096U
#define MANY    50U

static char directory[64], path[80], aside[80], hook[80], hooked[80];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test-findings-XXXXXX");
    if ( !mkdtemp(directory) )
        return -1;
    snprintf(path, sizeof(path), "%s/findings", directory);
    snprintf(aside, sizeof(aside), "%s/findings.1", directory);
    snprintf(hook, sizeof(hook), "%s/hook", directory);
    snprintf(hooked, sizeof(hooked), "%s/hooked", directory);
    return 0;
}

static int remove_directory(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", directory);
    return system(command);
}

static void add(struct findings *findings, uint32_t number, unsigned int actions)
{
    const struct scan_result result = { .plugin = "marker", .rule = "EICAR", .has_process = true, .pid = number };

    findings_add(findings, &(struct finding){
        .domid = 1, .name = "guarded", .uuid = "0", .kind = SCAN_REQUEST, .verdict = SCAN_MALICIOUS,
        .actions = actions, .result = &result });
}

/* Each line is an object of JSON, and they are in order. Returns how many there are, *last: the number of the last. */
static unsigned int count(const char *name, uint64_t *last)
{
    FILE *file = fopen(name, "r");
    unsigned int lines = 0;
    char line[4096];

    assert_non_null(file);
    for ( ; fgets(line, sizeof(line), file); lines++ )
    {
        struct json_object *object = json_tokener_parse(line), *pid;

        assert_true(json_object_object_get_ex(object, "pid", &pid));
        assert_true(!lines || json_object_get_uint64(pid) == *last + 1);
        *last = json_object_get_uint64(pid);
        json_object_put(object);
    }
    fclose(file);
    return lines;
}

static void too_many_are_set_aside(void **state)
{
    struct findings *findings;
    struct stat now, before;
    uint64_t last = 0, last_aside = 0;

    (void)state;
    assert_int_equal(findings_open(&findings, path, LIMIT, NULL), 0);
    for ( uint32_t i = 1; i <= MANY; i++ )
        add(findings, i, POLICY_LOG);
    assert_int_equal(findings_count(findings), MANY);
    findings_close(findings);
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(stat(aside, &before), 0);
    assert_in_range(now.st_size, 1, LIMIT);
    /* It was full. */
    assert_in_range(before.st_size, LIMIT / 2, LIMIT);
    assert_int_equal(before.st_mode & 0777, 0600);
    assert_true(count(path, &last) && count(aside, &last_aside));
    assert_int_equal(last, MANY);
    assert_int_equal(last - count(path, &last), last_aside);

    /* The next one goes on with it. */
    assert_int_equal(findings_open(&findings, path, LIMIT, NULL), 0);
    add(findings, MANY + 1, POLICY_LOG);
    findings_close(findings);
    count(access(aside, F_OK) ? aside : path, &last);
    assert_int_equal(last, MANY + 1);
}

/* Something else has the name: no finding is lost for that, and it is tried again. */
static void what_cannot_be_set_aside_grows(void **state)
{
    struct findings *findings;
    uint64_t last = 0;

    (void)state;
    assert_int_equal(mkdir(aside, 0700), 0);
    log_set_level(LOG_CRIT);
    assert_int_equal(findings_open(&findings, path, LIMIT, NULL), 0);
    for ( uint32_t i = 1; i <= MANY; i++ )
        add(findings, i, POLICY_LOG);
    assert_int_equal(count(path, &last), MANY);
    assert_int_equal(rmdir(aside), 0);
    add(findings, MANY + 1, POLICY_LOG);
    findings_close(findings);
    log_set_level(LOG_ERR);
    assert_int_equal(count(aside, &last), MANY);
    assert_int_equal(count(path, &last), 1);
    assert_int_equal(last, MANY + 1);
}

static void hook_is_told(void **state)
{
    struct findings *findings;
    struct stat told = { 0 };
    uint64_t last = 0;
    FILE *file = fopen(hook, "w");

    (void)state;
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\ncat >> %s.part && mv %s.part %s\n", hooked, hooked, hooked);
    fclose(file);
    assert_int_equal(chmod(hook, 0700), 0);
    assert_int_equal(findings_open(&findings, NULL, LIMIT, hook), 0);
    add(findings, 7, POLICY_LOG);
    add(findings, 8, POLICY_LOG | POLICY_HOOK);
    for ( unsigned int i = 0; stat(hooked, &told) && i < 10000; i++ )
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    assert_int_equal(count(hooked, &last), 1);
    assert_int_equal(last, 8);
    findings_tick(findings);
    findings_close(findings);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(too_many_are_set_aside, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(what_cannot_be_set_aside_grows, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(hook_is_told, make_directory, remove_directory),
    };

    log_open("test-findings", true);
    log_set_level(LOG_ERR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
