/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options of a plugin: whether its table is one, and the values that somebody wrote for them. Used by plugins.c.
 */
#ifndef AV_PLUGIN_OPTIONS_H
#define AV_PLUGIN_OPTIONS_H

#include "plugins.h"

/* The table of `is`, checked: 0, or -EPROTO and words. */
int plugin_options_check(const struct av_plugin *is, struct plugins_words *words);

/* `text` is "option=value,..." or NULL. Sets values and texts of the plugin. 0, -EINVAL with words, -ENOMEM. */
int plugin_options_parse(struct plugin *plugin, const char *text, struct plugins_words *words);

/* The option at `index`, whatever size its author knew it in. */
struct av_option plugin_options_at(const struct av_plugin *is, unsigned int index);

#endif /* AV_PLUGIN_OPTIONS_H */
