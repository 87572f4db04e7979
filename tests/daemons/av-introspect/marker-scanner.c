/* SPDX-License-Identifier: GPL-2.0-only */
/* See marker-scanner.h. */
#include "marker-scanner.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RESULTS_MAX 4096u

static struct {
    pthread_mutex_t lock;
    int fd;
    bool holds;
    unsigned int failures, refusals, taken;
    uint64_t generation;
    uint32_t decide, notify;
    scan_read *read;
    void *read_arg;
    struct marker_read *reading;
    uint32_t tick_ms, ticks;
    uint64_t ticked;
    struct scan_request last[SCAN_TICK];
    struct hypervisor_registers registers[SCAN_TICK];
    struct scan_result results[RESULTS_MAX];
    uint16_t domids[RESULTS_MAX];
    unsigned int count;
} s = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static void wake(void)
{
    (void)!write(s.fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void judge(const struct scan_request *request, struct scan_result *out)
{
    memset(out, 0, sizeof(*out));
    out->id = request->id;
    out->generation = s.generation;
    if ( s.failures )
    {
        s.failures--;
        out->outcome = SCAN_FAILED;
        strcpy(out->text, "told to fail");
        return;
    }
    if ( request->kind != SCAN_PAGE )
        out->verdict = request->values[1] == MARKER_VALUE ? SCAN_MALICIOUS : SCAN_CLEAN;
    else if ( request->urgency == SCAN_AFTER )
        out->verdict = memmem(request->page, SCAN_PAGE_BYTES, MARKER_LATER, strlen(MARKER_LATER)) ? SCAN_MALICIOUS : SCAN_CLEAN;
    else if ( memmem(request->page, SCAN_PAGE_BYTES, MARKER_MALICIOUS, strlen(MARKER_MALICIOUS)) )
        out->verdict = SCAN_MALICIOUS;
    else if ( memmem(request->page, SCAN_PAGE_BYTES, MARKER_SUSPICIOUS, strlen(MARKER_SUSPICIOUS)) )
        out->verdict = SCAN_SUSPICIOUS;
    else
        out->is_unjudged = memmem(request->page, SCAN_PAGE_BYTES, MARKER_UNJUDGED, strlen(MARKER_UNJUDGED));
    if ( out->verdict )
    {
        strcpy(out->plugin, "marker");
        strcpy(out->rule, out->verdict == SCAN_MALICIOUS ? "EICAR" : "SUSPECT");
        strcpy(out->text, "it holds the marker");
    }
}

static int add_domain(void *opaque, uint16_t domid)
{
    (void)opaque;
    (void)domid;
    return 0;
}

static void remove_domain(void *opaque, uint16_t domid)
{
    unsigned int left = 0;

    (void)opaque;
    pthread_mutex_lock(&s.lock);
    for ( unsigned int i = 0; i < s.count; i++ )
        if ( s.domids[i] != domid )
        {
            s.domids[left] = s.domids[i];
            s.results[left++] = s.results[i];
        }
    s.count = left;
    pthread_mutex_unlock(&s.lock);
}

static int submit(void *opaque, const struct scan_request *request)
{
    int rc = 0;

    (void)opaque;
    pthread_mutex_lock(&s.lock);
    if ( s.refusals || s.count == RESULTS_MAX )
    {
        s.refusals -= s.refusals > 0;
        rc = -EAGAIN;
    }
    else
    {
        s.taken++;
        s.last[request->kind] = *request;
        if ( request->registers )
            s.registers[request->kind] = *request->registers;
        s.domids[s.count] = request->domid;
        judge(request, &s.results[s.count++]);
        if ( !s.holds )
            wake();
    }
    pthread_mutex_unlock(&s.lock);
    return rc;
}

/* The youngest first: nobody may rely on an order. */
static int take(void *opaque, struct scan_result *out)
{
    uint64_t count;
    int rc = 0;

    (void)opaque;
    pthread_mutex_lock(&s.lock);
    (void)!read(s.fd, &count, sizeof(count));
    if ( s.count && !s.holds )
    {
        *out = s.results[--s.count];
        rc = 1;
        if ( s.count )
            wake();
    }
    pthread_mutex_unlock(&s.lock);
    return rc;
}

static int fd(void *opaque)
{
    (void)opaque;
    return s.fd;
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + time.tv_nsec;
}

static void tick(void *opaque)
{
    struct marker_read *reading = __atomic_load_n(&s.reading, __ATOMIC_ACQUIRE);

    (void)opaque;
    if ( reading )
    {
        s.read(s.read_arg, reading->domid, reading->gfns, reading->count, reading->pages, reading->status);
        __atomic_store_n(&s.reading, NULL, __ATOMIC_RELEASE);
    }
    __atomic_fetch_add(&s.ticks, 1, __ATOMIC_RELAXED);
    s.ticked = now();
}

static void set_memory(void *opaque, scan_read *read, void *arg)
{
    (void)opaque;
    s.read = read;
    s.read_arg = arg;
}

static uint64_t due(void *opaque)
{
    uint32_t every = __atomic_load_n(&s.tick_ms, __ATOMIC_RELAXED);

    (void)opaque;
    return every ? s.ticked + every * UINT64_C(1000000) : UINT64_MAX;
}

static uint64_t generation(void *opaque)
{
    (void)opaque;
    return __atomic_load_n(&s.generation, __ATOMIC_RELAXED);
}

static uint32_t wants(void *opaque, bool decide)
{
    uint32_t kinds;

    (void)opaque;
    pthread_mutex_lock(&s.lock);
    kinds = decide ? s.decide : s.notify;
    pthread_mutex_unlock(&s.lock);
    return kinds;
}

static void get_statistics(void *opaque, uint16_t domid, struct scan_statistics *out)
{
    (void)opaque;
    (void)domid;
    memset(out, 0, sizeof(*out));
    out->submitted = s.taken;
}

static void close_scanner(void *opaque)
{
    (void)opaque;
    close(s.fd);
    s.fd = -1;
}

int marker_scanner_open(struct scanner *out)
{
    s.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s.holds = false;
    s.count = s.taken = s.failures = s.refusals = 0;
    s.generation = 1;
    s.tick_ms = s.ticks = 0;
    s.decide = 1U << SCAN_PAGE;
    s.notify = 0;
    memset(s.last, 0, sizeof(s.last));
    *out = (struct scanner){
        .add_domain = add_domain, .remove_domain = remove_domain, .submit = submit, .take = take, .fd = fd, .tick = tick,
        .due = due, .set_memory = set_memory, .generation = generation, .wants = wants, .get_statistics = get_statistics, .close = close_scanner,
    };
    return s.fd < 0 ? -errno : 0;
}

void marker_scanner_hold(bool hold)
{
    pthread_mutex_lock(&s.lock);
    s.holds = hold;
    wake();
    pthread_mutex_unlock(&s.lock);
}

void marker_scanner_fail(unsigned int requests)
{
    pthread_mutex_lock(&s.lock);
    s.failures = requests;
    pthread_mutex_unlock(&s.lock);
}

void marker_scanner_refuse(unsigned int submits)
{
    pthread_mutex_lock(&s.lock);
    s.refusals = submits;
    pthread_mutex_unlock(&s.lock);
}

void marker_scanner_set_generation(uint64_t number)
{
    __atomic_store_n(&s.generation, number, __ATOMIC_RELAXED);
}

void marker_scanner_want(uint32_t decide, uint32_t notify)
{
    pthread_mutex_lock(&s.lock);
    s.decide = decide;
    s.notify = notify;
    pthread_mutex_unlock(&s.lock);
}

void marker_scanner_read(struct marker_read *read)
{
    struct timespec pause = { .tv_nsec = 2000000 };

    __atomic_store_n(&s.reading, read, __ATOMIC_RELEASE);
    while ( __atomic_load_n(&s.reading, __ATOMIC_ACQUIRE) )
        nanosleep(&pause, NULL);
}

void marker_scanner_want_ticks(uint32_t milliseconds)
{
    __atomic_store_n(&s.tick_ms, milliseconds, __ATOMIC_RELAXED);
}

unsigned int marker_scanner_ticks(void)
{
    return __atomic_load_n(&s.ticks, __ATOMIC_RELAXED);
}

void marker_scanner_tick(uint16_t domid, unsigned int others, bool rescan)
{
    static const struct scan_finding other = {
        .verdict = SCAN_SUSPICIOUS, .plugin = "marker", .rule = "OTHER", .text = "beside it",
    };
    static struct scan_finding many[4];
    struct scan_result *out;

    pthread_mutex_lock(&s.lock);
    out = &s.results[s.count];
    s.domids[s.count++] = domid;
    memset(out, 0, sizeof(*out));
    out->domid = domid;
    out->verdict = others ? SCAN_MALICIOUS : SCAN_CLEAN;
    out->rescan = rescan;
    strcpy(out->plugin, "marker");
    strcpy(out->rule, "TICKED");
    for ( out->others_count = 0; out->others_count < others && out->others_count < 4; )
        many[out->others_count++] = other;
    out->others = many;
    wake();
    pthread_mutex_unlock(&s.lock);
}

bool marker_scanner_last(enum scan_kind kind, struct scan_request *out, struct hypervisor_registers *registers)
{
    bool was;

    pthread_mutex_lock(&s.lock);
    *out = s.last[kind];
    *registers = s.registers[kind];
    was = out->id;
    pthread_mutex_unlock(&s.lock);
    return was;
}

unsigned int marker_scanner_taken(void)
{
    unsigned int taken;

    pthread_mutex_lock(&s.lock);
    taken = s.taken;
    pthread_mutex_unlock(&s.lock);
    return taken;
}

unsigned int marker_scanner_held(void)
{
    unsigned int held;

    pthread_mutex_lock(&s.lock);
    held = s.holds ? s.count : 0;
    pthread_mutex_unlock(&s.lock);
    return held;
}
