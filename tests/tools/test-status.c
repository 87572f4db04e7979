/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Status files that are whole, cut, hostile or not files at all.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include <tools/memeventctl/status.h>

static char directory[] = "/tmp/test-status-XXXXXX";

static void write_file(const char *name, const void *bytes, size_t length)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void remove_file(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

/* What the one file holds that is read from these bytes. */
static struct status_list read_bytes(const void *bytes, size_t length)
{
    struct status_list list;

    write_file("pager.json", bytes, length);
    assert_int_equal(status_list_open(&list, directory, "pager"), 0);
    assert_int_equal(list.count, 1);
    remove_file("pager.json");
    return list;
}

static struct status_list read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void test_figures(void **state)
{
    struct status_list list = read_text("{\"pid\":1,\"a\":{\"b\":{\"c\":7}},\"big\":18446744073709551615,\"less\":-1,"
                                        "\"half\":0.5,\"text\":\"12\",\"yes\":true,\"nothing\":null,\"list\":[1,{\"x\":2}]}\n");
    const struct json_object *root = list.items[0].root;

    (void)state;
    assert_non_null(root);
    assert_int_equal(status_number(root, "a.b.c"), 7);
    assert_int_equal(status_number(root, "big"), UINT64_MAX);
    assert_int_equal(status_number(root, "less"), STATUS_UNKNOWN);
    assert_int_equal(status_number(root, "half"), STATUS_UNKNOWN);
    assert_int_equal(status_number(root, "text"), STATUS_UNKNOWN);
    assert_int_equal(status_number(root, "nothing"), STATUS_UNKNOWN);
    assert_int_equal(status_number(root, "a"), STATUS_UNKNOWN);
    assert_int_equal(status_number(root, "a.b.c.d"), STATUS_UNKNOWN);
    assert_int_equal(status_number(root, "a..c"), STATUS_UNKNOWN);
    assert_int_equal(status_number(root, ""), STATUS_UNKNOWN);
    assert_int_equal(status_number(NULL, "a"), STATUS_UNKNOWN);
    assert_string_equal(status_text(root, "text"), "12");
    assert_null(status_text(root, "pid"));
    assert_true(status_flag(root, "yes"));
    assert_false(status_flag(root, "pid"));
    assert_int_equal(status_count(root, "list"), 2);
    assert_int_equal(status_count(root, "a"), 0);
    assert_int_equal(status_number(status_item(root, "list", 0), "x"), STATUS_UNKNOWN);
    assert_int_equal(status_number(status_item(root, "list", 1), "x"), 2);
    assert_null(status_item(root, "list", 2));
    status_list_close(&list);
}

static void test_cut(void **state)
{
    static const char text[] = "{\"pid\":1,\"domains\":[{\"domid\":5,\"name\":\"web\\u0031\",\"faults\":10},{}]}";

    (void)state;
    for ( size_t length = 0; length < sizeof(text) - 1; length++ )
    {
        struct status_list list = read_bytes(text, length);

        assert_null(list.items[0].root);
        assert_non_null(list.items[0].error);
        assert_false(list.items[0].alive);
        status_list_close(&list);
    }
}

static void test_hostile(void **state)
{
    static const char *const refused[] = { "[]", "7", "null", "\"text\"", "{} {}", "{\"a\":01x}", "\xff\xfe{}", "{\"a\":}" };
    char deep[2 * 64 + 1];
    struct status_list list;

    (void)state;
    for ( size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++ )
    {
        list = read_text(refused[i]);
        assert_null(list.items[0].root);
        assert_non_null(list.items[0].error);
        status_list_close(&list);
    }
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    list = read_bytes(deep, 128);
    assert_null(list.items[0].root);
    status_list_close(&list);
    list = read_bytes("{\"pid\":1}\0\0", 11);
    assert_null(list.items[0].root);
    status_list_close(&list);
}

static void test_processes(void **state)
{
    static const char *const dead[] = { "{}", "{\"pid\":0}", "{\"pid\":-1}", "{\"pid\":4294967297}", "{\"pid\":18446744073709551615}",
                                        "{\"pid\":\"1\"}" };
    struct status_list list;
    char text[64];

    (void)state;
    for ( size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++ )
    {
        list = read_text(dead[i]);
        assert_false(list.items[0].alive);
        status_list_close(&list);
    }
    /* This process is there, but is no pager. */
    snprintf(text, sizeof(text), "{\"pid\":%d}", getpid());
    list = read_text(text);
    assert_int_equal(list.items[0].pid, getpid());
    assert_false(list.items[0].alive);
    status_list_close(&list);
}

static void test_names(void **state)
{
    static const char *const names[] = {
        "pager-12.json", "pager.json", "pager-5.json", "pager.json.new", "pagers.json", "other.json", "pager",
        /* Names are printed. */
        "pager-.json", "pager-\033[2J.json", "pager-7\n.json", "pager-5.json.json",
    };
    struct status_list list;
    char path[128];

    (void)state;
    for ( size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++ )
        write_file(names[i], "{}", 2);
    snprintf(path, sizeof(path), "%s/pager-200.json", directory);
    assert_int_equal(symlink("/dev/zero", path), 0);
    snprintf(path, sizeof(path), "%s/pager-3000.json", directory);
    assert_int_equal(mkfifo(path, 0600), 0);

    assert_int_equal(status_list_open(&list, directory, "pager"), 0);
    assert_int_equal(list.count, 5);
    assert_non_null(strstr(list.items[0].path, "/pager.json"));
    assert_non_null(strstr(list.items[1].path, "/pager-5.json"));
    assert_non_null(strstr(list.items[2].path, "/pager-12.json"));
    assert_null(list.items[3].root);
    assert_null(list.items[4].root);
    status_list_close(&list);

    for ( size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++ )
        remove_file(names[i]);
    remove_file("pager-200.json");
    remove_file("pager-3000.json");
    assert_int_equal(status_list_open(&list, directory, "pager"), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(status_list_open(&list, "/nonexistent/directory", "pager"), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(status_list_open(&list, "/dev/null", "pager"), -ENOTDIR);
}

/* What is printed says the same to a program, and nothing to a terminal. */
static void test_json(void **state)
{
    static const struct { const char *in, *out; } cases[] = {
        { "{\"a\":\"\\u001b[2J\\n\"}", "{\"a\":\"\\u001b[2J\\n\"}\n" },
        { "{\"a\":\"\xc2\x9b" "31m\x7f\"}", "{\"a\":\"\\u009b31m\\u007f\"}\n" },
        { "{\"\xe2\x80\xae\":\"\xef\xbb\xbf\"}", "{\"\\u202e\":\"\\ufeff\"}\n" },
        { "{\"a\":\"\xc3\xa4 \xe2\x82\xac\"}", "{\"a\":\"\xc3\xa4 \xe2\x82\xac\"}\n" },
        { "{\"a\":\"\xff\xc3\"}", "{\"a\":\"\\ufffd\\ufffd\"}\n" },
    };

    (void)state;
    for ( size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        struct json_object *object = json_tokener_parse(cases[i].in);
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);

        assert_non_null(object);
        assert_int_equal(status_print_json(out, object, false), 0);
        fclose(out);
        assert_string_equal(text, cases[i].out);
        free(text);
        json_object_put(object);
    }
}

static void test_too_large(void **state)
{
    char path[128];
    struct status_list list;

    (void)state;
    write_file("pager.json", "{}", 2);
    snprintf(path, sizeof(path), "%s/pager.json", directory);
    assert_int_equal(truncate(path, (off_t)STATUS_BYTES_MAX + 1), 0);
    assert_int_equal(status_list_open(&list, directory, "pager"), 0);
    assert_null(list.items[0].root);
    assert_string_equal(list.items[0].error, strerror(EFBIG));
    status_list_close(&list);
    remove_file("pager.json");
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_too_large),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
