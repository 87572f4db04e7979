# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --mem 1024 --dom0-mem 640 --guest-modules --add tests/system/tests/av-integrity.sh:/root/av-integrity.sh
# only: soak
# The same as av-integrity.sh with Intel's nested paging.
. /root/av-integrity.sh
