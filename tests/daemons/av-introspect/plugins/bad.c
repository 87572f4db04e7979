/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plugin that does what it must not, where a page begins with the word for it. What happens then is test-workers.c's.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <av-introspect/plugin.h>

#ifndef BAD_NAME
#define BAD_NAME "bad"
#endif
#ifndef BAD_MAJOR
#define BAD_MAJOR AV_ABI_MAJOR
#endif
#ifndef BAD_MINOR
#define BAD_MINOR AV_ABI_MINOR
#endif

#ifndef BAD_TICK
#define BAD_TICK 0
#endif

static const struct av_host *host;
static uint32_t reloads;
static uint64_t hold_seconds, hold_below;

static const struct av_option options[] = {
    { .size = sizeof(struct av_option), .type = AV_OPTION_FLAG, .name = "refuse", .help = "Cannot be created.", .value = "no" },
    { .size = sizeof(struct av_option), .type = AV_OPTION_SIZE, .name = "size", .help = "Any size.", .value = "2K",
      .minimum = 1024, .maximum = 1 << 20 },
    { .size = sizeof(struct av_option), .type = AV_OPTION_NUMBER, .name = "hold", .help = "Sleeps so many seconds, once.",
      .value = "0", .maximum = 60 },
    { .size = sizeof(struct av_option), .type = AV_OPTION_NUMBER, .name = "below", .help = "Over a page of a vCPU below this.",
      .value = "0", .maximum = 64 },
};

static int create(const struct av_host *h, const struct av_value *values, void **instance)
{
    host = h;
    *instance = &reloads;
    hold_seconds = values[2].number;
    hold_below = values[3].number;
    if ( values[0].number )
        return h->refuse(h, -ENOENT, "rules are missing, size=%llu", (unsigned long long)values[1].number);
    return 0;
}

static int reload(void *instance)
{
    ++*(uint32_t *)instance;
    return 0;
}

static void generation(void *instance, uint8_t digest[32])
{
    memset(digest, 0, 32);
    memcpy(digest, instance, 4);
}

static int read_more(struct av_call *call, const struct av_scan *scan)
{
    char text[9] = "";
    struct av_read part = { .size = sizeof(part), .address = 5 * AV_PAGE_SIZE - 4, .buffer = text, .length = 8 };
    struct av_read none = { .size = sizeof(none), .address = UINT64_C(1) << 45, .buffer = (char[4]){ 1, 1, 1, 1 }, .length = 4 };

    (void)scan;
    if ( host->read_physical(call, &part, 1) != 1 || host->read_physical(call, &none, 1) || none.status != -ENXIO ||
         ((char *)none.buffer)[0] )
        return AV_UNKNOWN;
    host->report(call, &(struct av_finding){
        .size = sizeof(struct av_finding), .verdict = AV_SUSPICIOUS, .rule = "read", .text = text });
    return AV_CLEAN;
}

/* By the only system call that plugins have for it; once in a process. */
static void hold(void)
{
    struct timespec until;
    sem_t nobody_posts;

    sem_init(&nobody_posts, 0, 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += hold_seconds;
    while ( sem_timedwait(&nobody_posts, &until) && errno == EINTR )
        ;
    hold_seconds = 0;
}

/* A map of the window: a letter of each page. */
static int show_window(struct av_call *call, const struct av_scan *scan)
{
    char text[64];
    size_t n = 0;

    for ( uint64_t at = 0; at < scan->length && n < sizeof(text) - 1; at += AV_PAGE_SIZE )
        text[n++] = scan->bytes[at];
    text[n] = 0;
    host->report(call, &(struct av_finding){
        .size = sizeof(struct av_finding), .verdict = AV_SUSPICIOUS, .rule = "window", .text = text,
        .address = scan->address });
    return AV_SUSPICIOUS;
}

static void report_many(struct av_call *call)
{
    char text[4 * AV_TEXT_BYTES];

    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    for ( int i = 0; i < 1000; i++ )
        host->report(call, &(struct av_finding){
            .size = sizeof(struct av_finding), .verdict = AV_MALICIOUS, .rule = "\033[2J\xff\xc0", .text = text });
}

static int show_registers(struct av_call *call, uint32_t vcpu)
{
    struct av_registers r = { .size = sizeof(r) };
    struct av_mapping mapping = { .size = sizeof(mapping) };
    char text[AV_TEXT_BYTES];
    int rc;

    if ( host->registers(call, vcpu, &r) )
        return AV_UNKNOWN;
    rc = host->translate(call, r.cr3, 0x400123, &mapping);
    snprintf(text, sizeof(text), "vcpu %u rax %#llx lstar %#llx idt %#x walk %d %#llx", r.vcpu,
             (unsigned long long)r.gpr[0], (unsigned long long)r.lstar, r.idt_limit,
             rc, (unsigned long long)mapping.physical);
    host->report(call, &(struct av_finding){
        .size = sizeof(struct av_finding), .verdict = AV_SUSPICIOUS, .rule = "registers", .text = text });
    return AV_SUSPICIOUS;
}

static int event(void *instance, void *attached, struct av_call *call, const struct av_event *event)
{
    char text[AV_TEXT_BYTES];

    (void)instance;
    (void)attached;
    if ( event->values[3] == 0xdead )
        abort();
    snprintf(text, sizeof(text), "kind %u values %llu %llu %llu gfn %d flags %u", event->kind,
             (unsigned long long)event->values[0], (unsigned long long)event->values[1], (unsigned long long)event->values[2],
             event->gfn == AV_NO_GFN, event->flags);
    host->report(call, &(struct av_finding){
        .size = sizeof(struct av_finding), .verdict = AV_SUSPICIOUS, .rule = "event", .text = text });
    return AV_SUSPICIOUS;
}

/* Once in a worker's life, by the registers that it gets without any event. */
static int tick(void *instance, void *attached, struct av_call *call)
{
    static int said;

    (void)instance;
    (void)attached;
    return said++ ? AV_CLEAN : show_registers(call, 0);
}

static int scan(void *instance, void *attached, struct av_call *call, const struct av_scan *scan)
{
    const char *word = (const char *)scan->bytes + scan->focus;

    (void)instance;
    (void)attached;
    if ( hold_seconds && scan->event->vcpu < hold_below )
        hold();
    if ( !strcmp(word, "crash") )
        *(volatile char *)(uintptr_t)(scan->length & 8) = 1;
    if ( !strcmp(word, "abort") )
        abort();
    if ( !strcmp(word, "exit") )
        _exit(0);
    if ( !strcmp(word, "loop") )
        for ( volatile unsigned int i = 0;; i++ )
            ;
    if ( !strcmp(word, "eat") )
        for ( ;; )
        {
            char *more = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

            if ( more == MAP_FAILED )
                abort();
            memset(more, 1, 1 << 20);
        }
    if ( !strcmp(word, "outside") )
        for ( volatile char *at = (volatile char *)scan->bytes;; at++ )
            *at = 1;
    if ( !strcmp(word, "socket") )
        socket(AF_INET, SOCK_STREAM, 0);
    if ( !strcmp(word, "open") )
        fopen("/etc/passwd", "r");
    if ( !strcmp(word, "exec") )
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ( !strcmp(word, "nonsense") )
        return 77;
    if ( !strcmp(word, "error") )
        return -ENOSYS;
    if ( !strcmp(word, "many") )
        report_many(call);
    if ( !strcmp(word, "log") )
        for ( int i = 0; i < 100; i++ )
            host->log(host, AV_LOG_ERROR, "line %d", i);
    if ( !strcmp(word, "late") )
        return host->remaining(call) > UINT64_C(3600000000) ? AV_MALICIOUS : AV_CLEAN;
    if ( !strcmp(word, "read") )
        return read_more(call, scan);
    if ( !strcmp(word, "window") )
        return show_window(call, scan);
    if ( !strcmp(word, "three") )
        for ( int i = 0; i < 3; i++ )
            host->report(call, &(struct av_finding){ .size = sizeof(struct av_finding), .verdict = 1 + i,
                .rule = (const char *[]){ "first", "second", "third" }[i], .text = "of three" });
    if ( !strcmp(word, "rescan") )
        host->rescan(call);
    if ( !strcmp(word, "registers") )
        return show_registers(call, scan->event->vcpu);
    if ( !strcmp(word, "slow") )
        for ( uint64_t until = host->remaining(call) - 300000; host->remaining(call) > until; )
            ;
    return !strcmp(word, "found") ? AV_MALICIOUS : AV_CLEAN;
}

const struct av_plugin av_plugin = {
    .abi_major = BAD_MAJOR, .abi_minor = BAD_MINOR, .size = sizeof(struct av_plugin),
    .name = BAD_NAME, .version = "1", .summary = "Does what it must not.",
    .decide = AV_EVENT_SCAN | AV_EVENT_MSR, .notify = AV_EVENT_REQUEST | AV_EVENT_MSR, .tick_ms = BAD_TICK, .window_before = AV_PAGE_SIZE, .window_after = 2 * AV_PAGE_SIZE,
    .options = options, .options_count = sizeof(options) / sizeof(options[0]),
    .create = create, .reload = reload, .generation = generation, .scan = scan, .event = event,
    .tick = tick,
};
