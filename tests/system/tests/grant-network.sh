# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# only: soak
# A Linux guest and dom0 send each other files through dom0's network back-end, which maps the guest's grants of each packet that
# it takes from it; whoever gets a file compares its sum with the sender's.
. /usr/lib/xenhost/functions.sh
mib=${mib:-4}
rounds=${rounds:-3}
dom0_address=10.9.0.1
address=10.9.0.2

modprobe xen-netback || fail "no back-end"

# No bridge: the two are alone on their network. libxl's own script wants more of dom0 than there is.
cat > /root/vif <<VIF
#!/bin/sh
[ "\$1" = online ] || exit 0
ifconfig "\$vif" $dom0_address netmask 255.255.255.0 up && status=connected || status=error
xenstore-write "\$XENBUS_PATH/hotplug-status" \$status
VIF
chmod +x /root/vif

mkdir -p /root/more /root/www
find /lib/modules -name 'xen-netfront.ko*' -exec cp {} /root/more/ \;
[ -e /root/more/xen-netfront.ko ] || fail "no front-end for the guest"
cat > /root/more/init <<INIT
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
insmod /xen-netfront.ko
until [ -e /sys/class/net/eth0 ]; do sleep 1; done
ifconfig eth0 $address netmask 255.255.255.0 up
until ping -c 1 -W 5 $dom0_address > /dev/null; do sleep 1; done
echo "guest: pinged dom0"
mkdir /tmp/www
for round in \$(seq $rounds); do
    dd if=/dev/urandom of=/tmp/www/up.\$round bs=1M count=$mib 2> /dev/null
    set -- \$(md5sum /tmp/www/up.\$round)
    echo "guest: up \$round \$1"
done
httpd -p $address:80 -h /tmp/www
for round in \$(seq $rounds); do
    until wget -q -O /tmp/down http://$dom0_address/down.\$round; do sleep 1; done
    set -- \$(md5sum /tmp/down)
    echo "guest: down \$round \$1"
done
echo "guest: ready"
while :; do sleep 60; done
INIT
guest_ramdisk /root/more > /root/initrd

for round in $(seq "$rounds"); do
    dd if=/dev/urandom of="/root/www/down.$round" bs=1M count="$mib" 2> /dev/null || fail "a file for the guest"
done
guest_start l memory=$((mib * rounds + 96)) ramdisk=/root/initrd \
    config="vif=[\"mac=00:16:3e:00:00:01,script=/root/vif\"]"
# Its address is the back-end's, which is there by now.
httpd -p $dom0_address:80 -h /root/www || fail "httpd"
guest_wait l "guest: ready" 600
grep "guest: " "$(guest_console l)"
said()
{
    tr -d '\r' < "$(guest_console l)" | grep -q "guest: $1 $2 $3"
}
for round in $(seq "$rounds"); do
    # shellcheck disable=SC2046
    set -- $(md5sum "/root/www/down.$round")
    said down "$round" "$1" || fail "what the guest got is not what dom0 sent ($1)"
    wget -q -O /root/up "http://$address/up.$round" || fail "the guest's file does not come"
    # shellcheck disable=SC2046
    set -- $(md5sum /root/up)
    said up "$round" "$1" || fail "what dom0 got is not what the guest sent ($1)"
    [ "$(wc -c < /root/up)" = $((mib << 20)) ] || fail "what dom0 got has $(wc -c < /root/up) octets"
done
guest_destroy l
xl list > /dev/null || fail "Xen does not answer afterwards"
echo "PASS: $rounds times $mib MiB each way through the network back-end"
