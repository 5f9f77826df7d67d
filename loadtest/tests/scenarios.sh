#!/usr/bin/env bash
# Plays every scenario at its small size, on every transport that can, and makes every kind of report of the results. Takes the directory of the built programs.
set -euo pipefail
programs=${1:-target/release}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Runs it, and shows what it said only where it failed.
quietly() {
    local start=$SECONDS
    if ! "$@" >"$out/said" 2>&1; then
        cat "$out/said"
        echo "failed: $*"
        exit 1
    fi
    echo "right ($((SECONDS - start)) s): ${*:2:5}"
}

loadtest=$programs/loadtest
scenarios=$("$loadtest" scenarios | cut -d ' ' -f 1)
for scenario in $scenarios; do
    quietly "$loadtest" run "$scenario" --small --bare --json "$out/$scenario.json" --html "$out/$scenario.html" \
        --hgrm "$out/$scenario.hgrm" --hlog "$out/$scenario.hlog"
    for kind in json html hgrm hlog; do
        test -s "$out/$scenario.$kind" || { echo "$scenario left no $kind"; exit 1; }
    done
done
quietly "$loadtest" run mixed --small --bare --transport rest --connections 16 --seconds 1 --json "$out/rest.json"
quietly "$loadtest" run crash --small --bare --transport rest --connections 16
quietly "$loadtest" run mixed --small --bare --transport in-process --seconds 1 --json "$out/in-process.json"
quietly "$loadtest" run throughput --small --json "$out/measured-against.json"
for part in ceiling noise; do
    grep -q "\"$part\": {" "$out/measured-against.json" || { echo "a run says nothing of its $part"; exit 1; }
done
# Redis is what many would use instead.
if command -v redis-server >/dev/null; then
    for fsync in always everysec; do
        quietly "$loadtest" run throughput --small --captures 0.2 --transport redis --fsync "$fsync" --json "$out/redis-$fsync.json"
    done
    quietly "$loadtest" compare "$out/measured-against.json" "$out/redis-always.json" "$out/redis-everysec.json"
else
    echo "skipped: there is no redis-server to compare with"
fi
quietly "$loadtest" compare "$out/mixed.json" "$out/rest.json" "$out/in-process.json" --html "$out/compare.html"
quietly "$loadtest" find-capacity throughput --small --p99 100ms --rate 500 --seconds 1 --warm-up 0 --captures 0.1
