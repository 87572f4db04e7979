/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every order of a model's accesses.  Each run begins at the begin and follows the choices of the one before
 * to the last that had an alternative; from there on it takes what comes first.  A run ends where all threads have
 * ended, nobody can go on, or a state comes that was met before.
 *
 * Threads are coroutines.  A state is the shared memory, the stores under way, and for each thread the history of
 * what it has read: as it does the same whenever it reads the same, that says where it is and what it knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include "interleave.h"

#define STACK_OCTETS  (64 * 1024)
/* Stores that a processor keeps to itself; more make the model larger, and show nothing new of so short a code. */
#define BUFFER_MAX    4
#define CHOICES_MAX   4096
#define STATES_BITS   22
#define STATES_MAX    (1u << STATES_BITS)

struct interleave_result {
    unsigned long runs;         /* from the begin, each going somewhere new */
    unsigned long states;
    unsigned long ends;         /* runs to the end of all threads */
    const char *trouble;        /* what went wrong, or NULL: a sentence */
};

struct store {
    uint32_t *word;
    uint32_t value;
};

struct thread {
    ucontext_t context;
    char *stack;
    bool ended;
    bool *waits_for;            /* cannot go on before it is true */
    bool needs_empty;           /* cannot go on before its stores are seen */
    bool needs_place;           /* nor before one more has a place */
    struct store buffer[BUFFER_MAX];
    unsigned int stores;
    uint64_t history;
};

/* What is done next: a thread goes on, or the oldest store of its buffer is seen by all. */
struct choice {
    uint8_t taken, count;
};

static const struct interleave_model *model;
static struct thread threads[INTERLEAVE_THREADS_MAX];
static struct thread *running;  /* NULL: none, it is the model's begin() or end() */
static ucontext_t scheduler;
static struct choice choices[CHOICES_MAX];
static unsigned int depth;
static const char *trouble;
static uint64_t hash;
static uint64_t *seen;          /* an open hash table of states; 0 is none */
static unsigned long states;

static uint64_t mix(uint64_t before, uint64_t value)
{
    /* The finalizer of MurmurHash3 has every bit of its input in every bit of its output. */
    before = (before ^ value) * 0xff51afd7ed558ccdull;
    before ^= before >> 33;
    before *= 0xc4ceb9fe1a85ec53ull;

    return before ^ before >> 29;
}

void interleave_hash(const void *octets, size_t size)
{
    const uint8_t *one = octets;
    uint64_t word;

    for ( ; size >= 8; size -= 8, one += 8 )
    {
        memcpy(&word, one, 8);
        hash = mix(hash, word);
    }
    while ( size-- )
        hash = mix(hash, *one++);
}

/* True: the state is new. */
static bool remember(void)
{
    unsigned int i, j;
    uint64_t slot;

    hash = 1;
    model->hash();
    for ( i = 0; i < model->threads; i++ )
    {
        hash = mix(hash, threads[i].history);
        hash = mix(hash, threads[i].ended);
        for ( j = 0; j < threads[i].stores; j++ )
            hash = mix(mix(hash, (uintptr_t)threads[i].buffer[j].word), threads[i].buffer[j].value);
        hash = mix(hash, threads[i].stores);
    }
    hash |= !hash;
    for ( slot = hash; seen[slot % STATES_MAX]; slot++ )
        if ( seen[slot % STATES_MAX] == hash )
            return false;
    seen[slot % STATES_MAX] = hash;
    if ( ++states == STATES_MAX - STATES_MAX / 8 )
        trouble = "the model has more states than there is room for";

    return true;
}

/* Lets the scheduler choose who goes on. */
static void pause_here(void)
{
    struct thread *self = running;

    swapcontext(&self->context, &scheduler);
    running = self;
    self->needs_empty = self->needs_place = false;
    self->waits_for = NULL;
    /* It is further than before, whatever it reads. */
    self->history = mix(self->history, 1);
}

void interleave_fail(const char *sentence)
{
    trouble = sentence;
    while ( running )
        swapcontext(&running->context, &scheduler);
}

uint32_t interleave_load(const uint32_t *word)
{
    uint32_t value;
    unsigned int i;

    if ( !running )
        return *word;
    pause_here();
    value = *word;
    /* Its own stores a processor sees at once. */
    for ( i = 0; i < running->stores; i++ )
        if ( running->buffer[i].word == word )
            value = running->buffer[i].value;
    running->history = mix(running->history, value);

    return value;
}

static bool is_shared(const uint32_t *word)
{
    return (uintptr_t)word - (uintptr_t)model->shared < model->shared_size;
}

void interleave_store(uint32_t *word, uint32_t value)
{
    if ( !running )
        *word = value;
    else if ( is_shared(word) )
        interleave_store_counter(word, value);
    else
    {
        pause_here();
        *word = value;
    }
}

void interleave_store_counter(uint32_t *word, uint32_t value)
{
    if ( !is_shared(word) )
    {
        *word = value;
        return;
    }
    /* Nobody sees it yet: there is a choice only if it finds no place. */
    if ( running->stores == BUFFER_MAX )
    {
        running->needs_place = true;
        pause_here();
    }
    running->buffer[running->stores++] = (struct store){ word, value };
}

bool interleave_swap_if(uint32_t *word, uint32_t old, uint32_t new)
{
    bool swapped;

    running->needs_empty = true;
    pause_here();
    swapped = *word == old;
    if ( swapped )
        *word = new;
    running->history = mix(running->history, swapped);

    return swapped;
}

uint32_t interleave_swap(uint32_t *word, uint32_t old, uint32_t new)
{
    uint32_t before;

    interleave_barrier();
    before = *word;
    if ( before == old )
        *word = new;
    if ( running )
        running->history = mix(running->history, before);

    return before;
}

uint32_t interleave_change(uint32_t *word, uint32_t keep, uint32_t set)
{
    uint32_t before;

    interleave_barrier();
    before = *word;
    *word = (before & keep) | set;
    if ( running )
        running->history = mix(running->history, before);

    return before;
}

void interleave_barrier(void)
{
    if ( !running )
        return;
    running->needs_empty = true;
    pause_here();
}

/* What a thread may now read without loads becomes part of what it knows. */
static void know_unloaded(void)
{
    hash = running->history;
    model->hash_locked();
    running->history = hash;
}

void interleave_pause(void)
{
    if ( running && model->looks )
        pause_here();
}

void interleave_look(void)
{
    interleave_pause();
    if ( running && model->looks )
        know_unloaded();
}

void interleave_wait(bool *flag)
{
    if ( !running )
    {
        *flag = false;
        return;
    }
    running->needs_empty = true;
    running->waits_for = flag;
    pause_here();
    *flag = false;
}

void interleave_raise(bool *flag)
{
    interleave_barrier();
    *flag = true;
}

void interleave_lock(bool *lock)
{
    interleave_wait(lock);
    if ( running && model->hash_locked )
        know_unloaded();
}

void interleave_unlock(bool *lock)
{
    interleave_raise(lock);
}

static void run_thread(int number)
{
    running = &threads[number];
    model->run[number]();
    threads[number].ended = true;
    for ( ;; )
        swapcontext(&threads[number].context, &scheduler);
}

/* To its first access: until there it has no choice. */
static void start_thread(unsigned int number)
{
    struct thread *one = &threads[number];
    char *stack = one->stack ? one->stack : malloc(STACK_OCTETS);

    if ( !stack )
        abort();
    memset(one, 0, sizeof(*one));
    one->stack = stack;
    getcontext(&one->context);
    one->context.uc_stack.ss_sp = stack;
    one->context.uc_stack.ss_size = STACK_OCTETS;
    one->context.uc_link = NULL;
    makecontext(&one->context, (void (*)(void))run_thread, 1, number);
    swapcontext(&scheduler, &one->context);
}

static bool can_go_on(const struct thread *one)
{
    return !one->ended && (!one->needs_empty || !one->stores) && (!one->needs_place || one->stores < BUFFER_MAX) &&
           (!one->waits_for || *one->waits_for);
}

static void drain_one(struct thread *one)
{
    *one->buffer[0].word = one->buffer[0].value;
    one->stores--;
    memmove(&one->buffer[0], &one->buffer[1], one->stores * sizeof(one->buffer[0]));
}

/* Even numbers: the thread goes on.  Odd: its oldest store is seen. */
static unsigned int list_options(uint8_t *options)
{
    unsigned int count = 0, i;

    for ( i = 0; i < model->threads; i++ )
    {
        if ( can_go_on(&threads[i]) )
            options[count++] = 2 * i;
        if ( threads[i].stores )
            options[count++] = 2 * i + 1;
    }

    return count;
}

static bool all_ended(void)
{
    unsigned int i;

    for ( i = 0; i < model->threads; i++ )
        if ( !threads[i].ended )
            return false;

    return true;
}

/* One run; true if it came to the end of all threads. */
static bool run_once(unsigned int follow)
{
    uint8_t options[2 * INTERLEAVE_THREADS_MAX];
    unsigned int count, step;

    running = NULL;
    model->begin();
    for ( step = 0; step < model->threads; step++ )
        start_thread(step);
    for ( step = 0; !trouble; step++ )
    {
        count = list_options(options);
        if ( !count )
        {
            if ( !all_ended() )
                trouble = "nobody can go on: a wake-up was lost";
            else
            {
                running = NULL;
                model->end();
            }
            return true;
        }
        if ( step >= follow )
        {
            if ( !remember() )
                return false;
            if ( step == CHOICES_MAX )
            {
                trouble = "a run does not end";
                return false;
            }
            choices[step] = (struct choice){ .count = count };
            depth = step + 1;
        }
        if ( options[choices[step].taken] & 1 )
            drain_one(&threads[options[choices[step].taken] / 2]);
        else
            swapcontext(&scheduler, &threads[options[choices[step].taken] / 2].context);
    }

    return false;
}

static void print_run(void)
{
    unsigned int i;

    fprintf(stderr, "%s, after the choices", trouble);
    for ( i = 0; i < depth; i++ )
        fprintf(stderr, " %u/%u", choices[i].taken, choices[i].count);
    fprintf(stderr, "\n");
}

static struct interleave_result check(const struct interleave_model *checked)
{
    struct interleave_result result = { 0 };
    unsigned int i, follow = 0;

    model = checked;
    trouble = NULL;
    states = 0;
    seen = calloc(STATES_MAX, sizeof(*seen));
    if ( !seen )
        abort();
    do {
        depth = follow;
        result.ends += run_once(follow);
        result.runs++;
        /* The last choice that has an alternative. */
        while ( depth && choices[depth - 1].taken + 1 == choices[depth - 1].count )
            depth--;
        if ( depth && !trouble )
            choices[depth - 1].taken++;
        follow = depth;
    } while ( depth && !trouble );
    if ( trouble )
        print_run();
    result.states = states;
    result.trouble = trouble;
    for ( i = 0; i < INTERLEAVE_THREADS_MAX; i++ )
    {
        free(threads[i].stack);
        threads[i].stack = NULL;
    }
    free(seen);

    return result;
}

void interleave_require(const char *name, const struct interleave_model *model)
{
    struct interleave_result result = check(model);

    print_message("%s: %lu states, %lu runs, %lu of them to the end\n", name, result.states, result.runs, result.ends);
    if ( result.trouble )
        fail_msg("%s: %s", name, result.trouble);
    /* A model in which nothing can happen in two orders shows nothing. */
    assert_true(result.ends > 1 && result.states > 100);
}
