#!/usr/bin/env python3
"""ONNX files that are quantized already, in the three ways people have them (Q/DQ pairs, QLinear operators, dynamic): each goes through
parse, optimize and the quantized emulator, and stays near the float network."""
import pathlib
import sys
import tempfile

import numpy as np

import models
import onnx_file as f

rng = np.random.default_rng(5)


def quantize(x, scale, zero):
    info = np.iinfo(zero.dtype)
    return np.clip(np.rint(x / scale) + zero, info.min, info.max).astype(zero.dtype)


# x [1, 3, 12, 12] -> conv, relu by its zero point -> max pool -> conv -> + -> y
W1, W2 = (rng.standard_normal(s).astype(np.float32) * 0.3 for s in ((6, 3, 3, 3), (6, 6, 3, 3)))
STEPS = {"x": (np.float32(0.03), np.uint8(128)), "a": (np.float32(0.05), np.uint8(0)), "b": (np.float32(0.25), np.uint8(120)),
         "c": (np.float32(0.25), np.uint8(100))}
PADS = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])
POOL = dict(kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])


def constants(weights):
    out = {}
    for k, (s, z) in STEPS.items():
        out.update({k + "_s": s, k + "_z": z})
    for k, w in weights.items():
        s = np.abs(w).reshape(len(w), -1).max(1).astype(np.float32) / 127
        out.update({k: quantize(w, s.reshape(-1, 1, 1, 1), np.int8(0)), k + "_s": s, k + "_z": np.zeros(len(w), np.int8)})
    return out


def pair(x, y, k):
    return [f.node("QuantizeLinear", [x, k + "_s", k + "_z"], [y + "_q"]), f.node("DequantizeLinear", [y + "_q", k + "_s", k + "_z"], [y])]


def weights(k):
    return [f.node("DequantizeLinear", [k, k + "_s", k + "_z"], [k + "_f"], axis=0)]


def pairs():
    return (pair("x", "xr", "x") + weights("w1") + [f.node("Conv", ["xr", "w1_f"], ["p"], **PADS)] + pair("p", "a", "a") +
            [f.node("MaxPool", ["a"], ["m"], **POOL)] + pair("m", "mr", "a") + weights("w2") + [f.node("Conv", ["mr", "w2_f"], ["q"], **PADS)] +
            pair("q", "b", "b") + [f.node("Add", ["b", "a"], ["s"])] + pair("s", "y", "c"))


def operators():
    def conv(x, k, w, y, l):
        return f.node("QLinearConv", [x, k + "_s", k + "_z", w, w + "_s", w + "_z", l + "_s", l + "_z"], [y], **PADS)
    return [f.node("QuantizeLinear", ["x", "x_s", "x_z"], ["xq"]), conv("xq", "x", "w1", "aq", "a"), f.node("MaxPool", ["aq"], ["mq"], **POOL),
            conv("mq", "a", "w2", "bq", "b"),
            f.node("QLinearAdd", ["bq", "b_s", "b_z", "aq", "a_s", "a_z", "c_s", "c_z"], ["yq"], domain="com.microsoft"),
            f.node("DequantizeLinear", ["yq", "c_s", "c_z"], ["y"])]


def dynamic():
    def conv(x, w, y):
        return [f.node("DynamicQuantizeLinear", [x], [y + "q", y + "s", y + "z"]), f.node("ConvInteger", [y + "q", w, y + "z"], [y + "i"], **PADS),
                f.node("Cast", [y + "i"], [y + "f"], to=1), f.node("Reshape", [w + "_s", "column"], [w + "_c"]),
                f.node("Mul", [y + "s", w + "_c"], [y + "t"]), f.node("Mul", [y + "f", y + "t"], [y])]
    return (conv("x", "w1", "p") + [f.node("Relu", ["p"], ["a"]), f.node("MaxPool", ["a"], ["m"], **POOL)] + conv("m", "w2", "b") +
            [f.node("Add", ["b", "a"], ["y"])])


def convolve(x, w):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.einsum("nchwij,ocij->nohw", np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)), w)


def reference(x):
    a = np.maximum(convolve(x, W1), 0)
    m = np.lib.stride_tricks.sliding_window_view(np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1), (3, 3), (2, 3)).max((-1, -2))
    return convolve(m, W2) + a


def snr(got, want):
    return 10 * np.log10((want ** 2).sum() / ((got - want) ** 2).sum())


def main():
    x = rng.uniform(-3, 3, (16, 12, 12, 3)).astype(np.float32)
    first = np.ascontiguousarray(x[:1].transpose(0, 3, 1, 2))
    want = reference(first)
    with tempfile.TemporaryDirectory() as t:
        work = pathlib.Path(t)
        np.save(work / "calib.npy", x)
        np.save(work / "x.npy", first)
        for form in (pairs, operators, dynamic):
            k = constants({"w1": W1, "w2": W2})
            k["column"] = np.array([1, 6, 1, 1])
            name = form.__name__
            (work / f"{name}.onnx").write_bytes(f.model(f.graph(form(), {"x": first}, {"y": want.astype(np.float32)}, k), 13))
            har, quantized = work / f"{name}.har", work / f"{name}_q.har"
            models.sluice("parser", "onnx", work / f"{name}.onnx", "--har-path", har)
            models.sluice("optimize", har, "--calib-set-path", work / "calib.npy", "--output-har-path", quantized)
            for mode, archive in (("native", har), ("quantized", quantized)):
                out = work / name / mode
                models.sluice("emulate", archive, "--mode", mode, "--origin-layout", "--output-dir", out, "--input", work / "x.npy")
                decibels = snr(models.outputs(out)[0].reshape(want.shape), want)
                print(f"{name:10s} {mode:10s} {decibels:.1f} dB")
                assert decibels > 28, "nearer than that is wanted"


main()
