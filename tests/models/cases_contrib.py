"""Operators of com.microsoft, as ONNX Runtime's quantizer and optimizer write them."""
import math

import numpy as np

from onnx_file import node

rng = np.random.default_rng(13)
MS = dict(domain="com.microsoft")


def values(*shape, lo=-3.0, hi=3.0):
    return np.round(rng.uniform(lo, hi, shape), 2).astype(np.float32)


def bytes_(*shape, t=np.uint8):
    info = np.iinfo(t)
    return rng.integers(info.min, info.max + 1, shape).astype(t)


def real(x, scale, zero):
    return (x.astype(np.float64) - zero) * np.float64(scale)


def quantized(x, scale, zero):
    info = np.iinfo(zero.dtype)
    return np.clip(np.rint(x / np.float64(scale)) + zero, info.min, info.max).astype(zero.dtype)


def erf(x):
    return np.vectorize(math.erf)(x)


def gelu(x):
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def step(v):
    """Scales are powers of two in these cases, so that no product is rounded and no tie depends on the order of work."""
    return np.float32(v)


def make_quantized(cases):
    for t in (np.uint8, np.int8):
        zero = lambda v: t(v)  # noqa: E731
        suffix = t.__name__
        a, b = bytes_(2, 3, 4, 5, t=t), bytes_(5, t=t)
        sa, sb, sy, za, zb, zy = step(0.25), step(0.125), step(0.5), zero(7), zero(-3 if t == np.int8 else 100), zero(11)
        scales = {"sa": sa, "za": za, "sb": sb, "zb": zb, "sy": sy, "zy": zy}
        names = ["a", "sa", "za", "b", "sb", "zb", "sy", "zy"]
        ra, rb = real(a, sa, za), real(b, sb, zb)
        cases.add(f"qlinear_add_{suffix}", [node("QLinearAdd", names, ["y"], **MS)], {"a": a, "b": b}, {"y": quantized(ra + rb, sy, zy)}, scales)
        cases.add(f"qlinear_mul_{suffix}", [node("QLinearMul", names, ["y"], **MS)], {"a": a, "b": b}, {"y": quantized(ra * rb, sy, zy)}, scales)
        one = ["a", "sa", "za", "sy", "zy"]
        y = np.where(ra >= 0, ra, 0.125 * ra)
        cases.add(f"qlinear_leaky_{suffix}", [node("QLinearLeakyRelu", one, ["y"], alpha=0.125, **MS)], {"a": a}, {"y": quantized(y, sy, zy)}, scales)
        fine = dict(scales, sy=np.float32(1 / 256), zy=zero(0 if t == np.uint8 else -128), sa=np.float32(0.04))
        ra = real(a, fine["sa"], za)
        cases.add(f"qlinear_sigmoid_{suffix}", [node("QLinearSigmoid", one, ["y"], **MS)], {"a": a},
                  {"y": quantized(sigmoid(ra), fine["sy"], fine["zy"])}, fine)
        for axis, opset in ((-1, 13), (2, 11)):
            y = softmax(ra) if opset == 13 else softmax(ra.reshape(6, 20)).reshape(ra.shape)
            cases.add(f"qlinear_softmax_{suffix}_{opset}", [node("QLinearSoftmax", one, ["y"], axis=axis, opset=opset, **MS)], {"a": a},
                      {"y": quantized(y, fine["sy"], fine["zy"])}, fine)
        for last in (0, 1):
            ra = real(a, sa, za)
            mean = ra.mean((1, 2) if last else (2, 3), keepdims=True)
            cases.add(f"qlinear_global_{suffix}_{last}", [node("QLinearGlobalAveragePool", one, ["y"], channels_last=last, **MS)], {"a": a},
                      {"y": quantized(mean, sy, zy)}, scales)
            x = np.moveaxis(ra, -1, 1) if last else ra
            y = np.stack([x[..., i:i + 2, j:j + 2].mean((-1, -2)) for i in range(0, x.shape[2] - 1, 2) for j in range(0, x.shape[3] - 1, 2)], -1)
            y = y.reshape(x.shape[:2] + (x.shape[2] // 2, x.shape[3] // 2))
            y = quantized(np.moveaxis(y, 1, -1) if last else y, sy, zy)
            cases.add(f"qlinear_average_{suffix}_{last}", [node("QLinearAveragePool", one, ["y"], kernel_shape=[2, 2], strides=[2, 2],
                                                                channels_last=last, **MS)], {"a": a}, {"y": y}, scales)
        cases.add(f"qlinear_reduce_{suffix}", [node("QLinearReduceMean", one, ["y"], axes=[1, 3], keepdims=0, **MS)], {"a": a},
                  {"y": quantized(real(a, sa, za).mean((1, 3)), sy, zy)}, scales)
        c = bytes_(2, 2, 4, 5, t=t)
        y = np.concatenate([quantized(real(a, sa, za), sy, zy), quantized(real(c, sb, zb), sy, zy)], 1)
        cases.add(f"qlinear_concat_{suffix}", [node("QLinearConcat", ["sy", "zy", "a", "sa", "za", "c", "sb", "zb"], ["y"], axis=1, **MS)],
                  {"a": a, "c": c}, {"y": y}, scales)
        m = rng.integers(0, 2, (4, 5)).astype(bool)
        y = quantized(np.where(m, real(a, sa, za), real(b, sb, zb)), sy, zy)
        cases.add(f"qlinear_where_{suffix}", [node("QLinearWhere", ["m", "a", "sa", "za", "b", "sb", "zb", "sy", "zy"], ["y"], **MS)],
                  {"m": m, "a": a, "b": b}, {"y": y}, scales, ort=t == np.uint8)
        x = values(2, 5, lo=-9, hi=9)
        cases.add(f"quantize_{suffix}", [node("QuantizeLinear", ["x", "sa", "za"], ["q"], **MS), node("DequantizeLinear", ["q", "sa", "za"], ["y"], **MS)],
                  {"x": x}, {"y": real(quantized(x, sa, za), sa, za).astype(np.float32)}, scales)
    x, w = bytes_(1, 6, 5, 3), bytes_(4, 3, 2, 2, t=np.int8)
    scales = {"sx": step(0.5), "zx": np.uint8(128), "sw": np.float32([0.5, 0.25, 1, 0.125]), "zw": np.zeros(4, np.int8), "sy": step(32),
              "zy": np.uint8(100), "b": rng.integers(-500, 500, 4).astype(np.int32), "w": w}
    y = np.zeros((1, 5, 4, 4))
    for i in range(5):
        for j in range(4):
            y[0, i, j] = np.einsum("hwc,ochw->o", real(x, 0.5, 128)[0, i:i + 2, j:j + 2], w * scales["sw"].reshape(4, 1, 1, 1).astype(np.float64))
    y = quantized(y + scales["b"] * 0.5 * scales["sw"], 32, scales["zy"])
    cases.add("qlinear_conv_nhwc", [node("QLinearConv", ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy", "b"], ["y"], channels_last=1, **MS)],
              {"x": x}, {"y": y}, scales)
    y = np.stack([x[:, i:i + 2, j:j + 2].max((1, 2)) for i in range(5) for j in range(4)], 1).reshape(1, 5, 4, 3)
    cases.add("nhwc_max_pool", [node("NhwcMaxPool", ["x"], ["y"], kernel_shape=[2, 2], **MS)], {"x": x}, {"y": y})


def make_products(cases):
    a, b, bias = bytes_(3, 6), bytes_(6, 4, t=np.int8), rng.integers(-99, 99, 4).astype(np.int32)
    scales = {"sa": step(0.5), "za": np.uint8(120), "sb": np.float32([0.5, 0.25, 1, 2]), "zb": np.zeros(4, np.int8), "c": bias,
              "sy": step(64), "zy": np.uint8(30)}
    y = 0.5 * (real(a, 0.5, 120) @ (b * scales["sb"]).astype(np.float64) + bias * 0.5 * scales["sb"])
    names = ["a", "sa", "za", "b", "sb", "zb", "c"]
    cases.add("qgemm_float", [node("QGemm", names, ["y"], alpha=0.5, **MS)], {"a": a}, {"y": y.astype(np.float32)}, dict(scales, b=b), ort=False)
    turned = dict(scales, b=np.ascontiguousarray(b.T))
    cases.add("qgemm", [node("QGemm", names + ["sy", "zy"], ["y"], alpha=1.0, transB=1, **MS)], {"a": a},
              {"y": quantized(2 * y, 64, scales["zy"])}, turned)
    c = values(4)
    names = ["a", "b", "sa", "sb", "za", "zb", "c"]
    y = (real(a, 0.5, 120) @ (b * scales["sb"]).astype(np.float64) + c).astype(np.float32)
    cases.add("matmul_integer_to_float", [node("MatMulIntegerToFloat", names, ["y"], **MS)], {"a": a}, {"y": y}, dict(scales, b=b, c=c))
    x = values(2, 3, 6)
    y = (x.astype(np.float64) @ (b * scales["sb"]).astype(np.float64) + c).astype(np.float32)
    cases.add("dynamic_quantize_matmul", [node("DynamicQuantizeMatMul", ["x", "b", "sb", "zb", "c"], ["y"], **MS)], {"x": x}, {"y": y},
              dict(scales, b=b, c=c), ort=False)
    for bits, zeros in ((4, "none"), (4, "packed"), (8, "packed"), (4, "float"), (2, "packed")):
        k, n, size = 40, 6, 16
        blocks = -(-k // size)
        q = rng.integers(0, 1 << bits, (n, blocks, size)).astype(np.uint8)
        s = values(n, blocks, lo=0.1, hi=0.5)
        z = rng.integers(0, 1 << bits, (n, blocks)).astype(np.uint8)
        pack = lambda v: sum((v.reshape(v.shape[:-1] + (-1, 8 // bits))[..., i] << (bits * i)).astype(np.uint8) for i in range(8 // bits))  # noqa: E731
        form = {"w": pack(q).astype(np.uint8), "s": s.reshape(-1)}
        if zeros == "packed":
            form["z"] = pack(np.pad(z, ((0, 0), (0, -blocks % (8 // bits))))).reshape(-1).astype(np.uint8)
        elif zeros == "float":
            form["z"] = z.astype(np.float32)
        centre = z if zeros != "none" else np.full_like(z, 1 << (bits - 1))
        w = ((q.astype(np.float64) - centre[..., None]) * s[..., None]).reshape(n, -1)[:, :k]
        x = values(2, 3, k)
        inputs = ["x", "w", "s"] + (["z"] if "z" in form else [])
        cases.add(f"matmul_nbits_{bits}_{zeros}", [node("MatMulNBits", inputs, ["y"], K=k, N=n, bits=bits, block_size=size, **MS)], {"x": x},
                  {"y": (x.astype(np.float64) @ w.T).astype(np.float32)}, form, ort=zeros != "float" and bits == 4)
    a, b = values(2, 3, 5, 4), values(2, 3, 4, 6)
    want = (0.5 * a @ b).astype(np.float32)
    swap = lambda v: np.ascontiguousarray(np.swapaxes(v, -1, -2))  # noqa: E731
    front = lambda v: np.ascontiguousarray(np.moveaxis(v, -2, 0))  # noqa: E731
    for ta, tb, ba, bb in ((0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 1, 0, 1), (1, 0, 1, 1)):
        # trans swaps the last two axes of what transBatch gives
        fa, fb = (swap(a) if ta else a), (swap(b) if tb else b)
        fa, fb = (front(fa) if ba else fa), (front(fb) if bb else fb)
        cases.add(f"fused_matmul_{ta}{tb}{ba}{bb}",
                  [node("FusedMatMul", ["a", "b"], ["y"], alpha=0.5, transA=ta, transB=tb, transBatchA=ba, transBatchB=bb, **MS)],
                  {"a": fa, "b": fb}, {"y": want})
    a, b, c = values(3, 4), values(5, 4), values(5)
    y = 0.5 * a @ b.T + 2 * c
    cases.add("fused_gemm", [node("FusedGemm", ["a", "b", "c"], ["y"], alpha=0.5, beta=2.0, transB=1, activation="LeakyRelu",
                                  activation_alpha=0.3, **MS)], {"a": a}, {"y": np.where(y > 0, y, 0.3 * y).astype(np.float32)}, {"b": b, "c": c})
    x, w, bias, z = values(1, 3, 4, 4), values(2, 3, 1, 1), values(2), values(1, 2, 4, 4)
    y = np.einsum("nchw,oc->nohw", x, w[:, :, 0, 0]) + bias.reshape(2, 1, 1) + z
    for name, params, f in (("Relu", None, lambda v: np.maximum(v, 0)), ("LeakyRelu", [0.1], lambda v: np.where(v > 0, v, 0.1 * v)),
                            ("Clip", [-1.0, 2.0], lambda v: np.clip(v, -1, 2)), ("Tanh", None, np.tanh), ("Sigmoid", None, sigmoid),
                            ("HardSigmoid", [0.2, 0.5], lambda v: np.clip(0.2 * v + 0.5, 0, 1))):
        more = {"activation_params": params} if params else {}
        cases.add(f"fused_conv_{name}", [node("FusedConv", ["x", "w", "b", "z"], ["y"], activation=name, **more, **MS)], {"x": x, "z": z},
                  {"y": f(y).astype(np.float32)}, {"w": w, "b": bias})


def make_dynamic(cases):
    """What onnxruntime's dynamic quantization writes: x is quantized while the network runs, for speed. sluice keeps x."""
    x, w, bias = values(2, 3, 8), bytes_(8, 5, t=np.int8), values(5)
    scale, zero = np.float32([0.5, 0.25, 0.125, 1, 0.0625]), np.int8([0, 3, -2, 0, 1])
    nodes = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]), node("MatMulInteger", ["q", "w", "z", "wz"], ["i"]), node("Cast", ["i"], ["f"], to=1),
             node("Mul", ["s", "ws"], ["both"]), node("Mul", ["f", "both"], ["m"]), node("Add", ["m", "b"], ["y"])]
    constants = {"w": w, "wz": zero, "ws": scale, "b": bias}
    exact = (x.astype(np.float64) @ ((w.astype(np.float64) - zero) * scale) + bias).astype(np.float32)
    cases.add("dynamic_matmul", nodes, {"x": x}, {"y": exact}, constants, ort=False)
    # where the quantized numbers are asked for, they are made
    lo, hi = min(x.min(), 0), max(x.max(), 0)
    s = np.float32((hi - lo) / 255)
    z = np.uint8(np.clip(np.rint(-lo / s), 0, 255))
    q = np.clip(np.rint(x / s) + z, 0, 255).astype(np.uint8)
    y = ((q.astype(np.float64) - z) @ (w.astype(np.float64) - zero) * (s * scale) + bias).astype(np.float32)
    cases.add("dynamic_matmul_seen", nodes, {"x": x}, {"y": y, "q": q}, constants)
    p, k = values(1, 2, 4, 4), bytes_(3, 2, 2, 2, t=np.uint8)
    nodes = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]), node("ConvInteger", ["q", "w", "z", "wz"], ["i"]), node("Cast", ["i"], ["f"], to=1),
             node("Mul", ["s", "ws"], ["both"]), node("Mul", ["f", "both"], ["y"])]
    y = np.zeros((1, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            y[0, :, i, j] = np.einsum("chw,ochw->o", p[0, :, i:i + 2, j:j + 2], (k.astype(np.float64) - 120) * 0.5)
    cases.add("dynamic_conv", nodes, {"x": p}, {"y": y.astype(np.float32)}, {"w": k, "wz": np.uint8(120), "ws": np.float32(0.5)}, ort=False)


def norm(x, gamma, beta=0, epsilon=1e-5, simplified=False):
    x = x.astype(np.float64)
    x = x if simplified else x - x.mean(-1, keepdims=True)
    return (x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * gamma + beta).astype(np.float32)


def make_fused(cases):
    x, bias = values(2, 3, 8), values(8)
    cases.add("gelu", [node("Gelu", ["x"], ["y"], **MS)], {"x": x}, {"y": gelu(x).astype(np.float32)})
    cases.add("bias_gelu", [node("BiasGelu", ["x", "b"], ["y"], **MS)], {"x": x}, {"y": gelu(x + bias).astype(np.float32)}, {"b": bias})
    cases.add("fast_gelu", [node("FastGelu", ["x"], ["y"], **MS)], {"x": x}, {"y": gelu_tanh(x).astype(np.float32)})
    cases.add("fast_gelu_bias", [node("FastGelu", ["x", "b"], ["y"], **MS)], {"x": x}, {"y": gelu_tanh(x + bias).astype(np.float32)}, {"b": bias})
    cases.add("quick_gelu", [node("QuickGelu", ["x"], ["y"], alpha=1.5, **MS)], {"x": x}, {"y": x * sigmoid(1.5 * x)})
    left, right = np.split(x + bias, 2, -1)
    cases.add("bias_split_gelu", [node("BiasSplitGelu", ["x", "b"], ["y"], **MS)], {"x": x}, {"y": (left * gelu(right)).astype(np.float32)}, {"b": bias})
    cases.add("bias_add", [node("BiasAdd", ["x", "b", "s"], ["y"], **MS)], {"x": x, "s": x[::-1].copy()}, {"y": x + bias + x[::-1]}, {"b": bias})
    skip, gamma, beta = values(2, 3, 8), values(8), values(8)
    p = {"g": gamma, "beta": beta, "b": bias}
    cases.add("skip_norm", [node("SkipLayerNormalization", ["x", "s", "g", "beta", "b"], ["y", "", "", "sum"], epsilon=1e-5, **MS)],
              {"x": x, "s": skip}, {"y": norm(x + skip + bias, gamma, beta), "sum": x + skip + bias}, p)
    cases.add("skip_norm_plain", [node("SkipLayerNormalization", ["x", "s", "g"], ["y"], **MS)], {"x": x, "s": skip},
              {"y": norm(x + skip, gamma, 0, 1e-12)}, p)
    cases.add("skip_simplified", [node("SkipSimplifiedLayerNormalization", ["x", "s", "g", "b"], ["y", "", "", "sum"], epsilon=1e-5, **MS)],
              {"x": x, "s": skip}, {"y": norm(x + skip + bias, gamma, simplified=True), "sum": x + skip + bias}, p)
    cases.add("simplified_norm", [node("SimplifiedLayerNormalization", ["x", "g"], ["y"], axis=-1, epsilon=1e-5)], {"x": x},
              {"y": norm(x, gamma, simplified=True)}, p)
    ids, segments, words, positions, kinds = np.int32([[3, 1, 4], [0, 2, 2]]), np.int32([[0, 0, 1], [1, 0, 1]]), values(6, 8), values(5, 8), values(2, 8)
    total = words[ids] + positions[:3] + kinds[segments]
    mask = np.int32([[1, 1, 0], [1, 1, 1]])
    cases.add("embed_norm", [node("EmbedLayerNormalization", ["ids", "seg", "w", "p", "k", "g", "beta", "m"], ["y", "count", "sum"], epsilon=1e-5, **MS)],
              {"ids": ids, "seg": segments, "m": mask}, {"y": norm(total, gamma, beta), "count": np.int32([2, 3]), "sum": total},
              {"w": words, "p": positions, "k": kinds, "g": gamma, "beta": beta})
    at = np.int32([[2, 0, 4], [1, 1, 3]])
    cases.add("embed_norm_positions", [node("EmbedLayerNormalization", ["ids", "", "w", "p", "", "g", "beta", "", "at"], ["y", "count"], epsilon=1e-5, **MS)],
              {"ids": ids, "at": at}, {"y": norm(words[ids] + positions[at], gamma, beta), "count": np.zeros(2, np.int32)},
              {"w": words, "p": positions, "g": gamma, "beta": beta})


def heads(x, n):
    b, s, d = x.shape
    return x.reshape(b, s, n, d // n).transpose(0, 2, 1, 3)


def attend(q, k, v, bias=0.0, scale=None, softcap=0.0):
    """[batch, heads, length, size]; heads of k and v are repeated."""
    times = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, times, 1).astype(np.float64), np.repeat(v, times, 1)
    scores = [q.astype(np.float64) @ k.transpose(0, 1, 3, 2) * (scale or 1 / math.sqrt(q.shape[-1]))]
    scores.append(softcap * np.tanh(scores[0] / softcap) if softcap else scores[0])
    scores.append(scores[1] + bias)
    scores.append(softmax(scores[2]))
    return (scores[3] @ v).astype(np.float32), [s.astype(np.float32) for s in scores]


def joined(x):
    b, n, s, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, s, n * d)


def causal(q, kv, before=0, low=-np.inf):
    return np.where(np.arange(kv)[None] <= np.arange(q)[:, None] + before, 0, low)


def make_attention(cases):
    q, k, v, bias = values(2, 4, 12, lo=-1, hi=1), values(2, 5, 12, lo=-1, hi=1), values(2, 5, 6, lo=-1, hi=1), values(30, lo=-1, hi=1)
    keep = np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    mask = (1 - keep)[:, None, None, :] * -10000.0
    extra = values(2, 3, 4, 5)
    plain = attend(heads(q, 3), heads(k, 3), heads(v, 3))[0]
    cases.add("mha", [node("MultiHeadAttention", ["q", "k", "v"], ["y"], num_heads=3, **MS)], {"q": q, "k": k, "v": v}, {"y": joined(plain)})
    y = attend(heads(q + bias[:12], 3), heads(k + bias[12:24], 3), heads(v + bias[24:], 3), mask + extra, 0.3)[0]
    cases.add("mha_all", [node("MultiHeadAttention", ["q", "k", "v", "b", "m", "e"], ["y"], num_heads=3, scale=0.3, **MS)],
              {"q": q, "k": k, "v": v, "m": keep, "e": extra}, {"y": joined(y)}, {"b": bias})
    y = attend(heads(q, 3), heads(k, 3), heads(v, 3), mask)[0]
    cases.add("mha_lengths", [node("MultiHeadAttention", ["q", "k", "v", "", "n"], ["y"], num_heads=3, **MS)],
              {"q": q, "k": k, "v": v, "n": np.int32([3, 5])}, {"y": joined(y)})
    cases.add("mha_heads_apart", [node("MultiHeadAttention", ["q", "k", "v"], ["y"], num_heads=3, **MS)],
              {"q": q, "k": heads(k, 3).copy(), "v": heads(v, 3).copy()}, {"y": joined(plain)}, ort=False)
    x, w = values(2, 4, 6), values(6, 36, lo=-1, hi=1)
    b = values(36, lo=-1, hi=1)
    a, bb, cc = np.split(x @ w + b, 3, -1)
    packed = np.stack([z.reshape(2, 4, 3, 4) for z in (a, bb, cc)], 3)
    y = attend(heads(a, 3), heads(bb, 3), heads(cc, 3))[0]
    cases.add("mha_packed", [node("MultiHeadAttention", ["p"], ["y"], num_heads=3, **MS)], {"p": packed.astype(np.float32)}, {"y": joined(y)}, ort=False)
    y, _ = attend(heads(a, 3), heads(bb, 3), heads(cc, 3), causal(4, 4))
    cases.add("packed_attention", [node("Attention", ["x", "w", "b"], ["y"], num_heads=3, unidirectional=1, **MS)], {"x": x}, {"y": joined(y)},
              {"w": w, "b": b})
    keep4 = np.int32([[1, 1, 0, 0], [1, 1, 1, 1]])
    for name, m in (("rows", keep4), ("lengths", np.int32([2, 4])), ("whole", np.repeat(keep4[:, None], 4, 1))):
        y, _ = attend(heads(a, 3), heads(bb, 3), heads(cc, 3), (1 - keep4)[:, None, None] * -10000.0)
        cases.add(f"packed_attention_{name}", [node("Attention", ["x", "w", "b", "m"], ["y"], num_heads=3, **MS)], {"x": x, "m": m}, {"y": joined(y)},
                  {"w": w, "b": b})
    past = values(2, 2, 3, 2, 4, lo=-1, hi=1)
    kk, vv = (np.concatenate([past[i], heads(z, 3)], 2) for i, z in enumerate((bb, cc)))
    y, _ = attend(heads(a, 3), kk, vv, causal(4, 6, 2))
    cases.add("packed_attention_past", [node("Attention", ["x", "w", "b", "", "past"], ["y", "present"], num_heads=3, unidirectional=1, **MS)],
              {"x": x, "past": past}, {"y": joined(y), "present": np.stack([kk, vv]).astype(np.float32)}, {"w": w, "b": b})
    # opset 23
    q4, k4, v4 = values(2, 4, 3, 6), values(2, 2, 5, 6), values(2, 2, 5, 4)
    for mode in range(4):
        m = rng.integers(0, 2, (3, 5)).astype(bool)
        m[:, 0] = True
        y, scores = attend(q4, k4, v4, np.where(m, 0, -np.inf), 0.4, 2.0)
        cases.add(f"attention_{mode}", [node("Attention", ["q", "k", "v", "m"], ["y", "", "", "s"], scale=0.4, softcap=2.0, qk_matmul_output_mode=mode)],
                  {"q": q4, "k": k4, "v": v4, "m": m}, {"y": y, "s": scores[mode]}, opset=24, ort=False)
    pk, pv, m = values(2, 2, 3, 4), values(2, 2, 3, 5), values(4, 6)
    q3, k3, v3 = values(2, 4, 16), values(2, 3, 8), values(2, 3, 10)
    kk, vv = np.concatenate([pk, heads(k3, 2)], 2), np.concatenate([pv, heads(v3, 2)], 2)
    y, _ = attend(heads(q3, 4), kk, vv, m + causal(4, 6, 3))
    cases.add("attention_past", [node("Attention", ["q", "k", "v", "m", "pk", "pv"], ["y", "kk", "vv"], is_causal=1, q_num_heads=4, kv_num_heads=2)],
              {"q": q3, "k": k3, "v": v3, "m": m, "pk": pk, "pv": pv}, {"y": joined(y), "kk": kk, "vv": vv}, opset=23, ort=False)


def rotated(x, cos, sin, width, interleaved):
    """x [batch, heads, length, size], cos and sin [batch or 1, 1, length, width / 2]"""
    y = x.astype(np.float64).copy()
    first, second = (slice(0, width, 2), slice(1, width, 2)) if interleaved else (slice(0, width // 2), slice(width // 2, width))
    y[..., first] = x[..., first] * cos - x[..., second] * sin
    y[..., second] = x[..., second] * cos + x[..., first] * sin
    return y.astype(np.float32)


def make_rotary(cases):
    angles = np.outer(np.arange(8), 10000.0 ** (-np.arange(4) / 4))
    tables = {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    at = np.array([[2, 0, 5], [7, 1, 1]])
    x = values(2, 3, 3 * 10)
    for interleaved in (0, 1):
        cos, sin = np.cos(angles)[at][:, None], np.sin(angles)[at][:, None]
        y = joined(rotated(heads(x, 3), cos, sin, 8, interleaved))
        form = dict(interleaved=interleaved, num_heads=3, rotary_embedding_dim=8)
        cases.add(f"rotary_{interleaved}", [node("RotaryEmbedding", ["x", "cos", "sin", "at"], ["y"], **form)], {"x": x, "at": at}, {"y": y}, tables,
                  opset=23)
        cases.add(f"rotary_contrib_{interleaved}", [node("RotaryEmbedding", ["x", "at", "cos", "sin"], ["y"], **form, **MS)], {"x": x, "at": at},
                  {"y": y}, tables)
        cases.add(f"rotary_rows_{interleaved}", [node("RotaryEmbedding", ["x", "cos", "sin"], ["y"], **form)], {"x": x}, {"y": y},
                  {k: v[at] for k, v in tables.items()}, opset=23)
    x = values(2, 2, 3, 8)
    y = rotated(x, np.cos(angles)[None, None, 4:7], np.sin(angles)[None, None, 4:7], 8, 0)
    cases.add("rotary_first", [node("RotaryEmbedding", ["x", "at", "cos", "sin"], ["y"], **MS)], {"x": x}, {"y": y},
              dict(tables, at=np.array([4])), ort=False)


def make_refusals(cases):
    x = values(2, 4)
    cases.refuse("contrib_unknown", [node("CDist", ["x"], ["y"], name="distances", **MS)], {"x": x},
                 "node 'distances' (CDist): this operator of domain 'com.microsoft' is not supported")
    cases.refuse("layout_domain", [node("Conv", ["x"], ["y"], name="conv", domain="com.microsoft.nchwc")], {"x": x}, "ORT_ENABLE_EXTENDED",
                 domains=("com.microsoft.nchwc",))
    cases.refuse("nbits_shape", [node("MatMulNBits", ["x", "w", "s"], ["y"], name="product", K=4, N=2, bits=4, block_size=16, **MS)], {"x": x},
                 "node 'product' (MatMulNBits): weights and scales do not fit 2 x 4 in blocks of 16",
                 initializers={"w": bytes_(2, 1, 4), "s": values(2)})


def make(cases):
    make_quantized(cases)
    make_products(cases)
    make_dynamic(cases)
    make_fused(cases)
    make_attention(cases)
    make_rotary(cases)
    make_refusals(cases)
