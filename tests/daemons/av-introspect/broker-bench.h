/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A broker over the emulated host, for its tests: it runs in a thread of its own, with marker-scanner for a scanner, and is
 * stopped by a signal as an admin does it. One at a time.
 */
#ifndef TESTS_AV_BROKER_BENCH_H
#define TESTS_AV_BROKER_BENCH_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <daemons/av-introspect/scanner.h>
#include <daemons/av-introspect/settings.h>

struct hypervisor;

#define DOMID    1u
#define OTHER    2u
#define VCPUS    16u
#define FRAMES   64u
#define PATIENCE_MS 20000u

/* Long enough that no test that does not mean it meets a deadline. */
#define DEADLINE_LONG  60000u
#define DEADLINE_SHORT 50u

#define CODE "these are instructions"

/* What a test has; settings are for the next start(). */
extern struct broker_bench {
    struct hypervisor *hv;
    struct scanner scanner;
    struct settings settings;
    char directory[64], findings[96];
    pthread_t thread;
    bool runs;
    int status;
} t;

void pause_ms(unsigned int ms);

#define wait_for(condition)                                     \
    do {                                                        \
        unsigned int waited_ = 0;                               \
        while ( !(condition) && waited_++ < PATIENCE_MS / 2 )   \
            pause_ms(2);                                        \
        assert_true(condition);                                 \
    } while ( 0 )

/* For cmocka: a host with one domain, DOMID, that is to be guarded; and the end of both. */
int setup(void **state);
int teardown(void **state);

/* The broker, until all of the domain's memory is watched; and its end, with status 0. */
void start(void);
void stop(void);

/* A number of the status file's; -1: there is none. */
int64_t status_of(uint16_t domid, const char *part, const char *name);
/* Whether it has this text there. */
bool status_says(uint16_t domid, const char *part, const char *name, const char *expected);

/* A vCPU writes to the beginning of a page, and executes what is there: 0, or what the access ends with. */
void put(uint16_t domid, uint32_t vcpu, uint64_t gfn, const char *code);
int  execute(uint16_t domid, uint32_t vcpu, uint64_t gfn, char got[128]);
void runs(uint16_t domid, uint64_t gfn, const char *code);
void is_denied(uint16_t domid, uint64_t gfn);

#endif
