/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * database: signatures of ClamAV, as an engine that is ready to scan. Signatures of octets and of hashes only:
 * ClamAV's bytecode would make code while it runs, which a worker may not.
 */
#ifndef AV_CLAMAV_DATABASE_H
#define AV_CLAMAV_DATABASE_H

#include <stdint.h>

#include <clamav.h>

#include <av-introspect/plugin.h>

/* What is scanned at once: a piece of an image and its windows, with room. */
#define DATABASE_SCAN_BYTES  (64u << 20)

/* Files in a database's directory; ClamAV's own has three. */
#define DATABASE_FILES_MAX   4096u

/*
 * Of a file or of all of a directory. digest is of the files' names, sizes and times. 0, or -errno that
 * host->refuse() has explained.
 */
int database_open(const struct av_host *host, const char *path, uint32_t timeout_ms, struct cl_engine **out, uint8_t digest[32],
                  unsigned int *signatures);

#endif /* AV_CLAMAV_DATABASE_H */
