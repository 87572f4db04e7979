/* SPDX-License-Identifier: GPL-2.0-only */
/* The contract, asked of the emulated host: a guest of four vCPUs, each of which has a quarter of the frames. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "contract.h"
#include "hypervisor/emulated/emulated.h"

#define DOMID  5
#define VCPUS  4
#define FRAMES 40u

struct guest {
    struct hypervisor *hv;
    atomic_bool stops;
    atomic_uint lost;       /* pages that were not as they had been left */
};

struct vcpu {
    struct guest *guest;
    uint32_t number;
    pthread_t thread;
};

/* Finds each page as it left it, all of it, and leaves a word of it changed; but of each vCPU's some stay zero. */
static void touch(struct vcpu *vcpu, uint64_t gfn, uint64_t round, uint8_t *expected)
{
    struct hypervisor *hv = vcpu->guest->hv;
    uint8_t octets[HYPERVISOR_PAGE_SIZE];
    unsigned int offset = round * 8 % HYPERVISOR_PAGE_SIZE;
    uint64_t value = gfn / VCPUS % 3 == 2 ? 0 : round << 16 | gfn;

    if ( emulated_access(hv, DOMID, vcpu->number, gfn, 0, octets, sizeof(octets), false) ||
         memcmp(octets, expected, sizeof(octets)) )
        vcpu->guest->lost++;
    memcpy(expected + offset, &value, sizeof(value));
    if ( emulated_access(hv, DOMID, vcpu->number, gfn, offset, &value, sizeof(value), true) )
        vcpu->guest->lost++;
}

static void *run_vcpu(void *argument)
{
    uint8_t (*expected)[HYPERVISOR_PAGE_SIZE] = calloc(FRAMES, HYPERVISOR_PAGE_SIZE);
    struct vcpu *vcpu = argument;
    uint64_t round, gfn;

    for ( round = 0; expected && !vcpu->guest->stops; round++ )
    {
        for ( gfn = vcpu->number; gfn < FRAMES; gfn += VCPUS )
            touch(vcpu, gfn, round, expected[gfn]);
        /* The consumer's thread wants the processor, too. */
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    free(expected);

    return NULL;
}

static int take_memory(void *hv)
{
    emulated_set_memory(hv, 0);

    return 0;
}

static int give_memory(void *hv)
{
    emulated_set_memory(hv, 4 * FRAMES);

    return 0;
}

int main(void)
{
    struct contract_means means = { .take_memory = take_memory, .give_memory = give_memory };
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
    means.opaque = guest.hv;
    failures = contract_run(guest.hv, DOMID, 0, FRAMES, &means);
    guest.stops = true;
    for ( uint32_t i = 0; i < VCPUS; i++ )
        pthread_join(vcpus[i].thread, NULL);
    printf("%s - the guest's memory\n", guest.lost ? "not ok" : "ok");
    guest.hv->ops->close(guest.hv);

    return failures || guest.lost;
}
