#!/usr/bin/env python3
"""Rotary embedding as exporters write it: each row of the pattern table, near misses that stay as they are, and the functions of ONNX's
RotaryEmbedding. Every case is a file of its own, checked against NumPy in native mode and taken through optimize, compile and run: emulator,
HEF and oracle give the same bytes.

usage: rotary_test.py [WORD ...]   (only cases whose name holds a WORD)"""
import concurrent.futures
import pathlib
import sys
import tempfile

import numpy as np

import flow

B, N, H, D = 4, 6, 4, 8
F32 = np.float32
rng = np.random.Generator(np.random.PCG64(3))
ANGLES = np.arange(N)[:, None] * 10000.0 ** (-np.arange(D // 2) / (D // 2))
INVERSE = (10000.0 ** (-np.arange(D // 2) / (D // 2))).astype(F32)
POSITIONS = np.array([5, 0, 3, 3, 1, 2])


def table(a, repeat=None):
    a = np.concatenate([a, a], -1) if repeat == "halves" else a.repeat(2, -1) if repeat == "pairs" else a
    return a.astype(F32)


CONSTANTS = {"heads": np.array([1, N, H, D]), "flat": np.array([1, N, H * D]), "zero1": np.array([0]), "half": np.array([D // 2]), "end": np.array([1 << 40]),
             "last": np.array([-1]), "one1": np.array([1]), "two1": np.array([2]), "quarter": np.array([D // 4]), "axis1": np.array([1]),
             "cosh": table(np.cos(ANGLES), "halves")[None, None], "sinh": table(np.sin(ANGLES), "halves")[None, None],
             "cosp": table(np.cos(ANGLES), "pairs")[None, None], "sinp": table(np.sin(ANGLES), "pairs")[None, None],
             "cosa": table(np.cos(ANGLES))[None, None], "sina": table(np.sin(ANGLES))[None, None], "cosb": table(np.cos(ANGLES[::-1]))[None, None],
             "cosq": table(np.cos(ANGLES[:, :D // 4]), "halves")[None, None], "sinq": table(np.sin(ANGLES[:, :D // 4]), "halves")[None, None],
             "coss": table(np.cos(ANGLES))[None, :, None], "sins": table(np.sin(ANGLES))[None, :, None],
             "cache_cos": table(np.cos(ANGLES), "halves"), "cache_sin": table(np.sin(ANGLES), "halves"), "positions": POSITIONS[None],
             "inverse": INVERSE[None], "pairs": np.array([1, H, N, D // 2, 2]), "whole": np.array([1, H, N, D]), "index0": np.array(0),
             "index1": np.array(1), "halved": np.array([1, H, N, 2, D // 2]), "sizes": np.array([D // 2, D // 2]), "mscale": F32(1.2)}

HEAD = "Reshape x heads > x4 | Transpose(perm=0,2,1,3) x4 > q | "
TAIL = " | Transpose(perm=0,2,1,3) r > rt | Reshape rt flat > y"
HALVES = "Slice q zero1 half last > a | Slice q half end last > b | "
PAIRS = "Slice q zero1 end last two1 > a | Slice q one1 end last two1 > b | "
STACK = "Unsqueeze {0} last > {0}u | Unsqueeze {1} last > {1}u | Concat(axis=-1) {0}u {1}u > st | Reshape st whole > {2}"
PARTS = "Mul a {0} > ac | Mul b {1} > bs | Sub ac bs > f | Mul b {0} > bc | Mul a {1} > as | Add bc as > g | "
WHOLE = "Mul q {0} > qc | Mul t {1} > ts | Add qc ts > r"


def turned(x, angles=ANGLES, interleaved=False):
    """x [.., N, d] as complex numbers, by the angles."""
    x = np.float64(x)
    d = x.shape[-1]
    z = x[..., 0::2] + 1j * x[..., 1::2] if interleaved else x[..., :d // 2] + 1j * x[..., d // 2:]
    z = z * np.exp(1j * angles[..., :d // 2])
    return np.stack([z.real, z.imag], -1).reshape(x.shape) if interleaved else np.concatenate([z.real, z.imag], -1)


def heads(x):
    return np.float64(x).reshape(len(x), N, H, D).transpose(0, 2, 1, 3)


def flat(y):
    return y.transpose(0, 2, 1, 3).reshape(len(y), N, H * D)


def case(name, nodes, want=None, interleaved=0, rotary=True, kinds="rotary", extra=None, native_only=False, snr=60, tail=TAIL, head=HEAD):
    want = want or (lambda f: flat(turned(heads(f["x"]), ANGLES, interleaved)))
    return dict(name=name, nodes=head + nodes + tail, want=want, interleaved=interleaved, rotary=rotary, kinds=kinds, extra=extra or {}, native_only=native_only, snr=snr)


def near(name, nodes, want, **keys):
    return case(name, nodes, lambda f: flat(want(heads(f["x"]))), rotary=False, kinds=None, native_only=True, **keys)


def split(x):
    return x[..., :D // 2], x[..., D // 2:]


def partial(x):
    a, b = split(x)
    return np.concatenate([turned(a), b], -1)


COSH, SINH, COSA, SINA = (np.float64(CONSTANTS[k]) for k in ("cosh", "sinh", "cosa", "sina"))
COMPUTED = """Unsqueeze p last > pu | MatMul pu inverse > f | Concat(axis=-1) f f > e | Cos e > ce | Sin e > se | Unsqueeze ce axis1 > c4 | Unsqueeze se axis1 > s4 |
""" + HALVES + "Neg b > nb | Concat(axis=-1) nb a > t | " + WHOLE.format("c4", "s4")
BLOCK = """Reshape x heads > x4 | Transpose(perm=0,2,1,3) x4 > q | Slice q zero1 half last > a | Slice q half end last > b | Neg b > nb
           Concat(axis=-1) nb a > t | Mul q cosh > qc | Mul t sinh > ts | Add qc ts > r | Reshape k heads > k4 | Transpose(perm=0,2,1,3) k4 > kq
           Slice kq zero1 half last > ka | Slice kq half end last > kb | Neg kb > knb | Concat(axis=-1) knb ka > kt | Mul kq cosh > kqc
           Mul kt sinh > kts | Add kqc kts > kr | Transpose(perm=0,1,3,2) kr > krt | MatMul r krt > s | Softmax s > w | MatMul w q > c
           Transpose(perm=0,2,1,3) c > ct | Reshape ct flat > y"""


def block(f):
    q, k = turned(heads(f["x"])), turned(heads(f["k"]))
    s = q @ k.swapaxes(2, 3)
    e = np.exp(s - s.max(-1, keepdims=True))
    return flat(e / e.sum(-1, keepdims=True) @ heads(f["x"]))


CASES = [
    case("halves", HALVES + "Neg b > nb | Concat(axis=-1) nb a > t | " + WHOLE.format("cosh", "sinh")),
    case("halves, products the other way", HALVES + "Neg b > nb | Concat(axis=-1) nb a > t | Mul cosh q > qc | Mul sinh t > ts | Add ts qc > r"),
    case("halves by Split", "Split(axis=-1) q sizes > a b | Neg b > nb | Concat(axis=-1) nb a > t | " + WHOLE.format("cosh", "sinh")),
    case("halves by a reshape", "Reshape q halved > h5 | Split(axis=-2) h5 ones > ha hb | Squeeze ha minus2 > a | Squeeze hb minus2 > b | Neg b > nb | "
         "Concat(axis=-1) nb a > t | " + WHOLE.format("cosh", "sinh")),
    case("neighbours", PAIRS + "Neg b > nb | " + STACK.format("nb", "a", "t") + " | " + WHOLE.format("cosp", "sinp"), interleaved=1),
    case("parts, halves", HALVES + PARTS.format("cosa", "sina") + "Concat(axis=-1) f g > r"),
    case("parts with the sum first", HALVES + "Mul cosa a > ac | Neg b > nb | Mul sina nb > bs | Add bs ac > f | Mul b cosa > bc | Mul a sina > as | Add as bc > g | "
         "Concat(axis=-1) f g > r"),
    case("parts, neighbours", PAIRS + PARTS.format("cosa", "sina") + STACK.format("f", "g", "r"), interleaved=1),
    case("parts, neighbours by a reshape", "Reshape q pairs > p5 | Gather(axis=4) p5 index0 > a | Gather(axis=4) p5 index1 > b | " + PARTS.format("cosa", "sina") +
         STACK.format("f", "g", "r"), interleaved=1),
    case("heads behind the positions", HALVES.replace("Slice q", "Slice x4") + PARTS.format("coss", "sins") + "Concat(axis=-1) f g > r", head="Reshape x heads > x4 | ",
         tail=" | Reshape r flat > y"),
    case("rows by constant positions", "Gather(axis=0) cache_cos positions > gc | Gather(axis=0) cache_sin positions > gs | Unsqueeze gc axis1 > c4 | "
         "Unsqueeze gs axis1 > s4 | " + HALVES + "Neg b > nb | Concat(axis=-1) nb a > t | " + WHOLE.format("c4", "s4"),
         lambda f: flat(turned(heads(f["x"]), ANGLES[POSITIONS]))),
    case("angles computed of positions", COMPUTED, lambda f: flat(turned(heads(f["x"]), f["p"][:, None, :, None] * np.float64(INVERSE))), kinds=None,
         extra={"p": np.tile(np.arange(N, dtype=F32), (B, 1))}),
    case("the first features of a head alone", HALVES.replace("> a", "> h").replace("> b", "> pass") + "Slice h zero1 quarter last > a | Slice h quarter end last > b | "
         "Neg b > nb | Concat(axis=-1) nb a > t | Mul h cosq > qc | Mul t sinq > ts | Add qc ts > m | Concat(axis=-1) m pass > r",
         lambda f: flat(partial(heads(f["x"]))), kinds="slice rotary slice concat"),
    case("tables with a factor", HALVES + "Neg b > nb | Concat(axis=-1) nb a > t | Mul cosh mscale > c2 | Mul sinh mscale > s2 | " + WHOLE.format("c2", "s2"),
         lambda f: 1.2 * flat(turned(heads(f["x"])))),
    case("queries and keys of an attention", BLOCK, block, head="", tail="", kinds="rotary rotary matmul softmax matmul", extra={"k": rng.normal(size=(B, N, H * D)).astype(F32)},
         snr=35),
    # near misses
    near("halves that are not negated", HALVES + "Concat(axis=-1) b a > t | " + WHOLE.format("cosh", "sinh"),
         lambda x: x * COSH + np.concatenate(split(x)[::-1], -1) * SINH),
    near("the first half negated", HALVES + "Neg a > na | Concat(axis=-1) b na > t | " + WHOLE.format("cosh", "sinh"),
         lambda x: x * COSH + np.concatenate([split(x)[1], -split(x)[0]], -1) * SINH),
    near("halves of another tensor", "Abs q > z | " + HALVES.replace("Slice q", "Slice z") + "Neg b > nb | Concat(axis=-1) nb a > t | " + WHOLE.format("cosh", "sinh"),
         lambda x: x * COSH + np.concatenate([-split(abs(x))[1], split(abs(x))[0]], -1) * SINH),
    near("parts by two tables of cosines", HALVES + PARTS.format("cosa", "sina").replace("Mul b cosa", "Mul b cosb") + "Concat(axis=-1) f g > r",
         lambda x: np.concatenate([split(x)[0] * COSA - split(x)[1] * SINA, split(x)[1] * np.float64(CONSTANTS["cosb"]) + split(x)[0] * SINA], -1)),
    near("parts with both signs alike", HALVES + PARTS.format("cosa", "sina").replace("Sub ac", "Add ac") + "Concat(axis=-1) f g > r",
         lambda x: np.concatenate([split(x)[0] * COSA + split(x)[1] * SINA, split(x)[1] * COSA + split(x)[0] * SINA], -1)),
    near("parts joined the other way round", HALVES + PARTS.format("cosa", "sina") + "Concat(axis=-1) g f > r",
         lambda x: np.concatenate([split(x)[1] * COSA + split(x)[0] * SINA, split(x)[0] * COSA - split(x)[1] * SINA], -1)),
    near("neighbours joined as halves", PAIRS + PARTS.format("cosa", "sina") + "Concat(axis=-1) f g > r",
         lambda x: np.concatenate([x[..., 0::2] * COSA - x[..., 1::2] * SINA, x[..., 1::2] * COSA + x[..., 0::2] * SINA], -1)),
]
CONSTANTS.update({"ones": np.array([1, 1]), "minus2": np.array([-2])})
# Which case shows each row of docs/patterns.md.
ROWS = {"rotary": "halves", "rotary, interleaved": "neighbours", "rotary, by halves": "parts, halves", "rotary, by halves, interleaved": "parts, neighbours"}
# ONNX's own expansions: whether they pair neighbours.
EXPANDED = {"test_rotary_embedding_3d_input_expanded": 0, "test_rotary_embedding_interleaved_expanded": 1, "test_rotary_embedding_no_position_ids_expanded": 0,
            "test_rotary_embedding_no_position_ids_interleaved_expanded": 1, "test_rotary_embedding_with_interleaved_rotary_dim_expanded": 1,
            "test_rotary_embedding_with_rotary_dim_expanded": 0}


def run(c, work):
    local = np.random.Generator(np.random.PCG64(9))
    feeds = {"x": local.normal(size=(B, N, H * D)).astype(F32) * 2, **c["extra"]}
    words = c["nodes"].replace("|", " ").split()
    net = flow.Net(work, c["nodes"], feeds, (1, N, H * D), {k: v for k, v in CONSTANTS.items() if k in words})
    kinds = net.kinds()
    layers = [v["params"] for v in net.layers.values() if v["type"] == "rotary"]
    assert bool(layers) == c["rotary"], kinds
    assert all(p["interleaved"] == c["interleaved"] for p in layers), layers
    core = [k for k in kinds if k not in ("reshape", "transpose")]
    assert not c["kinds"] or sorted(core) == sorted(c["kinds"].split()), core
    want, got = c["want"](feeds), net.native()
    assert np.allclose(got, want, rtol=2e-5, atol=2e-5), f"native: off by {abs(got - want).max()}"
    if c["native_only"]:
        return None
    ratio = flow.snr(want, net.quantized())
    wide = [v.type for v in net.quantized_layers.values() if v.kind == "rotary"]
    assert set(wide) == {"u16"}, wide
    assert ratio > c["snr"], f"quantized: {ratio:.1f} dB"
    return ratio


def expanded(work):
    """The functions that define ONNX's operator; their numbers are checked with the other operators' (test_onnx_nodes)."""
    models = flow.operator_vectors("rotary")
    if models is None:
        return
    assert set(models) == set(EXPANDED), set(models) ^ set(EXPANDED)
    for name, data in models.items():
        (work / f"{name}.onnx").write_bytes(data)
        flow.sluice("parser", "onnx", work / f"{name}.onnx", "--har-path", work / f"{name}.har", "-q")
        found = [v["params"]["interleaved"] for v in flow.Net.read_layers(work / f"{name}.har").values() if v["type"] == "rotary"]
        assert found == [EXPANDED[name]], f"{name}: {found}"
    print(f"ok    {len(models)} functions of RotaryEmbedding")


def main():
    flow.check_rows("Rotary embedding", ROWS, CASES)
    failed = flow.run_cases(CASES, run, sys.argv[1:])
    with tempfile.TemporaryDirectory() as t:
        expanded(pathlib.Path(t))
    assert not failed, f"{failed} cases failed"
    print(f"{len(CASES)} cases, {sum(c['rotary'] for c in CASES)} rotary")


if __name__ == "__main__":
    main()
