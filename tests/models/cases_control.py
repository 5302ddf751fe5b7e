"""Branches, loops and scans: bodies that are written out, inside each other and inside functions."""
import numpy as np

from onnx_file import Reference, function, graph, node

rng = np.random.default_rng(12)


def values(*shape):
    return np.round(rng.uniform(-3, 3, shape), 1).astype(np.float32)


def branch(*nodes, out="b", constants=None):
    return graph(list(nodes), outputs={out: None}, initializers=constants)


def make_branches(cases):
    x = values(2, 3)
    form = node("If", ["c"], ["y"], then_branch=branch(node("Relu", ["x"], ["b"])),
                else_branch=branch(node("Mul", ["x", "w"], ["b"]), constants={"w": np.float32(-2)}))
    for c in (True, False):
        y = np.maximum(x, 0) if c else -2 * x
        cases.add(f"if_at_run_time_{c}", [form], {"x": x, "c": np.array(c)}, {"y": y})
        cases.add(f"if_one_element_{c}", [form], {"x": x, "c": np.array([c])}, {"y": y})
        cases.add(f"if_constant_{c}", [form], {"x": x}, {"y": y}, {"c": np.array(c)})
    # a condition that the network computes; two outputs, of which one is the same in both branches; a branch in a branch
    inner = node("If", ["small"], ["b"], then_branch=branch(node("Neg", ["x"], ["d"]), out="d"),
                 else_branch=branch(node("Abs", ["x"], ["d"]), out="d"))
    nodes = [node("ReduceSum", ["x"], ["sum"], keepdims=0), node("Greater", ["sum", "zero"], ["c"]),
             node("Less", ["sum", "low"], ["small"]), node("Exp", ["x"], ["e"]),
             node("If", ["c"], ["y", "z"], then_branch=graph([node("Sqrt", ["e"], ["b"]), node("Identity", ["e"], ["f"])], outputs={"b": None, "f": None}),
                  else_branch=graph([inner, node("Identity", ["e"], ["f"])], outputs={"b": None, "f": None}))]
    for shift in (3, 0.2, -3):
        x = np.abs(values(4)) * (1 if shift > 0 else -1) - (5 if shift == 0.2 else 0)
        y = np.sqrt(np.exp(x)) if x.sum() > 0 else -x if x.sum() < -12 else np.abs(x)
        cases.add(f"if_nested_{shift}", nodes, {"x": x}, {"y": y, "z": np.exp(x)},
                  {"zero": np.float32(0), "low": np.float32(-12)})
    # in a function, with its attribute inside a branch
    pick = function("own", "Pick", ["x", "c"], ["y"], [node("If", ["c"], ["y"], then_branch=branch(
        node("LeakyRelu", ["x"], ["b"], alpha=Reference("slope"))), else_branch=branch(node("Identity", ["x"], ["b"])))], 18, ["slope"])
    x = values(5)
    for c in (True, False):
        cases.add(f"if_in_function_{c}", [node("Pick", ["x", "c"], ["y"], domain="own", slope=0.25)], {"x": x, "c": np.array(c)},
                  {"y": np.where(x > 0, x, 0.25 * x).astype(np.float32) if c else x}, functions=[pick], domains=("own",))
    # on these shapes one branch alone can run
    misfit = node("If", ["c"], ["y"], then_branch=branch(node("MatMul", ["x", "w"], ["b"])),
                  else_branch=branch(node("MatMul", ["x", "v"], ["b"])))
    x, w = values(2, 3), values(3, 2)
    cases.add("if_one_fits", [misfit], {"x": x, "c": np.array(True)}, {"y": x @ w}, {"w": w, "v": values(5, 2)}, ort=False)
    cases.refuse("if_none_fits", [misfit], {"x": x, "c": np.array(True)}, "neither branch fits", initializers={"w": values(4, 2), "v": values(5, 2)})
    cases.refuse("if_shapes", [node("If", ["c"], ["y"], name="fork", then_branch=branch(node("Relu", ["x"], ["b"])),
                                    else_branch=branch(node("Transpose", ["x"], ["b"])))], {"x": x, "c": np.array(True)},
                 "node 'fork' (If): its condition 'c' is computed at run time, and its branches make output 0 as f32 [2, 3] and as f32 [3, 2]")
    cases.refuse("if_unsupported", [node("If", ["c"], ["y"], name="fork", then_branch=branch(node("Relu", ["x"], ["b"])),
                                         else_branch=branch(node("RandomNormalLike", ["x"], ["b"], name="noise")))],
                 {"x": x, "c": np.array(True)}, "node 'fork/noise' (RandomNormalLike)")


def make_loops(cases):
    # s = s * 2 + i * x, three turns; the partial results are an output
    body = graph([node("Mul", ["s", "two"], ["d"]), node("Cast", ["i"], ["f"], to=1), node("Mul", ["f", "x"], ["m"]),
                  node("Add", ["d", "m"], ["t"]), node("Identity", ["c"], ["again"]), node("Neg", ["t"], ["step"])],
                 {"i": np.int64(0), "c": np.array(True), "s": None}, {"again": None, "t": None, "step": None}, {"two": np.float32(2)})
    x, s = values(4), values(4)
    steps, t = [], s
    for i in range(3):
        t = t * 2 + i * x
        steps.append(-t)
    cases.add("loop", [node("Loop", ["n", "", "s"], ["y", "z"], body=body)], {"x": x, "s": s}, {"y": t, "z": np.stack(steps)},
              {"n": np.int64(3)})
    # a loop in a loop in a function, and a branch whose condition is the turn
    inner = graph([node("Add", ["v", "x"], ["w"]), node("Identity", ["c2"], ["again2"])],
                  {"j": np.int64(0), "c2": np.array(True), "v": None}, {"again2": None, "w": None})
    outer = graph([node("Equal", ["i", "one"], ["second"]),
                   node("If", ["second"], ["u"], then_branch=branch(node("Neg", ["s"], ["b"])), else_branch=branch(node("Identity", ["s"], ["b"]))),
                   node("Loop", ["two", "", "u"], ["t"], body=inner), node("Identity", ["c"], ["again"])],
                  {"i": np.int64(0), "c": np.array(True), "s": None}, {"again": None, "t": None},
                  {"one": np.int64(1), "two": np.int64(2)})
    grow = function("own", "Grow", ["x", "s", "n"], ["y"], [node("Loop", ["n", "", "s"], ["y"], body=outer)], 18)
    cases.add("loop_nested", [node("Grow", ["x", "s", "n"], ["y"], domain="own")], {"x": x, "s": s}, {"y": -(s + 2 * x) + 4 * x},
              {"n": np.int64(3)}, functions=[grow], domains=("own",))
    cases.refuse("loop_run_time", [node("Loop", ["n", "", "x"], ["y"], name="turns", body=graph(
        [node("Neg", ["s"], ["t"]), node("Identity", ["c"], ["again"])], {"i": np.int64(0), "c": np.array(True), "s": None},
        {"again": None, "t": None}))], {"x": x, "n": np.array(3)}, "node 'turns' (Loop): input 'n' (trip count) is computed at run time")


def make_scans(cases):
    # state s' = 0.5 s + a + b, outputs s' and a * b
    body = graph([node("Mul", ["s", "half"], ["h"]), node("Add", ["h", "a"], ["k"]), node("Add", ["k", "b"], ["t"]),
                  node("Identity", ["t"], ["o"]), node("Mul", ["a", "b"], ["p"])],
                 {"s": None, "a": None, "b": None}, {"t": None, "o": None, "p": None}, {"half": np.float32(0.5)})
    a, b, s = values(5, 2, 3), values(2, 5, 3), values(2, 3)
    for backward in ((0, 0), (1, 0), (1, 1)):
        for out_axis in (0, 1, -1):
            t, o, p = s, [], []
            for i in range(5):
                u, v = a[4 - i if backward[0] else i], b[:, 4 - i if backward[1] else i]
                t = (0.5 * t + u + v).astype(np.float32)
                o.append(t)
                p.append(u * v)
            o, p = (o[::-1] if backward[0] else o), (p[::-1] if backward[1] else p)
            at = out_axis if out_axis >= 0 else 2
            cases.add(f"scan_{backward[0]}{backward[1]}_{out_axis}",
                      [node("Scan", ["s", "a", "b"], ["t_", "o_", "p_"], body=body, num_scan_inputs=2, scan_input_axes=[0, -2],
                            scan_input_directions=backward, scan_output_axes=[out_axis, 0], scan_output_directions=backward)],
                      {"s": s, "a": a, "b": b}, {"t_": t, "o_": np.stack(o, at), "p_": np.stack(p)}, opset=11)
    # opset 8: a batch around everything, no axes
    a, b, s = values(2, 4, 3), values(2, 4, 3), values(2, 3)
    t, o, p = s, [], []
    for i in range(4):
        t = (0.5 * t + a[:, i] + b[:, 3 - i]).astype(np.float32)
        o.append(t)
        p.append(a[:, i] * b[:, 3 - i])
    cases.add("scan_opset_8", [node("Scan", ["", "s", "a", "b"], ["t_", "o_", "p_"], body=body, num_scan_inputs=2, directions=[0, 1])],
              {"s": s, "a": a, "b": b}, {"t_": t, "o_": np.stack(o, 1), "p_": np.stack(p, 1)}, opset=8)
    cases.refuse("scan_lengths", [node("Scan", ["s", "a", "b"], ["y", "o_", "p_"], name="scan", body=body, num_scan_inputs=2)],
                 {"s": values(3), "a": values(4, 3), "b": values(5, 3)}, "node 'scan' (Scan): sequences of 4 and 5 steps")


def make(cases):
    make_branches(cases)
    make_loops(cases)
    make_scans(cases)
