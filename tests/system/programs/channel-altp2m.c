/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain has a PAGING channel or altp2m, never both, in whichever order they are asked for; and a channel that is
 * there can be attached to again.
 *
 *   channel-altp2m DOMID        a domain with altp2m="external", on a host with the option altp2m
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#include "channel.h"

#define PAGING XEN_MEMEVENT_CLASS_PAGING

static xc_interface *xc;
static uint16_t guest;

static int set_altp2m(bool state)
{
    return xc_altp2m_set_domain_state(xc, guest, state) ? -errno : 0;
}

int main(int argc, char **argv)
{
    struct channel channel;

    if ( argc != 2 )
        fail("usage: channel-altp2m DOMID");
    guest = strtoul(argv[1], NULL, 10);
    hypervisor_open();
    xc = xc_interface_open(NULL, NULL, 0);
    if ( !xc )
        fail("no way to Xen: %s", strerror(errno));

    expect(0, channel_attach(&channel, guest, PAGING, 0, 0, 0), "attaching without altp2m");
    expect(-EBUSY, set_altp2m(true), "altp2m while there is a channel");
    expect(0, set_altp2m(false), "turning off what is off");
    channel_abandon(&channel);
    expect(-EBUSY, set_altp2m(true), "altp2m while the channel has no consumer");
    expect(0, channel_attach(&channel, guest, PAGING, 0, 0, 0), "attaching again");
    channel_abandon(&channel);
    expect(0, channel_detach(guest, PAGING), "detaching");
    pass("no altp2m while there is a PAGING channel");

    expect(0, set_altp2m(true), "altp2m without a channel");
    expect(-EOPNOTSUPP, channel_attach(&channel, guest, PAGING, 0, 0, 0), "attaching with altp2m");
    expect(0, set_altp2m(false), "turning altp2m off");
    expect(0, channel_attach(&channel, guest, PAGING, 0, 0, 0), "attaching after altp2m");
    channel_abandon(&channel);
    expect(0, channel_detach(guest, PAGING), "detaching at the end");
    pass("no PAGING channel while there is altp2m");

    xc_interface_close(xc);
    return 0;
}
