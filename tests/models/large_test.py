#!/usr/bin/env python3
"""Bounds on parsing large files: memory as a multiple of the file, and its growth with the graph. Times are printed; the bars for them are
those of bench/parse_onnx.py, whose files these are."""
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("SLUICE", str(ROOT / "build" / "sluice"))
sys.path.insert(0, str(ROOT / "bench"))
import parse_onnx  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as t:
        path, har = pathlib.Path(t) / "net.onnx", pathlib.Path(t) / "net.har"
        parse_onnx.make_chain(path, 44, 256, 14, 3)
        size, memory = path.stat().st_size, parse_onnx.run("parser", "onnx", path, "--har-path", har, "-y")[1]
        print(f"{size / 1e6:.0f} MB: peak {memory / size:.2f} x the file")
        assert memory < 1.5 * size, "weights would be in memory twice: in the file's order and in that of the layers"
        peak = {}
        for layers in (5000, 10000, 20000):
            parse_onnx.make_chain(path, layers, 8, 8, 3)
            _, peak[layers], seconds = parse_onnx.run("parser", "onnx", path, "--har-path", har, "-y")
            print(f"{2 * layers} nodes: {peak[layers] / 1e6:.0f} MB, {seconds:.2f} s")
        growth = (peak[20000] - peak[10000]) / (peak[10000] - peak[5000])
        print(f"twice the step takes {growth:.2f} times the memory")
        assert growth < 2.4, "memory grows faster than the graph"


main()
