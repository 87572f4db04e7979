/* SPDX-License-Identifier: MIT */
/* A plugin for bench/introspection: each guest request waits for it, and is clean. */
#include <av-introspect/plugin.h>

static int event(void *instance, void *attached, struct av_call *call, const struct av_event *event)
{
    (void)instance;
    (void)attached;
    (void)call;
    (void)event;
    return AV_CLEAN;
}

const struct av_plugin av_plugin = {
    AV_PLUGIN_VERSION, .name = "requests", .version = "1", .summary = "Lets each guest request wait, and go on.",
    .decide = AV_EVENT_REQUEST, .event = event,
};
