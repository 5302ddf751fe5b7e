#!/usr/bin/env python3
"""`parser onnx --compare`: the whole network, parts of it between start and end nodes, and a file that differs. With ONNX Runtime where it is
installed for SLUICE_PYTHON, else with what stands in for it (stand_in)."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = str(pathlib.Path(os.environ.get("SLUICE", ROOT / "build" / "sluice")).resolve())
PYTHON = os.environ.get("SLUICE_PYTHON", sys.executable)  # which has numpy
MODEL = ROOT / "examples" / "demo" / "signs.onnx"
PART = ["--start-node-names", "down8_dw/BatchNormalization"]
# arguments, outputs that are compared
CASES = [
    (PART, 4),
    (PART + ["--end-node-names", "boxes8/Conv", "cls8/Conv", "--disable-rt-metadata-extraction"], 2),
    (["--end-node-names", "down8_dw/BatchNormalization"], 1),
    ([], 4),  # last: the archive that another model is compared with below
]


def compare(folder, *args, model=MODEL):
    env = {**os.environ, "SLUICE_TOOLS": str(ROOT / "tools"), "SLUICE_PYTHON": PYTHON, "TMPDIR": str(folder / "tmp")}
    return subprocess.run([SLUICE, "parser", "onnx", str(model), "--compare", "--har-path", "c.har", *args], capture_output=True, text=True,
                          cwd=folder, env=env)


def tampered(folder):
    """The same file with other weights: the middle of it is weights."""
    data = bytearray(MODEL.read_bytes())
    middle = len(data) // 2
    for i in range(middle, middle + 64):
        data[i] ^= 0x08
    path = folder / "signs_tampered.onnx"
    path.write_bytes(data)
    return path


def main():
    probe = subprocess.run([PYTHON, "-c", "import numpy, onnxruntime"], capture_output=True, text=True)
    if probe.returncode:
        os.environ["PYTHONPATH"] = str(pathlib.Path(__file__).resolve().parent / "stand_in")
    print(f"'{PYTHON}' has {'no onnxruntime: sluice stands in for it' if probe.returncode else 'onnxruntime'}")
    os.environ["SLUICE"] = SLUICE
    with tempfile.TemporaryDirectory() as t:
        folder = pathlib.Path(t)
        (folder / "tmp").mkdir()
        for args, n in CASES:
            r = compare(folder, *args)
            outputs = re.findall(r"output '.*': largest difference ([0-9.e+-]+)", r.stdout)
            assert r.returncode == 0 and len(outputs) == n and all(float(d) < 1e-3 for d in outputs), f"{args}: {r}"
            left = list((folder / "tmp").glob("sluice-*"))
            assert not left, f"temporary files are left: {left}"
            print(f"{len(outputs)} outputs agree: {' '.join(args)}")
        r = compare(folder, "--start-node-names", "cls8/Conv")
        assert r.returncode == 3 and "still needed: the start nodes do not cut it off" in r.stderr, r
        tool = [PYTHON, ROOT / "tools" / "compare_onnx.py", "--sluice", SLUICE, tampered(folder), folder / "c.har"]
        r = subprocess.run([str(a) for a in tool], capture_output=True, text=True)
        assert r.returncode == 1, f"another model agrees: {r}"
        assert not list((folder / "tmp").glob("sluice-*")), "temporary files are left"
    return 0


sys.exit(main())
