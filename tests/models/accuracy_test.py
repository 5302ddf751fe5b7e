#!/usr/bin/env python3
"""Accuracy of plain static quantization on pictures that calibration never saw, against the bars of this project.

usage: accuracy_test.py efficientnet|faces|yolox   (prints the figures; fails below the bar)"""
import csv
import json
import pathlib
import sys
import tempfile

import numpy as np

import models
import recipes

DATA = models.DATA


def run(command, file, x, work, *more):
    np.save(work / "x.npy", x)
    models.sluice(*command, file, "--input", work / "x.npy", "--output-dir", work / "out", *more)
    index = json.loads((work / "out" / "index.json").read_text())["outputs"]
    return {o["origin_name"]: np.load(work / "out" / o["file"]) for o in index}


def both(name, x, work):
    """Float (native) and quantized (HEF) outputs by origin name for raw pictures x [N, h, w, 3]."""
    har, _, hef = recipes.prepare(name, work)
    np.save(work / "f.npy", recipes.real(name, x))
    models.sluice("emulate", har, "--mode", "native", "--input", work / "f.npy", "--output-dir", work / "float")
    index = json.loads((work / "float" / "index.json").read_text())["outputs"]
    f = {o["origin_name"]: np.load(work / "float" / o["file"]) for o in index}
    return f, run(["run"], hef, x, work)


def pictures(files, size, how, work, bgr=False):
    models.sluice("image", *files, "--size", size, "--resize", how, "--output", work / "p.npy", *(["--bgr"] if bgr else []))
    return np.load(work / "p.npy")


def efficientnet(work):
    labels = {r["file"]: int(r["class_index"]) for r in csv.DictReader(open(DATA / "images" / "imagenet" / "labels.csv"))}
    files = [f for f in sorted((DATA / "images" / "imagenet").glob("*.jpg")) if f.name in labels]
    truth = np.array([labels[f.name] for f in files])
    f, q = both("efficientnet_lite0", pictures(files, "224x224", "crop", work), work)
    f, q = f["logits"].astype(np.float64), q["logits"].astype(np.float64)
    agreement = 100 * (f.argmax(1) == q.argmax(1)).mean()
    snr = (10 * np.log10((f ** 2).sum(1) / ((f - q) ** 2).sum(1))).mean()
    print(f"efficientnet_lite0, {len(files)} pictures: agreement with float {agreement:.1f} %, logits SNR {snr:.2f} dB, top-1 float "
          f"{100 * (f.argmax(1) == truth).mean():.1f} %, quantized {100 * (q.argmax(1) == truth).mean():.1f} %")
    assert len(files) == 200 and agreement >= 97 and snr >= 19.5


def iou(a, b):
    """Boxes [n, 4] and [m, 4] as x0 y0 x1 y1 -> [n, m]."""
    lo, hi = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(hi - lo, 0, None).prod(2)
    area = lambda r: (r[:, 2] - r[:, 0]) * (r[:, 3] - r[:, 1])
    return common / np.maximum(area(a)[:, None] + area(b)[None] - common, 1e-9)


def suppress(boxes, scores, threshold):
    keep = []
    for i in np.argsort(-scores):
        if not keep or iou(boxes[i:i + 1], boxes[keep]).max() < threshold:
            keep.append(i)
    return np.array(keep, int)


def face_priors():
    """Centre and size of every prior of the 320x240 detectors: strides 8 to 64, their sides in pixels."""
    out = []
    for stride, sides in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256))):
        for y in range(-(-240 // stride)):
            for x in range(-(-320 // stride)):
                out += [((x + 0.5) * stride / 320, (y + 0.5) * stride / 240, s / 320, s / 240) for s in sides]
    return np.clip(np.array(out), 0, 1)


def faces_of(scores, offsets, threshold):
    p = face_priors()
    centre, size = p[:, :2] + offsets[:, :2] * 0.1 * p[:, 2:], p[:, 2:] * np.exp(offsets[:, 2:] * 0.2)
    boxes = np.concatenate([centre - size / 2, centre + size / 2], 1)
    hit = np.nonzero(scores[:, 1] >= threshold)[0]
    keep = hit[suppress(boxes[hit], scores[hit, 1], 0.3)] if len(hit) else hit
    return boxes[keep], scores[keep, 1]


def faces(work):
    files = sorted((DATA / "images" / "people").glob("*.jpg"))
    f, q = both("version-RFB-320_simplified", pictures(files, "240x320", "stretch", work), work)
    total = kept = 0
    for i in range(len(files)):
        want, _ = faces_of(f["scores"][i], f["boxes"][i], 0.8)
        got, _ = faces_of(q["scores"][i], q["boxes"][i], 0.5)
        total += len(want)
        kept += int((iou(want, got).max(1) >= 0.85).sum()) if len(got) and len(want) else 0
    print(f"version-RFB-320_simplified, {len(files)} pictures: {kept} of {total} faces with float score >= 0.8 at IoU >= 0.85 "
          f"({100 * kept / total:.1f} %)")
    assert total >= 20 and kept >= 0.95 * total


def yolox_boxes(rows, threshold):
    grid = np.concatenate([np.stack([*np.meshgrid(np.arange(416 // s), np.arange(416 // s)), np.full((416 // s,) * 2, s)], -1).reshape(-1, 3)
                           for s in (8, 16, 32)])
    centre, size = (rows[:, :2] + grid[:, :2]) * grid[:, 2:], np.exp(rows[:, 2:4]) * grid[:, 2:]
    boxes = np.concatenate([centre - size / 2, centre + size / 2], 1)
    scores = rows[:, 4:5] * rows[:, 5:]
    kinds, best = scores.argmax(1), scores.max(1)
    out = []
    for k in np.unique(kinds[best >= threshold]):
        hit = np.nonzero((kinds == k) & (best >= threshold))[0]
        keep = hit[suppress(boxes[hit], best[hit], 0.45)]
        out += [(k, best[i], boxes[i]) for i in keep]
    return out


def yolox(work):
    m = models.manifest("yolox_nano")
    files = sorted((DATA / "images" / "people").glob("*.jpg"))
    files += [DATA / "images" / c["source"] for c in m["cases"] if DATA / "images" / c["source"] not in files]
    f, q = both("yolox_nano", pictures(files, "416x416", "fit", work, bgr=True), work)
    f, q = (o["output"] if o["output"].shape[-1] == 85 else o["output"].transpose(0, 2, 1) for o in (f, q))
    total = kept = 0
    for i in range(len(files)):
        got = yolox_boxes(q[i], 0.3)
        for kind, _, box in yolox_boxes(f[i], 0.5):
            same = [b for k, _, b in got if k == kind]
            total += 1
            kept += bool(same) and bool(iou(box[None], np.array(same)).max() >= 0.7)
    print(f"yolox_nano, {len(files)} pictures: {kept} of {total} detections with float score >= 0.5 kept ({100 * kept / total:.1f} %)")
    assert total >= 10 and kept >= 0.9 * total


def main():
    models.need_data()
    with tempfile.TemporaryDirectory() as t:
        {"efficientnet": efficientnet, "faces": faces, "yolox": yolox}[sys.argv[1]](pathlib.Path(t))


main()
