#!/usr/bin/env python3
"""Quantized TFLite files: the emulator, the HEF at every kernel level, and the oracle on every layer give the same bytes.

usage: tflite_exact_test.py [MODEL ...]"""
import json
import pathlib
import sys
import tempfile

import numpy as np

import models
import oracle

MODELS = ["hello_world_int8", "micro_speech_int8", "str_ww_ref_int8", "resnet8_cifar10_int8", "kws_ref_int8", "ad01_int8", "vww_96_int8",
          "person_detect_int8", "mobilenet_v2_int8_nchw", "mnist_lstm_int8"]


def frames_of(name, port):
    """Golden inputs as stored, then extremes and noise."""
    rng = np.random.Generator(np.random.PCG64(11))
    shape = port.shape[1:]
    golden = models.golden_inputs(name)
    golden = golden.reshape(len(golden) * golden[0].size // int(np.prod(shape)), -1)
    frames = []
    if golden.shape[1] == int(np.prod(shape)) and "nchw" not in name:
        frames = [(g.astype(np.int32) + 128).astype(np.uint8).reshape(1, *shape) for g in golden]
    frames += [np.zeros((1, *shape), np.uint8), np.full((1, *shape), 255, np.uint8)]
    return np.concatenate(frames + [rng.integers(0, 256, (1, *shape)).astype(np.uint8) for _ in range(3)])


def check(name, work):
    har = work / f"{name}.har"
    models.sluice("parser", "tflite", models.DATA / models.manifest(name)["model"], "--har-path", har)
    models.sluice("compiler", har, "--output-dir", work)
    hef = next(work.glob("*.hef"))
    network = oracle.Network.from_har(har)
    source = network.inputs()[0]
    x = frames_of(name, source)
    np.save(work / "x.npy", x)
    feed = ["--input", work / "x.npy", "--raw"]
    models.sluice("emulate", har, "--mode", "quantized", *feed, "--output-dir", work / "emulator")
    want = models.outputs(work / "emulator")
    for level in models.levels():
        models.sluice("run", hef, *feed, "--output-dir", work / level, "--threads", 2, env={"SLUICE_CPU": level})
        for a, b in zip(want, models.outputs(work / level)):
            assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), f"{name}: HEF at {level} differs from the emulator"
    np.save(work / "frame.npy", x[:1])
    models.sluice("emulate", har, "--mode", "quantized", "--input", work / "frame.npy", "--raw", "--dump-tensors", work / "layers")
    values = network.run({source.name: x[:1]})
    files = {o["name"]: o["file"] for o in json.loads((work / "layers" / "index.json").read_text())["tensors"]}
    compared = 0
    for layer in network.layers:
        if layer.kind == "output_layer":
            continue
        got = np.load(work / "layers" / files[layer.name])
        assert got.dtype == values[layer.name].dtype and np.array_equal(got, values[layer.name]), f"{name}: {layer.name} differs from the oracle"
        compared += 1
    print(f"{name}: {len(x)} inputs, levels {' '.join(models.levels())} equal to the emulator; {compared} layers equal to the oracle")


def main():
    models.need_data()
    for name in sys.argv[1:] or MODELS:
        with tempfile.TemporaryDirectory() as t:
            check(name, pathlib.Path(t))


main()
