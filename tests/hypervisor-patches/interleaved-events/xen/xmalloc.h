/* SPDX-License-Identifier: GPL-2.0-only */
/* The shim's header of this name for interleave.c: memory of the model, which is part of its states and is begun anew. */
#ifndef INTERLEAVED_EVENTS_XEN_XMALLOC_H
#define INTERLEAVED_EVENTS_XEN_XMALLOC_H

#include <stddef.h>

void *model_memory(size_t size);

#define xzalloc(type) ((type *)model_memory(sizeof(type)))
#define xfree(memory) ((void)(memory))

#endif /* INTERLEAVED_EVENTS_XEN_XMALLOC_H */
