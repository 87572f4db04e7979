/* SPDX-License-Identifier: GPL-2.0-only */
/* Digests: what is equal has one, what differs by a bit has another, filled pages are known, no start is like another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "daemons/xensharing/digest.h"

#include "../xenpaging/random.h"

#define PAGES 8U

static struct digest *digest;
static uint64_t random_state;

static int setup(void **state)
{
    (void)state;
    return digest_open(&digest);
}

static int teardown(void **state)
{
    (void)state;
    digest_close(digest);
    digest_close(NULL);
    return 0;
}

static void fill_random(uint8_t *page)
{
    for ( unsigned int i = 0; i < DIGEST_PAGE_SIZE; i++ )
        page[i] = random_next(&random_state);
}

static void test_each_bit(void **state)
{
    _Alignas(8) uint8_t page[DIGEST_PAGE_SIZE];
    uint64_t first;

    (void)state;
    fill_random(page);
    first = digest_page(digest, page);
    assert_int_equal(digest_page(digest, page), first);
    assert_int_not_equal(first, DIGEST_NEVER);
    assert_false(digest_is_filled(first));
    for ( unsigned int bit = 0; bit < DIGEST_PAGE_SIZE * 8; bit++ )
    {
        page[bit / 8] ^= 1U << bit % 8;
        assert_int_not_equal(digest_page(digest, page), first);
        page[bit / 8] ^= 1U << bit % 8;
    }
    assert_int_equal(digest_page(digest, page), first);
}

/* Each place at which a page can stop being filled. */
static void test_filled(void **state)
{
    static const uint64_t words[] = { 0, 1, UINT64_MAX, UINT64_C(0x0101010101010101), UINT64_C(0xdeadbeef) };
    _Alignas(8) uint64_t page[DIGEST_PAGE_SIZE / 8];
    uint64_t digests[5];

    (void)state;
    for ( unsigned int w = 0; w < 5; w++ )
    {
        for ( unsigned int i = 0; i < DIGEST_PAGE_SIZE / 8; i++ )
            page[i] = words[w];
        digests[w] = digest_page(digest, page);
        assert_true(digest_is_filled(digests[w]));
        assert_int_equal(digests[w] == DIGEST_ZERO, !words[w]);
        for ( unsigned int other = 0; other < w; other++ )
            assert_int_not_equal(digests[w], digests[other]);
        for ( unsigned int i = 0; i < DIGEST_PAGE_SIZE / 8; i++ )
        {
            page[i]++;
            assert_false(digest_is_filled(digest_page(digest, page)));
            page[i]--;
        }
        assert_int_equal(digest_page(digest, page), digests[w]);
    }
}

/* Many at once are what each is; one that is not there is not touched. */
static void test_many(void **state)
{
    uint8_t *pages = mmap(NULL, PAGES * DIGEST_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t digests[PAGES];
    int errors[PAGES] = { 0 };

    (void)state;
    assert_true(pages != MAP_FAILED);
    for ( unsigned int i = 0; i < PAGES; i++ )
        if ( i != 5 )
            fill_random(pages + i * DIGEST_PAGE_SIZE);
    errors[3] = -14;
    assert_int_equal(mprotect(pages + 3 * DIGEST_PAGE_SIZE, DIGEST_PAGE_SIZE, PROT_NONE), 0);
    digest_pages(digest, pages, PAGES, errors, digests);
    for ( unsigned int i = 0; i < PAGES; i++ )
        assert_int_equal(digests[i], i == 3 ? DIGEST_NEVER : digest_page(digest, pages + i * DIGEST_PAGE_SIZE));
    assert_int_equal(digests[5], DIGEST_ZERO);
    digest_pages(digest, pages + 4 * DIGEST_PAGE_SIZE, 2, NULL, digests);
    assert_int_equal(digests[1], DIGEST_ZERO);
    munmap(pages, PAGES * DIGEST_PAGE_SIZE);
}

/* Nobody who knows a digest of one start knows anything of the next. */
static void test_secret(void **state)
{
    _Alignas(8) uint8_t page[DIGEST_PAGE_SIZE];
    struct digest *other;

    (void)state;
    assert_int_equal(digest_open(&other), 0);
    fill_random(page);
    assert_int_not_equal(digest_page(digest, page), digest_page(other, page));
    memset(page, 0x55, sizeof(page));
    assert_int_not_equal(digest_page(digest, page), digest_page(other, page));
    memset(page, 0, sizeof(page));
    assert_int_equal(digest_page(digest, page), digest_page(other, page));
    digest_close(other);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_bit),
        cmocka_unit_test(test_filled),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_secret),
    };

    random_state = random_seed();
    return cmocka_run_group_tests(tests, setup, teardown);
}
