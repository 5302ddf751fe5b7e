"""A second engine for quantized models, in NumPy, written from docs/numerics.md alone.

It shares no code with the C side: it reads the quantized HAR's JSON and arrays (har_reader.py) and computes every layer's stored
values. Sums are formed as float64 matrix products of integers, which is exact while they stay below 2^53; that bound is asserted.

    from oracle import Network
    net = Network.from_har("net.har")
    values = net.run({"net/input_layer1": stored_u8_array})   # every layer's stored values by name
"""
import numpy as np

QMAX = {"u8": 255, "u16": 65535}
DTYPE = {"u8": np.uint8, "u16": np.uint16}
F32, F64, I64 = np.float32, np.float64, np.int64
EXACT = 2.0 ** 53


class Layer:
    """One layer of the HN: inputs are Layers, attrs the `params` object, arrays the npz members of the layer."""

    def __init__(self, name, kind, attrs, arrays, quantization, shape):
        self.name, self.kind, self.attrs, self.arrays = name, kind, attrs, arrays
        self.inputs, self.shape = [], tuple(shape)
        q = quantization or {}
        self.type = q.get("dtype")
        self.zp = int(q.get("zero_point", 0))
        self.scale = F32(q["scale"]) if "scale" in q else None
        self.scales = np.asarray(q["scales"], F32) if q.get("scales") else None

    @property
    def qmax(self):
        return QMAX[self.type]

    def bounds(self):
        return int(self.attrs["lo"]), int(self.attrs["hi"])

    def stored(self, q):
        assert q.min(initial=0) >= 0 and q.max(initial=0) <= self.qmax, self.name
        return q.astype(DTYPE[self.type])


# ---- section 2: the library's float side ----

def quantize(x, scale, zp, dtype):
    x, scale, zpf = np.asarray(x, F32), F32(scale), F32(zp)
    lo, hi = scale * F32(0 - zp), scale * F32(QMAX[dtype] - zp)
    nan = np.isnan(x)
    x = np.where(nan, F32(0), x)
    q = np.rint(np.minimum(np.maximum(x, lo), hi) / scale + zpf)
    q = np.clip(q, 0, QMAX[dtype]).astype(I64)
    return np.where(nan, zp, q).astype(DTYPE[dtype])


def dequantize(q, scale, zp):
    return (q.astype(F32) - F32(zp)) * np.asarray(scale, F32)


# ---- section 3: requantization ----

def clamp_round(f, zp, lo, hi):
    t = f.dtype.type
    f = np.fmin(np.fmax(f, t(lo - zp)), t(hi - zp))  # fmax: NaN gives the bound
    return np.rint(f).astype(I64) + zp


def requantize(acc, m, zp, lo, hi, wide=False):
    t = F64 if wide else F32
    return clamp_round(acc.astype(t) * np.asarray(m, F32).astype(t), zp, lo, hi)


def interpolate(table, index):
    k, t = index >> 4, index & 15
    table = table.astype(I64)
    return (table[k] * (16 - t) + table[k + 1] * t + 8) >> 4


def exact_matmul(a, b):
    a, b = a.astype(F64), b.astype(F64)
    if a.size and b.size:
        assert a.shape[-1] * np.abs(a).max() * np.abs(b).max() < EXACT
    return np.matmul(a, b).astype(I64)


# ---- section 4: weighted layers ----

def as_nhwc(x):
    return x.reshape((x.shape[0],) + (1,) * (4 - x.ndim) + x.shape[1:])


def effective_kernel(layer):
    """[kh, kw, ic/groups, oc] integers (deconv [kh, kw, ic, oc/groups]); s4 kernels times their group scale."""
    w = layer.arrays["kernel"].astype(I64)
    if layer.kind == "fc" and w.ndim == 2:
        w = w[None, None]
    if "kernel_group_scale" in layer.arrays:
        g = layer.arrays["kernel_group_scale"].astype(I64)
        rows = np.arange(w.shape[2]) // int(layer.attrs["kernel_group_size"])
        w = w * g[rows][None, None]
    return w


def is_wide(w_columns, bias, zp, qmax):
    """w_columns [k, oc]: every weight that enters a sum of channel oc."""
    a, b = w_columns * (0 - zp), w_columns * (qmax - zp)
    high = np.maximum(bias, 0) + np.maximum(a, b).sum(0)
    low = np.minimum(bias, 0) + np.minimum(a, b).sum(0)
    return bool((high > 2 ** 31 - 1).any() or (low < -2 ** 31).any())


def padded_input(layer, x, pads):
    top, left, bottom, right = pads
    n, h, w, c = x.shape
    fill = layer.arrays["pad_value"].astype(I64) if "pad_value" in layer.arrays else np.full(c, layer.inputs[0].zp, I64)
    out = np.empty((n, h + top + bottom, w + left + right, c), I64)
    out[:] = fill
    out[:, top:top + h, left:left + w] = x
    return out - layer.inputs[0].zp


def conv_geometry(layer, x):
    _, sh, sw, _ = layer.attrs.get("strides", [1, 1, 1, 1])
    _, dh, dw, _ = layer.attrs.get("dilations", [1, 1, 1, 1])
    pads = [int(p) for p in layer.attrs.get("pads", [0, 0, 0, 0])]
    return int(sh), int(sw), int(dh), int(dw), pads


def windows(xp, i, j, oh, ow, sh, sw, dh, dw):
    return xp[:, i * dh:i * dh + (oh - 1) * sh + 1:sh, j * dw:j * dw + (ow - 1) * sw + 1:sw]


def conv_sum(layer, x, w):
    sh, sw, dh, dw, pads = conv_geometry(layer, x)
    kh, kw, icg, oc = w.shape
    groups = int(layer.attrs.get("groups", 1))
    xp = padded_input(layer, x, pads)
    oh = (xp.shape[1] - (kh - 1) * dh - 1) // sh + 1
    ow = (xp.shape[2] - (kw - 1) * dw - 1) // sw + 1
    ocg, out = oc // groups, []
    for g in range(groups):
        part = xp[..., g * icg:(g + 1) * icg]
        cols = np.concatenate([windows(part, i, j, oh, ow, sh, sw, dh, dw) for i in range(kh) for j in range(kw)], -1)
        out.append(exact_matmul(cols, w[..., g * ocg:(g + 1) * ocg].reshape(kh * kw * icg, ocg)))
    return np.concatenate(out, -1)


def dw_sum(layer, x, w):
    sh, sw, dh, dw, pads = conv_geometry(layer, x)
    kh, kw, ic, mult = w.shape
    xp = padded_input(layer, x, pads)
    oh = (xp.shape[1] - (kh - 1) * dh - 1) // sh + 1
    ow = (xp.shape[2] - (kw - 1) * dw - 1) // sw + 1
    acc = np.zeros((x.shape[0], oh, ow, ic, mult), I64)
    for i in range(kh):
        for j in range(kw):
            acc += windows(xp, i, j, oh, ow, sh, sw, dh, dw)[..., None] * w[i, j]
    return acc.reshape(acc.shape[:3] + (ic * mult,))


def deconv_sum(layer, x, w):
    sh, sw, dh, dw, (top, left, _, _) = conv_geometry(layer, x)
    kh, kw, ic, ocg = w.shape
    groups = int(layer.attrs.get("groups", 1))
    _, oh, ow, oc = as_nhwc(np.empty(layer.shape, np.int8)).shape
    n, h, wd, _ = x.shape
    acc = np.zeros((n, oh, ow, oc), I64)
    x = x - layer.inputs[0].zp
    for g in range(groups):
        part, cols = x[..., g * (ic // groups):(g + 1) * (ic // groups)], slice(g * ocg, (g + 1) * ocg)
        for i in range(kh):
            for j in range(kw):
                p = exact_matmul(part, w[i, j, g * (ic // groups):(g + 1) * (ic // groups)])
                ys, xs = np.arange(h) * sh + i * dh - top, np.arange(wd) * sw + j * dw - left
                yk, xk = (ys >= 0) & (ys < oh), (xs >= 0) & (xs < ow)
                block = acc[:, ys[yk][:, None], xs[xk][None]]
                block[..., cols] += p[:, yk][:, :, xk]
                acc[:, ys[yk][:, None], xs[xk][None]] = block
    return acc


def weighted(layer, values):
    x0 = values[0].astype(I64)
    x = as_nhwc(x0)
    w, bias = effective_kernel(layer), layer.arrays["bias"].astype(I64)
    groups = int(layer.attrs.get("groups", 1))
    if layer.kind == "dw":
        acc, columns = dw_sum(layer, x, w), w.reshape(w.shape[0] * w.shape[1], -1)
    elif layer.kind == "deconv":
        acc = deconv_sum(layer, x, w)
        icg = w.shape[2] // groups
        columns = np.concatenate([w[:, :, g * icg:(g + 1) * icg].reshape(-1, w.shape[3]) for g in range(groups)], -1)
    else:
        acc, columns = conv_sum(layer, x, w), w.reshape(-1, w.shape[3])
    acc = acc + bias
    src = layer.inputs[0]
    wide = is_wide(columns, bias, src.zp, src.qmax)
    m = layer.arrays["multiplier"]
    if layer.attrs.get("post", "linear") == "table":
        top = 4095 if layer.type == "u8" else 65535
        index = requantize(acc, m, int(layer.attrs["index_zero_point"]), 0, top, wide)
        table = layer.arrays["table"]
        q = table[index].astype(I64) if layer.type == "u8" else interpolate(table, index)
    elif len(values) == 2:
        t = F64 if wide else F32
        rm = F32(layer.attrs["residual_multiplier"])
        r = as_nhwc(values[1].astype(I64) - layer.inputs[1].zp).reshape(acc.shape)
        f = acc.astype(t) * m.astype(t) + r.astype(t) * t(rm)
        q = clamp_round(f, layer.zp, *layer.bounds())
    else:
        q = requantize(acc, m, layer.zp, *layer.bounds(), wide)
    return q.reshape(layer.shape)


# ---- sections 5 and 6 ----

def activation(layer, values):
    x, table, src = values[0].astype(I64), layer.arrays["table"], layer.inputs[0].type
    if src == "u8" or len(table) == 65536:
        return table[x].astype(I64)
    return table[x >> 4].astype(I64) if layer.type == "u8" else interpolate(table, x)


def op_requantize(layer, values):
    return requantize(values[0].astype(I64) - layer.inputs[0].zp, F32(layer.attrs["multiplier"]), layer.zp, *layer.bounds())


def centred(layer, values):
    return [v.astype(I64) - s.zp for v, s in zip(values, layer.inputs)]


def scaled_pair(layer, values):
    a, b = centred(layer, values)
    f = a.astype(F32) * F32(layer.attrs["multiplier_a"])
    g = b.astype(F32) * F32(layer.attrs["multiplier_b"])
    op = {"ew_add": np.add, "ew_sub": np.subtract, "ew_max": np.maximum, "ew_min": np.minimum}[layer.kind]
    return clamp_round(op(f, g), layer.zp, *layer.bounds())


def ew_mult(layer, values):
    a, b = centred(layer, values)
    wide = all(s.type == "u16" for s in layer.inputs)
    return requantize(a * b, F32(layer.attrs["multiplier"]), layer.zp, *layer.bounds(), wide)


def ew_div(layer, values):
    n, d = np.broadcast_arrays(*centred(layer, values))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        f = n.astype(F32) / d.astype(F32)
        f = np.where(d == 0, np.where(n > 0, F32(3.4e38), np.where(n < 0, F32(-3.4e38), F32(0))), f)
        f = f * F32(layer.attrs["multiplier"])
    return clamp_round(f, layer.zp, *layer.bounds())


# ---- section 7 ----

def pool_view(layer, x, fill):
    _, kh, kw, _ = layer.attrs["kernel_shape"]
    sh, sw, dh, dw, (top, left, bottom, right) = conv_geometry(layer, x)
    xp = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    _, oh, ow, _ = as_nhwc(np.empty(layer.shape, np.int8)).shape
    extra_h = max(0, (oh - 1) * sh + (kh - 1) * dh + 1 - xp.shape[1])
    extra_w = max(0, (ow - 1) * sw + (kw - 1) * dw + 1 - xp.shape[2])
    xp = np.pad(xp, ((0, 0), (0, extra_h), (0, extra_w), (0, 0)), constant_values=fill)
    return [windows(xp, i, j, oh, ow, sh, sw, dh, dw) for i in range(kh) for j in range(kw)]


def maxpool(layer, values):
    return np.maximum.reduce(pool_view(layer, as_nhwc(values[0].astype(I64)), -1)).reshape(layer.shape)


def average(layer, total, count):
    f = total.astype(F32) / np.asarray(count).astype(F32)
    return clamp_round(f * F32(layer.attrs["multiplier"]), layer.zp, *layer.bounds()).reshape(layer.shape)


def avgpool(layer, values):
    x = as_nhwc(values[0].astype(I64) - layer.inputs[0].zp)
    total = sum(pool_view(layer, x, 0))
    inside = np.ones((1,) + x.shape[1:3] + (1,), I64)
    if int(layer.attrs.get("count_include_pad", 0)):
        top, left, bottom, right = conv_geometry(layer, x)[4]
        inside = np.ones((1, x.shape[1] + top + bottom, x.shape[2] + left + right, 1), I64)
        attrs = dict(layer.attrs, pads=[0, 0, 0, 0])
        shadow = Layer(layer.name, layer.kind, attrs, {}, None, layer.shape)
        return average(layer, total, sum(pool_view(shadow, inside, 0)))
    return average(layer, total, sum(pool_view(layer, inside, 0)))


def reduce(layer, values):
    axes = tuple(int(a) for a in layer.attrs["axes"])
    x = values[0].astype(I64)
    if layer.kind in ("reduce_max", "reduce_min"):
        return (x.max if layer.kind == "reduce_max" else x.min)(axis=axes).reshape(layer.shape)
    total = (x - layer.inputs[0].zp).sum(axis=axes)
    count = int(np.prod([x.shape[a] for a in axes])) if layer.kind == "reduce_mean" else 1
    return average(layer, total, count)


def position(layer, values):
    x, axis = values[0].astype(I64), int(layer.attrs["axis"])
    x = -x if layer.kind == "argmin" else x
    if int(layer.attrs.get("select_last_index", 0)):
        return (x.shape[axis] - 1 - np.flip(x, axis).argmax(axis)).reshape(layer.shape)
    return x.argmax(axis).reshape(layer.shape)


# ---- sections 8, 9, 10, 10a ----

def matmul(layer, values):
    a, b = centred(layer, values)
    if int(layer.attrs.get("transpose_b", 0)):
        b = np.swapaxes(b, -1, -2)
    la, lb = layer.inputs
    bound = a.shape[-1] * max(la.zp, la.qmax - la.zp) * max(lb.zp, lb.qmax - lb.zp)
    acc = exact_matmul(a, b)
    return requantize(acc, F32(layer.attrs["multiplier"]), layer.zp, *layer.bounds(), bound > 2 ** 31 - 1).reshape(layer.shape)


def look_up(table, v):
    i = 256 + (v >> 7)
    return table[i] + (((table[i + 1] - table[i]) * (v & 127) + 64) >> 7)


def softmax_lookup(layer, x, axis):
    table, inverse = layer.arrays["table"].astype(I64), layer.arrays["inverse"].astype(I64)
    multiplier, shift = int(layer.attrs["distance_multiplier"]), int(layer.attrs["distance_shift"])
    d = x - x.max(axis=axis, keepdims=True)
    p = ((d << max(shift, 0)) * multiplier + 2**30) >> 31
    s = np.sign(p) * ((np.abs(p) + ((1 << max(-shift, 0)) >> 1)) >> max(-shift, 0))
    e = look_up(table, np.maximum(s + 32767, -32768))
    total = e.sum(axis=axis, keepdims=True)
    zeros = 32 - np.frexp(total.astype(F64))[1].astype(I64)
    r = look_up(inverse, np.minimum((((total << (zeros - 1)) + 2**13) >> 14) - 98304, 32767))
    q = (e * r + (I64(1) << (30 - zeros))) >> (31 - zeros)
    return layer.zp + np.minimum(q, 32767)


def softmax(layer, values):
    if "inverse" in layer.arrays:
        return softmax_lookup(layer, values[0].astype(I64), int(layer.attrs["axis"]))
    x, axis, table = values[0].astype(I64), int(layer.attrs["axis"]), layer.arrays["table"].astype(I64)
    d = x.max(axis=axis, keepdims=True) - x
    if layer.inputs[0].type == "u16":
        d = np.minimum(d >> int(layer.attrs["index_shift"]), 4095)
    e = table[d]
    r = F64(layer.attrs["inverse_scale"]) / e.sum(axis=axis, keepdims=True).astype(F64)
    return clamp_round(e.astype(F64) * r, layer.zp, 0, layer.qmax)


def layer_norm(layer, values):
    x = values[0].astype(I64)
    n, eps = x.shape[-1], F64(layer.attrs["epsilon"])
    if layer.kind == "rms_norm":
        top = x - layer.inputs[0].zp
        spread = (top * top).sum(-1, keepdims=True)
    else:
        s = x.sum(-1, keepdims=True)
        spread = n * (x * x).sum(-1, keepdims=True) - s * s
        top = n * x - s
    t = top.astype(F64) * (F64(1) / np.sqrt(spread.astype(F64) + eps))
    f = t.astype(F32) * layer.arrays["gamma"] + layer.arrays["beta"]
    return clamp_round(f, layer.zp, *layer.bounds())


def rotary(layer, values):
    """Pairs (u, v) as complex numbers times cos + i sin, in exact integers."""
    x, t = centred(layer, values)
    d, w = x.shape[-1], t.shape[-1] // 2
    pairs = (slice(0, None, 2), slice(1, None, 2)) if int(layer.attrs.get("interleaved", 0)) else (slice(None, d // 2), slice(d // 2, None))
    cos, sin, out = t[..., :w], t[..., w:], np.empty(x.shape, I64)
    u, v = (x[..., p] for p in pairs)
    for p, first, second, sign in ((pairs[0], u, v, -1), (pairs[1], v, u, 1)):
        c, s = (cos[..., p], sin[..., p]) if w == d else (cos, sin)
        out[..., p] = first * c + sign * second * s
    return requantize(out, F32(layer.attrs["multiplier"]), layer.zp, *layer.bounds(), True)


# ---- section 11 ----

def slice_(layer, values):
    index = []
    for start, end, step in zip(layer.attrs["starts"], layer.attrs["ends"], layer.attrs["steps"]):
        index.append(slice(int(start), None if step < 0 and end < 0 else int(end), int(step)))
    return values[0][tuple(index)]


def pad(layer, values):
    pads, rank = [int(p) for p in layer.attrs["pads"]], values[0].ndim
    width = [(pads[i], pads[rank + i]) for i in range(rank)]
    mode = layer.attrs.get("pad_mode", "constant")
    if mode == "constant":
        return np.pad(values[0], width, constant_values=int(layer.attrs["pad_value"]))
    return np.pad(values[0], width, mode=mode)


def resize(layer, values):
    x, rows, columns = values[0].astype(I64), layer.arrays["rows"], layer.arrays["columns"]
    if layer.attrs["mode"] == "nearest":
        return x[:, rows[:, 0]][:, :, columns[:, 0]]
    wr, wc = layer.arrays["row_weights"].astype(I64), layer.arrays["column_weights"].astype(I64)
    total = 0
    for i in range(wr.shape[1]):
        for j in range(wc.shape[1]):
            total = total + x[:, rows[:, i]][:, :, columns[:, j]] * wr[:, i][:, None, None] * wc[:, j][:, None]
    return np.clip((total + 2 ** 21) >> 22, 0, layer.qmax)


def depth_space(layer, values):
    x, b = values[0], int(layer.attrs["block"])
    n, h, w, c = x.shape
    crd = layer.attrs.get("mode", "dcr") == "crd"
    if layer.kind == "depth_to_space":
        c //= b * b
        x = x.reshape(n, h, w, c, b, b).transpose(0, 1, 4, 2, 5, 3) if crd else x.reshape(n, h, w, b, b, c).transpose(0, 1, 3, 2, 4, 5)
        return x.reshape(n, h * b, w * b, c)
    x = x.reshape(n, h // b, b, w // b, b, c)
    x = x.transpose(0, 1, 3, 5, 2, 4) if crd else x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h // b, w // b, c * b * b)


def concat(layer, values):
    for s in layer.inputs:
        assert (s.type, s.zp, s.scale) == (layer.type, layer.zp, layer.scale), layer.name
    return np.concatenate(values, axis=int(layer.attrs["axis"]))


OPS = {
    "conv": weighted, "dw": weighted, "fc": weighted, "deconv": weighted,
    "activation": activation, "requantize": op_requantize,
    "ew_add": scaled_pair, "ew_sub": scaled_pair, "ew_max": scaled_pair, "ew_min": scaled_pair, "ew_mult": ew_mult, "ew_div": ew_div,
    "maxpool": maxpool, "avgpool": avgpool, "reduce_mean": reduce, "reduce_sum": reduce, "reduce_max": reduce, "reduce_min": reduce,
    "argmax": position, "argmin": position, "cast": lambda layer, v: v[0],
    "matmul": matmul, "rotary": rotary, "softmax": softmax, "layer_norm": layer_norm, "rms_norm": layer_norm,
    "concat": concat, "reshape": lambda layer, v: v[0].reshape(layer.shape),
    "transpose": lambda layer, v: v[0].transpose([int(p) for p in layer.attrs["perm"]]),
    "slice": slice_, "pad": pad, "resize": resize, "space_to_depth": depth_space, "depth_to_space": depth_space,
    "expand": lambda layer, v: np.broadcast_to(v[0], layer.shape),
    "gather": lambda layer, v: np.take(v[0], layer.arrays["indices"].astype(I64).ravel(), axis=int(layer.attrs["axis"])).reshape(layer.shape),
    "output_layer": lambda layer, v: v[0],
}


class Network:
    """layers in topological order."""

    def __init__(self, layers):
        self.layers = layers

    @classmethod
    def from_har(cls, path):
        import har_reader
        return cls(har_reader.quantized_layers(path, Layer))

    def inputs(self):
        return [layer for layer in self.layers if layer.kind == "input_layer"]

    def run(self, feeds):
        values = {}
        for layer in self.layers:
            if layer.kind == "input_layer":
                q = feeds[layer.name].reshape(layer.shape)
            elif layer.kind == "const_input":
                q = layer.arrays["data"].reshape(layer.shape)
            else:
                q = OPS[layer.kind](layer, [values[s.name] for s in layer.inputs])
            assert tuple(q.shape) == layer.shape, (layer.name, q.shape, layer.shape)
            values[layer.name] = layer.stored(np.asarray(q))
        return values
