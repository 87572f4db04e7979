/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker of a host, from its start to its end; main.c and tests call it.
 */
#ifndef AV_BROKER_H
#define AV_BROKER_H

#include "scanner.h"
#include "settings.h"

/*
 * Guards domains until a signal stops it, and returns the exit status. The scanner stays the caller's, who closes it
 * afterwards.
 */
int broker_run(const struct settings *settings, const struct scanner *scanner);

#endif
