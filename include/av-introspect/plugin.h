/* SPDX-License-Identifier: MIT */
/*
 * plugin: the interface between av-introspect and what looks into guests.
 *
 * A plugin is a shared object that includes this header only and exports one data symbol:
 *
 *     const struct av_plugin av_plugin = {
 *         AV_PLUGIN_VERSION, .name = "template", .version = "1", .summary = "Finds nothing.",
 *         .decide = AV_EVENT_SCAN, .scan = scan,
 *     };
 *
 * It judges; what is done about it is the policy's affair.  It runs inside of a process that can open nothing, that may be
 * killed at any time and that looks into one domain only:
 *
 *     the loader (own user, may read files)     create -> reload ...                            -> destroy
 *       forks, for each domain and as often     |
 *       as one dies, a worker (no files, no     +-> attach -> scan, event, tick, attribute ... -> detach
 *       descriptors, hardly a system call)
 *
 * So create() and reload() load rules, and a worker has all that they made, in a copy of its own that is shared with other
 * workers until somebody writes to it.  What a worker learns dies with it.  Run over an image (av-introspect --image) all
 * of it happens in one process.
 *
 * Threads: none.  Everything is called from one thread of one process, a call at a time; a plugin starts no threads.
 *
 * Versions: the two numbers at the head of av_plugin are those that the plugin was built with. The host takes it if major
 * is its own and minor is not above its own.  With a new minor structures grow at their ends, and only functions and
 * bits are added; so each structure begins with its size as whoever fills it in knows it, and a reader takes what lies
 * within that as there, and everything behind as zero.  In an array of structures the size of the first is the distance of all.
 * Pads and unknown bits are zero.
 *
 * Errors are -errno.  Addresses and lengths are in bytes, frame numbers in pages of 4 KiB.
 * Everything that comes out of a guest is hostile, the registers as well.
 */
#ifndef AV_INTROSPECT_PLUGIN_H
#define AV_INTROSPECT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AV_ABI_MAJOR 1
#define AV_ABI_MINOR 0

#define AV_PAGE_SIZE 4096u
#define AV_NO_GFN    UINT64_MAX

/* What a host cuts, refuses or does not ask for; so that nobody has to guess. */
#define AV_NAME_BYTES     32u           /* a plugin's, an option's, a process' name, with the NUL */
#define AV_RULE_BYTES     128u          /* a rule's */
#define AV_TEXT_BYTES     256u          /* a message or a finding's text, with the NUL; longer ones are cut */
#define AV_OPTIONS_MAX    64u           /* of a plugin */
#define AV_FINDINGS_MAX   16u           /* in one call; more are counted and not kept */
#define AV_READ_MAX       (1u << 24)    /* bytes read in one call of a read function */
#define AV_WINDOW_MAX     (16u * AV_PAGE_SIZE)  /* on each side of what is scanned */

/* ---- verdicts ---- */

/* The greatest of all plugins counts. */
enum av_verdict {
    AV_CLEAN      = 0,      /* nothing was found */
    AV_UNKNOWN    = 1,      /* it could not look, or cannot say */
    AV_SUSPICIOUS = 2,
    AV_MALICIOUS  = 3,
};

/* ---- what happens in a guest ---- */

/*
 * Kinds of events.  A plugin asks for them by bits in .decide and .notify of its description: a decide event holds the vCPU
 * until all plugins have answered or the deadline has passed, and then they are asked no more; a notify event came already and
 * nobody waits.  What is in both is a decide event.  SCAN goes to scan(), all others go to event().
 */
#define AV_EVENT_SCAN       (1u << 0)   /* a page is about to be executed that was not scanned since it was written */
#define AV_EVENT_REGISTER   (1u << 1)   /* a control register is written: values[0] which (0, 4), 1 new, 2 old */
#define AV_EVENT_MSR        (1u << 2)   /* values[0] which (EFER, STAR, LSTAR, CSTAR, SYSENTER_EIP), 1 new, 2 old */
#define AV_EVENT_INTERRUPT  (1u << 3)   /* a breakpoint or exception: values[0] vector, 1 type, 2 error code, 3 cr2 */
#define AV_EVENT_REQUEST    (1u << 4)   /* the guest asks for attention */
#define AV_EVENT_OVERFLOW   (1u << 5)   /* notify only: values[0] events were lost; what they were is not known. The
                                         * host scans again by itself what it tracks; a plugin looks for itself */

#define AV_FLAG_WAITING     (1u << 0)   /* a vCPU waits for this */
#define AV_FLAG_GVA         (1u << 1)   /* .gva is known */
#define AV_FLAG_REGISTERS   (1u << 2)   /* .gpr, .rip, .cr3 are known */
#define AV_FLAG_AGAIN       (1u << 3)   /* a worker that died before may have been given it as well */
#define AV_FLAG_WRITE       (1u << 4)   /* what was tried with the page */
#define AV_FLAG_EXECUTE     (1u << 5)
#define AV_FLAG_IMAGE       (1u << 6)   /* no event at all: a page of a memory image */

struct av_event {
    uint32_t size;
    uint32_t kind;                      /* one AV_EVENT_*; others are ignored by a plugin */
    uint32_t flags;                     /* AV_FLAG_* */
    uint32_t vcpu;                      /* that caused it */
    uint64_t gfn;                       /* AV_NO_GFN: it is not about a page */
    uint64_t gva;                       /* guest-virtual address that was touched */
    uint64_t time;                      /* ns since the host booted, 0: not known */
    uint64_t values[4];
    uint64_t gpr[16];                   /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
    uint64_t rip;
    uint64_t cr3;
};

#define AV_REGISTER_GPR     (1u << 0)   /* gpr, rip, rflags */
#define AV_REGISTER_CONTROL (1u << 1)   /* cr0, cr3, cr4 */
#define AV_REGISTER_EFER    (1u << 2)
#define AV_REGISTER_SYSCALL (1u << 3)   /* star, lstar */
#define AV_REGISTER_TABLES  (1u << 4)   /* idt and gdt, base and limit */
#define AV_REGISTER_BASES   (1u << 5)   /* fs_base, gs_base, shadow_gs */

/* Of one vCPU. */
struct av_registers {
    uint32_t size;
    uint32_t known;                     /* AV_REGISTER_*; the rest is zero */
    uint32_t vcpu;
    uint32_t pad;
    uint64_t gpr[16];                   /* as in av_event */
    uint64_t rip, rflags;
    uint64_t cr0, cr3, cr4;
    uint64_t efer, star, lstar;
    uint64_t idt_base, gdt_base;
    uint32_t idt_limit, gdt_limit;
    uint64_t fs_base, gs_base, shadow_gs;
};

#define AV_DOMAIN_IMAGE     (1u << 0)   /* a memory image: nothing happens there, and nothing will */

struct av_domain {
    uint32_t size;
    uint32_t flags;                     /* AV_DOMAIN_* */
    uint32_t domid;
    uint32_t vcpus;                     /* 0: not known */
    uint64_t frames;                    /* all frame numbers are below this; not all of them are there */
    uint8_t  uuid[16];
    char     name[AV_TEXT_BYTES];       /* "": not known */
};

/* ---- what a plugin is asked ---- */

/*
 * Something to scan: one piece, without a gap. `address` is that of its first byte: virtual, in the address space of the
 * event's cr3, if AV_SCAN_VIRTUAL, else physical. What the scan is about lies at focus, and around it there are up to
 * window_before and window_after bytes of what lies beside it, as far as pages there are mapped, so that what crosses
 * the boundary of two pages is found.
 */
#define AV_SCAN_VIRTUAL     (1u << 0)
#define AV_SCAN_EXECUTABLE  (1u << 1)   /* all of focus can be executed, as far as is known */

struct av_scan {
    uint32_t size;
    uint32_t flags;                     /* AV_SCAN_* */
    const struct av_event *event;       /* never NULL; in an image one with AV_FLAG_IMAGE */
    const uint8_t *bytes;               /* read only; valid during the call */
    uint64_t length;
    uint64_t address;
    uint64_t focus;                     /* offset in bytes */
    uint64_t focus_length;              /* at least 1 */
};

/* Who in the guest it was. */
struct av_process {
    uint32_t size;
    uint32_t pid;
    uint32_t uid;
    uint32_t pad;
    char     name[AV_NAME_BYTES];       /* the kernel's short one; "" if it is not known. Ends in NUL, as all texts here */
    char     path[AV_TEXT_BYTES];       /* of the executable; "" if it is not known */
};

#define AV_FINDING_PAGE  (1u << 0)      /* scan(): what is focused on is enough, wherever it lies and whatever is beside it:
                                         * an equal page is known for it, in all domains, and is not judged again */

/*
 * What a plugin has found. A rule's name is a short stable word or two, by which a policy speaks of it; both texts are
 * copied and escaped by the host.
 */
struct av_finding {
    uint32_t size;
    uint32_t verdict;                   /* AV_SUSPICIOUS or AV_MALICIOUS; AV_CLEAN or AV_UNKNOWN: worth a line, no more */
    const char *rule;                   /* not NULL */
    const char *text;                   /* NULL: the rule says it all */
    uint64_t address;                   /* where, virtual or physical like the scan; 0: it has no place */
    uint64_t length;                    /* of what matched; 0: not known */
    const struct av_process *process;   /* NULL: attribute() is asked, if any plugin has one */
    uint32_t flags;                     /* AV_FINDING_* */
    uint32_t pad;
};

/* Part of a scatter read; status is written, the rest is read. */
struct av_read {
    uint32_t size;
    int32_t  status;                    /* 0; -EFAULT: not mapped, -ENXIO: no such frame; the buffer is zeroed from
                                         * there on */
    uint64_t address;
    void    *buffer;
    uint64_t length;
};

#define AV_MAPPING_WRITABLE   (1u << 0)
#define AV_MAPPING_EXECUTABLE (1u << 1)
#define AV_MAPPING_USER       (1u << 2)

struct av_mapping {
    uint32_t size;
    uint32_t flags;                     /* AV_MAPPING_*: all levels of the page tables together */
    uint64_t physical;                  /* of the address that was asked for */
    uint64_t virtual_start;             /* of the guest's page, small or large, that it is in */
    uint64_t bytes;                     /* 4 KiB, 2 MiB, 4 MiB or 1 GiB */
};

/* ---- options ---- */

/*
 * An option is described, and the host parses it: from its command line (--plugin NAME:option=value,option=value) or its
 * configuration (plugin = NAME:...), and from --help there is a line for it.
 */
enum av_option_type {
    AV_OPTION_FLAG   = 1,               /* yes or no, .number is 1 or 0 */
    AV_OPTION_NUMBER = 2,               /* decimal or 0x..., between minimum and maximum */
    AV_OPTION_SIZE   = 3,               /* bytes; K, M, G behind it are powers of 1024 */
    AV_OPTION_TEXT   = 4,               /* not empty */
    AV_OPTION_PATH   = 5,               /* absolute; read it in create() and reload(), nowhere else */
};
#define AV_OPTION_REQUIRED  (1u << 0)   /* the host refuses to go on without it */

struct av_option {
    uint32_t size;
    uint32_t type;                      /* enum av_option_type */
    uint32_t flags;                     /* AV_OPTION_* */
    uint32_t pad;
    const char *name;                   /* lower case letters, digits, '-' */
    const char *help;                   /* one sentence */
    const char *value;                  /* default as a person would write it; NULL: none, number 0, text NULL */
    uint64_t minimum, maximum;          /* of numbers and sizes; maximum 0: none */
};

/* The value of one option; they come in the order of the descriptions. Texts live as long as the instance. */
struct av_value {
    uint32_t size;
    uint32_t given;                     /* 1: somebody wrote it; 0: the default */
    uint64_t number;
    const char *text;                   /* TEXT and PATH */
};

/* ---- the host ---- */

/* One call of scan, event, tick, attach or attribute; valid until that returns. */
struct av_call;

#define AV_LOG_ERROR    3               /* syslog's numbers */
#define AV_LOG_WARNING  4
#define AV_LOG_INFO     6
#define AV_LOG_DEBUG    7

/*
 * What a plugin may ask of the host. The table lives as long as the process. Functions with a call come only with
 * the call that is under way, else they return -EINVAL.
 */
struct av_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;      /* the host's */

    /* For people; printf's format, no newline, AV_TEXT_BYTES at most. */
    void (*log)(const struct av_host *host, int level, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

    /* create() or reload() cannot do it, in words that a user understands and that say what to do. Returns `error`, for
     * `return host->refuse(host, -ENOENT, "...")`. */
    int (*refuse)(const struct av_host *host, int error, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

    /* 0; -ENOSPC: AV_FINDINGS_MAX of this call are reported; -EINVAL. */
    int (*report)(struct av_call *call, const struct av_finding *finding);

    /*
     * Scatter reads. All parts are tried; the result is the number of those that were read whole, or -EINVAL (nonsense),
     * -E2BIG (beyond AV_READ_MAX) and -ETIME (the call's deadline has passed; what was not read is zeroed and has status
     * -ETIME). A part may cross pages. The guest runs on meanwhile, but for the vCPU that waits: two reads may differ. One frame
     * that is read twice in one call is the same both times.
     * cr3: whose address space; 0: that of the event. -ESRCH: it is not known (parts' status as well).
     */
    int (*read_physical)(struct av_call *call, struct av_read *parts, uint32_t count);
    int (*read_virtual)(struct av_call *call, uint64_t cr3, struct av_read *parts, uint32_t count);

    /* A guest-virtual address through the guest's own page tables. 0; -EFAULT: not mapped; -ESRCH, -ENXIO, -ETIME as above. */
    int (*translate)(struct av_call *call, uint64_t cr3, uint64_t address, struct av_mapping *out);

    /* Those of the event's vCPU, as they were then; without an event, in attach() and tick(), of vCPU 0 as they are.
     * 0; -ENOENT: there is no such vCPU, or they are not known of it now. out->size is the caller's. */
    int (*registers)(struct av_call *call, uint32_t vcpu, struct av_registers *out);

    /* Microseconds until the call's deadline; 0: it has passed; UINT64_MAX: there is none. */
    uint64_t (*remaining)(const struct av_call *call);

    /* Everything that is executable in the domain is to be scanned anew, and what was said of it forgotten: what this
     * plugin looks for has changed. Takes effect after the call. 0. */
    int (*rescan)(struct av_call *call);
};

/* ---- the plugin ---- */

/*
 * What a plugin is. Functions are NULL if it has no use for them; create without destroy leaks nothing that outlives the
 * process. A function that goes beyond its deadline, or never returns, costs its process, and with it the state of all of its
 * plugins. Verdict functions return an enum av_verdict, or -errno: they could not judge, which is logged with the plugin's
 * name. What one that decides could not judge is unjudged, unless somebody finds something there. Any other number is a
 * defect of the plugin, is reported as one, and counts as -errno.
 */
struct av_plugin {
    uint16_t abi_major, abi_minor;      /* AV_PLUGIN_VERSION fills these three in; they stay first for ever */
    uint32_t size;

    const char *name;                   /* lower case letters, digits, '-'; as its file: NAME.so */
    const char *version;
    const char *summary;                /* one sentence */

    uint32_t decide, notify;            /* AV_EVENT_* bits */
    uint32_t window_before, window_after; /* bytes around what is scanned, see av_scan; at most AV_WINDOW_MAX */
    uint32_t tick_ms;                   /* tick() is called about so often for each domain, or as seldom as it takes half
                                         * of the time; more seldom in its workers but the first. 0: never */
    uint32_t options_count;
    const struct av_option *options;

    /* In the loader, before anything else. Values are in the order of options. Another create() follows only after
     * destroy(). 0 and *instance (NULL is fine), or -errno; then nothing is called again. */
    int (*create)(const struct av_host *host, const struct av_value *values, void **instance);

    /* In the loader: files may have changed. On an error everything stays as it was: what is new is built beside what
     * is there. Workers forked from now on have it. NULL: destroy() and create() do it. */
    int (*reload)(void *instance);

    /* 32 bytes that are the same for the same rules, and differ for others: verdicts are kept by them. NULL: 0s, rules never
     * change. */
    void (*generation)(void *instance, uint8_t digest[32]);

    /* In a worker: the domain that it is about. May read. *attached comes with each call about that domain. An error is logged,
     * and this plugin is not asked about this domain. */
    int (*attach)(void *instance, struct av_call *call, const struct av_domain *domain, void **attached);

    /* Verdict functions. */
    int (*scan)(void *instance, void *attached, struct av_call *call, const struct av_scan *scan);
    int (*event)(void *instance, void *attached, struct av_call *call, const struct av_event *event);
    int (*tick)(void *instance, void *attached, struct av_call *call);

    /* Who is it that runs on the vCPU of the event? For the findings of all plugins; the first plugin that knows is taken.
     * 0, -ENOENT: cannot be said. out is zeroed, but for its size. */
    int (*attribute)(void *instance, void *attached, struct av_call *call, const struct av_event *event,
                     struct av_process *out);

    /* Ends; no reads any more. A worker that is killed calls neither. */
    void (*detach)(void *instance, void *attached);
    void (*destroy)(void *instance);
};

/* The first three fields of an initialiser. */
#define AV_PLUGIN_VERSION \
    .abi_major = AV_ABI_MAJOR, .abi_minor = AV_ABI_MINOR, .size = sizeof(struct av_plugin)

/* The symbol's name, for who looks it up. */
#define AV_PLUGIN_SYMBOL "av_plugin"

/* What a plugin exports. */
extern const struct av_plugin av_plugin __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif /* AV_INTROSPECT_PLUGIN_H */
