"""Sequences and optional values, functions with inputs left out, matrices made from numbers."""
import numpy as np

from onnx_file import function, graph, node

rng = np.random.default_rng(14)


def values(*shape):
    return np.round(rng.uniform(-3, 3, shape), 1).astype(np.float32)


def make_sequences(cases):
    a, b, c = values(2, 3), values(2, 3), values(2, 3)
    three = {"a": a, "b": b, "c": c}
    build = node("SequenceConstruct", ["a", "b"], ["s"])
    cases.add("sequence_concat", [node("SequenceConstruct", ["a", "b", "c"], ["s"]), node("ConcatFromSequence", ["s"], ["y"], axis=1)], three,
              {"y": np.concatenate([a, b, c], 1)}, opset=11)
    for axis in (0, 2, -1):
        cases.add(f"sequence_stack_{axis}", [node("SequenceConstruct", ["a", "b", "c"], ["s"]),
                                             node("ConcatFromSequence", ["s"], ["y"], axis=axis, new_axis=1)], three,
                  {"y": np.stack([a, b, c], axis)}, opset=11)
    cases.add("sequence_edit", [build, node("SequenceInsert", ["s", "c", "one"], ["t"]), node("SequenceErase", ["t", "zero"], ["u"]),
                                node("SequenceInsert", ["u", "a"], ["v"]), node("SequenceAt", ["v", "last"], ["y"]),
                                node("ConcatFromSequence", ["v"], ["z"], axis=0), node("SequenceLength", ["v"], ["n"]),
                                node("Cast", ["n"], ["f"], to=1), node("Add", ["a", "f"], ["w"])], three,
              {"y": a, "z": np.concatenate([c, b, a]), "w": a + 3}, {"one": np.array(1), "zero": np.array(0), "last": np.array(-1)}, opset=11)
    x = values(5, 2)
    for name, split, parts in (("each", None, [x[i:i + 1] for i in range(5)]), ("two", np.array(2), [x[:2], x[2:4], x[4:]]),
                               ("list", np.array([1, 3, 1]), [x[:1], x[1:4], x[4:]])):
        for keep in (0, 1):
            if split is None and not keep:
                parts = [p[0] for p in parts]
            for at in range(len(parts)):
                cases.add(f"sequence_split_{name}_{keep}_{at}",
                          [node("SplitToSequence", ["x"] + (["split"] if split is not None else []), ["s"], axis=0, keepdims=keep),
                           node("SequenceAt", ["s", "at"], ["p"]), node("Neg", ["p"], ["y"])], {"x": x}, {"y": -parts[at]},
                          dict({"at": np.array(at)}, **({"split": split} if split is not None else {})), opset=11,
                          ort=keep == 1 or name != "two")
            if split is None:
                parts = [x[i:i + 1] for i in range(5)]
    # the way exporters write a list that grows in a loop
    body = graph([node("Cast", ["i"], ["f"], to=1), node("Mul", ["x", "f"], ["p"]), node("SequenceInsert", ["s", "p"], ["t"]),
                  node("Identity", ["c"], ["again"])], {"i": np.int64(0), "c": np.array(True), "s": None}, {"again": None, "t": None})
    cases.add("sequence_in_loop", [node("SequenceEmpty", [], ["e"]), node("Loop", ["n", "", "e"], ["s"], body=body),
                                   node("ConcatFromSequence", ["s"], ["y"], axis=0)], {"x": x}, {"y": np.concatenate([x * i for i in range(3)])},
              {"n": np.int64(3)}, opset=13, ort=False)
    body = graph([node("Mul", ["e", "o"], ["m"]), node("Add", ["m", "w"], ["r"])], {"e": None, "o": None, "w": None}, {"r": None})
    cases.add("sequence_map", [build, node("SequenceConstruct", ["c", "a"], ["t"]), node("SequenceMap", ["s", "t", "w"], ["r"], body=body),
                               node("ConcatFromSequence", ["r"], ["y"], axis=0)], dict(three, w=values(3)),
              {"y": None}, opset=17)
    name, model, inputs, outputs, _ = cases.pop()
    outputs["y"] = np.concatenate([a * c + inputs["w"], b * a + inputs["w"]])
    cases.append((name, model, inputs, outputs, False))
    cases.refuse("sequence_output", [node("SequenceConstruct", ["a", "b"], ["y"], name="list")], {"a": a, "b": b},
                 "node 'list' (SequenceConstruct): output 'y' is a sequence", opset=11)
    cases.refuse("sequence_read", [build, node("Relu", ["s"], ["y"], name="act")], {"a": a, "b": b}, "node 'act' (Relu): input 's' is a sequence")
    cases.refuse("sequence_position", [build, node("SequenceAt", ["s", "i"], ["y"], name="pick")], {"a": a, "b": b}, "is not one number in -2..1",
                 initializers={"i": np.array(2)})
    cases.refuse("sequence_run_time", [build, node("SequenceAt", ["s", "i"], ["y"], name="pick")], {"a": a, "b": b, "i": np.array(1)},
                 "node 'pick' (SequenceAt): input 'i' (position) is computed at run time")


def make_optionals(cases):
    x = values(3)
    then, other = graph([node("Neg", ["x"], ["t"])], outputs={"t": None}), graph([node("Abs", ["x"], ["e"])], outputs={"e": None})
    cases.add("optional", [node("Optional", ["x"], ["o"]), node("OptionalHasElement", ["o"], ["h"]),
                           node("If", ["h"], ["y"], then_branch=then, else_branch=other), node("OptionalGetElement", ["o"], ["g"]),
                           node("Exp", ["g"], ["z"])], {"x": x}, {"y": -x, "z": np.exp(x)}, opset=18, ort=False)
    cases.add("optional_nothing", [node("OptionalHasElement", [""], ["h"]), node("If", ["h"], ["y"], then_branch=then, else_branch=other)], {"x": x},
              {"y": np.abs(x)}, opset=18, ort=False)
    # a function whose caller leaves inputs out: it passes them on
    clip = function("own", "Limit", ["x", "lo", "hi"], ["y"], [node("Clip", ["x", "lo", "hi"], ["y"])], 18)
    outer = function("own", "Twice", ["x", "hi"], ["y"], [node("Limit", ["x", "", "hi"], ["t"], domain="own"), node("Mul", ["t", "t"], ["y"])], 18)
    cases.add("function_left_out", [node("Twice", ["x", "h"], ["y"], domain="own"), node("Twice", ["x"], ["z"], domain="own")], {"x": x},
              {"y": np.minimum(x, 1) ** 2, "z": x * x}, {"h": np.float32(1)}, functions=[clip, outer], domains=("own",), ort=False)


def make_matrices(cases):
    for n in (1, 2, 3, 4):
        x = values(2, n, n)
        cases.add(f"det_{n}", [node("Det", ["x"], ["y"])], {"x": x}, {"y": np.linalg.det(x.astype(np.float64)).astype(np.float32)}, opset=11)
    x = values(6, 6)
    cases.add("det_constant", [node("Det", ["w"], ["d"]), node("Mul", ["d", "x"], ["y"])], {"x": np.float32([1.5])},
              {"y": (1.5 * np.linalg.det(x.astype(np.float64))).reshape(1).astype(np.float32)}, {"w": x})
    cases.refuse("det_large", [node("Det", ["x"], ["y"], name="det")], {"x": x}, "node 'det' (Det): a matrix of 6 rows")
    # corners at equal steps of mel: 8 bins over 0..4 kHz
    low, high = 0.0, 2595 * np.log10(1 + 4000 / 700)
    corners = np.floor(17 * (700 * (10 ** ((low + np.arange(10) * (high - low) / 10) / 2595) - 1)) / 8192).astype(int)
    want = np.zeros((9, 8), np.float32)
    for i in range(8):
        left, top, right = corners[i:i + 3]
        for j in range(9):
            if left <= j <= top and top > left:
                want[j, i] = (j - left) / (top - left)
            if top <= j < right:
                want[j, i] = (right - j) / (right - top)
        if left == top:
            want[top, i] = 1
    numbers = {"n": np.array(8), "d": np.array(16), "r": np.array(8192), "lo": np.float32(0), "hi": np.float32(4000)}
    x = values(2, 9)
    cases.add("mel", [node("MelWeightMatrix", ["n", "d", "r", "lo", "hi"], ["m"]), node("MatMul", ["x", "m"], ["y"])], {"x": x}, {"y": x @ want}, numbers)


def make_repeats(cases):
    x = values(2, 3, 4)
    for axis, times in ((1, 70), (2, 100), (0, 65), (1, 2), (1, 0)):
        repeats = np.ones(3, np.int64)
        repeats[axis] = times
        cases.add(f"tile_{axis}_{times}", [node("Tile", ["x", "r"], ["y"])], {"x": x}, {"y": np.tile(x, repeats)}, {"r": repeats})
    cases.refuse("tile_too_often", [node("Tile", ["x", "r"], ["y"], name="tile")], {"x": x}, "node 'tile' (Tile): repeats 1048577 is outside 0..1048576",
                 initializers={"r": np.array([1, 1048577, 1])})
    # parts that hold nothing still tell how wide the whole is
    nothing = np.zeros((0, 2, 1), np.int64)
    cases.add("scatter_nothing", [node("Concat", ["i", "i", "i"], ["t"], axis=-1), node("ScatterND", ["x", "t", "u"], ["y"])], {"x": x}, {"y": x},
              {"i": nothing, "u": np.zeros((0, 2), np.float32)})
    cases.add("concat_nothing", [node("Concat", ["n", "x", "n"], ["y"], axis=1)], {"x": x}, {"y": x}, {"n": np.zeros((2, 0, 4), np.float32)})
    part = values(2, 2, 4)
    cases.add("scatter_box", [node("ScatterND", ["x", "t", "p"], ["y"])], {"x": x, "p": part}, {"y": np.concatenate([x[:, :1], part], 1)},
              {"t": np.array([[[i, j] for j in (1, -1)] for i in (0, 1)])})
    cases.refuse("scatter_outside", [node("ScatterND", ["x", "t", "p"], ["y"], name="put")], {"x": x, "p": part},
                 "node 'put' (ScatterND): index 3 of tuple 1 is outside an axis of 3", initializers={"t": np.array([[[i, j] for j in (1, 3)] for i in (0, 1)])})
    at, some = np.array([[[1, 0, 1, 2]], [[0, -1, 2, 1]]]), values(2, 1, 4)
    put = x.copy()
    np.put_along_axis(put, at, some, 1)
    cases.add("elements_along", [node("ScatterElements", ["x", "t", "p"], ["y"], axis=1)], {"x": x, "p": some}, {"y": put}, {"t": at})
    cases.add("elements_box", [node("ScatterElements", ["x", "t", "p"], ["y"], axis=1)], {"x": x, "p": some}, {"y": np.concatenate([x[:, :2], some], 1)},
              {"t": np.full((2, 1, 4), 2)})
    cases.refuse("elements_outside", [node("ScatterElements", ["x", "t", "p"], ["y"], axis=1, name="put")], {"x": x, "p": some},
                 "node 'put' (ScatterElements): index 3 of tuple 0 is outside an axis of 3", initializers={"t": np.full((2, 1, 4), 3)})
    # of equal tuples the last wins, of sums each counts
    rows, twice = values(3, 4), np.array([[0, 1], [1, 2], [0, 1]])
    put, added = x.copy(), np.zeros((2, 3, 4), np.float32)
    put[0, 1], put[1, 2] = rows[2], rows[1]
    added[0, 1], added[1, 2] = rows[0] + rows[2], rows[1]
    cases.add("scatter_twice", [node("ScatterND", ["x", "t", "p"], ["y"])], {"x": x, "p": rows}, {"y": put}, {"t": twice}, ort=False)
    cases.add("scatter_sum", [node("ScatterND", ["z", "t", "p"], ["y"], reduction="add")], {"p": rows}, {"y": added},
              {"t": twice, "z": np.zeros((2, 3, 4), np.float32)})
    cases.add("scatter_sum_once", [node("ScatterND", ["z", "t", "p"], ["y"], reduction="add")], {"p": rows[:2]},
              {"y": np.concatenate([added[:1] * 0, added[1:]]) + np.float32(np.arange(2)[:, None, None] == 0) * np.eye(3, dtype=np.float32)[1][:, None] * rows[0]},
              {"t": twice[:2], "z": np.zeros((2, 3, 4), np.float32)})


def standardized(x, axes, scale, bias):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    shape = [1, -1] + [1] * (x.ndim - 2)
    return ((x - mean) / np.sqrt(variance + 1e-5) * scale.reshape(shape) + bias.reshape(shape)).astype(np.float32)


def make_statistics(cases):
    """Batch normalization by the batch: of a picture, and, as exporters standardize weights, of a constant."""
    x, scale, bias, mean, variance = values(2, 3, 4, 5), values(3), values(3), values(3), np.abs(values(3))
    given = {"s": scale, "b": bias, "m": mean, "v": variance}
    train = node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "rm", "rv"], training_mode=1, momentum=0.75)
    cases.add("batch_norm_training", [train], {"x": x}, {"y": standardized(x, (0, 2, 3), scale, bias), "rm": 0.75 * mean + 0.25 * x.mean((0, 2, 3)),
                                                        "rv": 0.75 * variance + 0.25 * x.var((0, 2, 3))}, given, opset=15, ort=False)
    w = values(3, 4)
    cases.add("weights_by_training", [node("Reshape", ["w", "row"], ["r"]), node("BatchNormalization", ["r", "s", "b", "m", "v"], ["n"], training_mode=1),
                                      node("Reshape", ["n", "back"], ["k"]), node("MatMul", ["k", "z"], ["y"])], {"z": (z := values(4, 6))},
              {"y": standardized(w[None], (0, 2), scale, bias)[0] @ z}, dict(given, w=w, row=np.array([1, 3, -1]), back=np.array([3, 4])), opset=17, ort=False)


def make_fixed_gathers(cases):
    """Positions that are known: one list for all heads, a list a head, and what is the tensor itself."""
    x, n = values(3, 4, 5), 4
    shared = np.broadcast_to((np.arange(4)[:, None] + np.arange(n)) % 5, (3, 4, n))
    own = shared.copy()
    own[1] = own[1, :, ::-1] - 5
    for name, k, axis in (("shared", shared, 2), ("own", own, -1), ("rows", own % 4, 1), ("first", own[:2] % 3, 0), ("part", shared[:, :2], 2)):
        cases.add(f"gather_elements_{name}", [node("GatherElements", ["x", "k"], ["y"], axis=axis)], {"x": x},
                  {"y": np.take_along_axis(x[:, :k.shape[1], :k.shape[2]] if axis == 0 else x[:k.shape[0], :, :k.shape[2]] if axis == 1 else x[:k.shape[0], :k.shape[1]], k, axis)},
                  {"k": np.int64(k)})
    cases.refuse("gather_elements_outside", [node("GatherElements", ["x", "k"], ["y"], axis=2, name="pick")], {"x": x},
                 "node 'pick' (GatherElements): index 5 is outside an axis of 5", initializers={"k": np.full((3, 4, 2), 5)})
    pairs = np.int64([[0, 1], [2, -1], [-3, 0]])
    cases.add("gather_nd_pairs", [node("GatherND", ["x", "k"], ["y"])], {"x": x}, {"y": x[pairs[:, 0], pairs[:, 1]]}, {"k": pairs})
    each = np.broadcast_to(pairs[:, ::-1], (3, 3, 2))
    cases.add("gather_nd_batch", [node("GatherND", ["x", "k"], ["y"], batch_dims=1)], {"x": x}, {"y": x[:, each[0, :, 0], each[0, :, 1]]}, {"k": each})
    own = np.int64([[[0], [1]], [[2], [3]], [[3], [0]]])
    cases.add("gather_nd_batch_own", [node("GatherND", ["x", "k"], ["y"], batch_dims=1)], {"x": x},
              {"y": np.stack([x[i, own[i, :, 0]] for i in range(3)])}, {"k": own})
    whole = np.int64([[[i, j] for j in range(4)] for i in range(3)])
    cases.add("gather_nd_whole", [node("GatherND", ["x", "k"], ["y"])], {"x": x}, {"y": x}, {"k": whole})
    cases.refuse("gather_nd_outside", [node("GatherND", ["x", "k"], ["y"], name="pick")], {"x": x},
                 "node 'pick' (GatherND): index -4 of tuple 1 is outside an axis of 3", initializers={"k": np.int64([[0, 0], [-4, 0]])})


def make(cases):
    make_statistics(cases)
    make_fixed_gathers(cases)
    make_sequences(cases)
    make_repeats(cases)
    make_optionals(cases)
    make_matrices(cases)
    x = values(2)
    cases.refuse("random", [node("RandomNormalLike", ["x"], ["y"], name="noise")], {"x": x},
                 "node 'noise' (RandomNormalLike): random numbers: the same input would not give the same output")
