#!/bin/sh
# Record connections of protocols that are not WebSocket, for tests/impair/heuristic.py.
#
#     record-others.sh FOLDER [NAME...]
#
# Writes FOLDER/NAME.pcapng, one file a protocol, about 1,000 connections and less than 30 MB together.
# Real programs talk to each other on the loopback interface of a network of their own (root is needed
# for that); everything they start ends with this script. TLS keys are inside the captures. A program
# that is not installed is left out, and the last line says so.
#
# Debian packages: tshark iproute2 curl openssl openssh-server openssh-client unbound bind9-dnsutils
# postgresql redis-server mosquitto mosquitto-clients memcached git rsync python3-aiosmtpd
#
# SPDX-License-Identifier: GPL-2.0-or-later

ALL="http tls tls-binary ssh dns postgresql redis mqtt memcached smtp git rsync random binary"
CAPTURE_KILOBYTES_MAX=4000
RECORD_SECONDS_MAX=120

if [ "$RECORD_OTHERS" != inside ]; then
    [ -n "$1" ] || { echo "usage: record-others.sh FOLDER [NAME...]" >&2; exit 2; }
    [ "$(id -u)" = 0 ] || { echo "record-others: only root can make a network" >&2; exit 2; }
    mkdir -p "$1" || exit 1
    RECORD_OTHERS=inside exec unshare --net --pid --fork --mount-proc --kill-child "$0" "$@"
fi

HERE=$(cd "$(dirname "$0")" && pwd)
OUT=$(cd "$1" && pwd)
shift
NAMES=${*:-$ALL}
WORK=$(mktemp -d)
chmod 755 "$WORK"
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1
ip link set lo up || exit 1
export LC_ALL=C.UTF-8 HOME="$WORK"
TALK="/usr/bin/python3 -B $HERE/talk.py"

have() { # PROGRAM...: are they all there?
    for program; do
        command -v "$program" > /dev/null || return 1
    done
}

wait_port() { # PORT: until somebody listens there, at most 15 s
    for _ in $(seq 150); do
        ss -Hltn "sport = :$1" | grep -q . && return 0
        sleep 0.1
    done
    echo "record-others: nobody listens on port $1" >&2
    return 1
}

repeat() { # N COMMAND...: in a row, with $i for the number; a failing one is no reason to end
    last=$1
    shift
    for i in $(seq "$last"); do
        "$@"
    done > /dev/null 2>&1
}

make_files() {
    mkdir -p files
    for size in 0 1 10 100 125 126 127 1000 5000 20000; do
        head -c "$size" /dev/urandom > "files/random-$size"
        head -c "$size" /dev/zero | tr '\0' 'x' > "files/text-$size"
    done
}

make_certificate() {
    [ -f cert.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
        -days 30 -subj /CN=localhost 2> /dev/null
}

# --- three functions a protocol ------------------------------------------------------------------
# NAME_needs: is it installed? NAME_talk runs while packets are recorded.

http_needs() { have curl; }
http_start() { make_files; /usr/bin/python3 -m http.server -d files 8000 & wait_port 8000; }
http_one() {
    set -- random-0 random-126 random-5000 text-127 text-20000
    shift $((i % 5))
    case $((i % 3)) in
        0) curl -s "http://127.0.0.1:8000/$1" ;;
        1) curl -s -T files/text-1000 "http://127.0.0.1:8000/put" ;;
        2) curl -s "http://127.0.0.1:8000/$1" "http://127.0.0.1:8000/no-such" ;;
    esac
}
http_talk() { repeat 110 http_one; }

tls_needs() { have openssl curl; }
tls_start() {
    make_certificate
    openssl s_server -accept 8443 -cert cert.pem -key key.pem -WWW -quiet \
        -keylogfile keys > /dev/null 2>&1 &
    wait_port 8443
}
tls_one() {
    case $((i % 3)) in
        0) curl -sk https://127.0.0.1:8443/cert.pem ;;
        1) curl -sk --tls-max 1.2 https://127.0.0.1:8443/cert.pem ;;
        2) printf 'GET /files/random-1000 HTTP/1.0\r\n\r\n' |
            timeout 2 openssl s_client -quiet -connect 127.0.0.1:8443 ;;
    esac
}
tls_talk() { repeat 90 tls_one; }

tls_binary_needs() { have openssl; }
tls_binary_start() {
    make_certificate
    SSLKEYLOGFILE=keys $TALK serve-tls 9443 cert.pem key.pem &
    wait_port 9443
}
tls_binary_talk() { SSLKEYLOGFILE=keys $TALK tls-binary 9443 90; }

ssh_needs() { have /usr/sbin/sshd ssh ssh-keygen; }
ssh_start() {
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f host_key
    ssh-keygen -q -t ed25519 -N '' -f user_key
    cp user_key.pub allowed
    /usr/sbin/sshd -D -p 2222 -h "$WORK/host_key" -o AuthorizedKeysFile="$WORK/allowed" \
        -o StrictModes=no -o PermitRootLogin=yes -o PidFile=none -o UsePAM=no -o MaxStartups=100 \
        2> /dev/null &
    wait_port 2222
}
ssh_one() {
    ssh -n -i user_key -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        root@127.0.0.1 "head -c $((i * 50)) /dev/urandom"
}
ssh_talk() { repeat 50 ssh_one; }

dns_needs() { have unbound dig; }
dns_start() {
    cat > unbound.conf <<END
server:
    interface: 127.0.0.1@5300
    port: 5300
    username: ""
    chroot: ""
    directory: "$WORK"
    pidfile: ""
    use-syslog: no
    local-zone: "example." static
END
    for n in $(seq 20); do
        echo "    local-data: 'host$n.example. A 192.0.2.$n'"
        echo "    local-data: 'host$n.example. TXT \"$(head -c $((n * 6)) /dev/zero | tr '\0' 'y')\"'"
    done >> unbound.conf
    unbound -d -c unbound.conf > /dev/null 2>&1 &
    wait_port 5300
}
dns_one() {
    dig +tcp +keepopen -p 5300 @127.0.0.1 "host$((i % 20 + 1)).example" A \
        "host$((i % 20 + 1)).example" TXT
}
dns_talk() { repeat 90 dns_one; }

postgresql_needs() { ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 && have psql; }
postgresql_start() {
    bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | tail -1)")
    mkdir db
    chown postgres db
    as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups"
    $as_postgres "$bin/initdb" -D db -A trust > /dev/null 2>&1
    $as_postgres "$bin/postgres" -D db -p 5432 -k '' > /dev/null 2>&1 &
    wait_port 5432
}
postgresql_one() {
    psql -h 127.0.0.1 -U postgres -c "create table if not exists t$i (a int, b text)" \
        -c "insert into t$i select g, repeat('x', g) from generate_series(1, $i) g" \
        -c "select * from t$i" -c "copy t$i to stdout" postgres
}
postgresql_talk() { repeat 60 postgresql_one; }

redis_needs() { have redis-server redis-cli; }
redis_start() { redis-server --port 6379 --save '' --dir "$WORK" > /dev/null & wait_port 6379; }
redis_one() { # with arguments: at a prompt redis-cli fetches 90 kB of documentation first
    head -c $((i * 20)) /dev/urandom | redis-cli -x set "key$i"
    redis-cli get "key$i"
    redis-cli rpush list "a$i"
    redis-cli -r 5 lrange list 0 -1
}
redis_talk() { repeat 25 redis_one; }

mqtt_needs() { have mosquitto mosquitto_pub mosquitto_sub; }
mqtt_start() {
    printf 'listener 1883 127.0.0.1\nallow_anonymous true\nuser root\n' > mosquitto.conf
    mosquitto -c mosquitto.conf > /dev/null 2>&1 &
    wait_port 1883
    make_files
}
mqtt_one() {
    timeout 5 mosquitto_sub -p 1883 -t "t/$i" -C 2 -q 1 &
    sub=$!
    sleep 0.1
    mosquitto_pub -p 1883 -t "t/$i" -m "message $i" -q 1
    mosquitto_pub -p 1883 -t "t/$i" -f files/random-1000 -q 2
    wait $sub
}
mqtt_talk() { repeat 30 mqtt_one; }

memcached_needs() { have memcached; }
memcached_start() { memcached -u root -l 127.0.0.1 -p 11211 -U 0 & wait_port 11211; }
memcached_talk() { $TALK memcached 11211 80; }

smtp_needs() { /usr/bin/python3 -c 'import aiosmtpd' 2> /dev/null; }
smtp_start() {
    /usr/bin/python3 -m aiosmtpd -n -c aiosmtpd.handlers.Sink -l 127.0.0.1:2525 > /dev/null 2>&1 &
    wait_port 2525
}
smtp_talk() { $TALK smtp 2525 70; }

git_needs() { have git; }
git_start() {
    make_files
    git init -q repos
    git -C repos config user.name nobody
    git -C repos config user.email nobody@example.com
    for n in $(seq 5); do
        head -c 2000 /dev/urandom > "repos/file$n"
        git -C repos add . && git -C repos commit -q -m "Change $n"
    done
    git daemon --reuseaddr --export-all --base-path="$WORK" --port=9418 2> /dev/null &
    wait_port 9418
}
git_one() { git clone -q git://127.0.0.1/repos "clone$i"; }
git_talk() { repeat 40 git_one; }

rsync_needs() { have rsync; }
rsync_start() {
    make_files
    printf '[files]\npath = %s/files\nuse chroot = no\nuid = root\ngid = root\n' "$WORK" > rsyncd.conf
    rsync --daemon --no-detach --port=8730 --config=rsyncd.conf --log-file=/dev/null &
    wait_port 8730
}
rsync_one() { rsync -a rsync://127.0.0.1:8730/files/ "copy$i/"; }
rsync_talk() { repeat 40 rsync_one; }

random_needs() { :; }
random_start() { $TALK serve 7000 & wait_port 7000; }
random_talk() { $TALK random 7000 150; }

binary_needs() { :; }
binary_start() { $TALK serve 7100 & wait_port 7100; }
binary_talk() { $TALK binary 7100 150; }

# --- recording -----------------------------------------------------------------------------------

record() { # NAME
    function=$(echo "$1" | tr - _)
    "${function}_needs" || return 1
    rm -f keys
    "${function}_start" > "$WORK/log" 2>&1 || { cat "$WORK/log" >&2; return 1; }
    dumpcap -q -i lo -f tcp -a "filesize:$CAPTURE_KILOBYTES_MAX" -w raw.pcapng 2> dumpcap.log &
    dumpcap=$!
    for _ in $(seq 50); do
        grep -q '^File:' dumpcap.log && break
        sleep 0.1
    done
    "${function}_talk" &
    talk=$!
    (sleep $RECORD_SECONDS_MAX; kill $talk) 2> /dev/null &
    guard=$!
    wait $talk
    kill $guard 2> /dev/null
    sleep 0.5
    kill -INT $dumpcap 2> /dev/null
    wait $dumpcap
    if [ -s keys ]; then
        editcap --inject-secrets tls,keys raw.pcapng "$OUT/$1.pcapng"
    else
        mv raw.pcapng "$OUT/$1.pcapng"
    fi
    chmod 644 "$OUT/$1.pcapng"
    rm -f raw.pcapng
}

MISSING=
for name in $NAMES; do
    if record "$name"; then
        count=$(tshark -n -r "$OUT/$name.pcapng" -Y 'tcp.flags.syn == 1 && tcp.flags.ack == 0' \
            2> /dev/null | wc -l)
        echo "$name: $count connections"
    else
        MISSING="$MISSING $name"
    fi
done
if [ -n "$MISSING" ]; then
    echo "FAIL: not recorded:$MISSING"
    exit 1
fi
echo "PASS: all recorded, $(du -ch "$OUT"/*.pcapng | tail -1 | cut -f1) in $OUT"
