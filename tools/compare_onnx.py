#!/usr/bin/env python3
"""Compare a parsed archive with ONNX Runtime on random inputs: every layer that stands for a node of the model, then the outputs.

    tools/compare_onnx.py --sluice build/sluice MODEL.onnx NET.har [--augmented MODEL_WITH_ALL_OUTPUTS.onnx]

Run by `sluice parser onnx --compare`, with the part of the model between start and end nodes where some are given. Layers are compared where the package `onnx` is installed too; without it, outputs only. Exit
codes: 0 agrees, 1 differs, 3 numpy or onnxruntime is missing.
"""
import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
except ImportError as missing:
    print(f"--compare: {missing}", file=sys.stderr)
    sys.exit(3)
try:
    import onnx
except ImportError:
    onnx = None

TOLERANCE = 1e-3  # of the largest value of a tensor


def sluice(options, *args):
    r = subprocess.run([options.sluice, *map(str, args)], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"--compare: {r.stderr.strip()}")
    return r.stdout


def open_model(path):
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), quiet, providers=["CPUExecutionProvider"])


def random_inputs(archive, rng):
    """Values between 0 and 1 for numbers, and small indices for integers, in the shapes that the archive was parsed with."""
    feeds = {}
    for port in archive["inputs"]:
        shape = port["origin_shape"]
        if port["origin_dtype"].startswith("f") or port["origin_dtype"] == "bf16":
            feeds[port["origin_name"]] = rng.random(shape, dtype=np.float32)
        else:
            feeds[port["origin_name"]] = rng.integers(0, 2, shape)
    return feeds


def typed(session, feeds):
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(int32)": np.int32,
             "tensor(int64)": np.int64, "tensor(bool)": np.bool_, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
    return {i.name: feeds[i.name].astype(kinds.get(i.type, np.float32)) for i in session.get_inputs() if i.name in feeds}


def difference(ours, theirs):
    """Largest difference as a part of the largest value (at least 0.01); infinity where the values cannot be the same tensor."""
    if ours.size != theirs.size:
        return float("inf")
    theirs = theirs.astype(np.float64)
    scale = max(np.abs(theirs).max(initial=0), 1e-2)
    return float(np.abs(ours.astype(np.float64).reshape(theirs.shape) - theirs).max(initial=0) / scale)


def nearest_order(ours, theirs):
    """Layers are stored channels last: the order of axes that fits best."""
    if theirs.ndim > 5 or ours.size != theirs.size:
        return difference(ours, theirs)
    orders = [range(theirs.ndim)] if theirs.ndim < 3 else itertools.permutations(range(theirs.ndim))
    shape = [d for d in ours.shape if d != 1]
    fits = [difference(ours, theirs.transpose(o)) for o in orders if [d for d in theirs.transpose(o).shape if d != 1] == shape]
    return min(fits, default=difference(ours, theirs))


def augment(options, layers, folder):
    """The model with the last node of every layer as an output; returns its path and, by layer, the tensors that it makes."""
    model = onnx.load(options.model)
    makers = {}
    for i, node in enumerate(model.graph.node):
        for name in (node.name, *node.output):
            makers.setdefault(name, i)
    known = {o.name for o in model.graph.output}
    tensors = {}
    for name, layer in layers.items():
        origins = [o for o in layer.get("original_names", []) if o in makers]
        # A focus stem's four slices are one layer with channels in an order of its own, which the next layer's weights follow.
        if not origins or layer["type"] in ("input_layer", "output_layer", "space_to_depth"):
            continue
        tensors[name] = [o for o in model.graph.node[max(makers[o] for o in origins)].output if o]
        for tensor in tensors[name]:
            if tensor not in known:
                known.add(tensor)
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
    path = pathlib.Path(options.augmented or folder / "augmented.onnx")
    onnx.save(model, path, save_as_external_data=model.ByteSize() > 2**31 - 2**20)
    return path, tensors


def compare_layers(options, archive, layers, feeds, dumped, folder):
    path, tensors = augment(options, layers, folder)
    session = open_model(path)
    wanted = sorted({t for made in tensors.values() for t in made})
    theirs = dict(zip(wanted, session.run(wanted, typed(session, feeds))))
    files = {t["name"]: t["file"] for t in json.loads((dumped / "index.json").read_text())["tensors"]}
    worst, compared, first = 0.0, 0, None
    for name, made in tensors.items():
        if name not in files:
            continue
        ours = np.load(dumped / files[name])
        made = [t for t in made if theirs[t].size == ours.size]
        if not made:
            continue  # a part of the node's work only
        d = min(nearest_order(ours, theirs[t]) for t in made)
        compared += 1
        worst = max(worst, d)
        if d > TOLERANCE and not first:
            first = f"{name} ({made[0]}): {d:.3g} of the largest value"
    print(f"[info] compared {compared} of {len(layers)} layers with ONNX Runtime: largest difference {worst:.3g} of a tensor's largest value")
    if first:
        print(f"[info] first layer that differs: {first}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("har")
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--augmented")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sluice(options, "har", "extract", options.har, "-o", folder / "har", "-q")
        metadata = json.loads(next((folder / "har").glob("*.metadata.json")).read_text())
        archive = metadata["stages"]["native"] if "stages" in metadata else metadata
        layers = json.loads(next((folder / "har").glob("*.hn")).read_text())["layers"]
        feeds = random_inputs(archive, np.random.default_rng(0))
        session = open_model(options.model)
        args = []
        for i, port in enumerate(archive["inputs"]):
            np.save(folder / f"{i}.npy", feeds[port["origin_name"]])
            args += ["-i", f"{port['layer']}={folder}/{i}.npy"]
        sluice(options, "emulate", options.har, "--mode", "native", "--origin-layout", *args, "-o", folder / "out", "--dump-tensors",
               folder / "layers", "-q")
        if onnx:
            compare_layers(options, archive, layers, feeds, folder / "layers", folder)
        else:
            print("[info] the package onnx is not installed: outputs are compared, layers are not")
        ours = {o["origin_name"]: o["file"] for o in json.loads((folder / "out" / "index.json").read_text())["outputs"]}
        shared = [o.name for o in session.get_outputs() if o.name in ours]
        if not shared:
            print("[info] the network ends inside the model: none of its outputs is an output of the file")
            return 0
        worst = 0.0
        for tensor, theirs in zip(shared, session.run(shared, typed(session, feeds))):
            d = difference(np.load(folder / "out" / ours[tensor]), theirs)
            worst = max(worst, d)
            print(f"[info] output '{tensor}': largest difference {d:.3g} of its largest value")
        return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
