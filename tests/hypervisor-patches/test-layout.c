/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI's octet tables as the compiler lays them out, and the geometry of a channel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "channel-pair.h"

#define PAGE_OCTETS 4096u
/* The most that Xen gives a domain, HVM_MAX_VCPUS being far below. */
#define VCPUS_MAX   8192u

#define SIZE(type, octets)          assert_int_equal(sizeof(type), octets);
#define PLACE(type, field, offset)  assert_int_equal(offsetof(type, field), offset);

static void test_tables(void **state)
{
    (void)state;
    XEN_MEMEVENT_LAYOUT(SIZE, PLACE)
}

/* Each line of the control words has one writer. */
static void test_lines(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct xen_memevent_reliable, request_producer) / 64, 0);
    assert_int_equal(offsetof(struct xen_memevent_reliable, request_event) / 64,
                     offsetof(struct xen_memevent_reliable, request_consumer) / 64);
    assert_int_equal(offsetof(struct xen_memevent_reliable, response_producer) / 64, 2);
    assert_int_equal(offsetof(struct xen_memevent_reliable, response_consumer) / 64, 3);
    assert_true(offsetof(struct xen_memevent_lossy, dropped) + 8 <= 64);
    assert_true(offsetof(struct xen_memevent_lossy, consumer) >= 64);
    assert_true(offsetof(struct xen_memevent_lossy, armed) + 4 <= 128);
}

/* The four parts of a call are all of it, and apart. */
static void test_tuples(void **state)
{
    (void)state;
    assert_int_equal(XEN_MEMEVENT_SHARING_MERGE, 0x03020000u);
    assert_int_equal(XEN_MEMEVENT_SHARING_MERGE & XEN_MEMEVENT_RESERVED_MASK, 0);
    assert_int_equal(XEN_MEMEVENT_FAMILY_MASK ^ XEN_MEMEVENT_CALL_MASK ^ XEN_MEMEVENT_RESERVED_MASK ^
                     XEN_MEMEVENT_ANNOTATION_MASK, 0xffffffffu);
}

static void check_geometry(uint32_t vcpus, uint32_t request_size, uint32_t response_size)
{
    struct memevent_reliable channel;
    uint32_t responses_end, requests_end;

    memevent_reliable_layout(&channel, vcpus, request_size, response_size);
    assert_int_equal(channel.slots & (channel.slots - 1), 0);
    /* Every vCPU has a place, so has RESCAN, and who is no vCPU has some. */
    assert_true(channel.slots >= vcpus + 1 + MEMEVENT_SHARED_MIN);
    assert_true(channel.slots >= MEMEVENT_SLOTS_MIN);
    /* No more than needed. */
    assert_true(channel.slots == MEMEVENT_SLOTS_MIN || channel.slots / 2 < vcpus + 1 + MEMEVENT_SHARED_MIN);

    responses_end = channel.response_offset + channel.slots * channel.response_size;
    requests_end = channel.request_offset + channel.slots * channel.request_size;
    assert_true(channel.response_offset >= sizeof(struct xen_memevent_reliable));
    assert_true(channel.request_offset >= responses_end);
    assert_true(channel.request_offset < responses_end + PAGE_OCTETS);
    assert_int_equal(channel.request_offset % PAGE_OCTETS, 0);
    assert_int_equal(channel.size, requests_end);
    assert_int_equal(channel.size % PAGE_OCTETS, 0);
}

static void test_geometry(void **state)
{
    uint32_t vcpus;

    (void)state;
    for ( vcpus = 1; vcpus <= VCPUS_MAX; vcpus++ )
    {
        check_geometry(vcpus, sizeof(struct xen_memevent_request), sizeof(struct xen_memevent_response));
        check_geometry(vcpus, sizeof(struct xen_memevent_access_request), sizeof(struct xen_memevent_access_response));
        check_geometry(vcpus, XEN_MEMEVENT_FULL_SIZE, sizeof(struct xen_memevent_access_response));
    }
}

/* One page holds 64 outstanding requests, and the responses' begin beside the control words. */
static void test_small(void **state)
{
    struct memevent_reliable channel;

    (void)state;
    memevent_reliable_layout(&channel, 4, sizeof(struct xen_memevent_request), sizeof(struct xen_memevent_response));
    assert_int_equal(channel.slots, 64);
    assert_int_equal(channel.slots * channel.request_size, PAGE_OCTETS);
    assert_int_equal(channel.size, 2 * PAGE_OCTETS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_tuples),
        cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
