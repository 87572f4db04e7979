/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel says of a process that gave up its rights.  Each case runs
 * in a child, as nothing can be taken back; it works as root and as an
 * ordinary user, who has less to lose.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/privilege.h"

static const struct privilege_right kept[] = {
    { CAP_IPC_LOCK, "the test says so" },
};

static uint64_t read_status(const char *key)
{
    char line[256];
    uint64_t value = UINT64_MAX;
    FILE *file = fopen("/proc/self/status", "r");

    while ( file && fgets(line, sizeof(line), file) )
        if ( !strncmp(line, key, strlen(key)) )
            sscanf(line + strlen(key), ": %" SCNx64, &value);

    if ( file )
        fclose(file);

    return value;
}

static int in_child(int (*body)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if ( !child )
        _exit(body());

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));

    return WEXITSTATUS(status);
}

static int keep_one(void)
{
    const uint64_t one = 1ull << CAP_IPC_LOCK;
    uint64_t before = read_status("CapPrm");
    uint64_t bounding = read_status("CapBnd");
    bool may_bound = read_status("CapEff") >> CAP_SETPCAP & 1;

    if ( privilege_drop(kept, 1, 0) )
        return 10;
    if ( read_status("CapEff") != (before & one) ||
         read_status("CapPrm") != (before & one) )
        return 11;
    if ( read_status("CapInh") || read_status("CapAmb") )
        return 12;
    if ( read_status("CapBnd") != (may_bound ? bounding & one : bounding) )
        return 13;
    if ( read_status("NoNewPrivs") != 1 )
        return 14;

    /* Not asked for, so a core may still be dumped. */
    return prctl(PR_GET_DUMPABLE) == 1 ? 0 : 15;
}

static int keep_nothing_and_dump_nothing(void)
{
    struct rlimit limit;

    if ( privilege_drop(NULL, 0, PRIVILEGE_HOLDS_GUEST_MEMORY) )
        return 10;
    if ( prctl(PR_GET_DUMPABLE) || getrlimit(RLIMIT_CORE, &limit) ||
         limit.rlim_cur || limit.rlim_max )
        return 11;

    return read_status("CapEff") || read_status("CapPrm") ? 12 : 0;
}

static int drop_twice(void)
{
    if ( privilege_drop(kept, 1, 0) || privilege_drop(NULL, 0, 0) )
        return 10;

    return read_status("CapPrm") ? 11 : 0;
}

static int refuse(void)
{
    static const struct privilege_right silent[] = { { CAP_CHOWN, "" } };
    static const struct privilege_right unknown[] = { { 1000, "none" } };

    if ( privilege_drop(NULL, 0, 0x80) != -EINVAL ||
         privilege_drop(silent, 1, 0) != -EINVAL ||
         privilege_drop(unknown, 1, 0) != -EINVAL )
        return 10;

    return 0;
}

static void one_right_is_kept_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(in_child(keep_one), 0);
}

static void guest_memory_is_never_dumped(void **state)
{
    (void)state;
    assert_int_equal(in_child(keep_nothing_and_dump_nothing), 0);
}

static void less_can_always_be_asked_for(void **state)
{
    (void)state;
    assert_int_equal(in_child(drop_twice), 0);
}

static void rights_need_reasons(void **state)
{
    (void)state;
    assert_int_equal(in_child(refuse), 0);
}

static void rights_have_names(void **state)
{
    (void)state;
    assert_string_equal(privilege_name(CAP_IPC_LOCK), "ipc_lock");
    assert_string_equal(privilege_name(-1), "unknown");
    assert_string_equal(privilege_name(1000), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_right_is_kept_and_no_other),
        cmocka_unit_test(guest_memory_is_never_dumped),
        cmocka_unit_test(less_can_always_be_asked_for),
        cmocka_unit_test(rights_need_reasons),
        cmocka_unit_test(rights_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
