# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900
# only: soak
# A vchan between dom0 and a Linux guest, and one between two guests: the one grants the pages of a ring, the other
# maps them and sends octets there, of which each has to come back.
. /usr/lib/xenhost/functions.sh
octets=${octets:-3000000}
rounds=${rounds:-3}
program=/usr/lib/xenhost/programs/vchan-echo
path=/local/domain/0/data/vchan/echo

# The guest gets the program with its libraries, and dom0's modules: its kernel is dom0's.
mkdir -p /root/more/lib/x86_64-linux-gnu /root/more/lib64
cp -aL /lib/modules /root/more/lib/
cp -L "$program" /root/more/
cp -L /lib64/ld-linux-x86-64.so.2 /root/more/lib64/
for library in libc.so.6 libxenvchan.so.4.17 libxenstore.so.4 libxengnttab.so.1 libxenevtchn.so.1 libxentoolcore.so.1 \
    libxentoollog.so.1; do
    cp -L "/lib/x86_64-linux-gnu/$library" /root/more/lib/x86_64-linux-gnu/ || fail "dom0 has no $library"
done
cat > /root/more/init <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in xen-evtchn xen-gntdev xen-gntalloc xenfs; do modprobe $module; done
set -- $(sed 's/.* vchan=\([^ ]*\) peer=\([^ ]*\) at=\([^ ]*\) octets=\([0-9]*\) rounds=\([0-9]*\).*/\1 \2 \3 \4 \5/' /proc/cmdline)
peer=$2
# Who answers is started before there is somebody who asks.
[ "$peer" != later ] || { echo "guest: whom with?"; read -r peer; }
for round in $(seq "$5"); do
    /vchan-echo "$1" "$peer" "$3/$round" "$4" && echo "guest: round $round of the $1"
done
echo "guest: ready"
while :; do sleep 60; done
INIT
guest_ramdisk /root/more > /root/initrd

# passed NAME ROLE: all of the guest's rounds ended well
passed()
{
    guest_wait "$1" "guest: ready" 300
    grep -E "guest: |vchan-echo" "$(guest_console "$1")"
    [ "$(grep -c "guest: round .* of the $2" "$(guest_console "$1")")" = "$rounds" ] || fail "$1: not all came back"
}

guest_start l memory=192 ramdisk=/root/initrd extra="vchan=client peer=0 at=$path octets=$octets rounds=$rounds"
for round in $(seq "$rounds"); do
    "$program" server "$(guest_id l)" "$path/$round" 0 || fail "the server's end: status $?"
done
passed l client
guest_destroy l
echo "PASS: dom0 and a guest: $rounds times $octets octets there and back"

# A path that does not begin with a slash is in the guest's own part of xenstore.
guest_start answers memory=192 ramdisk=/root/initrd extra="vchan=server peer=later at=data/echo octets=0 rounds=$rounds"
guest_wait answers "guest: whom with" 300
guest_start asks memory=192 ramdisk=/root/initrd \
    extra="vchan=client peer=$(guest_id answers) at=/local/domain/$(guest_id answers)/data/echo octets=$octets rounds=$rounds"
guest_tell answers "$(guest_id asks)"
passed asks client
passed answers server
guest_destroy asks
guest_destroy answers
xl list > /dev/null || fail "Xen does not answer afterwards"
echo "PASS: two guests: $rounds times $octets octets there and back"
