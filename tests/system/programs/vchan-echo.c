/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vchan-echo server|client DOMID PATH BYTES: two ends of a vchan, Xen's library for rings that two domains share.
 *
 * The server shares the ring's pages with DOMID and sends back what comes, until the client closes. The client maps
 * them, writes BYTES of which each tells where it belongs, and looks at each that comes back.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxenvchan.h>

#define RING     16384          /* octets each way: pages of their own, not a part of the first */
#define PIECE    5000           /* no divisor of the ring, so that pieces wrap */
#define ATTEMPTS 600            /* of the client to find the server, ten a second */

static void __attribute__((noreturn)) fail(const char *what)
{
    printf("FAILED: vchan-echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint8_t octet(uint64_t at)
{
    return (at * 0x9e3779b97f4a7c15u) >> 56;
}

static void serve(int domid, const char *path)
{
    struct libxenvchan *vchan = libxenvchan_server_init(NULL, domid, path, RING, RING);
    uint8_t piece[PIECE];
    uint64_t total = 0;
    int got;

    if ( !vchan )
        fail("opening the server's end");
    vchan->blocking = 1;
    while ( (got = libxenvchan_read(vchan, piece, sizeof(piece))) > 0 )
    {
        if ( libxenvchan_send(vchan, piece, got) != got )
            fail("sending back");
        total += got;
    }
    libxenvchan_close(vchan);
    printf("vchan-echo: %llu octets sent back\n", (unsigned long long)total);
}

static void ask(int domid, const char *path, uint64_t total)
{
    struct libxenvchan *vchan = NULL;
    uint8_t piece[PIECE];

    for ( unsigned int i = 0; i < ATTEMPTS && !(vchan = libxenvchan_client_init(NULL, domid, path)); i++ )
        usleep(100000);
    if ( !vchan )
        fail("opening the client's end");
    vchan->blocking = 1;
    for ( uint64_t done = 0; done < total; )
    {
        int now = total - done < PIECE ? (int)(total - done) : PIECE;

        for ( int i = 0; i < now; i++ )
            piece[i] = octet(done + i);
        if ( libxenvchan_send(vchan, piece, now) != now )
            fail("sending");
        memset(piece, 0, sizeof(piece));
        if ( libxenvchan_recv(vchan, piece, now) != now )
            fail("receiving");
        for ( int i = 0; i < now; i++ )
            if ( piece[i] != octet(done + i) )
                fail("another octet came back");
        done += now;
    }
    libxenvchan_close(vchan);
    printf("vchan-echo: %llu octets came back\n", (unsigned long long)total);
}

int main(int argc, char **argv)
{
    bool server = argc == 5 && !strcmp(argv[1], "server");

    if ( argc != 5 || (!server && strcmp(argv[1], "client")) )
    {
        fprintf(stderr, "usage: vchan-echo server|client DOMID PATH BYTES\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if ( server )
        serve(atoi(argv[2]), argv[3]);
    else
        ask(atoi(argv[2]), argv[3], strtoull(argv[4], NULL, 10));

    return 0;
}
