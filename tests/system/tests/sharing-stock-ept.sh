# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --stock --timeout 3600 --mem 1024 --dom0-mem 640 --add tests/system/tests/sharing.sh:/root/sharing.sh --add tests/system/tests/sharing-stock.sh:/root/sharing-stock.sh
# only: soak
# The same on a stock hypervisor.
host=
. /root/sharing-stock.sh
