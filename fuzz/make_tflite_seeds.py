#!/usr/bin/env python3
"""Writes small TFLite seed files, sound and broken: python3 fuzz/make_tflite_seeds.py FOLDER"""
import os
import struct
import sys

from tflite_writer import (BOOL, FLOAT16, FLOAT32, INT32, INT8, UINT8, bytes_of, file, flexbuffer, floats, ints, model, model_tree, op, tensor)


def image_net():
    """Convolutions, pools, pads and a classifier."""
    t = [tensor("x", [1, 8, 8, 3]), tensor("k", [4, 3, 3, 3], data=floats(108)), tensor("b", [4], data=floats(4)), tensor("c", [1, 4, 4, 4]),
         tensor("dk", [1, 3, 3, 4], data=floats(36)), tensor("d", [1, 4, 4, 4]), tensor("p", [4, 2], INT32, ints(0, 0, 1, 1, 1, 1, 0, 0)),
         tensor("e", [1, 6, 6, 4]), tensor("m", [1, 3, 3, 4]), tensor("a", [1, 1, 1, 4]), tensor("s", [2], INT32, ints(1, -1)),
         tensor("f", [1, 4]), tensor("w", [5, 4], data=floats(20)), tensor("g", [1, 5]), tensor("y", [1, 5])]
    o = [op(3, [0, 1, 2], [3], {0: ("b", 0), 1: ("i", 2), 2: ("i", 2), 3: ("b", 3)}),
         op(4, [3, 4, -1], [5], {0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1), 4: ("b", 1)}), op(34, [5, 6], [7]),
         op(17, [7], [8], {0: ("b", 1), 1: ("i", 2), 2: ("i", 2), 3: ("i", 2), 4: ("i", 2)}),
         op(1, [8], [9], {0: ("b", 1), 1: ("i", 3), 2: ("i", 3), 3: ("i", 3), 4: ("i", 3)}), op(22, [9, 10], [11]),
         op(9, [11, 12, -1], [13], {0: ("b", 0)}), op(25, [13], [14], {0: ("f", 1.0)})]
    return model(t, o, [0], [14])


def integer_net(kind=INT8, weights=INT8):
    z = 0 if kind == INT8 else 128
    t = [tensor("x", [1, 6, 6, 2], kind, scales=[0.1], zeros=[z - 3]),
         tensor("k", [4, 3, 3, 2], weights, bytes_of(72), [0.01, 0.02, 0.03, 0.04] if weights == INT8 else [0.02], None, 0),
         tensor("b", [4], INT32, ints(5, -6, 700, 0), [0.001], [0], 3), tensor("c", [1, 3, 3, 4], kind, scales=[0.05], zeros=[z - 128]),
         tensor("r", [1, 3, 3, 4], kind, bytes_of(36), [0.07], [z + 2]), tensor("a", [1, 3, 3, 4], kind, scales=[0.09], zeros=[z]),
         tensor("q", [1, 1, 1, 4], kind, scales=[0.09], zeros=[z]), tensor("n", [1, 3, 3, 4], kind, scales=[0.0078125], zeros=[z]),
         tensor("l", [1, 3, 3, 4], kind, scales=[1 / 256], zeros=[z - 128]), tensor("j", [1, 3, 3, 8], kind, scales=[0.0078125], zeros=[z])]
    o = [op(3, [0, 1, 2], [3], {0: ("b", 0), 1: ("i", 2), 2: ("i", 2), 3: ("b", 1)}), op(0, [3, 4], [5], {0: ("b", 0)}),
         op(1, [5], [6], {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 3), 4: ("i", 3)}), op(11, [5], [7]), op(14, [5], [8]),
         op(2, [7, 8], [9], {0: ("i", 3)})]
    return model(t, o, [0], [6, 9])


def shape_chain():
    t = [tensor("x", [1, 4, 4, 2]), tensor("s", [4], INT32), tensor("b", [1], INT32, ints(0)), tensor("e", [1], INT32, ints(1)),
         tensor("n", [], INT32), tensor("m", [], INT32, ints(-1)), tensor("p", [2], INT32), tensor("y", [1, 1])]
    o = [op(77, [0], [1], {0: ("b", 2)}), op(45, [1, 2, 3, 3], [4], {4: ("i", 1)}), op(83, [4, 5], [6], {0: ("i", 2), 1: ("i", 0)}),
         op(22, [0, 6], [7])]
    return model(t, o, [0], [7])


def moves():
    t = [tensor("x", [1, 4, 6, 4]), tensor("bs", [2], INT32, ints(2, 3)), tensor("z", [2, 2], INT32, ints(0, 0, 0, 0)), tensor("sb", [6, 2, 2, 4]),
         tensor("k", [1, 1, 1, 4], data=floats(4)), tensor("d", [6, 2, 2, 4]), tensor("u", [1, 4, 6, 4]), tensor("ax", [], INT32, ints(3)),
         tensor("h0", [1, 4, 6, 2]), tensor("h1", [1, 4, 6, 2]), tensor("pm", [4], INT32, ints(0, 3, 1, 2)), tensor("tr", [1, 2, 4, 6]),
         tensor("sz", [2], INT32, ints(8, 12)), tensor("up", [1, 8, 12, 2]), tensor("mp", [4, 2], INT32, ints(0, 0, 1, 1, 1, 1, 0, 0)),
         tensor("mi", [1, 10, 14, 2]), tensor("gi", [3], INT32, ints(1, 0, 5)), tensor("ga", [1, 3, 14, 2]), tensor("one", [1], INT32, ints(1)),
         tensor("me", [1, 14, 2])]
    o = [op(38, [0, 1, 2], [3]), op(4, [3, 4], [5], {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1)}), op(37, [5, 1, 2], [6]),
         op(49, [7, 6], [8, 9], {0: ("i", 2)}), op(39, [8, 10], [11]), op(23, [9, 12], [13], {3: ("B", 1)}), op(100, [13, 14], [15], {0: ("b", 1)}),
         op(36, [15, 16], [17], {0: ("i", 1)}), op(40, [17, 18], [19], {0: ("B", 0)})]
    return model(t, o, [0], [11, 19])


def lstm():
    gate = [tensor(f"w{i}", [3, 2], data=floats(6, i + 1)) for i in range(4)] + [tensor(f"r{i}", [3, 3], data=floats(9, i + 7)) for i in range(4)] + \
        [tensor(f"b{i}", [3], data=floats(3, i + 11)) for i in range(4)]
    t = [tensor("x", [1, 4, 2]), *gate, tensor("h", [1, 3], variable=True), tensor("c", [1, 3], variable=True), tensor("y", [1, 4, 3])]
    ins = [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -1, -1, 9, 10, 11, 12, -1, -1, 13, 14, -1, -1, -1, -1]
    return model(t, [op(44, ins, [15], {0: ("b", 4), 1: ("f", 10.0), 3: ("B", 0)})], [0], [15])


def half():
    t = [tensor("x", [1, 4]), tensor("h", [3, 4], FLOAT16, struct.pack("<12e", *[i / 8 for i in range(12)])), tensor("w", [3, 4]), tensor("f", [1, 3]),
         tensor("z", [1], data=floats(1)), tensor("y", [1, 3]), tensor("l", [1, 3], BOOL)]
    o = [op(6, [1], [2]), op(9, [0, 2, -1], [3], {0: ("b", 4)}), op(57, [3, 4], [5]), op(58, [5, 4], [6])]
    return model(t, o, [0], [5, 6])


# A detector of two scales: cells a side, boxes a cell; classes with background; what its post-process is told.
SCALES = [(8, 2), (4, 3)]
CLASSES = 5
OPTIONS = {"max_detections": 12, "max_classes_per_detection": 1, "nms_score_threshold": 0.25, "nms_iou_threshold": 0.5, "num_classes": CLASSES - 1,
           "y_scale": 8.0, "x_scale": 8.0, "h_scale": 4.0, "w_scale": 4.0}


def anchors():
    """y, x, height, width."""
    rows = []
    for scale, (cells, boxes) in enumerate(SCALES):
        for i in range(cells * cells):
            for k in range(boxes):
                rows += [(i // cells + 0.5) / cells, (i % cells + 0.5) / cells, 0.25 + 0.125 * k + scale, 0.5 + 0.125 * k]
    return rows


def detector(options):
    """An SSD with TFLite_Detection_PostProcess, which is told these bytes."""
    tensors = [tensor("image", [1, 32, 32, 3])]
    ops = []

    def add(*args, **more):
        tensors.append(tensor(*args, **more))
        return len(tensors) - 1

    def conv(name, source, cells, inputs, outputs, stride):
        w = add(f"{name}/w", [outputs, 3, 3, inputs], data=floats(outputs * 9 * inputs))
        b = add(f"{name}/b", [outputs], data=floats(outputs))
        y = add(name, [1, cells, cells, outputs])
        ops.append(op(3, [source, w, b], [y], {0: ("b", 0), 1: ("i", stride), 2: ("i", stride)}))
        return y

    def concat(name, parts, width):
        shaped = []
        for part, n in parts:
            y = add(f"{name}/{n}", [1, n, width])
            shape = add(f"{name}/{n}/shape", [3], INT32, ints(1, n, width))
            ops.append(op(22, [part, shape], [y], {}))
            shaped.append((y, n))
        y = add(name, [1, sum(n for _, n in shaped), width])
        ops.append(op(2, [t for t, _ in shaped], [y], {0: ("i", 1)}))
        return y

    features = [conv("stem", 0, 8, 3, 8, 4)]
    features.append(conv("next", features[0], 4, 8, 8, 2))
    boxes, scores = [], []
    for i, (cells, n) in enumerate(SCALES):
        boxes.append((conv(f"box;{i}", features[i], cells, 8, 4 * n, 1), cells * cells * n))
        scores.append((conv(f"class;{i}", features[i], cells, 8, CLASSES * n, 1), cells * cells * n))
    b, s = concat("boxes", boxes, 4), concat("classes", scores, CLASSES)
    y = add("scores", tensors[s]["shape"])
    ops.append(op(14, [s], [y], {}))
    rows = anchors()
    a = add("anchors", [len(rows) // 4, 4], data=struct.pack(f"<{len(rows)}f", *rows))
    outputs = [add(f"detection{i}", [1, 12]) for i in range(4)]
    ops.append(op(32, [b, y, a], outputs, custom="TFLite_Detection_PostProcess", custom_options=options))
    return model(tensors, ops, [0], outputs)


def loop(condition=1):
    """WHILE that adds x to a sum three times, and an IF on a known condition."""
    state = [tensor("n", [], INT32), tensor("sum", [1, 4]), tensor("x", [1, 4])]
    cond = ([*state, tensor("most", [], INT32, ints(3)), tensor("go", [], BOOL)], [op(58, [0, 3], [4])], [0, 1, 2], [4])
    body = ([*state, tensor("one", [], INT32, ints(1)), tensor("n2", [], INT32), tensor("sum2", [1, 4])],
            [op(0, [0, 3], [4], {0: ("b", 0)}), op(0, [1, 2], [5], {0: ("b", 0)})], [0, 1, 2], [4, 5, 2])
    branch = ([tensor("a", [1, 4]), tensor("b", [1, 4])], [op(19, [0], [1])], [0], [1])
    t = [tensor("x", [1, 4]), tensor("n", [], INT32, ints(0)), tensor("zero", [1, 4], data=bytes(16)), tensor("m", [], INT32), tensor("y", [1, 4]),
         tensor("same", [1, 4]), tensor("yes", [], BOOL, b"\1"), tensor("z", [1, 4])]
    o = [op(119, [1, 2, 0], [3, 4, 5], {0: ("i", condition), 1: ("i", 2)}), op(118, [6, 4], [7], {0: ("i", 3), 1: ("i", 3)})]
    return model(t, o, [0], [7], others=[cond, body, branch])


def broken():
    """Files with one thing wrong each: name -> (bytes, what the message says)."""
    x, y = tensor("x", [1, 4]), tensor("y", [1, 4])
    relu = op(19, [0], [1])
    tree = model_tree([x, y], [relu], [0], [1])
    no_graph = dict(tree)
    no_graph[2] = []
    sound = file(tree)
    return {
        "empty": (b"", "empty"),
        "identifier": (sound[:4] + b"TFL2" + sound[8:], "TFL3"),
        "root": (struct.pack("<I", 0x7ffffff0) + sound[4:], "offset"),
        "version": (model([x, y], [relu], [0], [1], version=2), "version 2"),
        "no_subgraph": (file(no_graph), "no subgraph"),
        "cycle": (model([x, y, tensor("t", [1, 4])], [op(0, [0, 1], [2]), op(19, [2], [1])], [0], [1]), "later operator"),
        "twice": (model([x, y], [relu, op(28, [0], [1])], [0], [1]), "made by two operators"),
        "tensor_index": (model([x, y], [op(19, [7], [1])], [0], [1]), "tensor 7 of 2"),
        "output_index": (model([x, y], [relu], [0], [9]), "tensor 9 of 2"),
        "buffer_index": (model([x, tensor("y", [1, 4], buffer=77)], [relu], [0], [1]), "buffer 77"),
        "unmade": (model([x, y, tensor("t", [1, 4])], [op(0, [0, 2], [1])], [0], [1]), "made by no operator"),
        "huge": (model([tensor("x", [2 ** 30, 2 ** 30]), y], [relu], [0], [1]), "larger than 2^46"),
        "negative": (model([tensor("x", [1, -7]), y], [relu], [0], [1]), "dimension 1 is -7"),
        "rank": (model([tensor("x", [1] * 9), y], [relu], [0], [1]), "at most 8"),
        "short_data": (model([x, y, tensor("k", [1, 4], data=floats(3))], [op(0, [0, 2], [1])], [0], [1]), "12 bytes"),
        "scale": (model([tensor("x", [1, 4], INT8, scales=[float("nan")]), y], [relu], [0], [1]), "scale"),
        "zero_points": (model([tensor("x", [1, 4], INT8, scales=[1.0, 1.0], zeros=[0, 0, 0]), y], [relu], [0], [1]), "zero points"),
        "channel_axis": (model([x, y, tensor("k", [1, 4], INT8, bytes_of(4), [1.0, 1.0], None, 7)], [op(0, [0, 2], [1])], [0], [1]), "axis 7"),
        "stride": (model([tensor("x", [1, 4, 4, 1]), tensor("k", [1, 1, 1, 1], data=floats(1)), y], [op(3, [0, 1], [2], {0: ("b", 0)})], [0], [2]),
                   "stride 0"),
        "window": (model([tensor("x", [1, 2, 2, 1]), y], [op(17, [0], [1], {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 3), 4: ("i", 3)})], [0], [1]),
                   "window of 3"),
        "channels": (model([tensor("x", [1, 4, 4, 5]), tensor("k", [1, 1, 1, 3], data=floats(3)), y],
                           [op(3, [0, 1], [2], {0: ("b", 0), 1: ("i", 1), 2: ("i", 1)})], [0], [2]), "does not fit 5 channels"),
        "reshape": (model([x, y, tensor("s", [2], INT32, ints(3, -1))], [op(22, [0, 2], [1])], [0], [1]), "cannot be reshaped"),
        "custom": (model([x, y, tensor("t", [1, 4])], [op(19, [0], [2]), op(32, [2], [1], custom="Magic")], [0], [1]), "custom operator"),
        "detection": (model([x, y], [op(32, [0], [1], custom="TFLite_Detection_PostProcess")], [0], [1]), "post-process"),
        "loop_itself": (loop(0), "subgraph 0"),
        "loop_nowhere": (loop(9), "subgraph 9"),
        "several": (model([x, y, tensor("t", [1, 4]), tensor("u", [1, 4])], [op(109, [0], [2]), op(103, [0], [3]), op(0, [2, 3], [1])], [0], [1]),
                    "2 unsupported operators"),
        "constant_output": (model([x, y, tensor("s", [1], 5, bytes(8))], [relu], [0], [1, 2]), "string"),
        "type": (model([tensor("x", [1, 4], 5), y], [relu], [0], [1]), "string"),
    }


def seeds():
    sound = {"image": image_net(), "integer": integer_net(), "unsigned": integer_net(UINT8, UINT8), "shapes": shape_chain(), "moves": moves(),
             "lstm": lstm(), "loop": loop(), "half": half(), "detector": detector(flexbuffer(OPTIONS))}
    return {**sound, **{"broken_" + k: v[0] for k, v in broken().items()}}


def main():
    folder = os.path.join(sys.argv[1], "tflite")
    os.makedirs(folder, exist_ok=True)
    for name, data in seeds().items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    with open(folder + ".list", "w") as f:
        f.write(",".join(os.path.join(folder, name) for name in seeds()))


if __name__ == "__main__":
    main()
