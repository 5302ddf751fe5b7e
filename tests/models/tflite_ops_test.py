#!/usr/bin/env python3
"""Operators of TFLite one by one, against LiteRT's reference kernels: the vectors of tflite_ops, and each layer of the quantized models
fed the golden's own intermediate.

Float: 1e-4 of the range (at least 1e-2). Int8: within 1 step on >= 99.9 % of the values, and bit-equal where values are only moved or
pooled."""
import pathlib
import sys
import tarfile
import tempfile

import numpy as np

import models
from tflite_tables import read_graph

EXACT = {"AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "CONCATENATION", "RESHAPE", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "SQUEEZE", "PACK",
         "GATHER", "TILE", "DEPTH_TO_SPACE", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "RESIZE_NEAREST_NEIGHBOR"}
MODELS = ["hello_world_int8", "micro_speech_int8", "str_ww_ref_int8", "resnet8_cifar10_int8", "kws_ref_int8", "ad01_int8", "vww_96_int8",
          "person_detect_int8", "mobilenet_v2_int8_nchw"]


def emulate(har, work, mode, arrays):
    """arrays: name -> array. Inputs and outputs in the origin's layout, integers as the file has them."""
    raw, args = mode == "quantized", []
    for i, (name, a) in enumerate(arrays.items()):
        np.save(work / f"in{i}.npy", a)
        args.append(f"{name}={work}/in{i}.npy")
    out = work / "out"
    models.sluice("emulate", har, "--mode", mode, "--origin-layout", "--output-dir", out, *(["--raw"] if raw else []), "--input", *args)
    return models.outputs(out)


def judge(label, op, quantized, want, got):
    got = got.reshape(want.shape)
    if quantized and want.dtype in (np.int8, np.uint8):
        assert got.dtype == want.dtype, (label, got.dtype)
        d = np.abs(got.astype(np.int32) - want.astype(np.int32))
        good = not d.any() if op in EXACT else (d <= 1).mean() >= 0.999
        line = f"equal {(d == 0).mean():8.3%}  within 1 step {(d <= 1).mean():8.3%}  worst {int(d.max())}"
    else:
        error, bar = np.abs(got.astype(np.float64) - want).max(), 1e-4 * max(float(want.max()) - float(want.min()), 1e-2)
        good, line = error <= bar, f"error {error:.3g}  bar {bar:.3g}"
    if not good or "-v" in sys.argv:
        print(f"{label:64s} {op:24s} {line}  {'ok' if good else 'FAIL'}")
    return good


def check_vector(folder, op, work, refused):
    quantized = folder.name.endswith("_int8")
    har = work / "op.har"
    names, inputs, _ = read_graph(folder / "model.tflite")
    r = models.sluice("parser", "tflite", folder / "model.tflite", "--har-path", har, check=False)
    if r.returncode != 0:
        print(f"{folder.name:40s} {r.stderr.strip()[-200:]}")
        return False
    if quantized and "is not used" in r.stderr:
        refused.append(f"{folder.name}: {r.stderr.strip()[-160:]}")
        return False
    arrays = {names[t]: np.load(folder / f"input_{i}.npy") for i, t in enumerate(inputs)}
    got = emulate(har, work, "quantized" if quantized else "native", arrays)
    want = [np.load(folder / f"output_{i}.npy") for i in range(len(got))]
    return all([judge(folder.name, op, quantized, w, g) for w, g in zip(want, got)])


def check_vectors(work):
    good, total, refused = 0, 0, []
    with tarfile.open(models.DATA / "tflite_ops" / "vectors.tar.xz") as t:
        t.extractall(work)
    for line in (models.DATA / "tflite_ops" / "INDEX.csv").read_text().splitlines()[1:]:
        test, op = line.split(",")[:2]
        total += 1
        good += check_vector(work / test, op, work, refused)
    for text in refused:
        print("refused", text)
    print(f"tflite_ops: {good} of {total}")
    return good == total


def check_layers(name, work):
    m = models.manifest(name)
    path = models.DATA / m["model"]
    names, _, operators = read_graph(path)
    values = {int(k[1:]): v for k, v in np.load(models.DATA / "golden" / name / "case0" / "intermediates.npz").items()}
    for i, t in zip(m["cases"][0]["inputs"], m["inputs"]):
        values[names.index(t["name"])] = np.load(models.DATA / "golden" / name / "case0" / i["file"])
    good, total = 0, 0
    for record in m["intermediates"]["tensors"]:
        reads, makes = operators[record["op_index"]]
        inputs = {names[t]: values[t] for t in reads if t in values}
        har = work / "layer.har"
        models.sluice("parser", "tflite", path, "--har-path", har, "--start-node-names", *inputs, "--end-node-names", names[makes[0]])
        total += 1
        got = emulate(har, work, "quantized", inputs)
        good += judge(f"{name} {record['tensor']}", record["op"], True, values[makes[0]], got[0])
    print(f"{name}: {good} of {total} layers")
    return good == total


def main():
    models.need_data()
    chosen = [a for a in sys.argv[1:] if a != "-v"]
    good = True
    with tempfile.TemporaryDirectory() as t:
        work = pathlib.Path(t)
        if not chosen or "vectors" in chosen:
            good = check_vectors(work) and good
        for name in MODELS:
            has = (models.DATA / "golden" / name / "case0" / "intermediates.npz").is_file()
            if has and (not chosen or name in chosen):
                good = check_layers(name, work) and good
    return 0 if good else 1


sys.exit(main())
