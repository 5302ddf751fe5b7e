#!/usr/bin/env python3
"""Every integer layer of docs/numerics.md on random and extreme data: the oracle and the emulator give the same bytes.

Networks of many layers are written as quantized HARs (by docs/formats.md), each case with inputs of its own, run by the program with every
tensor kept, and compared with the oracle. Extremes: zero points at both ends, multipliers from 2^-60 to 2^40, weights at both ends, sums at
the accumulator's bound and one beyond it, constant inputs at both ends.

usage: op_cases_test.py [ROUNDS [SEED]]"""
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import oracle  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
QMAX = oracle.QMAX


class Writer:
    """A quantized network being written: layers in order, arrays, feeds."""

    def __init__(self, rng):
        self.rng, self.layers, self.arrays, self.feeds, self.outputs, self.inputs = rng, {}, {}, {}, [], []

    def add(self, kind, inputs, shape, quant, attrs=None, arrays=None, name=None):
        name = name or f"{kind}_{len(self.layers)}"
        key = "net/" + name
        for a, v in (arrays or {}).items():
            self.arrays[f"{key}/{a}:0"] = np.ascontiguousarray(v)
        dtype, scale, zp = quant
        batch = [-1 if shape[0] == 1 and len(shape) > 1 else shape[0]] + list(shape[1:])
        self.layers[key] = {"type": kind, "input": inputs, "output": [], "input_shapes": [], "output_shapes": [batch], "original_names": [],
                            "params": attrs or {}, "arrays": list(arrays or {}),
                            "quantization": {"dtype": dtype, "scale": float(scale), "zero_point": int(zp)}}
        return key

    def input(self, shape, dtype, zp, extreme=None):
        key = self.add("input_layer", [], shape, (dtype, 0.5, zp), name=f"input_layer{len(self.inputs) + 1}")
        top = QMAX[dtype]
        data = self.rng.integers(0, top + 1, shape)
        if extreme == "ends":
            data = self.rng.choice([0, top], shape)
        elif extreme is not None:
            data = np.full(shape, extreme)
        self.feeds[key] = data.astype(oracle.DTYPE[dtype])
        self.inputs.append((key, list(shape)))
        return key

    def output(self, key, shape, quant):
        out = self.add("output_layer", [key], shape, quant, name=f"output_layer{len(self.outputs) + 1}")
        self.outputs.append((out, list(shape)))

    def write(self, path):
        for key, layer in self.layers.items():
            for i in layer["input"]:
                self.layers[i]["output"].append(key)
                layer["input_shapes"].append(self.layers[i]["output_shapes"][0])
        hn = {"name": "net", "net_params": {"version": "1.0", "stage": "quantized", "net_scopes": ["net"],
                                            "output_layers_order": [self.layers[o]["input"][0] for o, _ in self.outputs]},
              "layers": self.layers}
        port = lambda p: {"origin_name": p[0], "layer": p[0], "origin_dtype": "f32", "origin_shape": p[1], "perm": list(range(len(p[1])))}
        stage = {"inputs": [port(p) for p in self.inputs], "outputs": [port(p) for p in self.outputs], "states": [], "scalars": [],
                 "alternatives": [], "arrays": self.packed()}
        meta = {"format": "sluice-har", "format_version": 1, "name": "net", "state": "QUANTIZED_MODEL", "hw_arch": "hailo10h", "versions": {},
                "applied": [], "modifications": {}, "stages": {"quantized": stage}}
        npz = io.BytesIO()
        np.savez(npz, **self.arrays)
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as t:
            for name, data in (("net.hn", json.dumps(hn).encode()), ("net.q.npz", npz.getvalue()),
                               ("net.metadata.json", json.dumps(meta).encode())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))

    def packed(self):
        """s4 kernels are marked by their dtype int8 under a name with 's4': packed two a byte, named in the table."""
        table = {}
        for name in [n for n in self.arrays if self.arrays[n].dtype.names]:
            w = self.arrays[name]["s4"]
            flat = np.append(w.reshape(-1), [0] * (w.size % 2)).astype(np.int64) & 15
            self.arrays[name] = (flat[0::2] | flat[1::2] << 4).astype(np.uint8)
            table[name] = {"dtype": "s4", "shape": list(w.shape)}
        return table


def pick(rng, *values):
    return values[int(rng.integers(len(values)))]


def encoding(rng, dtype=None):
    """(dtype, zero point), the zero point often at an end."""
    dtype = dtype or pick(rng, "u8", "u8", "u16")
    return dtype, int(pick(rng, 0, QMAX[dtype], QMAX[dtype] // 2, int(rng.integers(QMAX[dtype] + 1))))


def bounds(rng, dtype, zp):
    return pick(rng, (0, QMAX[dtype]), (zp, QMAX[dtype]), tuple(sorted(int(v) for v in rng.integers(0, QMAX[dtype] + 1, 2))))


def data_kind(rng, dtype):
    return pick(rng, None, None, None, "ends", 0, QMAX[dtype])


def multiplier(rng, spread, out):
    """A factor that takes sums of about `spread` over the output's range; now and then far too small or large."""
    m = QMAX[out] / max(float(spread), 1.0) * 2.0 ** rng.uniform(-2, 2)
    return float(np.float32(pick(rng, m, m, m, m, m * 2.0 ** rng.integers(-60, 40))))


def curve(rng, dtype, entries):
    return rng.integers(0, QMAX[dtype] + 1, entries).astype(oracle.DTYPE[dtype])


def table_attrs(rng, out):
    return (4096 if out == "u8" else 4097), {"post": "table", "index_zero_point": int(rng.integers(0, 4096 if out == "u8" else 65536))}


def s4_kernel(rng, shape, attrs, arrays):
    """4-bit weights with a group scale: |w4 * g| <= 127."""
    group = int(pick(rng, 1, 2, max(1, shape[2])))
    g = rng.integers(-15, 16, (-(-shape[2] // group), shape[3])).astype(np.int8)
    w = np.zeros(shape, [("s4", np.int8)])
    w["s4"] = rng.integers(-8, 8, shape)
    attrs["kernel_group_size"] = group
    arrays["kernel_group_scale"] = g
    return w, w["s4"].astype(np.int64) * g.astype(np.int64)[np.arange(shape[2]) // group][None, None]


def edge_bias(rng, columns, zp, top):
    """Biases that put the extreme of the sum at the last value of 32 bits, or one past it."""
    high = np.maximum(columns * (0 - zp), columns * (top - zp)).sum(0)
    return np.minimum(2 ** 31 - 1 - high + int(pick(rng, 0, 1)), 2 ** 31 - 1)


def weighted(w, kind):
    rng = w.rng
    (xt, xz), (ot, oz) = encoding(rng), encoding(rng)
    n, h, wd, groups = int(pick(rng, 1, 1, 2)), int(rng.integers(5, 12)), int(rng.integers(5, 14)), 1
    kh, kw = pick(rng, (1, 1), (3, 3), (2, 4), (5, 5))
    icg, ocg = int(rng.integers(1, 20)), int(rng.integers(1, 36))
    sh, sw, dh, dw = (int(v) for v in rng.integers(1, 3, 4))
    if kind == "conv":
        groups = int(pick(rng, 1, 1, 3))
        ic, oc, shape = icg * groups, ocg * groups, (kh, kw, icg, ocg * groups)
    elif kind == "dw":
        mult = int(pick(rng, 1, 1, 2))
        ic, oc, shape = icg, icg * mult, (kh, kw, icg, mult)
    elif kind == "fc":
        h = wd = kh = kw = sh = sw = dh = dw = 1
        ic, oc, shape = icg * 8, ocg, (icg * 8, ocg)
    else:
        dh = dw = 1
        ic, oc, shape = icg, ocg, (kh, kw, icg, ocg)
    pads = [int(v) for v in rng.integers(0, max(kh, kw), 4)] if kind != "fc" else [0] * 4
    if kind == "deconv":
        pads = [min(p, k - 1) for p, k in zip(pads, (kh, kw, kh, kw))]
        oh, ow = (h - 1) * sh + kh - pads[0] - pads[2], (wd - 1) * sw + kw - pads[1] - pads[3]
    else:
        oh = (h + pads[0] + pads[2] - (kh - 1) * dh - 1) // sh + 1
        ow = (wd + pads[1] + pads[3] - (kw - 1) * dw - 1) // sw + 1
    if oh < 1 or ow < 1:
        return
    attrs, arrays = {"lo": 0, "hi": QMAX[ot]}, {}
    kernel = pick(rng, rng.integers(-127, 128, shape), rng.choice([-128, 127], shape), np.full(shape, 127)).astype(np.int8)
    effective = kernel.astype(np.int64)
    if kind == "conv" and groups == 1 and rng.random() < 0.15:
        kernel, effective = s4_kernel(rng, shape, attrs, arrays)
    columns = effective.reshape(kh * kw, -1) if kind == "dw" else effective.reshape(-1, effective.shape[-1])
    reach = np.abs(columns).sum(0) * QMAX[xt]
    bias = rng.integers(-(2 ** 20), 2 ** 20, oc)
    if rng.random() < 0.25 and xt == "u8":
        bias = edge_bias(rng, columns, xz, QMAX[xt])
    arrays = {"kernel": kernel, "bias": bias.astype(np.int64 if xt == "u16" else np.int32),
              "multiplier": np.array([multiplier(rng, max(reach[c % len(reach)], abs(int(bias[c]))) / 4, ot) for c in range(oc)], np.float32),
              **arrays}
    x_shape = (n, ic) if kind == "fc" else (n, h, wd, ic)
    y_shape = (n, oc) if kind == "fc" else (n, oh, ow, oc)
    if kind != "fc":
        attrs.update(strides=[1, sh, sw, 1], dilations=[1, dh, dw, 1], pads=pads, groups={"conv": groups, "dw": ic}.get(kind, 1))
    inputs = [w.input(x_shape, xt, xz, data_kind(rng, xt))]
    form = pick(rng, "linear", "linear", "table", "residual")
    if form == "table":
        entries, more = table_attrs(rng, ot)
        attrs.update(more)
        arrays["table"] = curve(rng, ot, entries)
    else:
        attrs["post"] = "linear"
        attrs["lo"], attrs["hi"] = bounds(rng, ot, oz)
    if form == "residual":
        rt, rz = encoding(rng)
        inputs.append(w.input(y_shape, rt, rz, data_kind(rng, rt)))
        attrs["residual_multiplier"] = float(np.float32(rng.uniform(-2, 2) * QMAX[ot] / QMAX[rt]))
    if kind in ("conv", "dw") and any(pads) and rng.random() < 0.4:
        arrays["pad_value"] = rng.integers(0, QMAX[xt] + 1, ic).astype(oracle.DTYPE[xt])
    finish(w, kind, inputs, y_shape, (ot, 0.25, oz), attrs, arrays)


def finish(w, kind, inputs, shape, quant, attrs, arrays=None):
    key = w.add(kind, inputs, shape, quant, attrs, arrays)
    w.output(key, shape, quant)


def activation(w, _):
    rng = w.rng
    (xt, xz), (ot, oz) = encoding(rng), encoding(rng)
    shape = (1, 7, int(rng.integers(1, 40)), 5)
    entries = 256 if xt == "u8" else 65536 if rng.integers(4) == 0 else 4096 if ot == "u8" else 4097
    finish(w, "activation", [w.input(shape, xt, xz)], shape, (ot, 0.25, oz), {"type": "tanh"}, {"table": curve(rng, ot, entries)})


def requantize(w, _):
    rng = w.rng
    (xt, xz), (ot, oz) = encoding(rng), encoding(rng)
    shape = (1, 3, int(rng.integers(1, 80)))
    lo, hi = bounds(rng, ot, oz)
    finish(w, "requantize", [w.input(shape, xt, xz, data_kind(rng, xt))], shape, (ot, 0.25, oz),
           {"multiplier": multiplier(rng, QMAX[xt] / 2, ot), "lo": lo, "hi": hi})


def eltwise(w, kind):
    rng = w.rng
    (at, az), (bt, bz), (ot, oz) = encoding(rng), encoding(rng), encoding(rng)
    shape = (1, 4, int(rng.integers(1, 9)), int(rng.integers(1, 40)))
    other = pick(rng, shape, (1, 1, 1, shape[3]), (1, shape[1], 1, 1), (1, 1, 1, 1), (shape[3],))
    lo, hi = bounds(rng, ot, oz)
    a = w.input(shape, at, az, data_kind(rng, at))
    if rng.random() < 0.4:
        data = rng.integers(0, QMAX[bt] + 1, other).astype(oracle.DTYPE[bt])
        b = w.add("const_input", [], other, (bt, 0.5, bz), {}, {"data": data})
    else:
        b = w.input(other, bt, bz, data_kind(rng, bt))
    attrs = {"lo": lo, "hi": hi}
    if kind in ("ew_mult", "ew_div"):
        attrs["multiplier"] = multiplier(rng, QMAX[at] * QMAX[bt] / 4 if kind == "ew_mult" else 4, ot)
    else:
        attrs["multiplier_a"] = multiplier(rng, QMAX[at] / 2, ot) * pick(rng, 1.0, -1.0)
        attrs["multiplier_b"] = multiplier(rng, QMAX[bt] / 2, ot) * pick(rng, 1.0, -1.0)
    pair = [a, b] if len(other) == 4 and rng.random() < 0.7 or len(other) == 1 else [b, a]
    if pair[0] == b:
        attrs = {{"multiplier_a": "multiplier_b", "multiplier_b": "multiplier_a"}.get(k, k): v for k, v in attrs.items()}
    finish(w, kind, pair, shape, (ot, 0.25, oz), attrs)


def pool(w, kind):
    rng = w.rng
    (xt, xz), (ot, oz) = encoding(rng), encoding(rng)
    n, h, wd, c = 1, int(rng.integers(4, 12)), int(rng.integers(4, 12)), int(rng.integers(1, 40))
    kh, kw, sh, sw = (int(v) for v in rng.integers(1, 4, 4))
    pads = [int(rng.integers(0, k)) for k in (kh, kw, kh, kw)]
    oh, ow = (h + pads[0] + pads[2] - kh) // sh + 1, (wd + pads[1] + pads[3] - kw) // sw + 1
    attrs = {"kernel_shape": [1, kh, kw, 1], "strides": [1, sh, sw, 1], "dilations": [1, 1, 1, 1], "pads": pads}
    if kind == "maxpool":
        ot, oz = xt, xz
    else:
        lo, hi = bounds(rng, ot, oz)
        attrs.update(count_include_pad=int(rng.integers(2)), multiplier=multiplier(rng, QMAX[xt] / 2, ot), lo=lo, hi=hi)
    finish(w, kind, [w.input((n, h, wd, c), xt, xz, data_kind(rng, xt))], (n, oh, ow, c), (ot, 0.5, oz), attrs)


def reduce(w, kind):
    rng = w.rng
    (xt, xz), (ot, oz) = encoding(rng), encoding(rng)
    shape, axes = (1, 5, 7, int(rng.integers(1, 33))), pick(rng, [1, 2], [3], [2], [1, 2, 3])
    out = tuple(1 if i in axes else d for i, d in enumerate(shape))
    attrs = {"axes": axes, "keepdims": 1}
    if kind in ("reduce_max", "reduce_min"):
        ot, oz = xt, xz
    else:
        lo, hi = bounds(rng, ot, oz)
        attrs.update(multiplier=multiplier(rng, QMAX[xt] / 2 * (1 if kind == "reduce_mean" else 20), ot), lo=lo, hi=hi)
    finish(w, kind, [w.input(shape, xt, xz, data_kind(rng, xt))], out, (ot, 0.5, oz), attrs)


def position(w, kind):
    rng = w.rng
    xt, xz = encoding(rng)
    shape, axis = (1, 5, int(rng.integers(2, 40)), pick(rng, int(rng.integers(1, 40)), 300)), pick(rng, 1, 2, 3)
    keep = int(rng.integers(2))
    out = tuple(1 if i == axis else d for i, d in enumerate(shape) if keep or i != axis)
    q = ("u16" if shape[axis] > 256 else "u8", 1, 0)
    attrs = {"axis": axis, "keepdims": keep, "select_last_index": int(rng.integers(2))}
    key = w.add(kind, [w.input(shape, xt, xz, data_kind(rng, xt))], out, q, attrs)
    cast = w.add("cast", [key], out, q, {"to": pick(rng, "s32", "f32")})
    for made in (key, cast):
        w.output(made, out, q)
        for layer in (made, w.outputs[-1][0]):
            w.layers[layer]["dtype"] = "s64" if made == key else w.layers[cast]["params"]["to"]


def matmul(w, _):
    rng = w.rng
    (at, az), (bt, bz), (ot, oz) = encoding(rng), encoding(rng), encoding(rng)
    m, k, n, transpose = int(rng.integers(1, 14)), int(rng.integers(1, 70)), int(rng.integers(1, 30)), int(rng.integers(2))
    lo, hi = bounds(rng, ot, oz)
    b_shape = (pick(rng, 1, 3), n, k) if transpose else (pick(rng, 1, 3), k, n)
    attrs = {"transpose_b": transpose, "multiplier": multiplier(rng, QMAX[at] * QMAX[bt] * np.sqrt(k) / 4, ot), "lo": lo, "hi": hi}
    finish(w, "matmul", [w.input((3, m, k), at, az, data_kind(rng, at)), w.input(b_shape, bt, bz, data_kind(rng, bt))], (3, m, n),
           (ot, 0.25, oz), attrs)


def softmax(w, _):
    rng = w.rng
    (xt, xz), (ot, oz) = encoding(rng), encoding(rng)
    shape, axis = (1, 6, int(rng.integers(1, 50))), pick(rng, 1, 2)
    shift = int(rng.integers(0, 6)) if xt == "u16" else 0
    entries = 256 if xt == "u8" else 4096
    table = np.round(65535 * np.exp(-np.arange(entries) * rng.uniform(0.001, 0.2))).astype(np.uint16)
    attrs = {"axis": axis, "inverse_scale": float(pick(rng, 255.0, 256.0, 65535.0, 1e9)), "index_shift": shift}
    finish(w, "softmax", [w.input(shape, xt, xz, data_kind(rng, xt))], shape, (ot, 1 / 255, oz), attrs, {"table": table})


def softmax_lookup(w, _):
    """The form by two tables of 16 bits."""
    rng = w.rng
    shape, axis, kind = (1, 6, int(rng.integers(1, 50))), pick(rng, 1, 2), data_kind(rng, "u16")
    table = np.sort(rng.integers(0, 32768, 513)).astype(np.int16) if rng.integers(2) else rng.integers(0, 32768, 513).astype(np.int16)
    table[-2:] = rng.integers(16384, 32768, 2)
    attrs = {"axis": axis, "distance_multiplier": int(rng.integers(0, 2**31)), "distance_shift": int(pick(rng, -31, -3, -1, 0, 1, 15))}
    arrays = {"table": table, "inverse": rng.integers(0, 32768, 513).astype(np.int16)}
    x = w.input(shape, "u16", int(rng.integers(0, 65536)), kind)
    finish(w, "softmax", [x], shape, ("u16", 2.0**-15, int(pick(rng, 0, 1000, 32768))), attrs, arrays)


def rotary(w, _):
    rng = w.rng
    (xt, xz), (at, az), (ot, oz) = encoding(rng), encoding(rng), encoding(rng)
    d, n = 2 * int(rng.integers(1, 30)), int(rng.integers(1, 7))
    lo, hi = bounds(rng, ot, oz)
    angles = (*pick(rng, (n,), (1, n), (3, 1), (1, 3, n), (1, 1, 1)), pick(rng, d, 2 * d))
    attrs = {"interleaved": int(rng.integers(2)), "multiplier": multiplier(rng, QMAX[xt] * QMAX[at] / 2, ot), "lo": lo, "hi": hi}
    finish(w, "rotary", [w.input((1, 3, n, d), xt, xz, data_kind(rng, xt)), w.input(angles, at, az, data_kind(rng, at))], (1, 3, n, d), (ot, 0.25, oz),
           attrs)


def norm(w, kind):
    rng = w.rng
    (xt, xz), (ot, oz) = encoding(rng), encoding(rng)
    n = int(rng.integers(1, 200))
    lo, hi = bounds(rng, ot, oz)
    attrs = {"epsilon": float(rng.uniform(1e-3, 1e6)), "lo": lo, "hi": hi}
    arrays = {a: (rng.standard_normal(n) * QMAX[ot] / 4).astype(np.float32) for a in ("gamma", "beta")}
    finish(w, kind, [w.input((1, 5, n), xt, xz, data_kind(rng, xt))], (1, 5, n), (ot, 0.25, oz), attrs, arrays)


def move(w, kind):
    rng = w.rng
    t, z = encoding(rng)
    shape = (1, 6, 4, int(rng.integers(1, 30)))
    if kind in ("space_to_depth", "depth_to_space"):
        shape = (1, 6, 4, 8)
    q, x, c = (t, 0.5, z), w.input(shape, t, z), shape[3]
    if kind == "concat":
        other = (1, 6, 4, int(rng.integers(1, 9)))
        return finish(w, kind, [x, w.input(other, t, z)], (1, 6, 4, c + other[3]), q, {"axis": 3})
    if kind == "reshape":
        return finish(w, kind, [x], (1, 24, c), q, {"shape": [1, 24, c]})
    if kind == "transpose":
        perm = pick(rng, [0, 3, 1, 2], [0, 2, 1, 3], [0, 3, 2, 1])
        return finish(w, kind, [x], tuple(shape[p] for p in perm), q, {"perm": perm})
    if kind == "slice":
        forward = {"starts": [0, 1, 0, 0], "ends": [1, 6, 4, c], "steps": [1, 2, 1, 1]}
        back = {"starts": [0, 5, 3, c - 1], "ends": [1, -1, 0, -1], "steps": [1, -1, -2, -1]}
        attrs = pick(rng, forward, back)
        return finish(w, kind, [x], (1, 3, 4, c) if attrs is forward else (1, 6, 2, c), q, attrs)
    if kind == "pad":
        attrs = {"pads": [0, 1, 2, 0, 0, 2, 1, 3 if rng.random() < 0.5 and c > 3 else 0],
                 "pad_mode": pick(rng, "constant", "edge", "reflect"), "pad_value": int(rng.integers(QMAX[t] + 1))}
        return finish(w, kind, [x], (1, 9, 7, c + attrs["pads"][7]), q, attrs)
    if kind == "resize":
        return resize(w, x, c, q)
    if kind == "space_to_depth":
        return finish(w, kind, [x], (1, 3, 2, 32), q, {"block": 2, "mode": pick(rng, "dcr", "crd")})
    if kind == "depth_to_space":
        return finish(w, kind, [x], (1, 12, 8, 2), q, {"block": 2, "mode": pick(rng, "dcr", "crd")})
    if kind == "expand":
        one = w.input((1, 1, 4, 1), t, z)
        return finish(w, kind, [one], (1, 5, 4, 3), q, {"shape": [1, 5, 4, 3]})
    index = rng.integers(0, 6, 9).astype(np.int32)
    return finish(w, "gather", [x], (1, 9, 4, c), q, {"axis": 1}, {"indices": index})


def resize(w, x, c, q):
    rng, (oh, ow) = w.rng, (9, 11)
    mode = rng.choice(["nearest", "linear", "cubic"])
    if mode == "nearest":
        arrays = {"rows": rng.integers(0, 6, (oh, 1)), "columns": rng.integers(0, 4, (ow, 1))}
    elif mode == "cubic":
        wr, wc = rng.integers(-600, 1600, (oh, 4)), rng.integers(-600, 1600, (ow, 4))
        wr[:, 0], wc[:, 0] = 2048 - wr[:, 1:].sum(1), 2048 - wc[:, 1:].sum(1)
        arrays = {"rows": rng.integers(0, 6, (oh, 4)), "columns": rng.integers(0, 4, (ow, 4)), "row_weights": wr, "column_weights": wc}
    else:
        wr, wc = rng.integers(0, 2049, oh), rng.integers(0, 2049, ow)
        arrays = {"rows": rng.integers(0, 6, (oh, 2)), "columns": rng.integers(0, 4, (ow, 2)),
                  "row_weights": np.stack([wr, 2048 - wr], 1), "column_weights": np.stack([wc, 2048 - wc], 1)}
    finish(w, "resize", [x], (1, oh, ow, c), q, {"mode": str(mode), "sizes": [oh, ow]}, {k: v.astype(np.int32) for k, v in arrays.items()})


CASES = ([(weighted, k) for k in ("conv", "conv", "conv", "dw", "dw", "fc", "deconv")] + [(activation, ""), (requantize, "")] +
         [(eltwise, k) for k in ("ew_add", "ew_sub", "ew_max", "ew_min", "ew_mult", "ew_div")] + [(pool, k) for k in ("maxpool", "avgpool")] +
         [(reduce, k) for k in ("reduce_mean", "reduce_sum", "reduce_max", "reduce_min")] + [(position, k) for k in ("argmax", "argmin")] +
         [(matmul, ""), (softmax, ""), (softmax_lookup, ""), (rotary, "")] +
         [(norm, k) for k in ("layer_norm", "rms_norm")] +
         [(move, k) for k in ("concat", "reshape", "transpose", "slice", "pad", "resize", "space_to_depth", "depth_to_space", "expand", "gather")])


def run_round(seed, work):
    rng = np.random.Generator(np.random.PCG64(seed))
    w = Writer(rng)
    for make, kind in CASES:
        make(w, kind)
    har, feeds, out = work / "net.har", work / "feeds.npz", work / "tensors"
    w.write(har)
    np.savez(feeds, **{k.split("/")[1]: v for k, v in w.feeds.items()})
    r = subprocess.run([SLUICE, "emulate", str(har), "--mode", "quantized", "--input", str(feeds), "--raw", "--dump-tensors", str(out)],
                       capture_output=True, text=True)
    assert r.returncode == 0, f"seed {seed}: {r.stderr}"
    network = oracle.Network.from_har(har)
    values = network.run(w.feeds)
    files = {o["name"]: o["file"] for o in json.loads((out / "index.json").read_text())["tensors"]}
    compared = {}
    for layer in network.layers:
        if layer.kind in ("output_layer", "input_layer", "const_input"):
            continue
        got, want = np.load(out / files[layer.name]), values[layer.name]
        different = np.nonzero(got.reshape(-1) != want.reshape(-1))[0]
        assert got.dtype == want.dtype and not len(different), (
            f"seed {seed}: {layer.name}: {len(different)} of {got.size} differ, first at {different[:1]}: program "
            f"{got.reshape(-1)[different[:3]]}, oracle {want.reshape(-1)[different[:3]]}; {layer.attrs}")
        compared[layer.kind] = compared.get(layer.kind, 0) + 1
    return compared


def main():
    rounds, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20, int(sys.argv[2]) if len(sys.argv) > 2 else 1
    total = {}
    with tempfile.TemporaryDirectory() as t:
        for k in range(seed, seed + rounds):
            for kind, n in run_round(k, pathlib.Path(t)).items():
                total[kind] = total.get(kind, 0) + n
    missing = set(oracle.OPS) - set(total) - {"output_layer"}
    assert not missing, f"never compared: {missing}"
    print(f"{sum(total.values())} layers of {len(total)} kinds equal in {rounds} rounds: " + ", ".join(f"{k} {n}" for k, n in sorted(total.items())))


main()
