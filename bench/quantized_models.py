#!/usr/bin/env python3
"""Every model with a float golden through optimize, compile and run: SNR of each output against the golden, and emulator == HEF.

    quantized_models.py DATA [MODEL ...]

Calibrated on the golden's other cases, measured on case 0 (the network's own inputs; few as they are, none is seen by both).
Prints a Markdown table.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))


def run(*args):
    r = subprocess.run([SLUICE, *map(str, args)], capture_output=True, text=True)
    if r.returncode:
        raise RuntimeError((r.stderr.strip().splitlines() or ["?"])[-2 if "try:" in r.stderr else -1][:160])
    return r.stdout


def outputs(folder):
    index = json.loads((folder / "index.json").read_text())["outputs"]
    return [np.load(folder / o["file"]) for o in index]


def model_row(data, name, work):
    manifest = json.loads((data / "golden" / name / "manifest.json").read_text())
    file, har = data / manifest["model"], work / "m.har"
    parser = "onnx" if file.suffix == ".onnx" else "tflite"
    cases = [data / "golden" / name / c["dir"] for c in manifest["cases"]]
    feeds = [[np.load(c / f"input_{i}.npy") for i in range(len(manifest["inputs"]))] for c in cases]
    same = [f for f in feeds[1:] if [a.shape for a in f] == [a.shape for a in feeds[0]]] or feeds[:1]
    shapes = [f"{i['name']}=[{','.join(map(str, a.shape))}]" for i, a in zip(manifest["inputs"], feeds[0])]
    run("parser", parser, file, "--har-path", har, "--net-name", "m", "-y", "--tensor-shapes", *shapes)
    info = json.loads(run("har", "info", har, "--json"))
    if info["state"] == "HAILO_MODEL":
        run_calibration(har, info, manifest, same, work)
    else:
        (work / "q.har").write_bytes(har.read_bytes())
    run("compiler", work / "q.har", "--output-dir", work)
    args = []
    for i, a in zip(manifest["inputs"], feeds[0]):
        np.save(work / f"in_{len(args)}.npy", a)
        args.append(f"{i['name']}={work / f'in_{len(args)}.npy'}")
    both = ["--input", *args, "--origin-layout"]
    run("run", work / "m.hef", *both, "--output-dir", work / "hef")
    run("emulate", work / "q.har", "--mode", "quantized", *both, "--output-dir", work / "emulator")
    equal = all(a.tobytes() == b.tobytes() for a, b in zip(outputs(work / "hef"), outputs(work / "emulator")))
    snr = []
    for k, got in enumerate(outputs(work / "hef")):
        want = np.load(cases[0] / f"output_{k}.npy").astype(np.float64)
        noise = ((want - got.reshape(want.shape)) ** 2).sum()
        snr.append("exact" if noise == 0 else f"{10 * np.log10((want ** 2).sum() / noise):.1f}")
    return f"| {name} | {', '.join(snr)} | {'yes' if equal else 'NO'} |"


def run_calibration(har, info, manifest, feeds, work):
    calib = {}
    for k, port in enumerate(info["inputs"]):
        rows = []
        for f in feeds:
            a = f[k]
            if len(port["shape"]) == 4 and port["shape"] != port["origin_shape"]:
                a = a.transpose(0, 2, 3, 1)
            rows.append(a)
        calib[port["name"].split("/")[-1]] = np.concatenate(rows)
    np.savez(work / "calib.npz", **calib)
    run("optimize", har, "--calib-set-path", work / "calib.npz", "--output-har-path", work / "q.har")


def main():
    data = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or sorted(p.parent.name for p in (data / "golden").glob("*/manifest.json"))
    print("| model | output SNR, dB | emulator = HEF |\n|---|---|---|")
    for name in names:
        manifest = json.loads((data / "golden" / name / "manifest.json").read_text())
        if "model" not in manifest or "int8" in name or not manifest["model"].endswith((".onnx", ".tflite")):
            continue
        with tempfile.TemporaryDirectory() as t:
            try:
                print(model_row(data, name, pathlib.Path(t)), flush=True)
            except (RuntimeError, ValueError, FileNotFoundError) as e:
                print(f"| {name} | {e} | |", flush=True)


main()
