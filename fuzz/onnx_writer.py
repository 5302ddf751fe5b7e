"""Writes ONNX files byte by byte: protobuf fields, and nodes, tensors and graphs as plain calls. Used by the fuzzers' seeds. Standard library
only; field numbers are those of the public onnx.proto."""
import struct


def pb_varint(v):
    v &= (1 << 64) - 1
    out = bytearray()
    while v >= 128:
        out.append(v & 127 | 128)
        v >>= 7
    return bytes(out + bytes([v]))


def pb(number, value):
    """int: varint; float: fixed 32; str, bytes: length-delimited."""
    if isinstance(value, int):
        return pb_varint(number << 3) + pb_varint(value)
    if isinstance(value, float):
        return pb_varint(number << 3 | 5) + struct.pack('<f', value)
    value = value.encode() if isinstance(value, str) else value
    return pb_varint(number << 3 | 2) + pb_varint(len(value)) + value


def pbs(number, values):
    return b''.join(pb(number, v) for v in values)


def onnx_tensor(name, dims, data_type=1, raw=None, typed=b''):
    return pbs(1, dims) + pb(2, data_type) + pb(8, name) + (pb(9, raw) if raw is not None else b'') + typed


def onnx_floats(name, *dims):
    count = 1
    for d in dims:
        count *= d
    return onnx_tensor(name, dims, 1, struct.pack('<%df' % count, *[(i % 7 - 3) / 4 for i in range(count)]))


def onnx_ints(name, *values):
    return onnx_tensor(name, [len(values)], 7, struct.pack('<%dq' % len(values), *values))


def onnx_attr(name, value):
    if isinstance(value, int):
        return pb(1, name) + pb(3, value) + pb(20, 2)
    if isinstance(value, float):
        return pb(1, name) + pb(2, value) + pb(20, 1)
    if isinstance(value, str):
        return pb(1, name) + pb(4, value) + pb(20, 3)
    if isinstance(value, bytes):  # a graph
        return pb(1, name) + pb(6, value) + pb(20, 5)
    return pb(1, name) + pbs(8, value) + pb(20, 7)


def onnx_node(op, inputs, outputs, domain='', **attrs):
    return (pbs(1, inputs) + pbs(2, outputs) + pb(3, op + '_' + outputs[0]) + pb(4, op) +
            b''.join(pb(5, onnx_attr(k, v)) for k, v in attrs.items()) + (pb(7, domain) if domain else b''))


def onnx_value(name, dims, data_type=1):
    shape = b''.join(pb(1, pb(2, d) if isinstance(d, str) else pb(1, d)) for d in dims)
    return pb(1, name) + pb(2, pb(1, pb(1, data_type) + pb(2, shape)))


def onnx_graph(nodes, inputs, outputs, initializers=(), more=b''):
    return pbs(1, nodes) + pb(2, 'g') + pbs(5, initializers) + pbs(11, inputs) + pbs(12, outputs) + more


def onnx_model(nodes, inputs, outputs, initializers=(), opset=17, more=b'', more_graph=b''):
    return (pb(1, 8) + pb(2, 'seeds') + pb(7, onnx_graph(nodes, inputs, outputs, initializers, more_graph)) +
            pb(8, pb(1, '') + pb(2, opset)) + more)
