#!/usr/bin/env bash
# do: every chore of the project. './do' alone lists them.
set -euo pipefail
cd "$(dirname "$0")"

packages=(gcc g++ clang libclang-rt-14-dev meson ninja-build pkg-config libjansson-dev libarchive-dev libxxhash-dev zlib1g-dev
          libjpeg62-turbo-dev libpng-dev libdnnl-dev libcmocka-dev python3 python3-numpy)
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

missing_packages() {
    local p
    for p in "${packages[@]}"; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || echo "$p"
    done
}

setup() {
    local missing sudo=""
    command -v dpkg-query >/dev/null || { echo "do: this script installs Debian 12 packages; elsewhere install: ${packages[*]}" >&2; return; }
    missing=$(missing_packages)
    [ -z "$missing" ] && return
    [ "$(id -u)" = 0 ] || sudo=sudo
    say "installing" $missing
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# configure DIR [meson options]: once; a changed meson.build is seen by ninja itself.
configure() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.log" 2>&1 || { cat "$dir.log" >&2; exit 1; }
    rm -f "$dir.log"
}

build() {
    setup
    configure build
    say "building"
    ninja -C build -j "$jobs" --quiet 2>/dev/null || ninja -C build -j "$jobs"
}

configure_sanitizers() {
    CC=clang configure build-sanitize -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debugoptimized -Dfuzzers=true \
        -Dc_args=-fno-sanitize-recover=undefined
}

# Counts of one meson test log, "passed failed skipped".
counts() {
    python3 - "$@" <<'PY'
import json, sys
passed = failed = skipped = 0
for path in sys.argv[1:]:
    for line in open(path):
        r = json.loads(line)["result"]
        passed += r in ("OK", "EXPECTEDFAIL")
        skipped += r == "SKIP"
        failed += r not in ("OK", "EXPECTEDFAIL", "SKIP")
print(passed, failed, skipped)
PY
}

run_tests() {
    local status=0 logs=() dir total
    build
    say "tests"
    meson test -C build --no-rebuild --print-errorlogs --num-processes "$jobs" || status=1
    logs+=(build/meson-logs/testlog.json)
    say "tests under address and undefined-behaviour sanitizers"
    configure_sanitizers
    ninja -C build-sanitize -j "$jobs" --quiet 2>/dev/null || ninja -C build-sanitize -j "$jobs"
    ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 LSAN_OPTIONS=suppressions="$PWD/tests/lsan.supp":print_suppressions=0 \
        meson test -C build-sanitize --no-rebuild --print-errorlogs --num-processes "$jobs" --suite hostile --suite fuzz \
        --timeout-multiplier 5 || status=1
    logs+=(build-sanitize/meson-logs/testlog.json)
    read -r -a total <<<"$(counts "${logs[@]}")"
    printf '%d passed, %d failed, %d skipped\n' "${total[0]}" "${total[1]}" "${total[2]}"
    [ "$status" = 0 ] && [ "${total[1]}" = 0 ]
}

# fuzz SECONDS [TARGET ...]: corpora are kept in build-sanitize/corpus and grow from run to run.
fuzz() {
    local seconds=${1:-60} target name folder status=0
    [ $# -gt 0 ] && shift
    setup
    configure_sanitizers
    ninja -C build-sanitize -j "$jobs"
    for target in build-sanitize/fuzz/fuzz_*; do
        [ -x "$target" ] && [ -f "$target" ] || continue
        name=${target##*/fuzz_}
        [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
        mkdir -p "build-sanitize/corpus/$name"
        local folders=("build-sanitize/corpus/$name")
        for folder in build-sanitize/fuzz/*"/$name"; do
            [ -d "$folder" ] && folders+=("$folder")
        done
        say "$name for $seconds s"
        "$target" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 -verbosity=0 \
            -dict="build-sanitize/fuzz/dictionaries/$name.dict" -artifact_prefix="build-sanitize/$name-" "${folders[@]}" || status=1
    done
    return "$status"
}

usage() {
    cat <<'TXT'
usage: ./do CHORE

  demo [--model FILE.onnx --images DIR]   install, build, parse -> optimize -> compile -> run, and show a picture and a report
  test        install, build, run all tests (also under sanitizers); ends with 'N passed, N failed, N skipped'
  build       install and build; leaves the program at build/sluice
  bench       the benchmarks of bench/
  fuzz [S [TARGET ...]]   every fuzz target, or those named (onnx, tflite, hef ...), for S seconds each (default 60)
  sanitize    the whole test suite under address and undefined-behaviour sanitizers
  format      format the sources (clang-format)
  install     install into /usr/local (or --prefix given to meson)
  setup       only install the Debian packages
TXT
}

case "${1:-}" in
setup) setup ;;
build) build ;;
test) run_tests ;;
demo) shift; build; exec bash examples/demo/demo.sh "$@" ;;
bench) shift; build; exec bash bench/bench.sh "$@" ;;
fuzz) shift; fuzz "$@" ;;
sanitize)
    setup
    configure_sanitizers
    ninja -C build-sanitize -j "$jobs"
    LSAN_OPTIONS=suppressions="$PWD/tests/lsan.supp":print_suppressions=0 ASAN_OPTIONS=allocator_may_return_null=1 \
        meson test -C build-sanitize --no-rebuild --print-errorlogs --timeout-multiplier 10 ;;
format) command -v clang-format >/dev/null || { apt-get install -y -qq clang-format; }
    git ls-files '*.c' '*.h' | xargs clang-format -i ;;
install) build; meson install -C build ;;
*) usage; [ -z "${1:-}" ] || [ "${1:-}" = --help ] || [ "${1:-}" = help ] || exit 2 ;;
esac
