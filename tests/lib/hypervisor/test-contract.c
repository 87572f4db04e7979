/* SPDX-License-Identifier: GPL-2.0-only */
/* The contract, asked of the emulated host: a guest of four vCPUs, each of which has a quarter of the frames. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "contract.h"
#include "hypervisor/emulated/emulated.h"

#define DOMID  5
#define VCPUS  4
#define FRAMES 40u

struct guest {
    struct hypervisor *hv;
    atomic_bool stops;
    atomic_uint lost;       /* octets that were not as they had been written */
};

struct vcpu {
    struct guest *guest;
    uint32_t number;
    pthread_t thread;
};

static void *run_vcpu(void *argument)
{
    struct vcpu *vcpu = argument;
    struct guest *guest = vcpu->guest;
    uint64_t written[FRAMES] = { 0 }, value;
    uint64_t round;

    for ( round = 1; !guest->stops; round++ )
    {
        for ( uint64_t gfn = vcpu->number; gfn < FRAMES && !guest->stops; gfn += VCPUS )
        {
            unsigned int offset = round * 8 % HYPERVISOR_PAGE_SIZE, former = (round - 1) * 8 % HYPERVISOR_PAGE_SIZE;

            value = ~0ull;
            if ( emulated_access(guest->hv, DOMID, vcpu->number, gfn, former, &value, sizeof(value), false) ||
                 value != written[gfn] )
                guest->lost++;
            written[gfn] = round << 16 | gfn;
            value = written[gfn];
            if ( emulated_access(guest->hv, DOMID, vcpu->number, gfn, offset, &value, sizeof(value), true) )
                guest->lost++;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }

    return NULL;
}

int main(void)
{
    struct vcpu vcpus[VCPUS];
    struct guest guest = { 0 };
    unsigned int seed = time(NULL);
    int failures;

    printf("seed %u\n", seed);
    srand(seed);
    if ( emulated_open(4 * FRAMES, &guest.hv) || emulated_create_domain(guest.hv, DOMID, VCPUS, FRAMES) )
        return 1;
    for ( uint32_t i = 0; i < VCPUS; i++ )
    {
        vcpus[i] = (struct vcpu){ .guest = &guest, .number = i };
        if ( pthread_create(&vcpus[i].thread, NULL, run_vcpu, &vcpus[i]) )
            return 1;
    }
    failures = contract_run(guest.hv, DOMID, 0, FRAMES);
    guest.stops = true;
    for ( uint32_t i = 0; i < VCPUS; i++ )
        pthread_join(vcpus[i].thread, NULL);
    printf("%s - the guest's memory\n", guest.lost ? "not ok" : "ok");
    guest.hv->ops->close(guest.hv);

    return failures || guest.lost;
}
