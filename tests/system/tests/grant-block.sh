# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# A Linux guest writes to a disk that dom0's block back-end serves from memory, through grants that are mapped and
# unmapped for each request; both sides read it again and compare.
. /usr/lib/xenhost/functions.sh
mib=${mib:-4}
rounds=${rounds:-3}

modprobe brd rd_nr=1 rd_size=$(((mib + 1) * 1024)) || fail "no ramdisk"
modprobe xen-blkback || fail "no back-end"
# What back-end and front-end would go on using stays mapped otherwise.
echo 0 > /sys/module/xen_blkback/parameters/max_persistent_grants || fail "grants stay mapped"

# libxl's own script wants more of dom0 than there is.
cat > /root/block <<'BLOCK'
#!/bin/sh
[ "$1" = add ] || exit 0
xenstore-write "$XENBUS_PATH/physical-device" 1:0 "$XENBUS_PATH/hotplug-status" connected
BLOCK
chmod +x /root/block

mkdir -p /root/more
find /lib/modules -name 'xen-blkfront.ko*' -exec cp {} /root/more/ \;
[ -e /root/more/xen-blkfront.ko ] || fail "no front-end for the guest"
cat > /root/more/init <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
insmod /xen-blkfront.ko feature_persistent=0
mib=$(sed 's/.* mib=\([0-9]*\).*/\1/' /proc/cmdline)
rounds=$(sed 's/.* rounds=\([0-9]*\).*/\1/' /proc/cmdline)
until [ -b /dev/xvda ]; do sleep 1; done
echo "guest: the disk is there"
for round in $(seq "$rounds"); do
    dd if=/dev/urandom of=/tmp/file bs=1M count="$mib" 2> /dev/null
    dd if=/tmp/file of=/dev/xvda bs=64k conv=fsync 2> /dev/null || echo "guest: cannot write"
    echo 3 > /proc/sys/vm/drop_caches
    set -- $(md5sum /tmp/file) $(dd if=/dev/xvda bs=64k count=$((mib * 16)) 2> /dev/null | md5sum)
    [ "$1" = "$3" ] && echo "guest: round $round sum $1" || echo "guest: round $round: wrote $1, read $3"
done
echo "guest: ready"
while :; do sleep 60; done
INIT
guest_ramdisk /root/more > /root/initrd

guest_start l memory=$((mib + 96)) ramdisk=/root/initrd extra="mib=$mib rounds=$rounds" \
    config="disk=[\"format=raw,vdev=xvda,access=rw,script=/root/block,target=/dev/ram0\"]"
guest_wait l "guest: ready" 600
grep "guest: " "$(guest_console l)"
[ "$(grep -c "guest: round .* sum" "$(guest_console l)")" = "$rounds" ] || fail "the guest did not read what it wrote"
sum=$(sed -n 's/.*guest: round .* sum \([0-9a-f]*\).*/\1/p' "$(guest_console l)" | tail -n 1)
dd if=/dev/ram0 bs=1M count="$mib" iflag=direct 2> /dev/null | md5sum | grep "$sum" ||
    fail "dom0 has other bytes than the guest wrote"
guest_destroy l
xl list > /dev/null || fail "Xen does not answer afterwards"
echo "PASS: $rounds times $mib MiB through the block back-end"
