/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * That a status file says what was added to it, and nothing of what nobody knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "daemon/json.h"

static void members_are_what_was_added(void **state)
{
    struct json_object *object = json_object_new_object();

    (void)state;
    json_add_number(object, "least", 0);
    json_add_number(object, "most", UINT64_MAX);
    json_add_known(object, "known", 7);
    json_add_known(object, "unknown", JSON_UNKNOWN);
    json_add_text(object, "text", "a \"word\"\n");
    json_add_text(object, "none", NULL);
    json_add_flag(object, "yes", true);
    json_add_flag(object, "no", false);
    assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
                        "{\"least\":0,\"most\":18446744073709551615,\"known\":7,\"text\":\"a \\\"word\\\"\\n\",\"yes\":true,"
                        "\"no\":false}");
    json_object_put(object);
}

static void a_file_is_the_object_indented(void **state)
{
    char directory[] = "/tmp/test-json-XXXXXX", path[sizeof(directory) + 16], text[64] = "";
    struct json_object *object = json_object_new_object();
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/status", directory);
    json_add_number(object, "version", 1);
    assert_int_equal(json_write(object, path), 0);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_not_equal(fread(text, 1, sizeof(text) - 1, file), 0);
    fclose(file);
    assert_string_equal(text, "{\n  \"version\":1\n}");
    unlink(path);
    rmdir(directory);
    assert_true(json_write(object, path) < 0);
    json_object_put(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_what_was_added),
        cmocka_unit_test(a_file_is_the_object_indented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
