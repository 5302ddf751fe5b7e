"""Writes TFLite files byte by byte: a FlatBuffers writer of a screen, and models as plain lists. Used by the fuzzer's seeds and by the
tests of operators and of hostile files. Standard library only; slot numbers are those of the public schema.fbs."""
import struct

FLOAT32, FLOAT16, INT32, UINT8, INT64, BOOL, INT16, INT8 = 0, 1, 2, 3, 4, 6, 7, 9
# Builtin operator -> number of its options table, where it has one.
OPTIONS = {0: 11, 1: 5, 2: 10, 3: 1, 4: 2, 5: 94, 6: 38, 9: 8, 11: 12, 12: 5, 13: 13, 17: 5, 18: 21, 22: 17, 23: 15, 25: 9, 26: 19, 27: 6, 34: 22, 35: 31,
           36: 23, 39: 26, 40: 27, 41: 28, 42: 29, 43: 30, 44: 71, 45: 32, 46: 70, 52: 69, 53: 37, 56: 40, 67: 49, 74: 27, 79: 57, 81: 27, 82: 27, 83: 59, 85: 61,
           88: 64, 89: 27, 91: 27, 97: 74, 98: 75, 100: 77, 112: 87, 117: 91, 118: 92, 119: 93, 31: 16, 126: 101, 128: 102, 131: 105, 132: 106, 140: 27, 141: 106, 150: 116}
SIZES = {"b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}


class Writer:
    """Parents come before children, so that every offset points forward, as the format wants."""

    def __init__(self):
        self.out, self.done = bytearray(), {}

    def align(self, n, more=0):
        self.out += bytes(-(len(self.out) + more) % n)

    def refer(self, at, thing):
        place = self.done.get(id(thing))
        if place is None or place <= at:
            place = self.put(thing)
            self.done[id(thing)] = place
        struct.pack_into("<I", self.out, at, place - at)

    def put(self, thing):
        if isinstance(thing, dict):
            return self.table(thing)
        if isinstance(thing, (str, bytes)):
            data = thing.encode() if isinstance(thing, str) else thing
            self.align(16, 4)
            at = len(self.out)
            self.out += struct.pack("<I", len(data)) + data + b"\0"
            return at
        if isinstance(thing, list):  # of tables
            self.align(4)
            at = len(self.out)
            self.out += struct.pack("<I", len(thing)) + bytes(4 * len(thing))
            for i, child in enumerate(thing):
                self.refer(at + 4 + 4 * i, child)
            return at
        form, values = thing  # ("i", [1, 2, 3])
        self.align(8, 4)
        at = len(self.out)
        self.out += struct.pack(f"<I{len(values)}{form}", len(values), *values)
        return at

    def table(self, fields):
        """fields: slot -> (form, number) for scalars, else something to refer to."""
        fields = {k: v for k, v in fields.items() if v is not None}
        offsets, end = {}, 4
        for slot, v in fields.items():
            size = SIZES[v[0]] if isinstance(v, tuple) and not isinstance(v[1], (list, range)) else 4
            end += -end % size
            offsets[slot] = (end, size)
            end += size
        n = max(fields, default=-1) + 1
        self.align(8)
        vtable = len(self.out)
        self.out += struct.pack("<HH", 4 + 2 * n, end) + b"".join(struct.pack("<H", offsets.get(k, (0,))[0]) for k in range(n))
        self.align(8)
        at = len(self.out)
        self.out += struct.pack("<i", at - vtable) + bytes(end - 4)
        for slot, v in fields.items():
            where = at + offsets[slot][0]
            if isinstance(v, tuple) and not isinstance(v[1], (list, range)):
                struct.pack_into("<" + v[0], self.out, where, v[1])
            else:
                self.refer(where, v)
        return at


def tensor(name, shape, kind=FLOAT32, data=None, scales=None, zeros=None, axis=0, **extra):
    return dict(name=name, shape=shape, kind=kind, data=data, scales=scales, zeros=zeros, axis=axis, **extra)


def op(code, inputs, outputs, options=None, custom=None, custom_options=None):
    """options: slot -> (form, number); custom_options: bytes."""
    return dict(code=code, inputs=inputs, outputs=outputs, options=options, custom=custom, custom_options=custom_options)


def file(root, identifier=b"TFL3"):
    w = Writer()
    w.out += bytes(4) + identifier
    struct.pack_into("<I", w.out, 0, w.table(root))
    return bytes(w.out)


def graph_tree(tensors, ops, inputs, outputs, codes, buffers):
    trees = []
    for o in ops:
        key = (o["code"], o["custom"])
        if key not in codes:
            codes.append(key)
    for t in tensors:
        quantization = None
        if t["scales"] is not None:
            zeros = t["zeros"] if t["zeros"] is not None else [0] * len(t["scales"])
            quantization = {2: ("f", t["scales"]), 3: ("q", zeros), 6: ("i", t["axis"])}
        index = 0
        if t["data"] is not None:
            index = len(buffers)
            buffers.append({0: t["data"]})
        trees.append({0: ("i", t["shape"]), 1: ("b", t["kind"]), 2: ("I", t.get("buffer", index)), 3: t["name"], 4: quantization,
                      5: ("B", 1) if t.get("variable") else None})
    operators = [{0: ("I", codes.index((o["code"], o["custom"]))), 1: ("i", o["inputs"]), 2: ("i", o["outputs"]), 3: ("B", OPTIONS.get(o["code"], 0)),
                  4: o["options"] if o["options"] is not None else None, 5: o["custom_options"], 8: ("i", o["inner"]) if o.get("inner") else None} for o in ops]
    return {0: trees, 1: ("i", inputs), 2: ("i", outputs), 3: operators}


def model_tree(tensors, ops, inputs, outputs, version=3, buffers_first=True, others=()):
    """others: (tensors, ops, inputs, outputs) of further subgraphs."""
    codes, buffers = [], [{}]
    graphs = [graph_tree(*g, codes, buffers) for g in ((tensors, ops, inputs, outputs), *others)]
    return {0: ("I", version), 1: [{0: ("b", min(c, 127)), 1: custom, 3: ("i", c)} for c, custom in codes], 2: graphs, 4: buffers}


def model(tensors, ops, inputs, outputs, **more):
    return file(model_tree(tensors, ops, inputs, outputs, **more))


def flexbuffer(values):
    """The options of a custom operator: a FlexBuffers map of numbers, keys in order, values four bytes wide."""
    out, places = bytearray(), []
    keys = sorted(values)
    for key in keys:
        places.append(len(out))
        out += key.encode() + b"\0"
    out.append(len(keys))
    first_key = len(out)
    for i, place in enumerate(places):
        out.append(first_key + i - place)
    out += struct.pack("<III", len(out) - first_key, 1, len(keys))
    at = len(out)
    out += b"".join(struct.pack("<f" if isinstance(values[k], float) else "<i", values[k]) for k in keys)
    out += bytes((3 if isinstance(values[k], float) else 1) << 2 | 2 for k in keys)
    return bytes(out + bytes([len(out) - at, 9 << 2 | 2, 1]))


def floats(n, seed=1):
    """n small numbers of a fixed generator."""
    out = []
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        out.append((seed >> 8) % 2000 / 1000 - 1)
    return struct.pack(f"<{n}f", *out)


def bytes_of(n, seed=1):
    out = bytearray()
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        out.append((seed >> 16) % 255 + 1 & 255)
    return bytes(b if b != 128 else 1 for b in out)


def ints(*v):
    return struct.pack(f"<{len(v)}i", *v)
