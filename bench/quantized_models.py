#!/usr/bin/env python3
"""Accuracy of every model with a float golden: sluice (level 0) beside ONNX Runtime's static QDQ quantization, evaluated exactly.

    quantized_models.py DATA [MODEL ...]      (SLUICE names the program, default build/sluice)

Both are calibrated on the same 64 samples (tests/models/recipes.py) and measured on the goldens' cases and on 16 other samples that
calibration did not see: SNR of each output against the float network, in dB, over all samples of a set. ONNX Runtime: u8 activations by
MinMax, s8 weights a channel, graph optimizations off, so that the QDQ graph is computed in float (its integer kernels may saturate); it reads
no TFLite. Prints a Markdown table row by row. ONNX Runtime is left out where it is not installed.
"""
import os
import pathlib
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
if len(sys.argv) > 1:
    os.environ["SLUICE_DATA"] = sys.argv[1]
sys.path.insert(0, str(ROOT / "tests" / "models"))
import models  # noqa: E402: SLUICE_DATA is read when it is imported
import quantized_test  # noqa: E402
import recipes  # noqa: E402

CALIBRATION, MEASURED = 64, 16


def fixed(file, x, out):
    """The ONNX file at opset 13 or later, which weights a channel need, and with the input's dimensions written into it."""
    import onnx
    m = onnx.load(str(file))
    constants = {i.name for i in m.graph.initializer}
    inputs = [i for i in m.graph.input if i.name not in constants]
    del m.graph.input[:]
    m.graph.input.extend(inputs)
    m.ir_version = max(m.ir_version, 7)
    for dim, n in zip(inputs[0].type.tensor_type.shape.dim, x.shape):
        dim.dim_value = n
    if next(o.version for o in m.opset_import if o.domain in ("", "ai.onnx")) < 13:
        m = onnx.version_converter.convert_version(m, 13)
    onnx.save(m, str(out))
    return inputs[0].name


def session(file):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def peer(name, sets, work):
    """SNR by output for each measured set; calibrated on the first of `sets`."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    channels_first = models.golden_inputs(name).shape[1:] != sets[0].shape[1:]

    def feeds(x):
        x = recipes.real(name, x).astype(np.float32)
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if channels_first else x
        return [{port: x[i:i + 1]} for i in range(len(x))]

    class Reader(CalibrationDataReader):
        def __init__(self, x):
            self.left = iter(x)

        def get_next(self):
            return next(self.left, None)

    port = fixed(models.DATA / models.manifest(name)["model"], models.golden_inputs(name)[:1], work / "fixed.onnx")
    quant_pre_process(str(work / "fixed.onnx"), str(work / "ready.onnx"), skip_symbolic_shape=True)
    quantize_static(str(work / "ready.onnx"), str(work / "peer.onnx"), Reader(feeds(sets[0])), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    engines = [session(work / f) for f in ("fixed.onnx", "peer.onnx")]
    rows = []
    for x in sets[1:]:
        want, got = ([s.run(None, f) for f in feeds(x)] for s in engines)
        rows.append([quantized_test.snr(np.stack([w[k] for w in want]), np.stack([g[k] for g in got])) for k in range(len(want[0]))])
    return rows


def text(values):
    return ", ".join(f"{v:.1f}" for v in values)


def row(name, work):
    har, _, hef = recipes.prepare(name, work, CALIBRATION)
    sets = [np.load(work / "calib.npy"), recipes.goldens(name), recipes.measurement(name, MEASURED, work)]
    ours = [quantized_test.ratios(name, har, hef, x, work) for x in sets[1:]]
    theirs = ["", ""]
    if recipes.is_onnx(name):
        try:
            theirs = [text(v) for v in peer(name, sets, work)]
        except ImportError:
            theirs = ["not installed", ""]
    return f"| {name} | {text(ours[0])} | {theirs[0]} | {text(ours[1])} | {theirs[1]} |"


def main():
    models.need_data()
    print("| model | goldens: sluice | ONNX Runtime | other data: sluice | ONNX Runtime |\n|---|---|---|---|---|")
    for name in sys.argv[2:] or recipes.RECIPES:
        with tempfile.TemporaryDirectory() as t:
            print(row(name, pathlib.Path(t)), flush=True)


main()
