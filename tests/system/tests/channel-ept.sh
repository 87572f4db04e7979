# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 2400 --mem 1024 --dom0-mem 640 --add tests/system/tests/channel-access.sh:/root/channel-access.sh
# The ACCESS channel and upstream's paging ring on EPT, where an event knows the guest's linear address.
. /root/channel-access.sh
