/* SPDX-License-Identifier: LGPL-2.1-only */
/* See guests.h.  What they found is in a file of the run directory, a line a domain, new once a second. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guests.h"

#define FIRST_DOMID 1
#define WORDS       (HYPERVISOR_PAGE_SIZE / sizeof(uint64_t))
#define REPORT      "emulated-guests"

/* A pause of a vCPU between its touches is at least this long: shorter ones cost more than they wait. */
#define PAUSE_MIN_NS 1000000ull

struct guest {
    struct emulated_guests *guests;
    uint16_t domid;
    uint8_t *generations;           /* of each page; wraps around */
    atomic_ullong touches, wrong;
};

struct guest_vcpu {
    struct guest *guest;
    uint32_t number;
    uint64_t random;
    pthread_t thread;
};

struct emulated_guests {
    struct hypervisor *hv;
    struct emulated_spec spec;
    struct guest *guests;
    struct guest_vcpu *vcpus;
    unsigned int started;
    pthread_t reporter;
    bool has_reporter;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stops;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;

    return x ^ (x >> 32);
}

/* What a page has to be: of four one is zero, one does not compress, and two do. */
static void fill(const struct guest *guest, uint64_t gfn, uint64_t *page)
{
    const struct emulated_spec *spec = &guest->guests->spec;
    uint8_t generation = guest->generations[gfn];
    bool is_common = !generation && mix(gfn + spec->seed) % 100 < spec->common;
    uint64_t key = mix(spec->seed ^ gfn << 8 ^ generation ^ (is_common ? 0 : (uint64_t)guest->domid << 48));

    for ( unsigned int i = 0; i < WORDS; i++ )
        switch ( (gfn + generation) % 4 )
        {
        case 0:
            page[i] = 0;
            break;
        case 1:
            page[i] = mix(key + i);
            break;
        default:
            page[i] = key + i % 16;
            break;
        }
}

/* The page's own vCPU is the only one that comes here: nobody else changes it. */
static int touch(struct guest_vcpu *vcpu, uint64_t gfn, bool rewrites)
{
    struct guest *guest = vcpu->guest;
    struct hypervisor *hv = guest->guests->hv;
    uint64_t found[WORDS], expected[WORDS];
    int rc = emulated_access(hv, guest->domid, vcpu->number, gfn, 0, found, sizeof(found), false);

    if ( rc )
        return rc;
    guest->touches++;
    fill(guest, gfn, expected);
    if ( memcmp(found, expected, sizeof(found)) )
        guest->wrong++;
    if ( !rewrites )
        return 0;
    guest->generations[gfn]++;
    fill(guest, gfn, expected);

    return emulated_access(hv, guest->domid, vcpu->number, gfn, 0, expected, sizeof(expected), true);
}

/* Sleeps; false: it is over. */
static bool go_on(struct emulated_guests *guests, uint64_t ns)
{
    struct timespec until;
    bool goes;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ns / 1000000000ull;
    until.tv_nsec += ns % 1000000000ull;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&guests->lock);
    while ( !guests->stops && ns && pthread_cond_timedwait(&guests->changed, &guests->lock, &until) != ETIMEDOUT )
        continue;
    goes = !guests->stops;
    pthread_mutex_unlock(&guests->lock);

    return goes;
}

static void *run_vcpu(void *argument)
{
    struct guest_vcpu *vcpu = argument;
    struct emulated_guests *guests = vcpu->guest->guests;
    const struct emulated_spec *spec = &guests->spec;
    /* Of every vcpus-th page, as many as are worked on. */
    uint64_t own = (spec->memory - vcpu->number + spec->vcpus - 1) / spec->vcpus;
    uint64_t working = own * spec->working / 100 + 1, next = 0;
    uint64_t pause = 1000000000ull * spec->vcpus / spec->rate, at_once = 1;

    if ( pause < PAUSE_MIN_NS )
    {
        at_once = PAUSE_MIN_NS / (pause + 1) + 1;
        pause = PAUSE_MIN_NS;
    }
    working = working < own ? working : own;
    while ( working && spec->load != EMULATED_LOAD_IDLE && go_on(guests, pause) )
        for ( uint64_t i = 0; i < at_once; i++ )
        {
            uint64_t index = next++ % working;

            if ( spec->load != EMULATED_LOAD_SEQUENTIAL )
                index = (vcpu->random = mix(vcpu->random + 1)) % working;
            /* The domain has died: nothing is left to do. */
            if ( touch(vcpu, index * spec->vcpus + vcpu->number, spec->load == EMULATED_LOAD_STORM) )
                return NULL;
        }

    return NULL;
}

/* ---- the report ---- */

static void report(struct emulated_guests *guests, bool is_final)
{
    char path[sizeof(guests->spec.run) + sizeof(REPORT) + 8], next[sizeof(path) + 4];
    struct hypervisor *hv = guests->hv;
    struct domain_info info;
    FILE *file;

    if ( !guests->spec.run[0] )
        return;
    snprintf(path, sizeof(path), "%s/" REPORT, guests->spec.run);
    snprintf(next, sizeof(next), "%s.new", path);
    file = fopen(next, "we");
    if ( !file )
        return;
    for ( uint32_t i = 0; i < guests->spec.domains; i++ )
    {
        struct guest *guest = &guests->guests[i];

        if ( hv->ops->get_domain(hv, guest->domid, &info) )
            memset(&info, 0, sizeof(info));
        fprintf(file, "domain %u touches %llu wrong %llu pages %llu out %llu shared %llu%s\n", guest->domid,
                (unsigned long long)guest->touches, (unsigned long long)guest->wrong,
                (unsigned long long)info.pages, (unsigned long long)info.pages_paged,
                (unsigned long long)info.pages_shared, is_final ? " final" : "");
    }
    if ( fclose(file) || rename(next, path) )
        unlink(next);
}

static void *run_reporter(void *argument)
{
    struct emulated_guests *guests = argument;

    do
        report(guests, false);
    while ( go_on(guests, 1000000000ull) );

    return NULL;
}

/* ---- life ---- */

static int write_keys(struct hypervisor *hv, uint16_t domid, const struct emulated_spec *spec)
{
    char path[64], value[32];
    int rc;

    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    snprintf(value, sizeof(value), "emulated-%u", domid);
    rc = hv->ops->write_key(hv, path, value);
    if ( rc || !spec->target )
        return rc;
    snprintf(path, sizeof(path), "/local/domain/%u/memory/target-tot_pages", domid);
    snprintf(value, sizeof(value), "%llu", (unsigned long long)spec->target * HYPERVISOR_PAGE_SIZE / 1024);

    return hv->ops->write_key(hv, path, value);
}

static int create(struct emulated_guests *guests, struct guest *guest)
{
    const struct emulated_spec *spec = &guests->spec;
    uint64_t page[WORDS];
    int rc = emulated_create_domain(guests->hv, guest->domid, spec->vcpus, spec->memory);

    guest->generations = calloc(spec->memory, 1);
    if ( !guest->generations )
        return -ENOMEM;
    for ( uint64_t gfn = 0; gfn < spec->memory && !rc; gfn++ )
    {
        fill(guest, gfn, page);
        rc = emulated_access(guests->hv, guest->domid, 0, gfn, 0, page, sizeof(page), true);
    }

    return rc ? rc : write_keys(guests->hv, guest->domid, spec);
}

int emulated_guests_start(struct hypervisor *hv, const struct emulated_spec *spec, struct emulated_guests **out)
{
    struct emulated_guests *guests = calloc(1, sizeof(*guests));
    uint32_t vcpus = spec->domains * spec->vcpus, i;
    int rc = 0;

    if ( !guests )
        return -ENOMEM;
    guests->hv = hv;
    guests->spec = *spec;
    pthread_mutex_init(&guests->lock, NULL);
    pthread_cond_init(&guests->changed, NULL);
    guests->guests = calloc(spec->domains, sizeof(*guests->guests));
    guests->vcpus = calloc(vcpus, sizeof(*guests->vcpus));
    if ( !guests->guests || !guests->vcpus )
        rc = -ENOMEM;
    for ( i = 0; i < spec->domains && !rc; i++ )
    {
        guests->guests[i].guests = guests;
        guests->guests[i].domid = FIRST_DOMID + i;
        rc = create(guests, &guests->guests[i]);
    }
    for ( ; guests->started < vcpus && !rc; guests->started += !rc )
    {
        struct guest_vcpu *vcpu = &guests->vcpus[guests->started];

        vcpu->guest = &guests->guests[guests->started / spec->vcpus];
        vcpu->number = guests->started % spec->vcpus;
        vcpu->random = mix(spec->seed + guests->started);
        rc = -pthread_create(&vcpu->thread, NULL, run_vcpu, vcpu);
    }
    if ( !rc )
    {
        rc = -pthread_create(&guests->reporter, NULL, run_reporter, guests);
        guests->has_reporter = !rc;
    }
    if ( rc )
    {
        emulated_guests_stop(guests);
        return rc;
    }
    *out = guests;

    return 0;
}

/* What is out now stays so: there may be nobody who brings it. */
static void look_at_all(struct emulated_guests *guests, struct guest *guest)
{
    struct guest_vcpu vcpu = { .guest = guest };
    uint8_t state;

    for ( uint64_t gfn = 0; gfn < guests->spec.memory; gfn++ )
        if ( !guests->hv->ops->query_frames(guests->hv, guest->domid, gfn, 1, &state) && state == FRAME_RAM )
            touch(&vcpu, gfn, false);
}

uint64_t emulated_guests_stop(struct emulated_guests *guests)
{
    uint64_t wrong = 0;
    uint32_t i;

    if ( !guests )
        return 0;
    pthread_mutex_lock(&guests->lock);
    guests->stops = true;
    pthread_cond_broadcast(&guests->changed);
    pthread_mutex_unlock(&guests->lock);
    for ( i = 0; i < guests->started; i++ )
        pthread_join(guests->vcpus[i].thread, NULL);
    if ( guests->has_reporter )
    {
        pthread_join(guests->reporter, NULL);
        for ( i = 0; i < guests->spec.domains; i++ )
            look_at_all(guests, &guests->guests[i]);
        report(guests, true);
    }
    for ( i = 0; guests->guests && i < guests->spec.domains; i++ )
    {
        wrong += guests->guests[i].wrong;
        free(guests->guests[i].generations);
    }
    free(guests->guests);
    free(guests->vcpus);
    pthread_cond_destroy(&guests->changed);
    pthread_mutex_destroy(&guests->lock);
    free(guests);

    return wrong;
}
