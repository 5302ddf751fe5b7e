#!/usr/bin/env python3
"""Exactness of a real model: emulator `quantized`, the oracle, and the HEF at every kernel level and 1, 2 and 5 threads give the
same bytes: every layer against the oracle, every output among the engines, on several inputs.

usage: exact_test.py MODEL [INPUTS [ORACLE_INPUTS]]"""
import json
import pathlib
import sys
import tempfile

import numpy as np

import models
import oracle
import recipes


def test_inputs(name, network, count):
    """`count` stored inputs: real pictures' statistics are not needed here, so extremes, noise and golden inputs are mixed."""
    rng = np.random.Generator(np.random.PCG64(7))
    layer = network.inputs()[0]
    dtype = oracle.DTYPE[layer.type]
    stored = [oracle.quantize(g.reshape(layer.shape), layer.scale, layer.zp, layer.type) for g in recipes.goldens(name)]
    stored.append(np.zeros(layer.shape, dtype))
    stored.append(np.full(layer.shape, layer.qmax, dtype))
    while len(stored) < count:
        low, high = np.sort(rng.integers(0, layer.qmax + 1, 2))
        stored.append(rng.integers(low, high + 1, layer.shape).astype(dtype))
    return np.concatenate(stored[:count])


def run_all(name, work, count, oracle_count):
    _, quantized, hef = recipes.prepare(name, work)
    network = oracle.Network.from_har(quantized)
    x = test_inputs(name, network, count)
    np.save(work / "x.npy", x)
    feed = ["--input", work / "x.npy", "--raw"]
    models.sluice("emulate", quantized, "--mode", "quantized", *feed, "--output-dir", work / "emulator")
    want = models.outputs(work / "emulator")
    for level in models.levels():
        for threads in (1, 2, 5):
            out = work / f"{level}-{threads}"
            models.sluice("run", hef, *feed, "--output-dir", out, "--threads", threads, env={"SLUICE_CPU": level})
            for a, b in zip(want, models.outputs(out)):
                assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), f"{name}: HEF at {level}, {threads} threads differs"
    layers = compare_layers(name, network, x[:oracle_count], quantized, work)
    print(f"{name}: {count} inputs, levels {' '.join(models.levels())}, threads 1 2 5 equal; {layers} layers equal to the oracle on "
          f"{oracle_count}")


def compare_layers(name, network, frames, quantized, work):
    source, compared = network.inputs()[0], 0
    for k, frame in enumerate(frames):
        np.save(work / "frame.npy", frame[None])
        models.sluice("emulate", quantized, "--mode", "quantized", "--input", work / "frame.npy", "--raw", "--dump-tensors",
                      work / f"layers{k}")
        values = network.run({source.name: frame[None]})
        index = json.loads((work / f"layers{k}" / "index.json").read_text())
        files = {o["name"]: o["file"] for o in index["tensors"]}
        for layer in network.layers:
            if layer.kind == "output_layer":  # the value of the layer that feeds it
                continue
            got = np.load(work / f"layers{k}" / files[layer.name])
            want = values[layer.name]
            assert got.dtype == want.dtype and got.shape == want.shape, (layer.name, got.dtype, got.shape, want.dtype, want.shape)
            different = int((got != want).sum())
            assert not different, f"{name}: {layer.name} ({layer.kind}) differs from the oracle in {different} of {got.size} values"
            compared += 1
    return compared


def main():
    models.need_data()
    name = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory() as t:
        run_all(name, pathlib.Path(t), count, int(sys.argv[3]) if len(sys.argv) > 3 else 2)


if __name__ == "__main__":
    main()
