#!/bin/sh
# Builds the fuzz targets for libFuzzer and AddressSanitizer and runs them.
# README.md says how.
set -eu
cd "$(dirname "$0")"

host=$(rustc -vV | sed -n 's/^host: //p')
out=${CARGO_TARGET_DIR:-target}
targets=$(ls fuzz_targets | sed 's/\.rs$//')

usage() {
    echo "usage: run.sh <target>|all [seconds] | minute | merge | repeat <target> <file>" >&2
    echo "targets:" $targets >&2
    exit 2
}

# The flags of cargo-fuzz; RUSTC_BOOTSTRAP lets the stable compiler take them.
build() {
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address" \
        cargo build --locked --release --target "$host" --target-dir "$out"
}

known() {
    [ -f "fuzz_targets/$1.rs" ] || usage
}

binary() {
    echo "$out/$host/release/$1"
}

fuzz() {
    mkdir -p "$out/corpus/$1" "artifacts/$1"
    "$(binary "$1")" "$out/corpus/$1" "corpus/$1" \
        -max_total_time="$2" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
        -fork="${JOBS:-1}" -artifact_prefix="artifacts/$1/" -print_final_stats=1
}

case "${1:-}" in
minute)
    build
    set -- $targets
    for target in $targets; do fuzz "$target" $((60 / $# > 0 ? 60 / $# : 1)); done
    ;;
all)
    build
    for target in $targets; do fuzz "$target" "${2:-60}"; done
    ;;
merge)
    build
    for target in $targets; do
        mkdir -p "$out/corpus/$target"
        "$(binary "$target")" -merge=1 -max_len=65536 "corpus/$target" "$out/corpus/$target"
    done
    ;;
repeat)
    [ $# -eq 3 ] || usage
    known "$2"
    build
    "$(binary "$2")" -timeout=10 -rss_limit_mb=2048 "$3"
    ;;
"") usage ;;
*)
    known "$1"
    build
    fuzz "$1" "${2:-60}"
    ;;
esac
