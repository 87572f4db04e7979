/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Xen says of event channels for its key 'e': domain by domain, a line for each port in use.  What a line says of
 * the domain's ABI is the port operations'.
 *
 * There may be hundreds of thousands of lines, each of which takes a serial console up to milliseconds.  What can be
 * said in DUMP_AT_ONCE is said before the key's handler returns; the rest comes in pieces with pauses between them, so
 * that neither who asked nor a processor is held.  Nothing is held between two pieces: domains and ports come and go.
 */
#include <xen/console.h>
#include <xen/event.h>
#include <xen/init.h>
#include <xen/irq.h>
#include <xen/keyhandler.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <xen/softirq.h>
#include <xen/tasklet.h>
#include <xen/time.h>
#include <xen/timer.h>
#include <xen/xmalloc.h>
#include <xsm/xsm.h>

#include "event_channel.h"

/* All of what most hosts have, and far less than a kernel takes for a processor that is stuck. */
#define DUMP_AT_ONCE MILLISECS(50)
/* What others have to wait for a processor, no more than for a vCPU; each pause is as long, or as long as it took. */
#define DUMP_PIECE   MILLISECS(5)

/* Who set running has the rest, until it is cleared. */
static struct {
    bool running;
    domid_t domid;          /* what comes next: this domain, or the first one behind it */
    unsigned int port;      /* and this port of it; 0: the lines before its ports */
} dump;
static struct timer dump_timer;

/* What is printed of a port, put together while event_lock is held. */
struct evtchn_snapshot {
    unsigned int state, notify_vcpu_id, xen_consumer;
    bool pending, masked;
    char abi[16];           /* what the domain's ABI has to say */
    char peer[40];          /* who or what is at the other end */
    char *ssid;             /* the printer's to free */
};

static void take_snapshot(struct domain *d, const struct evtchn *chn, struct evtchn_snapshot *shot)
{
    char *peer = shot->peer;
    size_t size = sizeof(shot->peer);

    ASSERT(rw_is_locked(&d->event_lock));

    shot->state = chn->state;
    shot->notify_vcpu_id = chn->notify_vcpu_id;
    shot->xen_consumer = chn->xen_consumer;
    shot->pending = evtchn_is_pending(d, chn);
    shot->masked = evtchn_is_masked(d, chn);
    evtchn_port_state_text(d, chn, shot->abi, sizeof(shot->abi));
    shot->ssid = xsm_show_security_evtchn(d, chn);

    switch ( chn->state )
    {
    case ECS_UNBOUND:
        snprintf(peer, size, " d=%d", chn->u.unbound.remote_domid);
        break;
    case ECS_INTERDOMAIN:
        snprintf(peer, size, " d=%d p=%d", chn->u.interdomain.remote_dom->domain_id, chn->u.interdomain.remote_port);
        break;
    case ECS_PIRQ:
        snprintf(peer, size, " p=%d i=%d", chn->u.pirq.irq, domain_pirq_to_irq(d, chn->u.pirq.irq));
        break;
    case ECS_VIRQ:
        snprintf(peer, size, " v=%d", chn->u.virq);
        break;
    default:
        *peer = '\0';
        break;
    }
}

static void print_snapshot(unsigned int port, const struct evtchn_snapshot *shot)
{
    printk("    %4u [%d/%d/%s]: s=%d n=%d x=%d%s%s%s\n", port, shot->pending, shot->masked, shot->abi,
           shot->state, shot->notify_vcpu_id, shot->xen_consumer, shot->peer,
           shot->ssid ? " Z=" : "", shot->ssid ?: "");
}

/* The ports of a domain from dump.port on.  False: the time was over before the last one. */
static bool dump_ports(struct domain *d, s_time_t end)
{
    for ( ; ; dump.port++ )
    {
        struct evtchn_snapshot shot;
        bool valid, used;

        /* The lock is for one port at a time, and never held while something is printed. */
        read_lock(&d->event_lock);
        valid = port_is_valid(d, dump.port);
        used = valid && evtchn_from_port(d, dump.port)->state != ECS_FREE;
        if ( used )
            take_snapshot(d, evtchn_from_port(d, dump.port), &shot);
        read_unlock(&d->event_lock);

        if ( !valid )
            return true;

        if ( used )
        {
            print_snapshot(dump.port, &shot);
            xfree(shot.ssid);
        }
        /* How often is arbitrary: many ports may be free, and say nothing. */
        else if ( dump.port & 0x3f )
            continue;

        process_pending_softirqs();
        if ( NOW() >= end )
        {
            dump.port++;
            return false;
        }
    }
}

/* Goes on where it stopped.  A domain that is gone has the next one's turn come; the list is in the order of numbers. */
static bool dump_domains(s_time_t end)
{
    struct domain *d;
    bool all = true;

    rcu_read_lock(&domlist_read_lock);

    for_each_domain ( d )
    {
        if ( d->domain_id < dump.domid )
            continue;

        if ( d->domain_id != dump.domid || !dump.port )
        {
            printk("Event channel information for domain %d:\n"
                   "Polling vCPUs: {%*pbl}\n"
                   "    port [p/m/s]\n", d->domain_id, d->max_vcpus, d->poll_mask);
            dump.domid = d->domain_id;
            dump.port = 1;
        }

        all = dump_ports(d, end);
        if ( !all )
            break;

        dump.domid = d->domain_id + 1;
        dump.port = 0;
    }

    rcu_read_unlock(&domlist_read_lock);

    return all;
}

static void dump_for(s_time_t time)
{
    s_time_t begin = NOW();

    if ( !dump_domains(begin + time) )
    {
        s_time_t end = NOW();

        set_timer(&dump_timer, end + max(end - begin, DUMP_PIECE));
        return;
    }

    printk("End of event-channel info\n");
    /* All that was said /before/ somebody else may begin; pairs with dump_begin(). */
    smp_mb();
    write_atomic(&dump.running, false);
}

/* In an idle vCPU's place, as a key that is pressed on the console is: guests wait for it as for another vCPU. */
static void cf_check dump_piece(void *unused)
{
    /* Without it lines for which a slow console has no room are thrown away. */
    console_start_log_everything();
    dump_for(DUMP_PIECE);
    console_end_log_everything();
}

static DECLARE_TASKLET(dump_tasklet, dump_piece, NULL);

static void cf_check dump_pause_over(void *unused)
{
    tasklet_schedule(&dump_tasklet);
}

static void cf_check dump_begin(unsigned char key)
{
    if ( xchg(&dump.running, true) )
    {
        printk("'%c' pressed -> event-channel info is being dumped already, at port %u of domain %u\n",
               key, read_atomic(&dump.port), read_atomic(&dump.domid));
        return;
    }

    printk("'%c' pressed -> dumping event-channel info\n", key);
    dump.domid = 0;
    dump.port = 0;
    dump_for(DUMP_AT_ONCE);
}

static int __init cf_check dump_key_init(void)
{
    init_timer(&dump_timer, dump_pause_over, NULL, smp_processor_id());
    register_keyhandler('e', dump_begin, "dump evtchn info", 1);

    return 0;
}
__initcall(dump_key_init);
