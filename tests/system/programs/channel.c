/* SPDX-License-Identifier: GPL-2.0-only */
/* See channel.h. Barriers are the compiler's own here: what they pair with is in <public/memevent.h>. */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <xencall.h>

#define ARGUMENT_MAX    128             /* the largest argument, struct xen_memevent_info */
#define HOST_END        0x7ff0u         /* DOMID_SELF: the host's channel ends in the caller's own domain */

static xencall_handle *call_handle;
static xenforeignmemory_handle *memory_handle;
static void *bounce;

static void say(const char *prefix, const char *format, va_list args)
{
    fputs(prefix, stdout);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
}

void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say("FAILED: ", format, args);
    va_end(args);
    exit(1);
}

void pass(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say("PASS: ", format, args);
    va_end(args);
}

void expect(long wanted, long found, const char *format, ...)
{
    char what[256];
    va_list args;

    if ( wanted == found )
        return;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    fail("%s: %ld where %ld is right", what, found, wanted);
}

void hypervisor_open(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    call_handle = xencall_open(NULL, 0);
    memory_handle = xenforeignmemory_open(NULL, 0);
    if ( !call_handle || !memory_handle )
        fail("no way to Xen: %s", strerror(errno));
    bounce = hypervisor_memory(ARGUMENT_MAX);
}

void *hypervisor_memory(size_t size)
{
    void *memory = xencall_alloc_buffer(call_handle, size);

    if ( !memory )
        fail("no memory for %zu octets: %s", size, strerror(errno));
    memset(memory, 0, size);

    return memory;
}

long memevent_call_at(uint32_t call, unsigned long address)
{
    int rc = xencall2(call_handle, XEN_MEMEVENT_HYPERCALL, call, address);

    return rc < 0 ? -errno : rc;
}

long memevent_call(uint32_t call, void *argument, size_t size)
{
    long rc;

    memcpy(bounce, argument, size);
    rc = memevent_call_at(call, (unsigned long)bounce);
    memcpy(argument, bounce, size);

    return rc;
}

void memevent_batch(struct xen_memevent_operation *operations, uint32_t count)
{
    struct xen_memevent_batch batch = { .operations = (uintptr_t)operations, .count = count };

    expect(0, memevent_call(XEN_MEMEVENT_BATCH, &batch, sizeof(batch)), "a batch of %u", count);
    expect(count, batch.done, "a batch's end");
}

int channel_attach(struct channel *c, uint16_t domid, uint16_t channel_class, uint32_t flags, uint32_t batch,
                   uint32_t deadline)
{
    void *shared = NULL;
    long rc;

    memset(c, 0, sizeof(*c));
    c->domid = domid;
    c->channel_class = channel_class;
    c->attach.domid = domid;
    c->attach.channel_class = channel_class;
    c->attach.flags = flags;
    c->attach.batch = batch;
    c->attach.deadline = deadline;
    rc = memevent_call(XEN_MEMEVENT_ATTACH, &c->attach, sizeof(c->attach));
    if ( rc )
        return rc;

    c->evtchn = xenevtchn_open(NULL, 0);
    if ( !c->evtchn )
        fail("event channels: %s", strerror(errno));
    c->port = xenevtchn_bind_interdomain(c->evtchn, domid == XEN_MEMEVENT_HOST ? HOST_END : domid, c->attach.port);
    if ( c->port < 0 )
        fail("port %u of domain %u: %s", c->attach.port, domid, strerror(errno));
    c->frames = xenforeignmemory_map_resource(memory_handle, domid, XEN_MEMEVENT_RESOURCE, channel_class, 0,
                                              c->attach.frames, &shared, PROT_READ | PROT_WRITE, 0);
    if ( !c->frames )
        fail("the channel's %u frames: %s", c->attach.frames, strerror(errno));
    c->shared = shared;

    return 0;
}

void channel_abandon(struct channel *c)
{
    if ( c->frames )
        xenforeignmemory_unmap_resource(memory_handle, c->frames);
    if ( c->evtchn )
        xenevtchn_close(c->evtchn);
    memset(c, 0, sizeof(*c));
}

int channel_detach(uint16_t domid, uint16_t channel_class)
{
    struct xen_memevent_detach detach = { .domid = domid, .channel_class = channel_class };

    return memevent_call(XEN_MEMEVENT_DETACH, &detach, sizeof(detach));
}

int channel_info(uint16_t domid, uint16_t channel_class, struct xen_memevent_info *info)
{
    memset(info, 0, sizeof(*info));
    info->domid = domid;
    info->channel_class = channel_class;

    return memevent_call(XEN_MEMEVENT_INFO, info, sizeof(*info));
}

bool channel_take(struct channel *c, void *request)
{
    struct xen_memevent_reliable *control = (void *)c->shared;

    if ( __atomic_load_n(&control->request_producer, __ATOMIC_ACQUIRE) == c->consumed )
    {
        /* The wish /before/ the look; pairs with Xen's barrier between its index and its look at the wish. */
        __atomic_store_n(&control->request_event, c->consumed + 1, __ATOMIC_SEQ_CST);
        if ( __atomic_load_n(&control->request_producer, __ATOMIC_SEQ_CST) == c->consumed )
            return false;
    }
    memcpy(request, c->shared + c->attach.request_offset +
           (size_t)(c->consumed++ & (c->attach.slots - 1)) * c->attach.request_size, c->attach.request_size);
    /* The copy /before/ the index; pairs with Xen's acquire of it. */
    __atomic_store_n(&control->request_consumer, c->consumed, __ATOMIC_RELEASE);

    return true;
}

void channel_put(struct channel *c, const void *response)
{
    memcpy(c->shared + c->attach.response_offset +
           (size_t)(c->answered++ & (c->attach.slots - 1)) * c->attach.response_size, response,
           c->attach.response_size);
}

void channel_answer(struct channel *c, uint64_t id, uint32_t action)
{
    struct xen_memevent_access_response response = { .id = id, .action = action };  /* begins as any other does */

    channel_put(c, &response);
}

void channel_publish(struct channel *c)
{
    struct xen_memevent_reliable *control = (void *)c->shared;

    /* The responses /before/ the index; pairs with Xen's acquire of it. */
    __atomic_store_n(&control->response_producer, c->answered, __ATOMIC_RELEASE);
    channel_kick(c);
}

void channel_kick(struct channel *c)
{
    if ( xenevtchn_notify(c->evtchn, c->port) )
        fail("notifying Xen: %s", strerror(errno));
}

bool channel_wait(struct channel *c, int milliseconds)
{
    struct pollfd pfd = { .fd = xenevtchn_fd(c->evtchn), .events = POLLIN };
    int port, rc = poll(&pfd, 1, milliseconds);

    if ( rc < 0 && errno != EINTR )
        fail("poll: %s", strerror(errno));
    if ( rc <= 0 )
        return false;
    port = xenevtchn_pending(c->evtchn);
    if ( port < 0 || xenevtchn_unmask(c->evtchn, port) )
        fail("the event channel: %s", strerror(errno));

    return true;
}

uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

static uint64_t state = 1;

void random_seed(uint64_t seed)
{
    state = seed * 2 + 1;       /* never zero */
}

/* xorshift64* (Vigna): small, and good enough to choose what to break. */
uint64_t random_next(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;

    return state * 0x2545f4914f6cdd1dull;
}
