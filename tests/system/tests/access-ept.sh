# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 2400 --mem 1024 --dom0-mem 640 --add tests/system/tests/access-npt.sh:/root/access-npt.sh
# only: soak
# The same on EPT, where access is upstream's own: what the patches for NPT share with it is as it was.
. /root/access-npt.sh
