# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 600 --guest-crash allow --add tests/system/tests/pager.sh:/root/pager.sh
# Each domain and each command line that cannot be served gets its own sentence, a status, and no harm.
. /root/pager.sh

# refused NAME PATTERN
refused()
{
    _id=$(guest_id "$1")
    pager_target "$_id" 16384
    timeout 60 xenpaging -d "$_id" > /tmp/refused.log 2>&1
    _status=$?
    cat /tmp/refused.log
    [ $_status = 69 ] || fail "$1: status $_status, not 69"
    grep -q "$2" /tmp/refused.log || fail "$1: the sentence about '$2' is missing"
    [ "$(xl list "$_id" | awk 'NR == 2 { print $3 }')" -ge 16 ] || fail "$1: it lost memory"
    pass "$1 is refused in words"
    xl destroy "$1"
}

say "a PV guest"
cat > /tmp/pv.cfg <<EOF
name="pv"
type="pv"
memory=128
kernel="/guests/linux"
ramdisk="/guests/linux.initrd"
cmdline="console=hvc0"
EOF
xl create -q -p /tmp/pv.cfg || fail "xl create"
refused pv "a PV guest cannot be paged"

say "no HAP"
guest_start nohap memory=32 kernel=tiny config='hap=0' extra="mem=16 run=wait"
refused nohap "hardware-assisted paging"

say "populate-on-demand"
guest_start pod memory=32 kernel=tiny config='maxmem=128' extra="mem=8 run=wait"
refused pod "populate-on-demand"

say "no such domain"
xenpaging -d 999 > /tmp/none.log 2>&1
[ $? = 66 ] || fail "status for a domain that does not exist"
cat /tmp/none.log
pass "a domain that does not exist is refused"

say "command lines and files"
for words in "-d 0" "-d x" "--memory-limit 1" "--nonsense" "-d 3 extra" "--spill-directory relative"; do
    # shellcheck disable=SC2086
    xenpaging $words > /tmp/usage.log 2>&1
    status=$?
    cat /tmp/usage.log
    [ $status = 64 ] || fail "xenpaging $words: status $status, not 64"
done
pass "wrong command lines end with status 64"
mkdir -p /etc/xen-memevent
printf 'memory-limit = 64M\nmemory-limt = 3\n' > /tmp/wrong.conf
xenpaging --config /tmp/wrong.conf > /tmp/usage.log 2>&1
[ $? = 78 ] || fail "status for a wrong configuration"
cat /tmp/usage.log
grep -q "wrong.conf" /tmp/usage.log && grep -q "memory-limt" /tmp/usage.log || fail "it does not name the file and the key"
pass "a wrong configuration names file, line and key"
