"""ONNX files of NumPy arrays, for tests that run where the onnx package is not installed; the bytes are those of fuzz/onnx_writer.py.

    graph([node("Add", ["x", "w"], ["y"])], inputs={"x": array}, outputs={"y": array}, initializers={"w": array})
"""
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fuzz"))
from onnx_writer import pb  # noqa: E402

TYPES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
         "float64": 11, "uint32": 12, "uint64": 13}


def integer(field, v):
    return pb(field, int(v))


def message(field, data):
    return pb(field, data)


def real(field, v):
    return pb(field, float(v))


def tensor(name, x):
    x = np.ascontiguousarray(x) if np.ndim(x) else np.asarray(x)
    out = b"".join(integer(1, d) for d in x.shape) + integer(2, TYPES[x.dtype.name])
    return out + message(8, name) + message(9, x.tobytes())


class Reference(str):
    """The value of an attribute inside a function: what the caller gives under this name."""


def attribute(name, v):
    out = message(1, name)
    if isinstance(v, Reference):
        return out + message(21, str(v)) + integer(20, 2)
    if isinstance(v, Graph):
        return out + message(6, v.bytes) + integer(20, 5)
    if isinstance(v, (bool, int, np.integer)):
        return out + integer(3, v) + integer(20, 2)
    if isinstance(v, float):
        return out + real(2, v) + integer(20, 1)
    if isinstance(v, str):
        return out + message(4, v) + integer(20, 3)
    if isinstance(v, np.ndarray):
        return out + message(5, tensor("", v)) + integer(20, 4)
    if all(isinstance(i, str) for i in v) and len(v):
        return out + b"".join(message(9, i) for i in v) + integer(20, 8)
    if any(isinstance(i, float) for i in v):
        return out + b"".join(real(7, i) for i in v) + integer(20, 6)
    return out + b"".join(integer(8, i) for i in v) + integer(20, 7)


def node(op, inputs, outputs, name="", domain="", **attributes):
    out = b"".join(message(1, i) for i in inputs) + b"".join(message(2, o) for o in outputs)
    out += message(3, name or outputs[0]) + message(4, op)
    out += b"".join(message(5, attribute(k, v)) for k, v in attributes.items())
    return out + (message(7, domain) if domain else b"")


def value_info(name, x):
    """x: an array, whose type and shape are declared, or None: nothing is."""
    if x is None:
        return message(1, name)
    x = np.asarray(x)
    shape = b"".join(message(1, integer(1, d)) for d in x.shape)
    return message(1, name) + message(2, message(1, integer(1, TYPES[x.dtype.name]) + message(2, shape)))


class Graph:
    def __init__(self, data):
        self.bytes = data


def graph(nodes, inputs=None, outputs=None, initializers=None):
    out = b"".join(message(1, n) for n in nodes) + message(2, "g")
    out += b"".join(message(5, tensor(k, v)) for k, v in (initializers or {}).items())
    out += b"".join(message(11, value_info(k, v)) for k, v in (inputs or {}).items())
    return Graph(out + b"".join(message(12, value_info(k, v)) for k, v in (outputs or {}).items()))


def function(domain, name, inputs, outputs, nodes, opset, attributes=()):
    out = message(1, name) + b"".join(message(4, i) for i in inputs) + b"".join(message(5, o) for o in outputs)
    out += b"".join(message(6, a) for a in attributes) + b"".join(message(7, n) for n in nodes)
    return out + message(9, integer(2, opset)) + message(10, domain)


def model(g, opset=18, domains=("com.microsoft",), functions=()):
    out = integer(1, 10) + message(7, g.bytes) + message(8, integer(2, opset))
    out += b"".join(message(8, message(1, d) + integer(2, 1)) for d in domains)
    return out + b"".join(message(25, f) for f in functions)
