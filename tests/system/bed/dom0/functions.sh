# SPDX-License-Identifier: GPL-2.0-only
# For scripts that run in dom0:  . /usr/lib/xenhost/functions.sh
# Starting guests and waiting for what they say. POSIX shell; every function
# either succeeds or ends the script through fail, except where it says so.

guest_logs=/var/log/xen/console

# say TEXT...: a line that tells the script's own words from a program's output
say()
{
    echo "== $*"
}

# fail TEXT...: ends the script with status 1
fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# wait_until SECONDS COMMAND...: status 0 as soon as COMMAND succeeds, 1 when time is up. An emulated host may stand still
# for many seconds, or get a small part of a processor: time is not up before it was looked twice for each second, too.
wait_until()
{
    _until=$(($(date +%s) + $1))
    _looks=$(($1 * 2))
    shift
    while ! "$@" > /dev/null 2>&1; do
        _looks=$((_looks - 1))
        [ "$_looks" -gt 0 ] || [ "$(date +%s)" -lt "$_until" ] || return 1
        sleep 0.2
    done
}

# guest_console NAME: prints the file that holds all the guest has printed
guest_console()
{
    echo "$guest_logs/guest-$1.log"
}

# guest_ramdisk DIRECTORY: writes a ramdisk for guest_start, Debian's guest with what is in DIRECTORY put over it
guest_ramdisk()
{
    chmod 755 "$1"/* || fail "nothing in $1 for a guest"
    cat /guests/linux.initrd
    # dom0's busybox has it, and no link to that.
    (cd "$1" && find . | busybox cpio -o -H newc 2> /dev/null) || fail "no archive of $1"
}

# guest_start NAME [KEY=VALUE]...: starts a guest and returns once it exists.
#   type=pvh       or hvm, which needs xenhost's --with-qemu; its firmware takes minutes under emulation
#   memory=MIB     128       vcpus=N        1
#   kernel=K       linux (Debian's kernel with guest/init), tiny (our own guest), or a file
#   ramdisk=FILE   for a kernel given as a file
#   extra=TEXT     words for the guest's kernel command line
#   config=LINE    a line for xl's configuration file as it is; may be given again
guest_start()
{
    _name=$1; shift
    _memory=128; _vcpus=1; _kernel=linux; _ramdisk=; _extra=; _type=pvh; _lines=
    for _pair; do
        case $_pair in
            memory=*)  _memory=${_pair#*=} ;;
            vcpus=*)   _vcpus=${_pair#*=} ;;
            kernel=*)  _kernel=${_pair#*=} ;;
            ramdisk=*) _ramdisk=${_pair#*=} ;;
            extra=*)   _extra=${_pair#*=} ;;
            type=*)    _type=${_pair#*=} ;;
            config=*)  _lines="$_lines${_pair#*=}
" ;;
            *) fail "guest_start $_name: unknown setting $_pair" ;;
        esac
    done
    case $_kernel in
        linux) _kernel=/guests/linux; _ramdisk=${_ramdisk:-/guests/linux.initrd}
               [ "$_type" = hvm ] && _console=ttyS0 || _console=hvc0
               _extra="console=$_console quiet $_extra" ;;
        tiny)  _kernel=/guests/tiny ;;
    esac
    [ -e "$_kernel" ] || fail "guest_start $_name: there is no $_kernel"
    mkdir -p /run/xenhost
    {
        echo "name=\"$_name\""
        echo "type=\"$_type\""
        echo "memory=$_memory"
        echo "vcpus=$_vcpus"
        echo "kernel=\"$_kernel\""
        [ -z "$_ramdisk" ] || echo "ramdisk=\"$_ramdisk\""
        echo "cmdline=\"$_extra\""
        echo "on_crash=\"destroy\""
        echo "on_reboot=\"destroy\""
        if [ "$_type" = hvm ]; then
            echo 'vga="none"'
            echo 'vnc=0'
            echo "serial=\"file:$(guest_console "$_name")\""
        fi
        # The tiny guest times every touch; reading an emulated TSC would cost more than a page-in.
        case $_kernel$_lines in
            *tsc_mode*) ;;
            /guests/tiny*) echo 'tsc_mode="native"' ;;
        esac
        printf '%s' "$_lines"
    } > "/run/xenhost/$_name.cfg"
    # An earlier guest of this name has left its words there.
    rm -f "/run/xenhost/$_name.said"
    [ ! -e "$(guest_console "$_name")" ] || wc -c < "$(guest_console "$_name")" > "/run/xenhost/$_name.said"
    xl create -q "/run/xenhost/$_name.cfg" || fail "xl create $_name"
}

# guest_id NAME: prints the domain's number; status 1 if there is none
guest_id()
{
    xl domid "$1" 2>/dev/null
}

# guest_says NAME PATTERN: status 0 if the guest has printed a line that matches (grep -E) since it was started last
guest_says()
{
    _said=$(cat "/run/xenhost/$1.said" 2>/dev/null)
    tail -c "+$((${_said:-0} + 1))" "$(guest_console "$1")" 2>/dev/null | grep -qE -e "$2"
}

# guest_wait NAME PATTERN [SECONDS]: waits until it has (60 s); otherwise shows its console and fails
guest_wait()
{
    wait_until "${3:-60}" guest_says "$1" "$2" && return
    echo "-- the last lines of guest $1:" >&2
    tail -n 20 "$(guest_console "$1")" >&2
    fail "guest $1 did not print '$2' within ${3:-60} s"
}

# guest_is_gone NAME: status 0 if there is no such domain
guest_is_gone()
{
    ! xl domid "$1" > /dev/null 2>&1
}

# guest_wait_gone NAME [SECONDS]: waits until the domain does not exist any more (60 s), or fails
guest_wait_gone()
{
    wait_until "${2:-60}" guest_is_gone "$1" || fail "guest $1 is still there after ${2:-60} s"
}

# guest_destroy NAME: destroys it and waits until it is gone
guest_destroy()
{
    xl destroy "$1" || fail "xl destroy $1"
    guest_wait_gone "$1" 30
}

# guests_may_crash: from here on a crashing guest does not end the run (as --guest-crash allow)
guests_may_crash()
{
    sh -c '. /usr/lib/xenhost/channel.sh; report guests-may-crash'
}

# guest_tell NAME LINE: types a line on the guest's console
guest_tell()
{
    _tty=$(xenstore-read "/local/domain/$(guest_id "$1")/console/tty") || fail "guest $1 has no console"
    echo "$2" > "$_tty"
}

# guest_ask NAME LINE PATTERN [SECONDS]: types a line, waits for a new line that matches, and prints it
guest_ask()
{
    _before=$(grep -cE -e "$3" "$(guest_console "$1")")
    guest_tell "$1" "$2"
    wait_until "${4:-60}" guest_says_again "$1" "$3" "$_before" || {
        tail -n 20 "$(guest_console "$1")" >&2
        fail "guest $1 did not answer '$2' with '$3' within ${4:-60} s"
    }
    grep -E -e "$3" "$(guest_console "$1")" | tail -n 1
}

# The last line must have its end, too: what is read of it would be a part.
guest_says_again()
{
    [ "$(grep -cE -e "$2" "$(guest_console "$1")")" -gt "$3" ] && [ -z "$(tail -c 1 "$(guest_console "$1")")" ]
}
