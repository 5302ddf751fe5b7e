"""Reads the quantized graph of a HAR for the oracle, from docs/formats.md: a tar of HN JSON, npz arrays and metadata."""
import io
import json
import tarfile

import numpy as np

TYPES = {"u8": np.uint8, "u16": np.uint16, "s8": np.int8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "f32": np.float32,
         "f64": np.float64, "u32": np.uint32}
STAGE_FILES = {"native": "npz", "fp_optimized": "fp.npz", "quantized": "q.npz"}


def read_members(path):
    with tarfile.open(path) as t:
        return {m.name: t.extractfile(m).read() for m in t.getmembers() if m.isfile()}


def unpack_s4(data, shape):
    nibbles = np.stack([data & 15, data >> 4], -1).reshape(-1)[:int(np.prod(shape))].astype(np.int8)
    return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8).reshape(shape)


def resolve(stage_arrays, table, name):
    """One array by its full name: from its own npz, or as the table says (splat, packed type, same as one of another stage)."""
    entry = table.get(name)
    if entry is None:
        return stage_arrays("quantized")[name]
    shape = entry["shape"]
    if "same_as" in entry:
        data = stage_arrays(entry["same_as"]["stage"])[entry["same_as"]["array"]]
    else:
        data = stage_arrays("quantized")[name]
    if entry.get("splat"):
        if entry["dtype"] == "s4":
            data = unpack_s4(data.reshape(-1)[:1], (1,))
        return np.broadcast_to(data.reshape(()), shape)
    return unpack_s4(data, shape) if entry["dtype"] == "s4" else data.view(TYPES[entry["dtype"]]).reshape(shape)


def quantized_layers(path, layer_class):
    """Layers in topological order, inputs linked, arrays loaded."""
    members = read_members(path)
    name = next(m for m in members if m.endswith(".metadata.json"))[:-len(".metadata.json")]
    hn, metadata = json.loads(members[name + ".hn"]), json.loads(members[name + ".metadata.json"])
    assert hn["net_params"]["stage"] == "quantized", f"{path} is not quantized"
    loaded = {}

    def stage_arrays(stage):
        if stage not in loaded:
            loaded[stage] = np.load(io.BytesIO(members[f"{name}.{STAGE_FILES[stage]}"]))
        return loaded[stage]

    table = metadata["stages"]["quantized"].get("arrays", {})
    layers = {}
    for key, o in hn["layers"].items():
        shape = [1 if d == -1 else d for d in o["output_shapes"][0]]
        arrays = {a: resolve(stage_arrays, table, f"{key}/{a}:0") for a in o.get("arrays", [])}
        layers[key] = layer_class(key, o["type"], o["params"], arrays, o.get("quantization"), shape)
        layers[key].inputs = [layers[i] for i in o["input"]]
    return list(layers.values())
