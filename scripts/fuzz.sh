#!/usr/bin/env bash
# Fuzzes what reads a stranger's bytes: each target for so many seconds, as many at once as there are processors. It begins
# with the corpus that is kept in fuzz/corpus, and fails where an input panics, takes longer than 5 s or more than 1 GiB.
#   scripts/fuzz.sh run SECONDS [TARGET...]
#   scripts/fuzz.sh keep [TARGET...]     adds new inputs to fuzz/corpus, without those that cover nothing new
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    sed -n '4,5s/^# */usage: /p' "$0" >&2
    exit 64
}

readonly folder=$PWD/target/fuzz
readonly programs=$folder/x86_64-unknown-linux-gnu/debug
# An input that takes more of one of these is a fault.
readonly limits=(-timeout=5 -rss_limit_mb=1024 -max_len=65536)

targets() { # every target of fuzz/Cargo.toml
    sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | grep -v '^weir-fuzz$'
}

unpack() { # TARGET: what is kept, beside what was found here before
    mkdir -p "$folder/corpus/$1"
    if [[ -f fuzz/corpus/$1.tar.gz ]]; then
        tar -xzf "fuzz/corpus/$1.tar.gz" -C "$folder/corpus/$1"
    fi
}

run() { # SECONDS TARGET
    local log=$folder/$2.log
    unpack "$2"
    if ! "$programs/$2" "${limits[@]}" -max_total_time="$1" -print_final_stats=1 \
        -artifact_prefix="$folder/$2-" "$folder/corpus/$2" >"$log" 2>&1 </dev/null; then
        grep -v '^#[0-9]' "$log" | tail -n 40
        echo "fuzz: FAILED: $2: the input is in $folder, the log is $log" >&2
        return 1
    fi
    awk -v target="$2" -v seconds="$1" '
        / cov: / { for (n = 1; n < NF; n++) if ($n == "cov:") covered = $(n + 1) }
        /^stat::number_of_executed_units/ { runs = $2 }
        /^stat::slowest_unit_time_sec/ { slowest = $2 }
        /^stat::peak_rss_mb/ { memory = $2 }
        END { printf "fuzz: %s: %d inputs in %d s, %d branches covered, slowest input %d s, %d MiB at most\n",
            target, runs, seconds, covered, slowest, memory }' "$log"
}

keep() { # TARGET
    local least=$folder/least
    unpack "$1"
    rm -rf "$least"
    mkdir -p "$least" fuzz/corpus
    "$programs/$1" "${limits[@]}" -merge=1 "$least" "$folder/corpus/$1" >"$folder/$1.log" 2>&1
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$least" -cf - . | gzip -9n >"fuzz/corpus/$1.tar.gz"
    echo "fuzz: $1: $(find "$least" -type f | wc -l) inputs, $(du -k "fuzz/corpus/$1.tar.gz" | cut -f1) KiB"
}

[[ $# -ge 1 ]] || usage
what=$1
shift
case $what in
run)
    [[ ${1:-} =~ ^[0-9]+$ ]] || usage
    seconds=$1
    shift
    ;;
keep) ;;
*) usage ;;
esac
read -ra wanted <<<"${*:-$(targets | tr '\n' ' ')}"

# Its own cargo settings are read only where it is built from its folder.
(cd fuzz && cargo build --locked --target-dir "$folder")
if [[ $what == keep ]]; then
    for target in "${wanted[@]}"; do keep "$target"; done
    exit
fi

failed=0
for target in "${wanted[@]}"; do
    while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do
        wait -n || failed=1
    done
    run "$seconds" "$target" &
done
while [[ -n $(jobs -p) ]]; do
    wait -n || failed=1
done
if [[ $failed -ne 0 ]]; then
    exit 1
fi
