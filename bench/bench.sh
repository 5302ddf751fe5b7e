#!/usr/bin/env bash
# bench.sh: the benchmarks. Peers come from a Python environment of your own (onnxruntime, onnx, numpy, pillow):
#     python3 -m venv /tmp/peers && /tmp/peers/bin/pip install onnxruntime onnx numpy pillow
#     PEERS_PYTHON=/tmp/peers/bin/python ./do bench
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PEERS_PYTHON:-python3}
data=${SLUICE_DATA:-../shared/data}

echo "== numeric forms and kernels"
for program in build/bench/bench_*; do
    [ -x "$program" ] && [ -f "$program" ] && "$program"
done
if [ -x build/tests/kernels/check_kernels ]; then build/tests/kernels/check_kernels --bench; fi

echo "== parsing, and how it grows"
"$python" bench/parse_onnx.py

[ -d "$data/models" ] || { echo "SKIP: no model data at $data (set SLUICE_DATA)"; exit 0; }
if "$python" -c 'import onnxruntime, onnx, PIL' 2>/dev/null; then
    "$python" bench/compare_onnxruntime.py "$data" "$@"
    "$python" bench/quantized_models.py "$data"
else
    echo "SKIP: the comparison with ONNX Runtime wants PEERS_PYTHON (see bench/bench.sh)"
fi
