#!/usr/bin/env python3
"""Attention as exporters write it: each row of the pattern table, forms of real exporters, and near misses that stay as they are. Every
case is a file of its own, checked against NumPy in native mode and taken through optimize, compile and run: emulator, HEF and oracle give
the same bytes, and places that a mask closes have exactly no weight.

usage: attention_test.py [WORD ...]   (only cases whose name holds a WORD)"""
import pathlib
import sys
import tempfile

import numpy as np

import flow

B, N, H, D = 4, 6, 4, 8  # samples, tokens, heads, width of a head
F32 = np.float32
LOW = F32(np.finfo(F32).min)
SCALE = D ** -0.5
rng = np.random.Generator(np.random.PCG64(5))
CAUSAL = np.tril(np.ones((N, N), bool))
BIAS = rng.normal(size=(1, H, N, N)).astype(F32)
CONSTANTS = {"heads": np.array([1, N, H, D]), "kv_heads": np.array([1, N, H // 2, D]), "flat": np.array([1, N, H * D]),
             "scale": F32(SCALE), "root": F32(D ** 0.5), "half_scale": F32(SCALE ** 0.5), "minus": F32(-SCALE), "zero": F32(0), "low": LOW,
             "minus_infinity": F32(-np.inf), "big": F32(-1e9), "open": CAUSAL[None, None], "shut": ~CAUSAL[None, None],
             "causal": np.where(CAUSAL, 0, -np.inf).astype(F32)[None, None], "causal_low": np.where(CAUSAL, 0, LOW).astype(F32)[None, None],
             "bias": BIAS, "window": np.where(CAUSAL, BIAS, F32(-100)), "row_shut": np.where(np.arange(N)[:, None] > 0, CAUSAL, False)[None, None],
             "one": F32(1), "cap": F32(3), "axis2": np.array([2]), "axis1": np.array([1]), "repeat": np.array([1, N, H // 2, 2, D]), "per_key": np.full(N, 0.5, F32),
             "repeat_first": np.array([1, H // 2, 2, N, D]), "all_heads": np.array([1, H, N, D])}

SPLIT = """Reshape q heads > q4 | Reshape k heads > k4 | Reshape v heads > v4 | Transpose(perm=0,2,1,3) q4 > qh
           Transpose(perm=0,2,3,1) k4 > kt | Transpose(perm=0,2,1,3) v4 > vh |"""
MERGE = " | Transpose(perm=0,2,1,3) c > ct | Reshape ct flat > y"
PLAIN = SPLIT + "MatMul qh kt > s | Mul s scale > m | {} MatMul p vh > c" + MERGE


def softmax(x, axis=-1):
    with np.errstate(all="ignore"):
        e = np.exp(x - x.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)


def heads(x, h=H):
    return np.float64(x).reshape(len(x), N, h, D).transpose(0, 2, 1, 3)


def attend(f, scale=SCALE, added=0, repeat=1, guard=False):
    q, k, v = heads(f["q"]), heads(f["k"], H // repeat).repeat(repeat, 1), heads(f["v"], H // repeat).repeat(repeat, 1)
    p = softmax(q @ k.swapaxes(2, 3) * scale + added)
    p = np.where(np.isnan(p), 0, p) if guard else p
    return (p @ v).transpose(0, 2, 1, 3).reshape(len(q), N, H * D)


CAUSAL_ADDED = np.where(CAUSAL, 0, -np.inf)
CHAIN = dict(heads=H, head_dim=D, queries=N, keys=N)


def case(name, nodes, want=attend, mask="none", scale=SCALE, kinds=None, guard=None, attention=True, kv=1, extra=None, snr=33, closed=None, opset=17,
         native_only=False, several=False):
    return dict(name=name, nodes=nodes, want=want, mask=mask, scale=scale, kinds=kinds, guard=guard, attention=attention, kv=kv, extra=extra or {},
                snr=snr, closed=closed, opset=opset, native_only=native_only, several=several)


def plain(name, between, **keys):
    return case(name, PLAIN.format(between), **keys)


def mask_feed(value, rows=1):
    """The last two keys of every second sample are padding; open 1, or what is added."""
    m = np.zeros((B, rows, N), F32)
    m[::2, :, N - 2:] = value
    return m


PADDED = mask_feed(-np.inf)[:, :, None]
GQA = """Reshape q heads > q4 | Reshape k kv_heads > k4 | Reshape v kv_heads > v4 | Transpose(perm=0,2,1,3) q4 > qh | {} {}
         Transpose(perm=0,1,3,2) kr > kt | MatMul qh kt > s | Mul s scale > m | Softmax m > p | MatMul p vr > c""" + MERGE
REPEAT = """Transpose(perm=0,2,1,3) {0}4 > {0}h | Unsqueeze {0}h axis2 > {0}u | Expand {0}u repeat_first > {0}e | Reshape {0}e all_heads > {0}r |"""
EINSUM = """Reshape q heads > q4 | Reshape k heads > k4 | Reshape v heads > v4 | Mul q4 scale > qs | Einsum(equation={}) {} > s
            Softmax(axis=-1) s > p | Einsum(equation={}) p v4 > c | Reshape c flat > y"""
YOLO = """Reshape q heads > q4 | Reshape k heads > k4 | Reshape v heads > v4 | Transpose(perm=0,2,1,3) q4 > qh | Transpose(perm=0,2,3,1) k4 > kt
          Transpose(perm=0,2,3,1) v4 > vt | MatMul qh kt > s | Mul s scale > m | Softmax m > p | Transpose(perm=0,1,3,2) p > pt
          MatMul vt pt > ct | Transpose(perm=0,3,1,2) ct > c | Reshape c flat > y"""

CASES = [
    plain("scale behind, multiplied", "Softmax m > p |", kinds="matmul softmax matmul"),
    case("scale behind, divided", PLAIN.format("Softmax m > p |").replace("Mul s scale", "Div s root")),
    case("scale of q before the heads are split", "Mul q scale > qs |" + PLAIN.format("Softmax s > p |").replace("Reshape q ", "Reshape qs ")),
    case("roots of the scale on both sides", SPLIT + """Mul qh half_scale > qs | Mul kt half_scale > ks | MatMul qs ks > s | Softmax s > p
         MatMul p vh > c""" + MERGE),
    case("root of the scale on k before it is turned", """Reshape q heads > q4 | Reshape k heads > k4 | Reshape v heads > v4
         Transpose(perm=0,2,1,3) q4 > qh | Transpose(perm=0,2,1,3) k4 > kh | Transpose(perm=0,2,1,3) v4 > vh | Mul qh half_scale > qs
         Mul kh half_scale > ks | Transpose(perm=0,1,3,2) ks > kt | MatMul qs kt > s | Softmax s > p | MatMul p vh > c""" + MERGE),
    plain("bias added", "Add m bias > a | Softmax a > p |", want=lambda f: attend(f, added=BIAS), mask="bias", kinds="matmul ew_add softmax matmul"),
    plain("causal mask of infinities added", "Add causal m > a | Softmax a > p |", want=lambda f: attend(f, added=CAUSAL_ADDED), mask="causal", closed=CAUSAL),
    plain("causal mask of the lowest number added", "Add m causal_low > a | Softmax a > p |", want=lambda f: attend(f, added=CAUSAL_ADDED), mask="causal",
          closed=CAUSAL),
    plain("bias and closed places in one constant", "Add m window > a | Softmax a > p |", want=lambda f: attend(f, added=np.where(CAUSAL, BIAS, -100)),
          mask="bias", closed=CAUSAL),
    plain("bias, then a mask", "Add m bias > a | Add a causal > b | Softmax b > p |", want=lambda f: attend(f, added=BIAS + CAUSAL_ADDED), mask="bias+causal",
          closed=CAUSAL),
    plain("where(open, scores, -inf)", "Where open m minus_infinity > a | Softmax a > p |", want=lambda f: attend(f, added=CAUSAL_ADDED), mask="causal",
          kinds="matmul ew_add softmax matmul", closed=CAUSAL),
    plain("where(shut, -1e9, scores)", "Where shut big m > a | Softmax a > p |", want=lambda f: attend(f, added=CAUSAL_ADDED), mask="causal",
          kinds="matmul ew_add softmax matmul", closed=CAUSAL),
    case("mask added before the scale", PLAIN.format("Softmax m > p |").replace("Mul s scale", "Add s causal_low > b | Mul b scale"),
         want=lambda f: attend(f, added=CAUSAL_ADDED), mask="causal", closed=CAUSAL),
    case("bias added before the scale", PLAIN.format("Softmax m > p |").replace("Mul s scale", "Add s bias > b | Mul b scale"),
         want=lambda f: attend(f, added=BIAS * SCALE), mask="bias", scale=1),
    plain("floor of the scores", "Add m causal_low > a | Max a low > b | Softmax b > p |", want=lambda f: attend(f, added=CAUSAL_ADDED), mask="causal",
          kinds="matmul ew_add softmax matmul", closed=CAUSAL),
    plain("NaN guard", "Add m causal > a | Softmax a > w | IsNaN w > i | Where i zero w > p |", want=lambda f: attend(f, added=CAUSAL_ADDED), mask="causal",
          kinds="matmul ew_add softmax matmul", closed=CAUSAL),
    plain("NaN guard without mask", "Softmax m > w | IsNaN w > i | Where i zero w > p |", kinds="matmul softmax matmul"),
    plain("mask as an input, added", "Unsqueeze mask axis1 > u | Add m u > a | Softmax a > p |", want=lambda f: attend(f, added=PADDED), mask="input",
          extra={"mask": mask_feed(-np.inf)}, closed="padding"),
    plain("NaN guard of a mask that is an input", "Unsqueeze mask axis1 > u | Add m u > a | Softmax a > w | IsNaN w > i | Where i zero w > p |",
          want=lambda f: attend(f, added=PADDED), mask="input", extra={"mask": mask_feed(LOW)}, guard=1, closed="padding"),
    plain("mask as an input, 1 where open", "Sub one mask > f | Mul f low > g | Unsqueeze g axis1 > u | Add m u > a | Softmax a > p |",
          want=lambda f: attend(f, added=PADDED), mask="input", extra={"mask": 1 - mask_feed(1)}, closed="padding"),
    case("mask as an input, added before the scale", PLAIN.format("Softmax m > p |").replace("Mul s scale", "Unsqueeze mask axis1 > u | Add s u > b | Mul b scale"),
         want=lambda f: attend(f, added=PADDED), mask="input", scale=1, extra={"mask": mask_feed(LOW)}, closed="padding"),
    plain("mask as an input of integers", "Cast(to=1) mask > r | Sub one r > f | Mul f low > g | Unsqueeze g axis1 > u | Add m u > a | Softmax a > p |",
          want=lambda f: attend(f, added=PADDED), mask="input", extra={"mask": np.int64(1 - mask_feed(1))}, closed="padding"),
    plain("open places as an input", "Unsqueeze mask axis1 > u | Where u m minus_infinity > a | Softmax a > p |", want=lambda f: attend(f, added=PADDED),
          mask="input", kinds="matmul where softmax matmul", extra={"mask": mask_feed(1) == 0}, closed="padding"),
    plain("closed places as an input, behind a bias", "Unsqueeze mask axis1 > u | Add m bias > b | Where u big b > a | Softmax a > p |",
          want=lambda f: attend(f, added=BIAS + PADDED[::-1]), mask="bias+input", kinds="matmul ew_add where softmax matmul", extra={"mask": mask_feed(1) == 1}),
    plain("row guard of a mask that is an input", "Unsqueeze mask axis1 > u | Add m u > a | Softmax a > w | ReduceMax(axes=-1,; keepdims=1) u > t | Equal t minus_infinity > e | "
          "Where e zero w > p |", want=lambda f: attend(f, added=PADDED), mask="input", extra={"mask": mask_feed(-np.inf)}, guard=1, closed="padding"),
    case("capped scores", PLAIN.format("Softmax m > p |").replace("Mul s scale > m", "Mul s scale > m0 | Div m0 cap > d | Tanh d > th | Mul th cap > m"), scale=SCALE / 3,
         want=lambda f: capped(f), kinds="matmul tanh ew_mult softmax matmul"),
    case("scores that are an output too", PLAIN.format("Softmax m > p |").replace("MatMul p vh > c", "MatMul p vh > c | ReduceMax(axes=1,2,3; keepdims=0) s > s1 | "
         "Mul s1 zero > s0").replace("Reshape ct flat > y", "Reshape ct flat > y0 | Add y0 s0 > y"), scale=1, several=True),
    case("repeated heads of k and v", GQA.format(REPEAT.format("k"), REPEAT.format("v")), want=lambda f: attend(f, repeat=2), kv=2),
    case("repeated heads of v alone", GQA.format("Transpose(perm=0,2,1,3) kfull > kr |", REPEAT.format("v")).replace("Reshape k kv_heads > k4", "Reshape k heads > kfull"),
         want=lambda f: attend(dict(f, v=f["v"].reshape(B, N, H // 2, D).repeat(2, 2).reshape(B, N, -1))), kv=(1, 2)),
    case("einsum over heads in the middle", EINSUM.format("bqhd,bkhd->bhqk", "qs k4", "bhqk,bkhd->bqhd")),
    case("einsum, keys first", EINSUM.format("aecd,abcd->acbe", "k4 qs", "acbe,aecd->abcd")),
    case("values times weights", YOLO),
    case("weights are an output too", PLAIN.format("Softmax m > p |").replace("MatMul p vh > c", "MatMul p vh > c | Neg p > other | ReduceSum(keepdims=0) other axis1 > gone")),
    # near misses
    plain("softmax over the queries", "Softmax(axis=2) m > p |", attention=False, native_only=True,
          want=lambda f: (softmax(heads(f["q"]) @ heads(f["k"]).swapaxes(2, 3) * SCALE, 2) @ heads(f["v"])).transpose(0, 2, 1, 3).reshape(B, N, -1)),
    case("scores that something else reads", PLAIN.format("Softmax m > w | Add w s > p |"), attention=False, native_only=True,
         want=lambda f: ((softmax(heads(f["q"]) @ heads(f["k"]).swapaxes(2, 3) * SCALE) + heads(f["q"]) @ heads(f["k"]).swapaxes(2, 3)) @ heads(f["v"]))
         .transpose(0, 2, 1, 3).reshape(B, N, -1)),
    case("a scale below zero stays a layer", PLAIN.format("Softmax m > p |").replace("Mul s scale", "Mul s minus"), attention=False, native_only=True,
         want=lambda f: attend(f, scale=-SCALE)),
    case("a factor for each key stays a layer", PLAIN.format("Softmax m > p |").replace("Mul s scale", "Mul s per_key"), attention=False, native_only=True,
         want=lambda f: attend(f, scale=0.5)),
    plain("where that closes a whole row stays", "Where row_shut m big > a | Softmax a > p |", attention=False, native_only=True,
          want=lambda f: attend_rows(f)),
]


def capped(f):
    q, k, v = (heads(f[c]) for c in "qkv")
    return (softmax(3 * np.tanh(q @ k.swapaxes(2, 3) * SCALE / 3)) @ v).transpose(0, 2, 1, 3).reshape(B, N, -1)


def attend_rows(f):
    q, k, v = (heads(f[c]) for c in "qkv")
    s = np.where(CONSTANTS["row_shut"], q @ k.swapaxes(2, 3) * SCALE, -1e9)
    return (softmax(s) @ v).transpose(0, 2, 1, 3).reshape(B, N, -1)


def check_form(net, c):
    layers, kinds = net.layers, net.kinds()
    marked = {k: v["params"] for k, v in layers.items() if "attention" in v["params"]}
    if not c["attention"]:
        assert not marked, f"recognised: {list(marked)}"
        return
    assert {p["attention"] for p in marked.values()} == {"attention1"}, marked
    first = next(p for p in marked.values() if "heads" in p)
    for key, v in dict(CHAIN, mask=c["mask"]).items():
        assert first[key] == v, (key, first[key], v)
    assert abs(first.get("scale", 1) - c["scale"]) < 1e-6 * c["scale"], first
    core = [k for k in kinds if k not in ("reshape", "transpose", "slice")]
    if c["kinds"]:
        assert core == c["kinds"].split(), core
    assert "ew_mult" not in kinds or c["scale"] == 1 or c["kinds"] or "mask" in net.feeds, kinds
    assert "expand" not in kinds, kinds
    guard = next(v["params"].get("nan_guard") for v in layers.values() if v["type"] == "softmax")
    assert guard == c["guard"], guard


def check_closed(net, closed):
    """No weight at all where the mask closes."""
    name = next(k for k, v in net.quantized_layers.items() if v.kind == "softmax")
    layer, w = net.quantized_layers[name], net.values[name]
    weights = oracle_free(w, layer).reshape(-1, N, N)
    place = np.broadcast_to(CAUSAL, (N, N)) if closed is CAUSAL else np.broadcast_to(net.feeds["mask"][-1] == net.feeds["mask"].max(), (N, N))
    assert (weights[:, ~place] == 0).all(), "a closed place has weight"
    assert abs(weights.sum(-1) - 1).max() < 1e-2


def oracle_free(q, layer):
    return (q.astype(np.int64) - layer.zp) * layer.scale


def run(c, work):
    kv = c["kv"] if isinstance(c["kv"], tuple) else (c["kv"], c["kv"])
    local = np.random.Generator(np.random.PCG64(9))
    feeds = {k: local.normal(size=(B, N, H * D // r)).astype(F32) * 2 for k, r in (("q", 1), ("k", kv[0]), ("v", kv[1]))}
    feeds.update({k: v[::-1].copy() for k, v in c["extra"].items()})  # the last sample is padded
    used = {k: v for k, v in CONSTANTS.items() if k in c["nodes"].replace("|", " ").split()}
    net = flow.Net(work, c["nodes"], feeds, (1, N, H * D), used, c["opset"])
    check_form(net, c)
    want = c["want"](dict(feeds)) if c["closed"] is None or c["closed"] is CAUSAL else attend(feeds, added=PADDED[::-1])
    got = net.native()
    assert np.allclose(got, want, rtol=2e-5, atol=2e-5), f"native: off by {abs(got - want).max()}"
    if c["native_only"]:
        return None
    ratio = flow.snr(want, net.quantized())
    assert ratio > c["snr"], f"quantized: {ratio:.1f} dB"
    if c["closed"] is not None:
        check_closed(net, c["closed"])
    return ratio


# Which case shows each row of docs/patterns.md.
ROWS = {"attention": "values times weights", "attention, scaled after": "scale behind, divided", "attention, scaled before": "roots of the scale on both sides",
        "attention, added mask": "mask as an input, added", "attention, chosen mask": "where(open, scores, -inf)",
        "attention, chosen mask, at run time": "open places as an input",
        "attention, floor of the scores": "floor of the scores", "attention, capped scores": "capped scores", "attention, row guard": "row guard of a mask that is an input",
        "attention, NaN guard": "NaN guard of a mask that is an input",
        "attention, repeated heads": "repeated heads of k and v"}


# Of ONNX's own expansions of Attention and FlexAttention these stay arithmetic: scores that are an output behind their mask or cap, masks of
# three axes that a row guard asks in another shape, and lengths known at run time only.
SCATTERED = ["3d_mask", "mask_3d", "mask3d", "nonpad_attn_mask_composition", "bias_3d_mask", "bias_4d_mask", "matmul_bias_expanded", "matmul_softcap",
             "rank4_batch_mask"]


def expanded(work):
    """The functions that define ONNX's operators; their numbers are checked with the other operators' (test_onnx_nodes)."""
    models, found = flow.operator_vectors("attention"), 0
    for name, data in (models or {}).items():
        (work / f"{name}.onnx").write_bytes(data)
        flow.sluice("parser", "onnx", work / f"{name}.onnx", "--har-path", work / f"{name}.har", "-q", "-y")
        groups = {v["params"]["attention"] for v in flow.Net.read_layers(work / f"{name}.har").values() if "attention" in v["params"]}
        assert len(groups) == (not any(s in name for s in SCATTERED)), f"{name}: {groups}"
        found += len(groups)
    if models:
        print(f"ok    {found} of {len(models)} functions of Attention and FlexAttention")


def main():
    flow.check_rows("Attention", ROWS, CASES)
    failed = flow.run_cases(CASES, run, sys.argv[1:])
    with tempfile.TemporaryDirectory() as t:
        expanded(pathlib.Path(t))
    assert not failed, f"{failed} of {len(CASES)} cases failed"
    print(f"{len(CASES)} cases, {sum(c['attention'] for c in CASES)} attentions")


if __name__ == "__main__":
    main()
