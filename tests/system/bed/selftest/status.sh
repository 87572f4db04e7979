# SPDX-License-Identifier: GPL-2.0-only
# No #! line, so sh runs it. Output on both streams, a long line, then a status of its own.
. /usr/lib/xenhost/functions.sh
[ "$1" = "one word" ] && [ "$2" = "a'b" ] || fail "arguments arrived as: $*"
grep -q "brought along" /root/status.sh || fail "--add did not put the file there"
xl list | grep -q Domain-0 || fail "xl does not work"
head -c 100000 /dev/zero | tr '\0' x
echo
echo "to stderr" >&2
exit 42
