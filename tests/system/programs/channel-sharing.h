/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two guests that began with the same octets in the same frames, and merging them through the SHARING family.
 * Whether a guest is right afterwards is its own to say.
 */
#ifndef TESTS_SYSTEM_PROGRAMS_CHANNEL_SHARING_H
#define TESTS_SYSTEM_PROGRAMS_CHANNEL_SHARING_H

#include "channel.h"
#include "guest.h"

#define OUTCOMES    8       /* more than there are */

struct sharer {
    uint16_t domid;
    struct guest guest;
};

struct pair {
    struct sharer sharers[2];       /* source, client */
    uint64_t frames;                /* [0, frames) are merged */
    struct xen_memevent_operation *operations;
};

/* words: DOMID TTY LOG of each. */
void pair_open(struct pair *p, char **words, uint64_t frames);

/*
 * Merges each frame of the one with that of the other; how often each outcome came, with and without a status of 0.
 */
struct merged {
    unsigned long outcomes[OUTCOMES];
    unsigned long others;           /* statuses that go with no outcome: no such frame and the like */
};
void pair_merge(struct pair *p, struct merged *merged);

/* One merge. Its status; outcome and handle in *operation. */
long pair_merge_frames(struct pair *p, uint64_t source_gfn, uint64_t client_gfn,
                       struct xen_memevent_operation *operation);

/* SHARING_UNSHARE or NOMINATE of one frame. */
long sharer_do(const struct sharer *s, uint32_t call, uint64_t gfn);

/* Maps a frame, or ends the program; a writable mapping gives a shared frame a page of its own. */
void *sharer_map(const struct sharer *s, uint64_t gfn, bool writable);
void sharer_unmap(void *octets);

/* Both guests stand still, and go on: also one that has nothing to do writes to its stack now and then. */
void pair_pause(struct pair *p);
void pair_unpause(struct pair *p);

/* Both guests carry it out at once. */
void pair_tell(struct pair *p, const char *program);

/* 1: both have ended, and found nothing wrong; 0: not yet; the program ends if something is. */
int pair_is_done(struct pair *p, const char *what);

/* pair_tell() and waiting for that. */
void pair_does(struct pair *p, const char *program, const char *what);

#endif
