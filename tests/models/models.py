"""What the model tests share: the models, their calibration recipes, and calling the program."""
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

MEAN_127 = "normalization1 = normalization([127.0, 127.0, 127.0], [128.0, 128.0, 128.0])\n"

# calibration: folder below the data and how pictures are resized, or "golden" (the golden inputs) where pictures make no sense;
# script: the model script; bgr: pictures are fed blue first; dynamic: the file fixes no shape, the golden inputs' is taken.
MODELS = {
    "efficientnet_lite0": dict(calibration="images/calib", resize="crop", script=MEAN_127, count=64),
    "yolox_nano": dict(calibration="images/calib", resize="fit", script="", count=64, bgr=True),
    "version-slim-320": dict(calibration="images/calib", resize="stretch", script=MEAN_127, count=64),
    "version-RFB-320": dict(calibration="images/calib", resize="stretch", script=MEAN_127, count=64),
    "version-RFB-320_simplified": dict(calibration="images/calib", resize="stretch", script=MEAN_127, count=64),
    "tiny_vit_random": dict(calibration="golden", resize="none", script="", count=3),
    "minilm_l3_encoder": dict(calibration="golden", resize="none", script="", count=3),
    "ch_PP-OCRv4_det_infer": dict(calibration="golden", resize="none", script="", count=3, dynamic=True),
    "ch_PP-OCRv4_rec_infer": dict(calibration="golden", resize="none", script="", count=3, dynamic=True),
}


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


def shape_args(name):
    if not MODELS[name].get("dynamic"):
        return []
    return ["--tensor-shapes", "[" + ",".join(map(str, (1, *golden_inputs(name).shape[1:]))) + "]"]


def prepare(name, work, count=None, threads=2):
    """parse + optimize + compile below `work`; returns the paths (har, quantized har, hef). Done once: results are kept."""
    m, work = MODELS[name], pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    har, quantized, hef = work / f"{name}.har", work / f"{name}_optimized.har", work / f"{name}.hef"
    if hef.exists():
        return har, quantized, hef
    sluice("parser", "onnx", DATA / "models" / f"{name}.onnx", "--har-path", har, "-y", *shape_args(name))
    script = work / f"{name}.alls"
    script.write_text(m["script"])
    args = ["optimize", har, "--output-har-path", quantized, "--threads", threads]
    if m["script"]:
        args += ["--model-script", script]
    if m["calibration"] == "golden":
        np.save(work / "calib.npy", to_nhwc(golden_inputs(name)))
        args += ["--calib-set-path", work / "calib.npy"]
    elif m.get("bgr"):
        files = sorted((DATA / m["calibration"]).glob("*.jpg"))[:m["count"]]
        sluice("image", *files, "--size", "416x416", "--resize", "fit", "--bgr", "--output", work / "calib.npy")
        args += ["--calib-set-path", work / "calib.npy"]
    else:
        args += ["--calib-set-path", DATA / m["calibration"], "--resize", m["resize"], "--calib-set-size", count or m["count"]]
    sluice(*args)
    sluice("compiler", quantized, "--output-dir", work)
    return har, quantized, hef
