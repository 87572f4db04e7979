/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rules: YARA rules of a file or of all *.yar and *.yara files of a directory, compiled from source. Compiled rules are
 * refused: libyara believes what is in them.
 */
#ifndef AV_YARA_RULES_H
#define AV_YARA_RULES_H

#include <stdint.h>

#include <yara.h>

#include <av-introspect/plugin.h>

/* All sources together: ten times what large public collections have. */
#define RULES_BYTES_MAX   (64u << 20)
#define RULES_FILES_MAX   4096u

/* Of `path`; digest is of the sources, in the order of names. 0, or -errno that host->refuse() has explained. */
int rules_compile(const struct av_host *host, const char *path, YR_RULES **out, uint8_t digest[32]);

#endif /* AV_YARA_RULES_H */
