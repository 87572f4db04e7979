/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which line of a policy counts, what is done without one, and what is refused in words. And what the cache of verdicts
 * keeps.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <daemons/av-introspect/policy.h>
#include <daemons/av-introspect/verdicts.h>

#define UUID "79fb8717-ad2e-4cfe-a99b-32e93c4edb72"

static const char file[] =
    "# domain plugin rule verdict actions\n"
    "\n"
    "  web*\tyara  EICAR* malicious log kill\r\n"
    "79FB8717-* * * suspicious deny\n"
    "* clamav * * log hook\n"
    "* yara Loud.* * none\n"
    "db * * unjudged pause\n";

static const struct {
    const char *name, *plugin, *rule;
    unsigned int verdict, actions;
} cases[] = {
    { "web1", "yara", "EICAR.a", SCAN_MALICIOUS, POLICY_LOG | POLICY_KILL },
    { "web1", "yara", "EICAR.a", SCAN_SUSPICIOUS, POLICY_DENY },
    { "db", "yara", "EICAR.a", SCAN_MALICIOUS, POLICY_LOG | POLICY_DENY },
    { "db", "clamav", "x", SCAN_UNKNOWN, POLICY_LOG | POLICY_HOOK },
    { "db", "clamav", "x", SCAN_CLEAN, 0 },
    { "db", "yara", "Loud.x", SCAN_MALICIOUS, 0 },
    { "db", "", "", POLICY_UNJUDGED, POLICY_PAUSE },
    { "other", "", "", POLICY_UNJUDGED, POLICY_LOG },
    { "other", "integrity", "no-symbols", SCAN_UNKNOWN, POLICY_LOG },
    { "other", "", "", SCAN_UNKNOWN, 0 },
    { "other", "yara", "x", SCAN_CLEAN, 0 },
};

static const struct {
    const char *text, *says;
} wrong[] = {
    { "* * *\n", "line 1: the verdict" },
    { "\n* *\n", "line 2: a line is DOMAIN PLUGIN RULE VERDICT ACTION..." },
    { "* * * bad log\n", "not 'bad'" },
    { "* * * malicious\n", "behind the verdict" },
    { "* * * malicious log none\n", "behind the verdict" },
    { "* * * malicious shout\n", "not 'shout'" },
};

static void test_lines(void **state)
{
    char error[POLICY_ERROR_BYTES];
    struct policy *policy;

    (void)state;
    assert_int_equal(policy_parse(&policy, file, strlen(file), error), 0);
    for ( size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
        assert_int_equal(policy_decide(policy, cases[i].name, UUID, cases[i].plugin, cases[i].rule, cases[i].verdict),
                         cases[i].actions);
    policy_close(policy);
}

static void test_refused(void **state)
{
    char error[POLICY_ERROR_BYTES];
    struct policy *policy;

    (void)state;
    for ( size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++ )
    {
        assert_int_equal(policy_parse(&policy, wrong[i].text, strlen(wrong[i].text), error), -EINVAL);
        assert_null(policy);
        if ( !strstr(error, wrong[i].says) )
            fail_msg("'%s' is refused by '%s'", wrong[i].text, error);
    }
    assert_int_equal(policy_parse(&policy, "* * * * log\0", 12, error), -EINVAL);
    assert_int_equal(policy_open(&policy, "/nowhere/policy", error), -ENOENT);
    assert_int_equal(policy_open(&policy, "/", error), -EINVAL);
}

static void make_page(uint8_t *page, unsigned int number)
{
    memset(page, 0, SCAN_PAGE_BYTES);
    memcpy(page + SCAN_PAGE_BYTES - sizeof(number), &number, sizeof(number));
}

static void test_cache(void **state)
{
    static uint8_t page[SCAN_PAGE_BYTES];
    uint8_t digest[SCAN_DIGEST_BYTES];
    struct scan_result result = { .outcome = SCAN_DONE, .generation = 3, .has_process = true, .pid = 7 }, got;
    struct verdicts_statistics statistics;
    struct verdicts *verdicts;
    unsigned int known = 0;

    (void)state;
    assert_int_equal(verdicts_open(&verdicts, 64), 0);
    verdicts_digest(page, digest);
    /* SHA-256 of 4096 zeros, as sha256sum says. */
    assert_int_equal(digest[0], 0xad);
    assert_int_equal(digest[31], 0xa7);
    assert_false(verdicts_find(verdicts, digest, 3, &got));
    result.verdict = SCAN_MALICIOUS;
    strcpy(result.rule, "R");
    verdicts_keep(verdicts, digest, &result);
    assert_true(verdicts_find(verdicts, digest, 3, &got));
    assert_int_equal(got.verdict, SCAN_MALICIOUS);
    assert_string_equal(got.rule, "R");
    /* Whose page it was is not kept. */
    assert_false(got.has_process);
    assert_false(verdicts_find(verdicts, digest, 4, &got));
    assert_false(verdicts_find(verdicts, digest, 0, &got));
    result.outcome = SCAN_FAILED;
    result.generation = 4;
    verdicts_keep(verdicts, digest, &result);
    assert_false(verdicts_find(verdicts, digest, 4, &got));

    /* The same page beside another one is another question. */
    result.outcome = SCAN_DONE;
    result.has_context = true;
    verdicts_keep(verdicts, digest, &result);
    assert_false(verdicts_find(verdicts, digest, 4, &got));

    result = (struct scan_result){ .outcome = SCAN_DONE, .generation = 5 };
    for ( unsigned int i = 0; i < 1000; i++ )
    {
        make_page(page, i);
        verdicts_digest(page, digest);
        verdicts_keep(verdicts, digest, &result);
        assert_true(verdicts_find(verdicts, digest, 5, &got));
    }
    for ( unsigned int i = 0; i < 1000; i++ )
    {
        make_page(page, i);
        verdicts_digest(page, digest);
        known += verdicts_find(verdicts, digest, 5, &got);
    }
    verdicts_get_statistics(verdicts, &statistics);
    assert_true(known >= 32 && known <= 64);
    assert_true(statistics.entries <= statistics.limit);
    verdicts_close(verdicts);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
