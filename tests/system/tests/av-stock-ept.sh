# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --stock --timeout 6000 --mem 1024 --dom0-mem 640 --add tests/system/tests/guarded.sh:/root/guarded.sh --add tests/system/tests/av-marker.sh:/root/av-marker.sh --add tests/system/tests/av-stock.sh:/root/av-stock.sh
# only: soak
# The same as av-stock.sh on a hypervisor that is stock, with Intel's nested paging: its own can watch accesses there alone.
vcpus=1
. /root/av-stock.sh
