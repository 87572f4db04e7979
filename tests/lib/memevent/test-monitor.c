/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An ACCESS channel over upstream's monitor ring, against the model of Xen's side: what a consumer is told, and what Xen gets
 * back.  What is common to both rings is in test-channel.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake-xen.h"

struct fixture {
    struct fake_xen xen;
    struct memevent_channel *channel;
};

static int begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fake_xen_init(&fixture->xen);
    fixture->xen.class = MEMEVENT_CLASS_ACCESS;
    fixture->channel = fake_xen_attach(&fixture->xen);
    *state = fixture;

    return 0;
}

/* Every slot has come home, nobody waits, and the model had nothing to object to. */
static int end(void **state)
{
    struct fixture *fixture = *state;
    unsigned int slots = fake_xen_free_slots(&fixture->xen), vcpu;

    memevent_detach(fixture->channel);
    fake_xen_verify(&fixture->xen);
    assert_int_equal(slots, FAKE_XEN_SLOTS);
    for ( vcpu = 0; vcpu < FAKE_XEN_VCPUS; vcpu++ )
        assert_int_equal(fake_xen_paused(&fixture->xen, vcpu), 0);
    fake_xen_finish(&fixture->xen);
    free(fixture);

    return 0;
}

/* A fetch by vCPU 3 from a page that it must not execute, with registers that are all different. */
static vm_event_request_t violation(void)
{
    vm_event_request_t request = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = VM_EVENT_REASON_MEM_ACCESS,
        .flags = VM_EVENT_FLAG_VCPU_PAUSED,
        .vcpu_id = 3,
        .u.mem_access = {
            .gfn = 0x1234, .offset = 0x567, .gla = 0xffff888001234567,
            .flags = MEM_ACCESS_X | MEM_ACCESS_GLA_VALID | MEM_ACCESS_FAULT_WITH_GLA,
        },
    };
    uint64_t *registers = (uint64_t *)&request.data.regs.x86;

    for ( size_t i = 0; i < sizeof(request.data.regs.x86) / sizeof(*registers); i++ )
        registers[i] = 0x0101010101010101 * (i + 1);

    return request;
}

/* The one event that there is. */
static struct memevent_event next(struct fixture *fixture)
{
    struct memevent_event event, none;

    assert_int_equal(memevent_next(fixture->channel, &event), 1);
    assert_int_equal(memevent_next(fixture->channel, &none), 0);

    return event;
}

static void test_violation(void **state)
{
    struct fixture *fixture = *state;
    vm_event_request_t request = violation();
    struct memevent_event event;
    struct memevent_details details;
    struct vm_event_regs_x86 registers;

    assert_int_equal(fake_xen_put(&fixture->xen, &request, NULL), 0);
    event = next(fixture);
    assert_int_equal(event.kind, VM_EVENT_REASON_MEM_ACCESS);
    assert_int_equal(event.gfn, 0x1234);
    assert_int_equal(event.vcpu, 3);
    assert_int_equal(event.flags, MEMEVENT_FLAG_VCPU_PAUSED);
    assert_int_equal(event.time, 0);

    assert_int_equal(memevent_get_details(fixture->channel, event.id, &details), 0);
    assert_int_equal(details.gla, 0xffff888001234567);
    assert_int_equal(details.access, MEM_ACCESS_X | MEM_ACCESS_GLA_VALID | MEM_ACCESS_FAULT_WITH_GLA);
    assert_int_equal(details.view, 0);
    assert_int_equal(details.values[0], 0);
    assert_int_equal(details.gpr[0], request.data.regs.x86.rax);
    assert_int_equal(details.gpr[4], request.data.regs.x86.rsp);
    assert_int_equal(details.gpr[15], request.data.regs.x86.r15);
    assert_int_equal(details.rip, request.data.regs.x86.rip);
    assert_int_equal(details.cr3, request.data.regs.x86.cr3);
    assert_int_equal(memevent_get_registers(fixture->channel, event.id, &registers, sizeof(registers)), 0);
    assert_memory_equal(&registers, &request.data.regs.x86, sizeof(registers));

    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_get_details(fixture->channel, event.id, &details), -ENOENT);
    assert_int_equal(memevent_answer(fixture->channel, event.id), -EALREADY);
    assert_int_equal(memevent_flush(fixture->channel), 0);
}

/* Xen carries an instruction out when the answer says so, and says of which access. */
static void test_actions(void **state)
{
    static const struct { uint32_t actions, flags; } each[] = {
        { 0, 0 },
        { MEMEVENT_ACTION_EMULATE, VM_EVENT_FLAG_EMULATE },
        { MEMEVENT_ACTION_EMULATE | MEMEVENT_ACTION_SKIP_WRITE, VM_EVENT_FLAG_EMULATE | VM_EVENT_FLAG_EMULATE_NOWRITE },
        { MEMEVENT_ACTION_DENY, VM_EVENT_FLAG_DENY },
    };
    struct fixture *fixture = *state;
    unsigned int i;

    for ( i = 0; i < sizeof(each) / sizeof(each[0]); i++ )
    {
        vm_event_request_t request = violation();
        vm_event_response_t response = {
            .version = VM_EVENT_INTERFACE_VERSION,
            .reason = VM_EVENT_REASON_MEM_ACCESS,
            .flags = VM_EVENT_FLAG_VCPU_PAUSED | each[i].flags,
            .vcpu_id = 3,
            .u.mem_access = request.u.mem_access,
        };
        struct memevent_event event;

        assert_int_equal(fake_xen_put(&fixture->xen, &request, &response), 0);
        event = next(fixture);
        assert_int_equal(memevent_answer_with(fixture->channel, event.id, each[i].actions | 1u << 3), -EINVAL);
        assert_int_equal(memevent_answer_with(fixture->channel, event.id, each[i].actions), 0);
        assert_int_equal(memevent_flush(fixture->channel), 0);
    }
}

/* Another kind brings values instead of a frame; nobody waits for a request that only tells. */
static void test_monitored_events(void **state)
{
    struct fixture *fixture = *state;
    vm_event_request_t request = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = VM_EVENT_REASON_WRITE_CTRLREG,
        .flags = VM_EVENT_FLAG_VCPU_PAUSED | VM_EVENT_FLAG_ALTERNATE_P2M,
        .vcpu_id = 1,
        .altp2m_idx = 2,
        .u.write_ctrlreg = { .index = VM_EVENT_X86_CR4, .new_value = 0x20, .old_value = 0x30 },
    };
    vm_event_response_t response = request;
    struct memevent_event event;
    struct memevent_details details;

    /* The view that is in force stays so. */
    response.flags = VM_EVENT_FLAG_VCPU_PAUSED | VM_EVENT_FLAG_DENY;
    response.altp2m_idx = 0;
    assert_int_equal(fake_xen_put(&fixture->xen, &request, &response), 0);
    event = next(fixture);
    assert_int_equal(event.kind, VM_EVENT_REASON_WRITE_CTRLREG);
    assert_int_equal(event.gfn, MEMEVENT_NO_GFN);
    assert_int_equal(memevent_get_details(fixture->channel, event.id, &details), 0);
    assert_int_equal(details.values[0], VM_EVENT_X86_CR4);
    assert_int_equal(details.values[1], 0x20);
    assert_int_equal(details.values[2], 0x30);
    assert_int_equal(details.view, 2);
    assert_int_equal(details.access, 0);
    assert_int_equal(memevent_answer_with(fixture->channel, event.id, MEMEVENT_ACTION_DENY), 0);

    request = (vm_event_request_t){
        .version = VM_EVENT_INTERFACE_VERSION, .reason = VM_EVENT_REASON_GUEST_REQUEST, .vcpu_id = 4,
    };
    assert_int_equal(fake_xen_put(&fixture->xen, &request, NULL), 0);
    event = next(fixture);
    assert_int_equal(event.kind, VM_EVENT_REASON_GUEST_REQUEST);
    assert_int_equal(event.flags, 0);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);
}

/* What is no event of a monitor is not handed out, and its vCPU goes on. */
static void test_nonsense(void **state)
{
    static const struct { uint32_t version, reason, flags; } each[] = {
        { VM_EVENT_INTERFACE_VERSION + 1, VM_EVENT_REASON_MEM_ACCESS, 0 },
        { VM_EVENT_INTERFACE_VERSION, VM_EVENT_REASON_UNKNOWN, 0 },
        { VM_EVENT_INTERFACE_VERSION, VM_EVENT_REASON_MEM_PAGING, 0 },
        { VM_EVENT_INTERFACE_VERSION, VM_EVENT_REASON_MEM_SHARING, 0 },
        { VM_EVENT_INTERFACE_VERSION, 0x10001, 0 },
        { VM_EVENT_INTERFACE_VERSION, VM_EVENT_REASON_MEM_ACCESS, VM_EVENT_FLAG_SET_REGISTERS },
    };
    struct fixture *fixture = *state;
    struct memevent_statistics statistics;
    struct memevent_event event;
    unsigned int i;

    for ( i = 0; i < sizeof(each) / sizeof(each[0]); i++ )
    {
        vm_event_request_t request = violation();
        vm_event_response_t response = {
            .version = VM_EVENT_INTERFACE_VERSION, .reason = VM_EVENT_REASON_UNKNOWN,
            .flags = VM_EVENT_FLAG_VCPU_PAUSED, .vcpu_id = 3,
        };

        request.version = each[i].version;
        request.reason = each[i].reason;
        request.flags |= each[i].flags;
        assert_int_equal(fake_xen_put(&fixture->xen, &request, &response), 0);
        assert_int_equal(memevent_next(fixture->channel, &event), 0);
    }
    assert_int_equal(memevent_flush(fixture->channel), 0);
    memevent_get_statistics(fixture->channel, &statistics);
    assert_int_equal(statistics.malformed, i);
    assert_int_equal(statistics.received, 0);
}

/* Details are of the copy that was checked, whatever is written into the page meanwhile. */
static void test_the_page_is_read_once(void **state)
{
    struct fixture *fixture = *state;
    vm_event_request_t request = violation();
    struct memevent_details details;
    struct memevent_event event;
    vm_event_sring_t *shared = fixture->xen.ring.page;

    assert_int_equal(fake_xen_put(&fixture->xen, &request, NULL), 0);
    event = next(fixture);
    memset(&shared->ring[0], 0xee, sizeof(shared->ring[0]));
    assert_int_equal(memevent_get_details(fixture->channel, event.id, &details), 0);
    assert_int_equal(details.rip, request.data.regs.x86.rip);
    assert_int_equal(memevent_answer(fixture->channel, event.id), 0);
    assert_int_equal(memevent_flush(fixture->channel), 0);
}

static void test_what_it_cannot_do(void **state)
{
    struct fixture *fixture = *state;
    struct memevent_channel_info info;
    char byte;

    assert_false(memevent_can_reattach(fixture->channel));
    assert_false(memevent_reports_touches(fixture->channel));
    assert_int_equal(memevent_get_channel_info(fixture->channel, &info), -EOPNOTSUPP);
    assert_int_equal(memevent_get_registers(fixture->channel, 1, &byte, 1), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_violation, begin, end),
        cmocka_unit_test_setup_teardown(test_actions, begin, end),
        cmocka_unit_test_setup_teardown(test_monitored_events, begin, end),
        cmocka_unit_test_setup_teardown(test_nonsense, begin, end),
        cmocka_unit_test_setup_teardown(test_the_page_is_read_once, begin, end),
        cmocka_unit_test_setup_teardown(test_what_it_cannot_do, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
