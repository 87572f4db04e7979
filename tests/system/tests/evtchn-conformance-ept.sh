# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --mem 1024 --dom0-mem 640 --guest-crash allow --add tests/system/tests:/root/tests
# only: soak
# Event channels of each ABI on an Intel host, which is slow: fewer channels, of as many words and pages.
n3_channels=20000 n4_channels=20000 fifo_channels=6000 vcpus=2 exec sh /root/tests/evtchn-conformance.sh
