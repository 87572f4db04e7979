/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The settings of a pager that started, kept with the service manager for the one that comes after its death: that one
 * must not be kept from the pages by a mistake that was made in a file or a command line meanwhile.
 */
#ifndef XENPAGING_SETTINGS_KEPT_H
#define XENPAGING_SETTINGS_KEPT_H

#include "inherited.h"
#include "settings.h"

/* Replaces those that were kept.  0, also without a service manager, or -errno. */
int  settings_keep(const struct settings *settings);
/* Nothing is kept any more. */
void settings_forget(void);

/*
 * Those that were kept, or the defaults where there are none or they cannot be read: *are_kept says which.  What they are read
 * by is in *options, to be closed after their last use, whatever is returned: 0, or -ENOMEM.
 */
int  settings_recall(const struct inherited *left, struct options **options, struct settings *settings, bool *are_kept);

#endif
