/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The installed library as a program of somebody else's uses it: the public header and the exported
 * symbols, nothing more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <memevent/memevent.h>
#include <memevent/operations.h>

static void test_unknown_hosts_are_refused(void **state)
{
    struct hypervisor *host = NULL;

    (void)state;

    assert_int_equal(memevent_open_host("", &host), -EINVAL);
    assert_int_equal(memevent_open_host("xen2", &host), -EINVAL);
    assert_int_equal(memevent_open_host("Xen", &host), -EINVAL);
    assert_null(host);
    memevent_close_host(NULL);
}

/* Where there is no Xen both spellings say so in the same way; in a dom0 both open. */
static void test_xen_is_the_default(void **state)
{
    struct hypervisor *host;
    int by_name, by_default;

    (void)state;

    by_name = memevent_open_host("xen", &host);
    if ( !by_name )
        memevent_close_host(host);
    by_default = memevent_open_host(NULL, &host);
    if ( !by_default )
        memevent_close_host(host);

    assert_int_equal(by_name, by_default);
    if ( access("/dev/xen/privcmd", F_OK) )
        assert_int_equal(by_default, -ENOENT);
}

/* Takes the address of every call in the header: one that the map forgets does not link. */
static void test_every_call_is_exported(void **state)
{
    void (*const calls[])(void) = {
        (void (*)(void))memevent_open_host, (void (*)(void))memevent_close_host,
        (void (*)(void))memevent_attach, (void (*)(void))memevent_detach,
        (void (*)(void))memevent_fd, (void (*)(void))memevent_next,
        (void (*)(void))memevent_arm, (void (*)(void))memevent_peek,
        (void (*)(void))memevent_answer, (void (*)(void))memevent_flush,
        (void (*)(void))memevent_get_statistics, (void (*)(void))memevent_get_transport,
        (void (*)(void))memevent_can_reattach, (void (*)(void))memevent_attach_with,
        (void (*)(void))memevent_leave, (void (*)(void))memevent_take_records,
        (void (*)(void))memevent_reports_touches, (void (*)(void))memevent_get_redelivered,
        (void (*)(void))memevent_get_channel_info, (void (*)(void))memevent_submit,
        (void (*)(void))memevent_flush_operations, (void (*)(void))memevent_alloc_buffer,
        (void (*)(void))memevent_free_buffer, (void (*)(void))memevent_answer_with,
        (void (*)(void))memevent_get_details, (void (*)(void))memevent_get_registers,
    };
    unsigned int i;

    (void)state;

    for ( i = 0; i < sizeof(calls) / sizeof(calls[0]); i++ )
        assert_true(calls[i] != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_hosts_are_refused),
        cmocka_unit_test(test_xen_is_the_default),
        cmocka_unit_test(test_every_call_is_exported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
