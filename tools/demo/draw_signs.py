#!/usr/bin/env python3
"""Draw street scenes with traffic signs, for the demo network: pictures, boxes and classes.

Every picture is a function of its seed alone (same NumPy and Pillow versions: same bytes). A scene is a cluttered
background, look-alikes that are not signs, and one to five signs of the kinds in CLASSES, turned, foreshortened,
shaded, partly covered, then blurred, relit and covered with noise like a photograph. `train_signs.py` trains on
these; run this file alone to look at some:   draw_signs.py --seed 7 --count 16 --sheet sheet.png
"""
import argparse
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = 256                      # pictures are SIZE x SIZE
CLASSES = ["stop", "yield", "no_entry", "speed", "arrow", "warning"]
MIN_SIGN, MAX_SIGN = 20.0, 112.0   # diameter of a sign in pixels
_SS = 4                         # supersampling of signs

# Glyphs as polylines on a 2 x 3 grid, y down: only what the signs need.
_GLYPHS = {
    "0": [[(0, 0), (2, 0), (2, 3), (0, 3), (0, 0)]],
    "1": [[(0.4, 0.6), (1, 0), (1, 3)]],
    "2": [[(0, 0), (2, 0), (2, 1.5), (0, 1.5), (0, 3), (2, 3)]],
    "3": [[(0, 0), (2, 0), (2, 3), (0, 3)], [(0.4, 1.5), (2, 1.5)]],
    "4": [[(1.6, 3), (1.6, 0), (0, 2), (2, 2)]],
    "5": [[(2, 0), (0, 0), (0, 1.4), (2, 1.4), (2, 3), (0, 3)]],
    "6": [[(2, 0), (0, 0), (0, 3), (2, 3), (2, 1.5), (0, 1.5)]],
    "7": [[(0, 0), (2, 0), (0.8, 3)]],
    "8": [[(0, 0), (2, 0), (2, 3), (0, 3), (0, 0)], [(0, 1.5), (2, 1.5)]],
    "9": [[(2, 1.5), (0, 1.5), (0, 0), (2, 0), (2, 3), (0, 3)]],
    "S": [[(2, 0), (0, 0), (0, 1.5), (2, 1.5), (2, 3), (0, 3)]],
    "T": [[(0, 0), (2, 0)], [(1, 0), (1, 3)]],
    "O": [[(0, 0), (2, 0), (2, 3), (0, 3), (0, 0)]],
    "P": [[(0, 3), (0, 0), (2, 0), (2, 1.6), (0, 1.6)]],
}


def _ring(n, radius, phase=0.0):
    """Corners of a regular n-gon around the origin; 40 of them stand for a disc."""
    a = phase + 2.0 * math.pi * np.arange(n) / n
    return np.stack([radius * np.cos(a), radius * np.sin(a)], 1)


def _text(text, width, height, color, stroke):
    """Strokes of a word centred on the origin, as (polyline, color, width) rows."""
    step = width / (len(text) * 3 - 1)
    rows = []
    for i, ch in enumerate(text):
        for line in _GLYPHS[ch]:
            p = np.array(line, float)
            p[:, 0] = (p[:, 0] + 3 * i) * step - width / 2
            p[:, 1] = (p[:, 1] / 3 - 0.5) * height
            rows.append((p, color, stroke))
    return rows


def _vary(rng, color, amount=16):
    return tuple(int(c) for c in np.clip(np.array(color) + rng.uniform(-amount, amount, 3), 0, 255))


def sign_parts(kind, rng):
    """One sign in unit coordinates: its outline, then rows (points, color, stroke width or 0 for a filled polygon)."""
    red, white = _vary(rng, (196, 26, 34)), _vary(rng, (238, 238, 234), 10)
    black, blue = _vary(rng, (24, 24, 28), 10), _vary(rng, (20, 84, 176))
    yellow = _vary(rng, (244, 196, 20))
    if kind == "stop":
        o = _ring(8, 1.0, math.pi / 8)
        return o, [(o, white, 0), (o * 0.92, red, 0)] + _text("STOP", 1.36, 0.56, white, 0.13)
    if kind == "yield":
        o = _ring(3, 1.0, math.pi / 2)
        return o, [(o, red, 0), (o * rng.uniform(0.5, 0.62), white, 0)]
    if kind == "no_entry":
        o, w, h = _ring(40, 1.0), rng.uniform(0.62, 0.72), rng.uniform(0.15, 0.2)
        return o, [(o, white, 0), (o * 0.94, red, 0), (np.array([(-w, -h), (w, -h), (w, h), (-w, h)]), white, 0)]
    if kind == "speed":
        o = _ring(40, 1.0)
        number = str(int(rng.choice([20, 30, 40, 50, 60, 70, 80, 90, 100, 120])))
        wide = 0.95 if len(number) == 2 else 1.15
        return o, [(o, red, 0), (o * rng.uniform(0.74, 0.8), white, 0)] + _text(number, wide, 0.72, black, 0.15)
    if kind == "arrow":
        o, a = _ring(40, 1.0), float(rng.choice([0, 0.5, 1, -0.25, 0.25])) * math.pi
        arrow = np.array([(-0.62, -0.13), (0.08, -0.13), (0.08, -0.44), (0.68, 0), (0.08, 0.44), (0.08, 0.13),
                          (-0.62, 0.13)]) @ np.array([(math.cos(a), -math.sin(a)), (math.sin(a), math.cos(a))])
        return o, [(o, white, 0), (o * 0.94, blue, 0), (arrow, white, 0)]
    o = _ring(4, 1.0)
    rows = [(o, black, 0), (o * 0.93, yellow, 0)]
    mark = int(rng.integers(3))
    if mark == 0:
        rows += [(np.array([(-0.09, -0.5), (0.09, -0.5), (0.05, 0.16), (-0.05, 0.16)]), black, 0),
                 (_ring(12, 0.09) + (0, 0.36), black, 0)]
    elif mark == 1:
        rows += [(np.array([(-0.16, 0.46), (-0.16, 0.1), (0.16, -0.1), (0.16, -0.46)]), black, 0.15)]
    else:
        rows += [(np.array([(0, 0.46), (0, -0.46)]), black, 0.15), (np.array([(-0.36, -0.06), (0.36, -0.06)]), black, 0.15)]
    return o, rows


def lookalike_parts(rng):
    """Something coloured and shaped like a sign that is none: plain discs, upright triangles, plates, cones, rings."""
    hue = [(196, 26, 34), (20, 84, 176), (244, 196, 20), (238, 238, 234), (40, 140, 70), (230, 110, 30), (24, 24, 28)]
    c1, c2 = (_vary(rng, hue[i], 24) for i in rng.choice(len(hue), 2, replace=False))
    shape = int(rng.integers(7))
    box = np.array([(-0.9, -0.7), (0.9, -0.7), (0.9, 0.7), (-0.9, 0.7)])
    if shape == 0:
        o = _ring(40, 1.0)
        return o, [(o, _vary(rng, hue[int(rng.choice([2, 4, 5, 6]))], 24), 0)]
    if shape == 1:
        o = _ring(3, 1.0, -math.pi / 2)
        return o, [(o, c1, 0), (o * 0.55, c2, 0)]
    if shape == 2:
        o = box * (1, rng.uniform(0.4, 1.3))
        return o, [(o, c1, 0), (o * 0.85, c2, 0)] + _text("".join(rng.choice(list("STOP0123456789"), 3)), 1.2, 0.5, c1, 0.12)
    if shape == 3:
        o = box
        rows = [(o, c1, 0)]
        for x in np.arange(-0.9, 0.9, 0.45):
            rows.append((np.array([(x, -0.7), (x + 0.22, -0.7), (x + 0.22, 0.7), (x, 0.7)]), c2, 0))
        return o, rows
    if shape == 4:
        o = np.array([(-0.18, -1), (0.18, -1), (0.7, 1), (-0.7, 1)])
        band = np.array([(-0.34, -0.35), (0.34, -0.35), (0.47, 0.15), (-0.47, 0.15)])
        return o, [(o, _vary(rng, (230, 100, 30)), 0), (band, (236, 236, 232), 0)]
    if shape == 5:
        o = _ring(40, 1.0)
        return o, [(o, (38, 38, 42), 0), (o * rng.uniform(0.5, 0.7), c2 if max(c2) < 200 else (120, 120, 120), 0)]
    o = _ring(int(rng.integers(5, 7)), 1.0, rng.uniform(0, 1))
    return o, [(o, c1, 0), (o * rng.uniform(0.6, 0.9), _vary(rng, c1, 50), 0)]


def _placement(rng, radius, turn):
    """A 2x2 matrix: turned about the picture's axis by up to `turn` radians, foreshortened, slightly sheared."""
    a = rng.uniform(-turn, turn)
    c, s = math.cos(a), math.sin(a)
    squeeze = np.diag([rng.uniform(0.72, 1.0), rng.uniform(0.92, 1.0)])
    shear = np.array([(1.0, rng.uniform(-0.08, 0.08)), (0.0, 1.0)])
    return radius * np.array([(c, -s), (s, c)]) @ shear @ squeeze


def paint(picture, parts, matrix, center, rng, light):
    """Draw one object antialiased onto the picture and return its exact box (x0, y0, x1, y1), unclipped."""
    outline, rows = parts
    o = outline @ matrix.T + center
    x0, y0, x1, y1 = o[:, 0].min(), o[:, 1].min(), o[:, 0].max(), o[:, 1].max()
    left, top = int(math.floor(x0)) - 1, int(math.floor(y0)) - 1
    w, h = int(math.ceil(x1)) + 1 - left, int(math.ceil(y1)) + 1 - top
    big = Image.new("RGB", (w * _SS, h * _SS))
    mask = Image.new("L", big.size)
    d = ImageDraw.Draw(big)
    unit = math.sqrt(abs(np.linalg.det(matrix)))
    for points, color, stroke in rows:
        p = [tuple(q) for q in (points @ matrix.T + center - (left, top)) * _SS]
        if stroke:
            d.line(p, fill=color, width=max(1, round(stroke * unit * _SS)), joint="curve")
        else:
            d.polygon(p, fill=color)
    ImageDraw.Draw(mask).polygon([tuple(q) for q in (o - (left, top)) * _SS], fill=255)
    small = np.asarray(big.reduce(_SS), np.float32)
    ramp = np.linspace(-1, 1, w)[None, :] * rng.uniform(-0.15, 0.15) + np.linspace(-1, 1, h)[:, None] * rng.uniform(-0.15, 0.15)
    fade = rng.uniform(0.0, 0.25)
    small = (small * (1 - fade) + small.mean(axis=2, keepdims=True) * fade) * (light * (1 + ramp))[:, :, None]
    patch = Image.fromarray(np.clip(small, 0, 255).astype(np.uint8))
    picture.paste(patch, (left, top), mask.reduce(_SS))
    return x0, y0, x1, y1


def _noise_field(rng, octaves, channels=3):
    """Smooth noise in about -1..1: random grids of several finenesses, enlarged and added."""
    out = np.zeros((SIZE, SIZE, channels), np.float32)
    for cells, weight in octaves:
        for c in range(channels):
            grid = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
            out[:, :, c] += weight * np.asarray(grid.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return out


def _building(d, rng, horizon, k):
    x, w = rng.uniform(-40, SIZE), rng.uniform(30, 110)
    top = rng.uniform(10, horizon)
    wall = _vary(rng, (140, 125, 112), 60)
    d.rectangle([x * k, top * k, (x + w) * k, (horizon + 8) * k], fill=wall)
    pane, step, size = _vary(rng, (90, 100, 120), 70), rng.uniform(10, 20), rng.uniform(0.35, 0.7)
    for wy in np.arange(top + 4, horizon - 4, step):
        for wx in np.arange(x + 4, x + w - step * size, step):
            d.rectangle([wx * k, wy * k, (wx + step * size) * k, (wy + step * size) * k], fill=pane)


def _tree(d, rng, horizon, k):
    x, y, r = rng.uniform(0, SIZE), horizon - rng.uniform(5, 50), rng.uniform(10, 34)
    d.rectangle([(x - 2) * k, y * k, (x + 2) * k, (horizon + 10) * k], fill=_vary(rng, (88, 66, 48), 20))
    leaf = _vary(rng, (62, 104, 52), 40)
    for _ in range(14):
        px, py, pr = x + rng.normal(0, r * 0.55), y + rng.normal(0, r * 0.5), r * rng.uniform(0.25, 0.6)
        d.ellipse([(px - pr) * k, (py - pr) * k, (px + pr) * k, (py + pr) * k], fill=_vary(rng, leaf, 22))


def _clutter(d, rng, k):
    x, y, r = rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.uniform(4, 40)
    color = tuple(int(c) for c in rng.integers(20, 236, 3))
    kind = int(rng.integers(4))
    if kind == 0:
        d.polygon([tuple((np.array([x, y]) + rng.uniform(-r, r, 2)) * k) for _ in range(int(rng.integers(3, 6)))], fill=color)
    elif kind == 1:
        d.rectangle([x * k, y * k, (x + r) * k, (y + r * rng.uniform(0.2, 2)) * k], fill=color)
    elif kind == 2:
        d.line([tuple(rng.uniform(0, SIZE, 2) * k) for _ in range(2)], fill=color, width=int(rng.integers(1, 5) * k))
    else:
        q = r * rng.uniform(0.3, 1)
        d.ellipse([(x - r) * k, (y - q) * k, (x + r) * k, (y + q) * k], fill=color)


def background(rng):
    """A street (sky, houses, trees, road) three times in four, plain clutter otherwise, under textured light."""
    k = 2
    im = Image.new("RGB", (SIZE * k, SIZE * k), _vary(rng, (128, 128, 128), 70))
    d = ImageDraw.Draw(im)
    if rng.random() < 0.75:
        horizon = rng.uniform(100, 190)
        d.rectangle([0, 0, SIZE * k, horizon * k], fill=_vary(rng, (164, 188, 210), 45))
        d.rectangle([0, horizon * k, SIZE * k, SIZE * k], fill=_vary(rng, (110, 116, 92), 40))
        for _ in range(int(rng.integers(0, 6))):
            _building(d, rng, horizon, k)
        for _ in range(int(rng.integers(0, 6))):
            _tree(d, rng, horizon, k)
        if rng.random() < 0.8:
            vx, a, b = rng.uniform(60, 200), rng.uniform(-80, 110), rng.uniform(150, 340)
            d.polygon([((vx - 4) * k, horizon * k), ((vx + 4) * k, horizon * k), (b * k, SIZE * k), (a * k, SIZE * k)],
                      fill=_vary(rng, (92, 92, 96), 25))
            m = (a + b) / 2
            for t in (0.25, 0.45, 0.7):
                y0, y1 = (horizon + (SIZE - horizon) * q for q in (t, t + 0.12))
                d.line([((vx + (m - vx) * t) * k, y0 * k), ((vx + (m - vx) * (t + 0.12)) * k, y1 * k)],
                       fill=(214, 214, 206), width=int(k * (1 + 4 * t)))
        extra = int(rng.integers(0, 8))
    else:
        extra = int(rng.integers(12, 40))
    for _ in range(extra):
        _clutter(d, rng, k)
    a = np.asarray(im.reduce(k), np.float32)
    gray = _noise_field(rng, [(4, 16), (24, 12), (90, 10)], 1)
    return Image.fromarray(np.clip(a + gray * rng.uniform(0.3, 1.4) + _noise_field(rng, [(5, 10)]), 0, 255).astype(np.uint8))


def _overlaps(box, others, margin):
    return any(box[0] < o[2] + margin and o[0] < box[2] + margin and box[1] < o[3] + margin and o[1] < box[3] + margin
               for o in others)


def _cover(d, rng, box):
    """A twig or a post across one edge of a sign; hides a tenth of it or so."""
    w, h = box[2] - box[0], box[3] - box[1]
    color = _vary(rng, (70, 80, 56), 40)
    x, y = box[0] + w * rng.choice([0.05, 0.95]), box[1] + h * rng.uniform(0, 1)
    if rng.random() < 0.4:
        d.line([(x, box[1] - 30), (x + rng.uniform(-6, 6), box[3] + 30)], fill=color, width=max(2, round(w * 0.1)))
        return
    for _ in range(5):
        px, py, r = x + rng.normal(0, w * 0.12), y + rng.normal(0, h * 0.15), w * rng.uniform(0.04, 0.1)
        d.ellipse([px - r, py - r * 0.7, px + r, py + r * 0.7], fill=_vary(rng, color, 20))


def _photograph(im, rng, noise):
    """Blur, exposure, contrast, colour cast, darker corners, sensor noise."""
    if rng.random() < 0.7:
        im = im.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    a = np.asarray(im, np.float32) / 255
    a = np.power(a, rng.uniform(0.75, 1.35)) * rng.uniform(0.65, 1.15) * rng.uniform(0.92, 1.08, 3).astype(np.float32)
    y, x = np.mgrid[-1:1:SIZE * 1j, -1:1:SIZE * 1j].astype(np.float32)
    a *= (1 - rng.uniform(0, 0.2) * (x * x + y * y))[:, :, None]
    a += rng.standard_normal((SIZE, SIZE, 1 if rng.random() < 0.5 else 3), np.float32) * noise
    return Image.fromarray((np.clip(a, 0, 1) * 255 + 0.5).astype(np.uint8))


def draw(seed, max_noise=0.045, signs=None):
    """One picture: (RGB image, boxes [n, 4] float x0 y0 x1 y1 in pixels, classes [n] int)."""
    rng = np.random.default_rng([20240, seed])
    im = background(rng)
    taken, boxes, kinds, wanted = [], [], [], []
    count = int(rng.choice([0, 1, 2, 3, 4, 5], p=[0.04, 0.18, 0.26, 0.24, 0.16, 0.12])) if signs is None else signs
    wanted += [True] * count + [False] * int(rng.integers(0, 5))
    for is_sign in wanted:
        diameter = math.exp(rng.uniform(math.log(MIN_SIGN), math.log(MAX_SIGN)))
        kind = int(rng.integers(len(CLASSES)))
        parts = sign_parts(CLASSES[kind], rng) if is_sign else lookalike_parts(rng)
        matrix = _placement(rng, diameter / 2, 0.3 if is_sign else 0.6)
        o = parts[0] @ matrix.T
        lo, hi = o.min(0), o.max(0)
        for _ in range(20):
            center = rng.uniform(2 - lo, SIZE - 2 - hi)
            box = (*(center + lo), *(center + hi))
            if not _overlaps(box, taken, 3):
                break
        else:
            continue
        if is_sign and rng.random() < 0.5:
            x, y = center[0], box[3] - 2
            half = max(1.0, diameter * 0.03)
            ImageDraw.Draw(im).rectangle([x - half, y, x + half, min(SIZE, y + diameter * rng.uniform(0.8, 3))],
                                         fill=_vary(rng, (130, 132, 136), 30))
        paint(im, parts, matrix, center, rng, rng.uniform(0.7, 1.08))
        taken.append(box)
        if is_sign:
            boxes.append(box)
            kinds.append(kind)
    d = ImageDraw.Draw(im)
    for box in boxes:
        if rng.random() < 0.2:
            _cover(d, rng, box)
    im = _photograph(im, rng, rng.uniform(0.0, max_noise))
    return im, np.array(boxes, np.float32).reshape(-1, 4), np.array(kinds, np.int64)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, default=0, help="seed of the first picture")
    p.add_argument("--count", type=int, default=16, help="how many")
    p.add_argument("--sheet", default="sheet.png", help="one PNG with all of them and their boxes")
    a = p.parse_args()
    cols = min(4, a.count)
    sheet = Image.new("RGB", (cols * SIZE, -(-a.count // cols) * SIZE))
    for i in range(a.count):
        im, boxes, kinds = draw(a.seed + i)
        d = ImageDraw.Draw(im)
        for box, kind in zip(boxes, kinds):
            d.rectangle([float(v) for v in box], outline=(0, 255, 0))
            d.text((float(box[0]), float(box[1]) - 10), CLASSES[kind], fill=(0, 255, 0))
        sheet.paste(im, (i % cols * SIZE, i // cols * SIZE))
    sheet.save(a.sheet)


if __name__ == "__main__":
    main()
