# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --mem 1536 --dom0-mem 640 --add tests/system/tests/grant-block.sh:/root/grant-block.sh --add tests/system/tests/grant-network.sh:/root/grant-network.sh --add tests/system/tests/grant-vchan.sh:/root/grant-vchan.sh
# only: soak
# The same as grant-block.sh, grant-network.sh and grant-vchan.sh on Intel, one after the other, with less of everything.
mib=1 octets=300000 rounds=2
. /root/grant-block.sh
. /root/grant-network.sh
. /root/grant-vchan.sh
