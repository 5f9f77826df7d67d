#!/usr/bin/env bash
# Runs the benches and prints each budget of benches/README.md beside what was measured.
#
#   benches/check.sh [--strict] [BENCH...]     all benches, or those named; --strict fails where one is over its budget
set -euo pipefail
cd "$(dirname "$0")/.."

strict=0
benches=()
for argument in "$@"; do
    case $argument in
        --strict) strict=1 ;;
        -*) echo "check.sh: unknown option '$argument'; the only one is --strict" >&2; exit 2 ;;
        *) benches+=(--bench "$argument") ;;
    esac
done
[[ ${#benches[@]} -gt 0 ]] || benches=(--bench "*")

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/criterion"
begun=$(mktemp)
lines=$(mktemp)
trap 'rm -f "$begun" "$lines"' EXIT
cargo bench --all-features "${benches[@]}" | tee "$lines" >&2

# One line a bench: its name, a tab, nanoseconds (or bytes) of one operation.
measured() {
    find "$target/criterion" -path '*/new/benchmark.json' -newer "$begun" | while read -r description; do
        name=$(sed 's/.*"full_id":"\([^"]*\)".*/\1/' "$description")
        elements=$(sed -n 's/.*"throughput":{"Elements":\([0-9]*\)}.*/\1/p' "$description")
        median=$(sed 's/.*"median":{"confidence_interval":{[^}]*},"point_estimate":\([0-9.e+-]*\).*/\1/' \
            "$(dirname "$description")/estimates.json")
        awk -v name="$name" -v median="$median" -v elements="${elements:-1}" 'BEGIN { printf "%s\t%.3f\n", name, median / elements }'
    done | sort
    awk -F ': ' '/^(cold start|backtest)\/.*: [0-9.]+ s/ { printf "%s\t%.0f\n", $1, 1e9 * $2 }' "$lines"
}

# shellcheck disable=SC2016 # the awk program has dollars and backquotes of its own
measured | awk -F '\t' -v strict="$strict" '
    function time(ns) {
        if (ns < 1e3) return sprintf("%.1f ns", ns)
        if (ns < 1e6) return sprintf("%.2f µs", ns / 1e3)
        if (ns < 1e9) return sprintf("%.2f ms", ns / 1e6)
        return sprintf("%.2f s", ns / 1e9)
    }
    function nanoseconds(text,   part) {
        split(text, part, " ")
        return part[1] * (part[2] == "ns" ? 1 : part[2] == "µs" ? 1e3 : part[2] == "ms" ? 1e6 : 1e9)
    }
    BEGIN {
        while ((getline line < "benches/README.md") > 0)
            if (split(line, cell, " *[|] *") > 3 && cell[2] ~ /^`.*`$/ && cell[3] ~ /^[0-9.]+ (ns|µs|ms|s)$/)
                budget[substr(cell[2], 2, length(cell[2]) - 2)] = nanoseconds(cell[3])
        printf "%-45s %12s %12s %8s\n", "bench", "budget", "measured", "of it"
    }
    {
        if (!($1 in budget)) { printf "%-45s %12s %12s\n", $1, "none", time($2); next }
        is_over = $2 > budget[$1]
        over += is_over
        printf "%-45s %12s %12s %7.0f%% %s\n", $1, time(budget[$1]), time($2), 100 * $2 / budget[$1], is_over ? "OVER" : ""
    }
    END {
        printf "%d of %d are over their budget\n", over, NR
        exit strict && over > 0
    }'
