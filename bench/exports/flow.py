"""One exported ONNX file through the whole flow, against ONNX Runtime: what exports.py asks of every network."""
import json
import math
import pathlib
import re
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "models"))
import models  # noqa: E402

NATIVE_DB = 60.0
NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class Refused(Exception):
    """A verb of sluice ended with an error; the text is its own."""


def sluice(*args):
    r = models.sluice(*args, "-q", check=False)
    if r.returncode:
        lines = [line.strip() for line in r.stderr.splitlines() if line.strip()]
        raise Refused(f"{args[0]}: " + " | ".join(lines))


def snr(want, got):
    """dB; infinite where nothing differs, also where both are not finite in the same places."""
    want, got = (np.asarray(a, np.float64).ravel() for a in (want, got))
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    noise = np.where(same, 0, want - got)
    if not np.isfinite(noise).all():
        return -math.inf
    power = np.square(want[np.isfinite(want)]).sum()
    return math.inf if not noise.any() else 10 * math.log10(max(power, 1e-300) / np.square(noise).sum())


def feed_of(session, rng):
    """Random inputs: floats of unit variance, integers as token numbers, all of a mask."""
    feed = {}
    for i in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in i.shape]
        if i.type in NUMBERS:
            feed[i.name] = rng.normal(size=shape).astype(NUMBERS[i.type])
        elif i.type == "tensor(bool)" or "mask" in i.name:
            feed[i.name] = np.ones(shape, bool if i.type == "tensor(bool)" else np.int64)
        else:
            feed[i.name] = rng.integers(1, 50, shape).astype(np.int32 if "int32" in i.type else np.int64)
    return feed


def channels_last(array, shape):
    """The array in the archive's order of axes, where that differs."""
    if array.ndim > 2 and list(array.shape[1:]) != list(shape)[-array.ndim + 1:]:
        array = np.moveaxis(array, 1, -1)
    return array.reshape([-1 if k == 0 else d for k, d in enumerate(shape)])


def run(file, verb, feed, out, *more):
    sluice(verb, file, "--input", feed, "--output-dir", out, *more)
    return models.outputs(out)


def worst(want, got):
    """The lowest SNR of the outputs, in the file's order; an output of another size is as far as can be."""
    if len(want) != len(got):
        return -math.inf
    return min((snr(w, g) if np.size(w) == np.size(g) else -math.inf for w, g in zip(want, got)), default=math.inf)


def native(path, work, result):
    import onnxruntime
    start = time.monotonic()
    sluice("parser", "onnx", path, "--har-path", work / "net.har")
    result["parse_s"] = time.monotonic() - start
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = feed_of(session, np.random.default_rng(5))
    np.savez(work / "origin.npz", **feed)
    got = run(work / "net.har", "emulate", work / "origin.npz", work / "native", "--mode", "native", "--origin-layout")
    result["native_db"] = worst(session.run(None, feed), got)
    np.savez(work / "own.npz", **{name: channels_last(a, shape) for a, (name, shape) in zip(feed.values(), inputs(work / "net.har").items())})


def inputs(har):
    """Name and shape of each."""
    return {i["name"].split("/")[-1]: i["shape"] for i in json.loads(models.sluice("har", "info", har, "--json").stdout)["inputs"]}


def cut(path, work, hint, result):
    """What a user does who reads the hint: parse again with its start and end nodes. Random values go in at the border."""
    sluice("parser", "onnx", path, "--har-path", work / "net.har", *hint)
    rng = np.random.default_rng(6)
    feed = {name: rng.normal(size=shape).astype(np.float32) for name, shape in inputs(work / "net.har").items()}
    np.savez(work / "own.npz", **feed)
    result["cut"] = " ".join(hint)
    quantized(work, run(work / "net.har", "emulate", work / "own.npz", work / "native", "--mode", "native"), result)


def quantized(work, want, result):
    sluice("optimize", work / "net.har", "--calib-set-path", work / "own.npz", "--output-har-path", work / "q.har")
    sluice("compiler", work / "q.har", "--output-dir", work)
    hef = next(work.glob("*.hef"))
    device = run(hef, "run", work / "own.npz", work / "device", "--raw")
    emulator = run(work / "q.har", "emulate", work / "own.npz", work / "emulator", "--raw", "--mode", "quantized")
    result["equal"] = [a.tobytes() for a in device] == [a.tobytes() for a in emulator]
    result["quantized_db"] = worst(want, run(work / "q.har", "emulate", work / "own.npz", work / "real", "--mode", "quantized"))


def whole(path, parse_only):
    """A dictionary: parse_s, native_db, equal, quantized_db as far as the file came; `cut` where it went on with the start and end nodes that
    optimize recommends, and `refused` where a verb ended in an error."""
    result = {}
    with tempfile.TemporaryDirectory() as t:
        work = pathlib.Path(t)
        try:
            native(path, work, result)
            if parse_only:
                return result
            try:
                quantized(work, run(work / "net.har", "emulate", work / "own.npz", work / "native", "--mode", "native"), result)
            except Refused as error:
                hint = re.findall(r"--(?:start|end)-node-names(?: [^\s,|]+)+", str(error))
                if not hint:
                    raise
                cut(path, work, " ".join(hint).split(), result)
        except Refused as error:
            result["refused"] = str(error)
    return result
