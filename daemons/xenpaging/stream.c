/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Following sequential readers, and windows ahead of them.
 */
#include <string.h>

#include "stream.h"

void streams_init(struct streams *s, unsigned int window_max)
{
    memset(s, 0, sizeof(*s));
    s->window_max = window_max;
}

/* The next window of a stream, which begins at its next frame; moves the stream behind it. */
static struct stream_window take_window(struct streams *s, struct stream *stream)
{
    struct stream_window window = { .first = stream->next, .step = stream->step };
    unsigned int count = stream->window ? stream->window * 2 : STREAM_WINDOW_MIN;

    if ( count > s->window_max )
        count = s->window_max;
    /* Downwards there may not be so many frames. */
    if ( stream->step < 0 && count > stream->next + 1 )
        count = stream->next + 1;
    window.count = count;
    if ( !count )
        return window;

    stream->window = count;
    if ( stream->step < 0 && stream->next < count )
    {
        memset(stream, 0, sizeof(*stream));      /* it reached frame 0 */
        return window;
    }
    stream->next += stream->step * (int64_t)count;
    stream->has_marker = window.has_marker = count >= STREAM_WINDOW_MIN;
    stream->marker = window.marker = window.first + stream->step * (int64_t)(count / 2);
    if ( window.has_marker )
        s->statistics.windows++;
    return window;
}

struct stream_window streams_fault(struct streams *s, uint64_t gfn)
{
    struct stream *oldest = &s->stream[0];

    s->clock++;
    if ( !s->window_max )
        return (struct stream_window){ 0 };
    for ( unsigned int i = 0; i < STREAM_COUNT; i++ )
    {
        struct stream *stream = &s->stream[i];

        if ( stream->run == 1 && (gfn == stream->next || gfn + 2 == stream->next) )
        {
            /* The second of a pair gives the direction; next was set for upwards. */
            stream->step = gfn == stream->next ? 1 : -1;
            stream->next = gfn;
        }
        if ( stream->run && stream->step && gfn == stream->next )
        {
            stream->used = s->clock;
            stream->next += stream->step;
            if ( stream->run < STREAM_RUN_MIN )
                stream->run++;
            if ( stream->run < STREAM_RUN_MIN || (stream->step < 0 && !gfn) )
                return (struct stream_window){ 0 };
            /* Its reader has come through a window whose marker nobody heard of, or that was not reported. */
            if ( stream->has_marker )
                s->statistics.windows_used++;
            return take_window(s, stream);
        }
        if ( stream->used < oldest->used )
            oldest = stream;
    }
    *oldest = (struct stream){ .next = gfn + 1, .run = 1, .used = s->clock };
    return (struct stream_window){ 0 };
}

void streams_move_marker(struct streams *s, uint64_t from, uint64_t to)
{
    for ( unsigned int i = 0; i < STREAM_COUNT; i++ )
        if ( s->stream[i].has_marker && s->stream[i].marker == from )
            s->stream[i].marker = to;
}

bool streams_knows_marker(const struct streams *s, uint64_t gfn)
{
    for ( unsigned int i = 0; i < STREAM_COUNT; i++ )
        if ( s->stream[i].has_marker && s->stream[i].marker == gfn )
            return true;
    return false;
}

struct stream_window streams_marker(struct streams *s, uint64_t gfn)
{
    s->clock++;
    for ( unsigned int i = 0; i < STREAM_COUNT; i++ )
    {
        struct stream *stream = &s->stream[i];

        if ( stream->has_marker && stream->marker == gfn )
        {
            stream->has_marker = false;
            stream->used = s->clock;
            s->statistics.windows_used++;
            return take_window(s, stream);
        }
    }
    return (struct stream_window){ 0 };
}
