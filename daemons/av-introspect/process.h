/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * process: the broker's end of one worker (request.h). What it says is checked here; which request it gets, and what becomes of
 * it when it dies, is workers.c's.
 */
#ifndef AV_PROCESS_H
#define AV_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "request.h"

struct process {
    pid_t pid;                          /* 0: the loader has not said it yet */
    int pidfd, wake, tell;
    int in_fd, out_fd;                  /* until it is started */
    struct request_in *in;
    struct request_out *out;
    uint32_t sequence;                  /* of the request that it has, or had last */
    uint32_t done;                      /* of the one that is finished */
    uint32_t question, lines;
    uint32_t crossings, reads;          /* of this request: questions, and frames that they were about */
    bool ready;
    uint64_t resident;                  /* octets, when it was ready */
};

/* What process_look() found; several of these may be true, in this order. */
#define PROCESS_READY     0x1u          /* it can be given requests */
#define PROCESS_ASKS      0x2u          /* answer: process_gfns(), then process_answer() */
#define PROCESS_DONE      0x4u          /* the judgement is in *out */
#define PROCESS_NONSENSE  0x8u          /* it says what cannot be: end it */

/* Memory and eventfds for one that is to be started. 0 or -errno. */
int  process_open(struct process *process, const struct av_domain *domain);
/* Frees all; the process itself must be gone, or gets killed and waited for. */
void process_close(struct process *process);

/* The loader says that this is it. 0, -ECHILD (it is no child of ours), or what pidfd_open() says. */
int process_started(struct process *process, pid_t pid);

/* The request's place, to be filled in but for its sequence; then begin. */
struct request_in *process_request(struct process *process);
void process_begin(struct process *process);

/* After its eventfd was readable. `judgement` is filled in with PROCESS_DONE, all of it within bounds, texts with their NUL. */
unsigned int process_look(struct process *process, struct judgement *judgement, uint64_t *nanoseconds);

/* Frames that it asks for; at most REQUEST_FRAMES. */
uint32_t process_gfns(struct process *process, uint64_t gfns[REQUEST_FRAMES]);
/* Where the frames go, one behind the other, and a status for each; then answer. */
void *process_frames(struct process *process, int32_t **status);
void process_answer(struct process *process);

/* Which plugin it is in now, as far as it says; PLUGINS_MAX: none. */
unsigned int process_plugin(const struct process *process);

/* The next line of its plugins: 1, 0. *lost: so many were written over. */
int process_line(struct process *process, struct request_line *out, uint32_t *lost);

void process_kill(struct process *process);
/* 0: it is gone, and how is in words; -EAGAIN: it is not. */
int process_reap(struct process *process, char *words, size_t size);

/* Octets that it has in memory now; 0: not known. */
uint64_t process_resident(const struct process *process);

#endif /* AV_PROCESS_H */
