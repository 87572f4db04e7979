/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of `memeventctl sharing` have in common: what was asked for, and one look at the sharer's status
 * file.
 */
#ifndef MEMEVENTCTL_SHARING_H
#define MEMEVENTCTL_SHARING_H

#include <stdbool.h>

#include "look.h"

#define SHARING_DAEMON     "xensharing"
#define SHARING_HISTORY    "/var/lib/xen-memevent/xensharing.history"
#define SHARING_NO_DAEMON  "no sharer runs: 'systemctl start xensharing'"

struct sharing_request {
    struct look look;
    const char *name;             /* of a domain or a group; NULL: all */
    const char *history;
    const char *output;           /* NULL: standard output */
    unsigned int hours;           /* of the history */
    unsigned int minutes;         /* a line of it */
};

/* One look. */
struct sharing_look {
    const struct status *status;
    const struct json_object *before;     /* of the same process, a while ago; NULL: there is none */
    double seconds;
};

/* What a look ends in: a dead sharer's figures, for example, are shown, and are no success. */
int sharing_judge(const struct sharing_request *request, const struct status_list *list);

/* These return an exit status. */
int sharing_top(const struct sharing_request *request);
int sharing_history(const struct sharing_request *request);
int sharing_plot(const struct sharing_request *request);

#endif
