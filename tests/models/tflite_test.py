#!/usr/bin/env python3
"""Goldens of the TFLite models through the command line: `parser tflite`, then `emulate`, against LiteRT's reference kernels.

Float files, native: error <= max(1e-4 R, 4 x the manifest's tolerance), R = the output's range over all its cases, at least 1e-2.
Hybrid files (int8 weights, float everything else): 2e-2 and the same top class.
Quantized files, with their own scales: the same top class, and no farther from the reference than twice the manifest's difference of
XNNPACK or 2 steps, whichever is larger. A recurrent file's goldens carry its state from case to case: here only the first, all of them
in tflite_lstm_test.py. Layer by layer: tflite_ops_test.py; byte by byte: tflite_exact_test.py."""
import pathlib
import sys
import tempfile

import numpy as np

import models

FLOAT = ["ad01_float", "hello_world_float", "resnet8_cifar10_float", "vww_96_float", "mediapipe_face_detection_short_range",
         "mediapipe_face_detection_full_range", "version-slim-320_without_postprocessing_tflite",
         "version-RFB-320_without_postprocessing_tflite", "yolox_nano_facemask_float16"]
HYBRID = ["kws_ref_dynrange"]
QUANTIZED = ["ad01_int8", "hello_world_int8", "kws_ref_int8", "micro_speech_int8", "mobilenet_v2_int8_nchw", "person_detect_int8",
             "resnet8_cifar10_int8", "str_ww_ref_int8", "vww_96_int8", "mnist_lstm_int8"]
RECURRENT = {"mnist_lstm_int8"}


def tolerance(manifest):
    return max(v for k, v in manifest["tolerance"].items() if k.startswith("max"))


def run(har, m, case, work, mode, raw):
    folder = models.DATA / "golden" / work.name / case["dir"]
    args, out = [], work / case["dir"]
    for i in case["inputs"]:
        args.append(f"{i['name']}={folder / i['file']}")
    models.sluice("emulate", har, "--mode", mode, "--origin-layout", "--output-dir", out, *(["--raw"] if raw else []), "--input", *args)
    return [np.load(folder / o["file"]) for o in case["outputs"]], models.outputs(out)


def check(name, work, kind):
    m = models.manifest(name)
    work = work / name
    work.mkdir()
    har = work / f"{name}.har"
    models.sluice("parser", "tflite", models.DATA / m["model"], "--har-path", har)
    cases = m["cases"][:1] if name in RECURRENT else m["cases"]
    want, got = zip(*[run(har, m, c, work, "quantized" if kind == "quantized" else "native", kind == "quantized") for c in cases])
    good = True
    for k, o in enumerate(m["outputs"]):
        w, g = np.stack([c[k] for c in want]), np.stack([c[k].reshape(c2[k].shape) for c, c2 in zip(got, want)])
        same_class = bool((w.reshape(len(w), -1).argmax(1) == g.reshape(len(g), -1).argmax(1)).all())
        if kind == "quantized":
            assert g.dtype == w.dtype, (name, g.dtype, w.dtype)
            bar = max(2 * tolerance(m), 2)
        else:
            bar = 2e-2 if kind == "hybrid" else max(1e-4 * max(float(w.max() - w.min()), 1e-2), 4 * tolerance(m))
        error = float(np.abs(w.astype(np.float64) - g).max())
        ok = error <= bar and (same_class or kind == "float")
        print(f"{name:46s} {kind:9s} {o['name'][:24]:24s} error {error:.3g}  bar {bar:.3g}  {'ok' if ok else 'FAIL'}")
        good = good and ok
    return good


def main():
    models.need_data()
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as t:
        results = [check(name, pathlib.Path(t), kind) for kind, names in (("float", FLOAT), ("hybrid", HYBRID), ("quantized", QUANTIZED))
                   for name in names if not chosen or name in chosen]
    return 0 if results and all(results) else 1


sys.exit(main())
