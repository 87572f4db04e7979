/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Users, limits and the two lists of system calls. Each call on a list has who needs it.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include <daemon/privilege.h>

/* Address sanitizer's shadow is larger than any limit on memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int refuse(char *words, size_t size, int rc, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static int refuse(char *words, size_t size, int rc, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(words, size, fmt, args);
    va_end(args);
    return rc;
}

int sandbox_drop_user(const char *user, char *words, size_t size)
{
    const struct passwd *entry;

    if ( prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) )
        return refuse(words, size, -errno, "no_new_privs: %s", strerror(errno));
    if ( geteuid() )
        return 0;

    errno = 0;
    entry = getpwnam(user);
    if ( !entry )
        return refuse(words, size, errno ? -errno : -ENOENT, "there is no user %s for what runs plugins; make one, or name "
                      "another with --worker-user", user);
    if ( !entry->pw_uid )
        return refuse(words, size, -EPERM, "user %s is root; plugins run as somebody else (--worker-user)", user);
    if ( setgroups(0, NULL) || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) ||
         setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) )
        return refuse(words, size, -errno, "cannot become user %s: %s", user, strerror(errno));
    /* The kernel took it with root's identity. */
    if ( prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) )
        return refuse(words, size, -errno, "PR_SET_DUMPABLE: %s", strerror(errno));
    return 0;
}

/* ---- lists ---- */

/* Memory, time, and the way in which a process ends itself. */
static const int calls_for_all[] = {
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),   /* malloc */
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),        /* where the vDSO cannot */
    SCMP_SYS(futex), SCMP_SYS(sched_yield),                                 /* locks of libraries */
    SCMP_SYS(getrandom),                                                    /* hash tables */
    SCMP_SYS(sysinfo),                                                      /* glibc's qsort(): how much memory is there? */
    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid),           /* abort() */
    SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* stdio asks what its files are; the image is read. */
static const int calls_for_images[] = {
    SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
    SCMP_SYS(sendmsg), SCMP_SYS(lseek),                                     /* the journal, if that is stderr */
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int rc = 0;

    for ( size_t i = 0; i < count && !rc; i++ )
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return rc;
}

/*
 * libclamav makes a directory for each scan, looks whether it left something in it, and takes it away; it does not use it for what
 * lies in memory. It is told that it has made one, and that there is nothing. Nothing is done, and what would open a file ends the
 * process as ever.
 */
static int pretend_directories(scmp_filter_ctx filter)
{
    int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(mkdir), 0);

    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(chmod), 0);
    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(rmdir), 0);
    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(openat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, O_DIRECTORY, O_DIRECTORY));
    return rc;
}

/* Pages that can be executed are made by nobody; a process signals only itself, to abort. */
static int allow_all(scmp_filter_ctx filter)
{
    int rc = allow(filter, calls_for_all, sizeof(calls_for_all) / sizeof(calls_for_all[0]));

    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                              SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
    if ( !rc )
        rc = pretend_directories(filter);
    if ( !rc && SANITIZED )
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sigaltstack), 0);
    return rc;
}

static int load(scmp_filter_ctx filter, int rc, char *words, size_t size)
{
    if ( !rc )
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc ? refuse(words, size, rc, "the filter of system calls cannot be set: %s", strerror(-rc)) : 0;
}

int sandbox_enter_image(char *words, size_t size)
{
    scmp_filter_ctx filter;
    int rc = privilege_drop(NULL, 0, PRIVILEGE_HOLDS_GUEST_MEMORY);

    if ( rc )
        return refuse(words, size, rc, "rights cannot be given up: %s", strerror(-rc));
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if ( !filter )
        return refuse(words, size, -ENOMEM, "no memory");
    rc = allow_all(filter);
    if ( !rc )
        rc = allow(filter, calls_for_images, sizeof(calls_for_images) / sizeof(calls_for_images[0]));
    return load(filter, rc, words, size);
}

static int limit(int what, rlim_t value)
{
    const struct rlimit both = { value, value };

    return setrlimit(what, &both) ? -errno : 0;
}

/* What the process has of address space now, and so much more. */
static int limit_memory(uint64_t memory)
{
    unsigned long pages = 0;
    FILE *file;

    if ( SANITIZED )
        return 0;
    file = fopen("/proc/self/statm", "re");
    if ( !file )
        return -errno;
    if ( fscanf(file, "%lu", &pages) != 1 )
        pages = 0;
    fclose(file);
    return pages ? limit(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + memory) : -EIO;
}

/* Everything but the two. */
static int close_others(int a, int b)
{
    unsigned int low = a < b ? a : b, high = a < b ? b : a;

    if ( (low && syscall(SYS_close_range, 0u, low - 1, 0)) ||
         (high - low > 1 && syscall(SYS_close_range, low + 1, high - 1, 0)) ||
         syscall(SYS_close_range, high + 1, ~0u, 0) )
        return -errno;
    return 0;
}

int sandbox_enter_worker(int wake, int tell, uint64_t memory, char *words, size_t size)
{
    scmp_filter_ctx filter;
    int rc = limit_memory(memory);

    if ( !rc )
        rc = close_others(wake, tell);
    if ( !rc )
        rc = limit(RLIMIT_NOFILE, 0);
    if ( !rc )
        rc = limit(RLIMIT_NPROC, 0);
    if ( !rc )
        rc = limit(RLIMIT_FSIZE, 0);
    if ( !rc )
        rc = limit(RLIMIT_MEMLOCK, 0);
    if ( rc )
        return refuse(words, size, rc, "limits cannot be set: %s", strerror(-rc));
    rc = privilege_drop(NULL, 0, PRIVILEGE_HOLDS_GUEST_MEMORY);
    if ( rc )
        return refuse(words, size, rc, "rights cannot be given up: %s", strerror(-rc));

    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if ( !filter )
        return refuse(words, size, -ENOMEM, "no memory");
    rc = allow_all(filter);
    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)wake, 0));
    if ( !rc )
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)tell, 0));
    return load(filter, rc, words, size);
}
