#!/usr/bin/env bash
# Starts a gateway on an empty data directory and pastes into a shell what the manuals say: the blocks of README.md and docs/ that are
# marked for replay, and the commands of tests/seeds/. Only the host, the ports and the key are changed. Every answer is checked.
#
#   tests/replay.sh target/release/holdfast
set -euo pipefail

binary=$(realpath "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
ready_seconds_max=30

# Below the ports that systems give to outgoing connections, of which one that has just ended would be in the way.
quic_port=$((10000 + RANDOM % 10000))
http_port=$((20000 + RANDOM % 10000))
url="http://127.0.0.1:$http_port"

cleanup() {
    [ -z "${gateway:-}" ] || kill "$gateway" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "FAILED: $1" >&2
    [ ! -f "$work/gateway.log" ] || tail -n 40 "$work/gateway.log" >&2
    exit 1
}

start_gateway() {
    cd "$work"
    ln -s "$root/config" config
    "$binary" serve --quic-addr "127.0.0.1:$quic_port" --http-addr "127.0.0.1:$http_port" \
        >"$work/gateway.out" 2>"$work/gateway.log" </dev/null &
    gateway=$!
    for _ in $(seq $((ready_seconds_max * 10))); do
        curl -fsS -o /dev/null "$url/readyz" 2>/dev/null && return
        kill -0 "$gateway" 2>/dev/null || fail "the gateway ended before it was ready"
        sleep 0.1
    done
    fail "the gateway was not ready within $ready_seconds_max s"
}

# The text of stdin with the host and the ports of this run.
localized() {
    sed -e "s#https://conto.finance#$url#g" -e "s#127\.0\.0\.1:8402#127.0.0.1:$http_port#g" \
        -e "s#127\.0\.0\.1:4402#127.0.0.1:$quic_port#g" -e "s#target/release/holdfast#$binary#g" -e 's#^curl #curl -sS #'
}

# check NAME ANSWER EXPECTATIONS: every line of the file is a pattern that the answer must contain.
check() {
    while IFS= read -r pattern; do
        [ -z "$pattern" ] || grep -Eq -- "$pattern" <<<"$2" || fail "$1: no \`$pattern\` in: $2"
    done <"$3"
    echo "ok   $1"
}

replay_seeds() {
    local seed name answer
    CONTO_SDK_KEY=$(cat "$work/holdfast-data/demo.key")
    export CONTO_SDK_KEY CONTO_API_KEY=$CONTO_SDK_KEY
    for seed in "$root"/tests/seeds/*.sh "$root"/tests/seeds/*.http; do
        name=$(basename "$seed")
        case $name in
        *.sh) localized <"$seed" >"$work/seed.sh" ;;
        *.http) sed -E "s#^GET (.*)#curl -sS -H \"Authorization: Bearer \$CONTO_SDK_KEY\" '$url\1'#" "$seed" >"$work/seed.sh" ;;
        esac
        answer=$(bash -euo pipefail "$work/seed.sh" </dev/null) || fail "$name"
        check "tests/seeds/$name" "$answer" "${seed%.*}.expect"
    done
}

# Each marked block runs in a shell of its own that keeps the variables of the blocks before, as one terminal would.
replay_manuals() {
    awk '/^<!-- replay -->$/ { marked = 1; next }
         marked && /^```sh$/ { inside = 1; marked = 0; next }
         inside && /^```$/ { inside = 0; print ""; next }
         inside { print }' "$root/README.md" "$root"/docs/*.md | localized >"$work/manuals.sh"
    [ -s "$work/manuals.sh" ] || fail "the manuals have no block for replay"
    answer=$(cd "$work" && HOLDFAST_URL=$url HOLDFAST_ADDR=127.0.0.1:$quic_port bash -euo pipefail manuals.sh </dev/null) \
        || fail "the manuals: $answer"
    check "the manuals" "$answer" "$root/tests/manuals.expect"
}

start_gateway
grep -q "demo" "$work/gateway.out" || fail "the first start says nothing of the demo agent"
replay_seeds
replay_manuals
kill -TERM "$gateway"
wait "$gateway" || fail "the gateway did not stop cleanly"
gateway=
"$binary" journal verify --data-dir "$work/holdfast-data" >/dev/null || fail "the journal does not prove itself"
echo "replay: everything that the manuals say works"
