/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The integrity plugin over a small kernel: what the kernel does itself is no finding, what somebody else does is,
 * and a kernel that is none, or whose lists have no end, costs nothing but a word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dlfcn.h>

#include "plugin-host.h"
#include "small-kernel.h"

#define PLUGIN "daemons/av-introspect/plugins/integrity/.libs/integrity.so"

static const struct av_plugin *plugin;
static void *instance, *attached;

static const struct av_event event = {
    .size = sizeof(event), .kind = AV_EVENT_SCAN, .flags = AV_FLAG_REGISTERS, .gfn = 5, .cr3 = KERNEL_CR3,
};

static void begin_call(void)
{
    view_begin(plugin_host.view, UINT64_MAX);
    plugin_host.reads_left = UINT64_MAX;
}

static int attach(uint32_t flags)
{
    const struct av_domain domain = { .size = sizeof(domain), .flags = flags, .frames = kernel_frames.frames };

    begin_call();
    return plugin->attach(instance, NULL, &domain, &attached);
}

static int begin(void **state)
{
    const struct av_value values[] = { { .size = sizeof(values[0]), .text = "clean" } };

    (void)state;
    kernel_build(NULL);
    memset(&plugin_host, 0, sizeof(plugin_host));
    attached = NULL;
    kernel_absent = 0;
    return view_open(&plugin_host.view, &kernel_frames) || plugin->create(&host_table, values, &instance);
}

static int end(void **state)
{
    (void)state;
    if ( attached )
        plugin->detach(instance, attached);
    plugin->destroy(instance);
    view_close(plugin_host.view);
    return 0;
}

static int tick(void)
{
    begin_call();
    return plugin->tick(instance, attached, NULL);
}

/* An event comes, and then so many ticks that tables are looked at once. */
static int ticks(void)
{
    const uint8_t page[AV_PAGE_SIZE] = { 0 };
    const struct av_scan scan = {
        .size = sizeof(scan), .event = &event, .bytes = page, .length = sizeof(page), .focus_length = sizeof(page),
    };
    int verdict = AV_CLEAN;

    begin_call();
    assert_int_equal(plugin->scan(instance, attached, NULL, &scan), AV_CLEAN);
    for ( unsigned int i = 0; i < 8; i++ )
    {
        int said = tick();

        assert_true(said >= 0);
        verdict = said > verdict ? said : verdict;
    }
    return verdict;
}

static void watch_from_now(void)
{
    assert_int_equal(attach(0), 0);
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 0);
}

static void waits_for_page_tables(void **state)
{
    (void)state;
    assert_int_equal(attach(0), 0);
    assert_int_equal(tick(), AV_CLEAN);
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 0);
}

static void own_changes_are_no_findings(void **state)
{
    (void)state;
    watch_from_now();
    /* Jump labels change over, one of them is being changed; a function is traced by the kernel's own code. */
    kernel_put_jump(0, 20, true);
    kernel_put_jump(1, 21, false);
    assert_int_equal(ticks(), AV_CLEAN);
    *(unsigned char *)kernel_at(kernel_function(20) + 32) = 0xcc;
    memcpy(kernel_at(kernel_function(30)), "\xe8\x00\x10\x00\x00", 5);
    kernel_put(KERNEL_DATA + 0x100000, 1);
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 0);
    /* By something outside: it is worth a line, once. */
    memcpy(kernel_at(kernel_function(31)), "\xe8\x00\x00\x00\x10", 5);
    memcpy(kernel_at(kernel_function(32)), "\xe8\x00\x00\x00\x10", 5);
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 1);
    assert_non_null(host_found("traced", "function_31+0"));
}

static void code_is_changed(void **state)
{
    (void)state;
    watch_from_now();
    memcpy(kernel_at(kernel_function(7) + 100), "\xcc", 1);
    assert_int_equal(ticks(), AV_MALICIOUS);
    assert_int_equal(plugin_host.count, 1);
    assert_non_null(host_found("kernel-code", "function_7+0"));
    /* Said once. */
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 1);
}

static void site_is_abused(void **state)
{
    int32_t distance;

    (void)state;
    watch_from_now();
    /* A jump at a function's begin, and a jump label that goes elsewhere. */
    distance = KERNEL_MODULE_CODE + 0x1000 - kernel_function(40) - 5;
    *(unsigned char *)kernel_at(kernel_function(40)) = 0xe9;
    memcpy(kernel_at(kernel_function(40) + 1), &distance, sizeof(distance));
    memcpy(kernel_at(kernel_function(20) + 32), "\xe9\x00\x00\x00\x10", 5);
    assert_int_equal(ticks(), AV_MALICIOUS);
    assert_int_equal(plugin_host.count, 2);
    assert_non_null(host_found("kernel-code", "function_40+0"));
    assert_non_null(host_found("kernel-code", "but not so that it leads to 0xffffffffc0001000, in module module_1"));
    assert_non_null(host_found("kernel-code", "function_20+0x20"));
}

static void constants_are_changed(void **state)
{
    (void)state;
    watch_from_now();
    kernel_put(KERNEL_CONSTANT + 8, 1);
    assert_int_equal(ticks(), AV_MALICIOUS);
    assert_int_equal(plugin_host.count, 1);
    assert_non_null(host_found("kernel-constants", "a_constant"));
}

static void tables_lead_elsewhere(void **state)
{
    (void)state;
    kernel_put(KERNEL_CALL_TABLE + 3 * 8, UINT64_C(0xffffffffc0001000));
    kernel_put(KERNEL_CALL_TABLE + 4 * 8, kernel_function(4) + 9);
    kernel_put_gate(14, KERNEL_MODULE_CODE + 0x2800);
    assert_int_equal(attach(0), 0);
    assert_int_equal(ticks(), AV_MALICIOUS);
    assert_non_null(host_found("syscall-table", "sys_call_table[3] leads to 0xffffffffc0001000"));
    assert_non_null(host_found("syscall-table", "code, in module module_1"));
    assert_non_null(host_found("syscall-table", "sys_call_table[4] leads to function_4+0x9"));
    assert_non_null(host_found("idt", "interrupt 14 "));
    assert_null(host_found("idt", "module"));
    assert_int_equal(plugin_host.count, 3);
}

static void registers_are_wrong(void **state)
{
    (void)state;
    plugin_host.registers = (struct av_registers){
        .size = sizeof(struct av_registers), .known = AV_REGISTER_CONTROL | AV_REGISTER_SYSCALL | AV_REGISTER_TABLES,
        .cr0 = 0x80050033, .cr3 = KERNEL_CR3, .cr4 = 0x3006f0, .lstar = KERNEL_TEXT + 0x100, .idt_base = KERNEL_IDT,
    };
    watch_from_now();
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 0);
    plugin_host.registers.cr0 &= ~UINT64_C(0x10000);
    plugin_host.registers.cr4 &= ~UINT64_C(0x100000);
    plugin_host.registers.lstar = kernel_function(9);
    plugin_host.registers.idt_base = KERNEL_DATA + 0x1000;
    assert_int_equal(ticks(), AV_MALICIOUS);
    assert_non_null(host_found("cr0-wp", ""));
    assert_non_null(host_found("cr4", "SMEP"));
    assert_non_null(host_found("lstar", ""));
    assert_non_null(host_found("idt-base", ""));
    assert_int_equal(plugin_host.count, 4);
}

static void process_is_hidden(void **state)
{
    (void)state;
    watch_from_now();
    /* 2 is unlinked; 4 loses its number, and is in the list. */
    kernel_put(kernel_task(1) + IN_TASKS, kernel_task(3) + IN_TASKS);
    kernel_put(KERNEL_NODE + IN_SLOTS + 4 * 8, 0);
    ticks();
    ticks();
    assert_int_equal(plugin_host.count, 0);
    ticks();
    assert_int_equal(plugin_host.count, 2);
    assert_non_null(host_found("hidden-process", "process 2 (process-2) has a number"));
    assert_non_null(host_found("hidden-process", "process 4 (process-4) is in the list"));
    assert_int_equal(plugin_host.findings[0].process.pid, 2);
    assert_int_equal(plugin_host.findings[0].process.uid, 1002);
    assert_string_equal(plugin_host.findings[0].process.path, "/mnt/bin/tool");
}

/* One that is there at every second look only is being born, or dying. */
static void process_comes_and_goes(void **state)
{
    (void)state;
    watch_from_now();
    for ( unsigned int i = 0; i < 6; i++ )
    {
        kernel_put(kernel_task(1) + IN_TASKS, kernel_task(i % 2 ? 2 : 3) + IN_TASKS);
        assert_int_equal(ticks(), AV_CLEAN);
    }
    assert_int_equal(plugin_host.count, 0);
}

static int attribute(uint32_t vcpu, uint64_t cr3, struct av_process *out)
{
    struct av_event who = event;

    who.vcpu = vcpu;
    who.cr3 = cr3;
    memset(out, 0, sizeof(*out));
    out->size = sizeof(*out);
    begin_call();
    return plugin->attribute(instance, attached, NULL, &who, out);
}

static void says_whose_it_is(void **state)
{
    struct av_process process;

    (void)state;
    assert_int_equal(attach(0), 0);
    assert_int_equal(attribute(0, KERNEL_CR3, &process), -ENOENT);
    ticks();
    /* By the CPU's variable; by page tables, where that is another's; and tables of nobody. */
    assert_int_equal(attribute(0, KERNEL_CR3, &process), 0);
    assert_int_equal(process.pid, 3);
    assert_int_equal(process.uid, 1003);
    assert_string_equal(process.name, "process-3");
    assert_string_equal(process.path, "/mnt/bin/tool");
    assert_int_equal(attribute(0, KERNEL_CR3 * (16 + 2), &process), 0);
    assert_int_equal(process.pid, 2);
    assert_int_equal(attribute(0, KERNEL_CR3 * 100, &process), -ENOENT);
    /* With the bits that page table isolation and address space numbers set. */
    assert_int_equal(attribute(0, KERNEL_CR3 * (16 + 2) | 0x1007, &process), 0);
    assert_int_equal(process.pid, 2);
    /* A path that ends nowhere is no path, however short its names are. */
    memset(kernel_at(KERNEL_FILES + 0x800), 0, 32);
    kernel_put(KERNEL_FILES + 0x200 + IN_PARENT, KERNEL_FILES + 0x100);
    assert_int_equal(attribute(0, KERNEL_CR3, &process), 0);
    assert_string_equal(process.path, "");
}

/* A list of modules that ends nowhere names none, and does so a few times, not for each of many entries. */
static void modules_without_an_end(void **state)
{
    uint64_t reads;

    (void)state;
    watch_from_now();
    kernel_put(kernel_module(2) + IN_LIST, kernel_module(1) + IN_LIST);
    for ( unsigned int i = 0; i < KERNEL_CALLS; i++ )
        kernel_put(KERNEL_CALL_TABLE + i * 8, KERNEL_MODULE_CODE + 0x10000 + i);
    begin_call();
    reads = plugin_host.reads_left = 1u << 20;
    assert_int_equal(plugin->tick(instance, attached, NULL), AV_MALICIOUS);
    /* And the octets of the table. */
    assert_int_equal(plugin_host.count, KERNEL_CALLS + 1);
    assert_null(host_found("syscall-table", "module"));
    assert_true(reads - plugin_host.reads_left < 40000);
    /* The first is before the loop. */
    kernel_put(KERNEL_CALL_TABLE, KERNEL_MODULE_CODE + 0x7ff);
    assert_int_equal(tick(), AV_MALICIOUS);
    assert_non_null(host_found("syscall-table", "0xffffffffc00007ff, outside of the kernel's code, in module module_0"));
    kernel_put(KERNEL_MODULES, 0x400000);
    kernel_put(KERNEL_CALL_TABLE, KERNEL_MODULE_CODE + 1);
    assert_int_equal(tick(), AV_MALICIOUS);
    assert_null(host_found("syscall-table", "0xffffffffc0000001, outside of the kernel's code, in"));
}

static void lists_without_an_end(void **state)
{
    struct av_process process;

    (void)state;
    assert_int_equal(attach(0), 0);
    kernel_put(kernel_task(2) + IN_TASKS, kernel_task(1) + IN_TASKS);
    ticks();
    assert_int_equal(plugin_host.count, 1);
    assert_non_null(host_found("processes", "no end"));
    assert_int_equal(attribute(0, KERNEL_CR3 * 100, &process), -ENOENT);
    /* A node of the table leads back to itself, then the list into user space. */
    kernel_put(kernel_task(2) + IN_TASKS, kernel_task(3) + IN_TASKS);
    kernel_put(KERNEL_NODE + 0x800 + IN_SHIFT, 6);
    kernel_put(KERNEL_NODE + 0x800 + IN_SLOTS, KERNEL_NODE + 0x802);
    kernel_put(KERNEL_PIDS + IN_HEAD, KERNEL_NODE + 0x802);
    assert_int_equal(ticks(), AV_CLEAN);
    kernel_put(kernel_task(2) + IN_TASKS, 0x400000);
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 1);
}

static void kernel_without_symbols(void **state)
{
    (void)state;
    memset(kernel_at(KERNEL_KALLSYMS), 0, 0x8000);
    assert_int_equal(attach(0), 0);
    assert_int_equal(ticks(), AV_UNKNOWN);
    assert_int_equal(plugin_host.count, 1);
    assert_non_null(host_found("no-symbols", "kallsyms"));
    ticks();
    assert_int_equal(plugin_host.count, 1);
}

static void kernel_without_types(void **state)
{
    struct av_process process;

    (void)state;
    memset(kernel_at(KERNEL_BTF), 0, 64);
    assert_int_equal(attach(0), 0);
    assert_int_equal(ticks(), AV_UNKNOWN);
    assert_int_equal(plugin_host.count, 1);
    assert_non_null(host_found("no-types", "BTF"));
    assert_int_equal(attribute(0, KERNEL_CR3, &process), -ENOENT);
    /* The rest is watched. */
    memcpy(kernel_at(kernel_function(7) + 100), "\xcc", 1);
    assert_int_equal(ticks(), AV_MALICIOUS);
}

static void boots_still(void **state)
{
    uint64_t *entry = (uint64_t *)(kernel_memory + 0x3000) + ((KERNEL_RODATA - UINT64_C(0xffffffff80000000)) >> 21);

    (void)state;
    *entry |= 2;
    assert_int_equal(attach(0), 0);
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 0);
    *entry &= ~UINT64_C(2);
    kernel_put(KERNEL_CALL_TABLE, UINT64_C(0xffffffffc0001000));
    assert_int_equal(ticks(), AV_MALICIOUS);
}

/* As many ticks as a round may take where each makes one step only; 0: it is not found. */
static unsigned int ticks_until(const char *rule, const char *text)
{
    const unsigned int most = 2 * KERNEL_BYTES / (32 * AV_PAGE_SIZE);

    for ( unsigned int i = 1; i <= most; i++ )
    {
        assert_true(tick() >= 0);
        if ( host_found(rule, text) )
            return i;
    }
    return 0;
}

/* What comes before a round takes all of a tick's time, and more: rounds go on. */
static void a_slow_host(void **state)
{
    (void)state;
    plugin_host.frame_us = 1000000;
    assert_int_equal(attach(0), 0);
    assert_int_equal(ticks(), AV_CLEAN);
    kernel_put(KERNEL_CALL_TABLE + 3 * 8, UINT64_C(0xffffffffc0001000));
    assert_true(ticks_until("syscall-table", "sys_call_table[3]") > 1);
    assert_int_equal(plugin_host.count, 1);
    kernel_put(KERNEL_CALL_TABLE + 4 * 8, UINT64_C(0xffffffffc0001000));
    assert_int_equal(ticks_until("syscall-table", "sys_call_table[4]"), 1);
    memcpy(kernel_at(kernel_function(7) + 100), "\xcc", 1);
    assert_true(ticks_until("kernel-code", "function_7+0"));
    kernel_put(KERNEL_CONSTANT + 8, 1);
    assert_true(ticks_until("kernel-constants", "a_constant"));
}

/* A page that could not be read at first is as it is found; what lies around it is watched all the time. */
static void pages_come_and_go(void **state)
{
    const uint64_t page = kernel_function(7) & ~(uint64_t)(AV_PAGE_SIZE - 1);

    (void)state;
    kernel_absent = ((uint8_t *)kernel_at(page) - kernel_memory) / AV_PAGE_SIZE;
    watch_from_now();
    memcpy(kernel_at(page + AV_PAGE_SIZE + 100), "\xcc", 1);
    assert_int_equal(ticks(), AV_MALICIOUS);
    assert_int_equal(plugin_host.count, 1);
    kernel_absent = 0;
    assert_int_equal(ticks(), AV_CLEAN);
    assert_int_equal(plugin_host.count, 1);
    memcpy(kernel_at(kernel_function(7) + 100), "\xcc", 1);
    assert_int_equal(ticks(), AV_MALICIOUS);
    assert_non_null(host_found("kernel-code", "function_7+0"));
    assert_int_equal(plugin_host.count, 2);
}

static void image_is_searched(void **state)
{
    (void)state;
    kernel_put(kernel_task(1) + IN_TASKS, kernel_task(3) + IN_TASKS);
    kernel_put(KERNEL_CALL_TABLE + 3 * 8, UINT64_C(0xffffffffc0001000));
    /* A function of the kernel's own may begin with a jump to another. */
    memcpy(kernel_at(kernel_function(40)), "\xe9\x00\x00\x00\x10", 5);
    memcpy(kernel_at(kernel_function(41)), "\xe9\x00\x01\x00\x00", 5);
    assert_int_equal(attach(AV_DOMAIN_IMAGE), 0);
    assert_int_equal(plugin_host.count, 3);
    assert_non_null(host_found("kernel-code", "function_40+0"));
    assert_non_null(host_found("syscall-table", "sys_call_table[3]"));
    assert_non_null(host_found("hidden-process", "process 2 "));
}

static void image_without_kernel(void **state)
{
    (void)state;
    memset(kernel_memory, 0, 0x10000);
    assert_int_equal(attach(AV_DOMAIN_IMAGE), 0);
    assert_int_equal(plugin_host.count, 1);
    assert_non_null(host_found("no-kernel", ""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waits_for_page_tables), TEST(own_changes_are_no_findings), TEST(code_is_changed), TEST(site_is_abused),
        TEST(constants_are_changed), TEST(tables_lead_elsewhere), TEST(registers_are_wrong), TEST(process_is_hidden),
        TEST(process_comes_and_goes), TEST(says_whose_it_is), TEST(lists_without_an_end), TEST(modules_without_an_end), TEST(kernel_without_symbols),
        TEST(kernel_without_types), TEST(boots_still), TEST(a_slow_host), TEST(pages_come_and_go), TEST(image_is_searched), TEST(image_without_kernel),
    };
    void *library = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    int rc;

    if ( !library )
    {
        puts(dlerror());
        return 1;
    }
    plugin = dlsym(library, AV_PLUGIN_SYMBOL);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(kernel_memory);
    dlclose(library);
    return rc;
}
