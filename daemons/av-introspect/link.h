/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * link: the broker's end of the loader's socket. What comes over it is the loader's word: a plugin's code may have said it.
 */
#ifndef AV_LINK_H
#define AV_LINK_H

#include <stdint.h>
#include <sys/types.h>

#include "process.h"

/* Who compiles ten thousand rules needs some seconds. */
#define LINK_LOAD_NS UINT64_C(120000000000)

struct link {
    int fd, pidfd;                      /* -1: none */
    uint64_t since;                     /* when it was started */
};

/* Starts `program` with the directory of plugins and tells it what to load, one spec a line. 0 or -errno. */
int  link_open(struct link *link, const char *program, const char *directory, const char *specs, const char *user);
/* Ends it, and waits for that. */
void link_close(struct link *link);

/* 0; -EAGAIN; others: it is gone. */
int link_start(struct link *link, uint64_t tag, const struct process *process, uint64_t memory);
int link_reload(struct link *link);

/* 1 and a message, whose text ends; 0: none now; -EPIPE: it is gone. */
int link_receive(struct link *link, struct loader_message *out);

#endif /* AV_LINK_H */
