/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whole-file: a small file that others read while it is replaced: they see the old one or the new one, never half of
 * either.  Not made durable: what is written so is written anew every second.
 */
#ifndef DAEMON_WHOLE_FILE_H
#define DAEMON_WHOLE_FILE_H

#include <stddef.h>

/*
 * Replaces PATH by `length` bytes, with mode 0644 less the umask, by way of PATH.new, which must not be anybody
 * else's: what has that name is removed, and whatever appears there in the meantime is not opened (-EEXIST).
 * 0, -ENAMETOOLONG, or what open(), write() and rename() say; then PATH is as it was.
 */
int whole_file_write(const char *path, const void *bytes, size_t length);

#endif /* DAEMON_WHOLE_FILE_H */
