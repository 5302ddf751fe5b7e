"""Stands in for ONNX Runtime where it is not installed, so that the way of `--compare` is tested everywhere: the part of the file that is cut
out, what is fed, which outputs are taken, exit codes. The engine is sluice itself on the file that it is given; whether sluice's numbers are
right is not asked here (tests/models has goldens of the real engine)."""
import json
import os
import pathlib
import subprocess
import tempfile
import types

import numpy as np


class SessionOptions:
    log_severity_level = 0


class InferenceSession:
    def __init__(self, path, options=None, providers=None):
        self.folder = tempfile.TemporaryDirectory(prefix="stand-in-")
        self.har = pathlib.Path(self.folder.name) / "net.har"
        self.call("parser", "onnx", path, "--har-path", self.har, "--net-name", "net", "-y", "-q")
        self.info = json.loads(self.call("har", "info", self.har, "--json"))

    @staticmethod
    def call(*args):
        return subprocess.run([os.environ["SLUICE"], *map(str, args)], check=True, capture_output=True, text=True).stdout

    def get_inputs(self):
        return [types.SimpleNamespace(name=i["origin_name"], type="tensor(float)") for i in self.info["inputs"]]

    def get_outputs(self):
        return [types.SimpleNamespace(name=o["origin_name"]) for o in self.info["outputs"]]

    def run(self, wanted, feeds):
        folder, args = pathlib.Path(self.folder.name), []
        layers = {i["origin_name"]: i["name"] for i in self.info["inputs"]}
        for k, (name, value) in enumerate(feeds.items()):
            np.save(folder / f"{k}.npy", value)
            args += ["-i", f"{layers[name].split('/')[-1]}={folder}/{k}.npy"]
        self.call("emulate", self.har, "--mode", "native", "--origin-layout", *args, "-o", folder / "out", "-q")
        files = {o["origin_name"]: o["file"] for o in json.loads((folder / "out" / "index.json").read_text())["outputs"]}
        return [np.load(folder / "out" / files[name]) for name in wanted]
