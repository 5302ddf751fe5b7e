#!/usr/bin/env python3
"""Layer names against known ones: every network of layer_names.csv that has a structure file, and the heads of further networks from
the table in layer_names.md, in the order of the structure's outputs. A network matches when all its known names do.

The structure files have generated node names, so the text order of consumers is theirs, not the exporter's. Where the true names are
known to sort otherwise (the facts say which), origins are renamed before parsing: RENAMED below has one line a network.
"""
import collections
import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "fuzz"))
from onnx_writer import pb_varint  # noqa: E402

DATA = pathlib.Path(os.environ.get("SLUICE_DATA", ROOT.parent / "shared" / "data"))
FACTS = DATA.parent / "facts"
SLUICE = str(pathlib.Path(os.environ.get("SLUICE", ROOT / "build" / "sluice")).resolve())
SKIP = 77
LEAST = 17

# Names of nodes that decide an order and that public exports are known to carry, by node of the structure file.
YOLOX = ("Conv_64", "Conv_72", "Conv_80"), ("Conv_112", "Conv_120", "Conv_128")
SSD = "BoxPredictor_{}/{}"
RENAMED = {
    "yolox_s_leaky": {n: f"/head/cls_convs.{i}/Conv" for i, n in enumerate(YOLOX[0])},  # the head runs its class branch first
    "yolox_s_wide_leaky": {n: f"/head/cls_convs.{i}/Conv" for i, n in enumerate(YOLOX[0])},
    "yolox_l_leaky": {n: f"/head/cls_convs.{i}/Conv" for i, n in enumerate(YOLOX[1])},
    "yolov7x": {"Conv_102": "/model.114/Conv"},  # before /model.88
    "yolov5n_seg": {"Conv_57": "Conv_209", "Conv_58": "Conv_249", "Conv_59": "Conv_289"},  # behind the mask branch
    "yolov5s_seg": {"Conv_57": "Conv_211", "Conv_58": "Conv_232", "Conv_59": "Conv_253"},
    # box predictors come before the feature extractor
    "ssd_mobilenet_v1": {f"Conv_{35 + i}": SSD.format(i // 2, ("BoxEncodingPredictor", "ClassPredictor")[i % 2]) for i in range(12)},
    "ssd_mobilenet_v2": {f"Conv_{64 + 2 * i}": SSD.format(i // 2, ("BoxEncodingPredictor", "ClassPredictor")[i % 2]) for i in range(12)},
}
# Heads that layer_names.md gives and layer_names.csv does not, in the order of the structure's outputs.
HEADS = {
    "ssd_mobilenet_v1": [(f"Conv_{35 + i}", f"conv{n}") for i, n in enumerate((13, 14, 17, 18, 21, 22, 25, 26, 29, 30, 33, 34))],
}


def fields(data):
    """(number, wire type, payload) of a protobuf message; only what ONNX files of structures hold"""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = number()
        wire = tag & 7
        if wire == 0:
            payload = pb_varint(number())
        else:
            size = {1: 8, 5: 4}.get(wire) or number()
            payload = data[at:at + size]
            at += size
        yield tag >> 3, wire, payload


def joined(parts):
    return b"".join(pb_varint(n << 3 | wire) + (pb_varint(len(data)) if wire == 2 else b"") + data for n, wire, data in parts)


def renamed(model, names):
    """The ONNX file with other node names: ModelProto.graph is field 7, GraphProto.node 1, NodeProto.name 3."""
    def of_node(node):
        return joined((n, w, names.get(d.decode(), d.decode()).encode() if n == 3 else d) for n, w, d in fields(node))

    def of_graph(graph):
        return joined((n, w, of_node(d) if n == 1 else d) for n, w, d in fields(graph))

    return joined((n, w, of_graph(d) if n == 7 else d) for n, w, d in fields(model))


def known_names():
    """network -> [(node of the structure file, name)]"""
    known = collections.OrderedDict()
    with open(FACTS / "layer_names.csv", newline="") as f:
        for row in csv.DictReader(f):
            if not row["structure_file"]:
                continue
            node = re.match(r"structure:(\w+)", row["origin_end_node"]) or re.search(r"structure output\s*\d+ \((\w+)\)", row["how_established"])
            known.setdefault(row["network"], []).append((node.group(1), row["vendor_layer_name"]))
    known.update(HEADS)
    return collections.OrderedDict((network, before_splitting(rows)) for network, rows in known.items())


def before_splitting(rows):
    """A conv that a later step splits is known by its parts, conv_feature_splitterK_i or conv_sliceK: the K-th of such convs has the
    K-th number that is missing among the convs."""
    numbers = {int(name[4:]) for _, name in rows if re.fullmatch(r"conv\d+", name)}
    gaps = [n for n in range(1, max(numbers, default=0) + 1) if n not in numbers]
    split = list(dict.fromkeys(node for node, name in rows if name.startswith(("conv_feature_splitter", "conv_slice"))))
    return list(dict.fromkeys((node, f"conv{gaps[split.index(node)]}" if node in split else name) for node, name in rows))


def parse(network, names, work):
    """origin node of the structure file -> layers of the parsed network"""
    model, har, folder = work / "net.onnx", work / "net.har", work / "net"
    model.write_bytes(renamed((DATA / "structures" / f"{network}.onnx").read_bytes(), names))
    for args in (["parser", "onnx", model, "-y", "--net-name", "net", "--har-path", har], ["har", "extract", har, "--output-dir", folder]):
        r = subprocess.run([SLUICE, *map(str, args)], capture_output=True, text=True)
        assert r.returncode == 0, f"{network}: sluice {args[0]}: {r.stderr}"
    old = {new: node for node, new in names.items()}
    layers = collections.defaultdict(list)
    for name, layer in json.loads((folder / "net.hn").read_text())["layers"].items():
        for origin in layer["original_names"]:
            layers[old.get(origin, origin)].append(name.split("/")[1])
    return layers


def main():
    if not (FACTS / "layer_names.csv").is_file() or not (DATA / "structures").is_dir():
        print(f"SKIP: no layer names at {FACTS} or no structures at {DATA} (set SLUICE_DATA)")
        sys.exit(SKIP)
    known = known_names()
    whole = as_generated = 0
    print(f"{'network':36} known names  given as known  whole  with the structure's own node names")
    for network, rows in known.items():
        good = {}
        with tempfile.TemporaryDirectory() as t:
            for kind, names in (("renamed", RENAMED.get(network, {})), ("generated", {})):
                if kind == "renamed" or RENAMED.get(network):
                    layers = parse(network, names, pathlib.Path(t))
                good[kind] = [(node, name, layers[node]) for node, name in rows if name in layers[node]]
        wrong = [(node, name, layers[node]) for node, name in rows] if not RENAMED.get(network) else []
        wrong = [w for w in wrong if w[1] not in w[2]]
        all_good, all_generated = len(good["renamed"]) == len(rows), len(good["generated"]) == len(rows)
        whole, as_generated = whole + all_good, as_generated + all_generated
        print(f"{network:36} {len(rows):11}  {len(good['renamed']):14}  {'yes' if all_good else 'NO ':5}  {'yes' if all_generated else 'no'}")
        for node, name, got in wrong[:10]:
            print(f"    {node}: known as {name}, here {', '.join(got) or 'fused away'}")
    print(f"{whole} of {len(known)} networks whole ({as_generated} with the node names that the structure files have)")
    assert whole >= LEAST, f"at least {LEAST} are wanted"


if __name__ == "__main__":
    main()
