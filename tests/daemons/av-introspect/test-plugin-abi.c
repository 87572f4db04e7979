/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plugin interface, octet by octet: plugins that were built once go on working. A row of what is here may never change; a
 * new minor version adds rows, and sizes grow at the end. What breaks this test asks for a new major version.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <av-introspect/plugin.h>

/* Of x86-64, the only machine that there are guests of. */
_Static_assert(sizeof(void *) == 8, "the table below is of 64 bits");

struct row {
    const char *type, *field;
    size_t offset, bytes, offset_now, bytes_now;
};

#define ROW(type, field, offset, bytes)                                                                     \
    { #type, #field, offset, bytes, offsetof(struct type, field), sizeof(((struct type *)NULL)->field) }

static const struct row rows[] = {
    ROW(av_event, size, 0, 4),
    ROW(av_event, kind, 4, 4),
    ROW(av_event, flags, 8, 4),
    ROW(av_event, vcpu, 12, 4),
    ROW(av_event, gfn, 16, 8),
    ROW(av_event, gva, 24, 8),
    ROW(av_event, time, 32, 8),
    ROW(av_event, values, 40, 32),
    ROW(av_event, gpr, 72, 128),
    ROW(av_event, rip, 200, 8),
    ROW(av_event, cr3, 208, 8),

    ROW(av_registers, size, 0, 4),
    ROW(av_registers, known, 4, 4),
    ROW(av_registers, vcpu, 8, 4),
    ROW(av_registers, pad, 12, 4),
    ROW(av_registers, gpr, 16, 128),
    ROW(av_registers, rip, 144, 8),
    ROW(av_registers, rflags, 152, 8),
    ROW(av_registers, cr0, 160, 8),
    ROW(av_registers, cr3, 168, 8),
    ROW(av_registers, cr4, 176, 8),
    ROW(av_registers, efer, 184, 8),
    ROW(av_registers, star, 192, 8),
    ROW(av_registers, lstar, 200, 8),
    ROW(av_registers, idt_base, 208, 8),
    ROW(av_registers, gdt_base, 216, 8),
    ROW(av_registers, idt_limit, 224, 4),
    ROW(av_registers, gdt_limit, 228, 4),
    ROW(av_registers, fs_base, 232, 8),
    ROW(av_registers, gs_base, 240, 8),
    ROW(av_registers, shadow_gs, 248, 8),

    ROW(av_domain, size, 0, 4),
    ROW(av_domain, flags, 4, 4),
    ROW(av_domain, domid, 8, 4),
    ROW(av_domain, vcpus, 12, 4),
    ROW(av_domain, frames, 16, 8),
    ROW(av_domain, uuid, 24, 16),
    ROW(av_domain, name, 40, 256),

    ROW(av_scan, size, 0, 4),
    ROW(av_scan, flags, 4, 4),
    ROW(av_scan, event, 8, 8),
    ROW(av_scan, bytes, 16, 8),
    ROW(av_scan, length, 24, 8),
    ROW(av_scan, address, 32, 8),
    ROW(av_scan, focus, 40, 8),
    ROW(av_scan, focus_length, 48, 8),

    ROW(av_process, size, 0, 4),
    ROW(av_process, pid, 4, 4),
    ROW(av_process, uid, 8, 4),
    ROW(av_process, pad, 12, 4),
    ROW(av_process, name, 16, 32),
    ROW(av_process, path, 48, 256),

    ROW(av_finding, size, 0, 4),
    ROW(av_finding, verdict, 4, 4),
    ROW(av_finding, rule, 8, 8),
    ROW(av_finding, text, 16, 8),
    ROW(av_finding, address, 24, 8),
    ROW(av_finding, length, 32, 8),
    ROW(av_finding, process, 40, 8),
    ROW(av_finding, flags, 48, 4),
    ROW(av_finding, pad, 52, 4),

    ROW(av_read, size, 0, 4),
    ROW(av_read, status, 4, 4),
    ROW(av_read, address, 8, 8),
    ROW(av_read, buffer, 16, 8),
    ROW(av_read, length, 24, 8),

    ROW(av_mapping, size, 0, 4),
    ROW(av_mapping, flags, 4, 4),
    ROW(av_mapping, physical, 8, 8),
    ROW(av_mapping, virtual_start, 16, 8),
    ROW(av_mapping, bytes, 24, 8),

    ROW(av_option, size, 0, 4),
    ROW(av_option, type, 4, 4),
    ROW(av_option, flags, 8, 4),
    ROW(av_option, pad, 12, 4),
    ROW(av_option, name, 16, 8),
    ROW(av_option, help, 24, 8),
    ROW(av_option, value, 32, 8),
    ROW(av_option, minimum, 40, 8),
    ROW(av_option, maximum, 48, 8),

    ROW(av_value, size, 0, 4),
    ROW(av_value, given, 4, 4),
    ROW(av_value, number, 8, 8),
    ROW(av_value, text, 16, 8),

    ROW(av_host, size, 0, 4),
    ROW(av_host, abi_major, 4, 2),
    ROW(av_host, abi_minor, 6, 2),
    ROW(av_host, log, 8, 8),
    ROW(av_host, refuse, 16, 8),
    ROW(av_host, report, 24, 8),
    ROW(av_host, read_physical, 32, 8),
    ROW(av_host, read_virtual, 40, 8),
    ROW(av_host, translate, 48, 8),
    ROW(av_host, registers, 56, 8),
    ROW(av_host, remaining, 64, 8),
    ROW(av_host, rescan, 72, 8),

    ROW(av_plugin, abi_major, 0, 2),
    ROW(av_plugin, abi_minor, 2, 2),
    ROW(av_plugin, size, 4, 4),
    ROW(av_plugin, name, 8, 8),
    ROW(av_plugin, version, 16, 8),
    ROW(av_plugin, summary, 24, 8),
    ROW(av_plugin, decide, 32, 4),
    ROW(av_plugin, notify, 36, 4),
    ROW(av_plugin, window_before, 40, 4),
    ROW(av_plugin, window_after, 44, 4),
    ROW(av_plugin, tick_ms, 48, 4),
    ROW(av_plugin, options_count, 52, 4),
    ROW(av_plugin, options, 56, 8),
    ROW(av_plugin, create, 64, 8),
    ROW(av_plugin, reload, 72, 8),
    ROW(av_plugin, generation, 80, 8),
    ROW(av_plugin, attach, 88, 8),
    ROW(av_plugin, scan, 96, 8),
    ROW(av_plugin, event, 104, 8),
    ROW(av_plugin, tick, 112, 8),
    ROW(av_plugin, attribute, 120, 8),
    ROW(av_plugin, detach, 128, 8),
    ROW(av_plugin, destroy, 136, 8),
};

static const struct { const char *type; size_t bytes, bytes_now; } sizes[] = {
    { "av_event", 216, sizeof(struct av_event) },
    { "av_registers", 256, sizeof(struct av_registers) },
    { "av_domain", 296, sizeof(struct av_domain) },
    { "av_scan", 56, sizeof(struct av_scan) },
    { "av_process", 304, sizeof(struct av_process) },
    { "av_finding", 56, sizeof(struct av_finding) },
    { "av_read", 32, sizeof(struct av_read) },
    { "av_mapping", 32, sizeof(struct av_mapping) },
    { "av_option", 56, sizeof(struct av_option) },
    { "av_value", 24, sizeof(struct av_value) },
    { "av_host", 80, sizeof(struct av_host) },
    { "av_plugin", 144, sizeof(struct av_plugin) },
};

static const struct { const char *name; uint64_t value, now; } values[] = {
    { "AV_ABI_MAJOR", UINT64_C(1), (uint64_t)(AV_ABI_MAJOR) },
    { "AV_PAGE_SIZE", UINT64_C(4096), (uint64_t)(AV_PAGE_SIZE) },
    { "AV_NO_GFN", UINT64_C(18446744073709551615), (uint64_t)(AV_NO_GFN) },
    { "AV_NAME_BYTES", UINT64_C(32), (uint64_t)(AV_NAME_BYTES) },
    { "AV_RULE_BYTES", UINT64_C(128), (uint64_t)(AV_RULE_BYTES) },
    { "AV_TEXT_BYTES", UINT64_C(256), (uint64_t)(AV_TEXT_BYTES) },
    { "AV_OPTIONS_MAX", UINT64_C(64), (uint64_t)(AV_OPTIONS_MAX) },
    { "AV_FINDINGS_MAX", UINT64_C(16), (uint64_t)(AV_FINDINGS_MAX) },
    { "AV_READ_MAX", UINT64_C(16777216), (uint64_t)(AV_READ_MAX) },
    { "AV_WINDOW_MAX", UINT64_C(65536), (uint64_t)(AV_WINDOW_MAX) },
    { "AV_EVENT_SCAN", UINT64_C(1), (uint64_t)(AV_EVENT_SCAN) },
    { "AV_EVENT_REGISTER", UINT64_C(2), (uint64_t)(AV_EVENT_REGISTER) },
    { "AV_EVENT_MSR", UINT64_C(4), (uint64_t)(AV_EVENT_MSR) },
    { "AV_EVENT_INTERRUPT", UINT64_C(8), (uint64_t)(AV_EVENT_INTERRUPT) },
    { "AV_EVENT_REQUEST", UINT64_C(16), (uint64_t)(AV_EVENT_REQUEST) },
    { "AV_EVENT_OVERFLOW", UINT64_C(32), (uint64_t)(AV_EVENT_OVERFLOW) },
    { "AV_FLAG_WAITING", UINT64_C(1), (uint64_t)(AV_FLAG_WAITING) },
    { "AV_FLAG_GVA", UINT64_C(2), (uint64_t)(AV_FLAG_GVA) },
    { "AV_FLAG_REGISTERS", UINT64_C(4), (uint64_t)(AV_FLAG_REGISTERS) },
    { "AV_FLAG_AGAIN", UINT64_C(8), (uint64_t)(AV_FLAG_AGAIN) },
    { "AV_FLAG_WRITE", UINT64_C(16), (uint64_t)(AV_FLAG_WRITE) },
    { "AV_FLAG_EXECUTE", UINT64_C(32), (uint64_t)(AV_FLAG_EXECUTE) },
    { "AV_FLAG_IMAGE", UINT64_C(64), (uint64_t)(AV_FLAG_IMAGE) },
    { "AV_REGISTER_GPR", UINT64_C(1), (uint64_t)(AV_REGISTER_GPR) },
    { "AV_REGISTER_CONTROL", UINT64_C(2), (uint64_t)(AV_REGISTER_CONTROL) },
    { "AV_REGISTER_EFER", UINT64_C(4), (uint64_t)(AV_REGISTER_EFER) },
    { "AV_REGISTER_SYSCALL", UINT64_C(8), (uint64_t)(AV_REGISTER_SYSCALL) },
    { "AV_REGISTER_TABLES", UINT64_C(16), (uint64_t)(AV_REGISTER_TABLES) },
    { "AV_REGISTER_BASES", UINT64_C(32), (uint64_t)(AV_REGISTER_BASES) },
    { "AV_DOMAIN_IMAGE", UINT64_C(1), (uint64_t)(AV_DOMAIN_IMAGE) },
    { "AV_SCAN_VIRTUAL", UINT64_C(1), (uint64_t)(AV_SCAN_VIRTUAL) },
    { "AV_SCAN_EXECUTABLE", UINT64_C(2), (uint64_t)(AV_SCAN_EXECUTABLE) },
    { "AV_MAPPING_WRITABLE", UINT64_C(1), (uint64_t)(AV_MAPPING_WRITABLE) },
    { "AV_MAPPING_EXECUTABLE", UINT64_C(2), (uint64_t)(AV_MAPPING_EXECUTABLE) },
    { "AV_MAPPING_USER", UINT64_C(4), (uint64_t)(AV_MAPPING_USER) },
    { "AV_OPTION_REQUIRED", UINT64_C(1), (uint64_t)(AV_OPTION_REQUIRED) },
    { "AV_LOG_ERROR", UINT64_C(3), (uint64_t)(AV_LOG_ERROR) },
    { "AV_LOG_WARNING", UINT64_C(4), (uint64_t)(AV_LOG_WARNING) },
    { "AV_LOG_INFO", UINT64_C(6), (uint64_t)(AV_LOG_INFO) },
    { "AV_LOG_DEBUG", UINT64_C(7), (uint64_t)(AV_LOG_DEBUG) },
    { "AV_CLEAN", UINT64_C(0), (uint64_t)(AV_CLEAN) },
    { "AV_UNKNOWN", UINT64_C(1), (uint64_t)(AV_UNKNOWN) },
    { "AV_SUSPICIOUS", UINT64_C(2), (uint64_t)(AV_SUSPICIOUS) },
    { "AV_MALICIOUS", UINT64_C(3), (uint64_t)(AV_MALICIOUS) },
    { "AV_OPTION_FLAG", UINT64_C(1), (uint64_t)(AV_OPTION_FLAG) },
    { "AV_OPTION_NUMBER", UINT64_C(2), (uint64_t)(AV_OPTION_NUMBER) },
    { "AV_OPTION_SIZE", UINT64_C(3), (uint64_t)(AV_OPTION_SIZE) },
    { "AV_OPTION_TEXT", UINT64_C(4), (uint64_t)(AV_OPTION_TEXT) },
    { "AV_OPTION_PATH", UINT64_C(5), (uint64_t)(AV_OPTION_PATH) },
};

static void nothing_has_moved(void **state)
{
    (void)state;
    for ( size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++ )
        if ( rows[i].offset != rows[i].offset_now || rows[i].bytes != rows[i].bytes_now )
            fail_msg("struct %s: %s is at %zu with %zu octets; it was at %zu with %zu", rows[i].type, rows[i].field,
                     rows[i].offset_now, rows[i].bytes_now, rows[i].offset, rows[i].bytes);
    for ( size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++ )
        if ( sizes[i].bytes != sizes[i].bytes_now )
            fail_msg("struct %s has %zu octets; it had %zu: a field was added, which wants a new minor version and a row "
                     "here", sizes[i].type, sizes[i].bytes_now, sizes[i].bytes);
}

static void no_number_has_changed(void **state)
{
    (void)state;
    for ( size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++ )
        if ( values[i].value != values[i].now )
            fail_msg("%s is %llu; it was %llu", values[i].name, (unsigned long long)values[i].now,
                     (unsigned long long)values[i].value);
}

/* What a host of any version looks at before it knows more. */
static void versions_are_first(void **state)
{
    static const struct av_plugin plugin = { AV_PLUGIN_VERSION };
    uint32_t size;
    uint16_t major, minor;

    (void)state;
    memcpy(&major, &plugin, 2);
    memcpy(&minor, (const char *)&plugin + 2, 2);
    memcpy(&size, (const char *)&plugin + 4, 4);
    assert_int_equal(major, AV_ABI_MAJOR);
    assert_int_equal(minor, AV_ABI_MINOR);
    assert_int_equal(size, sizeof(plugin));
    assert_string_equal(AV_PLUGIN_SYMBOL, "av_plugin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_moved),
        cmocka_unit_test(no_number_has_changed),
        cmocka_unit_test(versions_are_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
