/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager of a host: from its settings to its exit status.
 */
#ifndef XENPAGING_PAGER_H
#define XENPAGING_PAGER_H

#include "settings.h"

/*
 * Pages the domain domid, or with 0 every domain of the host that has a target, until told to stop.
 * Returns an exit status of sysexits(3).  Logs what happens.
 */
int pager_run(const struct settings *settings, uint16_t domid);

#endif
