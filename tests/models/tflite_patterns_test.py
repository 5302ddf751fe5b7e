#!/usr/bin/env python3
"""What converters scatter over many TFLite operators is one layer again, in float files, with float32 and float16 constants; near misses
stay as they are. Each case: the operators, the layers they become, and a line of NumPy for their values."""
import json
import math
import pathlib
import sys
import tarfile
import tempfile

import numpy as np

import models

sys.path.insert(0, str(models.ROOT / "fuzz"))
import tflite_writer as tw  # noqa: E402

CODES = dict(ADD=0, CONCAT=2, LOGISTIC=14, MUL=18, RELU6=21, RESHAPE=22, TANH=28, TRANSPOSE=39, MEAN=40, SUB=41, DIV=42, STRIDED_SLICE=45, EXP=47, MAXIMUM=55,
             BATCH_MATMUL=126, BATCH_MATMUL_T=126, SOFTMAX=25, NEG=59, LOG=73, SUM=74, SQRT=75, RSQRT=76, POW=78, REDUCE_MAX=82, SQUARE=92, SQUARED_DIFFERENCE=99, GELU=150)
KEEP = {0: ("B", 1)}
RELU6 = {0: ("b", 3)}
OPTIONS = {"MEAN": KEEP, "SUM": KEEP, "REDUCE_MAX": KEEP, "CONCAT": {0: ("i", 3)}, "BATCH_MATMUL_T": {1: ("B", 1)}, "SOFTMAX": {0: ("f", 1.0)}}
rng = np.random.Generator(np.random.PCG64(8))
X = rng.uniform(-3, 3, (1, 4, 6, 8)).astype(np.float32)
GAMMA, BETA = rng.uniform(0.5, 2, 8).astype(np.float32), rng.uniform(-1, 1, 8).astype(np.float32)


def i32(*v):
    return np.array(v, np.int32)


CONSTANTS = dict(one=np.float32(1), two=np.float32(2), three=np.float32(3), sixth=np.float32(1 / 6), half=np.float32(0.5), c1=np.float32(0.044715),
                 c2=np.float32(math.sqrt(2 / math.pi)), tiny=np.float32(1e-3), floor=np.float32(1e-12), sig=np.float32(1.702), gamma=GAMMA, beta=BETA, last=i32(3),
                 rows=i32(1), groups=i32(1, 4, 6, 2, 4), turn=i32(0, 1, 2, 4, 3), back=i32(1, 4, 6, 8), rest=i32(1, 4, 6, 8), step=i32(1, 2, 2, 1), at00=i32(0, 0, 0, 0),
                 at10=i32(0, 1, 0, 0), at01=i32(0, 0, 1, 0), at11=i32(0, 1, 1, 0))
F16 = {"one", "three", "sixth", "half", "gamma", "beta"}


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def rotary(x, a=np.arange(24).reshape(6, 4) / 7):
    z = (x[..., :4] + 1j * x[..., 4:]) * np.exp(1j * a)
    return np.concatenate([z.real, z.imag], -1)


ANGLES = np.tile(np.arange(24).reshape(6, 4) / 7, (1, 2))
CONSTANTS.update(cosines=np.cos(ANGLES).astype(np.float32), sines=np.sin(ANGLES).astype(np.float32), begin=i32(0, 0, 0, 0), half_end=i32(1, 4, 6, 4),
                 half_begin=i32(0, 0, 0, 4), end=i32(1, 4, 6, 8), ones=i32(1, 1, 1, 1))


def layer_norm(x, gamma=1.0, beta=0.0):
    c = x - x.mean(-1, keepdims=True)
    return c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-3) * gamma + beta


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def rms_norm(x):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-3)


GELU_TANH = 0.5 * X * (1 + np.tanh(0.7978845608 * (X + 0.044715 * X**3)))
MOMENTS = "MEAN x last m; SQUARED_DIFFERENCE x m d; MEAN d last v; ADD v tiny e; RSQRT e r; "
CASES = {
    "sigmoid": ("NEG x n; EXP n e; ADD e one a; DIV one a y", "sigmoid", sigmoid(X)),
    "silu": ("LOGISTIC x s; MUL x s y", "silu", X * sigmoid(X)),
    "silu of two": ("LOGISTIC x s; SUB x one n; MUL n s y", "sigmoid ew_sub ew_mult", (X - 1) * sigmoid(X)),
    "swish with beta": ("MUL x sig b; LOGISTIC b s; MUL x s y", "swish_beta", X * sigmoid(1.702 * X)),
    "hard swish, fused relu6": ("ADD/6 x three a; MUL a sixth g; MUL g x y", "hard_swish", X * np.clip(X + 3, 0, 6) / 6),
    "hard swish, factor last": ("ADD x three a; RELU6 a c; MUL x c m; MUL m sixth y", "hard_swish", X * np.clip(X + 3, 0, 6) / 6),
    "not hard swish": ("ADD/6 x two a; MUL a sixth g; MUL g x y", "ew_add relu6 ew_mult ew_mult", X * np.clip(X + 2, 0, 6) / 6),
    "gelu by tanh": ("POW x three p; MUL p c1 k; ADD x k i; MUL i c2 o; TANH o t; ADD t one a; MUL a half h; MUL x h y", "gelu_tanh", GELU_TANH),
    "gelu by tanh, products": ("SQUARE x q; MUL q x p; MUL p c1 k; ADD k x i; MUL i c2 o; TANH o t; ADD one t a; MUL half x h; MUL h a y", "gelu_tanh", GELU_TANH),
    "layer norm by moments": (MOMENTS + "MUL r gamma f; MUL x f a; MUL m f b; SUB beta b o; ADD a o y", "layer_norm", layer_norm(X, GAMMA, BETA)),
    "layer norm by moments, no constants": (MOMENTS + "MUL r x a; MUL m r b; SUB a b y", "layer_norm", layer_norm(X)),
    "layer norm by moments, offset": (MOMENTS + "MUL r x a; MUL m r b; SUB beta b o; ADD o a y", "layer_norm", layer_norm(X, 1, BETA)),
    "layer norm, mean of squares": ("MEAN x last m; SQUARE x q; MEAN q last p; SQUARE m n; SUB p n v; ADD v tiny e; RSQRT e r; MUL gamma r f; MUL f x a; MUL f m b; "
                                    "SUB beta b o; ADD a o y", "layer_norm", layer_norm(X, GAMMA, BETA)),
    "layer norm": ("MEAN x last m; SUB x m c; SQUARE c q; MEAN q last v; ADD v tiny e; SQRT e r; DIV c r n; MUL n gamma g; ADD g beta y", "layer_norm",
                   layer_norm(X, GAMMA, BETA)),
    "moments of another axis": ("MEAN x rows m; SQUARED_DIFFERENCE x m d; MEAN d rows v; ADD v tiny e; RSQRT e r; MUL x r a; MUL m r b; SUB a b y",
                                "reduce_mean ew_sub square reduce_mean ew_add rsqrt ew_mult ew_mult ew_sub",
                                (X - X.mean(1, keepdims=True)) / np.sqrt(X.var(1, keepdims=True) + 1e-3)),
    "rms norm": ("SQUARE x q; MEAN q last p; ADD p tiny e; RSQRT e r; MUL x r n; MUL n gamma y", "rms_norm", rms_norm(X) * GAMMA),
    "rms norm, divided": ("MUL x x q; MEAN q last p; ADD p tiny e; SQRT e r; DIV one r i; MUL i x y", "rms_norm", rms_norm(X)),
    "softmax": ("REDUCE_MAX x last t; SUB x t d; EXP d e; SUM e last s; DIV e s y", "softmax", softmax(X)),
    "softmax of rows": ("EXP x e; SUM e rows s; DIV e s y", "softmax", softmax(X, 1)),
    "not a softmax": ("EXP x e; SUM x last s; DIV e s y", "exp reduce_sum ew_div", np.exp(X) / X.sum(-1, keepdims=True)),
    "log softmax": ("REDUCE_MAX x last t; SUB x t d; EXP d e; SUM e last s; LOG s l; SUB d l y", "log_softmax", np.log(softmax(X))),
    "l2 norm": ("SQUARE x q; SUM q last s; MAXIMUM s floor f; RSQRT f r; MUL x r y", "rms_norm", X / np.sqrt((X * X).sum(-1, keepdims=True))),
    "attention": ("BATCH_MATMUL_T x x s; MUL s half m; SOFTMAX m p; BATCH_MATMUL p x y", "matmul softmax matmul",
                  softmax(X @ X.swapaxes(2, 3) * 0.5) @ X),
    "attention, two scales": ("MUL x half q; MUL x two k; BATCH_MATMUL_T q k s; SOFTMAX s p; BATCH_MATMUL p x y", "matmul softmax matmul",
                              softmax(X @ X.swapaxes(2, 3)) @ X),
    "rotary": ("STRIDED_SLICE x begin half_end ones a; STRIDED_SLICE x half_begin end ones b; NEG b n; CONCAT n a t; MUL x cosines c; MUL t sines s; ADD c s y", "rotary",
               rotary(X)),
    "channel shuffle": ("RESHAPE x groups g; TRANSPOSE g turn t; RESHAPE t back y", "gather",
                        X.reshape(1, 4, 6, 2, 4).transpose(0, 1, 2, 4, 3).reshape(X.shape)),
    "focus": ("STRIDED_SLICE x at00 rest step a; STRIDED_SLICE x at10 rest step b; STRIDED_SLICE x at01 rest step c; STRIDED_SLICE x at11 rest step d; CONCAT a c b d y",
              "space_to_depth", np.concatenate([X[:, ::2, ::2], X[:, ::2, 1::2], X[:, 1::2, ::2], X[:, 1::2, 1::2]], -1)),
}


def build(text, want, half):
    """Operators "CODE in... out;" (CODE/6: with a fused RELU6) over x and the constants; half: those of F16 behind DEQUANTIZE."""
    tensors, ops, index = [tw.tensor("x", list(X.shape))], [], {"x": 0}

    def add(name, *more, **extra):
        index[name] = len(tensors)
        tensors.append(tw.tensor(name, *more, **extra))

    for line in text.split(";"):
        word, *ins, out = line.split()
        code, _, fused = word.partition("/")
        for name in ins:
            if name in index:
                continue
            a = np.asarray(CONSTANTS[name])
            if half and name in F16:
                add(name + "_half", list(a.shape), tw.FLOAT16, a.astype(np.float16).tobytes())
                add(name, list(a.shape))
                ops.append(tw.op(6, [index[name + "_half"]], [index[name]]))
            else:
                add(name, list(a.shape), tw.INT32 if a.dtype == np.int32 else tw.FLOAT32, a.tobytes())
        add(out, list(want.shape) if out == "y" else [])
        ops.append(tw.op(CODES[code], [index[i] for i in ins], [index[out]], RELU6 if fused else OPTIONS.get(code)))
    return tw.model(tensors, ops, [0], [index["y"]])


def layers_of(har):
    with tarfile.open(har) as t:
        hn = json.load(t.extractfile(next(n for n in t.getnames() if n.endswith(".hn"))))
    kinds = [(layer["params"].get("type", ""), layer["type"]) for layer in hn["layers"].values()]
    return " ".join(curve if kind == "activation" else kind for curve, kind in kinds if kind not in ("input_layer", "output_layer", "const_input"))


def check(name, work, half):
    text, layers, want = CASES[name]
    (work / "net.tflite").write_bytes(build(text, want, half))
    models.sluice("parser", "tflite", work / "net.tflite", "--har-path", work / "net.har")
    np.save(work / "x.npy", X)
    models.sluice("emulate", work / "net.har", "--mode", "native", "--origin-layout", "--output-dir", work / "out", "--input", work / "x.npy")
    got, found = models.outputs(work / "out")[0], layers_of(work / "net.har")
    error = np.abs(got.reshape(want.shape) - want).max()
    good = found == layers and error <= (4e-3 if half else 1e-5) * max(1, np.abs(want).max())
    if not good:
        print(f"{name}{', float16' if half else ''}: '{found}', wanted '{layers}'; error {error:.3g}")
    return good


def main():
    with tempfile.TemporaryDirectory() as t:
        results = [check(name, pathlib.Path(t), half) for name in sys.argv[1:] or CASES for half in (False, True)]
    print(f"{sum(results)} of {len(results)} patterns")
    return 0 if all(results) else 1


sys.exit(main())
