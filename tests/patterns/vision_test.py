#!/usr/bin/env python3
"""What networks that look at pictures are made of besides convolutions, through the whole flow: cubic resizes, indexing of and assignments to parts of a
tensor, logarithms of softmax, running sums. Native against NumPy; emulator, HEF and oracle byte for byte; the noise of the rounding.

    vision_test.py [WORD...]: the cases whose names hold a word"""
import pathlib
import sys
import tempfile

import numpy as np

import flow
import node_lines

F32 = np.float32
rng = np.random.Generator(np.random.PCG64(5))
CONSTANTS = {}


def constant(name, value):
    CONSTANTS[name] = np.asarray(value)
    return name


def case(name, nodes, shape, want, kinds, snr, feeds=None):
    return {"name": name, "nodes": nodes, "shape": shape, "want": want, "kinds": kinds, "snr": snr, "feeds": feeds or {}}


# ---- cubic: the kernel of Keys, positions of half pixels, edges repeated ----

def cubic_axis(x, axis, size, a):
    n, out = x.shape[axis], 0
    at = (np.arange(size) + 0.5) * n / size - 0.5
    low, t = np.floor(at).astype(int), at - np.floor(at)
    for k in range(-1, 3):
        d = np.abs(k - t)
        w = np.where(d <= 1, (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1, a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a)
        shape = [1] * x.ndim
        shape[axis] = size
        out = out + np.take(x, np.clip(low + k, 0, n - 1), axis) * w.reshape(shape)
    return out


def cubic(h, w, a=-0.75):
    return lambda x: cubic_axis(cubic_axis(np.float64(x), 2, h, a), 3, w, a)


def resize(h, w, more=""):
    return f"Resize(mode=cubic{more}) x _ _ {constant(f'size_{h}_{w}', np.int64([1, 3, h, w]))} > y"


# ---- assignments: index tuples of ScatterND ----

def box(shape, where):
    """Tuples of a part of a tensor, the way exporters make them of ranges."""
    return np.stack(np.meshgrid(*[np.arange(n)[s] for n, s in zip(shape, where)], indexing="ij"), -1)


def assigned(where, base=None):
    def f(x):
        y = x.copy() if base is None else np.broadcast_to(base, x.shape).copy()
        for b in range(len(x)):
            y[b][where] = -x[b][where]
        return y
    return f


def assignment(name, where, data, kinds, snr=42):
    """The part `where` of one frame [1, 4, 6, 5] of `data` becomes what stands there in -x."""
    tuples = box((1, 4, 6, 5), (slice(0, 1),) + where)
    parts = ["starts", "ends", "axes", "steps"]
    limits = [s.indices(n) for s, n in zip(where, (4, 6, 5))]
    lists = [[v[0] for v in limits], [v[1] for v in limits], [1, 2, 3], [v[2] for v in limits]]
    for p, v in zip(parts, lists):
        constant(f"{p}_{len(CONSTANTS)}", np.int64(v))
    words = " ".join(list(CONSTANTS)[-4:])
    nodes = f"Neg x > n | Slice n {words} > u | ScatterND {data} {constant(f'tuples_{len(CONSTANTS)}', np.int64(tuples))} u > y"
    return case(name, nodes, (1, 4, 6, 5), assigned(where, None if data == "x" else CONSTANTS[data][0]), kinds, snr)


constant("zeros", np.zeros((1, 4, 6, 5), F32))
constant("half", np.full((1, 4, 6, 5), 0.5, F32))
ROWS = constant("rows", np.int64([[0, 3], [0, 1], [0, 3]]))
PAIRS = constant("pairs", np.int64([[0, i, j] for i in range(4) for j in range(i)]))
CORNER = constant("corner", np.int64(box((1, 4, 6), (slice(0, 1), slice(1, 3), slice(2, 6)))))
ALONG = constant("along", rng.integers(-6, 6, (1, 4, 3, 5)))
COLUMN = constant("column", np.full((1, 4, 1, 5), 3))
TAKE = constant("take", np.int64([2, 0, 1]))
AXIS = {i: constant(f"axis{i}", np.int64(i)) for i in (1, 2, 3)}


def twice(x):
    y = x.copy()
    y[:, 1], y[:, 3] = x[:, 0], x[:, 1]  # of the two that go to row 3 the later one
    return y


def log_softmax(axis):
    return lambda x: x - np.log(np.exp(np.float64(x)).sum(axis, keepdims=True))


CASES = [
    case("cubic to twice the size", resize(12, 10), (1, 3, 6, 5), cubic(12, 10), "resize", 38),
    case("cubic to other sides", resize(9, 4), (1, 3, 6, 5), cubic(9, 4), "resize", 38),
    case("cubic with another kernel", resize(9, 10, "; cubic_coeff_a=-0.5"), (1, 3, 6, 5), cubic(9, 10, -0.5), "resize", 38),
    assignment("a box of the input", (slice(1, 3), slice(0, 4), slice(2, 5)), "x", "neg slice slice slice slice slice concat concat concat"),
    assignment("a box of zeros", (slice(0, 2), slice(0, 6), slice(1, 4)), "zeros", "neg slice concat concat"),
    assignment("every other column", (slice(0, 4), slice(0, 6), slice(0, 5, 2)), "half", "neg slice reshape concat gather reshape"),
    assignment("all of it", (slice(0, 4), slice(0, 6), slice(0, 5)), "half", "neg"),
    case("rows, one of them twice", f"Gather(axis=1) x {TAKE} > t | Transpose(perm=1,0,2,3) t > u | Squeeze u axis1 > v | ScatterND x {ROWS} v > y",
         (1, 4, 6, 5), twice, None, 42),
    case("pairs of a table", f"GatherND x {PAIRS} > p | Unsqueeze p {constant('axis0', np.int64([0]))} > y", (1, 4, 4),
         lambda x: np.stack([x[:, i, j] for i in range(4) for j in range(i)], 1), "reshape gather reshape", 42),
    case("a corner of a table", f"GatherND x {CORNER} > y", (1, 4, 6), lambda x: x[:, 1:3, 2:], "slice", 42),
    case("elements along rows", f"GatherElements(axis=2) x {ALONG} > y", (1, 4, 6, 5),
         lambda x: np.take_along_axis(x, np.broadcast_to(CONSTANTS["along"], (len(x), 4, 3, 5)), 2), "reshape gather reshape", 42),
    case("one row, by elements", f"GatherElements(axis=2) x {COLUMN} > y", (1, 4, 6, 5), lambda x: x[:, :, 3:4], "slice", 42),
    case("log softmax", "LogSoftmax(axis=1) x > y", (1, 20, 6, 5), log_softmax(1), "log_softmax", 40),
    case("log softmax of rows", "LogSoftmax(axis=-1) x > y", (1, 7, 16), log_softmax(2), "log_softmax", 40),
    case("log softmax, far apart", "Mul x ten > z | LogSoftmax(axis=-1) z > y", (1, 7, 16), lambda x: log_softmax(2)(10 * np.float64(x)), None, 40),
    case("running sum", f"CumSum x {AXIS[1]} > y", (1, 9, 6), lambda x: np.cumsum(x, 1), "cumsum", 38),
    case("running sum of columns", f"CumSum x {AXIS[2]} > y", (1, 9, 6), lambda x: np.cumsum(x, 2), "cumsum", 38),
    case("running sum without itself", f"CumSum(exclusive=1) x {AXIS[1]} > y", (1, 9, 6), lambda x: np.cumsum(x, 1) - x, "cumsum", 38),
    case("running sum from the end", f"CumSum(reverse=1) x {AXIS[2]} > y", (1, 9, 6), lambda x: np.cumsum(x[..., ::-1], 2)[..., ::-1], "cumsum", 38),
    case("powers of two", "Pow two x > y", (1, 4, 6), lambda x: 2 ** np.float64(x), "ew_pow", 38),
    case("sigmoid, written out", "Sub x half1 > a | Mul a minus50 > b | Exp b > c | Add c one > d | Reciprocal d > y", (1, 4, 6),
         lambda x: 1 / (1 + np.exp(-50 * (np.float64(x) - 0.5))), "ew_sub ew_mult sigmoid", 25),
]
CONSTANTS.update({"ten": F32(10), "two": F32(2), "half1": F32(0.5), "minus50": F32(-50), "one": F32(1)})


def run(c, work):
    local = np.random.Generator(np.random.PCG64(9))
    x = local.normal(size=(4,) + c["shape"][1:]).astype(F32)
    want = c["want"](x)
    words = c["nodes"].replace("|", " ").split()
    net = flow.Net(work, c["nodes"], {"x": x}, (1,) + want.shape[1:], {k: v for k, v in CONSTANTS.items() if k in words})
    kinds = [k for k in net.kinds() if k != "transpose"]
    assert c["kinds"] is None or sorted(kinds) == sorted(c["kinds"].split()), kinds
    got = net.native()
    assert np.allclose(got, want, rtol=2e-5, atol=2e-5), f"native: off by {abs(got - want).max()}"
    ratio = flow.snr(want, net.quantized())
    assert ratio > c["snr"], f"quantized: {ratio:.1f} dB"
    return ratio


def many_indices(work):
    """A constant of 2^27 indices takes a few bytes in a file: it is not read one by one, and the layer stays as it is."""
    f = node_lines.onnx_file
    nodes = [f.node("ConstantOfShape", ["shape"], ["i"], value=np.array([0])), f.node("GatherND", ["x", "i"], ["y"], "pick")]
    graph = f.graph(nodes, {"x": np.zeros((1, 6), F32)}, {"y": None}, {"shape": np.array([1 << 27, 1])})
    (work / "many.onnx").write_bytes(f.model(graph, 17, domains=()))
    flow.sluice("parser", "onnx", work / "many.onnx", "--har-path", work / "many.har", "-q")
    assert any(v["type"] == "gather_nd" for v in flow.Net.read_layers(work / "many.har").values())


def main():
    with tempfile.TemporaryDirectory() as t:
        many_indices(pathlib.Path(t))
    failed = flow.run_cases(CASES, run, sys.argv[1:])
    assert not failed, f"{failed} cases failed"
    print(f"{len(CASES)} cases")


if __name__ == "__main__":
    main()
