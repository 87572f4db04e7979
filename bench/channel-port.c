/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event channel of bench/channel, and the lock: what both shapes of a ring use in the same way.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"

struct port port;

static int to_consumer, to_hypervisor, unmasking;
static uint32_t pending;        /* an event that was not delivered */
static bool masked, woken;

void fail(const char *what)
{
    fprintf(stderr, "bench/channel: %s\n", what);
    exit(1);
}

double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* Without a system call, so that it can be read between two halves of a microsecond. */
double part_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

void port_open(void)
{
    to_consumer = eventfd(0, EFD_CLOEXEC);
    to_hypervisor = eventfd(0, EFD_CLOEXEC);
    unmasking = eventfd(0, EFD_CLOEXEC);
    require(to_consumer >= 0 && to_hypervisor >= 0 && unmasking >= 0, "no descriptors");
}

void port_close(void)
{
    close(to_consumer);
    close(to_hypervisor);
    close(unmasking);
}

static void send(int fd)
{
    const uint64_t one = 1;

    port.calls++;
    if ( port.crossings )
        require(write(fd, &one, sizeof(one)) == sizeof(one), "an eventfd cannot be written");
}

static void receive(int fd)
{
    uint64_t count;

    port.calls++;
    if ( port.crossings )
        require(read(fd, &count, sizeof(count)) == sizeof(count), "nobody was notified");
}

/*
 * A system call of a process of a paravirtual dom0 begins in Xen, which takes it to the kernel (lstar_enter), and the
 * kernel's way back is a hypercall (do_iret).  That is one crossing more than where the kernel is called itself; a
 * system call that does nothing stands for it.
 */
static void through_xen(void)
{
    if ( port.bare )
        return;
    port.calls++;
    if ( port.crossings )
        (void)syscall(SYS_getppid);
}

static void upcall(void)
{
    pending = 0;
    masked = true;
    woken = true;
    send(to_consumer);
}

void port_signal(void)
{
    port.notifications++;
    if ( !__atomic_exchange_n(&pending, 1, __ATOMIC_SEQ_CST) && !masked )
        upcall();
}

bool port_wake(void)
{
    struct pollfd fd = { .fd = to_consumer, .events = POLLIN };

    if ( !woken )
        return false;
    woken = false;
    through_xen();
    port.calls++;
    if ( port.crossings )
        require(poll(&fd, 1, -1) == 1, "nobody woke the consumer");
    through_xen();
    receive(to_consumer);
    masked = false;
    through_xen();
    send(unmasking);
    if ( pending )
        upcall();

    return true;
}

void port_notify(void)
{
    port.notifications++;
    through_xen();
    send(to_hypervisor);
    receive(to_hypervisor);
}

static uint32_t lock_word;

void lock(void)
{
    while ( __atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE) )
        continue;
}

void unlock(void)
{
    __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
}
