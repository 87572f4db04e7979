/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * modules: which module of a Linux kernel an address is in, by the list that the kernel keeps. One that has taken itself
 * out of that list is not found.
 */
#ifndef AV_LINUX_GUEST_MODULES_H
#define AV_LINUX_GUEST_MODULES_H

#include "kernel.h"

/* Modules that are looked at: a distribution's kernel has some hundred loaded. */
#define MODULES_MAX         1024u

/* What Linux has room for in a name, its end with it. */
#define MODULES_NAME_BYTES  56u

struct module {
    uint64_t start, bytes;              /* its code and what it began with; a guest's word */
    char name[MODULES_NAME_BYTES];
};

/* 0; -ENOENT: it is in none of the list; -E2BIG: the list has no end; -EFAULT, -ENXIO, -ETIME. */
int modules_find(const struct kernel *kernel, const struct reader *reader, uint64_t address, struct module *out);

#endif /* AV_LINUX_GUEST_MODULES_H */
