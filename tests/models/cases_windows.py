"""Windows over one, two and three axes: pools, convolutions, unpooling, grid sampling, resizing."""
import itertools

import numpy as np

from onnx_file import node

rng = np.random.default_rng(11)


def values(*shape):
    return np.round(rng.uniform(-3, 3, shape), 1).astype(np.float32)


def distinct(*shape):
    """No two values alike, so that a maximum has one place."""
    return (rng.permutation(int(np.prod(shape))).reshape(shape) / 4).astype(np.float32)


def taps(side, kernel, stride, dilation, before, after, ceil):
    """Positions of each window along one axis; -1 where it is in the pads."""
    room = side + before + after - (kernel - 1) * dilation - 1
    n = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (n - 1) * stride >= side + before:
        n -= 1
    at = np.arange(n)[:, None] * stride + np.arange(kernel)[None] * dilation - before
    return np.where((at >= 0) & (at < side), at, -1)


def windows(x, kernel, strides, dilations, pads, ceil=False):
    """For each output position of a plane: the positions of the taps in the picture, and how many there could be."""
    n = len(kernel)
    axes = [taps(x.shape[2 + i], kernel[i], strides[i], dilations[i], pads[i], pads[n + i], ceil) for i in range(n)]
    for o in itertools.product(*(range(len(a)) for a in axes)):
        yield o, [p for p in itertools.product(*(axes[i][o[i]] for i in range(n))) if min(p) >= 0]


def out_shape(x, kernel, strides, dilations, pads, ceil=False):
    n = len(kernel)
    return x.shape[:2] + tuple(len(taps(x.shape[2 + i], kernel[i], strides[i], dilations[i], pads[i], pads[n + i], ceil))
                               for i in range(n))


def max_pool(x, kernel, strides, dilations, pads, ceil=False, column_major=False):
    y = np.zeros(out_shape(x, kernel, strides, dilations, pads, ceil), x.dtype)
    at = np.zeros(y.shape, np.int64)
    plane = int(np.prod(x.shape[2:]))
    for o, ps in windows(x, kernel, strides, dilations, pads, ceil):
        for b, c in itertools.product(range(x.shape[0]), range(x.shape[1])):
            best = max(ps, key=lambda p: x[(b, c) + p])
            y[(b, c) + o] = x[(b, c) + best]
            flat = np.ravel_multi_index(best, x.shape[2:], order="F" if column_major else "C")
            at[(b, c) + o] = (b * x.shape[1] + c) * plane + flat
    return y, at


def make_pools(cases):
    forms = [((5,), (2,), (2,), (1,), (0, 0), False), ((7,), (3,), (2,), (2,), (1, 1), True),
             ((5, 6), (2, 3), (2, 1), (1, 1), (1, 1, 0, 1), False), ((7, 7), (3, 3), (2, 2), (2, 1), (1, 0, 1, 0), True),
             ((4, 5, 6), (2, 2, 3), (2, 2, 2), (1, 1, 1), (0, 1, 1, 0, 0, 1), False), ((5, 5, 5), (3, 2, 2), (2, 2, 2), (1, 1, 2), (0,) * 6, True)]
    for k, (side, kernel, strides, dilations, pads, ceil) in enumerate(forms):
        x = distinct(2, 3, *side)
        for order in (0, 1):
            y, at = max_pool(x, kernel, strides, dilations, pads, ceil, order == 1)
            cases.add(f"max_pool_indices_{k}_{order}",
                      [node("MaxPool", ["x"], ["y", "at"], kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads,
                            ceil_mode=int(ceil), storage_order=order)], {"x": x}, {"y": y, "at": at}, opset=12)
    x = np.array([[[[3, 3, 3], [3, 3, 3], [-1, 4, 4]]]], np.float32)  # of equal values the first is taken
    cases.add("max_pool_indices_equal", [node("MaxPool", ["x"], ["y", "at"], kernel_shape=[2, 2])], {"x": x},
              {"y": np.array([[[[3, 3], [4, 4]]]], np.float32), "at": np.array([[[[0, 1], [7, 7]]]])})
    x = distinct(1, 2, 5, 5)
    y, at = max_pool(x, (2, 2), (2, 2), (1, 1), (0, 1, 1, 0))
    cases.add("max_pool_indices_same", [node("MaxPool", ["x"], ["y", "at"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER")],
              {"x": x}, dict(zip(("y", "at"), max_pool(x, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1)))))


def make_unpool(cases):
    x = distinct(2, 2, 5, 7) + 1
    y, at = max_pool(x, (2, 2), (2, 2), (1, 1), (0,) * 4)
    whole = np.zeros_like(x)
    whole.ravel()[at.ravel()] = y.ravel()
    pool = node("MaxPool", ["x"], ["p", "at"], kernel_shape=[2, 2], strides=[2, 2])
    back = dict(kernel_shape=[2, 2], strides=[2, 2])
    # rows and columns that the pool left over come back by output_shape
    cases.add("max_unpool_of_pool", [pool, node("MaxUnpool", ["p", "at", "shape"], ["y"], **back)], {"x": x}, {"y": whole},
              {"shape": np.array(x.shape)}, opset=11)
    x = distinct(1, 2, 4, 6)
    y, at = max_pool(x, (2, 2), (2, 2), (1, 1), (0,) * 4)
    whole = np.zeros_like(x)
    whole.ravel()[at.ravel()] = y.ravel()
    cases.add("max_unpool", [pool, node("MaxUnpool", ["p", "at"], ["y"], **back)], {"x": x}, {"y": whole}, opset=9)
    # The next two are ONNX's own examples: indices of unknown origin count in the shape that the windows give.
    p, at = np.array([[[[5, 6], [7, 8]]]], np.float32), np.array([[[[5, 7], [13, 15]]]])
    y = np.zeros((1, 1, 4, 4), np.float32)
    y[0, 0, 1::2, 1::2] = p
    cases.add("max_unpool_of_inputs", [node("MaxUnpool", ["p", "at"], ["y"], **back)], {"p": p, "at": at}, {"y": y}, opset=11)
    cases.add("max_unpool_to_shape", [node("MaxUnpool", ["p", "at", "shape"], ["y"], **back)], {"p": p, "at": at},
              {"y": np.pad(y, ((0, 0), (0, 0), (0, 1), (0, 1)))}, {"shape": np.array([1, 1, 5, 5])}, opset=11, ort=False)
    x = distinct(1, 1, 6)
    y, at = max_pool(x, (3,), (3,), (1,), (0, 0))
    whole = np.zeros_like(x)
    whole.ravel()[at.ravel()] = y.ravel()
    cases.add("max_unpool_line", [node("MaxPool", ["x"], ["p", "at"], kernel_shape=[3], strides=[3]),
                                  node("MaxUnpool", ["p", "at"], ["y"], kernel_shape=[3], strides=[3])], {"x": x}, {"y": whole}, opset=11)


def conv(x, k, bias, strides, dilations, pads, groups):
    y = np.zeros((x.shape[0], k.shape[0]) + out_shape(x, k.shape[2:], strides, dilations, pads)[2:])
    y += bias.reshape((-1,) + (1,) * (k.ndim - 2))
    n, per_in, per_out = k.ndim - 2, k.shape[1], k.shape[0] // groups
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0)) + tuple((pads[i], pads[n + i]) for i in range(n)))
    for o in itertools.product(*(range(d) for d in y.shape[2:])):
        for t in itertools.product(*(range(d) for d in k.shape[2:])):
            at = tuple(o[i] * strides[i] + t[i] * dilations[i] for i in range(n))
            for g in range(groups):
                rows = slice(g * per_out, (g + 1) * per_out)
                y[(slice(None), rows) + o] += padded[(slice(None), slice(g * per_in, (g + 1) * per_in)) + at] @ k[(rows, slice(None)) + t].T
    return y.astype(np.float32)


def deconv(x, k, bias, strides, dilations, pads, groups, more):
    """Every input value adds the kernel, scaled, to the output; pads cut its border off."""
    n, per_in, per_out = k.ndim - 2, k.shape[0] // groups, k.shape[1]
    full = [(x.shape[2 + i] - 1) * strides[i] + (k.shape[2 + i] - 1) * dilations[i] + 1 + more[i] for i in range(n)]
    y = np.zeros([x.shape[0], groups * per_out] + full)
    for p in itertools.product(*(range(d) for d in x.shape[2:])):
        for t in itertools.product(*(range(d) for d in k.shape[2:])):
            at = tuple(p[i] * strides[i] + t[i] * dilations[i] for i in range(n))
            for g in range(groups):
                y[(slice(None), slice(g * per_out, (g + 1) * per_out)) + at] += (
                    x[(slice(None), slice(g * per_in, (g + 1) * per_in)) + p] @ k[(slice(g * per_in, (g + 1) * per_in), slice(None)) + t])
    y = y[(slice(None), slice(None)) + tuple(slice(pads[i], full[i] - pads[n + i]) for i in range(n))]
    return (y + bias.reshape((-1,) + (1,) * n)).astype(np.float32)


def make_convs(cases):
    # side, kernel, strides, dilations, pads, groups, output_padding
    forms = [((9,), (3,), (2,), (2,), (1, 2), 1, (1,)), ((6,), (2,), (3,), (1,), (0, 1), 4, (0,)),
             ((5, 6), (3, 2), (2, 1), (1, 2), (1, 0, 2, 1), 2, (1, 0)), ((4, 4), (3, 3), (1, 1), (1, 1), (1,) * 4, 4, (0, 0)),
             ((3, 4, 5), (2, 3, 2), (1, 2, 2), (2, 1, 1), (1, 0, 1, 0, 1, 0), 1, (0, 1, 1)),
             ((3, 3, 3), (3, 1, 2), (2, 1, 3), (1, 1, 1), (2, 0, 0, 1, 0, 1), 2, (1, 0, 0)),
             ((2, 3, 3), (2, 2, 2), (3, 2, 1), (1, 1, 2), (0,) * 6, 4, (2, 0, 0))]
    for k, (side, kernel, strides, dilations, pads, groups, more) in enumerate(forms):
        x, bias = values(2, 4, *side), values(8)
        form = dict(strides=strides, dilations=dilations, pads=pads, group=groups)
        w = values(8, 4 // groups, *kernel)
        cases.add(f"conv_{k}", [node("Conv", ["x", "w", "b"], ["y"], **form)], {"x": x},
                  {"y": conv(x, w, bias, strides, dilations, pads, groups)}, {"w": w, "b": bias}, opset=1 + k)
        # weights, or the bias alone, that arrive at run time
        cases.add(f"conv_run_time_{k}", [node("Conv", ["x", "w", "b"], ["y"], **form)], {"x": x, "w": w, "b": bias},
                  {"y": conv(x, w, bias, strides, dilations, pads, groups)})
        w = values(4, 8 // groups, *kernel)
        y = deconv(x, w, bias, strides, dilations, pads, groups, more)
        cases.add(f"deconv_{k}", [node("ConvTranspose", ["x", "w", "b"], ["y"], output_padding=more, **form)], {"x": x}, {"y": y},
                  {"w": w, "b": bias}, opset=1 + 3 * k)
        del form["pads"]  # the same output by its shape: what is to be cut is shared, the larger half before
        cut = [pads[i] + pads[len(side) + i] for i in range(len(side))]
        pads = [c - c // 2 for c in cut] + [c // 2 for c in cut]
        cases.add(f"deconv_shape_{k}", [node("ConvTranspose", ["x", "w", "b"], ["y"], output_padding=more, output_shape=y.shape[2:], **form)],
                  {"x": x}, {"y": deconv(x, w, bias, strides, dilations, pads, groups, more)}, {"w": w, "b": bias})
    for mode in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        x, w = values(1, 2, 3, 4, 3), values(2, 1, 3, 2, 3)
        extra = [0, 0, 1] if mode != "VALID" else [0, 0, 0]  # kernel - stride, which is to be cut: 1, 0, 1 of sides 3, 2, 3
        cut = [1, 0, 1] if mode != "VALID" else [0, 0, 0]
        before = [c // 2 if mode == "SAME_UPPER" else c - c // 2 for c in cut]
        y = deconv(x, w, np.zeros(1), (2, 2, 2), (1, 1, 1), before + [c - b for c, b in zip(cut, before)], 1, (0, 0, 0))
        cases.add(f"deconv_{mode}", [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2, 2], auto_pad=mode)], {"x": x}, {"y": y},
                  {"w": w})
    x, w = values(1, 4, 6, 5), values(4, 1, 2, 2)
    for mode, pads in (("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0)), ("VALID", (0,) * 4)):
        cases.add(f"conv_{mode}", [node("Conv", ["x", "w"], ["y"], group=4, auto_pad=mode)], {"x": x},
                  {"y": conv(x, w, np.zeros(4), (1, 1), (1, 1), pads, 4)}, {"w": w})


def make_averages(cases):
    forms = [((5,), (3,), (2,), (1,), (1, 1), False), ((6,), (3,), (2,), (2,), (1, 0), True), ((5, 6), (2, 3), (2, 2), (1, 1), (1, 0, 0, 1), True),
             ((6, 6), (2, 2), (2, 3), (2, 1), (0, 1, 1, 0), False), ((4, 5, 4), (2, 2, 3), (2, 1, 2), (1, 2, 1), (1, 0, 0, 0, 1, 1), True)]
    for k, (side, kernel, strides, dilations, pads, ceil) in enumerate(forms):
        x = values(2, 3, *side)
        y = {name: np.zeros(out_shape(x, kernel, strides, dilations, pads, ceil), np.float32) for name in ("mean", "whole", "norm")}
        n = len(side)
        lengths = [side[i] + pads[i] + pads[n + i] for i in range(n)]
        for o, ps in windows(x, kernel, strides, dilations, pads, ceil):
            inside = np.prod([sum(o[i] * strides[i] + t * dilations[i] < lengths[i] for t in range(kernel[i])) for i in range(n)])
            at = (slice(None), slice(None)) + tuple(np.array(ps).T)
            y["mean"][(slice(None), slice(None)) + o] = x[at].mean(-1)
            y["whole"][(slice(None), slice(None)) + o] = x[at].sum(-1) / inside
            y["norm"][(slice(None), slice(None)) + o] = (np.abs(x[at]) ** 3).sum(-1) ** (1 / 3)
        form = dict(kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads, ceil_mode=int(ceil))
        cases.add(f"average_{k}", [node("AveragePool", ["x"], ["y"], **form)], {"x": x}, {"y": y["mean"]}, opset=19)
        cases.add(f"average_whole_{k}", [node("AveragePool", ["x"], ["y"], count_include_pad=1, **form)], {"x": x}, {"y": y["whole"]},
                  opset=19)
        # (onnxruntime pools lines and volumes with another order of the same taps; its ceil_mode of LpPool is not used)
        cases.add(f"lp_{k}", [node("LpPool", ["x"], ["y"], p=3, **form)], {"x": x}, {"y": y["norm"]}, opset=18)
    x = values(1, 2, 4, 4)
    cases.add("lp_first_opset", [node("LpPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], p=1.0),
                                 node("GlobalLpPool", ["x"], ["z"], p=1.0)], {"x": x},
              {"y": np.abs(x).reshape(1, 2, 2, 2, 2, 2).sum((3, 5)), "z": np.abs(x).sum((2, 3), keepdims=True)}, opset=1, ort=False)


def reflect(v, low, high):
    """Thrown back at both borders, as often as it takes."""
    if high <= low:
        return low
    v = (v - low) % (2 * (high - low))
    return low + min(v, 2 * (high - low) - v)


def grid_sample(x, grid, mode, padding, align):
    n, sides = x.ndim - 2, x.shape[2:]
    y = np.zeros(x.shape[:2] + grid.shape[1:-1])

    def settle(v, side):
        if padding == "border":
            return min(max(v, 0), side - 1)
        low, high = (0, side - 1) if align else (-0.5, side - 0.5)
        return reflect(v, low, high) if padding == "reflection" and not low <= v <= high else v

    def kernel(t):
        a, t = -0.75, abs(t)
        return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1 if t <= 1 else a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a

    for b in range(x.shape[0]):
        for o in itertools.product(*(range(d) for d in grid.shape[1:-1])):
            taps = []
            for i, side in enumerate(sides):
                v = float(grid[(b,) + o][n - 1 - i])
                v = (v + 1) / 2 * (side - 1) if align else ((v + 1) * side - 1) / 2
                if mode == "nearest":
                    v = settle(np.rint(v), side)
                    at = [(int(v), 1.0)]
                elif mode == "linear":
                    v = settle(v, side)
                    at = [(int(np.floor(v)), 1 - (v - np.floor(v))), (int(np.floor(v)) + 1, v - np.floor(v))]
                else:
                    at = [(int(np.floor(v)) + k, kernel(v - np.floor(v) - k)) for k in (-1, 0, 1, 2)]
                if padding != "zeros":  # taps beyond the border, too
                    at = [(int(min(max(settle(p, side), 0), side - 1)), w) for p, w in at]
                taps.append([(p, w) for p, w in at if 0 <= p < side])
            for combination in itertools.product(*taps):
                y[(b, slice(None)) + o] += x[(b, slice(None)) + tuple(p for p, _ in combination)] * np.prod([w for _, w in combination])
    return y.astype(np.float32)


def make_grids(cases):
    x = values(2, 3, 4, 3, 5)
    grid = rng.uniform(-1.4, 1.4, (2, 2, 3, 2, 3)).astype(np.float32)
    for mode, padding, align in itertools.product(("linear", "nearest", "cubic"), ("zeros", "border", "reflection"), (0, 1)):
        # onnxruntime samples volumes by linear and nearest only
        cases.add(f"grid_volume_{mode}_{padding}_{align}",
                  [node("GridSample", ["x", "grid"], ["y"], mode=mode, padding_mode=padding, align_corners=align)],
                  {"x": x, "grid": grid}, {"y": grid_sample(x, grid, mode, padding, align)}, opset=20, ort=mode != "cubic")


def make_resize(cases):
    x = np.arange(1, 9, dtype=np.float32).reshape(1, 1, 2, 4)
    scales = {"scales": np.array([1, 1, 0.6, 0.6], np.float32)}
    form = [node("Resize", ["x", "", "scales"], ["y"], mode="linear", coordinate_transformation_mode="align_corners")]
    # whole lengths before opset 19; since then lengths may be fractions: 3 / (2.4 - 1) a step
    cases.add("resize_align_whole", form, {"x": x}, {"y": np.array([[[[1, 4]]]], np.float32)}, scales, opset=18)
    cases.add("resize_align_fraction", form, {"x": x}, {"y": np.array([[[[1, 1 + 3 / 1.4]]]], np.float32)}, scales, opset=19, ort=False)


def filtered(x, axis, out, scale, mode, a=-0.75, exclude=False, align=False):
    """One axis made smaller by a filter that is 1 / scale times as wide; beyond the border its pixel, or nothing."""
    side, y = x.shape[axis], []
    for o in range(out):
        at = o * (side - 1) / (out - 1) if align else (o + 0.5) / scale - 0.5
        total, row = 0.0, np.zeros(side)
        for i in range(-3 * side, 4 * side):
            d = abs(i - at) * scale
            if mode == "linear":
                w = max(1 - d, 0)
            else:
                w = (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1 if d <= 1 else a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a if d < 2 else 0
            if exclude and not 0 <= i < side:
                continue
            total += w
            row[min(max(i, 0), side - 1)] += w
        y.append(np.tensordot(x, row / total, (axis, 0)))
    return np.stack(y, axis)


def make_antialias(cases):
    x = values(1, 2, 9, 10)
    for mode, exclude in (("linear", 0), ("linear", 1), ("cubic", 0), ("cubic", 1)):
        y = filtered(filtered(x.astype(np.float64), 2, 4, 4 / 9, mode, exclude=exclude), 3, 6, 0.6, mode, exclude=exclude)
        # onnxruntime leaves what is beyond the border out, whatever exclude_outside says
        cases.add(f"antialias_{mode}_{exclude}", [node("Resize", ["x", "", "", "sizes"], ["y"], mode=mode, antialias=1, exclude_outside=exclude)],
                  {"x": x}, {"y": y.astype(np.float32)}, {"sizes": np.array([1, 2, 4, 6])}, opset=18, ort=mode == "cubic" and exclude == 1)
    # an axis that grows has no filter
    y = filtered(x.astype(np.float64), 3, 5, 0.5, "linear")
    y = np.stack([y[:, :, min(max(int(np.floor(p)), 0), 8)] * (1 - (p - np.floor(p))) + y[:, :, min(max(int(np.floor(p)) + 1, 0), 8)] * (p - np.floor(p))
                  for p in ((np.arange(18) + 0.5) / 2 - 0.5)], 2)
    cases.add("antialias_one_grows", [node("Resize", ["x", "", "scales"], ["y"], mode="linear", antialias=1)], {"x": x},
              {"y": y.astype(np.float32)}, {"scales": np.array([1, 1, 2, 0.5], np.float32)}, opset=18, ort=False)


def make_regions(cases):
    x = values(2, 3, 8, 9)
    rois = np.array([[0, 0, 0, 8, 7], [1, 2.6, 1, 6, 5.4], [1, 7, 6, 14, 12], [0, 3, 3, 3, 3]], np.float32)
    for scale in (1.0, 0.5):
        y = np.zeros((4, 3, 2, 3), np.float32)
        for k, roi in enumerate(rois):
            x1, y1, x2, y2 = (np.floor(v * scale + 0.5) for v in roi[1:])
            for i, j in itertools.product(range(2), range(3)):
                h, w = max(y2 - y1 + 1, 1) / 2, max(x2 - x1 + 1, 1) / 3
                rows = slice(int(min(np.floor(i * h) + y1, 8)), int(min(np.ceil((i + 1) * h) + y1, 8)))
                columns = slice(int(min(np.floor(j * w) + x1, 9)), int(min(np.ceil((j + 1) * w) + x1, 9)))
                part = x[int(roi[0]), :, rows, columns]
                y[k, :, i, j] = part.max((1, 2)) if part.size else 0
        cases.add(f"max_roi_pool_{scale}", [node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[2, 3], spatial_scale=scale)], {"x": x, "r": rois},
                  {"y": y})


def make(cases):
    make_antialias(cases)
    make_regions(cases)
    make_pools(cases)
    make_unpool(cases)
    make_convs(cases)
    make_averages(cases)
    make_grids(cases)
    make_resize(cases)
