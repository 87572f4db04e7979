# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --guest-crash allow --mem 1024 --dom0-mem 640 --add tests/system/tests/evtchn-conformance.sh:/root/evtchn-conformance.sh
# only: soak
# The same as evtchn-conformance.sh on Intel, where a guest's calls leave it by other ways. The host there has one processor.
vcpus=2
. /root/evtchn-conformance.sh
