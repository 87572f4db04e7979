/* SPDX-License-Identifier: GPL-2.0-only */
/* See marker-scanner.h. */
#include "marker-scanner.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RESULTS_MAX 4096u

static struct {
    pthread_mutex_t lock;
    int fd;
    bool holds;
    unsigned int failures, refusals, taken;
    uint64_t generation;
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
    if ( memmem(request->page, SCAN_PAGE_BYTES, MARKER_MALICIOUS, strlen(MARKER_MALICIOUS)) )
        out->verdict = SCAN_MALICIOUS;
    else if ( memmem(request->page, SCAN_PAGE_BYTES, MARKER_SUSPICIOUS, strlen(MARKER_SUSPICIOUS)) )
        out->verdict = SCAN_SUSPICIOUS;
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

static void tick(void *opaque)
{
    (void)opaque;
}

static uint64_t generation(void *opaque)
{
    (void)opaque;
    return __atomic_load_n(&s.generation, __ATOMIC_RELAXED);
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
    *out = (struct scanner){
        .add_domain = add_domain, .remove_domain = remove_domain, .submit = submit, .take = take, .fd = fd, .tick = tick,
        .generation = generation, .get_statistics = get_statistics, .close = close_scanner,
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
