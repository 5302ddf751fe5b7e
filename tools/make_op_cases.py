#!/usr/bin/env python3
"""Make tests/ops/cases/*.txt: inputs, attributes and expected outputs of every op of the float side.

Expected values come from onnxruntime (a single-node model, NCHW, transposed back) or, where ONNX has no such operator, from NumPy in
double precision. Needs numpy, onnx and onnxruntime; run again only to add cases: the files are committed.

    tools/make_op_cases.py [folder]
"""
import math
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

ort.set_default_logger_severity(3)
rng = np.random.default_rng(7)
NAMES = {"float32": "f32", "int64": "s64", "int32": "s32", "uint8": "u8", "int8": "s8", "bool": "bool", "uint64": "u64"}


def values(*shape, lo=-2.0, hi=2.0, digits=1):
    return np.round(rng.uniform(lo, hi, shape), digits).astype(np.float32)


def run_onnx(op, inputs, attrs=None, opset=18):
    """The first output of a one-node model. inputs: arrays, or None for an absent optional one."""
    names = ["" if x is None else f"i{k}" for k, x in enumerate(inputs)]
    given = {n: x for n, x in zip(names, inputs) if n}
    node = helper.make_node(op, names, ["y"], **(attrs or {}))
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in given.items()],
        [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, given)[0]


def number(v):
    return str(int(v)) if isinstance(v, (int, np.integer, bool, np.bool_)) else "%.7g" % v


def array_text(x):
    x = np.asarray(x)
    shape = "x".join(map(str, x.shape)) or "scalar"
    return f"{NAMES[x.dtype.name]} {shape} " + " ".join(number(v) for v in x.reshape(-1))


class File:
    def __init__(self, folder, family):
        self.out = open(os.path.join(folder, family + ".txt"), "w")
        self.out.write("# Made by tools/make_op_cases.py; expected values by onnxruntime %s or NumPy.\n" % ort.__version__)

    def case(self, name, op, inputs, expected, params=None, tolerance=None, **attrs):
        w = self.out.write
        w(f"case {name}\nop {op}\n")
        for k, v in attrs.items():
            if isinstance(v, str):
                w(f"attr {k} s {v}\n")
            else:
                several = isinstance(v, (list, tuple))
                items = list(v) if several else [v]
                kind = "f" if any(isinstance(i, float) for i in items) else "i"
                w(f"attr {k} {kind}{'l' if several else ''} " + " ".join(number(i) for i in items) + "\n")
        for k, v in (params or {}).items():
            w(f"param {k} {array_text(v)}\n")
        for x in inputs:
            w(f"in {array_text(x)}\n")
        if tolerance:
            w(f"tolerance {tolerance:g}\n")
        w(f"out {array_text(expected)}\n")


def nchw(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def nhwc(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


# ---- curves, in double: the formulas of the ONNX and PyTorch documents ----
def sig(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


CURVES = {
    "relu": lambda x: max(x, 0), "relu6": lambda x: min(max(x, 0), 6), "leaky_relu": lambda x: x if x >= 0 else 0.1 * x,
    "clip": lambda x: min(max(x, -0.5), 1.25), "elu": lambda x: x if x >= 0 else 0.7 * math.expm1(x),
    "selu": lambda x: 1.0507009873554805 * (x if x >= 0 else 1.6732632423543772 * math.expm1(x)),
    "celu": lambda x: max(0, x) + min(0, 2 * math.expm1(x / 2)), "sigmoid": sig, "silu": lambda x: x * sig(x),
    "swish_beta": lambda x: x * sig(1.5 * x), "tanh": math.tanh, "gelu": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
    "gelu_tanh": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
    "hard_sigmoid": lambda x: min(max(0.2 * x + 0.5, 0), 1), "hard_swish": lambda x: x * min(max(x / 6 + 0.5, 0), 1),
    "mish": lambda x: x * math.tanh(softplus(x)), "softplus": softplus, "softsign": lambda x: x / (1 + abs(x)),
    "log_sigmoid": lambda x: -softplus(-x), "exp": math.exp, "erf": math.erf, "abs": abs, "neg": lambda x: -x,
    "square": lambda x: x * x, "sin": math.sin, "cos": math.cos, "tan": math.tan, "atan": math.atan, "sinh": math.sinh,
    "cosh": math.cosh, "asinh": math.asinh, "floor": math.floor, "ceil": math.ceil, "round": lambda x: float(np.rint(x)),
    "sign": lambda x: float(np.sign(x)), "thresholded_relu": lambda x: x if x > 1 else 0,
    "threshold": lambda x: x if x > 0.5 else -3, "affine": lambda x: 2.5 * x - 0.75,
    "shrink": lambda x: x + 0.1 if x < -0.5 else x - 0.1 if x > 0.5 else 0,
    "log": math.log, "sqrt": math.sqrt, "rsqrt": lambda x: 1 / math.sqrt(x), "reciprocal": lambda x: 1 / x,
    "pow": lambda x: x ** 1.5, "asin": math.asin, "acos": math.acos, "acosh": math.acosh, "atanh": math.atanh,
}
CONSTANTS = {"leaky_relu": {"alpha": 0.1}, "clip": {"minimum": -0.5, "maximum": 1.25}, "elu": {"alpha": 0.7}, "celu": {"alpha": 2.0},
             "swish_beta": {"beta": 1.5}, "threshold": {"alpha": 0.5, "beta": -3.0}, "affine": {"alpha": 2.5, "beta": -0.75},
             "shrink": {"alpha": 0.5, "beta": 0.1}, "pow": {"alpha": 1.5}}
DOMAIN = {"log": (0.01, 30), "sqrt": (0, 30), "rsqrt": (0.01, 30), "reciprocal": (0.1, 9), "pow": (0, 9), "asin": (-1, 1),
          "acos": (-1, 1), "acosh": (1, 9), "atanh": (-0.9, 0.9), "tan": (-1.4, 1.4), "sinh": (-8, 8), "cosh": (-8, 8), "exp": (-90, 60)}


def activate(name, x):
    return np.vectorize(CURVES[name], otypes=[np.float64])(x.astype(np.float64)).astype(np.float32)


def make_activation(f):
    for name in CURVES:
        lo, hi = DOMAIN.get(name, (-12, 12))
        x = np.round(np.concatenate([np.linspace(lo, hi, 31), rng.uniform(lo, hi, 6)]), 2).astype(np.float32)
        if name not in DOMAIN:
            x = np.concatenate([x, np.float32([-0.5, 0.5, -1.5, 2.5, 6, -0.001, 0.001, -60, 60])])
        if name in ("sign", "round", "floor", "ceil"):
            x = np.concatenate([x, np.float32([0, 1, -1, 3.5])])
        f.case(f"activation {name}", "activation", [x], activate(name, x), type=name, **CONSTANTS.get(name, {}))
    whole = np.array([-9, -3, 0, 2, 7, 250], np.int64)
    f.case("activation integer relu", "activation", [whole], np.maximum(whole, 0), type="relu")
    f.case("activation integer neg", "activation", [whole], -whole, type="neg")
    f.case("activation integer abs", "activation", [whole.astype(np.int32)], np.abs(whole).astype(np.int32), type="abs")
    f.case("activation integer clip", "activation", [whole], np.clip(whole, -4, 100), type="clip", minimum=-4, maximum=100)
    f.case("activation linear", "activation", [np.float32([1, -2])], np.float32([1, -2]), type="linear")


# ---- weighted ----
def conv_reference(x, kernel, bias, strides, dilations, pads, groups, pad_value=None):
    """x [n,h,w,c], kernel [kh,kw,ic/g,oc] by onnxruntime's Conv."""
    if pad_value is not None:
        t, l, b, r = pads
        wide = np.tile(np.asarray(pad_value, np.float32), (x.shape[0], x.shape[1] + t + b, x.shape[2] + l + r, 1))
        wide[:, t:t + x.shape[1], l:l + x.shape[2]] = x
        x, pads = wide, [0, 0, 0, 0]
    w = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    inputs = [nchw(x), w] + ([bias] if bias is not None else [])
    return nhwc(run_onnx("Conv", inputs, {"strides": strides, "dilations": dilations, "pads": pads, "group": groups}))


def conv_case(f, name, n, h, w, ic, kh, kw, oc, s=(1, 1), d=(1, 1), pads=(0, 0, 0, 0), groups=1, bias=True, act=None, residual=False,
              pad_value=False, op="conv", mult=1, flat=False):
    x = values(n, h, w, ic)
    if op == "dw":
        groups, oc = ic, ic * mult
    kernel = values(kh, kw, ic // groups, oc, lo=-1, hi=1)
    b = values(oc) if bias else None
    pv = values(ic) if pad_value else None
    y = conv_reference(x, kernel, b, list(s), list(d), list(pads), groups, pv)
    inputs = [x[:, 0] if flat else x]
    if residual:
        r = values(*y.shape)
        inputs.append(r[:, 0] if flat else r)
        y = y + r
    attrs = dict(strides=[1, *s, 1], dilations=[1, *d, 1], pads=list(pads))
    if op == "conv":
        attrs["groups"] = groups
    if act:
        y = activate(act, y)
        attrs.update(activation=act, **CONSTANTS.get(act, {}))
    params = {"kernel": kernel.reshape(kh, kw, ic, mult) if op == "dw" else kernel}
    if bias:
        params["bias"] = b
    if pad_value:
        params["pad_value"] = pv
    f.case(name, op, inputs, y[:, 0] if flat else y, params, **attrs)


def make_conv(f):
    conv_case(f, "conv 3x3 same", 1, 6, 5, 3, 3, 3, 4, pads=(1, 1, 1, 1))
    conv_case(f, "conv 3x3 stride 2 asymmetric pads", 1, 7, 8, 3, 3, 3, 5, s=(2, 2), pads=(0, 0, 1, 1), act="relu6")
    conv_case(f, "conv wide channels", 1, 4, 3, 16, 3, 1, 16, pads=(1, 0, 1, 0), act="relu")
    conv_case(f, "conv 1x1", 2, 4, 4, 16, 1, 1, 17, act="silu")
    conv_case(f, "conv 1x1 stride 2", 1, 5, 5, 8, 1, 1, 8, s=(2, 2), bias=False)
    conv_case(f, "conv dilated", 1, 9, 9, 4, 3, 3, 4, d=(2, 3), pads=(2, 3, 2, 3))
    conv_case(f, "conv groups", 1, 5, 5, 6, 3, 3, 8, groups=2, pads=(1, 1, 1, 1))
    conv_case(f, "conv groups of 8", 1, 3, 3, 16, 3, 3, 16, groups=2, pads=(1, 1, 1, 1), act="gelu")
    conv_case(f, "conv 5x1 kernel", 1, 6, 4, 3, 5, 1, 2, pads=(2, 0, 2, 0))
    conv_case(f, "conv one channel", 1, 8, 8, 1, 3, 3, 8, pads=(1, 1, 1, 1))
    conv_case(f, "conv whole picture", 1, 4, 4, 6, 4, 4, 3)
    conv_case(f, "conv residual", 1, 5, 5, 8, 3, 3, 8, pads=(1, 1, 1, 1), residual=True, act="relu")
    conv_case(f, "conv residual linear", 1, 3, 3, 8, 1, 1, 16, residual=True)
    conv_case(f, "conv pad value", 1, 5, 4, 3, 3, 3, 4, pads=(1, 1, 1, 1), pad_value=True)
    conv_case(f, "conv pad value stride 2", 2, 6, 6, 3, 3, 3, 4, s=(2, 2), pads=(0, 1, 1, 0), pad_value=True, act="leaky_relu")
    for act in ("clip", "leaky_relu", "elu", "sigmoid", "silu", "tanh", "gelu", "gelu_tanh", "hard_swish", "hard_sigmoid", "abs",
                "square", "affine", "mish", "softplus", "selu"):
        conv_case(f, f"conv {act}", 1, 2, 3, 4, 3, 3, 4, pads=(1, 1, 1, 1), act=act)
    conv_case(f, "conv over tokens", 1, 1, 7, 12, 1, 1, 10, flat=True, act="gelu")
    conv_case(f, "conv over tokens residual", 2, 1, 5, 12, 1, 1, 12, flat=True, residual=True)
    conv_case(f, "conv 1d", 1, 1, 11, 4, 1, 3, 6, s=(1, 2), pads=(0, 1, 0, 1), flat=True, act="relu")
    conv_case(f, "dw 3x3", 1, 6, 6, 8, 3, 3, 0, pads=(1, 1, 1, 1), op="dw", act="relu6")
    conv_case(f, "dw 5x5 stride 2", 1, 9, 9, 5, 5, 5, 0, s=(2, 2), pads=(2, 2, 2, 2), op="dw", act="silu")
    conv_case(f, "dw multiplier 2", 1, 5, 5, 4, 3, 3, 0, pads=(1, 1, 1, 1), op="dw", mult=2, bias=False)
    conv_case(f, "dw dilated residual", 1, 7, 7, 16, 3, 3, 0, d=(2, 2), pads=(2, 2, 2, 2), op="dw", residual=True, act="relu")
    conv_case(f, "dw pad value", 1, 4, 4, 4, 3, 3, 0, pads=(1, 1, 1, 1), op="dw", pad_value=True)
    conv_case(f, "dw 1d", 1, 1, 9, 4, 1, 3, 0, pads=(0, 1, 0, 1), op="dw", flat=True)
    for n, ic, oc, act in ((1, 20, 7, None), (3, 16, 16, "relu"), (1, 5, 1, "sigmoid")):
        x, k, b = values(n, ic), values(ic, oc), values(oc)
        y = run_onnx("Gemm", [x, k, b])
        f.case(f"fc {ic} to {oc}", "fc", [x], activate(act, y) if act else y, {"kernel": k, "bias": b},
               **({"activation": act} if act else {}))
    x, k = values(1, 2, 3, 6), values(6, 4)
    f.case("fc over positions", "fc", [x], run_onnx("MatMul", [x, k]), {"kernel": k})


def make_deconv(f):
    def one(name, h, w, ic, kh, kw, oc, s, pads, extra=(0, 0), d=(1, 1), groups=1, act=None, residual=False):
        x, k, b = values(1, h, w, ic), values(kh, kw, ic, oc // groups, lo=-1, hi=1), values(oc)
        y = nhwc(run_onnx("ConvTranspose", [nchw(x), np.ascontiguousarray(k.transpose(2, 3, 0, 1)), b],
                          {"strides": list(s), "pads": list(pads), "dilations": list(d), "group": groups,
                           "output_padding": list(extra)}))
        inputs, attrs = [x], {}
        if residual:
            inputs.append(values(*y.shape))
            y = y + inputs[1]
        if act:
            y, attrs = activate(act, y), {"activation": act}
        f.case(name, "deconv", inputs, y, {"kernel": k, "bias": b}, strides=[1, *s, 1], dilations=[1, *d, 1], pads=list(pads),
               groups=groups, output_padding=list(extra), **attrs)

    one("deconv 2x2 stride 2", 4, 3, 5, 2, 2, 6, (2, 2), (0, 0, 0, 0))
    one("deconv 3x3 stride 2 pads", 4, 4, 3, 3, 3, 4, (2, 2), (1, 1, 1, 1), (1, 1), act="relu")
    one("deconv uneven", 3, 5, 4, 4, 3, 3, (3, 1), (1, 0, 0, 1))
    one("deconv dilated", 4, 4, 2, 3, 3, 2, (2, 2), (1, 1, 1, 1), d=(2, 2))
    one("deconv groups", 3, 3, 6, 3, 3, 8, (2, 2), (1, 1, 1, 1), groups=2)
    one("deconv depthwise", 3, 3, 4, 3, 3, 4, (2, 2), (0, 0, 0, 0), groups=4)
    one("deconv residual", 3, 3, 4, 2, 2, 4, (2, 2), (0, 0, 0, 0), residual=True, act="relu6")


def make_norm(f):
    x = values(2, 3, 2, 5)
    scale, offset, mean, var = values(5), values(5), values(5), values(5, lo=0.1, hi=3)
    f.case("batch_norm", "batch_norm", [x], nhwc(run_onnx("BatchNormalization", [nchw(x), scale, offset, mean, var], {"epsilon": 1e-3})),
           {"scale": scale, "offset": offset, "mean": mean, "variance": var}, epsilon=0.001)
    x2 = values(4, 5)
    f.case("batch_norm rank 2", "batch_norm", [x2], run_onnx("BatchNormalization", [x2, scale, offset, mean, var], {"epsilon": 1e-5}),
           {"scale": scale, "offset": offset, "mean": mean, "variance": var}, epsilon=1e-5)
    f.case("normalization", "normalization", [x], (x - mean) / scale, {"mean": mean, "std": scale})
    f.case("bias_add", "bias_add", [x], x + offset, {"bias": offset})
    for shape, name in (((2, 6, 16), "tokens"), ((1, 2, 3, 7), "picture"), ((3, 1), "one value")):
        c = shape[-1]
        v, gamma, beta = values(*shape) * 3, values(c), values(c)
        f.case(f"layer_norm {name}", "layer_norm", [v], run_onnx("LayerNormalization", [v, gamma, beta], {"epsilon": 1e-5, "axis": -1}),
               {"gamma": gamma, "beta": beta}, epsilon=1e-5)
        d = v.astype(np.float64)
        y = d / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-6) * gamma
        f.case(f"rms_norm {name}", "rms_norm", [v], y.astype(np.float32), {"gamma": gamma}, epsilon=1e-6)
    v = values(3, 8) + 1000
    d = v.astype(np.float64)
    y = (d - d.mean(-1, keepdims=True)) / np.sqrt(d.var(-1, keepdims=True) + 1e-5)
    f.case("layer_norm large mean", "layer_norm", [v], y.astype(np.float32), epsilon=1e-5)


def make_eltwise(f):
    ops = {"ew_add": "Add", "ew_sub": "Sub", "ew_mult": "Mul", "ew_div": "Div", "ew_max": "Max", "ew_min": "Min"}
    shapes = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((2, 3, 4), ()), ((3, 1), (2, 1, 4)), ((1, 2, 3, 4), (1, 1, 1, 4)),
              ((1, 2, 3, 4), (1, 2, 3, 1)), ((1, 1, 4), (5, 2, 4)), ((), ()), ((2, 1, 3, 1, 2), (1, 4, 1, 2, 1))]
    for op, onnx_op in ops.items():
        for a, b in shapes:
            x, y = values(*a), values(*b, lo=0.3, hi=3)
            x, y = np.asarray(x, np.float32).reshape(a), np.asarray(y, np.float32).reshape(b)
            f.case(f"{op} {list(a)} {list(b)}", op, [x, y], run_onnx(onnx_op, [x, y]))
        for t in (np.int64, np.int32):
            x, y = rng.integers(-50, 50, (2, 3)).astype(t), np.array([3, -7, 1], t)
            f.case(f"{op} {np.dtype(t).name}", op, [x, y], run_onnx(onnx_op, [x, y]))
    x, y = np.array([200, 7, 0], np.uint8), np.array([100, 9, 1], np.uint8)
    f.case("ew_add wraps u8", "ew_add", [x, y], x + y)
    f.case("ew_sub wraps u8", "ew_sub", [x, y], x - y)
    x, y = np.array([2 ** 63 + 9, 5], np.uint64), np.array([2, 7], np.uint64)
    f.case("ew_div u64", "ew_div", [x, y], x // y)
    f.case("ew_max u64", "ew_max", [x, y], np.maximum(x, y))
    x, y = np.array([-2 ** 31, 5], np.int32), np.array([-1, -2], np.int32)
    f.case("ew_div wraps s32", "ew_div", [x, y], np.array([-2 ** 31, -2], np.int32))
    a, b = values(1, 2, 2, 4), values(1, 2, 2, 4)
    f.case("ew_add relu", "ew_add", [a, b], np.maximum(a + b, 0), activation="relu")


def make_pool(f):
    def one(name, op, x, k, s=(1, 1), pads=(0, 0, 0, 0), d=None, ceil=0, include=0, flat=False):
        attrs = {"kernel_shape": list(k), "strides": list(s), "pads": list(pads), "ceil_mode": ceil}
        extra = {"ceil_mode": ceil}
        if op == "avgpool":
            attrs["count_include_pad"] = extra["count_include_pad"] = include
        if d:
            attrs["dilations"] = list(d)
            extra["dilations"] = [1, *d, 1]
        y = nhwc(run_onnx("MaxPool" if op == "maxpool" else "AveragePool", [nchw(x)], attrs, opset=19))
        f.case(name, op, [x[:, 0] if flat else x], y[:, 0] if flat else y, kernel_shape=[1, *k, 1], strides=[1, *s, 1],
               pads=list(pads), **extra)

    for op in ("maxpool", "avgpool"):
        x = values(1, 7, 6, 3)
        one(f"{op} 2x2", op, x, (2, 2), (2, 2))
        one(f"{op} 3x3 same", op, x, (3, 3), (1, 1), (1, 1, 1, 1))
        one(f"{op} 3x2 asymmetric", op, x, (3, 2), (2, 1), (2, 0, 1, 1))
        one(f"{op} ceil", op, x, (3, 3), (2, 2), (0, 0, 0, 0), ceil=1)
        one(f"{op} ceil with pads", op, x, (3, 3), (2, 2), (1, 1, 1, 1), ceil=1)
        one(f"{op} dilated", op, x, (2, 2), (1, 1), (1, 1, 1, 1), d=(2, 2))
        one(f"{op} whole picture", op, x, (7, 6))
        one(f"{op} 1d", op, values(2, 1, 9, 3), (1, 3), (1, 2), (0, 1, 0, 1), flat=True)
    one("avgpool include pad", "avgpool", x, (3, 3), (2, 2), (1, 1, 1, 1), include=1)
    one("maxpool 13x13", "maxpool", values(1, 6, 6, 1), (13, 13), (1, 1), (6, 6, 6, 6))
    u = rng.integers(0, 255, (1, 4, 4, 3)).astype(np.uint8)
    one("maxpool u8", "maxpool", u, (2, 2), (2, 2))


def make_reduce(f):
    ops = {"reduce_mean": np.mean, "reduce_sum": np.sum, "reduce_max": np.max, "reduce_min": np.min}
    for op, fn in ops.items():
        x = values(2, 3, 2, 3)
        for axes in ([1, 2], [-1], [0], [0, 2], [1, 3], [0, 1, 2, 3]):
            for keep in (1, 0):
                y = np.asarray(fn(x.astype(np.float64), axis=tuple(axes), keepdims=bool(keep)), np.float32)
                f.case(f"{op} {axes} keepdims {keep}", op, [x], y, axes=axes, keepdims=keep)
        f.case(f"{op} all axes", op, [x], np.asarray(fn(x.astype(np.float64), keepdims=True), np.float32))
        i = rng.integers(-40, 90, (3, 4)).astype(np.int64)
        y = run_onnx({"reduce_mean": "ReduceMean", "reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin"}[op],
                     [i, np.array([1], np.int64)]) if op != "reduce_mean" else np.trunc(i.sum(1, keepdims=True) / 4).astype(np.int64)
        f.case(f"{op} integers", op, [i], y, axes=[1])


def make_matmul(f):
    for a, b, t in (((3, 4), (4, 5), 0), ((2, 3, 4), (2, 4, 5), 0), ((1, 2, 3, 4), (1, 2, 5, 4), 1), ((2, 3, 8), (8, 6), 0),
                    ((3, 8), (2, 8, 6), 0), ((2, 1, 3, 4), (1, 5, 4, 2), 0), ((1, 2, 16, 8), (1, 2, 8, 8), 1), ((1, 1), (1, 1), 0)):
        x, y = values(*a), values(*b)
        z = run_onnx("MatMul", [x, np.ascontiguousarray(np.swapaxes(y, -1, -2)) if t else y])
        f.case(f"matmul {list(a)} {list(b)} transpose {t}", "matmul", [x, y], z, transpose_b=t)
    x, y = values(2, 3, 4), values(2, 4, 5)
    f.case("matmul relu", "matmul", [x, y], np.maximum(run_onnx("MatMul", [x, y]), 0), activation="relu")


def make_softmax(f):
    for shape, axis in (((2, 7), 1), ((2, 3, 4), 1), ((1, 2, 3, 11), 3), ((3, 4), 0), ((5,), 0), ((1, 2, 8, 16), -1)):
        x = values(*shape, lo=-6, hi=6)
        f.case(f"softmax {list(shape)} axis {axis}", "softmax", [x], run_onnx("Softmax", [x], {"axis": axis}), axis=axis)
    x = np.float32([[1000, 999, 0], [-1000, -1001, -1e30], [88, -88, 0]])
    f.case("softmax far values", "softmax", [x], run_onnx("Softmax", [x], {"axis": 1}), axis=1)


def make_move(f):
    for t in (np.float32, np.int64):
        def v(*shape):
            return values(*shape) if t == np.float32 else rng.integers(-99, 99, shape).astype(np.int64)
        n = NAMES[np.dtype(t).name]
        x, y, z = v(2, 3, 4), v(2, 1, 4), v(2, 2, 4)
        f.case(f"concat {n}", "concat", [x, y, z], np.concatenate([x, y, z], 1), axis=1)
        f.case(f"concat one {n}", "concat", [x], x, axis=-1)
        e = v(0)
        f.case(f"concat with an empty one {n}", "concat", [e, v(0), x.reshape(-1)[:3]], x.reshape(-1)[:3], axis=0)
        x = v(4, 5, 6)
        f.case(f"slice {n}", "slice", [x], x[1:3, 0:5:2, 2:6], starts=[1, 0, 2], ends=[3, 5, 6], steps=[1, 2, 1])
        f.case(f"slice backwards {n}", "slice", [x], x[::-1, 3:0:-2, ::-1], starts=[3, 3, 5], ends=[-1, 0, -1], steps=[-1, -2, -1])
        f.case(f"slice empty {n}", "slice", [x], x[2:2], starts=[2, 0, 0], ends=[2, 5, 6], steps=[1, 1, 1])
        f.case(f"reshape {n}", "reshape", [x], x.reshape(2, 3, 20), shape=[2, 3, 20])
        f.case(f"reshape open axis {n}", "reshape", [x], x.reshape(8, 15), shape=[-1, 15])
        f.case(f"reshape to scalar {n}", "reshape", [x[:1, :1, :1]], x[0, 0, 0].reshape(()), shape=[])
        for perm in ([2, 0, 1], [0, 2, 1], [0, 1, 2], [2, 1, 0]):
            f.case(f"transpose {perm} {n}", "transpose", [x], x.transpose(perm), perm=perm)
        w = v(2, 3, 2, 2, 3)
        f.case(f"transpose rank 5 {n}", "transpose", [w], w.transpose(3, 1, 4, 0, 2), perm=[3, 1, 4, 0, 2])
        x = v(1, 3, 4, 2)
        pads = [0, 1, 2, 0, 0, 2, 1, 0]
        np_pads = [(0, 0), (1, 2), (2, 1), (0, 0)]
        f.case(f"pad constant {n}", "pad", [x], np.pad(x, np_pads, constant_values=3), pads=pads, pad_mode="constant", value=3)
        f.case(f"pad default {n}", "pad", [x], np.pad(x, np_pads), pads=pads)
        f.case(f"pad edge {n}", "pad", [x], np.pad(x, np_pads, mode="edge"), pads=pads, pad_mode="edge")
        f.case(f"pad reflect {n}", "pad", [x], np.pad(x, np_pads, mode="reflect"), pads=pads, pad_mode="reflect")
        f.case(f"pad every axis {n}", "pad", [x], np.pad(x, [(1, 0), (0, 1), (1, 1), (2, 1)], constant_values=-1),
               pads=[1, 0, 1, 2, 0, 1, 1, 1], value=-1)
        x = v(3, 1, 2)
        f.case(f"expand {n}", "expand", [x], np.broadcast_to(x, (2, 3, 4, 2)), shape=[2, 1, 4, 2])
        f.case(f"expand scalar {n}", "expand", [x[0, 0, 0].reshape(())],
               np.broadcast_to(x[0, 0, 0], (2, 3)), shape=[2, 3])
        x = v(3, 4, 2)
        index = np.array([[0, 3], [-1, 2]], np.int64)
        f.case(f"gather {n}", "gather", [x], np.take(x, index, 1, mode="wrap"), {"indices": index}, axis=1)
        f.case(f"gather scalar index {n}", "gather", [x], x[-2], {"indices": np.asarray(-2, np.int64)}, axis=0)
        x = v(1, 4, 6, 3)
        s2d = run_onnx("SpaceToDepth", [nchw(x).astype(np.float32)], {"blocksize": 2}).astype(t)
        f.case(f"space_to_depth dcr {n}", "space_to_depth", [x], nhwc(s2d), block=2, mode="dcr")
        crd = x.reshape(1, 2, 2, 3, 2, 3).transpose(0, 1, 3, 5, 2, 4).reshape(1, 2, 3, 12)
        f.case(f"space_to_depth crd {n}", "space_to_depth", [x], crd, block=2, mode="crd")
        x = v(2, 2, 3, 12)
        for mode in ("dcr", "crd"):
            y = run_onnx("DepthToSpace", [nchw(x).astype(np.float32)], {"blocksize": 2, "mode": mode.upper()}).astype(t)
            f.case(f"depth_to_space {mode} {n}", "depth_to_space", [x], nhwc(y), block=2, mode=mode)
    half = np.array([1, 0, 1], bool)
    f.case("concat bool", "concat", [half, half], np.concatenate([half, half]), axis=0)


def make_resize(f):
    def one(name, x, sizes=None, scales=None, roi=None, **attrs):
        onnx_attrs = {"mode": attrs["mode"], "coordinate_transformation_mode": attrs["coordinate"]}
        for ours, theirs in (("nearest_mode", "nearest_mode"), ("cubic_alpha", "cubic_coeff_a"), ("exclude_outside", "exclude_outside"),
                             ("extrapolation_value", "extrapolation_value")):
            if ours in attrs:
                onnx_attrs[theirs] = attrs[ours]
        r = np.float32([0, 0, *roi[:2], 1, 1, *roi[2:]]) if roi else None
        size = np.array([x.shape[0], x.shape[3], *sizes], np.int64) if sizes else None
        scale = np.float32([1, 1, *scales]) if scales else None
        y = nhwc(run_onnx("Resize", [nchw(x), r, scale, size], onnx_attrs, opset=19))
        extra = {}
        if roi:
            extra["roi"] = [float(v) for v in roi]
        if scales:
            extra["scales"] = [float(np.float32(v)) for v in scales]
        else:
            extra["sizes"] = list(sizes)
        f.case(name, "resize", [x], y, **attrs, **extra)

    x = values(1, 4, 5, 1)
    for c in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"):
        for sizes in ((8, 7), (3, 10), (1, 2)):
            for mode in ("linear", "cubic"):
                one(f"resize {mode} {c} to {list(sizes)}", x, sizes=sizes, mode=mode, coordinate=c)
            for nm in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil") if sizes != (1, 2) else ():
                one(f"resize nearest {c} {nm} to {list(sizes)}", x, sizes=sizes, mode="nearest", coordinate=c, nearest_mode=nm)
        one(f"resize linear {c} by scales", x, scales=(1.5, 0.6), mode="linear", coordinate=c)
        one(f"resize nearest {c} by scales", x, scales=(2.0, 0.6), mode="nearest", coordinate=c, nearest_mode="round_prefer_floor")
    for nm in ("round_prefer_floor", "floor"):
        one(f"resize nearest tf_half_pixel_for_nn {nm}", x, sizes=(8, 7), mode="nearest", coordinate="tf_half_pixel_for_nn", nearest_mode=nm)
    x = values(1, 4, 5, 2)
    one("resize cubic exclude outside", x, sizes=(7, 9), mode="cubic", coordinate="half_pixel", cubic_alpha=-0.5, exclude_outside=1)
    for mode in ("linear", "nearest"):
        one(f"resize {mode} crop", x, sizes=(3, 4), roi=(0.25, 0.1, 1.25, 0.9), mode=mode, coordinate="tf_crop_and_resize",
            extrapolation_value=5.0)
    u = rng.integers(0, 255, (1, 3, 3, 2)).astype(np.uint8)
    one("resize nearest u8", u, sizes=(6, 6), mode="nearest", coordinate="asymmetric", nearest_mode="floor")


def make_deform(f):
    for name, groups, offset_groups, with_mask in (("plain", 1, 1, False), ("mask", 1, 2, True), ("groups", 2, 1, True)):
        x, kernel, b = values(2, 4, 5, 4), values(3, 2, 4 // groups, 6), values(6)
        oh, ow = (4 + 2 - 5) // 1 + 1, (5 + 1 - 2) // 2 + 1
        offset, mask = values(2, oh, ow, 2 * offset_groups * 6, lo=-1.5, hi=1.5, digits=2), values(2, oh, ow, offset_groups * 6, lo=0, hi=1)
        inputs = [nchw(x), np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), nchw(offset), b] + ([nchw(mask)] if with_mask else [])
        y = nhwc(run_onnx("DeformConv", inputs, {"kernel_shape": [3, 2], "strides": [1, 2], "dilations": [2, 1], "pads": [1, 0, 1, 1],
                                                 "group": groups, "offset_group": offset_groups}, opset=19))
        f.case(f"deform_conv {name}", "deform_conv", [x, offset] + ([mask] if with_mask else []), y, {"kernel": kernel, "bias": b},
               strides=[1, 1, 2, 1], dilations=[1, 2, 1, 1], pads=[1, 0, 1, 1], groups=groups, offset_groups=offset_groups)
    for image, block, attrs in (([5, 5], [1, 5], {}), ([6, 5], [2, 3], {"strides": [2, 1], "pads": [0, 1, 2, 0]}),
                                ([6, 6], [2, 2], {"dilations": [1, 5]}), ([3, 4, 5], [1, 2, 3], {})):
        rank = len(image)
        s, d, p = attrs.get("strides", [1] * rank), attrs.get("dilations", [1] * rank), attrs.get("pads", [0] * 2 * rank)
        positions = math.prod((image[i] + p[i] + p[i + rank] - (block[i] - 1) * d[i] - 1) // s[i] + 1 for i in range(rank))
        x = values(1, 2 * math.prod(block), positions)
        y = run_onnx("Col2Im", [x, np.array(image, np.int64), np.array(block, np.int64)], attrs)
        f.case(f"col2im {image} {block}", "col2im", [x], y, image_shape=image, block_shape=block, **attrs)


def run_first(op, inputs, attrs=None, opset=18, which=0, outputs=1):
    """Output `which` of an operator with several."""
    given = {f"i{k}": x for k, x in enumerate(inputs)}
    node = helper.make_node(op, list(given), [f"y{k}" for k in range(outputs)], **(attrs or {}))
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in given.items()],
        [helper.make_empty_tensor_value_info(f"y{k}") for k in range(outputs)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, given)[which]


def whole(*shape, lo=-9, hi=9, t=np.int64):
    return rng.integers(lo, hi, shape).astype(t)


def make_logic(f):
    a, b = values(2, 1, 5), values(3, 5)
    a[0, 0, :3] = b[0, :3]
    for op, onnx_op in (("equal", "Equal"), ("greater", "Greater"), ("less", "Less"), ("greater_equal", "GreaterOrEqual"),
                        ("less_equal", "LessOrEqual")):
        f.case(f"ew_{op} f32", f"ew_{op}", [a, b], run_onnx(onnx_op, [a, b]))
        x, y = whole(2, 4), whole(4)
        x[0] = y
        f.case(f"ew_{op} s64", f"ew_{op}", [x, y], run_onnx(onnx_op, [x, y]))
    p, q = rng.random((2, 3)) < 0.5, rng.random((3,)) < 0.5
    for op, onnx_op in (("and", "And"), ("or", "Or"), ("xor", "Xor")):
        f.case(f"ew_{op} bool", f"ew_{op}", [p, q], run_onnx(onnx_op, [p, q]))
        x, y = whole(2, 3, lo=-100, hi=100, t=np.int32), whole(3, lo=-100, hi=100, t=np.int32)
        f.case(f"ew_{op} bits", f"ew_{op}", [x, y], run_onnx("Bitwise" + onnx_op, [x, y]))
    f.case("ew_equal bool", "ew_equal", [p, q], p == q)
    x, y = whole(5, lo=0, hi=255, t=np.uint8), np.array([0, 1, 3, 7, 2], np.uint8)
    f.case("ew_shift_left u8", "ew_shift_left", [x, y], run_onnx("BitShift", [x, y], {"direction": "LEFT"}))
    f.case("ew_shift_right u8", "ew_shift_right", [x, y], run_onnx("BitShift", [x, y], {"direction": "RIGHT"}))
    f.case("predicate not", "predicate", [p], ~p, type="not")
    f.case("predicate not bits", "predicate", [x], ~x, type="not")
    odd = np.float32([1, np.nan, np.inf, -np.inf, 0])
    f.case("predicate is_nan", "predicate", [odd], np.isnan(odd), type="is_nan")
    f.case("predicate is_inf", "predicate", [odd], np.isinf(odd), type="is_inf")
    f.case("predicate is_inf positive", "predicate", [odd], odd == np.inf, type="is_inf", detect_negative=0)
    c = rng.random((2, 1, 3)) < 0.5
    u, v = values(4, 3), values(1)
    f.case("where f32", "where", [c, u, v], np.where(c, u, v))
    u, v = whole(4, 3), whole(2, 4, 1)
    f.case("where s64", "where", [c, u, v], np.where(c, u, v))
    x = np.float32([1.7, -1.7, 0, 200.4, -0.2, 3])
    for t in ("int64", "int32", "bool"):
        f.case(f"cast f32 to {t}", "cast", [x], x.astype(t), to=NAMES[t])
    w = whole(5, lo=-300, hi=300)
    f.case("cast s64 to f32", "cast", [w], w.astype(np.float32), to="f32")
    f.case("cast s64 to u8", "cast", [w], w.astype(np.uint8), to="u8")
    f.case("cast s64 to s8", "cast", [w], w.astype(np.int8), to="s8")
    f.case("cast bool to f32", "cast", [p], p.astype(np.float32), to="f32")


def make_power(f):
    x, y = values(2, 3, lo=0.1, hi=3), values(3)
    f.case("ew_pow f32", "ew_pow", [x, y], run_onnx("Pow", [x, y]))
    x = values(2, 3)
    f.case("ew_pow negative base", "ew_pow", [x, np.float32([2])], run_onnx("Pow", [x, np.float32([2])]))
    e = np.array([0, 1, 3], np.int64)
    f.case("ew_pow integer exponent", "ew_pow", [x, e], run_onnx("Pow", [x, e]))
    w = whole(2, 3)
    f.case("ew_pow integers", "ew_pow", [w, e], run_onnx("Pow", [w, e]))
    a, b = whole(6), np.array([3, -3, 2, -5, 4, 7], np.int64)
    f.case("ew_mod integers", "ew_mod", [a, b], run_onnx("Mod", [a, b]))
    f.case("ew_mod integers like fmod", "ew_mod", [a, b], run_onnx("Mod", [a, b], {"fmod": 1}), fmod=1)
    x, y = np.float32([-4.3, 7.2, 5, 4.3, -7.2, 8]), np.float32([2.1, -3.4, 8, -2.1, 3.4, 5])
    f.case("ew_mod f32", "ew_mod", [x, y], run_onnx("Mod", [x, y], {"fmod": 1}), fmod=1)
    x, s = values(1, 2, 2, 3), values(3)
    f.case("ew_prelu", "ew_prelu", [x, s], np.where(x < 0, x * s, x))


def make_order(f):
    x = values(2, 4, 3)
    x[0, 1] = x[0, 3]
    for op, onnx_op in (("argmax", "ArgMax"), ("argmin", "ArgMin")):
        for axis, keep, last in ((1, 1, 0), (1, 0, 1), (0, 1, 0), (-1, 0, 0)):
            y = run_onnx(onnx_op, [x], {"axis": axis, "keepdims": keep, "select_last_index": last})
            f.case(f"{op} axis {axis} keepdims {keep} last {last}", op, [x], y, axis=axis, keepdims=keep, select_last_index=last)
    w = whole(2, 7)
    f.case("argmax integers", "argmax", [w], np.argmax(w, 1)[:, None], axis=1)
    for axis in (0, 1, -1):
        f.case(f"hardmax axis {axis}", "hardmax", [x], run_onnx("Hardmax", [x], {"axis": axis}), axis=axis)
        f.case(f"log_softmax axis {axis}", "log_softmax", [x], run_onnx("LogSoftmax", [x], {"axis": axis}), axis=axis)
        for exclusive, reverse in ((0, 0), (1, 0), (0, 1), (1, 1)):
            y = run_onnx("CumSum", [x, np.asarray(axis, np.int64)], {"exclusive": exclusive, "reverse": reverse})
            f.case(f"cumsum axis {axis} exclusive {exclusive} reverse {reverse}", "cumsum", [x], y, axis=axis, exclusive=exclusive,
                   reverse=reverse)
    f.case("cumsum integers", "cumsum", [w], np.cumsum(w, 1), axis=1)
    for axis, k, largest in ((1, 3, 1), (1, 2, 0), (2, 3, 1), (0, 1, 0)):
        attrs = {"axis": axis, "largest": largest}
        for which, output in ((0, "values"), (1, "indices")):
            y = run_first("TopK", [x, np.array([k], np.int64)], attrs, which=which, outputs=2)
            f.case(f"top_k {output} axis {axis} k {k} largest {largest}", "top_k", [x], y, output=output, k=k, **attrs)
    f.case("top_k integers", "top_k", [w], -np.sort(-w, 1)[:, :4], k=4)
    for axes in ([0], [1, 2], [-1]):
        f.case(f"reduce_prod {axes}", "reduce_prod", [x], np.prod(x.astype(np.float64), axis=tuple(axes), keepdims=True).astype(np.float32),
               axes=axes)
    f.case("reduce_prod integers", "reduce_prod", [w], np.prod(w, 1, keepdims=True), axes=[1])


def make_index(f):
    for t in (np.float32, np.int64):
        n = NAMES[np.dtype(t).name]
        x = (values(3, 3, 5) if t == np.float32 else whole(3, 3, 5)).astype(t)
        i = np.array([[0, 2], [-1, 1]], np.int64)
        f.case(f"gather_dynamic {n}", "gather_dynamic", [x, i], run_onnx("Gather", [x, i], {"axis": 1}), axis=1)
        f.case(f"gather_dynamic s32 indices {n}", "gather_dynamic", [x, np.array(-1, np.int32)], x[-1], axis=0)
        for axis, shape in ((0, (2, 3, 4)), (1, (2, 4, 5)), (2, (2, 3, 2))):
            i = rng.integers(-x.shape[axis], x.shape[axis], shape).astype(np.int64)
            f.case(f"gather_elements axis {axis} {n}", "gather_elements", [x, i], run_onnx("GatherElements", [x, i], {"axis": axis}), axis=axis)
        for batch, i in ((0, np.array([[0, 1], [-1, 2]])), (0, np.array([[[2]], [[0]]])), (1, np.array([[1], [0], [-2]])),
                         (2, rng.integers(0, 5, (3, 3, 1))), (0, np.array([1, 2, 3]))):
            i = i.astype(np.int64)
            f.case(f"gather_nd batch {batch} {list(i.shape)} {n}", "gather_nd", [x, i], run_onnx("GatherND", [x, i], {"batch_dims": batch}),
                   batch_dims=batch)
        for how in ("none", "add", "mul", "max", "min"):
            i = np.array([[1, 0, 2], [0, 2, -1]], np.int64) if how != "none" else np.array([[1, 0, 2], [0, 2, 1]], np.int64)
            data, u = x[:, :, 0], (values(2, 3) if t == np.float32 else whole(2, 3)).astype(t)
            y = run_onnx("ScatterElements", [data, i, u], {"axis": 0, "reduction": how})
            f.case(f"scatter_elements {how} {n}", "scatter_elements", [data, i, u], y, axis=0, reduction=how)
            i = np.array([[0, 1], [2, -1]], np.int64)
            u = (values(2, 5) if t == np.float32 else whole(2, 5)).astype(t)
            y = run_onnx("ScatterND", [x, i, u], {"reduction": how})
            f.case(f"scatter_nd {how} {n}", "scatter_nd", [x, i, u], y, reduction=how)


def make_sample(f):
    x = values(2, 4, 5, 2)
    grid = np.round(rng.uniform(-1.4, 1.4, (2, 3, 4, 2)), 2).astype(np.float32)
    for mode in ("linear", "nearest", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            for align in (0, 1):
                y = nhwc(run_onnx("GridSample", [nchw(x), grid], {"mode": mode, "padding_mode": padding, "align_corners": align}, opset=20))
                f.case(f"grid_sample {mode} {padding} align {align}", "grid_sample", [x, grid], y, mode=mode, padding_mode=padding,
                       align_corners=align)
    rois, batch = np.float32([[0, 0, 4, 3], [1.2, 0.5, 3.1, 2.9], [0.4, 0.4, 0.6, 0.7]]), np.array([0, 1, 1], np.int64)
    for mode in ("avg", "max"):
        for ratio in (0, 2):
            for coordinate in ("half_pixel", "output_half_pixel"):
                y = nhwc(run_onnx("RoiAlign", [nchw(x), rois, batch],
                                  {"mode": mode, "output_height": 2, "output_width": 3, "sampling_ratio": ratio, "spatial_scale": 0.9,
                                   "coordinate_transformation_mode": coordinate}))
                f.case(f"roi_align {mode} ratio {ratio} {coordinate}", "roi_align", [x, rois, batch], y, mode=mode, sizes=[2, 3],
                       sampling_ratio=ratio, spatial_scale=0.9, coordinate=coordinate)
    x = values(1, 2, 2, 7)
    for size in (3, 5, 1):
        y = nhwc(run_onnx("LRN", [nchw(x)], {"size": size, "alpha": 0.5, "beta": 0.75, "bias": 2.0}))
        f.case(f"lrn {size}", "lrn", [x], y, size=size, alpha=0.5, beta=0.75, bias=2.0)


def make_volume(f):
    """Volumes, and the places of maxima."""
    x = values(2, 3, 4, 2, 2)
    grid = np.round(rng.uniform(-1.4, 1.4, (2, 2, 2, 3, 3)), 2).astype(np.float32)
    for mode in ("linear", "nearest"):
        for padding in ("zeros", "border", "reflection"):
            y = nhwc(run_onnx("GridSample", [nchw(x), grid], {"mode": mode, "padding_mode": padding}, opset=20))
            f.case(f"grid_sample volume {mode} {padding}", "grid_sample", [x, grid], y, mode=mode, padding_mode=padding, align_corners=0)
    for k, s, d, p, order in (((3,), (2,), (1,), (1, 1), 0), ((2, 3), (2, 1), (1, 2), (1, 0, 0, 2), 0), ((2, 2), (1, 2), (2, 1), (0, 1, 0, 0), 1),
                              ((2, 1, 2), (1, 2, 2), (1, 1, 1), (0, 0, 1, 1, 0, 0), 1)):
        sides = (6, 5, 4)[:len(k)]
        x = (rng.permutation(2 * 2 * math.prod(sides)).reshape(2, 2, *sides) / 8).astype(np.float32)
        attrs = {"kernel_shape": k, "strides": s, "dilations": d, "pads": p, "storage_order": order}
        y = run_first("MaxPool", [x], attrs, which=1, outputs=2)
        f.case(f"maxpool_indices {k} order {order}", "maxpool_indices", [x], y, **attrs)
    x = rng.integers(-128, 128, (1, 1, 4, 4)).astype(np.int8)
    attrs = {"kernel_shape": (2, 2), "strides": (2, 2), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
    regions = np.float32([[0, 0, 0, 4, 3], [1, 1.2, 0.5, 3.1, 2.9], [1, 3, 2, 9, 9]])
    picture = values(2, 4, 5, 2)
    for scale in (1.0, 0.5):
        y = nhwc(run_onnx("MaxRoiPool", [nchw(picture), regions], {"pooled_shape": [2, 3], "spatial_scale": scale}))
        f.case(f"max_roi_pool {scale}", "max_roi_pool", [picture, regions], y, sizes=[2, 3], spatial_scale=scale)
    f.case("maxpool_indices s8", "maxpool_indices", [x], run_first("MaxPool", [x], attrs, which=1, outputs=2), **attrs)


def make_attention(f):
    """Rotary embedding by complex numbers; factors of matmul; lines that are closed throughout."""
    for shape, rows, interleaved, full in (((2, 3, 4, 8), (1, 1, 4), 0, 0), ((2, 3, 4, 8), (1, 1, 4), 1, 0), ((1, 5, 2, 6), (1, 5, 1), 0, 1),
                                           ((1, 5, 2, 6), (5, 1), 1, 1), ((3, 2), (3,), 0, 0), ((10,), (), 1, 1), ((2, 3, 4), (2, 1), 0, 1)):
        x, d = values(*shape), shape[-1]
        a = values(*rows, 2 * d if full else d, lo=-1, hi=1, digits=2)
        cos, sin = np.split(a.astype(np.float64), 2, -1)
        first, second = (np.s_[..., 0::2], np.s_[..., 1::2]) if interleaved else (np.s_[..., :d // 2], np.s_[..., d // 2:])
        u, v, y = x[first].astype(np.float64), x[second].astype(np.float64), np.zeros(shape)
        y[first] = u * (cos[first] if full else cos) - v * (sin[first] if full else sin)
        y[second] = v * (cos[second] if full else cos) + u * (sin[second] if full else sin)
        f.case(f"rotary {list(shape)} {list(a.shape)} interleaved {interleaved}", "rotary", [x, a], y.astype(np.float32), interleaved=interleaved)
    for a, b, t in (((2, 3, 8), (2, 8, 5), 0), ((1, 2, 3, 4), (1, 2, 5, 4), 1)):
        x, y = values(*a), values(*b)
        z = run_onnx("MatMul", [x, np.ascontiguousarray(np.swapaxes(y, -1, -2)) if t else y]) * np.float32(0.25)
        f.case(f"matmul scaled {list(a)} transpose {t}", "matmul", [x, y], z, transpose_b=t, scale=0.25)
    x, y = values(2, 3, 8), values(2, 8, 5)
    f.case("matmul scaled, relu", "matmul", [x, y], np.maximum(run_onnx("MatMul", [x, y]) * np.float32(0.5), 0), activation="relu", scale=0.5)
    x = values(2, 3, 5, lo=-6, hi=6)
    x[1, 1] = -np.inf
    f.case("softmax guarded", "softmax", [x], np.nan_to_num(run_onnx("Softmax", [x], {"axis": 2})), axis=2, nan_guard=1)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "tests", "ops", "cases")
    for family in ("activation", "conv", "deconv", "norm", "eltwise", "pool", "reduce", "matmul", "softmax", "move", "resize", "logic", "power", "order", "index", "sample", "deform", "volume", "attention"):
        globals()["make_" + family](File(folder, family))


main()
