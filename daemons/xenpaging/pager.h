/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager of a host: from its settings to its exit status.
 */
#ifndef XENPAGING_PAGER_H
#define XENPAGING_PAGER_H

#include "inherited.h"
#include "settings.h"

/*
 * Pages the domain domid, or with 0 every domain of the host that has a target, until told to stop.  Goes on with what an
 * earlier pager left, and closes that when it has started; if it cannot, *left is as it was, and it can be called again.
 * Returns an exit status of sysexits(3).  Logs what happens.
 */
int pager_run(const struct settings *settings, uint16_t domid, struct inherited *left);

#endif
