#!/usr/bin/env python3
"""Every golden of the ONNX models through the command line: emulate --mode native against the engine the model came from.

The bar: error <= max(1e-4 R, 4 x the manifest's tolerance), R = the output's range over all its cases, at least 1e-2."""
import pathlib
import sys
import tempfile

import numpy as np

import models
import recipes


def tolerance(manifest):
    return max(v if isinstance(v, float) else max(v) for k, v in manifest["tolerance"].items() if k.startswith("max_abs"))


def check(name, work):
    m = models.manifest(name)
    har = work / f"{name}.har"
    models.sluice("parser", "onnx", models.DATA / "models" / f"{name}.onnx", "--har-path", har, *recipes.shape_args(name))
    want, got = [], []
    for case in m["cases"]:
        folder = models.DATA / "golden" / name / case["dir"]
        out = work / name / case["dir"]
        args = [f"{i['name']}={folder / i['file']}" for i in case["inputs"]]
        models.sluice("emulate", har, "--mode", "native", "--origin-layout", "--output-dir", out, "--input", *args)
        got.append(models.outputs(out))
        want.append([np.load(folder / o["file"]) for o in case["outputs"]])
    worst = 0.0
    for k, o in enumerate(m["outputs"]):
        w, g = np.stack([c[k] for c in want]), np.stack([c[k] for c in got])
        assert w.shape == g.shape, (name, o["name"], w.shape, g.shape)
        bar = max(1e-4 * max(float(w.max() - w.min()), 1e-2), 4 * tolerance(m))
        error = float(np.abs(w.astype(np.float64) - g).max())
        print(f"{name:28s} {o['name']:20s} error {error:.3g}  bar {bar:.3g}  ({error / bar:.1%})")
        assert error <= bar, f"{name}: output {o['name']} is off by {error}, bar {bar}"
        worst = max(worst, error / bar)
    return worst


def main():
    models.need_data()
    with tempfile.TemporaryDirectory() as t:
        for name in sys.argv[1:] or filter(recipes.is_onnx, recipes.RECIPES):
            check(name, pathlib.Path(t))


main()
