/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * poke-frame DOMID ADDRESS [VALUE]: prints the eight octets at a guest-physical address as a number, and puts another in their place.
 * Nobody in the guest does it, and nobody hears of it: as somebody does who has got hold of the kernel.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

#define FRAME_BYTES 4096u

int main(int argc, char *argv[])
{
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    uint64_t address = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, was, value;
    xen_pfn_t frame = address / FRAME_BYTES;
    char *page;
    int error = 0;

    if ( !memory || argc < 3 || argc > 4 || address % sizeof(value) )
    {
        fprintf(stderr, "usage: poke-frame DOMID ADDRESS [VALUE]; the address is a multiple of %zu\n", sizeof(value));
        return 2;
    }
    page = xenforeignmemory_map(memory, atoi(argv[1]), PROT_READ | PROT_WRITE, 1, &frame, &error);
    if ( !page || error )
    {
        fprintf(stderr, "frame %#" PRIx64 " cannot be mapped: %s\n", (uint64_t)frame, strerror(error ? -error : 0));
        return 1;
    }
    memcpy(&was, page + address % FRAME_BYTES, sizeof(was));
    printf("%#" PRIx64 "\n", was);
    if ( argc > 3 )
    {
        value = strtoull(argv[3], NULL, 0);
        memcpy(page + address % FRAME_BYTES, &value, sizeof(value));
    }
    xenforeignmemory_unmap(memory, page, 1);
    xenforeignmemory_close(memory);
    return 0;
}
