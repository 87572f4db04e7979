/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One worker, seen from outside: nothing in its piece of memory is read twice, or before it was bounded.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/memfd.h>

/* Since Linux 5.1; what is mapped already stays writable. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Shared memory of this size, mapped; it can be made neither smaller nor larger, so that no access to it can fail. */
static int make_memory(const char *name, size_t size, int seals, int *fd, void **mapped)
{
    *fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if ( *fd < 0 || ftruncate(*fd, size) )
        return -errno;
    *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if ( *mapped == MAP_FAILED )
    {
        *mapped = NULL;
        return -errno;
    }
    return fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | seals) ? -errno : 0;
}

int process_open(struct process *p, const struct av_domain *domain)
{
    void *in = NULL, *out = NULL;
    int rc;

    memset(p, 0, sizeof(*p));
    p->pidfd = p->in_fd = p->out_fd = -1;
    p->wake = eventfd(0, EFD_CLOEXEC);
    p->tell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = p->wake < 0 || p->tell < 0 ? -errno : 0;
    if ( !rc )
        rc = make_memory("av-requests", sizeof(*p->in), F_SEAL_FUTURE_WRITE, &p->in_fd, &in);
    p->in = in;
    if ( !rc )
        rc = make_memory("av-results", sizeof(*p->out), 0, &p->out_fd, &out);
    p->out = out;
    if ( rc )
    {
        process_close(p);
        return rc;
    }
    p->in->magic = REQUEST_MAGIC;
    p->in->version = REQUEST_VERSION;
    p->in->domain = *domain;
    return 0;
}

static void close_fd(int *fd)
{
    if ( *fd >= 0 )
        close(*fd);
    *fd = -1;
}

void process_close(struct process *p)
{
    siginfo_t info;

    if ( p->pidfd >= 0 )
    {
        process_kill(p);
        waitid(P_PIDFD, p->pidfd, &info, WEXITED);
    }
    if ( p->in )
        munmap(p->in, sizeof(*p->in));
    if ( p->out )
        munmap(p->out, sizeof(*p->out));
    close_fd(&p->pidfd);
    close_fd(&p->wake);
    close_fd(&p->tell);
    close_fd(&p->in_fd);
    close_fd(&p->out_fd);
    p->in = NULL;
    p->out = NULL;
    p->pid = 0;
}

int process_started(struct process *p, pid_t pid)
{
    siginfo_t info;

    close_fd(&p->in_fd);
    close_fd(&p->out_fd);
    /* The loader's word is not enough for a kill. */
    if ( pid <= 1 || waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) )
        return -ECHILD;
    p->pidfd = syscall(SYS_pidfd_open, pid, 0);
    if ( p->pidfd < 0 )
        return -errno;
    p->pid = pid;
    return 0;
}

static void wake(struct process *p)
{
    const uint64_t one = 1;
    ssize_t n;

    do
        n = write(p->wake, &one, sizeof(one));
    while ( n < 0 && errno == EINTR );
}

struct request_in *process_request(struct process *p)
{
    return p->in;
}

void process_begin(struct process *p)
{
    p->crossings = p->reads = 0;
    if ( !++p->sequence )
        p->sequence = 1;
    /* The request /before/ its number; pairs with worker_serve(). */
    __atomic_store_n(&p->in->sequence, p->sequence, __ATOMIC_RELEASE);
    wake(p);
}

/* Header first: it says how many findings there are to be copied. */
static int copy_judgement(const struct process *p, struct judgement *out)
{
    const struct judgement *theirs = &p->out->judgement;

    memcpy(out, theirs, offsetof(struct judgement, findings));
    /* The copy is what is checked and used, not what the compiler may read anew. */
    __asm__ __volatile__ ( "" ::: "memory" );
    if ( out->count > AV_FINDINGS_MAX || out->verdict > AV_MALICIOUS )
        return -EPROTO;
    memcpy(out->findings, theirs->findings, out->count * sizeof(out->findings[0]));
    for ( uint32_t i = 0; i < out->count; i++ )
    {
        struct judge_finding *f = &out->findings[i];

        if ( f->verdict > AV_MALICIOUS || f->verdict > out->verdict )
            return -EPROTO;
        f->plugin[sizeof(f->plugin) - 1] = 0;
        f->rule[sizeof(f->rule) - 1] = 0;
        f->text[sizeof(f->text) - 1] = 0;
        f->process.name[sizeof(f->process.name) - 1] = 0;
        f->process.path[sizeof(f->process.path) - 1] = 0;
    }
    return 0;
}

unsigned int process_look(struct process *p, struct judgement *judgement, uint64_t *nanoseconds)
{
    unsigned int found = 0;
    uint32_t done, question;
    uint64_t count;

    if ( read(p->tell, &count, sizeof(count)) < 0 && errno != EAGAIN )
        return PROCESS_NONSENSE;
    /* Pair with worker.c's stores of the same. */
    done = __atomic_load_n(&p->out->done, __ATOMIC_ACQUIRE);
    question = __atomic_load_n(&p->out->question, __ATOMIC_ACQUIRE);

    if ( !p->ready && __atomic_load_n(&p->out->ready, __ATOMIC_ACQUIRE) )
    {
        p->ready = true;
        p->resident = process_resident(p);
        found |= PROCESS_READY;
    }
    if ( question != p->question )
    {
        if ( question != p->question + 1 )
            return PROCESS_NONSENSE;
        found |= PROCESS_ASKS;
    }
    if ( done == p->done )
        return found;
    /* It answers what it was asked, when it was asked, and has no question open. */
    if ( done != p->sequence || (found & PROCESS_ASKS) || !p->ready || copy_judgement(p, judgement) )
        return PROCESS_NONSENSE;
    *nanoseconds = __atomic_load_n(&p->out->nanoseconds, __ATOMIC_RELAXED);
    p->done = done;
    return found | PROCESS_DONE;
}

uint32_t process_gfns(struct process *p, uint64_t gfns[REQUEST_FRAMES])
{
    uint32_t count = __atomic_load_n(&p->out->question_count, __ATOMIC_RELAXED);

    if ( count > REQUEST_FRAMES )
        count = REQUEST_FRAMES;
    for ( uint32_t i = 0; i < count; i++ )
        gfns[i] = __atomic_load_n(&p->out->question_gfns[i], __ATOMIC_RELAXED);
    p->crossings++;
    p->reads += count;
    return count;
}

void *process_frames(struct process *p, int32_t **status)
{
    *status = p->in->status;
    return p->in->frames;
}

void process_answer(struct process *p)
{
    p->question++;
    /* The frames /before/ the number; pairs with worker.c's ask(). */
    __atomic_store_n(&p->in->answered, p->question, __ATOMIC_RELEASE);
    wake(p);
}

unsigned int process_plugin(const struct process *p)
{
    uint32_t plugin = __atomic_load_n(&p->out->asked, __ATOMIC_RELAXED);

    return plugin < PLUGINS_MAX ? plugin : PLUGINS_MAX;
}

int process_line(struct process *p, struct request_line *out, uint32_t *lost)
{
    uint32_t count = __atomic_load_n(&p->out->lines_count, __ATOMIC_ACQUIRE);

    *lost = 0;
    if ( count == p->lines )
        return 0;
    if ( count - p->lines > REQUEST_LINES )
    {
        *lost = count - p->lines - REQUEST_LINES;
        p->lines = count - REQUEST_LINES;
    }
    *out = p->out->lines[p->lines % REQUEST_LINES];
    __asm__ __volatile__ ( "" ::: "memory" );
    p->lines++;
    out->text[sizeof(out->text) - 1] = 0;
    if ( out->level > AV_LOG_DEBUG || out->level < AV_LOG_ERROR )
        out->level = AV_LOG_INFO;
    if ( out->plugin > PLUGINS_MAX )
        out->plugin = PLUGINS_MAX;
    return 1;
}

void process_kill(struct process *p)
{
    if ( p->pidfd >= 0 )
        syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
}

static const char *name_signal(int number)
{
    switch ( number )
    {
    case SIGSEGV: case SIGBUS: return "touched memory that it may not touch";
    case SIGABRT: return "gave up (abort)";
    case SIGSYS:  return "made a system call that is forbidden to it";
    case SIGKILL: return "was killed";
    case SIGFPE: case SIGILL: case SIGTRAP: return "carried out an impossible instruction";
    }
    return "ended by a signal";
}

int process_reap(struct process *p, char *words, size_t size)
{
    siginfo_t info = { 0 };

    if ( p->pidfd < 0 || waitid(P_PIDFD, p->pidfd, &info, WEXITED | WNOHANG) || !info.si_pid )
        return -EAGAIN;
    if ( info.si_code == CLD_EXITED )
        snprintf(words, size, "ended by itself (status %d)", info.si_status);
    else
        snprintf(words, size, "%s", name_signal(info.si_status));
    close_fd(&p->pidfd);
    return 0;
}

uint64_t process_resident(const struct process *p)
{
    unsigned long size, resident = 0;
    char path[40];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)p->pid);
    file = fopen(path, "re");
    if ( !file )
        return 0;
    if ( fscanf(file, "%lu %lu", &size, &resident) != 2 )
        resident = 0;
    fclose(file);
    return (uint64_t)resident * sysconf(_SC_PAGESIZE);
}
