/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the page store's tests share: pages made from a seed, a place for the spill file, and the store's own descriptors
 * found the way an outsider finds them, in /proc/self/fd.  Included once a program.
 */
#ifndef TEST_STORE_H
#define TEST_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemons/xenpaging/store.h"

/* All that a test uses is static and may be unused in one of them. */
#define TEST_STORE __attribute__((unused)) static

#define MIB (UINT64_C(1) << 20)

/* splitmix64: any two seeds give unrelated streams. */
TEST_STORE uint64_t test_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Of every domain. */
TEST_STORE const uint8_t test_uuid[STORE_IDENTITY_SIZE] = { 1, 2, 3 };

enum test_content {
    TEST_SAME,       /* same-filled */
    TEST_LZ4,        /* compresses, to anything between 30 and 3,700 octets */
    TEST_RANDOM,     /* does not compress */
    TEST_ANY,        /* one of these, by the seed */
};

TEST_STORE void test_page(void *page, enum test_content content, uint64_t seed)
{
    uint64_t words[STORE_PAGE_SIZE / 8], first = test_random(&seed), filled;

    if ( content == TEST_ANY )
        content = test_random(&seed) % TEST_ANY;
    switch ( content )
    {
    case TEST_SAME:
        filled = 0;
        break;
    case TEST_LZ4:
        filled = 2 + test_random(&seed) % 455;
        break;
    default:
        filled = STORE_PAGE_SIZE / 8;
        break;
    }
    for ( size_t i = 0; i < STORE_PAGE_SIZE / 8; i++ )
        words[i] = i < filled ? test_random(&seed) : first;
    memcpy(page, words, STORE_PAGE_SIZE);
}

TEST_STORE const char *test_directory(void)
{
    const char *directory = getenv("TMPDIR");

    return directory ? directory : ".";
}

/* A descriptor of ours whose /proc/self/fd link contains the word; -1 if there is none. */
TEST_STORE int test_find_fd(const char *word)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    char target[512];
    int found = -1;

    assert_non_null(dir);
    while ( found < 0 && (entry = readdir(dir)) )
    {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        if ( n <= 0 )
            continue;
        target[n] = '\0';
        if ( strstr(target, word) )
            found = atoi(entry->d_name);
    }
    closedir(dir);
    return found;
}

/* The spill file, opened anew so that any octet of it can be reached: O_DIRECT allows whole blocks only. */
TEST_STORE int test_open_spill(void)
{
    /* Nameless files show as "/dir/#inode (deleted)"; memfds as "/memfd:...". */
    int fd = test_find_fd("/#"), again;
    char path[64];

    if ( fd < 0 )
        fd = test_find_fd("/.xenpaging-");
    assert_true(fd >= 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    again = open(path, O_RDWR | O_CLOEXEC);
    assert_true(again >= 0);
    return again;
}

TEST_STORE void test_put(struct store *s, struct store_domain *d, uint64_t gfn, enum test_content content, uint64_t seed)
{
    unsigned char page[STORE_PAGE_SIZE];

    assert_int_equal(store_reserve(s, 1), 1);
    test_page(page, content, seed);
    assert_int_equal(store_put(d, gfn, page), 0);
}

struct test_result {
    int done;
    int result;
};

TEST_STORE void test_done(void *arg, void *cookie, int result)
{
    struct test_result *r = cookie;

    (void)arg;
    assert_false(r->done);
    r->done = 1;
    r->result = result;
}

/* One round of what the pager's event loop does; false when nothing comes for ten seconds. */
TEST_STORE int test_reap(struct store *s)
{
    struct pollfd fd = { .fd = store_fd(s), .events = POLLIN };

    if ( poll(&fd, 1, 10000) != 1 )
        return 0;
    store_reap(s, test_done, NULL);
    return 1;
}

/* store_get that waits; page must be aligned. */
TEST_STORE int test_get(struct store *s, struct store_domain *d, uint64_t gfn, void *page)
{
    struct test_result result = { 0, 0 };
    int rc = store_get(d, gfn, page, &result);

    if ( rc != 1 )
        return rc;
    while ( !result.done )
        assert_true(test_reap(s));
    return result.result;
}

TEST_STORE void test_expect(struct store *s, struct store_domain *d, uint64_t gfn, enum test_content content, uint64_t seed)
{
    static _Alignas(STORE_PAGE_SIZE) unsigned char page[STORE_PAGE_SIZE];
    unsigned char expected[STORE_PAGE_SIZE];

    memset(page, 0x5a, sizeof(page));
    assert_int_equal(test_get(s, d, gfn, page), 0);
    test_page(expected, content, seed);
    assert_memory_equal(page, expected, STORE_PAGE_SIZE);
}

/* From here on the process is one that is not permitted io_uring, as under many sandboxes. */
TEST_STORE void test_forbid_uring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

#endif
