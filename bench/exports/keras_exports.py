#!/usr/bin/env python3
"""The networks of keras.applications with random weights, as the TFLite converter writes them, beside LiteRT.

    keras_exports.py [--match REGEX] [--form FORM ...]

Forms: float32, float16 and dynamic (int8 weights) run in `native`, in dB against LiteRT; int8 and int16x8 are quantized by the converter and
go straight through `compiler`: HEF and emulator the same bytes, and the largest difference from LiteRT's reference kernels in steps of the
output, beside the one of its own optimized kernels, whichever network that is. Wants a Python environment with tensorflow and keras (SLUICE
names the program, default build/sluice). Exit code 1: something differed by more than 60 dB allow (40 for dynamic), by more than two steps
and twice LiteRT's own difference, or between emulator and HEF."""
import argparse
import contextlib
import os
import pathlib
import re
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import flow  # noqa: E402

# The smallest of each family, and those built differently.
NETWORKS = ["MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0", "NASNetMobile", "DenseNet121",
            "ResNet50", "ResNet50V2", "ConvNeXtTiny", "Xception", "InceptionV3", "InceptionResNetV2", "VGG16"]
SIZES = {"Xception": 96, "InceptionV3": 96, "InceptionResNetV2": 96}
FORMS = ["float32", "float16", "dynamic", "int8", "int16x8"]
BARS = {"float32": flow.NATIVE_DB, "float16": flow.NATIVE_DB, "dynamic": 40.0}


def build(name):
    tf.keras.utils.set_random_seed(1)
    size = SIZES.get(name, 64)
    network = getattr(tf.keras.applications, name)(weights=None, classes=10, input_shape=(size, size, 3))
    rng = np.random.default_rng(2)
    for layer in network.layers:  # as training leaves them: neither zero nor one
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.6, 1.4, w.shape) if "gamma" in v.path or "variance" in v.path else rng.normal(0, 0.15, w.shape)
                               for v, w in zip(layer.weights, layer.get_weights())])
    return network, (1, size, size, 3)


def convert(network, shape, form, path):
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form.startswith("int"):
        def representative():
            rng = np.random.default_rng(3)
            for _ in range(6):
                yield [rng.uniform(-1, 1, shape).astype(np.float32)]
        ops = tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if form == "int8" else \
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [ops]
        converter.inference_input_type = converter.inference_output_type = tf.int8 if form == "int8" else tf.int16
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):  # it lists every variable
        path.write_bytes(converter.convert())


def peer(path, x, reference):
    """LiteRT's first output, of its reference kernels or of those it takes by itself."""
    kind = tf.lite.experimental.OpResolverType
    engine = tf.lite.Interpreter(str(path), num_threads=1, experimental_op_resolver_type=kind.BUILTIN_REF if reference else kind.AUTO)
    engine.allocate_tensors()
    engine.set_tensor(engine.get_input_details()[0]["index"], x)
    engine.invoke()
    return engine.get_tensor(engine.get_output_details()[0]["index"])


def sample(path, shape):
    port = tf.lite.Interpreter(str(path)).get_input_details()[0]
    x = np.random.default_rng(5).uniform(-1, 1, shape)
    scale, zero = port["quantization"]
    if not scale:
        return x.astype(port["dtype"])
    limits = np.iinfo(port["dtype"])
    return np.clip(np.round(x / scale) + zero, limits.min, limits.max).astype(port["dtype"])


def check(path, shape, form, work):
    """What was measured, in words; whether it is well."""
    x = sample(path, shape)
    np.save(work / "x.npy", x)
    want, har = peer(path, x, True), work / "net.har"
    flow.sluice("parser", "tflite", path, "--har-path", har)
    if not form.startswith("int"):
        db = flow.snr(want, flow.run(har, "emulate", work / "x.npy", work / "native", "--mode", "native", "--origin-layout")[0])
        return f"{db:.0f} dB", db >= BARS[form]
    flow.sluice("compiler", har, "--output-dir", work)
    how = ["--raw", "--origin-layout"]
    got = flow.run(har, "emulate", work / "x.npy", work / "emulator", "--mode", "quantized", *how)[0]
    device = flow.run(next(work.glob("*.hef")), "run", work / "x.npy", work / "device", *how)[0]
    ours, theirs = (int(np.abs(want.astype(np.int64) - other.astype(np.int64)).max()) for other in (got, peer(path, x, False)))
    equal = got.dtype == want.dtype and got.tobytes() == device.tobytes()
    return f"{ours} steps (LiteRT's own {theirs})" + ("" if equal else ", HEF differs"), equal and ours <= max(2, 2 * theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--match", default="", help="only networks whose name this regular expression finds")
    parser.add_argument("--form", nargs="+", choices=FORMS, default=FORMS)
    arguments = parser.parse_args()
    good = total = 0
    print("| network | " + " | ".join(arguments.form) + " |\n|---" + "|---" * len(arguments.form) + "|")
    for name in NETWORKS:
        if not re.search(arguments.match, name):
            continue
        network, shape = build(name)
        cells = []
        for form in arguments.form:
            with tempfile.TemporaryDirectory() as t:
                path = pathlib.Path(t) / "net.tflite"
                convert(network, shape, form, path)
                try:
                    text, well = check(path, shape, form, pathlib.Path(t))
                except flow.Refused as error:
                    text, well = f"refused: {error}", False
            total, good = total + 1, good + well
            cells.append(text if well else f"**{text}**")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{good} of {total} are well")
    sys.exit(good != total)


main()
