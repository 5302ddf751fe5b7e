"""What the pattern tests share: a small ONNX file through parse, native, optimize, compile, run, emulator and oracle."""
import concurrent.futures
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

import node_lines

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "oracle"))
import oracle  # noqa: E402


def sluice(*args, check=True):
    program = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
    r = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    if check and r.returncode:
        raise AssertionError(f"sluice {' '.join(map(str, args))}\nexit {r.returncode}\n{r.stdout[-2000:]}\n{r.stderr[-3000:]}")
    return r


def outputs(folder):
    index = json.loads((folder / "index.json").read_text())
    return [np.load(folder / o["file"]) for o in index["outputs"]]


def order(origin, stored):
    """How the origin's axes are stored; the shapes of the tests tell."""
    found = [p for p in itertools.permutations(range(len(origin))) if [origin[i] for i in p] == list(stored) and p[0] == 0]
    assert found, f"{origin} stored as {stored}"
    return found[0]


class Net:
    """A parsed file. nodes: lines of node_lines.py; feeds: name -> array [samples, ...] in the origin's shapes."""

    def __init__(self, work, nodes, feeds, out_shape, initializers, opset=17):
        self.work, self.feeds = work, feeds
        ports = {k: ((1,) + v.shape[1:], v.dtype) for k, v in feeds.items()}
        (work / "net.onnx").write_bytes(node_lines.model(nodes, ports, {"y": out_shape}, initializers, opset))
        self.har = work / "net.har"
        sluice("parser", "onnx", work / "net.onnx", "--har-path", self.har, "-q")
        self.layers = self.read_layers(self.har)
        self.info = json.loads(sluice("har", "info", self.har, "--json").stdout)
        by_origin = {i["origin_name"]: i for i in self.info["inputs"]}
        self.orders = {k: order((1,) + v.shape[1:], by_origin[k]["shape"]) for k, v in feeds.items()}
        self.out_order = np.argsort(order(out_shape, self.info["outputs"][0]["shape"]))
        self.names = {k: by_origin[k]["name"].split("/")[-1] for k in feeds}

    @staticmethod
    def read_layers(har):
        with tarfile.open(har) as t:
            name = next(m for m in t.getnames() if m.endswith(".hn"))
            return {k.split("/")[-1]: v for k, v in json.load(t.extractfile(name))["layers"].items()}

    def kinds(self):
        """The layers that compute or move something, in order; activations by their type."""
        return [v["params"]["type"] if v["type"] == "activation" else v["type"] for v in self.layers.values()
                if v["type"] not in ("input_layer", "output_layer", "const_input")]

    def stored_order(self, k, v):
        return np.ascontiguousarray(v.transpose(self.orders[k]))

    def feed(self, origin=False):
        path = self.work / "feed.npz"
        np.savez(path, **{self.names[k]: v if origin else self.stored_order(k, v) for k, v in self.feeds.items()})
        return path

    def native(self):
        folder = self.work / "native"
        sluice("emulate", self.har, "--mode", "native", "--input", self.feed(True), "--origin-layout", "--output-dir", folder, "-q")
        return outputs(folder)[0]

    def quantized(self):
        """Real values of the output by the emulator; HEF and oracle must give its bytes, layer by layer. Also every layer's stored values
        of the last sample."""
        work, feed = self.work, self.feed()
        q, script = work / "q.har", work / "net.alls"
        script.write_text("")
        sluice("optimize", self.har, "--calib-set-path", feed, "--model-script", script, "--output-har-path", q, "-q")
        sluice("compiler", q, "--output-dir", work, "--output-har-path", work / "c.har", "-q")
        network = oracle.Network.from_har(q)
        stored = {}
        for layer in network.inputs():
            name = next(k for k, v in self.names.items() if v == layer.name.split("/")[-1])
            stored[layer.name] = np.stack([oracle.quantize(x.astype(np.float32), layer.scale, layer.zp, layer.type) for x in self.stored_order(name, self.feeds[name])])
        np.savez(work / "stored.npz", **{k.split("/")[-1]: v for k, v in stored.items()})
        for mode, args in (("emulator", ["emulate", q, "--mode", "quantized"]), ("hef", ["run", next(work.glob("*.hef"))])):
            sluice(*args, "--input", work / "stored.npz", "--raw", "--output-dir", work / mode, "-q")
        want, got = outputs(work / "emulator")[0], outputs(work / "hef")[0]
        assert want.dtype == got.dtype and want.tobytes() == got.tobytes(), "emulator and HEF differ"
        last = {k: v[-1:] for k, v in stored.items()}
        np.savez(work / "last.npz", **{k.split("/")[-1]: v for k, v in last.items()})
        sluice("emulate", q, "--mode", "quantized", "--input", work / "last.npz", "--raw", "--dump-tensors", work / "layers", "-q")
        files = {o["name"]: o["file"] for o in json.loads((work / "layers" / "index.json").read_text())["tensors"]}
        values = network.run(last)
        for layer in network.layers:
            if layer.kind != "output_layer":
                a, b = np.load(work / "layers" / files[layer.name]), values[layer.name]
                assert a.dtype == b.dtype and a.shape == b.shape and (a == b).all(), f"{layer.name} ({layer.kind}) differs from the oracle"
        out = network.layers[-1]
        self.quantized_layers = {layer.name.split("/")[-1]: layer for layer in network.layers}
        self.values = {k.split("/")[-1]: v for k, v in values.items()}
        return oracle.dequantize(want, out.scale, out.zp).transpose(self.out_order)


def snr(want, got):
    want, got = np.float64(want), np.float64(got).reshape(np.shape(want))
    return 10 * np.log10((want ** 2).sum() / max(((want - got) ** 2).sum(), 1e-300))


def check_rows(title, rows, cases):
    """Each row of a table in docs/patterns.md has a case."""
    section = sluice("docs", "patterns").stdout.split(f"## {title}\n")[1].split("\n## ")[0]
    documented = {line.split(" | ")[0][2:] for line in section.splitlines() if line.startswith("| ") and not line.startswith("| pattern")}
    assert documented == set(rows), documented ^ set(rows)
    assert set(rows.values()) <= {c["name"] for c in cases}, set(rows.values()) - {c["name"] for c in cases}


def run_cases(cases, run, words):
    """Each in a folder of its own, two at a time; how many failed."""
    chosen = [c for c in cases if not words or any(w in c["name"] for w in words)]
    failed = 0
    with tempfile.TemporaryDirectory() as t, concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = []
        for i, c in enumerate(chosen):
            work = pathlib.Path(t) / str(i)
            work.mkdir()
            jobs.append(pool.submit(run, c, work))
        for c, job in zip(chosen, jobs):
            try:
                ratio = job.result()
                print(f"ok    {c['name']}" + (f": {ratio:.1f} dB" if ratio else ""))
            except Exception as e:
                failed += 1
                print(f"FAIL  {c['name']}: {e!r}")
    return failed


def operator_vectors(word):
    """ONNX's own files of operators whose name holds the word: name -> bytes; None, and a line that says so, without the data."""
    data = pathlib.Path(os.environ.get("SLUICE_DATA", ROOT.parent / "shared" / "data")) / "onnx_node" / "vectors.tar.xz"
    if not data.exists():
        print(f"SKIP: no operator vectors at {data} (set SLUICE_DATA)")
        return None
    with tarfile.open(data) as t:
        return {m.name.split("/")[0]: t.extractfile(m).read() for m in t if m.name.endswith("model.onnx") and word in m.name}
