#!/usr/bin/env python3
"""Train the demo's sign detector on pictures of draw_signs.py, export it, and write the demo's files.

The network is anchor-free: each cell of a stride-8 and a stride-16 map gives six class scores (sigmoid in the graph)
and four distances from the cell's centre to the box's sides, in strides. Training sees (x - 127) / 128; the exported
graph takes that too, and signs.alls puts the normalization in front of it, so that pictures go in as they are.

    train_signs.py train  [--minutes 20] [--weights signs.pt]     draw, train, keep the averaged weights
    train_signs.py export [--weights signs.pt] [--out DIR]        ONNX, model script, decode rule, pictures, labels
    train_signs.py check  [--out DIR]                             mAP of the exported file by ONNX Runtime
"""
import argparse
import json
import math
import multiprocessing
import os
import time

import numpy as np
from PIL import Image

import draw_signs

STRIDES = (8, 16)
CLASSES = draw_signs.CLASSES
SIZE = draw_signs.SIZE
MEAN, STD = 127.0, 128.0
# A sign is learned at every stride whose range holds its longer side; the ranges overlap.
SIDE_RANGE = {8: (0.0, 56.0), 16: (44.0, 1e9)}
TRAIN_SEED, EVAL_SEED, CALIB_SEED, SHOW_SEED = 1_000_000, 2_000_000, 3_000_000, 4_000_000
EVAL_COUNT, CALIB_COUNT, SHOW_COUNT = 40, 32, 8
SCORE_THRESHOLD, NMS_IOU = 0.4, 0.5
DEFAULT_OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "demo")

# The network, one row a node: (name, kind, inputs, parameters). Torch and the ONNX writer both walk this table.
#   conv: out channels, kernel, stride, groups, activation ("relu6", "none", "bias" = no batch norm and a bias)
NET = [
    ("stem",     "conv", ["images"],           (16, 3, 2, 1, "relu6")),
    ("down4",    "conv", ["stem"],             (24, 3, 2, 1, "relu6")),
    ("down8_dw", "conv", ["down4"],            (24, 3, 1, 24, "relu6")),
    ("down8",    "conv", ["down8_dw"],         (48, 3, 2, 1, "relu6")),
    ("a_expand", "conv", ["down8"],            (96, 1, 1, 1, "relu6")),
    ("a_dw",     "conv", ["a_expand"],         (96, 3, 1, 96, "relu6")),
    ("a_proj",   "conv", ["a_dw"],             (48, 1, 1, 1, "none")),
    ("a_add",    "add",  ["down8", "a_proj"],  ()),
    ("b_expand", "conv", ["a_add"],            (96, 1, 1, 1, "relu6")),
    ("b_dw",     "conv", ["b_expand"],         (96, 3, 2, 96, "relu6")),
    ("b_proj",   "conv", ["b_dw"],             (64, 1, 1, 1, "none")),
    ("c_expand", "conv", ["b_proj"],           (112, 1, 1, 1, "relu6")),
    ("c_dw",     "conv", ["c_expand"],         (112, 5, 1, 112, "relu6")),
    ("c_proj",   "conv", ["c_dw"],             (64, 1, 1, 1, "none")),
    ("c_add",    "add",  ["b_proj", "c_proj"], ()),
    ("d_expand", "conv", ["c_add"],            (112, 1, 1, 1, "relu6")),
    ("d_dw",     "conv", ["d_expand"],         (112, 5, 1, 112, "relu6")),
    ("d_proj",   "conv", ["d_dw"],             (64, 1, 1, 1, "none")),
    ("d_add",    "add",  ["c_add", "d_proj"],  ()),
    ("lateral",  "conv", ["d_add"],            (32, 1, 1, 1, "relu6")),
    ("up",       "up",   ["lateral"],          ()),
    ("join",     "cat",  ["up", "a_add"],      ()),
    ("p8",       "conv", ["join"],             (48, 1, 1, 1, "relu6")),
    ("p8_dw",    "conv", ["p8"],               (48, 3, 1, 48, "relu6")),
    ("p8_pw",    "conv", ["p8_dw"],            (48, 1, 1, 1, "relu6")),
    ("cls8",     "conv", ["p8_pw"],            (len(CLASSES), 1, 1, 1, "bias")),
    ("scores8",  "sigmoid", ["cls8"],          ()),
    ("boxes8",   "conv", ["p8_pw"],            (4, 1, 1, 1, "bias")),
    ("p16_dw",   "conv", ["d_add"],            (64, 3, 1, 64, "relu6")),
    ("p16_pw",   "conv", ["p16_dw"],           (64, 1, 1, 1, "relu6")),
    ("cls16",    "conv", ["p16_pw"],           (len(CLASSES), 1, 1, 1, "bias")),
    ("scores16", "sigmoid", ["cls16"],         ()),
    ("boxes16",  "conv", ["p16_pw"],           (4, 1, 1, 1, "bias")),
]
OUTPUTS = ["scores8", "boxes8", "scores16", "boxes16"]


# ---------------------------------------------------------------- network

def build_torch():
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            channels = {"images": 3}
            for name, kind, ins, p in NET:
                if kind == "conv":
                    out, k, s, groups, act = p
                    conv = nn.Conv2d(channels[ins[0]], out, k, s, k // 2, groups=groups, bias=act == "bias")
                    self.add_module(name, conv)
                    if act != "bias":
                        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                        self.add_module(name + "_bn", nn.BatchNorm2d(out, momentum=0.05))
                    else:
                        nn.init.normal_(conv.weight, std=0.01)
                        nn.init.constant_(conv.bias, -math.log(99) if name.startswith("cls") else 2.0)
                    channels[name] = out
                elif kind == "cat":
                    channels[name] = sum(channels[i] for i in ins)
                else:
                    channels[name] = channels[ins[0]]

        def forward(self, x):
            v = {"images": x}
            for name, kind, ins, p in NET:
                a = v[ins[0]]
                if kind == "conv":
                    a = getattr(self, name)(a)
                    if p[4] != "bias":
                        a = getattr(self, name + "_bn")(a)
                    if p[4] == "relu6":
                        a = F.relu6(a)
                elif kind == "add":
                    a = a + v[ins[1]]
                elif kind == "up":
                    a = F.interpolate(a, scale_factor=2, mode="nearest")
                elif kind == "cat":
                    a = torch.cat([v[i] for i in ins], 1)
                elif kind == "sigmoid" and not self.training:
                    a = torch.sigmoid(a)
                v[name] = a
            return [v[o] for o in OUTPUTS]

    return Detector()


# ---------------------------------------------------------------- training

def draw_for_training(seed):
    im, boxes, kinds = draw_signs.draw(seed)
    return np.asarray(im), boxes, kinds


def assign(boxes, kinds):
    """Per stride: class of each cell (-1 none) and its box. Cells near a box's centre learn it; small boxes win."""
    targets = []
    for stride in STRIDES:
        n = SIZE // stride
        cls = np.full((n, n), -1, np.int8)
        box = np.zeros((n, n, 4), np.float32)
        centre = (np.arange(n) + 0.5) * stride
        side = (boxes[:, 2:] - boxes[:, :2]).max(1) if len(boxes) else np.zeros(0)
        lo, hi = SIDE_RANGE[stride]
        for i in np.argsort(-side):
            if not lo <= side[i] < hi:
                continue
            x0, y0, x1, y1 = boxes[i]
            cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
            # The half width of the learned centre: a quarter of the box, at least the nearest cell.
            rx, ry = max((x1 - x0) / 4, stride * 0.75), max((y1 - y0) / 4, stride * 0.75)
            hit = np.ix_(abs(centre - cy) <= ry, abs(centre - cx) <= rx)
            cls[hit] = kinds[i]
            box[hit] = boxes[i]
        targets.append((cls, box))
    return targets


def giou_loss(pred, want):
    """1 - generalized IoU of boxes given as distances left, top, right, bottom from one point."""
    import torch
    inter = (torch.minimum(pred, want)[:, :2] + torch.minimum(pred, want)[:, 2:]).clamp(min=0).prod(1)
    union = (pred[:, :2] + pred[:, 2:]).prod(1) + (want[:, :2] + want[:, 2:]).prod(1) - inter
    hull = (torch.maximum(pred, want)[:, :2] + torch.maximum(pred, want)[:, 2:]).prod(1)
    return 1 - inter / union + (hull - union) / hull


def loss_of(outs, targets):
    import torch
    from torch.nn import functional as F
    total, positives = 0.0, 0
    for level, stride in enumerate(STRIDES):
        logits = outs[2 * level].permute(0, 2, 3, 1)
        dist = outs[2 * level + 1].permute(0, 2, 3, 1)
        cls, box = targets[level]
        hit = cls >= 0
        goal = F.one_hot(cls.clamp(min=0).long(), len(CLASSES)).float() * hit[..., None]
        p = torch.sigmoid(logits)
        weight = torch.where(goal > 0, 0.4, 0.6) * (goal - p).abs().detach() ** 2
        total = total + 4 * (weight * F.binary_cross_entropy_with_logits(logits, goal, reduction="none")).sum()
        positives += int(hit.sum())
        if hit.any():
            c = (torch.arange(SIZE // stride) + 0.5) * stride
            y, x = torch.meshgrid(c, c, indexing="ij")
            centre = torch.stack([x, y], -1).expand(hit.shape[0], -1, -1, -1)[hit]
            b = box[hit]
            want = torch.cat([centre - b[:, :2], b[:, 2:] - centre], 1) / stride
            got = dist[hit]
            # GIoU shapes the box; the small L1 term also pulls distances that start negative.
            total = total + 2 * giou_loss(got.clamp(min=0.05), want).sum() + 0.15 * (got - want).abs().sum()
    return total / max(positives, 1)


def relight(pictures, rng):
    """Cheap variety per batch: exposure and colour. Places and sizes vary enough in the drawing."""
    gain = rng.uniform(0.8, 1.2, (len(pictures), 1, 1, 3)).astype(np.float32)
    offset = rng.uniform(-14, 14, (len(pictures), 1, 1, 1)).astype(np.float32)
    return np.clip(pictures * gain + offset, 0, 255)


def settle_batchnorm(net, pictures):
    """Measure batch normalization's means and variances anew: averaged weights do not fit averaged statistics."""
    import torch
    batches = [torch.from_numpy((pictures[i:i + 64].astype(np.float32) - MEAN) / STD).permute(0, 3, 1, 2)
               for i in range(0, len(pictures), 64)]
    torch.optim.swa_utils.update_bn(batches, net)


def train(a):
    import torch
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    begin = time.time()
    with multiprocessing.Pool(a.threads) as pool:
        drawn = pool.map(draw_for_training, range(TRAIN_SEED, TRAIN_SEED + a.pictures), chunksize=64)
    pictures = np.stack([d[0] for d in drawn])
    assigned = [assign(d[1], d[2]) for d in drawn]
    targets = [(np.stack([t[lv][0] for t in assigned]), np.stack([t[lv][1] for t in assigned])) for lv in range(2)]
    print(f"{a.pictures} pictures drawn in {time.time() - begin:.0f} s", flush=True)

    net = build_torch().to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True)
    print(f"{sum(p.numel() for p in net.parameters())} parameters", flush=True)
    decay = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=a.rate)
    net.train()
    begin, budget, step, order, mean = time.time(), a.minutes * 60, 0, np.zeros(0, int), None
    while (used := (time.time() - begin) / budget) < 1:
        if len(order) < a.batch:
            order = rng.permutation(a.pictures)
        pick, order = np.sort(order[:a.batch]), order[a.batch:]
        rate = a.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * used)))
        for group in opt.param_groups:
            group["lr"] = rate
        x = relight(pictures[pick].astype(np.float32), rng)
        x = torch.from_numpy((x - MEAN) / STD).permute(0, 3, 1, 2)
        t = [(torch.from_numpy(c[pick]), torch.from_numpy(b[pick])) for c, b in targets]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.bf16):
            outs = net(x)
        loss = loss_of([o.float() for o in outs], t)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        opt.step()
        average.update_parameters(net)
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        step += 1
        if step % 50 == 0:
            print(f"step {step}  {used * 100:.0f} %  epoch {step * a.batch / a.pictures:.1f}  loss {mean:.3f}", flush=True)
        if step % 500 == 0:
            torch.save(average.module.state_dict(), a.weights)
    settle_batchnorm(average.module, pictures[:1024])
    torch.save(average.module.state_dict(), a.weights)
    print(f"{step} steps; weights in {a.weights}")


# ---------------------------------------------------------------- decoding and accuracy

def iou(a, b):
    """IoU of every box of a with every box of b."""
    lo, hi = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(hi - lo, 0, None).prod(2)
    return inter / ((a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None] - inter)


def decode(outs, threshold):
    """The rule of signs.json on NCHW outputs of one picture: rows (score, class, x0, y0, x1, y1), best first."""
    rows = []
    for level, stride in enumerate(STRIDES):
        scores, dist = outs[2 * level], np.maximum(outs[2 * level + 1], 0) * stride
        for k, y, x in zip(*np.nonzero(scores >= threshold)):
            cx, cy, d = (x + 0.5) * stride, (y + 0.5) * stride, dist[:, y, x]
            rows.append((scores[k, y, x], k, cx - d[0], cy - d[1], cx + d[2], cy + d[3]))
    rows = np.array(sorted(rows, key=lambda r: -r[0]), np.float64).reshape(-1, 6)
    rows[:, 2:] = np.clip(rows[:, 2:], 0, SIZE)
    keep = []
    for r in rows:
        same = [q for q in keep if q[1] == r[1]]
        if not same or iou(r[None, 2:], np.array(same)[:, 2:]).max() < NMS_IOU:
            keep.append(r)
    return np.array(keep).reshape(-1, 6)


def evaluate(predict, pictures):
    """mAP at IoU 0.5 (area under the interpolated curve, mean of classes), precision and recall at the threshold."""
    found, total = [[] for _ in CLASSES], np.zeros(len(CLASSES), int)
    right = shown = 0
    for im, boxes, kinds in pictures:
        rows = decode(predict(im), 0.02)
        used = np.zeros(len(boxes), bool)
        total += np.bincount(kinds, minlength=len(CLASSES))
        for r in rows:
            best = -1
            if len(boxes):
                v = iou(r[None, 2:], boxes)[0] * ((kinds == int(r[1])) & ~used)
                best = int(v.argmax()) if v.max() >= 0.5 else -1
            if best >= 0:
                used[best] = True
            found[int(r[1])].append((r[0], best >= 0))
            if r[0] >= SCORE_THRESHOLD:
                shown += 1
                right += best >= 0
    ap = []
    for rows, n in zip(found, total):
        hits = np.array([h for _, h in sorted(rows, key=lambda r: -r[0])], float)
        recall, precision = np.cumsum(hits) / max(n, 1), np.cumsum(hits) / np.arange(1, len(hits) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        ap.append(float(np.sum(np.diff(np.concatenate([[0], recall])) * precision)) if n else float("nan"))
    return {"mAP50": float(np.nanmean(ap)), "AP": dict(zip(CLASSES, np.round(ap, 4).tolist())),
            "precision": right / max(shown, 1), "recall": right / max(total.sum(), 1), "signs": int(total.sum())}


# ---------------------------------------------------------------- export

def write_onnx(state, path):
    """The table NET as an ONNX graph of opset 13, batch normalization left as nodes of their own."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    nodes, consts = [], []

    def const(name, value):
        consts.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    for name, kind, ins, p in NET:
        if kind == "conv":
            _, k, s, groups, act = p
            feeds = [ins[0], const(name + ".weight", state[name + ".weight"])]
            if act == "bias":
                feeds.append(const(name + ".bias", state[name + ".bias"]))
            result = name if act == "bias" else name + "_conv"
            nodes.append(helper.make_node("Conv", feeds, [result], name=name + "/Conv", kernel_shape=[k, k],
                                          strides=[s, s], pads=[k // 2] * 4, group=groups, dilations=[1, 1]))
            if act == "bias":
                continue
            bn = [const(f"{name}.bn.{key}", state[f"{name}_bn.{key}"])
                  for key in ("weight", "bias", "running_mean", "running_var")]
            bn_out = name if act == "none" else name + "_bn"
            nodes.append(helper.make_node("BatchNormalization", [result] + bn, [bn_out], name=name + "/BatchNormalization",
                                          epsilon=1e-5))
            if act == "relu6":
                if not any(c.name == "zero" for c in consts):
                    const("zero", np.float32(0))
                    const("six", np.float32(6))
                nodes.append(helper.make_node("Clip", [bn_out, "zero", "six"], [name], name=name + "/Clip"))
        elif kind == "up":
            scales = const(name + ".scales", np.array([1, 1, 2, 2], np.float32))
            nodes.append(helper.make_node("Resize", [ins[0], "", scales], [name], name=name + "/Resize", mode="nearest",
                                          coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
        else:
            op, attrs = {"add": ("Add", {}), "cat": ("Concat", {"axis": 1}), "sigmoid": ("Sigmoid", {})}[kind]
            nodes.append(helper.make_node(op, ins, [name], name=f"{name}/{op}", **attrs))

    def port(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    outs = [port(o, [1, len(CLASSES) if o.startswith("scores") else 4, SIZE // s, SIZE // s])
            for o, s in zip(OUTPUTS, (8, 8, 16, 16))]
    graph = helper.make_graph(nodes, "signs", [port("images", [1, 3, SIZE, SIZE])], outs, consts)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="train_signs")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def write_pictures(out):
    """Evaluation pictures (8 PNG to look at, 40 JPEG), calibration pictures, and the labels of the first two."""
    labels = {"classes": CLASSES, "images": [], "show": []}
    for sub in ("images", "eval", "calib"):
        os.makedirs(os.path.join(out, sub), exist_ok=True)

    def label(key, name, boxes, kinds):
        labels[key].append({"file": name, "width": SIZE, "height": SIZE, "signs": [
            {"class": int(k), "box": [round(float(v), 1) for v in b]} for b, k in zip(boxes, kinds)]})

    seed, count = SHOW_SEED, 0
    while count < SHOW_COUNT:
        # Pictures to look at: full of signs, without sensor noise, which PNG stores badly.
        im, boxes, kinds = draw_signs.draw(seed, max_noise=0.0, signs=4)
        seed += 1
        name = f"images/street{count + 1}.png"
        path = os.path.join(out, name)
        if len(set(kinds.tolist())) < 4:
            continue
        im.save(path, optimize=True)
        if os.path.getsize(path) > 60_000:
            os.remove(path)
            continue
        label("show", name, boxes, kinds)
        count += 1
    for i in range(EVAL_COUNT):
        im, boxes, kinds = draw_signs.draw(EVAL_SEED + i)
        name = f"eval/{i:02d}.jpg"
        im.save(os.path.join(out, name), quality=90)
        label("images", name, boxes, kinds)
    for i in range(CALIB_COUNT):
        draw_signs.draw(CALIB_SEED + i)[0].save(os.path.join(out, "calib", f"{i:02d}.jpg"), quality=90)
    return labels


def compact(labels):
    """Labels as JSON with one picture a line."""
    rows = {k: ",\n    ".join(json.dumps(r) for r in labels[k]) for k in ("show", "images")}
    return ('{\n  "classes": %s,\n  "show": [\n    %s\n  ],\n  "images": [\n    %s\n  ]\n}\n'
            % (json.dumps(labels["classes"]), rows["show"], rows["images"]))


DECODE = {
    "model": "signs.onnx", "script": "signs.alls", "labels": "labels.json", "calibration": "calib",
    "input": {"name": "images", "height": SIZE, "width": SIZE, "color": "rgb", "resize": "stretch"},
    "classes": CLASSES,
    "decoder": "ltrb",
    "heads": [{"stride": s, "scores": f"scores{s}", "boxes": f"boxes{s}"} for s in STRIDES],
    "scores": "probability", "cell_offset": 0.5, "distance_unit": "stride", "distance_min": 0.0,
    "score_threshold": SCORE_THRESHOLD, "nms_iou": NMS_IOU, "nms_per_class": True,
    "evaluation": {"score_threshold": 0.02, "match_iou": 0.5},
}


def export(a):
    import torch
    state = {k: v.numpy() for k, v in torch.load(a.weights, map_location="cpu").items()}
    os.makedirs(a.out, exist_ok=True)
    path = os.path.join(a.out, "signs.onnx")
    write_onnx(state, path)
    with open(os.path.join(a.out, "signs.alls"), "w", encoding="ascii") as f:
        f.write(f"normalization1 = normalization({[MEAN] * 3}, {[STD] * 3})\n")
    with open(os.path.join(a.out, "signs.json"), "w", encoding="ascii") as f:
        f.write(json.dumps(DECODE, indent=2) + "\n")
    labels = write_pictures(a.out)
    with open(os.path.join(a.out, "labels.json"), "w", encoding="ascii") as f:
        f.write(compact(labels))

    import onnxruntime
    net = build_torch().eval()
    net.load_state_dict(torch.load(a.weights, map_location="cpu"))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for i in range(4):
        x = (np.asarray(draw_signs.draw(EVAL_SEED + i)[0], np.float32) - MEAN) / STD
        x = np.ascontiguousarray(x.transpose(2, 0, 1)[None])
        with torch.no_grad():
            want = net(torch.from_numpy(x))
        worst = max(worst, *(np.abs(w.numpy() - g).max() for w, g in zip(want, session.run(OUTPUTS, {"images": x}))))
    print(f"signs.onnx: {os.path.getsize(path)} bytes, largest difference from torch {worst:.2e}")
    if worst > 1e-3:
        raise SystemExit("the exported graph does not compute what was trained")
    check(a)


def check(a):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = a.threads
    session = onnxruntime.InferenceSession(os.path.join(a.out, "signs.onnx"), options, providers=["CPUExecutionProvider"])
    with open(os.path.join(a.out, "labels.json"), encoding="ascii") as f:
        labels = json.load(f)

    def predict(im):
        x = (np.asarray(im.convert("RGB"), np.float32) - MEAN) / STD
        return [o[0] for o in session.run(OUTPUTS, {"images": np.ascontiguousarray(x.transpose(2, 0, 1)[None])})]

    for key in ("show", "images"):
        pictures = [(Image.open(os.path.join(a.out, r["file"])),
                     np.array([s["box"] for s in r["signs"]], float).reshape(-1, 4),
                     np.array([s["class"] for s in r["signs"]], int)) for r in labels[key]]
        print(key, len(pictures), "pictures:", json.dumps(evaluate(predict, pictures)))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=["train", "export", "check"])
    p.add_argument("--weights", default="signs.pt")
    p.add_argument("--out", default=DEFAULT_OUT, help="folder of the demo's files")
    p.add_argument("--minutes", type=float, default=20.0, help="time to train, without the drawing")
    p.add_argument("--pictures", type=int, default=6000)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--rate", type=float, default=4e-3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--bf16", action="store_true", help="train in bfloat16 where it can")
    a = p.parse_args()
    {"train": train, "export": export, "check": check}[a.command](a)


if __name__ == "__main__":
    main()
