#!/usr/bin/env python3
"""Operators of TFLite that no vector of tflite_ops covers: one small model each, against a line of NumPy."""
import pathlib
import sys
import tempfile

import numpy as np

import models

sys.path.insert(0, str(models.ROOT / "fuzz"))
import tflite_writer as tw  # noqa: E402

KIND = {np.dtype(np.float32): tw.FLOAT32, np.dtype(np.int32): tw.INT32, np.dtype(np.int64): tw.INT64, np.dtype(bool): tw.BOOL}
rng = np.random.Generator(np.random.PCG64(3))


def f(*shape):
    return rng.uniform(-2, 2, shape).astype(np.float32)


def i32(*v):
    return np.array(v, np.int32)


class Fixed:
    """An input that is a constant of the model."""

    def __init__(self, a):
        self.a = np.asarray(a)


X, Y, P = f(1, 4, 5, 3), f(1, 4, 5, 3), np.abs(f(1, 4, 5, 3)) + np.float32(0.1)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


class Lstm:
    """Weights of one direction as the file lists them, and what they make of x [batch, steps, features]."""

    def __init__(self, n, m, coupled=False, peephole=False, projection=0, norm=False):
        u, first = projection or m, 1 if coupled else 0
        some = lambda k, *shape: [f(*shape) if i >= k else None for i in range(4)]  # noqa: E731
        self.w, self.r, self.b, self.m, self.u = some(first, m, n), some(first, m, u), some(first, m), m, u
        self.peephole = [None if coupled else f(m), f(m), f(m)] if peephole else [None] * 3
        self.projection = [f(u, m), f(u)] if projection else [None] * 2
        self.norm = some(first, m) if norm else [None] * 4

    def inputs(self):
        return [None if a is None else Fixed(a) for a in (*self.w, *self.r, *self.peephole, *self.b, *self.projection)]

    def run(self, x, clip=0.0, act=np.tanh):
        h, c, out = np.zeros((len(x), self.u)), np.zeros((len(x), self.m)), []

        def gate(j, k, peephole):
            v = x[:, k] @ self.w[j].T + h @ self.r[j].T + (0 if peephole is None else c * peephole)
            if self.norm[j] is None:
                return v + self.b[j]
            return (v - v.mean(1, keepdims=True)) / np.sqrt(v.var(1, keepdims=True) + 1e-8) * self.norm[j] + self.b[j]

        for k in range(x.shape[1]):
            forget = sigmoid(gate(1, k, self.peephole[1]))
            enter = 1 - forget if self.w[0] is None else sigmoid(gate(0, k, self.peephole[0]))
            c = forget * c + enter * act(gate(2, k, None))
            c = np.clip(c, -clip, clip) if clip else c
            h = sigmoid(gate(3, k, self.peephole[2])) * act(c)
            h = h if self.projection[0] is None else h @ self.projection[0].T + self.projection[1]
            out.append(h)
        return np.stack(out, 1).astype(np.float32)


def lstm_case(clip=0.0, **form):
    x, layer = f(2, 5, 3), Lstm(3, 4, **form)
    norm = [None if a is None else Fixed(a) for a in layer.norm]
    return 44, {0: ("b", 4), 1: ("f", clip), 3: ("B", 0)}, [x, *layer.inputs(), "variable", "variable", *norm], [layer.run(x, clip)]


def both_lstm_case(merge, time_major):
    x, there, back = f(2, 5, 3), Lstm(3, 4), Lstm(3, 4, peephole=True)
    y = [there.run(x), back.run(x[:, ::-1])[:, ::-1]]
    y = [np.concatenate(y, 2)] if merge else y
    turn = lambda a: np.ascontiguousarray(a.transpose(1, 0, 2)) if time_major else a  # noqa: E731
    return (52, {0: ("b", 4), 3: ("B", merge), 4: ("B", time_major)}, [turn(x), *there.inputs(), *back.inputs(), *["variable"] * 4, *[None] * 9],
            [turn(a) for a in y])


def rnn_case(both, merge=0):
    x, out, ins = f(2, 5, 3), [], []
    for backwards in range(1 + both):
        w, r, bias, h, steps = f(4, 3), f(4, 4), f(4), np.zeros((2, 4)), []
        for k in range(5):
            h = np.maximum(x[:, 4 - k if backwards else k] @ w.T + h @ r.T + bias, 0)
            steps.append(h)
        out.append(np.stack(steps[::-1] if backwards else steps, 1).astype(np.float32))
        ins += [Fixed(w), Fixed(r), Fixed(bias), "variable"]
    if both:
        return 46, {1: ("b", 1), 2: ("B", merge)}, [x, *ins, None, None, None], [np.concatenate(out, 2)] if merge else out
    return 35, {1: ("b", 1)}, [x, *ins], out


def svdf_case():
    x, feature, time, bias = f(2, 6), f(8, 6), f(8, 3), f(4)
    y = ((x @ feature.T) * time[:, -1]).reshape(2, 4, 2).sum(2) + bias
    return 27, {0: ("i", 2), 1: ("b", 1)}, [x, Fixed(feature), Fixed(time), Fixed(bias), "variable"], [np.maximum(y, 0)]


def space(x, block, pads):
    x = np.pad(x, [(0, 0), *pads, (0, 0)])
    n, h, w, c = x.shape
    return x.reshape(n, h // block[0], block[0], w // block[1], block[1], c).transpose(2, 4, 0, 1, 3, 5).reshape(-1, h // block[0], w // block[1], c)


def lrn(x, radius, bias, alpha, beta):
    s = np.stack([(x[..., max(0, c - radius):c + radius + 1] ** 2).sum(-1) for c in range(x.shape[-1])], -1)
    return x / (bias + alpha * s) ** beta


CASES = {
    # name: (code, options, inputs, outputs)
    "floor": (8, None, [X], [np.floor(X)]), "ceil": (104, None, [X], [np.ceil(X)]), "round": (116, None, [X], [np.round(X)]),
    "logistic": (14, None, [X], [1 / (1 + np.exp(-X))]), "relu_n1_to_1": (20, None, [X], [np.clip(X, -1, 1)]),
    "relu_0_to_1": (152, None, [X], [np.clip(X, 0, 1)]), "sin": (66, None, [X], [np.sin(X)]), "cos": (108, None, [X], [np.cos(X)]),
    "square": (92, None, [X], [X * X]), "elu": (111, None, [X], [np.where(X > 0, X, np.exp(X) - 1)]), "sign": (158, None, [X], [np.sign(X)]),
    "hard_swish": (117, None, [X], [X * np.clip(X + 3, 0, 6) / 6]), "neg": (59, None, [X], [-X]),
    "gelu_tanh": (150, {0: ("B", 1)}, [X], [0.5 * X * (1 + np.tanh(0.7978845608 * (X + 0.044715 * X ** 3)))]),
    "prelu": (54, None, [X, Fixed(np.array([[[0.1, 0.2, -0.3]]], np.float32))], [np.where(X > 0, X, X * np.float32([0.1, 0.2, -0.3]))]),
    "maximum": (55, None, [X, Y], [np.maximum(X, Y)]), "minimum": (57, None, [X, Y], [np.minimum(X, Y)]),
    "pow": (78, None, [P, Fixed(np.float32(1.5))], [P ** 1.5]), "add_n": (106, None, [X, Y, P], [X + Y + P]),
    "div_relu6": (42, {0: ("b", 3)}, [X, P], [np.clip(X / P, 0, 6)]), "sub_tanh": (41, {0: ("b", 4)}, [X, Y], [np.tanh(X - Y)]),
    "floor_div": (90, None, [X, P], [np.floor(X / P)]), "floor_mod": (95, None, [X, P], [np.mod(X, P)]),
    "less": (58, None, [X, Y], [X < Y]), "greater_equal": (62, None, [X, Y], [X >= Y]), "not_equal": (72, None, [X, Fixed(X.copy())], [X != X]),
    "select_v2": (123, None, [X > 0, X, Y], [np.where(X > 0, X, Y)]), "reduce_prod": (81, {0: ("B", 1)}, [X, Fixed(i32(3))], [X.prod(3, keepdims=True)]),
    "reduce_max": (82, {0: ("B", 0)}, [X, Fixed(i32(1, -2))], [X.max((1, 2))]), "reduce_min": (89, {0: ("B", 0)}, [X, Fixed(i32(3))], [X.min(3)]),
    "sum": (74, {0: ("B", 0)}, [X, Fixed(i32(1))], [X.sum(1)]), "reverse": (105, None, [X, Fixed(i32(1, 2))], [X[:, ::-1, ::-1]]),
    "mirror_reflect": (100, {0: ("b", 0)}, [X, Fixed(np.int32([[0, 0], [1, 2], [2, 1], [0, 0]]))],
                       [np.pad(X, [(0, 0), (1, 2), (2, 1), (0, 0)], mode="reflect")]),
    "mirror_symmetric": (100, {0: ("b", 1)}, [X, Fixed(np.int32([[0, 0], [4, 2], [2, 5], [0, 1]]))],
                         [np.pad(X, [(0, 0), (4, 2), (2, 5), (0, 1)], mode="symmetric")]),
    "padv2": (60, None, [X, Fixed(np.int32([[0, 0], [1, 0], [0, 1], [0, 0]])), Fixed(np.float32(7))],
              [np.pad(X, [(0, 0), (1, 0), (0, 1), (0, 0)], constant_values=7)]),
    "unpack": (88, {0: ("i", 5), 1: ("i", 2)}, [X], [X[:, :, k] for k in range(5)]),
    "split_v": (102, {0: ("i", 3)}, [X, Fixed(i32(2, -1, 1)), Fixed(np.int32(2))], np.split(X, [2, 4], 2)),
    "expand_dims": (70, None, [X, Fixed(np.int32(-1))], [X[..., None]]), "broadcast_to": (130, None, [X[:, :1], Fixed(i32(1, 4, 5, 3))],
                                                                                         [np.broadcast_to(X[:, :1], X.shape)]),
    "space_to_batch": (38, None, [X, Fixed(i32(2, 3)), Fixed(np.int32([[1, 1], [0, 1]]))], [space(X, (2, 3), [(1, 1), (0, 1)])]),
    "space_to_depth": (26, {0: ("i", 2)}, [X[:, :, :4]],
                       [X[:, :, :4].reshape(1, 2, 2, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(1, 2, 2, 12)]),
    "gather_computed": (36, {0: ("i", 2)}, [X, i32(4, 0, 2)], [X[:, :, [4, 0, 2]]]),
    "embedding": (7, None, [i32(2, 0), Fixed(f(4, 3))], None), "gather_nd": (107, None, [X, np.int32([[0, 1], [0, 3]])], [X[[0, 0], [1, 3]]]),
    "one_hot": (85, {0: ("i", -1)}, [i32(1, 3, 0), Fixed(np.int32(4)), Fixed(np.float32(2)), Fixed(np.float32(-1))],
                [np.where(np.eye(4)[[1, 3, 0]] > 0, 2, -1).astype(np.float32)]),
    "cumsum": (128, {0: ("B", 1), 1: ("B", 1)}, [X, Fixed(np.int32(2))], [np.flip(np.flip(X, 2).cumsum(2), 2) - X]),
    "top_k": (48, None, [X, Fixed(np.int32(2))], [-np.sort(-X, -1)[..., :2], np.argsort(-X, -1, "stable")[..., :2].astype(np.int32)]),
    "arg_min": (79, {0: ("b", tw.INT64)}, [X, Fixed(np.int32(1))], [X.argmin(1)]),
    "cast": (53, {0: ("b", 0), 1: ("b", 2)}, [X], [X.astype(np.int32)]), "fill": (94, None, [Fixed(i32(2, 3)), np.float32([5])], [np.full((2, 3), 5, np.float32)]),
    "l2_pool": (12, {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 2), 4: ("i", 2)}, [X],
                [np.sqrt((X ** 2)[:, :-1, :-1] / 4 + (X ** 2)[:, 1:, :-1] / 4 + (X ** 2)[:, :-1, 1:] / 4 + (X ** 2)[:, 1:, 1:] / 4)]),
    "lrn": (13, {0: ("i", 1), 1: ("f", 1.5), 2: ("f", 0.3), 3: ("f", 0.75)}, [X], [lrn(X, 1, 1.5, 0.3, 0.75)]),
    "softmax_beta": (25, {0: ("f", 0.5)}, [X], [np.exp(X / 2) / np.exp(X / 2).sum(-1, keepdims=True)]),
    "strided_new_axis": (45, {3: ("i", 1), 4: ("i", 4), 2: ("i", 8)}, [X, Fixed(i32(0, 0, 1, 0, 2)), Fixed(i32(0, 1, 2, 0, 0)), Fixed(i32(1, 1, 1, 1, -1))],
                         [X[None, 0:1, 1, ..., 2:0:-1]]),
    "slice_rest": (65, None, [X, Fixed(i32(0, 1, 2, 0)), Fixed(i32(-1, 2, -1, 3))], [X[:, 1:3, 2:]]),
    "batch_matmul_adjoint": (126, {0: ("B", 1), 1: ("B", 1)}, [f(2, 4, 3), f(2, 5, 4)], None),
    "fully_connected_keep": (9, {0: ("b", 1), 2: ("B", 1)}, [X, Fixed(f(6, 3)), Fixed(f(6))], None),
    "fully_connected_computed": (9, {0: ("b", 0)}, [f(2, 3), f(4, 3)], None),
    "reduce_any": (91, {0: ("B", 0)}, [X > 1, Fixed(i32(1, 3))], [(X > 1).any((1, 3))]),
    "reduce_all": (140, {0: ("B", 1)}, [X > -1, Fixed(i32(-1))], [(X > -1).all(3, keepdims=True)]),
    "bitwise_xor": (160, None, [i32(1, 6, -9), i32(3, 2, 5)], [i32(1, 6, -9) ^ i32(3, 2, 5)]),
    "right_shift": (161, None, [i32(100, 6, -9), i32(3, 1, 2)], [i32(100, 6, -9) >> i32(3, 1, 2)]),
    "scatter_nd": (122, None, [Fixed(np.int32([[1], [3], [1]])), f(3, 4), Fixed(i32(5, 4))], None),
    "reverse_sequence": (112, {0: ("i", 2), 1: ("i", 1)}, [X, Fixed(i32(0, 1, 3, 5))], None),
    "lstm": lstm_case(), "lstm_coupled": lstm_case(coupled=True), "lstm_peephole": lstm_case(clip=0.4, peephole=True),
    "lstm_projection": lstm_case(projection=6), "lstm_norm": lstm_case(norm=True),
    "lstm_all": lstm_case(coupled=True, peephole=True, projection=2, norm=True), "both_lstm": both_lstm_case(1, 0), "both_lstm_apart": both_lstm_case(0, 1),
    "rnn": rnn_case(0), "both_rnn": rnn_case(1, 1), "both_rnn_apart": rnn_case(1), "svdf": svdf_case(),
}
_, a, _ = CASES["scatter_nd"][2]
CASES["scatter_nd"] = (*CASES["scatter_nd"][:3], [np.stack([0 * a[0], a[0] + a[2], 0 * a[0], a[1], 0 * a[0]])])
CASES["reverse_sequence"] = (*CASES["reverse_sequence"][:3],
                             [np.stack([np.concatenate([X[:, k, :n][:, ::-1], X[:, k, n:]], 1) for k, n in enumerate((0, 1, 3, 5))], 1)])
a, b = CASES["embedding"][2]
CASES["embedding"] = (*CASES["embedding"][:3], [b.a[a]])
a, b = CASES["batch_matmul_adjoint"][2]
CASES["batch_matmul_adjoint"] = (*CASES["batch_matmul_adjoint"][:3], [a.transpose(0, 2, 1) @ b.transpose(0, 2, 1)])
a, b, c = CASES["fully_connected_keep"][2]
CASES["fully_connected_keep"] = (*CASES["fully_connected_keep"][:3], [np.maximum(a @ b.a.T + c.a, 0)])
a, b = CASES["fully_connected_computed"][2]
CASES["fully_connected_computed"] = (*CASES["fully_connected_computed"][:3], [a @ b.T])


def build(code, options, inputs, outputs):
    tensors, ins, starts = [], [], []
    for k, x in enumerate(inputs):
        if x is None:
            ins.append(-1)
            continue
        ins.append(len(tensors))
        if isinstance(x, str):
            tensors.append(tw.tensor(f"state{k}", [1, 4], variable=True))
            continue
        a = np.ascontiguousarray(x.a if isinstance(x, Fixed) else x).reshape((x.a if isinstance(x, Fixed) else x).shape)
        if not isinstance(x, Fixed):
            starts.append(len(tensors))
        tensors.append(tw.tensor(f"in{k}", list(a.shape), KIND[a.dtype], a.tobytes() if isinstance(x, Fixed) else None))
    ends = list(range(len(tensors), len(tensors) + len(outputs)))
    tensors += [tw.tensor(f"out{k}", list(o.shape), KIND.get(o.dtype, tw.FLOAT32)) for k, o in enumerate(outputs)]
    return tw.model(tensors, [tw.op(code, ins, ends, options)], starts, ends)


def check(name, work):
    code, options, inputs, outputs = CASES[name]
    outputs = [np.asarray(o).astype(np.float32) if np.asarray(o).dtype == np.float64 else np.asarray(o) for o in outputs]
    (work / "net.tflite").write_bytes(build(code, options, inputs, outputs))
    r = models.sluice("parser", "tflite", work / "net.tflite", "--har-path", work / "net.har", check=False)
    if r.returncode:
        print(f"{name}: {r.stderr.strip()[-300:]}")
        return False
    args = []
    for k, x in enumerate(inputs):
        if isinstance(x, np.ndarray):
            np.save(work / f"in{k}.npy", x)
            args.append(f"in{k}={work}/in{k}.npy")
    models.sluice("emulate", work / "net.har", "--mode", "native", "--origin-layout", "--output-dir", work / "out", "--input", *args)
    good = True
    for k, (w, g) in enumerate(zip(outputs, models.outputs(work / "out"))):
        w, g = w.astype(np.float64), g.astype(np.float64)
        error = np.abs(w - g.reshape(w.shape)).max() if w.size == g.size else np.inf
        if not error <= 1e-5 * max(1, np.abs(w).max()):
            print(f"{name}: output {k} of shape {g.shape}, wanted {w.shape}, error {error:.3g}")
            good = False
    return good


def check_float_ends(work):
    """Integers inside, floats at both ends: QUANTIZE, FULLY_CONNECTED, a QUANTIZE between encodings, DEQUANTIZE, SOFTMAX in float."""
    weights, bias, x = rng.integers(-127, 128, (5, 8)).astype(np.int8), rng.integers(-900, 900, 5).astype(np.int32), f(3, 8)
    s_in, z_in, s_w, s_out, z_out = 0.02, 5, np.linspace(0.01, 0.02, 5).astype(np.float32), 0.07, -20
    t = [tw.tensor("x", [3, 8]), tw.tensor("q", [3, 8], tw.INT8, scales=[s_in], zeros=[z_in]),
         tw.tensor("w", [5, 8], tw.INT8, weights.tobytes(), list(s_w), [0] * 5, 0), tw.tensor("b", [5], tw.INT32, bias.tobytes(), [1.0], [0]),
         tw.tensor("y", [3, 5], tw.INT8, scales=[s_out], zeros=[z_out]), tw.tensor("r", [3, 5], tw.INT8, scales=[0.1], zeros=[3]),
         tw.tensor("d", [3, 5]), tw.tensor("p", [3, 5])]
    o = [tw.op(114, [0], [1]), tw.op(9, [1, 2, 3], [4], {0: ("b", 0)}), tw.op(114, [4], [5]), tw.op(6, [5], [6]), tw.op(25, [6], [7], {0: ("f", 1.0)})]
    (work / "ends.tflite").write_bytes(tw.model(t, o, [0], [6, 7]))
    np.save(work / "x.npy", x)
    models.sluice("parser", "tflite", work / "ends.tflite", "--har-path", work / "ends.har")
    models.sluice("emulate", work / "ends.har", "--mode", "quantized", "--origin-layout", "--output-dir", work / "ends", "--input", work / "x.npy")
    q = np.clip(np.round(x / np.float32(s_in)) + z_in, -128, 127)
    y = np.clip(np.round(((q - z_in) @ weights.T + bias) * (np.float32(s_in) * s_w / np.float32(s_out))) + z_out, -128, 127)
    d = (np.clip(np.round((y - z_out) * 0.7) + 3, -128, 127) - 3) * 0.1
    p = np.exp(d) / np.exp(d).sum(-1, keepdims=True)
    got = models.outputs(work / "ends")
    good = np.abs(got[0] - d).max() < 0.101 and (np.abs(got[0] - d) < 1e-4).mean() > 0.9 and np.abs(got[1] - p).max() < 0.02
    if not good:
        print("float ends:", np.abs(got[0] - d).max(), np.abs(got[1] - p).max())
    return good


def check_transpose_bias(work):
    """MediaPipe's Convolution2DTransposeBias: x, kernel OHWI, bias; SAME and VALID."""
    good = True
    for padding, side in ((1, 6), (2, 7)):
        x, k, bias = f(1, 3, 3, 2), f(4, 3, 3, 2), f(4)
        full = np.zeros((7, 7, 4))
        for i in range(3):
            for j in range(3):
                full[2 * i:2 * i + 3, 2 * j:2 * j + 3] += np.einsum("c,ohwc->hwo", x[0, i, j], k)
        want = full[:side, :side] + bias
        t = [tw.tensor("x", [1, 3, 3, 2]), tw.tensor("k", [4, 3, 3, 2], data=k.tobytes()), tw.tensor("b", [4], data=bias.tobytes()), tw.tensor("y", [1, side, side, 4])]
        options = np.int32([padding, 2, 2]).tobytes()
        (work / "tb.tflite").write_bytes(tw.model(t, [tw.op(32, [0, 1, 2], [3], custom="Convolution2DTransposeBias", custom_options=options)], [0], [3]))
        np.save(work / "x.npy", x)
        models.sluice("parser", "tflite", work / "tb.tflite", "--har-path", work / "tb.har")
        models.sluice("emulate", work / "tb.har", "--mode", "native", "--output-dir", work / "tb", "--input", work / "x.npy")
        error = np.abs(models.outputs(work / "tb")[0].reshape(want.shape) - want).max()
        if not error < 1e-5:
            print("Convolution2DTransposeBias:", padding, error)
        good = good and error < 1e-5
    return good


class Graph:
    """A subgraph: names to tensors, operators on names."""

    def __init__(self, **inputs):
        self.tensors, self.ops, self.index = [], [], {}
        for name, (shape, kind) in inputs.items():
            self.add(name, shape, kind)
        self.inputs = list(range(len(self.tensors)))

    def add(self, name, shape=(), kind=tw.FLOAT32, data=None):
        self.index[name] = len(self.tensors)
        self.tensors.append(tw.tensor(name, list(shape), kind, data))
        return name

    def const(self, name, a):
        a = np.asarray(a)
        return self.add(name, a.shape, KIND[a.dtype], a.tobytes())

    def op(self, code, ins, outs, options=None, kind=tw.FLOAT32):
        for name in outs:
            if name not in self.index:
                self.add(name, (), kind)
        self.ops.append(tw.op(code, [self.index[i] for i in ins], [self.index[o] for o in outs], options))

    def done(self, *outputs):
        return self.tensors, self.ops, self.inputs, [self.index[o] for o in outputs]


def check_loop(work):
    """WHILE over a counter, with rows that are written one by one, and IF, known and chosen at run time."""
    steps, units = 4, 3
    x, w, u, b = f(1, steps, 2), f(units, 2), f(units, units), f(units)
    forms = dict(n=((), tw.INT32), h=((1, units), tw.FLOAT32), rows=((steps, 1, units), tw.FLOAT32), x=(x.shape, tw.FLOAT32))
    cond, body, main = Graph(**forms), Graph(**forms), Graph(x=(x.shape, tw.FLOAT32))
    cond.const("steps", np.int32(steps))
    cond.op(58, ["n", "steps"], ["go"], kind=tw.BOOL)
    for name, a in dict(w=w, u=u, b=b, one=np.int32(1), zero=np.int32(0), shape=i32(1, 1, units)).items():
        body.const(name, a)
    body.op(36, ["x", "n"], ["xt"], {0: ("i", 1)})
    body.op(9, ["xt", "w", "b"], ["xw"], {0: ("b", 0)})
    body.op(9, ["h", "u"], ["hu"], {0: ("b", 0)})
    body.op(0, ["xw", "hu"], ["sum"], {0: ("b", 0)})
    body.op(28, ["sum"], ["h2"])
    body.op(22, ["h2", "shape"], ["row"])
    body.op(83, ["n", "zero", "zero"], ["at"], {0: ("i", 3), 1: ("i", 0)}, tw.INT32)
    body.op(151, ["rows", "row", "at"], ["rows2"])
    body.op(0, ["n", "one"], ["n2"], {0: ("b", 0)}, tw.INT32)
    then, other = Graph(a=((1, units), tw.FLOAT32)), Graph(a=((1, units), tw.FLOAT32))
    then.op(59, ["a"], ["minus"])
    other.op(92, ["a"], ["square"])
    for name, a in dict(start=np.int32(0), h0=np.zeros((1, units), np.float32), rows0=np.zeros((steps, 1, units), np.float32), yes=np.bool_(True),
                        axes=i32(0, 1), half=np.float32(0)).items():
        main.const(name, a)
    main.op(119, ["start", "h0", "rows0", "x"], ["n", "h", "rows", "same"], {0: ("i", 1), 1: ("i", 2)})
    main.op(118, ["yes", "h"], ["known"], {0: ("i", 3), 1: ("i", 4)})
    main.op(74, ["h", "axes"], ["total"], {0: ("B", 0)})
    main.op(61, ["total", "half"], ["big"], kind=tw.BOOL)
    main.op(118, ["big", "h"], ["chosen"], {0: ("i", 3), 1: ("i", 4)})
    h, rows = np.zeros((1, units)), []
    for k in range(steps):
        h = np.tanh(x[:, k] @ w.T + b + h @ u.T)
        rows.append(h)
    want = [np.stack(rows), -h, -h if h.sum() > 0 else h * h]
    tensors, ops, inputs, outputs = main.done("rows", "known", "chosen")
    for name, shape in (("rows", (steps, 1, units)), ("known", (1, units)), ("chosen", (1, units))):
        tensors[main.index[name]]["shape"] = list(shape)
    others = [cond.done("go"), body.done("n2", "h2", "rows2", "x"), then.done("minus"), other.done("square")]
    (work / "loop.tflite").write_bytes(tw.model(tensors, ops, inputs, outputs, others=others))
    np.save(work / "x.npy", x)
    models.sluice("parser", "tflite", work / "loop.tflite", "--har-path", work / "loop.har")
    models.sluice("emulate", work / "loop.har", "--mode", "native", "--origin-layout", "--output-dir", work / "loop", "--input", work / "x.npy")
    errors = [np.abs(g.reshape(v.shape) - v).max() for g, v in zip(models.outputs(work / "loop"), want)]
    if max(errors) > 1e-5:
        print("loop:", errors)
    until = Graph(**forms)
    until.const("limit", np.float32(9))
    until.const("axes", i32(0, 1))
    until.op(74, ["h", "axes"], ["total"], {0: ("B", 0)})
    until.op(58, ["total", "limit"], ["go"], kind=tw.BOOL)
    (work / "until.tflite").write_bytes(tw.model(tensors, ops, inputs, outputs, others=[until.done("go"), *others[1:]]))
    r = models.sluice("parser", "tflite", work / "until.tflite", "--har-path", work / "until.har", check=False)
    endless = Graph(**forms)
    endless.const("steps", np.int32(5000))
    endless.op(58, ["n", "steps"], ["go"], kind=tw.BOOL)
    body.ops[0] = tw.op(36, [body.index["x"], body.index["zero"]], [body.index["xt"]], {0: ("i", 1)})
    (work / "endless.tflite").write_bytes(tw.model(tensors, ops, inputs, outputs, others=[endless.done("go"), *others[1:]]))
    e = models.sluice("parser", "tflite", work / "endless.tflite", "--har-path", work / "endless.har", check=False)
    named = "decided at run time" in r.stderr and "more than 1024 turns" in e.stderr
    if not named:
        print("loops without a known end:", r.stderr[-300:], e.stderr[-300:])
    return max(errors) <= 1e-5 and named


def check_list(work):
    """A list that a loop writes entry by entry, as Keras 3's recurrent layers do: each time what is before, the entry, what is behind. One
    concatenation of the entries is left, and no part of it is empty."""
    n, x = 4, f(1, 6)
    g = Graph(x=((1, 6), tw.FLOAT32))
    g.const("start", np.zeros((n, 1, 6), np.float32))
    g.const("row", i32(1, 1, 6))
    last, want = "start", []
    for k in range(n):
        for name, a in {f"size{k}": i32(k, 1, 6), f"from{k}": i32(k + 1, 0, 0), f"rest{k}": i32(n - k - 1, 1, 6), f"zero{k}": i32(0, 0, 0),
                        f"add{k}": np.float32(k)}.items():
            g.const(name, a)
        g.op(0, ["x", f"add{k}"], [f"sum{k}"], {0: ("b", 0)})
        g.op(28, [f"sum{k}"], [f"tanh{k}"])
        g.op(22, [f"tanh{k}", "row"], [f"entry{k}"])
        g.op(65, [last, f"zero{k}", f"size{k}"], [f"before{k}"])
        g.op(65, [last, f"from{k}", f"rest{k}"], [f"behind{k}"])
        g.op(2, [f"before{k}", f"entry{k}", f"behind{k}"], [f"list{k}"], {0: ("i", 0)})
        last = f"list{k}"
        want.append(np.tanh(x + np.float32(k)))
    tensors, ops, inputs, outputs = g.done(last)
    (work / "list.tflite").write_bytes(tw.model(tensors, ops, inputs, outputs))
    np.save(work / "x.npy", x)
    models.sluice("parser", "tflite", work / "list.tflite", "--har-path", work / "list.har")
    models.sluice("emulate", work / "list.har", "--mode", "native", "--origin-layout", "--output-dir", work / "list", "--input", work / "x.npy")
    error = np.abs(models.outputs(work / "list")[0].reshape(n, 1, 6) - np.stack(want)).max()
    layers = models.sluice("har", "info", work / "list.har").stdout
    good = error < 1e-5 and layers.count(" concat ") == 1 and " slice " not in layers
    if not good:
        print("list:", error, layers)
    return good


def check_spectrum(work):
    """What tf.signal.stft becomes: RFFT2D over one row, a reshape of complex numbers, COMPLEX_ABS, REAL, IMAG; lengths cut, keep and fill."""
    good, complex64 = True, 8
    for length in (16, 20, 32, 15):
        x = f(1, 3, 1, 20)
        g = Graph(x=(x.shape, tw.FLOAT32))
        g.const("lengths", i32(1, length))
        g.const("shape", i32(1, 3, -1))
        g.op(131, ["x", "lengths"], ["bins"], kind=complex64)
        g.op(22, ["bins", "shape"], ["flat"], kind=complex64)
        for code, name in ((135, "abs"), (134, "real"), (133, "imag")):
            g.op(code, ["flat"], [name])
        for name in ("abs", "real", "imag"):
            g.tensors[g.index[name]]["shape"] = [1, 3, length // 2 + 1]
        (work / "fft.tflite").write_bytes(tw.model(*g.done("abs", "real", "imag")))
        np.save(work / "x.npy", x)
        models.sluice("parser", "tflite", work / "fft.tflite", "--har-path", work / "fft.har")
        models.sluice("emulate", work / "fft.har", "--mode", "native", "--origin-layout", "--output-dir", work / "fft", "--input", work / "x.npy")
        spectrum = np.fft.rfft(x[:, :, 0], length)
        errors = [np.abs(a.reshape(b.shape) - b).max() for a, b in zip(models.outputs(work / "fft"), (np.abs(spectrum), spectrum.real, spectrum.imag))]
        if max(errors) > 1e-4:
            print("spectrum of", length, errors)
            good = False
    g.op(59, ["flat"], ["minus"], kind=complex64)
    (work / "fft.tflite").write_bytes(tw.model(*g.done("minus")))
    r = models.sluice("parser", "tflite", work / "fft.tflite", "--har-path", work / "fft.har", check=False)
    if r.returncode == 0 or "complex numbers" not in r.stderr:
        print("NEG of complex numbers:", r.stderr[-300:])
        good = False
    return good


def main():
    names = sys.argv[1:] or list(CASES)
    with tempfile.TemporaryDirectory() as t:
        results = [check(name, pathlib.Path(t)) for name in names] + [check_float_ends(pathlib.Path(t)), check_transpose_bias(pathlib.Path(t)),
                                                                        check_loop(pathlib.Path(t)), check_list(pathlib.Path(t)), check_spectrum(pathlib.Path(t))]
    print(f"{sum(results)} of {len(results)} operators equal NumPy")
    return 0 if all(results) else 1


sys.exit(main())
