#!/usr/bin/env python3
"""Writes resize_cases.inc: checksums of what Pillow (13 or later) makes of test_image.c's synthetic pictures.

A development tool, run when cases are added: python3 make_resize_cases.py > resize_cases.inc
"""
import zlib

import numpy as np
from PIL import Image

CASES = [  # height and width of the picture, channels, height and width wanted, mode
    (60, 80, 3, 24, 32, 'stretch'), (60, 80, 3, 120, 100, 'stretch'), (80, 60, 1, 7, 59, 'stretch'), (80, 60, 3, 20, 40, 'stretch'),
    (33, 33, 3, 33, 50, 'stretch'), (33, 33, 3, 50, 33, 'stretch'), (5, 90, 3, 1, 1, 'stretch'), (1, 1, 3, 9, 9, 'stretch'),
    (60, 80, 3, 48, 48, 'fit'), (80, 60, 3, 30, 64, 'fit'), (20, 10, 1, 64, 64, 'fit'), (60, 80, 3, 224, 224, 'fit'),
    (60, 80, 3, 28, 28, 'crop'), (80, 60, 3, 56, 56, 'crop'), (64, 64, 3, 56, 56, 'crop'), (77, 131, 1, 21, 21, 'crop'),
    (60, 80, 3, 20, 40, 'crop'), (80, 60, 3, 20, 40, 'crop'), (60, 80, 3, 112, 112, 'crop'),
]


def synthetic(h, w, c):
    y, x, k = np.mgrid[:h, :w, :c]
    a = ((x * 7 + y * 13 + k * 50 + x * y % 31) % 256).astype(np.uint8)
    return Image.fromarray(a if c == 3 else a[..., 0])


def resized(im, h, w, mode):
    if mode == 'stretch':
        return np.asarray(im.resize((w, h), Image.BILINEAR))
    if mode == 'fit':
        r = min(w / im.width, h / im.height)
        part = np.asarray(im.resize((int(im.width * r), int(im.height * r)), Image.BILINEAR))
        out = np.full((h, w) + part.shape[2:], 114, np.uint8)
        out[:part.shape[0], :part.shape[1]] = part
        return out
    cw, ch = round(w / 0.875), round(h / 0.875)
    size = (cw, round(im.height * cw / im.width)) if im.width * ch < im.height * cw else (round(im.width * ch / im.height), ch)
    im = im.resize(size, Image.BICUBIC)
    left, top = (im.width - w) // 2, (im.height - h) // 2
    return np.asarray(im.crop((left, top, left + w, top + h)))


print('/* made by make_resize_cases.py */')
for ih, iw, c, h, w, mode in CASES:
    crc = zlib.crc32(resized(synthetic(ih, iw, c), h, w, mode).tobytes())
    print('{%d, %d, %d, %d, %d, SL_RESIZE_%s, 0x%08x},' % (ih, iw, c, h, w, mode.upper(), crc))
