#!/usr/bin/env python3
"""Bounds on parsing large files: memory as a multiple of the file, time of deep graphs, and its growth. Times are processor times, so
that a busy machine does not fail them; bench/parse_onnx.py, whose files these are, has the figures."""
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
        assert memory < 2.2 * size, "at most 2.2 times the file is wanted"
        seconds = {}
        for layers in (2500, 10000):
            parse_onnx.make_chain(path, layers, 8, 8, 3)
            seconds[layers] = min(parse_onnx.run("parser", "onnx", path, "--har-path", har, "-y")[2] for _ in range(3))
            print(f"{2 * layers} nodes: {seconds[layers]:.2f} s")
        assert seconds[10000] < 2, "less than 2 s are wanted"
        assert seconds[10000] < 6 * seconds[2500] + 0.1, "time grows faster than the graph"


main()
