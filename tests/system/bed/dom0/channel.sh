# SPDX-License-Identifier: GPL-2.0-only
# Dom0's end of the line to xenhost: the second serial port carries the
# script's own input and output as they are, and between them records that
# begin with RS and this run's random word and end with US (bed/channel.py
# takes them out again). A record is one write, which a tty keeps in one piece.

. /usr/lib/xenhost/run.conf
xenhost_tty=/dev/ttyS1

# report VERB [TEXT]: one record
report()
{
    printf '\036%s %s\037' "$xenhost_nonce" "$*" > "$xenhost_tty"
}
