#!/usr/bin/env python3
"""Broken TFLite files, one thing wrong each, and files of other formats: one clear error, which names it."""
import pathlib
import sys
import tempfile

import models

sys.path.insert(0, str(models.ROOT / "fuzz"))
import make_tflite_seeds  # noqa: E402

OTHERS = {
    "net.pt": (b"PK\x03\x04" + bytes(40), "zip archive"),
    "net.h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    "net.pth": (b"\x80\x02}q\x00" + bytes(40), "pickle"),
    "saved_model.pb": (b"\x08\x01\x12\x20" + bytes(40), "SavedModel"),
    "frozen.pb": (b"\x0a\x20\x0a\x01x\x12\x0bPlaceholder" + bytes(40), "TensorFlow graph"),
    "net.ckpt": (bytes(40) + bytes.fromhex("57fb808b247547db"), "checkpoint"),
    "net.txt": (b"hello, this is no model at all", "not a TFLite model"),
}


def refused(path, data, words):
    path.write_bytes(data)
    r = models.sluice("parser", "tf", path, "--har-path", path.with_suffix(".har"), "--net-name", "net", check=False)
    good = r.returncode in (3, 4) and words in r.stderr and str(path) in r.stderr and not path.with_suffix(".har").exists()
    if not good:
        print(f"{path.name}: exit {r.returncode}, wanted '{words}' in: {r.stderr}")
    return good


def main():
    with tempfile.TemporaryDirectory() as t:
        folder = pathlib.Path(t)
        results = [refused(folder / name, data, words) for name, (data, words) in {**make_tflite_seeds.broken(), **OTHERS}.items()]
    print(f"{sum(results)} of {len(results)} refused as they should be")
    return 0 if all(results) else 1


sys.exit(main())
