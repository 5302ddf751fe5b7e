#!/usr/bin/env python3
"""Broken TFLite files, one thing wrong each, and files of other formats: one clear error, which names it."""
import io
import pathlib
import pickle
import sys
import tempfile
import zipfile

import models

sys.path.insert(0, str(models.ROOT / "fuzz"))
import make_tflite_seeds  # noqa: E402

def field(number, content):
    """A protobuf field of bytes."""
    return bytes([number << 3 | 2]) + (bytes([len(content)]) if len(content) < 128 else bytes([len(content) & 127 | 128, len(content) >> 7])) + content


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


NODE = field(1, b"input") + field(2, b"Placeholder")
GRAPH = field(1, NODE) + field(1, field(1, b"y") + field(2, b"Relu"))
META = field(1, field(2, field(1, field(1, b"Add"))) + field(5, b"1.15.0")) + field(2, GRAPH)
LEVELDB = bytes.fromhex("57fb808b247547db")

# Files of other formats: content, what the message says, the conversion that helps from `parser tflite` and from `parser onnx`.
OTHERS = {
    "net.pt": (zipped(**{"net/data.pkl": pickle.dumps({}), "net/data/0": bytes(40)}), "a PyTorch file", "torch.onnx.export(model", "torch.onnx.export(model"),
    "script.pt": (zipped(**{"net/data.pkl": b"", "net/code/__torch__.py": b"", "net/constants.pkl": b""}), "TorchScript", "torch.jit.load", "torch.jit.load"),
    "net.pt2": (zipped(**{"archive_format": b"pt2", "models/model.json": b"{}"}), "a PyTorch file", "torch.onnx.export(model", "torch.onnx.export(model"),
    "old.pth": (pickle.dumps(0x1950a86a20f9469cfc6c, 2) + bytes(40), "pickle", "torch.onnx.export", "torch.onnx.export"),
    "new.pkl": (pickle.dumps({"a": 1}, 4), "pickle", "torch.onnx.export", "torch.onnx.export"),
    "net.keras": (zipped(**{"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b"\x89HDF"}), "Keras", "from_keras_model", "--keras"),
    "hand.task": (zipped(**{"hand.tflite": bytes(40)}), ".tflite files in it", "unzip", "unzip"),
    "saved.zip": (zipped(**{"saved/saved_model.pb": bytes(40)}), "SavedModel in it", "from_saved_model", "--saved-model"),
    "w.npz": (zipped(**{"a.npy": bytes(40)}), ".npz", "give the network", "give the network"),
    "any.zip": (zipped(readme=b""), "zip archive", "unpack", "unpack"),
    "net.h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5", "from_keras_model", "--keras"),
    "saved_model.pb": (b"\x08\x01" + field(2, META), "SavedModel", "from_saved_model", "--saved-model"),
    "frozen.pb": (GRAPH, "TensorFlow graph", "from_frozen_graph", "--graphdef"),
    "net.ckpt.meta": (META, ".meta of a checkpoint", "from_saved_model", "--checkpoint"),
    "net.ckpt.index": (bytes(40) + LEVELDB, "checkpoint", "from_saved_model", "--checkpoint"),
    "net.ckpt.data-00000-of-00001": (bytes(range(1, 200)), "part of a TensorFlow checkpoint", "from_saved_model", "--checkpoint"),
    "checkpoint": (b'model_checkpoint_path: "net.ckpt"\n', "checkpoint", "from_saved_model", "--checkpoint"),
    "net.pbtxt": (b'# made\n\nnode {\n  name: "x"\n}\n', ".pbtxt", "from_saved_model", "--saved-model"),
    "model.json": (b'{"format": "graph-model", "modelTopology": {}}', "TensorFlow.js", "made from", "made from"),
    "w.safetensors": (b"\x10" + bytes(7) + b'{"w": {}}' + bytes(20), "safetensors", "ONNX", "ONNX"),
    "llm.gguf": (b"GGUF" + bytes(40), "GGUF", "checkpoint", "checkpoint"),
    "net.pdmodel": (field(1, b"\x08\x00\x10" + b"\xff" * 9 + b"\x01" + field(3, b"x")), "PaddlePaddle", "paddle2onnx", "paddle2onnx"),
    "net.prototxt": (b'name: "net"\nlayer {\n}\n', "Caffe", "ONNX", "ONNX"),
    "net.hef": (b"\x01HEF" + bytes(40), "a HEF", "sluice run", "sluice run"),
    "lfs.tflite": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull", "git lfs pull"),
}
ONE_WAY = {
    "tf": {"net.onnx": (b"\x08\x08" + field(2, b"pytorch") + field(7, b""), "an ONNX model", "sluice parser onnx"),
           "net.txt": (b"hello, this is no model at all", "not a TFLite model", "from_saved_model")},
    "onnx": {"net.tflite": (b"\x1c\0\0\0TFL3" + bytes(20), "a TFLite model", "sluice parser tflite")},
}


def refused(path, data, words, hint="", verb="tf"):
    if data is not None:
        path.write_bytes(data)
    r = models.sluice("parser", verb, path, "--har-path", path.with_suffix(".har"), "--net-name", "net", check=False)
    good = r.returncode in (3, 4) and words in r.stderr and hint in r.stderr and str(path) in r.stderr and not path.with_suffix(".har").exists()
    lines = [line for line in r.stderr.splitlines() if not line.startswith("[info]")]
    if not good or (hint and len(lines) != 2):
        print(f"{path.name}: exit {r.returncode}, wanted '{words}' and '{hint}' in: {r.stderr}")
    return good and not (hint and len(lines) != 2)


def check_others(folder):
    results = []
    for name, (data, words, to_tflite, to_onnx) in OTHERS.items():
        results += [refused(folder / name, data, words, to_tflite, "tf"), refused(folder / name, data, words, to_onnx, "onnx")]
    for verb, files in ONE_WAY.items():
        results += [refused(folder / name, *what, verb) for name, what in files.items()]
    (folder / "saved").mkdir()
    (folder / "saved" / "saved_model.pb").write_bytes(OTHERS["saved_model.pb"][0])
    (folder / "bert").mkdir()
    (folder / "bert" / "config.json").write_text("{}")
    for verb in ("tf", "onnx"):
        results += [refused(folder / "saved", None, "folder of a TensorFlow SavedModel", "saved", verb), refused(folder / "bert", None, "Hugging Face", "optimum-cli", verb)]
    return results


def main():
    with tempfile.TemporaryDirectory() as t:
        folder = pathlib.Path(t)
        results = [refused(folder / name, data, words) for name, (data, words) in make_tflite_seeds.broken().items()] + check_others(folder)
    print(f"{sum(results)} of {len(results)} refused as they should be")
    return 0 if all(results) else 1


sys.exit(main())
