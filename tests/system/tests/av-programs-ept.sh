# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --mem 1024 --dom0-mem 640 --add tests/system/tests/av-programs.sh:/root/av-programs.sh
# only: soak
# The same as av-programs.sh with Intel's nested paging.
vcpus=1
. /root/av-programs.sh
