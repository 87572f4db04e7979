/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandboxed end of request.h. Whatever goes wrong here ends the process; the broker sees that, and knows what it was
 * doing.
 */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "request.h"
#include "sandbox.h"
#include "view.h"

_Static_assert(MEMORY_EXPECTED <= REQUEST_FRAMES, "a question has room for what is expected");

/* Attaching may read a lot: symbols, types. */
#define ATTACH_NS UINT64_C(20000000000)

struct worker {
    const struct request_in *in;
    struct request_out *out;
    int wake, tell;
    uint32_t sequence, question;
    struct plugins *plugins;
    struct judge *judge;

    /* Frames of the last answer, and the one that was read last. */
    uint64_t gfns[REQUEST_FRAMES];
    uint32_t gfns_count;
    uint64_t last;
    uint32_t ahead;                     /* frames that the next answer has, if that goes on in order */
};

/* One a process; NULL in the loader. */
static struct worker *self;

static void sleep_until_woken(struct worker *w)
{
    uint64_t count;

    while ( read(w->wake, &count, sizeof(count)) != sizeof(count) )
        if ( errno != EINTR )
            _exit(1);
}

static void tell(struct worker *w)
{
    const uint64_t one = 1;

    while ( write(w->tell, &one, sizeof(one)) != sizeof(one) )
        if ( errno != EINTR )
            _exit(1);
}

/* ---- what the judge needs ---- */

static const uint8_t *kept(const struct worker *w, uint64_t gfn, int *status)
{
    for ( uint32_t i = 0; i < w->gfns_count; i++ )
        if ( w->gfns[i] == gfn )
        {
            *status = w->in->status[i];
            return w->in->frames[i];
        }
    return NULL;
}

/* For w->gfns. */
static void ask(struct worker *w, uint32_t count)
{
    for ( uint32_t i = 0; i < count; i++ )
        w->out->question_gfns[i] = w->gfns[i];
    w->out->question_count = count;
    /* The question /before/ its number; pairs with workers.c's answer(). */
    __atomic_store_n(&w->out->question, ++w->question, __ATOMIC_RELEASE);
    tell(w);
    do
        sleep_until_woken(w);
    while ( __atomic_load_n(&w->in->answered, __ATOMIC_ACQUIRE) != w->question );
    w->gfns_count = count;
}

static void ask_ahead(struct worker *w, uint64_t gfn)
{
    uint32_t count = gfn == w->last + 1 ? w->ahead : 1;

    /* Two pages in a row are often all that is wanted; three seldom are. */
    w->ahead = count * 4 < REQUEST_FRAMES ? count * 4 : REQUEST_FRAMES;
    for ( uint32_t i = 0; i < count; i++ )
        w->gfns[i] = gfn + i;
    ask(w, count);
}

static void expect_frames(void *opaque, const uint64_t *gfns, uint32_t count)
{
    struct worker *w = opaque;

    memcpy(w->gfns, gfns, count * sizeof(*gfns));
    ask(w, count);
}

static int read_frame(void *opaque, uint64_t gfn, void *page)
{
    struct worker *w = opaque;
    const uint8_t *frame;
    int status = -ENXIO;

    frame = kept(w, gfn, &status);
    if ( !frame )
    {
        ask_ahead(w, gfn);
        frame = kept(w, gfn, &status);
    }
    w->last = gfn;
    if ( status )
        return status;
    memcpy(page, frame, AV_PAGE_SIZE);
    return 0;
}

static int registers_of(void *opaque, uint32_t vcpu, struct av_registers *out)
{
    const struct worker *w = opaque;

    if ( !w->in->has_registers || w->in->registers.vcpu != vcpu )
        return -ENOENT;
    *out = w->in->registers;
    return 0;
}

static void asked(void *opaque, unsigned int plugin)
{
    struct worker *w = opaque;

    __atomic_store_n(&w->out->asked, plugin, __ATOMIC_RELAXED);
}

void worker_log(int level, const char *plugin, const char *text, plugins_log *other, void *arg)
{
    struct request_line *line;
    uint32_t number;

    if ( !self )
    {
        other(arg, level, plugin, text);
        return;
    }
    number = self->out->lines_count;
    line = &self->out->lines[number % REQUEST_LINES];
    line->level = level;
    line->plugin = self->out->asked;
    strncpy(line->text, text, sizeof(line->text) - 1);
    line->text[sizeof(line->text) - 1] = 0;
    __atomic_store_n(&self->out->lines_count, number + 1, __ATOMIC_RELEASE);
}

/* ---- requests ---- */

static void serve(struct worker *w)
{
    const struct request_in *in = w->in;
    struct judgement *out = &w->out->judgement;
    uint64_t began = view_now();
    struct av_event event = in->event;

    w->gfns_count = 0;
    w->last = UINT64_MAX - 1;
    w->ahead = 1;
    switch ( in->kind )
    {
    case REQUEST_PAGE:
        judge_page(w->judge, &event, in->page, in->who, in->deadline, out);
        break;
    case REQUEST_EVENT:
        judge_event(w->judge, &event, in->who, in->deadline, out);
        break;
    case REQUEST_TICK:
        judge_tick(w->judge, in->deadline, out);
        break;
    case REQUEST_STOP:
        judge_close(w->judge);
        _exit(0);
    default:
        _exit(1);
    }
    w->out->nanoseconds = view_now() - began;
    /* The judgement /before/ its number; pairs with workers.c's finish(). */
    __atomic_store_n(&w->out->done, w->sequence, __ATOMIC_RELEASE);
    tell(w);
}

/* Between pages that nobody can touch: a plugin that writes beyond a buffer ends before it gets here, and is named. */
static void *map_guarded(int fd, size_t size, int protection)
{
    char *place = mmap(NULL, size + 2 * AV_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return place == MAP_FAILED ? place : mmap(place + AV_PAGE_SIZE, size, protection, MAP_SHARED | MAP_FIXED, fd, 0);
}

static void map(struct worker *w, const struct worker_places *places)
{
    w->in = map_guarded(places->in, sizeof(*w->in), PROT_READ);
    w->out = map_guarded(places->out, sizeof(*w->out), PROT_READ | PROT_WRITE);
    if ( w->in == MAP_FAILED || w->out == MAP_FAILED || w->in->magic != REQUEST_MAGIC || w->in->version != REQUEST_VERSION )
        _exit(1);
}

void worker_serve(struct plugins *plugins, const struct worker_places *places)
{
    static struct worker worker;
    struct worker *w = &worker;
    const struct judge_place place = { .opaque = w, .registers = registers_of, .asked = asked };
    struct judgement judgement;
    struct memory memory;
    char words[AV_TEXT_BYTES];

    *w = (struct worker){ .wake = places->wake, .tell = places->tell, .plugins = plugins, .last = UINT64_MAX - 1, .ahead = 1 };
    map(w, places);
    w->out->asked = PLUGINS_MAX;
    self = w;
    memory = (struct memory){ w, read_frame, w->in->domain.frames, expect_frames };
    if ( judge_open(&w->judge, plugins, &memory, &place) )
        _exit(1);
    if ( sandbox_enter_worker(w->wake, w->tell, places->memory, words, sizeof(words)) )
    {
        worker_log(AV_LOG_ERROR, "", words, NULL, NULL);
        _exit(1);
    }

    judge_attach(w->judge, &w->in->domain, view_now() + ATTACH_NS, &judgement);
    __atomic_store_n(&w->out->ready, 1, __ATOMIC_RELEASE);
    tell(w);
    for ( ;; )
    {
        uint32_t sequence;

        sleep_until_woken(w);
        /* Pairs with workers.c's begin(). */
        sequence = __atomic_load_n(&w->in->sequence, __ATOMIC_ACQUIRE);
        if ( sequence == w->sequence )
            continue;
        w->sequence = sequence;
        serve(w);
    }
}
