#!/usr/bin/env bash
# Measures the figures of README.md and docs/PERFORMANCE.md and writes them there. Takes about ten minutes; nothing else should run.
#
#   docs/performance.sh             three runs of each load, of which the tables show the one in the middle
#   RUNS=1 docs/performance.sh      one run of each
#   docs/performance.sh DIRECTORY   where the records are kept [default: target/performance]; records that are there already are not
#                                   measured again, so an interrupted measurement goes on, and deleting a record measures it anew
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."
out=${1:-target/performance}
runs=${RUNS:-3}
mkdir -p "$out"
cargo build --release --workspace

# measure NAME ARGUMENTS...: the name decides the place in the tables.
measure() {
    local name=$1
    shift
    for ((run = 1; run <= runs; run++)); do
        local record=$out/$name-$run.json
        [ -s "$record" ] || target/release/loadtest run "$@" --json "$record"
    done
}

measure 10-closed-loop throughput
measure 20-open-loop steady --rate 200000 --captures 0
measure 21-open-loop steady --rate 20000 --captures 0
measure 30-steady steady --seconds 60
measure 40-captures ingest
measure 50-in-process throughput --transport in-process
measure 60-rest throughput --transport rest --connections 64 --outstanding 1
if command -v redis-server >/dev/null; then
    measure 70-redis-everysec throughput --transport redis --connections 4 --outstanding 64 --fsync everysec
    measure 71-redis-always throughput --transport redis --connections 4 --outstanding 64 --fsync always
else
    echo "no redis-server on the path: its lines are left out (apt-get install redis-server)"
fi

target/release/loadtest document "$out"/*.json --into README.md --into docs/PERFORMANCE.md
target/release/loadtest compare "$out"/10-closed-loop-1.json "$out"/7*-1.json --html "$out/compare.html"

# The picture of a report, and the record that it shows.
cp "$out"/30-steady-1.json docs/pictures/loadtest-report.json
target/release/loadtest compare docs/pictures/loadtest-report.json --html "$out/steady.html"
if command -v chromium >/dev/null; then
    chromium --headless --no-sandbox --hide-scrollbars --window-size=1280,1560 \
        --screenshot=docs/pictures/loadtest-report.png "$out/steady.html"
fi
