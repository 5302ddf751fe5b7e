#!/usr/bin/env python3
"""Operators and forms of them that ONNX's own vectors do not show, against NumPy: the files cases_*.py define them, test_onnx_nodes
runs them. Where onnxruntime is installed, the expected values are compared with it as well.

    onnx_ops_test.py TEST_ONNX_NODES FAMILY..."""
import importlib
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

import onnx_file as f


class Cases(list):
    """Each: name, model, inputs (name -> array, all given at run time), outputs (a text: the error that must come), whether
    onnxruntime defines it the same way."""

    def refuse(self, name, nodes, inputs, error, outputs=("y",), initializers=None, opset=18, functions=(), domains=("com.microsoft",)):
        g = f.graph(nodes, inputs, {k: None for k in outputs}, initializers)
        self.append((name, f.model(g, opset, domains, functions), inputs, error, False))

    def add(self, name, nodes, inputs, outputs, initializers=None, opset=18, functions=(), ort=True, domains=("com.microsoft",)):
        g = f.graph(nodes, inputs, {k: v for k, v in outputs.items()}, initializers)
        self.append((name, f.model(g, opset, domains, functions), inputs, outputs, ort))


def write(cases, path):
    with tarfile.open(path, "w") as tar:
        def put(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, model, inputs, outputs, _ in cases:
            put(f"{name}/model.onnx", model)
            for k, (n, x) in enumerate(inputs.items()):
                put(f"{name}/test_data_set_0/input_{k}.pb", f.tensor(n, x))
            if isinstance(outputs, str):
                put(f"{name}/error.txt", outputs.encode())
                continue
            for k, (n, x) in enumerate(outputs.items()):
                put(f"{name}/test_data_set_0/output_{k}.pb", f.tensor(n, x))


def compare_with_onnxruntime(cases):
    try:
        import onnxruntime as ort
    except ImportError:
        return 0
    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    bad = 0
    for name, model, inputs, outputs, same in cases:
        if not same:
            continue
        try:
            got = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, inputs)
        except Exception as e:  # an engine without a kernel says nothing about the value
            if "NOT_IMPLEMENTED" in str(e):
                continue
            print(f"FAIL {name}: onnxruntime: {e}")
            bad += 1
            continue
        for (n, want), g in zip(outputs.items(), got):
            want = np.asarray(want)
            # of 8-bit numbers it rounds ties by its own rules
            near = 1 if want.dtype.itemsize == 1 and want.dtype != bool else 1e-5
            if g.shape != want.shape or g.dtype != want.dtype or not np.allclose(g.astype(np.float64), want, rtol=1e-3, atol=near, equal_nan=True):
                print(f"FAIL {name}: onnxruntime's '{n}' differs: {g.dtype} {g.shape} {g.ravel()[:8]}, not {want.dtype} {want.shape} "
                      f"{want.ravel()[:8]}")
                bad += 1
    return bad


def main():
    program, failed = sys.argv[1], 0
    for family in sys.argv[2:]:
        cases = Cases()
        importlib.import_module("cases_" + family).make(cases)
        with tempfile.TemporaryDirectory() as t:
            path = pathlib.Path(t) / "cases.tar"
            write(cases, path)
            print(f"{family}: ", end="", flush=True)
            failed += subprocess.run([program, "-r", "-f", path]).returncode != 0
        failed += compare_with_onnxruntime(cases)
    return 1 if failed else 0


sys.exit(main())
