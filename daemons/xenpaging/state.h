/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the store and the stage are while no pager runs: with the service manager, in its fd store, or in a directory
 * on a tmpfs.  Opens both, from what an earlier pager left there or anew.  What is in them is store.h's and
 * store-stage.h's.
 */
#ifndef XENPAGING_STATE_H
#define XENPAGING_STATE_H

#include <stdbool.h>

#include "inherited.h"
#include "settings.h"
#include "store-stage.h"
#include "store.h"

struct state {
    int directory;                /* descriptor; -1: none */
    int spill_directory;          /* the same of that which the named spill file is in */
    int index;                    /* -1, or the file in the directory, on which the lock is */
    char spill_name[32];
    char spill_path[4096];        /* of that directory */
    bool is_kept;                 /* a pager that comes after this one's death finds it */
    bool is_resumed;              /* an earlier pager left it */
};

/*
 * Opens *store and *stage.  directory NULL: the fd store, if there is one.  What an earlier pager left there is gone on with
 * in any case.  *what is what an error is about.
 * -EWOULDBLOCK: another pager uses the directory.
 * -EMEDIUMTYPE: it is not on a tmpfs.  -EPERM: it, or a file in it, is not ours alone.
 * After an error state_close() is still to be called, and what an earlier pager left is still there.
 */
int state_open(struct state *state, const struct settings *settings, const struct inherited *left, const char *directory,
               struct store **store, struct store_stage **stage, const char **what);

/* Everything is in: nothing is kept for a later pager. */
void state_remove(struct state *state);

/* Closes what is open, and leaves it to the next. */
void state_close(struct state *state);

#endif
