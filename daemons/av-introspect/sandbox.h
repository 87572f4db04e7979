/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox: what a process that runs plugins may not do. First it stops being root; then, when plugins have what they need, it
 * can ask the kernel for hardly anything any more.
 *
 * A system call that is not on the list ends the process with SIGSYS, which whoever started it sees and names.
 */
#ifndef AV_SANDBOX_H
#define AV_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/*
 * No new privileges; and, if we are root, another user, without groups and capabilities. /proc/self stays readable, as
 * plugins are loaded by descriptor. 0, or -errno and words.
 */
int sandbox_drop_user(const char *user, char *words, size_t size);

/* For --image: reads of files that are open, output to those that are open, memory. */
int sandbox_enter_image(char *words, size_t size);

/*
 * For a worker: reads of `wake`, writes to `tell`, memory up to `memory` octets more than there are now, nothing else; all
 * other descriptors are closed.
 */
int sandbox_enter_worker(int wake, int tell, uint64_t memory, char *words, size_t size);

#endif /* AV_SANDBOX_H */
