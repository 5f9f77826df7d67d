#!/usr/bin/env bash
# Prints where a decision's time goes in the gateway's workers, by stage, from a profile of a load-test run:
#
#   perf record -F 999 -a -g -o perf.data -- target/release/loadtest run --start-gateway --seconds 8
#   benches/stages.sh perf.data 3932951            the approvals in the gateway's books, which the run prints
#
# Symbols that the linker folded into their callers count with those, so build with CARGO_PROFILE_RELEASE_DEBUG=line-tables-only.
set -euo pipefail

[[ $# -eq 2 ]] || { sed -n '2,7p' "$0" >&2; exit 2; }

perf report -i "$1" --sort comm,sym --no-children -g none -n --percent-limit 0 2>/dev/null | grep holdfast-worker |
    awk -v decisions="$2" '
    # The first stage that fits a symbol has it.
    function stage(symbol) {
        if (symbol ~ /\[k\]/) return symbol ~ /clear_page|fault|folio|alloc_pages|charge|vma/ ? "system: fresh memory" : "system: sockets, waking"
        if (symbol ~ /quinn|ring|rustls|aes|gcm|udp/) return "QUIC in and out"
        if (symbol ~ /wire::|from_utf8|bincode/) return "decode and encode messages"
        if (symbol ~ /server::|tokio|mio::/) return "stream and runtime"
        if (symbol ~ /engine::/) return "engine: admit, lease, turn"
        if (symbol ~ /holds::|index::/) return "find and place the hold"
        if (symbol ~ /limits::|policy::/) return "check the limits"
        if (symbol ~ /window::|velocity|count_calls|activity|shard::book/) return "book the windows"
        if (symbol ~ /name::|names|memcmp|hash/) return "names"
        if (symbol ~ /deadline|history/) return "deadlines, history"
        if (symbol ~ /journal::/) return "encode events"
        if (symbol ~ /kernel::/) return "the rest of deciding and applying"
        if (symbol ~ /memmove|memcpy|memset|mi_|malloc|free/) return "copies, allocator"
        return "other"
    }
    { samples[stage($0)] += $2; all += $2 }
    # A sample is a millisecond of a core.
    END {
        for (name in samples) printf "%5.0f ns %5.1f %%  %s\n", samples[name] * 1e6 / decisions, 100 * samples[name] / all, name
        printf "%5.0f ns 100.0 %%  a decision\n", all * 1e6 / decisions
    }' | sort -rn
