/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys through which a tool stack has a domain kept in.  When a domain is to be kept in, and what has to be done
 * for that, is decided in domains.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hold.h"
#include "paged.h"

/* Longer than any path below HOLD_KEYS. */
#define PATH_BYTES  64U

static int read_key(struct pager *p, uint16_t domid, const char *key, char *value, size_t size)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), HOLD_KEYS "/%u/%s", domid, key);
    return p->hv->ops->read_key(p->hv, path, value, size);
}

/* value NULL: the key is removed. */
static void say(struct pager *p, uint16_t domid, const char *key, const char *value)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), HOLD_KEYS "/%u/%s", domid, key);
    if ( value )
        p->hv->ops->write_key(p->hv, path, value);
    else
        p->hv->ops->remove_key(p->hv, path);
}

bool hold_is_wanted(struct pager *p, uint16_t domid)
{
    char value[2];

    return read_key(p, domid, "hold", value, sizeof(value)) >= 0;
}

bool hold_says_paged(struct pager *p, uint16_t domid)
{
    char value[16];

    return read_key(p, domid, "state", value, sizeof(value)) >= 0 && !strcmp(value, "paged");
}

void hold_say_paged(struct pager *p, uint16_t domid)
{
    char number[16];

    /* The process first: whoever reads "paged" finds out by whom. */
    snprintf(number, sizeof(number), "%d", getpid());
    say(p, domid, "pager", number);
    say(p, domid, "state", "paged");
}

void hold_say_in(struct pager *p, uint16_t domid)
{
    say(p, domid, "state", "in");
    say(p, domid, "pager", NULL);
    say(p, domid, "left", NULL);
    say(p, domid, "lost", NULL);
}

static void say_pages(struct paged *d, const char *key, uint64_t pages)
{
    char kib[24];

    snprintf(kib, sizeof(kib), "%" PRIu64, pages * (HYPERVISOR_PAGE_SIZE / 1024));
    say(d->pager, d->domid, key, kib);
}

void hold_say_left(struct paged *d)
{
    say_pages(d, "left", paged_left(d));
}

void hold_say_lost(struct paged *d)
{
    say_pages(d, "lost", d->missing);
}

void hold_forget(struct pager *p, uint16_t domid)
{
    say(p, domid, "state", NULL);
    say(p, domid, "pager", NULL);
    say(p, domid, "left", NULL);
    say(p, domid, "lost", NULL);
}

void hold_remove(struct pager *p, uint16_t domid)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), HOLD_KEYS "/%u", domid);
    p->hv->ops->remove_key(p->hv, path);
}

int hold_of_path(const char *path)
{
    unsigned int domid;
    int end = 0;

    if ( sscanf(path, HOLD_KEYS "/%5u/hold%n", &domid, &end) != 1 || !end || path[end] )
        return -1;
    return domid;
}
