# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --mem 1024 --dom0-mem 640 --add tests/system/tests/guarded.sh:/root/guarded.sh --add tests/system/tests/av-marker.sh:/root/av-marker.sh
# only: soak
# The same as av-marker.sh with Intel's nested paging.
vcpus=1
. /root/av-marker.sh
