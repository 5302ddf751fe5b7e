#!/usr/bin/env python3
"""int16 activations as LiteRT's reference kernels compute them, against NumPy models of those kernels: SOFTMAX, LOGISTIC, TANH
and EXP to the bit, QUANTIZE and sums with 64-bit biases on 99.9 % of the values (ties go the other way) and never more than a step.
Emulator, HEF at every kernel level and oracle equal."""
import math
import pathlib
import sys
import tempfile

import numpy as np

import models
import oracle

sys.path.insert(0, str(models.ROOT / "fuzz"))
import tflite_writer as tw  # noqa: E402

rng = np.random.Generator(np.random.PCG64(31))
KIND = {np.dtype(t): k for t, k in ((np.int8, tw.INT8), (np.int16, tw.INT16), (np.int32, tw.INT32), (np.int64, tw.INT64))}
ALL = np.arange(-32768, 32768).astype(np.int16)[None]


def f32(v):
    return float(np.float32(v))


def away(v):
    """Halves away from zero."""
    return np.sign(v) * np.floor(np.abs(v) + 0.5)


def fixed(factor):
    """31 bits and an exponent."""
    mantissa, exponent = math.frexp(factor)
    return round(mantissa * 2**31), exponent


def twice_rounded(x, factor):
    m, e = fixed(factor)
    p = ((x.astype(np.int64) << max(e, 0)) * m + 2**30) >> 31
    return away(p / 2.0**max(-e, 0)).astype(np.int64)


# ---- tables ----

def lookup_table(f, low, high, ones):
    """513 entries, each moved by half of what the chord to the next one misses in the middle."""
    x = low + np.arange(513) * ((high - low) / 512)
    middle = away(f(x[:-1] + (high - low) / 1024) * ones)
    t = away(f(x) * ones)
    t[:-1] -= away((away((f(x[1:]) * ones + t[:-1]) / 2) - middle) / 2)
    return np.clip(t, -32768, 32767).astype(np.int64)


def look(t, v):
    i = 256 + (v >> 7)
    return t[i] + (((t[i + 1] - t[i]) * (v & 127) + 64) >> 7)


def softmax(x, scale):
    exp, inverse = lookup_table(np.exp, -10.0, 0.0, 32768.0), lookup_table(lambda v: 1 / (1 + v), 0.0, 1.0, 32768.0)
    d = x.astype(np.int64) - x.max(-1, keepdims=True)
    e = look(exp, np.clip(twice_rounded(d, scale * 6553.5) + 32767, -32768, 32767))
    s = e.sum(-1, keepdims=True)
    top = np.floor(np.log2(s)).astype(np.int64)
    r = look(inverse, np.clip((((s << (30 - top)) + 2**13) >> 14) - 98304, -32768, 32767))
    return np.clip((e * r + (1 << (top - 1))) >> top, 0, 32767)


def sigmoid_table():
    f = lambda v: 1 / (1 + np.exp(-v / 24))  # noqa: E731
    i = np.arange(256.0)
    return np.where(i == 255, 65535, away(65536 * (f(i) + (f(i + 0.5) - (f(i) + f(i + 1)) / 2) / 2))).astype(np.int64)


def places(x, scale):
    m, shift, x = scale * 12288, 0, x.astype(np.int64)
    if math.log2(scale) == round(math.log2(scale)) >= -12:
        return x * (3 << (round(math.log2(scale)) + 12))
    while m <= 32767 / 2:
        m, shift = m * 2, shift + 1
    return (x * int(m) + (1 << shift >> 1)) >> shift


def between(p, bits, far):
    t, a = sigmoid_table(), np.abs(p)
    i = np.minimum(a >> bits, 254)
    return np.where(a >> bits >= 255, far << (bits + 1 if far == 0x7fff else bits), (t[i] << bits) + (a & ((1 << bits) - 1)) * (t[i + 1] - t[i]))


def logistic(x, scale):
    p = places(x, scale)
    v = between(p, 9, 0x7fff)
    return np.where(p >= 0, v + 512, (1 << 25) - v + 511) >> 10


def tanh(x, scale):
    p = places(x, scale)
    v = between(p, 8, 0xffff)
    return np.where(p >= 0, v - (1 << 23) + 128, (1 << 23) - v + 127) >> 8


def exponential(x, scale, out):
    return look(lookup_table(np.exp, -32768 * scale, 32767 * scale, 65536 / 65535 / out), x.astype(np.int64))


# ---- files ----

def one_operator(code, x, scale, out_scale, options=None, out=np.int16):
    t = [tw.tensor("x", list(x.shape), KIND[x.dtype], None, [scale], [0]), tw.tensor("y", list(x.shape), KIND[np.dtype(out)], None, [out_scale], [0])]
    return tw.model(t, [tw.op(code, [0], [1], options)], [0], [1])


def connected(x, w, bias, scales):
    t = [tw.tensor("x", list(x.shape), tw.INT16, None, [scales[0]], [0]), tw.tensor("w", list(w.shape), tw.INT8, w.tobytes(), [scales[1]], [0]),
         tw.tensor("b", [len(w)], KIND[bias.dtype], bias.tobytes(), [scales[0] * scales[1]], [0]),
         tw.tensor("y", [len(x), len(w)], tw.INT16, None, [scales[2]], [0])]
    return tw.model(t, [tw.op(9, [0, 1, 2], [3], {0: ("b", 0)})], [0], [3])


def connected_sums(x, w, bias, scales):
    """Sums of 64 bits keep 15 bits of their factor."""
    m, e = fixed(scales[0] * scales[1] / scales[2])
    total = x.astype(np.int64) @ w.T.astype(np.int64) + bias
    if bias.dtype == np.int32:
        return np.clip(away(total * (scales[0] * scales[1] / scales[2])), -32768, 32767)
    return np.clip((total * min((m + 2**15) >> 16, 32767) + (1 << (14 - e))) >> (15 - e), -32768, 32767)


def check(name, model, x, want, most, work):
    (work / "op.tflite").write_bytes(model)
    np.save(work / "x.npy", x)
    models.sluice("parser", "tflite", work / "op.tflite", "--har-path", work / "op.har")
    models.sluice("compiler", work / "op.har", "--output-dir", work)
    feed = ["--origin-layout", "--raw", "--input", work / "x.npy", "--output-dir"]
    models.sluice("emulate", work / "op.har", "--mode", "quantized", *feed, work / "emulated")
    got = models.outputs(work / "emulated")[0]
    assert got.dtype == want.dtype, (name, got.dtype)
    network = oracle.Network.from_har(work / "op.har")
    offset = 128 if x.dtype == np.int8 else 32768
    values = network.run({network.inputs()[0].name: (x.astype(np.int32) + offset).astype(np.uint8 if x.dtype == np.int8 else np.uint16)})
    last = values[[layer for layer in network.layers if layer.kind != "output_layer"][-1].name]
    assert np.array_equal(last.ravel(), got.ravel().astype(np.int32) + (128 if got.dtype == np.int8 else 32768)), f"{name}: the oracle differs"
    for level in models.levels():
        models.sluice("run", work / "op.hef", *feed, work / level, env={"SLUICE_CPU": level})
        assert np.array_equal(models.outputs(work / level)[0], got), f"{name}: HEF at {level} differs"
    d = np.abs(got.reshape(want.shape).astype(np.int64) - want)
    good = d.max() <= most and (d == 0).mean() >= 0.999
    print(f"{name}: equal {(d == 0).mean():.3%}, worst {d.max()}  {'ok' if good else 'FAIL'}")
    return good


def cases():
    rows = rng.integers(-32768, 32768, (60, 21)).astype(np.int16)
    for scale in (3e-5, 2.5e-4, 1e-3):
        yield f"softmax {scale}", one_operator(25, rows, f32(scale), 2.0**-15, {0: ("f", 1.0)}), rows, softmax(rows, f32(scale)), 0
    for scale in (2.0**-12, 5e-5, 3.1e-4, 8e-4):
        yield f"logistic {scale}", one_operator(14, ALL, f32(scale), 2.0**-15), ALL, logistic(ALL, f32(scale)), 0
        yield f"tanh {scale}", one_operator(28, ALL, f32(scale), 2.0**-15), ALL, tanh(ALL, f32(scale)), 0
    for scale, out in ((1e-4, 1e-3), (2.5e-4, 0.1)):
        yield f"exp {scale}", one_operator(47, ALL, f32(scale), f32(out)), ALL, exponential(ALL, f32(scale), f32(out)), 0
    for scale, out in ((1.7668906e-05, 4.4887285e-05), (1.1e-05, 4.4887285e-05), (3.0712e-5, 4.1273e-5), (1e-6, 3e-2)):
        yield f"requantize {scale} {out}", one_operator(114, ALL, f32(scale), f32(out)), ALL, np.clip(twice_rounded(ALL, f32(scale) / f32(out)), -32768, 32767), 1
    narrow = np.arange(-128, 128).astype(np.int8)[None]
    yield "requantize int8", one_operator(114, narrow, f32(0.011), f32(0.03), out=np.int8), narrow, twice_rounded(narrow, f32(0.011) / f32(0.03)).astype(np.int8), 0
    yield "requantize to int8", one_operator(114, ALL, f32(1e-4), f32(0.03), out=np.int8), ALL, np.clip(twice_rounded(ALL, f32(1e-4) / f32(0.03)), -128, 127).astype(np.int8), 0
    x, w = rng.integers(-32768, 32768, (40, 60)).astype(np.int16), rng.integers(-127, 128, (30, 60)).astype(np.int8)
    scales = [f32(1.1e-4), f32(3.3e-3), f32(2.9e-3)]
    for bias in (rng.integers(-10**9, 10**9, 30), (rng.integers(-2**34, 2**34, 30) | 1), rng.integers(-10**6, 10**6, 30).astype(np.int32)):
        yield f"sums, {bias.dtype} bias", connected(x, w, bias, scales), x, connected_sums(x, w, bias, scales), 1


def main():
    with tempfile.TemporaryDirectory() as t:
        results = [check(name, model, x, want.astype(want.dtype if want.dtype == np.int8 else np.int16), most, pathlib.Path(t)) for name, model, x, want, most in cases()]
    return 0 if results and all(results) else 1


sys.exit(main())
