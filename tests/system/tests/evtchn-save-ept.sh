# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --guest-crash allow --mem 1024 --dom0-mem 640 --add tests/system/tests/evtchn-save.sh:/root/evtchn-save.sh --add tests/system/tests/evtchn-ports.sh:/root/evtchn-ports.sh --add tests/system/tests/grant-maptrack.sh:/root/grant-maptrack.sh
# only: soak
# The same as evtchn-save.sh, evtchn-ports.sh and grant-maptrack.sh on Intel, one after the other.
. /root/evtchn-save.sh
. /root/evtchn-ports.sh
. /root/grant-maptrack.sh
