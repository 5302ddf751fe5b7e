#!/usr/bin/env python3
"""Parsing beside ONNX Runtime's loading, and how time and memory grow with the depth of a graph.

    parse_onnx.py [load] [depth] [flow]

load    a file of 100 MB of convolutions: `sluice parser onnx` (process start to HAR on disk) beside the creation of an ONNX Runtime
        session (in a process that has imported it already), alternating; peak resident memory as a multiple of the file
depth   chains of convolution and ReLU of 5,000 to 40,000 nodes: time of the parser, and the time a node costs
flow    the same for optimize (4 random samples, one thread) and compiler, 1,250 to 10,000 convolutions
Prints a table, and one JSON line a row. ONNX files are written here, field by field; onnxruntime and numpy come from PEERS_PYTHON's
environment, and rows that want them are skipped without.
"""
import json
import os
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "fuzz"))
from onnx_writer import pb, pb_varint  # noqa: E402

SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
RUNS = 7


# ---- ONNX files, field by field ----

def ints(name, values):
    return pb(5, pb(1, name) + b"".join(pb(8, v) for v in values) + pb(20, 7))


def value_info(name, dims):
    shape = b"".join(pb(1, pb(1, d)) for d in dims)
    return pb(1, name) + pb(2, pb(1, pb(1, 1) + pb(2, shape)))


def tensor(name, dims, raw):
    return b"".join(pb(1, d) for d in dims) + pb(2, 1) + pb(8, name) + pb(9, raw)


def write_chain(path, layers, channels, side, kernel):
    """x -> (Conv, Relu) * layers, opset 17; weights are noise, each file the same at each run."""
    r = random.Random(7)
    count = channels * channels * kernel * kernel
    noise = struct.pack("<4096f", *(r.uniform(-1, 1) / (channels * kernel) for _ in range(4096)))
    dims = [1, channels, side, side]
    with open(path, "wb") as f:
        parts, name = [], "x"
        for i in range(layers):
            conv = pb(1, name) + pb(1, f"w{i}") + pb(2, f"c{i}") + pb(3, f"Conv_{i}") + pb(4, "Conv")
            conv += ints("kernel_shape", [kernel] * 2) + ints("pads", [kernel // 2] * 4)
            parts.append(pb(1, conv))
            parts.append(pb(1, pb(1, f"c{i}") + pb(2, f"r{i}") + pb(3, f"Relu_{i}") + pb(4, "Relu")))
            name = f"r{i}"
        at = 0
        for i in range(layers):
            raw = (noise[at:] + noise * (count * 4 // len(noise) + 1))[:count * 4]
            at = (at + 4 * 37) % len(noise)
            parts.append(pb(5, tensor(f"w{i}", [channels, channels, kernel, kernel], raw)))
        parts += [pb(2, "chain"), pb(11, value_info("x", dims)), pb(12, value_info(name, dims))]
        size = sum(map(len, parts))
        f.write(pb(1, 8) + pb_varint(7 << 3 | 2) + pb_varint(size))
        for p in parts:
            f.write(p)
        f.write(pb(8, pb(1, "") + pb(2, 17)))


def make_chain(*arguments):
    """write_chain in a process of its own: what this one once held counts as a child's peak memory."""
    subprocess.run([sys.executable, __file__, "write", *map(str, arguments)], check=True)


# ---- measuring ----

def run(*args):
    """(seconds, peak resident bytes, processor seconds) of one command"""
    start = time.perf_counter()
    p = subprocess.Popen([SLUICE, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, message.decode()
    return seconds, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime


def row(**fields):
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in fields.items()}), flush=True)


LOADER = """
import sys, time, onnxruntime as o
s = o.SessionOptions()
s.log_severity_level = 3
s.intra_op_num_threads = 2
if sys.argv[2] == "plain":
    s.graph_optimization_level = o.GraphOptimizationLevel.ORT_DISABLE_ALL
t = time.perf_counter()
o.InferenceSession(sys.argv[1], s, providers=["CPUExecutionProvider"])
print(time.perf_counter() - t)
"""


def load_seconds(path, optimize):
    r = subprocess.run([sys.executable, "-c", LOADER, str(path), "full" if optimize else "plain"], capture_output=True, text=True)
    return float(r.stdout) if r.returncode == 0 else None


def load(t):
    path = t / "large.onnx"
    make_chain(path, 44, 256, 14, 3)
    size = path.stat().st_size
    ours, full, plain, peak = [], [], [], 0
    for _ in range(RUNS):
        seconds, memory, _ = run("parser", "onnx", path, "--har-path", t / "large.har", "-y")
        ours.append(seconds)
        peak = max(peak, memory)
        full.append(load_seconds(path, True))
        plain.append(load_seconds(path, False))
    print(f"\nfile of {size / 1e6:.0f} MB, {RUNS} alternating runs           min [s]   median [s]")
    print(f"sluice parser onnx, process start to HAR         {min(ours):9.3f}  {statistics.median(ours):9.3f}")
    if None not in full:
        for name, times in (("ONNX Runtime session", full), ("ONNX Runtime session, no optimization", plain)):
            print(f"{name:48} {min(times):9.3f}  {statistics.median(times):9.3f}   ratio of minima {min(ours) / min(times):.2f}")
    else:
        print("SKIP: no onnxruntime in this Python (set PEERS_PYTHON)")
    print(f"peak resident memory {peak / 1e6:.0f} MB, {peak / size:.2f} x the file")
    row(bench="load", bytes=size, seconds=min(ours), median=statistics.median(ours), onnxruntime=full[0] and min(full),
        onnxruntime_plain=plain[0] and min(plain), peak_ratio=peak / size)


def depth(t):
    print(f"\n{'nodes':>8} {'min [s]':>9} {'processor [s]':>14} {'us a node':>10} {'peak [MB]':>10}")
    for layers in (2500, 5000, 10000, 20000):
        path = t / "chain.onnx"
        make_chain(path, layers, 8, 8, 3)
        runs = [run("parser", "onnx", path, "--har-path", t / "chain.har", "-y") for _ in range(3)]
        seconds, memory, processor = min(r[0] for r in runs), max(r[1] for r in runs), min(r[2] for r in runs)
        print(f"{2 * layers:8} {seconds:9.3f} {processor:14.3f} {processor / layers / 2 * 1e6:10.1f} {memory / 1e6:10.0f}")
        row(bench="depth", nodes=2 * layers, seconds=seconds, processor=processor, peak=memory)


def flow(t):
    print(f"\n{'convolutions':>12} {'optimize [s]':>13} {'processor':>10} {'peak [MB]':>10} {'compiler [s]':>13} {'processor':>10} {'peak [MB]':>10}")
    for layers in (1250, 2500, 5000, 10000):
        path, har, quantized = t / "chain.onnx", t / "chain.har", t / "chain_optimized.har"
        make_chain(path, layers, 8, 8, 3)
        run("parser", "onnx", path, "--har-path", har, "-y")
        o = run("optimize", har, "--use-random-calib-set", "--calib-set-size", 4, "--threads", 1, "--output-har-path", quantized)
        c = run("compiler", quantized, "--output-dir", t)
        print(f"{layers:12} {o[0]:13.3f} {o[2]:10.3f} {o[1] / 1e6:10.0f} {c[0]:13.3f} {c[2]:10.3f} {c[1] / 1e6:10.0f}")
        row(bench="flow", convolutions=layers, optimize=o[0], optimize_processor=o[2], compiler=c[0], compiler_processor=c[2])


def main():
    if sys.argv[1:2] == ["write"]:
        return write_chain(sys.argv[2], *map(int, sys.argv[3:]))
    parts = {"load": load, "depth": depth, "flow": flow}
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory() as t:
            parts[name](pathlib.Path(t))


if __name__ == "__main__":
    main()
