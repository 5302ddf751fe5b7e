#!/usr/bin/env python3
"""Peak memory: `run` against its weights and activations, and `optimize` with 64 and with 300 pictures.

The bars: anonymous memory of run <= 1.5 x (packed weights + largest live activations) + 16 MiB + 1 MiB a thread; optimize's peak with 300
pictures within 10 % of the peak with 64."""
import json
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np

import models
import recipes

MIB = 1 << 20


def peak_anonymous(args):
    """Largest RssAnon of the program while it runs, polled, and its own peak at the end of the last poll."""
    program = os.environ.get("SLUICE", str(models.ROOT / "build" / "sluice"))
    p = subprocess.Popen([program, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0
    while p.poll() is None:
        try:
            for line in pathlib.Path(f"/proc/{p.pid}/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    peak = max(peak, int(line.split()[1]) * 1024)
        except (FileNotFoundError, ProcessLookupError):
            break
        time.sleep(0.001)
    assert p.wait() == 0, p.stderr.read()
    return peak


def run_memory(work):
    for name in ("efficientnet_lite0", "yolox_nano", "version-RFB-320_simplified", "minilm_l3_encoder"):
        _, _, hef = recipes.prepare(name, work / name)
        for threads in (1, 2):
            b = json.loads(models.sluice("benchmark", hef, "--json", "--time", "0.1", "--threads", threads).stdout)
            shape = models.manifest(name)["inputs"][0]["model_shape"]
            x = np.zeros([1] + ([shape[2], shape[3], shape[1]] if len(shape) == 4 else shape[1:]), np.float32)
            np.save(work / "x.npy", np.repeat(x, 8, 0))
            peak = peak_anonymous(["run", hef, "--input", work / "x.npy", "--output-dir", work / "out", "--threads", threads])
            bar = 1.5 * (b["packed_weight_bytes"] + b["activation_bytes"]) + 16 * MIB + threads * MIB
            print(f"{name}, {threads} threads: anonymous peak {peak / MIB:.1f} MiB, bar {bar / MIB:.1f} MiB (packed weights "
                  f"{b['packed_weight_bytes'] / MIB:.1f}, activations {b['activation_bytes'] / MIB:.1f})")
            assert peak <= bar


def optimize_memory(work):
    har = work / "e.har"
    models.sluice("parser", "onnx", models.DATA / "models" / "efficientnet_lite0.onnx", "--har-path", har)
    (work / "e.alls").write_text(recipes.script("efficientnet_lite0"))
    peaks = []
    for count in (64, 300):
        t = time.monotonic()
        peaks.append(peak_anonymous(["optimize", har, "--calib-set-path", models.DATA / "images" / "calib", "--resize", "crop", "--calib-set-size",
                                     count, "--model-script", work / "e.alls", "--output-har-path", work / "q.har", "--threads", 2]))
        print(f"optimize with {count} pictures: anonymous peak {peaks[-1] / MIB:.1f} MiB, {time.monotonic() - t:.1f} s")
    assert peaks[1] <= 1.1 * peaks[0]


def main():
    models.need_data()
    with tempfile.TemporaryDirectory() as t:
        run_memory(pathlib.Path(t))
        optimize_memory(pathlib.Path(t))


main()
