"""ONNX files made byte by byte, for tests: nodes, float and integer initializers, attributes of integers, floats, strings and tensors."""
import struct

import numpy as np

TYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(np.bool_): 9, np.dtype(np.int32): 6}


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, v):
    return varint(field << 3) + varint(v)


def data(field, payload):
    payload = payload.encode() if isinstance(payload, str) else payload
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def tensor(name, a):
    a = np.asarray(a)
    return b"".join(number(1, d) for d in a.shape) + number(2, TYPES[a.dtype]) + data(8, name) + data(9, np.ascontiguousarray(a).tobytes())


def attribute(name, v):
    out = data(1, name)
    if isinstance(v, float):
        return out + varint(2 << 3 | 5) + struct.pack("<f", v) + number(20, 1)
    if isinstance(v, int):
        return out + number(3, v) + number(20, 2)
    if isinstance(v, str):
        return out + data(4, v) + number(20, 3)
    if isinstance(v, np.ndarray):
        return out + data(5, tensor("", v)) + number(20, 4)
    return out + b"".join(number(8, i) for i in v) + number(20, 7)


def port(name, shape, dtype):
    dims = b"".join(data(1, number(1, d)) for d in shape)
    return data(1, name) + data(2, data(1, number(1, TYPES[np.dtype(dtype)]) + data(2, dims)))


def parse_node(text, index):
    """"Op(attr=1; list=1,2; word=x) a b > c d": one node; the name is its first output's."""
    words, outputs = text.rsplit(">", 1)
    attrs, outputs = {}, outputs.split()
    op = words.split("(")[0].split()[0] if "(" in words else words.split()[0]
    inputs = words[len(op):].strip()
    if inputs.startswith("("):
        inside, inputs = inputs[1:].split(")", 1)
        for part in inside.split(";"):
            key, v = (s.strip() for s in part.split("="))
            attrs[key] = parse_value(v)
    body = b"".join(data(1, "" if i == "_" else i) for i in inputs.split()) + b"".join(data(2, o) for o in outputs)
    body += data(3, f"{op}_{index}") + data(4, op)
    return body + b"".join(data(5, attribute(k, v)) for k, v in attrs.items())


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


def model(nodes, inputs, outputs, initializers, opset=17):
    """nodes: lines of parse_node; inputs: name -> (shape, dtype); outputs: name -> shape; initializers: name -> array."""
    lines = [line.strip() for line in nodes.replace("\n", "|").split("|") if line.strip()]
    graph = b"".join(data(1, parse_node(line, i)) for i, line in enumerate(lines)) + data(2, "graph")
    graph += b"".join(data(5, tensor(k, v)) for k, v in initializers.items())
    graph += b"".join(data(11, port(k, s, t)) for k, (s, t) in inputs.items())
    graph += b"".join(data(12, port(k, s, np.float32)) for k, s in outputs.items())
    return number(1, 8) + data(7, graph) + data(8, number(2, opset))
