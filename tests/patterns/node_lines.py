"""ONNX models from lines of text, one a node. The file itself is written by tests/models/onnx_file.py."""
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "models"))
import onnx_file  # noqa: E402


def parse_node(text, index):
    """"Op(attr=1; list=1,2; word=x) a b > c d": one node, named by its operator and its line."""
    words, outputs = text.rsplit(">", 1)
    attrs, outputs = {}, outputs.split()
    op = words.split("(")[0].split()[0] if "(" in words else words.split()[0]
    inputs = words[len(op):].strip()
    if inputs.startswith("("):
        inside, inputs = inputs[1:].split(")", 1)
        for part in inside.split(";"):
            key, v = (s.strip() for s in part.split("="))
            attrs[key] = parse_value(v)
    return onnx_file.node(op, ["" if i == "_" else i for i in inputs.split()], outputs, f"{op}_{index}", **attrs)


def parse_value(v):
    if "," in v and ">" not in v:
        return [int(i) for i in v.split(",") if i.strip()]
    try:
        return int(v)
    except ValueError:
        pass
    try:
        return float(v)
    except ValueError:
        return v.strip("'\"")


def blank(shape, dtype=np.float32):
    return np.broadcast_to(np.zeros((), dtype), shape)


def model(nodes, inputs, outputs, initializers, opset=17):
    """nodes: lines of parse_node; inputs: name -> (shape, dtype); outputs: name -> shape; initializers: name -> array."""
    lines = [line.strip() for line in nodes.replace("\n", "|").split("|") if line.strip()]
    graph = onnx_file.graph([parse_node(line, i) for i, line in enumerate(lines)], {k: blank(*v) for k, v in inputs.items()},
                            {k: blank(v) for k, v in outputs.items()}, initializers)
    return onnx_file.model(graph, opset, domains=())
