"""Just enough of FlatBuffers to see what a TFLite file holds, for tests that compute a model again."""
import struct

import numpy as np

TYPES = {0: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 7: np.int16, 9: np.int8}


class Table:
    """Just enough of FlatBuffers to see which tensors an operator reads."""

    def __init__(self, data, at):
        self.data, self.at = data, at
        self.vtable = at - self.int(at)
        self.slots = (struct.unpack_from("<H", data, self.vtable)[0] - 4) // 2

    def int(self, at):
        return struct.unpack_from("<i", self.data, at)[0]

    def follow(self, slot):
        offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * slot)[0] if slot < self.slots else 0
        return self.at + offset + self.int(self.at + offset) if offset else 0

    def ints(self, slot):
        at = self.follow(slot)
        return [self.int(at + 4 + 4 * i) for i in range(self.int(at))] if at else []

    def scalar(self, slot, form):
        offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * slot)[0] if slot < self.slots else 0
        return struct.unpack_from(form, self.data, self.at + offset)[0] if offset else 0

    def numbers(self, slot, dtype):
        at = self.follow(slot)
        return np.frombuffer(self.data, dtype, self.int(at), at + 4) if at else np.zeros(0, dtype)

    def tables(self, slot):
        at = self.follow(slot)
        return [Table(self.data, at + 4 + 4 * i + self.int(at + 4 + 4 * i)) for i in range(self.int(at))]

    def text(self, slot):
        at = self.follow(slot)
        return self.data[at + 4:at + 4 + self.int(at)].decode() if at else ""


def read_graph(path):
    data = path.read_bytes()
    root = Table(data, struct.unpack_from("<i", data, 0)[0])
    graph = root.tables(2)[0]
    return [t.text(3) for t in graph.tables(0)], graph.ints(1), [(o.ints(1), o.ints(2)) for o in graph.tables(3)]


def read_tensor(path, index):
    """(values or None, scales, zero points) of a tensor of the first subgraph."""
    data = path.read_bytes()
    root = Table(data, struct.unpack_from("<i", data, 0)[0])
    t = root.tables(2)[0].tables(0)[index]
    quantization = t.follow(4)
    q = Table(data, quantization) if quantization else None
    scales, zeros = (q.numbers(2, "<f4"), q.numbers(3, "<i8")) if q else ((), ())
    values = root.tables(4)[t.scalar(2, "<I")].numbers(0, "u1")
    if not values.size:
        return None, scales, zeros
    return values.view(TYPES[t.scalar(1, "b")]).reshape(t.ints(0)), scales, zeros
