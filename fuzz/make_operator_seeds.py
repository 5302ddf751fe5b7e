#!/usr/bin/env python3
"""Writes small models of one operator each, for every row of the operator tables: python3 fuzz/make_operator_seeds.py SOURCE FOLDER

Some are sound and some are not: the seeds put each operator's reader before the fuzzer, with inputs that are computed, float constants or
integer constants. Standard library only."""
import os
import re
import struct
import sys

import tflite_writer as tfl
from onnx_writer import onnx_floats, onnx_ints, onnx_model, onnx_node, onnx_tensor, onnx_value

OPSETS = (8, 12, 17, 21)
ATTRIBUTES = {
    "AveragePool": dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]), "Cast": dict(to=7), "Concat": dict(axis=1),
    "DepthToSpace": dict(blocksize=2), "SpaceToDepth": dict(blocksize=2), "Einsum": dict(equation="abcd,abed->ace"), "Gather": dict(axis=2),
    "GRU": dict(hidden_size=3), "LSTM": dict(hidden_size=3), "RNN": dict(hidden_size=3), "LpPool": dict(kernel_shape=[2, 2]),
    "LRN": dict(size=3), "MaxPool": dict(kernel_shape=[3, 3], dilations=[2, 2]), "MaxUnpool": dict(kernel_shape=[2, 2]),
    "Softmax": dict(axis=-1), "Split": dict(axis=1, num_outputs=2), "Transpose": dict(perm=[0, 2, 3, 1]), "Upsample": dict(scales=[1.0, 1.0, 2.0, 2.0]),
    "GroupNormalization": dict(num_groups=2), "Resize": dict(mode="cubic"), "Pad": dict(mode="reflect"), "Conv": dict(pads=[1, 1, 1, 1], group=2),
}
SHAPE, COUNT = [1, 4, 6, 6], 144
CONSTANTS = {  # what an input past the first may be: name -> (initializer, shape of the graph input or None)
    "computed": (None, SHAPE), "kernel": (onnx_floats("{}", 4, 4, 3, 3), None), "channels": (onnx_floats("{}", 4), None),
    "scalar": (onnx_tensor("{}", [], 1, struct.pack("<f", 2)), None), "ints": (onnx_ints("{}", 1, 1, 2, 2), None), "axis": (onnx_ints("{}", 1), None),
}


def rows(source, path, pattern):
    with open(os.path.join(source, path), encoding="utf-8") as f:
        found = re.findall(pattern, f.read(), re.M)
    assert found, path
    return found


def onnx_seed(name, domain, count, kind, opset):
    nodes_inputs, inputs, initializers = ["x"], [onnx_value("x", SHAPE)], []
    for k in range(1, count):
        port = "i%d" % k
        constant, shape = CONSTANTS[kind]
        nodes_inputs.append(port)
        if shape:
            inputs.append(onnx_value(port, shape))
        else:
            initializers.append(constant.replace(b"{}", port.encode()))
    node = onnx_node(name, nodes_inputs[:count], ["y"], domain, **ATTRIBUTES.get(name, {}))
    return onnx_model([node], inputs, [onnx_value("y", SHAPE)], initializers, opset)


def onnx_seeds(source):
    pattern = r'^ONNX\("([\w.]*)",\s*"(\w+)",\s*(\d+),\s*(\d+),\s*(-?\d+),\s*(-?\d+)'
    for number, (domain, name, first, last, least, most) in enumerate(rows(source, "src/onnx/onnx_ops.def", pattern)):
        opset = min(max(OPSETS[number % len(OPSETS)], int(first)), int(last))
        counts = sorted({int(least), min(6, int(least) + 2 if int(most) < 0 else int(most))})
        for count in counts:
            for kind in CONSTANTS if count > 1 else ("computed",):
                yield "%s_%s%d_%s" % (name, first, count, kind), onnx_seed(name, domain, count, kind, opset)


OPTIONS = (None, {0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("i", 2), 4: ("i", 2)}, {0: ("i", 1), 1: ("b", 1)}, {0: ("b", 1), 1: ("b", 1), 2: ("f", 0.5)})


def tflite_seed(code, count, kind, options):
    scales = {} if kind in ("computed", "kernel", "ints") else dict(scales=[0.05], zeros=[3])
    dtype = tfl.INT8 if scales else tfl.FLOAT32
    shape = [1, 6, 6, 4]
    tensors = [tfl.tensor("x", shape, dtype, **scales)]
    for k in range(1, count):
        if kind == "ints":
            tensors.append(tfl.tensor("i%d" % k, [2], tfl.INT32, tfl.ints(1, 2)))
        elif kind == "kernel":
            tensors.append(tfl.tensor("i%d" % k, [4, 3, 3, 4] if k == 1 else [4], data=tfl.floats(COUNT if k == 1 else 4)))
        elif kind == "integer_kernel" and k == 1:
            tensors.append(tfl.tensor("i1", [4, 3, 3, 4], tfl.INT8, tfl.bytes_of(COUNT), [0.1, 0.2, 0.3, 0.4], None, 0))
        else:
            tensors.append(tfl.tensor("i%d" % k, shape, dtype, **scales))
    computed = [0] + [k for k in range(1, count) if tensors[k]["data"] is None]
    tensors.append(tfl.tensor("y", shape, dtype, **scales))
    return tfl.model(tensors, [tfl.op(code, list(range(count)), [count], OPTIONS[options])], computed, [count])


def tflite_seeds(source):
    pattern = r'^TFL\(\s*(\d+),\s*"(\w+)",\s*(-?\d+),\s*(-?\d+)'
    for number, (code, name, least, most) in enumerate(rows(source, "src/tflite/tflite_ops.def", pattern)):
        count = max(1, min(6, int(least) + 1 if int(most) < 0 else int(most)))
        for kind in ("computed", "kernel", "ints", "integers", "integer_kernel"):
            for options in (0, 1 + number % (len(OPTIONS) - 1)):
                yield "%s_%s_%d" % (name, kind, options), tflite_seed(int(code), count, kind, options)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for name, make in (("onnx", onnx_seeds), ("tflite", tflite_seeds)):
        folder = os.path.join(sys.argv[2], name)
        os.makedirs(folder, exist_ok=True)
        for seed, data in make(sys.argv[1]):
            with open(os.path.join(folder, seed), "wb") as f:
                f.write(data)


main()
