#!/usr/bin/env python3
"""A real network whose condition arrives at run time (Silero VAD 5: If with LSTMs inside): native against onnxruntime where it is
installed; parsed, optimized and compiled everywhere."""
import pathlib
import sys
import tempfile

import numpy as np

import models

NAME = "silero_vad_v5"


def run(work, har, inputs):
    args = []
    for name, x in inputs.items():
        np.save(work / f"{name}.npy", x)
        args.append(f"{name}={work / name}.npy")
    out = work / "out"
    models.sluice("emulate", har, "--mode", "native", "--origin-layout", "--output-dir", out, "--input", *args)
    found = {x.size: x for x in map(np.load, out.glob("*.npy"))}
    for f in out.glob("*.npy"):
        f.unlink()
    return found[1].reshape(1, 1), found[256].reshape(2, 1, 128)


def onnxruntime_session(path):
    try:
        import onnxruntime as ort
    except ImportError:
        return None
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def main():
    models.need_data()
    path = models.DATA / "models" / "unsupported" / f"{NAME}.onnx"
    if not path.is_file():
        print(f"SKIP: no '{path}'")
        return models.SKIP
    session, rng = onnxruntime_session(path), np.random.default_rng(3)
    print("compared with onnxruntime" if session else "onnxruntime is not installed: nothing to compare with")
    with tempfile.TemporaryDirectory() as t:
        work = pathlib.Path(t)
        har = work / f"{NAME}.har"
        # 576 samples fit the branch for 16 kHz alone, whose condition then is no input; 288 fit both
        for samples, rates in ((576, (16000,)), (288, (8000, 16000))):
            models.sluice("parser", "onnx", path, "--har-path", har, "--tensor-shapes", f"input=[1,{samples}]", "state=[2,1,128]")
            x = (rng.standard_normal((1, samples)) * 0.1).astype(np.float32)
            state = (rng.standard_normal((2, 1, 128)) * 0.1).astype(np.float32)
            seen = []
            for rate in rates:
                inputs = {"input": x, "state": state, "sr": np.array(rate, np.int64)}
                got = run(work, har, {k: v for k, v in inputs.items() if k != "sr" or len(rates) > 1})
                assert 0 < got[0] < 1 and np.isfinite(got[1]).all(), got[0]
                seen.append(got[0].item())
                if session:
                    for g, w in zip(got, session.run(None, inputs)):
                        error = np.abs(g - w).max()
                        print(f"{samples} samples at {rate} Hz: error {error:.3g}")
                        assert error < 1e-4
            assert len(set(seen)) == len(rates), "both conditions give the same"
        models.sluice("parser", "onnx", path, "--har-path", har, "--tensor-shapes", "input=[1,576]", "state=[2,1,128]")
        models.sluice("optimize", har, "--use-random-calib-set", "--output-har-path", work / "q.har")
        models.sluice("compiler", work / "q.har", "--output-dir", work / "c")
    return 0


sys.exit(main())
