/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who judges pages, as the broker sees it. The broker brings requests and takes results; it never looks at a guest's
 * octets but to copy and to hash them. workers.c is the scanner of the installed program: one sandboxed process a
 * domain. Tests bring scanners of their own.
 *
 * All of it is called from one thread, the broker's loop, and nothing here may block.
 */
#ifndef AV_SCANNER_H
#define AV_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hypervisor/hypervisor.h>

/* Octets of a page, and of the digest of one (SHA-256). */
#define SCAN_PAGE_BYTES     4096u
/* Frames that are read at a time: a crossing costs as much as copying so many. */
#define SCAN_FRAMES_MAX     64u
#define SCAN_DIGEST_BYTES   32u

/*
 * Names and sentences of a result, with the NUL behind them. What a longer one loses is not missed: it is for people,
 * and for the policy's patterns.
 */
#define SCAN_PLUGIN_BYTES   32u
#define SCAN_RULE_BYTES     128u
#define SCAN_TEXT_BYTES     256u

/* Linux' own limits of a process' name and, shortened, of a path. */
#define SCAN_COMM_BYTES     16u
#define SCAN_PATH_BYTES     256u

/* Requests of one domain that a scanner must have room for: a vCPU waits for each of the first kind. */
#define SCAN_REQUESTS_LEAST 64u

/* In order of weight: of several plugins' verdicts the last one counts. */
enum scan_verdict {
    SCAN_CLEAN      = 0,
    SCAN_UNKNOWN    = 1,          /* judged, and nothing can be said */
    SCAN_SUSPICIOUS = 2,
    SCAN_MALICIOUS  = 3,
};
#define SCAN_VERDICTS 4u

/* Who waits, and who is asked. Plugins decide, or are told afterwards, or both. */
enum scan_urgency {
    SCAN_DECIDE,                  /* a vCPU waits, for at most the deadline: who decides */
    SCAN_NOTIFY,                  /* nobody: all, after the others */
    SCAN_AFTER,                   /* nobody, and who decides has done so: who is only told; with SCAN_NOTIFY's */
};

/* What a request is about. As bits (1 << kind): what a scanner wants to be asked. */
enum scan_kind {
    SCAN_PAGE      = 0,           /* a page that is about to be executed, or was */
    SCAN_REGISTER  = 1,           /* values: which control register (0, 3, 4), new, old */
    SCAN_MSR       = 2,           /* values: which, new, old */
    SCAN_INTERRUPT = 3,           /* values: vector, type, error code, cr2 */
    SCAN_REQUEST   = 4,           /* the guest asks for attention */
    SCAN_OVERFLOW  = 5,           /* values: events that nobody was told of; never SCAN_DECIDE */
    SCAN_TICK      = 6,           /* only of results: see id */
};

struct scan_request {
    uint64_t id;                  /* the broker's; never 0, and never given twice in its life */
    uint16_t domid;
    uint8_t  urgency;             /* enum scan_urgency */
    uint8_t  kind;                /* enum scan_kind */
    bool     has_gla;
    uint32_t vcpu;                /* whose registers these are */
    uint32_t budget_ms;           /* after which nobody waits for the result any more; it is taken all the same */
    uint64_t gfn;
    uint64_t gla;                 /* has_gla: the guest linear address of the fetch, in cr3's tables */
    uint64_t rip, cr3;
    uint64_t gpr[16];             /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
    uint64_t values[4];
    const struct hypervisor_registers *registers;     /* of the vCPU, then; NULL: not known. Valid as page */
    const void *page;             /* SCAN_PAGE: SCAN_PAGE_BYTES; valid during submit() only: copy them */
};

/* How a request ended. */
enum scan_outcome {
    SCAN_DONE,                    /* verdict and what comes behind it say something */
    SCAN_FAILED,                  /* the worker died or was killed over it: nothing was judged */
    SCAN_REFUSED,                 /* nobody can judge it: the same page has killed workers again and again */
};

/* Every string ends in NUL, is well-formed UTF-8 and has no control characters: whoever makes a result sees to that. */
struct scan_finding {
    uint8_t  verdict;             /* enum scan_verdict */
    bool     has_process;
    uint32_t pid;
    char     plugin[SCAN_PLUGIN_BYTES];
    char     rule[SCAN_RULE_BYTES];
    char     text[SCAN_TEXT_BYTES];
    char     comm[SCAN_COMM_BYTES];
    char     path[SCAN_PATH_BYTES];
};

struct scan_result {
    uint64_t id;                  /* 0: nobody asked: plugins found it by themselves in domid's memory, a SCAN_TICK */
    uint16_t domid;
    uint8_t  outcome;             /* enum scan_outcome */
    uint8_t  verdict;             /* enum scan_verdict */
    bool     has_process;         /* pid and comm are the guest's process; path may be empty all the same */
    bool     has_context;         /* it depends on more than the page: the same page elsewhere is another question */
    uint32_t pid;
    bool     is_unjudged;         /* SCAN_DONE: a plugin that was to decide could not, and nobody found anything */
    bool     rescan;              /* a plugin looks for something else now: all is to be judged anew */
    uint64_t generation;          /* of the rules that judged: see generation() */
    uint64_t nanoseconds;         /* that the plugins took */
    char     plugin[SCAN_PLUGIN_BYTES];   /* of the heaviest verdict; empty if all is clean */
    char     rule[SCAN_RULE_BYTES];
    char     text[SCAN_TEXT_BYTES];       /* a sentence for people; SCAN_FAILED, SCAN_REFUSED: why */
    char     comm[SCAN_COMM_BYTES];
    char     path[SCAN_PATH_BYTES];
    /* What else was found; the scanner's, until the next take(). */
    unsigned int others_count, others_lost;
    const struct scan_finding *others;
};

/* For the status: of one domain since add_domain(). */
struct scan_statistics {
    uint64_t submitted, done, failed, refused;
    uint64_t deaths;              /* of workers: by themselves, or killed because they hung or grew */
    uint32_t in_flight;
    uint32_t pid;                 /* of the worker now; 0: none */
    bool     backing_off;         /* the next one is started after a while */
    /* Of plugins that look for themselves: what was asked of the broker meanwhile, and how long they took. */
    uint64_t ticks, tick_crossings, tick_frames, tick_ns, tick_most_ns;
};

/* See set_memory(). */
typedef void scan_read(void *arg, uint16_t domid, const uint64_t *gfns, uint32_t count, void *pages, int32_t *status);

struct scanner {
    void *opaque;                 /* the first argument of all of these */

    /*
     * A domain is protected from now on: has its own worker, which shares nothing with another domain's. -EEXIST; -ENOMEM.
     * A worker that cannot be started yet is no failure: submit() says -EAGAIN until it can.
     */
    int  (*add_domain)(void *opaque, uint16_t domid);
    /* What is under way for it is dropped, and no result of it comes any more. None such: nothing happens. */
    void (*remove_domain)(void *opaque, uint16_t domid);

    /*
     * Copies the request and its page, and begins. Exactly one result follows, in any order with others, unless the
     * domain is removed. -EAGAIN: no room, or no worker at the moment; -ENOENT: no such domain; -EINVAL.
     */
    int  (*submit)(void *opaque, const struct scan_request *request);
    /* 1: a result was taken; 0: none waits. Never one that names no request under way, but for id 0. */
    int  (*take)(void *opaque, struct scan_result *out);

    /*
     * Readable when take() has something. At another time, too: then take() says 0, and it is readable no more. One
     * descriptor (an epoll's, for instance), the same as long as the scanner lives.
     */
    int  (*fd)(void *opaque);
    /* Called each second or more often: limits of time, and workers to be started again. */
    void (*tick)(void *opaque);
    /* When tick() has something to do before that second is over, by view_now()'s clock; UINT64_MAX: it has not. May be NULL. */
    uint64_t (*due)(void *opaque);

    /*
     * Which rules judge now: another number after each change of a plugin, of its options or of its rules. Results of
     * another generation than this are not kept. 0: nothing judges yet.
     */
    uint64_t (*generation)(void *opaque);
    /* Rules are to be read anew; the former ones judge until they are. NULL: they never change. 0 or -errno, which was logged. */
    int  (*reload)(void *opaque);
    /*
     * Who reads frames of a domain for plugins that look beyond the page: called from take() and tick(), for count frames (at
     * most SCAN_FRAMES_MAX) at a time. pages are as many times SCAN_PAGE_BYTES, each with its status, 0 or -errno. May be
     * NULL in a scanner that looks at nothing else, and need not be called.
     */
    void (*set_memory)(void *opaque, scan_read *read, void *arg);
    /* The same for registers, for plugins that nobody has told of an event. -errno: they are not known. May be NULL. */
    void (*set_registers)(void *opaque,
                          int (*get)(void *arg, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out), void *arg);
    /* Kinds, a bit each, that somebody decides, or wants to be told of without deciding. NULL: pages are decided, no more. */
    uint32_t (*wants)(void *opaque, bool decide);
    /* Zeros if there is no such domain. */
    void (*get_statistics)(void *opaque, uint16_t domid, struct scan_statistics *out);
    /* Ends all workers. */
    void (*close)(void *opaque);
};

/* workers.c's constructors fill one in; see workers.h. */

#endif /* AV_SCANNER_H */
