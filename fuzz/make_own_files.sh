#!/bin/sh
# The demo's own files, as users have them: ONNX, archives of each stage, HEF, script, JSON, npy, npz; a folder each, for the replays.
# usage: make_own_files.sh SLUICE DEMO OUT
set -e
sluice=$1 demo=$2 out=$3
rm -rf "$out"
mkdir -p "$out/onnx" "$out/har" "$out/hef" "$out/script" "$out/json" "$out/npy" "$out/npz" "$out/image"
cp "$demo/signs.onnx" "$out/onnx"
cp "$demo/signs.alls" "$out/script"
cp "$demo/signs.json" "$demo/labels.json" "$out/json"
cp "$demo/calib/00.jpg" "$out/image"
"$sluice" parser onnx "$demo/signs.onnx" --har-path "$out/har/signs.har" -q
"$sluice" optimize "$out/har/signs.har" --calib-set-path "$demo/calib" --calib-set-size 2 --model-script "$demo/signs.alls" \
    --output-har-path "$out/har/signs_optimized.har" -q
"$sluice" compiler "$out/har/signs_optimized.har" --output-dir "$out/hef" --output-har-path "$out/har/signs_compiled.har" -q
"$sluice" run "$out/hef/signs.hef" --input "$demo/calib/00.jpg" --output-dir "$out/npy" -q
cp "$out/npy/index.json" "$out/json"
rm "$out/npy/index.json"
"$sluice" har extract "$out/har/signs_optimized.har" --output-dir "$out/extracted" -q
cp "$out/extracted/signs.q.npz" "$out/npz"
cp "$out/extracted/signs.hn" "$out/json"
