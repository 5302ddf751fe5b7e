"""What the model tests share: the data, and calling the program. How each model is calibrated: recipes.py."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("SLUICE_DATA", ROOT.parent / "shared" / "data"))
SKIP = 77
sys.path.insert(0, str(ROOT / "tests" / "oracle"))

def need_data():
    if not (DATA / "models").is_dir():
        print(f"SKIP: no model data at {DATA} (set SLUICE_DATA)")
        sys.exit(SKIP)


def sluice(*args, env=None, check=True):
    program = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
    r = subprocess.run([program, *map(str, args)], capture_output=True, text=True, env=dict(os.environ, **(env or {})))
    if check and r.returncode != 0:
        raise AssertionError(f"sluice {' '.join(map(str, args))}\nexit {r.returncode}\n{r.stdout[-2000:]}\n{r.stderr[-4000:]}")
    return r


def levels():
    """Kernel levels that this processor has and that have kernels of their own, for SLUICE_CPU."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return ["c"] + [level for level, flag in (("avx2", "avx2"), ("avx512vnni", "avx512_vnni")) if flag in flags]


def manifest(name):
    return json.loads((DATA / "golden" / name / "manifest.json").read_text())


def outputs(folder):
    """Arrays of a folder that --output-dir wrote, in the model's order."""
    index = json.loads((pathlib.Path(folder) / "index.json").read_text())
    return [np.load(pathlib.Path(folder) / o["file"]) for o in index["outputs"]]


def golden_inputs(name, index=0):
    """One array of all golden cases of input `index`, in the origin's layout, stacked along the batch."""
    cases = sorted((DATA / "golden" / name).glob("case*"))
    return np.concatenate([np.load(c / f"input_{index}.npy") for c in cases])


def to_nhwc(a):
    return np.ascontiguousarray(a.transpose(0, 2, 3, 1)) if a.ndim == 4 else a
