/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The INVALIDATE channel of the host: what is no longer shared, as Xen says it.  What follows from that is decide.h's.
 */
#include <errno.h>
#include <string.h>

#include <daemon/log.h>

#include "sharer.h"

/* Records taken at a time. */
#define AT_ONCE      512U

/* Batches until the loop looks at other things: a flood must not keep signals and watches from being seen. */
#define TURN         64U

/* Wake-ups: a batch in one CPU's ring, or fewer after so long.  Nobody waits for us, so that few wake-ups are right. */
#define BATCH        256U
#define DEADLINE_US  50000U

int invalidate_open(struct sharer *s)
{
    static const struct memevent_options options = { .batch = BATCH, .deadline = DEADLINE_US };
    const char *why = NULL;
    int rc;

    if ( !s->settings->invalidates )
    {
        log_message(LOG_WARNING, LOG_HOST("invalidates-off"),
                    "invalidates are off: what was shared once is taken to be so for ever, and sharing decays");
        return 0;
    }
    rc = memevent_attach_with(s->hv, MEMEVENT_CLASS_INVALIDATE, MEMEVENT_HOST, &options, &s->channel, &why);
    if ( rc == -ENOSYS )
    {
        log_message(LOG_NOTICE, LOG_HOST("no-invalidates"),
                    "this hypervisor does not say what is no longer shared, so that all of it is looked at in each pass: %s",
                    why ? why : strerror(-rc));
        return 0;
    }
    if ( rc )
        log_message(LOG_ERR, LOG_HOST("attach-failed"), "the hypervisor's records of what is no longer shared: %s",
                    why ? why : strerror(-rc));
    return rc;
}

void invalidate_close(struct sharer *s)
{
    /* It goes on collecting for the next sharer: what is shared stays so. */
    if ( s->channel )
        memevent_leave(s->channel);
    s->channel = NULL;
}

static void count(struct sharer *s, const struct memevent_record *record)
{
    s->invalidates.received++;
    s->invalidates.reasons[record->reason < SHARER_REASONS ? record->reason : 0]++;
}

static void broken(struct sharer *s, int error)
{
    log_message(LOG_CRIT, LOG_HOST("channel-broken"),
                "the channel of what is no longer shared makes no sense (%s): from here on shared pages are looked at in "
                "each pass; start the service anew", strerror(-error));
    memevent_leave(s->channel);
    s->channel = NULL;
    event_del(s->records);
    decide_set_invalidates(s->decide, DECIDE_INVALIDATES_NONE);
}

bool invalidate_take(struct sharer *s)
{
    struct memevent_record records[AT_ONCE];

    for ( unsigned int turn = 0; s->channel && turn < TURN; turn++ )
    {
        uint64_t lost = 0;
        int n = memevent_take_records(s->channel, records, AT_ONCE, &lost);

        if ( n < 0 )
        {
            broken(s, n);
            return false;
        }
        if ( lost )
        {
            s->invalidates.lost += lost;
            decide_lost(s->decide);
        }
        for ( int i = 0; i < n; i++ )
        {
            count(s, &records[i]);
            decide_invalidated(s->decide, &records[i]);
        }
        if ( (unsigned int)n < AT_ONCE )
            return false;
    }
    return s->channel;
}

bool invalidate_arm(struct sharer *s)
{
    return !s->channel || memevent_arm(s->channel) <= 0;
}
