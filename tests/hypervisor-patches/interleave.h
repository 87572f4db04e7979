/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a few threads of a model in every order in which their accesses to shared words can happen on x86: one after the
 * other, but each processor's stores go through a buffer, in order, which others do not see.
 *
 * The code under test is the real one, compiled with the barriers of interleaved/.  A thread is a function; it
 * must do the same things whenever its loads read the same values.  States that were met before are not gone into again.
 */
#ifndef TESTS_INTERLEAVE_H
#define TESTS_INTERLEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang says it in its own way. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#define INTERLEAVE_THREADS_MAX 4

struct interleave_model {
    /* Words outside it are their writer's own: others see a store at once, and their writer reads them without loads. */
    const void *shared;
    size_t shared_size;
    unsigned int threads;
    void (*run[INTERLEAVE_THREADS_MAX])(void);
    /* Before each run, and after one in which all threads have come to their ends. */
    void (*begin)(void);
    void (*end)(void);
    /* All that threads share: part of a state.  Calls interleave_hash() for each piece. */
    void (*hash)(void);
    /* Of it, what the holder of the lock reads without loads: part of what it knows from then on. */
    void (*hash_locked)(void);
    bool looks;
};

/*
 * Runs every order of the model.  A test of cmocka's, which fails at the first in which something goes wrong, and prints what
 * happened until then; or if there is too little that can happen in two orders.
 */
void interleave_require(const char *name, const struct interleave_model *model);

/* ---- for the model's threads; begin() and end() are alone, and may load, change, raise and lock ---- */

uint32_t interleave_load(const uint32_t *word);
void interleave_store(uint32_t *word, uint32_t value);
/* For a word with one writer that nobody decides by how soon it is seen. */
void interleave_store_counter(uint32_t *word, uint32_t value);
bool interleave_swap_if(uint32_t *word, uint32_t old, uint32_t new);
/* The same; what it was. */
uint32_t interleave_swap(uint32_t *word, uint32_t old, uint32_t new);
/* And and or with one word, in one step; what it was.  @keep: the bits that stay. */
uint32_t interleave_change(uint32_t *word, uint32_t keep, uint32_t set);
void interleave_barrier(void);
/* In a model that looks: a point at which another may go on, after which plain reads see what hash_locked() names. */
void interleave_look(void);
/* The same, where nothing is read so. */
void interleave_pause(void);

/* Waits until *flag, and clears it.  Others see what was stored before. */
void interleave_wait(bool *flag);
/* Sets it: somebody is woken.  Others see what was stored before. */
void interleave_raise(bool *flag);
/* The same for a lock, which is free while *lock. */
void interleave_lock(bool *lock);
void interleave_unlock(bool *lock);

void interleave_hash(const void *octets, size_t size);

/* Something that must not be: ends the check. */
void interleave_fail(const char *sentence);
#define INTERLEAVE_REQUIRE(condition) \
    do { \
        if ( !(condition) ) \
            interleave_fail(#condition " does not hold"); \
    } while ( 0 )

#endif /* TESTS_INTERLEAVE_H */
