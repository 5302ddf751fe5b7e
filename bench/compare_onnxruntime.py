#!/usr/bin/env python3
"""sluice beside ONNX Runtime on one machine, in one run: flow time, int8 latency, accuracy.

    compare_onnxruntime.py DATA [flow] [latency] [accuracy]

flow      parse + optimize + compile of EfficientNet-Lite0 with 64 pictures, beside ONNX Runtime's static QDQ quantization with the same
          pictures, and as a multiple of its float time on them (two threads)
latency   int8, one and two threads, alternating runs: the minimum of each and their ratio; for every model that both sides run
accuracy  EfficientNet-Lite0 quantized by each with 64 of images/calib, measured on images/imagenet: agreement with float, SNR, top-1
Prints a table, and one JSON line a row.
"""
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
SCRIPT = "normalization1 = normalization([127.0, 127.0, 127.0], [128.0, 128.0, 128.0])\n"
MODELS = ["efficientnet_lite0", "yolox_nano", "version-RFB-320_simplified", "version-slim-320", "minilm_l3_encoder", "tiny_vit_random"]


def row(**fields):
    print(json.dumps(fields), flush=True)


def seconds(command, runs=3):
    times = []
    for _ in range(runs):
        t = time.perf_counter()
        subprocess.run([SLUICE, *map(str, command)], check=True, capture_output=True)
        times.append(time.perf_counter() - t)
    return times


def session(path, threads, optimize=True):
    import onnxruntime as ort
    so = ort.SessionOptions()
    so.log_severity_level = 3
    so.intra_op_num_threads, so.inter_op_num_threads = threads, 1
    if not optimize:
        so.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), so, providers=["CPUExecutionProvider"])


def pictures(files, size, work):
    """The same pixels for both sides: decoded and cropped by sluice, u8 [N, size, size, 3]."""
    out = work / "pictures.npy"
    subprocess.run([SLUICE, "image", *map(str, files), "--size", f"{size}x{size}", "--resize", "crop", "--output", str(out)], check=True,
                   capture_output=True)
    return np.load(out)


def quantize_static(model, out, feeds, method="Percentile"):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static as quantize
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.it = iter(feeds)

        def get_next(self):
            return next(self.it, None)

    import onnx
    pre = str(out) + ".pre.onnx"
    m = onnx.load(str(model))
    if next(o.version for o in m.opset_import if o.domain in ("", "ai.onnx")) < 13:  # per-channel DequantizeLinear needs 13
        model = str(out) + ".13.onnx"
        inputs = {i.name for i in m.graph.initializer}
        kept = [i for i in m.graph.input if i.name not in inputs]
        del m.graph.input[:]
        m.graph.input.extend(kept)
        m.ir_version = max(m.ir_version, 7)
        onnx.save(onnx.version_converter.convert_version(m, 13), model)
    t = time.perf_counter()
    quant_pre_process(str(model), pre)
    quantize(pre, str(out), Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
             weight_type=QuantType.QInt8, calibrate_method=getattr(CalibrationMethod, method))
    return time.perf_counter() - t


def normalized(u8):
    return ((u8.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2)


def prepare_efficientnet(data, work):
    script = work / "n.alls"
    script.write_text(SCRIPT)
    har, q = work / "e.har", work / "q.har"
    parse = ["parser", "onnx", data / "models/efficientnet_lite0.onnx", "--har-path", har, "--net-name", "efficientnet_lite0"]
    optimize = ["optimize", har, "--calib-set-path", data / "images/calib", "--calib-set-size", 64, "--resize", "crop", "--model-script",
                script, "--output-har-path", q]
    compiler = ["compiler", q, "--output-dir", work]
    return parse, optimize, compiler


def flow(data, work):
    steps = prepare_efficientnet(data, work)
    times = [seconds(s) for s in steps]
    ours = sum(min(t) for t in times)
    files = sorted((data / "images/calib").glob("*.jpg"))[:64]
    x = normalized(pictures(files, 224, work))
    s = session(data / "models/efficientnet_lite0.onnx", 2)
    float_times = []
    for _ in range(3):
        t = time.perf_counter()
        for i in range(len(x)):
            s.run(None, {"images": x[i:i + 1]})
        float_times.append(time.perf_counter() - t)
    peer = quantize_static(data / "models/efficientnet_lite0.onnx", work / "peer.onnx", [{"images": x[i:i + 1]} for i in range(len(x))])
    row(bench="flow", model="efficientnet_lite0", images=64, parse_s=round(min(times[0]), 3), optimize_s=round(min(times[1]), 3),
        compile_s=round(min(times[2]), 3), total_s=round(ours, 3), onnxruntime_float_64_s=round(min(float_times), 3),
        multiple_of_float=round(ours / min(float_times), 2), onnxruntime_quantize_s=round(peer, 2), ratio_to_quantize=round(ours / peer, 3))


def timed_runs(command_or_call, n):
    out = []
    for _ in range(n):
        t = time.perf_counter()
        command_or_call()
        out.append((time.perf_counter() - t) * 1e3)
    return out


def our_latency(hef, threads):
    r = subprocess.run([SLUICE, "benchmark", str(hef), "--json", "--time", "1", "--threads", str(threads)], check=True, capture_output=True,
                       text=True)
    return json.loads(r.stdout)


def latency(data, work):
    for name in MODELS:
        model, folder = data / f"models/{name}.onnx", work / name
        folder.mkdir(exist_ok=True)
        base = [SLUICE]
        subprocess.run(base + ["parser", "onnx", str(model), "--har-path", str(folder / "m.har"), "--net-name", "m"], check=True, capture_output=True)
        subprocess.run(base + ["optimize", str(folder / "m.har"), "--use-random-calib-set", "--calib-set-size", "8", "--output-har-path",
                               str(folder / "q.har")], check=True, capture_output=True)
        subprocess.run(base + ["compiler", str(folder / "q.har"), "--output-dir", str(folder)], check=True, capture_output=True)
        f = session(model, 1)
        rng = np.random.default_rng(0)
        feed = {i.name: rng.random(i.shape, np.float32) for i in f.get_inputs()}
        quantize_static(model, folder / "peer.onnx", [feed], "MinMax")
        for threads in (1, 2):
            peer = session(folder / "peer.onnx", threads)
            timed_runs(lambda: peer.run(None, feed), 5)
            ours, theirs = [], []
            for _ in range(4):
                theirs += timed_runs(lambda: peer.run(None, feed), 25)
                b = our_latency(folder / "m.hef", threads)
                ours.append((b["latency_ms"]["min"], b["latency_ms"]["median"]))
            best, median = min(o[0] for o in ours), statistics.median(o[1] for o in ours)
            row(bench="latency", model=name, threads=threads, level=b["kernel_level"], sluice_min_ms=round(best, 3),
                sluice_median_ms=round(median, 3), onnxruntime_min_ms=round(min(theirs), 3),
                onnxruntime_median_ms=round(statistics.median(theirs), 3), speedup_of_minima=round(min(theirs) / best, 2))


def compare(name, yf, yq, labels):
    snr = 10 * np.log10((yf.astype(np.float64) ** 2).sum(1) / ((yf.astype(np.float64) - yq) ** 2).sum(1))
    row(bench="accuracy", engine=name, images=len(yf), agreement_percent=round(100 * float((yf.argmax(1) == yq.argmax(1)).mean()), 2),
        mean_snr_db=round(float(snr.mean()), 2), top1_percent=round(100 * float((yq.argmax(1) == labels).mean()), 2))


def accuracy(data, work):
    for step in prepare_efficientnet(data, work):
        subprocess.run([SLUICE, *map(str, step)], check=True, capture_output=True)
    labels = {r["file"]: int(r["class_index"]) for r in csv.DictReader(open(data / "images/imagenet/labels.csv"))}
    files = [f for f in sorted((data / "images/imagenet").glob("*.jpg")) if f.name in labels]
    truth = np.array([labels[f.name] for f in files])
    u8 = pictures(files, 224, work)
    x = normalized(u8)
    f = session(data / "models/efficientnet_lite0.onnx", 2)
    yf = np.concatenate([f.run(None, {"images": x[i:i + 1]})[0] for i in range(len(x))])
    row(bench="accuracy", engine="float (onnxruntime)", images=len(yf), top1_percent=round(100 * float((yf.argmax(1) == truth).mean()), 2))
    np.save(work / "u8.npy", u8)
    subprocess.run([SLUICE, "run", str(work / "efficientnet_lite0.hef"), "--input", str(work / "u8.npy"), "--output-dir", str(work / "o")],
                   check=True, capture_output=True)
    index = json.loads((work / "o/index.json").read_text())["outputs"]
    compare("sluice", yf, np.load(work / "o" / index[0]["file"]), truth)
    calib = normalized(pictures(sorted((data / "images/calib").glob("*.jpg"))[:64], 224, work))
    quantize_static(data / "models/efficientnet_lite0.onnx", work / "peer.onnx", [{"images": calib[i:i + 1]} for i in range(64)])
    for name, optimize in (("onnxruntime static QDQ, its kernels", True), ("onnxruntime static QDQ, evaluated exactly", False)):
        s = session(work / "peer.onnx", 2, optimize)
        compare(name, yf, np.concatenate([s.run(None, {"images": x[i:i + 1]})[0] for i in range(len(x))]), truth)


def main():
    data = pathlib.Path(sys.argv[1])
    what = sys.argv[2:] or ["flow", "latency", "accuracy"]
    with tempfile.TemporaryDirectory() as t:
        for name in what:
            {"flow": flow, "latency": latency, "accuracy": accuracy}[name](data, pathlib.Path(t))


main()
