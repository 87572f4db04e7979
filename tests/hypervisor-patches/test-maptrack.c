/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of grant mappings: every handle finds its own mapping and no other, a stale one is refused, the limit is
 * the domain's, nothing is lost when there is no memory or no room, and frames come and go. Order of locks is
 * asserted by the shim.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/grant-maptrack.h>

#define FRAMES      8
#define IN_A_FRAME  (MAPTRACK_PER_FRAME - 1)
#define ALL         (FRAMES * IN_A_FRAME)
#define HOST_MAP    2
#define DEVICE_MAP  1
#define SEED        12345

static bool no_memory;

bool shim_out_of_memory(void);
bool shim_out_of_memory(void)
{
    return no_memory;
}

static void begin(struct maptrack *table, uint32_t frames)
{
    memset(table, 0, sizeof(*table));
    assert_int_equal(maptrack_init(table, frames, SEED), 0);
}

static void end(struct maptrack *table)
{
    maptrack_destroy(table);
    shim_rcu_quiet();
}

static uint32_t map(struct maptrack *table, uint16_t domid, uint32_t ref)
{
    uint32_t handle;

    assert_int_equal(maptrack_get(table, domid + ref, domid, ref, &handle), 0);
    assert_null(maptrack_lookup(table, handle));
    maptrack_publish(table, handle, domid, ref, HOST_MAP);

    return handle;
}

static void unmap(struct maptrack *table, uint32_t handle, uint16_t domid, uint32_t ref)
{
    struct grant_mapping *mapping = maptrack_lookup(table, handle);

    assert_non_null(mapping);
    assert_int_equal(maptrack_flags(mapping, handle, domid, ref), HOST_MAP);
    assert_int_equal(maptrack_flags(mapping, handle, domid + 1, ref), 0);
    assert_int_equal(maptrack_flags(mapping, handle, domid, ref + 1), 0);
    assert_true(maptrack_clear(mapping, HOST_MAP));
    assert_null(maptrack_lookup(table, handle));
    maptrack_put(table, handle);
    assert_null(maptrack_lookup(table, handle));
}

/* The limit is reached whatever the references are, and not exceeded; then everything is given back. */
static void test_limit(void **state)
{
    static uint32_t handles[ALL + 1];
    static const uint32_t strides[] = { 0, 1, 64, 4096, 0x01000001 };
    struct maptrack table;
    (void)state;

    begin(&table, FRAMES);
    for ( unsigned int s = 0; s < sizeof(strides) / sizeof(*strides); s++ )
    {
        for ( uint32_t i = 0; i < ALL; i++ )
            handles[i] = map(&table, 7, i * strides[s]);
        assert_int_equal(maptrack_get(&table, 0, 7, 1, &handles[ALL]), -ENOSPC);
        assert_int_equal(maptrack_get(&table, 0, 8, 9, &handles[ALL]), -ENOSPC);
        assert_int_equal(maptrack_nr_frames(&table), FRAMES);
        for ( uint32_t i = 0; i < ALL; i++ )
        {
            struct grant_mapping *mapping = maptrack_lookup(&table, handles[i]);

            assert_non_null(mapping);
            assert_int_equal(mapping->ref, i * strides[s]);
            assert_int_equal(mapping->domid, 7);
        }
        unmap(&table, handles[ALL / 2], 7, ALL / 2 * strides[s]);
        handles[ALL / 2] = map(&table, 7, ALL / 2 * strides[s]);
        for ( uint32_t i = 0; i < ALL; i++ )
            unmap(&table, handles[i], 7, i * strides[s]);
        for ( uint32_t i = 0; i < ALL; i++ )
            assert_null(maptrack_lookup(&table, handles[i]));
        assert_in_range(maptrack_nr_frames(&table), 1, table.nr_buckets);
    }
    end(&table);
}

/* All of the handles that a place can have are different, one after the other, and only the newest is valid. */
static void test_generations(void **state)
{
    static const uint32_t limits[] = { 1, FRAMES, 1024, 1u << 18, MAPTRACK_MAX_FRAMES };
    struct maptrack table;
    (void)state;

    for ( unsigned int l = 0; l < sizeof(limits) / sizeof(*limits); l++ )
    {
        uint32_t first, handle, before = ~0u;

        begin(&table, limits[l]);
        /* Ones all over mean none, to guests. */
        assert_int_not_equal((table.generations - 1) << table.index_bits | ((1u << table.index_bits) - 1), ~0u);
        first = map(&table, 3, 5);
        handle = first;
        for ( uint32_t i = 0; i < table.generations - 1; i++ )
        {
            unmap(&table, handle, 3, 5);
            before = handle;
            handle = map(&table, 3, 5);
            assert_int_not_equal(handle, ~0u);
            assert_int_not_equal(handle, first);
            assert_int_equal((handle ^ first) & ((1u << table.index_bits) - 1), 0);
            assert_null(maptrack_lookup(&table, before));
            assert_null(maptrack_lookup(&table, first));
        }
        unmap(&table, handle, 3, 5);
        assert_int_equal(map(&table, 3, 5), first);
        end(&table);
    }
    assert_int_equal(maptrack_init(&table, 0, SEED), -EINVAL);
    assert_int_equal(maptrack_init(&table, MAPTRACK_MAX_FRAMES + 1, SEED), -EINVAL);
}

/*
 * A frame that was given back and whose place is used again has no handle that it had before. spread: references go to
 * all buckets, of which each keeps a frame; otherwise to one, which gives back all frames but one, at once.
 */
static void come_and_go(bool spread)
{
    static uint32_t handles[ALL], stale[5 * ALL];
    unsigned int nr_stale = 0, gone = 0;
    struct maptrack table;

    begin(&table, FRAMES);
    for ( unsigned int round = 0; round < 5; round++ )
    {
        for ( uint32_t i = 0; i < ALL; i++ )
            handles[i] = map(&table, 1, spread * i);
        for ( unsigned int i = 0; i < nr_stale; i++ )
            assert_null(maptrack_lookup(&table, stale[i]));
        for ( uint32_t i = 0; i < ALL; i++ )
        {
            unmap(&table, handles[i], 1, spread * i);
            stale[nr_stale++] = handles[i];
        }
        gone += shim_rcu_quiet();
    }
    if ( !spread )
    {
        assert_int_equal(maptrack_nr_frames(&table), 1);
        assert_int_equal(gone, 5 * (FRAMES - 1));
    }
    end(&table);
}

static void test_frames_come_and_go(void **state)
{
    (void)state;

    come_and_go(true);
    come_and_go(false);
}

/* Whatever they map, vCPUs as many as have buckets of their own take from different ones; the handle says which. */
static void test_vcpus_apart(void **state)
{
    const unsigned int vcpus = MAPTRACK_BUCKETS / MAPTRACK_VCPU_BUCKETS;
    unsigned int owner[MAPTRACK_BUCKETS] = { 0 }, used = 0;
    struct maptrack table;
    (void)state;

    begin(&table, MAPTRACK_BUCKETS);
    for ( unsigned int vcpu = 0; vcpu < vcpus; vcpu++ )
        for ( uint32_t ref = 0; ref < IN_A_FRAME; ref++ )
        {
            uint32_t handle, bucket;

            assert_int_equal(maptrack_get(&table, vcpu, 7, ref, &handle), 0);
            bucket = table.frames[maptrack_index_of(&table, handle) / MAPTRACK_PER_FRAME].bucket;
            used += !owner[bucket];
            assert_true(!owner[bucket] || owner[bucket] == vcpu + 1);
            owner[bucket] = vcpu + 1;
        }
    /* And each takes from several. */
    assert_int_equal(used, MAPTRACK_BUCKETS);
    end(&table);
}

static void test_no_memory(void **state)
{
    uint32_t handles[IN_A_FRAME], handle;
    struct maptrack table;
    (void)state;

    memset(&table, 0, sizeof(table));
    no_memory = true;
    assert_int_equal(maptrack_init(&table, FRAMES, SEED), -ENOMEM);
    maptrack_destroy(&table);
    no_memory = false;

    begin(&table, FRAMES);
    no_memory = true;
    assert_int_equal(maptrack_get(&table, 0, 1, 1, &handle), -ENOMEM);
    no_memory = false;
    handles[0] = map(&table, 1, 1);
    no_memory = true;
    /* What there is is used, whoever's bucket it is in. */
    for ( unsigned int i = 1; i < IN_A_FRAME; i++ )
        handles[i] = map(&table, i, i);
    assert_int_equal(maptrack_get(&table, 0, 1, 1, &handle), -ENOMEM);
    no_memory = false;
    for ( unsigned int i = 0; i < IN_A_FRAME; i++ )
        unmap(&table, handles[i], i ? i : 1, i ? i : 1);
    end(&table);
}

/* Two kinds of mapping under one handle, and handles that never were. */
static void test_flags_and_nonsense(void **state)
{
    struct maptrack table;
    uint32_t handle;
    (void)state;

    begin(&table, FRAMES);
    assert_int_equal(maptrack_get(&table, 0, 2, 9, &handle), 0);
    maptrack_publish(&table, handle, 2, 9, HOST_MAP | DEVICE_MAP);
    assert_false(maptrack_clear(maptrack_lookup(&table, handle), HOST_MAP));
    assert_non_null(maptrack_lookup(&table, handle));

    /* Of all the handles of the first frames, and any number of others, one is valid. */
    for ( uint32_t other = 0; other < 4 * ALL; other++ )
        assert_true(other == handle || !maptrack_lookup(&table, other));
    srandom(SEED);
    for ( unsigned int i = 0; i < 1000000; i++ )
    {
        uint32_t other = (uint32_t)random() << 1 ^ (uint32_t)random();

        assert_true(other == handle || !maptrack_lookup(&table, other));
    }
    assert_null(maptrack_lookup(&table, ~0u));
    assert_true(maptrack_clear(maptrack_lookup(&table, handle), DEVICE_MAP));
    maptrack_put(&table, handle);
    end(&table);
}

static void test_walk(void **state)
{
    struct maptrack table;
    unsigned int seen = 0;
    (void)state;

    begin(&table, FRAMES);
    for ( uint32_t i = 0; i < ALL / 2; i++ )
        map(&table, 4, i);
    for ( uint32_t place = 0; place < maptrack_places(&table); place++ )
    {
        struct grant_mapping *mapping;
        uint32_t slot = 0;

        while ( (mapping = maptrack_walk(&table, place, &slot)) )
        {
            assert_int_equal(mapping->domid, 4);
            mapping->flags = 0;
            seen++;
        }
        maptrack_drop_frame(&table, place);
    }
    assert_int_equal(seen, ALL / 2);
    assert_int_equal(maptrack_nr_frames(&table), 0);
    end(&table);
}

/* ---- many threads ---- */

#define THREADS 8
#define ROUNDS  60
#define OWN     300         /* mappings that a thread has at once; all threads together want more than there are */
#define REFS    64          /* active entries, that several threads map */

static struct maptrack shared;
static pthread_barrier_t barrier;
static pthread_mutex_t entry[REFS];     /* stands for the active entries' locks */
static uint32_t others[THREADS];        /* handles that everybody tries to unmap as well */
static unsigned long mapped, refused;

static bool try_unmap(uint32_t handle)
{
    struct grant_mapping *mapping = maptrack_lookup(&shared, handle);
    uint16_t domid, flags;
    bool done = false;
    uint32_t ref;

    if ( !mapping )
        return false;
    domid = __atomic_load_n(&mapping->domid, __ATOMIC_RELAXED);
    ref = __atomic_load_n(&mapping->ref, __ATOMIC_RELAXED);
    pthread_mutex_lock(&entry[ref % REFS]);
    flags = maptrack_flags(mapping, handle, domid, ref);
    if ( flags )
        done = maptrack_clear(mapping, flags);
    pthread_mutex_unlock(&entry[ref % REFS]);
    if ( done )
        maptrack_put(&shared, handle);

    return done;
}

static void *run_thread(void *number)
{
    unsigned int me = (uintptr_t)number, random_state = me + 1;
    unsigned long got = 0, lost = 0, full = 0;
    uint32_t handles[OWN];

    for ( unsigned int round = 0; round < ROUNDS; round++ )
    {
        unsigned int count = 0, i;

        for ( i = 0; i < OWN; i++ )
        {
            uint32_t ref = rand_r(&random_state) % REFS;

            if ( maptrack_get(&shared, me, me, ref, &handles[count]) )
            {
                full++;
                continue;
            }
            maptrack_publish(&shared, handles[count], me, ref, HOST_MAP);
            if ( i % 16 == 0 )
                __atomic_store_n(&others[me], handles[count], __ATOMIC_RELAXED);
            count++;
            got++;
            /* Somebody else's newest: one of us unmaps it, the other is refused. */
            if ( i % 8 == 0 && try_unmap(__atomic_load_n(&others[(me + 1 + i % 3) % THREADS], __ATOMIC_RELAXED)) )
                lost++;
        }
        pthread_barrier_wait(&barrier);
        for ( i = 0; i < count; i++ )
            lost += try_unmap(handles[i]);
        if ( pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD )
            shim_rcu_quiet();
        pthread_barrier_wait(&barrier);
    }
    __atomic_fetch_add(&mapped, got - lost, __ATOMIC_RELAXED);
    __atomic_fetch_add(&refused, full, __ATOMIC_RELAXED);

    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[THREADS];
    (void)state;

    begin(&shared, FRAMES);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for ( unsigned int i = 0; i < REFS; i++ )
        pthread_mutex_init(&entry[i], NULL);
    for ( uintptr_t i = 0; i < THREADS; i++ )
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, (void *)i), 0);
    for ( unsigned int i = 0; i < THREADS; i++ )
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);

    /* Each mapping was unmapped once, by whomever, and the table still holds as many as at first. */
    assert_int_equal(mapped, 0);
    for ( unsigned int i = 0; i < shared.nr_buckets; i++ )
        assert_int_equal(shared.buckets[i].taken, 0);
    for ( uint32_t i = 0; i < ALL; i++ )
        map(&shared, 1, i);
    assert_int_equal(maptrack_nr_frames(&shared), FRAMES);
    assert_int_not_equal(refused, 0);
    end(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_generations),
        cmocka_unit_test(test_frames_come_and_go),
        cmocka_unit_test(test_vcpus_apart),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_flags_and_nonsense),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
