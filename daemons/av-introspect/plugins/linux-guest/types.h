/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * types: where the members of a Linux kernel's structures lie, from the description (BTF) that the kernel carries of
 * itself, in a copy of its constants. libbpf reads it; what it is given is checked for what it takes for granted, and
 * what it answers is bounded.
 */
#ifndef AV_LINUX_GUEST_TYPES_H
#define AV_LINUX_GUEST_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* A whole description: a distribution's has five MiB. */
#define TYPES_BYTES_MAX   (32u << 20)

/* A structure: the kernel's largest, task_struct, has ten KiB. */
#define TYPES_OFFSET_MAX  (256u << 10)

/* Of one member in a structure, or in a structure that has no name inside of it. */
struct types_wanted {
    const char *type, *member;
};

/* Places in `bytes` that may be a description's begin are tried in order. *found is where one was, -ENOENT: there is
 * none that can be read. offsets[i] is UINT32_MAX for what is not there. -ENOMEM. */
int types_read(const uint8_t *bytes, size_t length, const struct types_wanted *wanted, uint32_t *offsets, size_t count,
               size_t *found);

#endif /* AV_LINUX_GUEST_TYPES_H */
