# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900
# only: soak
# A vchan between dom0 and a Linux guest: dom0 grants the pages of a ring, the guest maps them and sends octets there,
# of which each has to come back.
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
set -- $(sed 's/.* vchan=\([^ ]*\) octets=\([0-9]*\) rounds=\([0-9]*\).*/\1 \2 \3/' /proc/cmdline)
for round in $(seq "$3"); do
    /vchan-echo client 0 "$1/$round" "$2" && echo "guest: round $round came back"
done
echo "guest: ready"
while :; do sleep 60; done
INIT
guest_ramdisk /root/more > /root/initrd

guest_start l memory=192 ramdisk=/root/initrd extra="vchan=$path octets=$octets rounds=$rounds"
for round in $(seq "$rounds"); do
    "$program" server "$(guest_id l)" "$path/$round" 0 || fail "the server's end: status $?"
done
guest_wait l "guest: ready" 120
grep -E "guest: |vchan-echo" "$(guest_console l)"
[ "$(grep -c "guest: round .* came back" "$(guest_console l)")" = "$rounds" ] || fail "not all came back"
guest_destroy l
xl list > /dev/null || fail "Xen does not answer afterwards"
echo "PASS: $rounds times $octets octets there and back"
