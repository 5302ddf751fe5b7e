#!/usr/bin/env python3
"""A model with a float golden through parser, optimize, compiler and run: every layer of the emulator equals the oracle, the outputs of
emulator and HEF are the same bytes at every kernel level, and the outputs lie no farther from the float network than FLOORS says.

usage: quantized_test.py [MODEL ...]

The SNR of each output is taken over all goldens' cases, and over other data that calibration did not see (recipes.py). Floors are 2 dB under
what was measured: float32 sums, and so ranges, differ a little from machine to machine."""
import pathlib
import sys
import tempfile

import numpy as np

import exact_test
import models
import oracle
import recipes

CALIBRATION, MEASURED = 16, 8

# dB by output: on the goldens' cases, on other data
FLOORS = {
    "efficientnet_lite0": ([22.4], [22.6]),
    "yolox_nano": ([17.0], [17.3]),
    "yolox_nano_facemask_float16": ([21.1], [20.5]),
    "version-slim-320": ([45.2, 48.0], [46.2, 47.8]),
    "version-RFB-320": ([38.1, 47.2], [39.9, 47.2]),
    "version-RFB-320_simplified": ([39.0, 23.7], [41.3, 24.8]),
    "version-slim-320_without_postprocessing_tflite": ([26.3, 45.6], [26.1, 46.2]),
    "version-RFB-320_without_postprocessing_tflite": ([22.8, 38.3], [24.0, 41.1]),
    "mediapipe_face_detection_full_range": ([27.9, 28.1], [25.4, 24.4]),
    "mediapipe_face_detection_short_range": ([18.9, 18.1], [25.5, 26.3]),
    "vww_96_float": ([25.3], [30.5]),
    "resnet8_cifar10_float": ([48.0], [22.7]),
    "tiny_vit_random": ([32.3], [32.6]),
    "ch_PP-OCRv4_det_infer": ([16.5], [24.2]),
    "ch_PP-OCRv4_rec_infer": ([21.8], [20.4]),
    "hello_world_float": ([31.4], [35.1]),
    "ad01_float": ([47.3], [47.0]),
    "kws_ref_dynrange": ([48.4], [17.4]),
    "minilm_l3_encoder": ([27.3], [25.6]),
}


def snr(want, got):
    want, got = (np.asarray(a, np.float64).ravel() for a in (want, got))
    return 10 * np.log10((want ** 2).sum() / max(((want - got) ** 2).sum(), 1e-300))


def run(command, file, x, work, *more):
    np.save(work / "x.npy", x)
    command, *mode = command
    models.sluice(command, file, *mode, "--input", work / "x.npy", "--output-dir", work / "out", *more)
    return models.outputs(work / "out")


def exactness(name, quantized, hef, work):
    network = oracle.Network.from_har(quantized)
    layer = network.inputs()[0]
    frame = recipes.goldens(name)[0].reshape(layer.shape)
    x = oracle.quantize(frame, layer.scale, layer.zp, layer.type)
    layers = exact_test.compare_layers(name, network, x, quantized, work)
    want = run(["emulate", "--mode", "quantized"], quantized, x, work, "--raw")
    for level in models.levels():
        np.save(work / "x.npy", x)
        models.sluice("run", hef, "--input", work / "x.npy", "--raw", "--output-dir", work / level, env={"SLUICE_CPU": level})
        for a, b in zip(want, models.outputs(work / level)):
            assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), f"{name}: HEF at {level} differs from the emulator"
    return layers


def ratios(name, har, hef, x, work):
    """dB by output. The float side is `native`, which float_test.py and tflite_test.py hold to the goldens."""
    want = run(["emulate", "--mode", "native"], har, recipes.real(name, x), work)
    return [snr(w, g) for w, g in zip(want, run(["run"], hef, x, work))]


def check(name, work):
    har, quantized, hef = recipes.prepare(name, work, CALIBRATION)
    layers = exactness(name, quantized, hef, work)
    golden, other = (ratios(name, har, hef, x, work) for x in (recipes.goldens(name), recipes.measurement(name, MEASURED, work)))
    text = lambda values: ", ".join(f"{v:.1f}" for v in values)
    print(f"{name:46s} SNR of goldens {text(golden)} dB, of other data {text(other)} dB; {layers} layers: emulator, oracle and HEF equal")
    floors = FLOORS[name]
    assert len(floors[0]) == len(golden) and len(floors[1]) == len(other)
    low = [f"{v:.1f} < {f}" for v, f in zip(golden + other, floors[0] + floors[1]) if not v >= f]
    assert not low, f"{name}: SNR below its floor: {', '.join(low)}"


def main():
    models.need_data()
    for name in sys.argv[1:] or recipes.RECIPES:
        with tempfile.TemporaryDirectory() as t:
            check(name, pathlib.Path(t))


if __name__ == "__main__":
    main()
