# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --add tests/system/tests/guarded.sh:/root/guarded.sh --add tests/system/tests/av-marker.sh:/root/av-marker.sh
# only: soak
# The same as av-marker.sh with the installed program: sandboxed workers, and rules for YARA.
cat > /etc/eicar.yar <<'RULES'
rule EICAR
{
    strings:
        $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
    condition:
        $a
}
RULES
chmod 644 /etc/eicar.yar
broker=$(command -v av-introspect)
options="--plugin yara:rules=/etc/eicar.yar"
. /root/av-marker.sh
grep -q '"rule":".*EICAR' "$findings" || fail "the rule is not named: $(cat "$findings")"
