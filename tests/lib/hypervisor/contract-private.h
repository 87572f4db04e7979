/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the contract share: the host and guest that are asked, and how a promise that was not kept is told.
 */
#ifndef TESTS_LIB_HYPERVISOR_CONTRACT_PRIVATE_H
#define TESTS_LIB_HYPERVISOR_CONTRACT_PRIVATE_H

#include <stdbool.h>

#include <memevent/memevent.h>

#include "contract.h"

/* A guest on an emulated host, which shares its processor with others, comes by a page once in some seconds. */
#define PATIENCE_MS 60000

struct contract {
    struct hypervisor *hv;
    uint16_t domid;
    uint64_t first;
    unsigned int count;
    const struct contract_means *means;     /* or NULL */
    struct memevent_channel *channel;
    char *pages;            /* what was taken out, by frame */
    bool *is_out;
    unsigned int failures;
};

void contract_fail(struct contract *c, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What an expression is, and what it was promised to be. */
#define EXPECT(c, expression, expected) \
    do { \
        long long found_ = (expression), expected_ = (expected); \
        if ( found_ != expected_ ) \
            contract_fail((c), __FILE__, __LINE__, "%s is %lld, not %lld", #expression, found_, expected_); \
    } while ( 0 )

/* Seconds of a clock that never goes back. */
double contract_now(void);
/* As the one consumer, of c->channel.  False: it was said why not. */
bool contract_attach(struct contract *c, enum memevent_class class);
void contract_detach(struct contract *c);
/* Waits for an event.  False: none came. */
bool contract_wait_event(struct contract *c, struct memevent_event *event, int patience_ms);
/* A page goes out, until the guest does not come in between; and comes in, if it is out. */
bool contract_take_out(struct contract *c, unsigned int page);
void contract_load(struct contract *c, unsigned int page);

/* The cases of the other files. */
void contract_foreign(struct contract *c);
void contract_sharing(struct contract *c);
void contract_records(struct contract *c);
void contract_no_memory(struct contract *c);
void contract_access(struct contract *c);

#endif /* TESTS_LIB_HYPERVISOR_CONTRACT_PRIVATE_H */
