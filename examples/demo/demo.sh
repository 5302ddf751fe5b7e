#!/usr/bin/env bash
# demo.sh: parse -> optimize -> compile -> run, and a report. Called by ./do demo; without --model on the embedded sign detector.
#   --model FILE.onnx --images DIR   your own network and pictures; also --script FILE.alls and --resize stretch|fit|crop
#   --output DIR                     where to leave the files (default: build/demo)
set -euo pipefail
here=$(dirname "$0")
sluice=${SLUICE:-build/sluice}
model="" images="" script="" resize=stretch out=build/demo
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || { echo "demo: '$1' wants a value" >&2; exit 2; }
    case $1 in
    --model) model=$2 ;;
    --images) images=$2 ;;
    --script) script=$2 ;;
    --resize) resize=$2 ;;
    --output) out=$2 ;;
    *) echo "demo: '$1' is not a flag (--model FILE.onnx --images DIR [--script FILE.alls] [--resize HOW] [--output DIR])" >&2; exit 2 ;;
    esac
    shift 2
done
own=""
if [ -z "$model" ]; then
    own=yes model=$here/signs.onnx images=$here/calib script=$here/signs.alls
elif [ -z "$images" ]; then
    echo "demo: --model wants --images DIR: pictures to calibrate on and to run" >&2
    exit 2
fi
name=$(basename "$model" .onnx)
mkdir -p "$out"
size() { stat -c %s "$1"; }
now() { date +%s.%N; }
start=$(now)
step() { printf '\n\033[1m%s\033[0m\n' "$ $*"; "$@"; }

step "$sluice" parser onnx "$model" --har-path "$out/$name.har" --net-name "$name" -y
step "$sluice" optimize "$out/$name.har" --calib-set-path "$images" --resize "$resize" --output-har-path "$out/${name}_optimized.har" \
    ${script:+--model-script "$script"}
step "$sluice" compiler "$out/${name}_optimized.har" --output-dir "$out"
end=$(now)
step "$sluice" parse-hef "$out/$name.hef" --parse-streams

picture=$(find "$images" -maxdepth 1 -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \) | sort | head -n 1)
if [ -n "$picture" ]; then
    step "$sluice" run "$out/$name.hef" --input "$picture" --resize "$resize" --output-dir "$out/run"
    "$sluice" emulate "$out/${name}_optimized.har" --mode quantized --input "$picture" --resize "$resize" --output-dir "$out/quantized" -q
    "$sluice" emulate "$out/${name}_optimized.har" --mode fp_optimized --input "$picture" --resize "$resize" --output-dir "$out/float" -q
    printf '\nThe HEF on the software device and the emulator, which must give the same bytes:\n'
    "$sluice" diff "$out/quantized" "$out/run"
    printf 'The float network and the quantized one on that picture:\n'
    "$sluice" diff "$out/float" "$out/run" || true
fi

printf '\n\033[1mReport\033[0m\n'
if [ -n "$own" ]; then
    "$sluice" detect "$out/$name.hef" --spec "$here/signs.json" --float "$out/${name}_optimized.har" --picture "$out/demo.png" -q
fi
"$sluice" benchmark "$out/$name.hef" --time 2
printf 'sizes\n  ONNX %d bytes, HEF %d bytes (8-bit weights and program), parse + optimize + compile %.1f s\n' "$(size "$model")" \
    "$(size "$out/$name.hef")" "$(awk "BEGIN { print $end - $start }")"
[ -z "$own" ] || printf '\nThe picture with the boxes of the float and of the quantized network: %s\n' "$out/demo.png"
