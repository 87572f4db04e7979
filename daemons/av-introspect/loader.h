/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How av-worker is started: with the directory of plugins as its argument, an empty environment, and this descriptor.
 */
#ifndef AV_LOADER_H
#define AV_LOADER_H

#define LOADER_SOCKET 3

#endif /* AV_LOADER_H */
