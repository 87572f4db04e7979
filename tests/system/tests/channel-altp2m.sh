# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 1200 --mem 1024 --dom0-mem 640 --xen-option altp2m=1
# only: soak
# A domain has a PAGING channel or altp2m: whichever comes second is refused.
. /usr/lib/xenhost/functions.sh

guest_start a kernel=tiny memory=32 config='altp2m="external"' extra="mem=20 seed=${SEED:-7} run=fill,verify,wait"
guest_wait a "guest: ready" 240
/usr/lib/xenhost/programs/channel-altp2m "$(guest_id a)" || fail "channel-altp2m: status $?"
guest_ask a verify "guest: verify" 240 | grep "bad=0 " || fail "the guest's memory is wrong"
