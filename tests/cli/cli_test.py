#!/usr/bin/env python3
"""The command line as a user meets it: help, exit codes, messages, generated documents, default names, the question at end of file."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = str(pathlib.Path(os.environ.get("SLUICE", ROOT / "build" / "sluice")).resolve())
DEMO = ROOT / "examples" / "demo"
checks = 0


def run(*args, code=0, cwd=None, stdin=""):
    global checks
    checks += 1
    r = subprocess.run([SLUICE, *map(str, args)], capture_output=True, text=True, cwd=cwd, input=stdin)
    assert r.returncode == code, f"sluice {' '.join(map(str, args))}: exit {r.returncode}, wanted {code}\n{r.stdout}\n{r.stderr}"
    return r


def expect(text, *parts):
    for p in parts:
        assert p in text, f"'{p}' is not in:\n{text}"


def help_and_usage():
    overview = run("--help").stdout
    verbs = [line[2:16].strip() for line in overview.splitlines() if line.startswith("  ") and line[2:3].isalpha()]
    assert len(verbs) >= 14, verbs
    for verb in verbs:
        expect(run(*verb.split(), "--help").stdout, f"usage: sluice {verb}", "exit codes")
    expect(run("optimise", code=2).stderr, "'optimise' is not a verb", "optimize")
    expect(run("optimize", "x.har", "--calib-set-pth", "y", code=2).stderr, "--calib-set-pth", "--calib-set-path")
    expect(run("optimize", "x.har", code=2).stderr, "exactly one of --calib-set-path and --use-random-calib-set")
    expect(run("benchmark", "x.hef", "--threads", "many", code=2).stderr, "'many' is not a whole number")
    expect(run("benchmark", "x.hef", "--threads", "300", code=2).stderr, "0..256")
    expect(run("compiler", "x.har", "--hw-arch", "hailo8", code=2).stderr, "hailo8", "hailo15l")
    expect(run("parser", code=2).stdout, "parser onnx")
    expect(run("run", code=2).stderr, "FILE.hef")
    assert run("--version").stdout.startswith("sluice ")


def documents():
    for word in ("cli", "ops", "patterns", "script", "heads"):
        want, got = run("docs", word).stdout, (ROOT / "docs" / f"{word}.md").read_text()
        assert want == got, f"docs/{word}.md is stale: build/sluice docs {word} > docs/{word}.md"
        assert "?" not in want or word == "cli", "an operator has no row in onnx_maps.def or tflite_maps.def, or names an unknown layer"
    passes = run("passes").stdout
    expect(passes, "optimize", "compile")


def flow(t):
    run("parser", "onnx", DEMO / "signs.onnx", cwd=t)
    assert (t / "signs.har").exists()
    run("optimize", "signs.har", "--calib-set-path", DEMO / "calib", "--model-script", DEMO / "signs.alls", cwd=t)
    assert (t / "signs_optimized.har").exists()
    run("compiler", "signs_optimized.har", cwd=t)
    assert (t / "signs.hef").exists() and (t / "signs_compiled.har").exists()
    info = json.loads(run("har", "info", "signs_compiled.har", "--json", cwd=t).stdout)
    assert info["state"] == "COMPILED_MODEL" and info["name"] == "signs", info
    expect(run("har", "info", "signs_compiled.har", cwd=t).stdout, "COMPILED_MODEL", "conv1")
    run("har", "extract", "signs_optimized.har", cwd=t)
    assert json.loads((t / "signs" / "signs.hn").read_text())["name"] == "signs"
    assert np.load(t / "signs" / "signs.q.npz")
    expect(run("parse-hef", "signs.hef", "--parse-streams", cwd=t).stdout, "HEF Compatible for: HAILO15H, HAILO10H",
           "HEF Compiler Version: 5.2.0", "Network group name: signs", "Input  signs/input_layer1 UINT8, NHWC(256x256x3)")
    json.loads(run("parse-hef", "signs.hef", "--json", cwd=t).stdout)
    for stage in ("native", "fp_optimized", "quantized"):
        expect(run("har", "info", "signs_optimized.har", "--stage", stage, cwd=t).stdout, "conv1")
    b = json.loads(run("benchmark", "signs.hef", "--json", "--time", "0.1", "--threads", "1", cwd=t).stdout)
    assert b["threads"] == 1 and b["frames"] >= 3 and b["latency_ms"]["min"] <= b["latency_ms"]["p99"], b
    expect(run("dump", "signs.hef", cwd=t).stdout, "HEF, header version 3", "conv")
    expect(run("dump", "signs_optimized.har", cwd=t).stdout, "signs.q.npz", "quantized")
    first = (t / "signs.hef").read_bytes()
    run("compiler", "signs_optimized.har", cwd=t)
    assert (t / "signs.hef").read_bytes() == first, "compiling twice gives other bytes"
    one = (t / "signs_optimized.har").read_bytes()
    run("optimize", "signs.har", "--calib-set-path", DEMO / "calib", "--model-script", DEMO / "signs.alls", "--threads", "1", cwd=t)
    assert (t / "signs_optimized.har").read_bytes() == one, "one thread optimizes to other bytes"


def parser_flags(t):
    demo = DEMO / "signs.onnx"
    r = run("parser", "onnx", demo, "--net-name", "part", "--start-node-names", "down4/Conv", "--end-node-names", "boxes8/Conv", "cls8/Conv",
            "--parsing-report-path", "report.json", "--disable-onnx-simplifier", cwd=t)
    expect(r.stderr, "no simplifier is run here")
    report = json.loads((t / "report.json").read_text())
    assert report["status"] == "parsed" and [i["name"] for i in report["inputs"]] == ["stem"], report
    assert [o["name"] for o in report["outputs"]] == ["boxes8", "cls8"] and report["nodes"]["used"] > 0, report
    run("har", "extract", "part.har", "-o", "parts", cwd=t)
    before, behind = t / "parts" / "part.preprocess.onnx", t / "parts" / "part.postprocess.onnx"
    expect(run("har", "info", "part.har", cwd=t).stdout, "stem")
    run("parser", "onnx", before, "--har-path", "before.har", cwd=t)
    run("parser", "onnx", behind, "--har-path", "behind.har", cwd=t)
    run("parser", "onnx", demo, "--end-node-names", "cls8/Conv", "--disable-rt-metadata-extraction", "--har-path", "bare.har", cwd=t)
    run("har", "extract", "bare.har", "-o", "bare", cwd=t)
    assert not list((t / "bare").glob("*.onnx")), "cut parts were kept"
    expect(run("parser", "onnx", demo, "--start-node-names", "cls8/Conv", code=3, cwd=t).stderr, "the start nodes do not cut it off")
    missing = run("parser", "onnx", demo, "--end-node-names", "cls9/Conv", "--parsing-report-path", "report.json", code=2, cwd=t)
    expect(missing.stderr, "cls9/Conv", "cls8/Conv")
    assert json.loads((t / "report.json").read_text())["status"] == "failed"
    expect(run("parser", "onnx", demo, "--input-format", "HWC", code=2, cwd=t).stderr, "'HWC' is not an input format", "NHWC")
    run("parser", "onnx", demo, "--input-format", "NCHW", "--har-path", "nchw.har", cwd=t)
    expect(run("parser", "onnx", demo, "--augmented-path", "a.onnx", code=2, cwd=t).stderr, "--compare")
    (t / "none").mkdir()
    r = subprocess.run([SLUICE, "parser", "onnx", str(demo), "--compare", "--har-path", "c.har"], capture_output=True, text=True, cwd=t,
                       env={**os.environ, "SLUICE_TOOLS": str(ROOT / "tools"), "SLUICE_PYTHON": "no-such-python"})
    assert r.returncode == 2, r
    expect(r.stderr, "no-such-python", "onnxruntime")
    assert (t / "c.har").exists()


def inputs(t):
    pictures = sorted((DEMO / "images").glob("*.png"))[:3]
    run("run", "signs.hef", "--input", pictures[0], "--output-dir", "one", cwd=t)
    index = json.loads((t / "one" / "index.json").read_text())["outputs"]
    arrays = [np.load(t / "one" / o["file"]) for o in index]
    assert len(arrays) == 4 and all(a.dtype == np.float32 and list(a.shape) == o["shape"] and a.shape[0] == 1 for a, o in zip(arrays, index))
    run("image", *pictures, "--output", "three.npy", cwd=t)
    x = np.load(t / "three.npy")
    assert x.shape == (3, 256, 256, 3) and x.dtype == np.uint8
    run("run", "signs.hef", "--input", "three.npy", "--output-dir", "batch", "--raw", cwd=t)
    run("emulate", "signs_optimized.har", "--mode", "quantized", "--input", "input_layer1=three.npy", "--output-dir", "emulated", "--raw", cwd=t)
    expect(run("diff", "batch", "emulated", cwd=t).stdout, "4 tensors compared, 4 equal")
    np.save(t / "float.npy", x.astype(np.float32))
    run("run", "signs.hef", "--input", "images=float.npy", "--output-dir", "float", "--raw", cwd=t)
    expect(run("diff", "batch", "float", cwd=t).stdout, "4 equal")
    np.save(t / "nchw.npy", np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    run("run", "signs.hef", "--input", "nchw.npy", "--origin-layout", "--output-dir", "origin", cwd=t)
    o = json.loads((t / "origin" / "index.json").read_text())["outputs"][0]
    plain = json.loads((t / "batch" / "index.json").read_text())["outputs"][0]
    assert o["shape"] == [plain["shape"][i] for i in (0, 3, 1, 2)], (o, plain)
    np.savez(t / "in.npz", input_layer1=x)
    run("run", "signs.hef", "--input", "in.npz", "--output-dir", "npz", "--raw", cwd=t)
    expect(run("diff", "batch", "npz", cwd=t).stdout, "4 equal")
    run("run", "signs.hef", "--input", DEMO / "images", "--output-dir", "folder", cwd=t)
    assert (t / "folder" / pictures[0].stem / "index.json").exists()
    run("run", "signs.hef", "--input", pictures[0], "--output-dir", "layers", "--dump-tensors", "layers_t", cwd=t)
    names = [o["name"] for o in json.loads((t / "layers_t" / "index.json").read_text())["tensors"]]
    assert "signs/conv1" in names, names
    native = run("emulate", "signs.har", "--mode", "quantized", "--input", pictures[0], "--output-dir", "x", code=2, cwd=t)
    expect(native.stderr, "HAILO_MODEL", "optimize")


def bad_inputs(t):
    expect(run("run", "missing.hef", "--input", "a.npy", "--output-dir", "o", code=5, cwd=t).stderr, "missing.hef")
    np.save(t / "wrong.npy", np.zeros((1, 3, 256, 256), np.float32))
    expect(run("run", "signs.hef", "--input", "wrong.npy", "--output-dir", "o", code=3, cwd=t).stderr, "wrong.npy", "[1, 256, 256, 3]")
    assert not (t / "o").exists() or not list((t / "o").iterdir()), "a failed run left files"
    (t / "junk").write_bytes(b"junk" * 100)
    for verb in (["run", "junk", "--input", "wrong.npy", "--output-dir", "o"], ["har", "info", "junk"], ["parse-hef", "junk"],
                 ["parser", "onnx", "junk"], ["optimize", "junk", "--use-random-calib-set"], ["compiler", "junk"], ["dump", "junk"]):
        r = subprocess.run([SLUICE, *verb], capture_output=True, text=True, cwd=t)
        assert r.returncode in (3, 4), (verb, r.returncode, r.stderr)
        expect(r.stderr, "junk", "error:")
    expect(run("compiler", "signs.har", code=2, cwd=t).stderr, "HAILO_MODEL", "optimize")
    r = run("emulate", "signs.har", "--input", "three.npy", "--output-dir", "o", "--memory-limit", "1", code=3, cwd=t)
    expect(r.stderr, "memory limit", "--memory-limit MIB")
    (t / "bad.alls").write_text("normalisation1 = normalisation([1], [2])\n")
    r = subprocess.run([SLUICE, "optimize", "signs.har", "--use-random-calib-set", "--model-script", "bad.alls"], capture_output=True, text=True, cwd=t)
    assert r.returncode in (2, 3, 4), r
    expect(r.stderr, "bad.alls", "normalization")


def main():
    with tempfile.TemporaryDirectory() as t:
        t = pathlib.Path(t)
        help_and_usage()
        flow(t)
        parser_flags(t)
        inputs(t)
        bad_inputs(t)
        documents()
    print(f"{checks} commands checked")


main()
