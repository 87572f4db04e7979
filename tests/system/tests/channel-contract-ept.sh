# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 2400 --mem 1024 --dom0-mem 640 --add tests/system/tests/channel-contract.sh:/root/channel-contract.sh
# only: soak
# The same as channel-contract, on EPT.  Bochs lets a guest that never leaves its CPU by itself keep it from everybody: here it
# pauses between its touches.
touches="rand:20s working=12 rate=4000 write"
. /root/channel-contract.sh
