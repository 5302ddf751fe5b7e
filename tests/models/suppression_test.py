#!/usr/bin/env python3
"""Files that end in a suppression of boxes, made here: the parser recommends the raw heads, and the configuration takes thresholds, anchors
and scale factors from the file. An SSD in TFLite with TFLite_Detection_PostProcess; detectors in ONNX with NonMaxSuppression and with
TensorRT's EfficientNMS."""
import json
import pathlib
import re
import struct
import sys
import tempfile

import models

sys.path.insert(0, str(models.ROOT / "fuzz"))
import onnx_writer as ox  # noqa: E402
from make_tflite_seeds import CLASSES, OPTIONS, detector  # noqa: E402
from tflite_writer import flexbuffer  # noqa: E402


def onnx_yolov8(last):
    """Three scales of 64 and 6 channels, concatenated; `last` makes the suppression and its outputs."""
    nodes, weights, boxes, scores, total = [], [], [], [], 0
    source, channels, cells = "image", 3, 64
    for i in range(3):
        stride = 8 if i == 0 else 2
        cells //= stride
        total += cells * cells
        weights += [ox.onnx_floats(f"w{i}", 8, channels, 3, 3), ox.onnx_floats(f"wb{i}", 64, 8, 1, 1), ox.onnx_floats(f"wc{i}", 6, 8, 1, 1)]
        nodes.append(ox.onnx_node("Conv", [source, f"w{i}"], [f"x{i}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[stride, stride]))
        for name, out in (("b", boxes), ("c", scores)):
            nodes.append(ox.onnx_node("Conv", [f"x{i}", f"w{name}{i}"], [f"{name}{i}"], kernel_shape=[1, 1]))
            nodes.append(ox.onnx_node("Reshape", [f"{name}{i}", f"shape_{name}"], [f"{name}{i}_flat"]))
            out.append(f"{name}{i}_flat")
        source, channels = f"x{i}", 8
    weights += [ox.onnx_ints("shape_b", 1, 64, -1), ox.onnx_ints("shape_c", 1, 6, -1), ox.onnx_ints("axes", 1),
                ox.onnx_tensor("most", [1], 7, struct.pack("<q", 42)), ox.onnx_tensor("overlap", [1], 1, struct.pack("<f", 0.375)),
                ox.onnx_tensor("threshold", [], 1, struct.pack("<f", 0.125))]
    nodes += [ox.onnx_node("Concat", boxes, ["all_boxes"], axis=2), ox.onnx_node("Concat", scores, ["logits"], axis=2),
              ox.onnx_node("Sigmoid", ["logits"], ["scores"]), ox.onnx_node("Slice", ["all_boxes", "from", "to", "axes"], ["four"]),
              ox.onnx_node("Transpose", ["four"], ["four_last"], perm=[0, 2, 1])]
    weights += [ox.onnx_ints("from", 0), ox.onnx_ints("to", 4)]
    more, outputs, *own = last()
    return ox.onnx_model(nodes + more, [ox.onnx_value("image", [1, 3, 64, 64])], outputs, weights + sum(own, []))


def suppressed():
    copied = [ox.onnx_node("Identity", ["threshold"], ["threshold_copy"])]
    return copied + [ox.onnx_node("NonMaxSuppression", ["four_last", "scores", "most", "overlap", "threshold_copy"], ["selected"])], [
        ox.onnx_value("selected", ["n", 3], 7)]


def picked():
    """PyTorch's way: a mask of scores above a threshold picks what is suppressed, which has no threshold of its own."""
    above = [ox.onnx_node("Greater", ["scores", "threshold"], ["mask"]), ox.onnx_node("NonZero", ["mask"], ["where"]),
             ox.onnx_node("Transpose", ["where"], ["indices"], perm=[1, 0]), ox.onnx_node("GatherND", ["scores", "indices"], ["few"]),
             ox.onnx_node("Unsqueeze", ["few", "zeros"], ["few_scores"]),
             ox.onnx_node("NonMaxSuppression", ["four_last", "few_scores", "most", "seven"], ["selected"])]
    weights = [ox.onnx_ints("zeros", 0, 1), ox.onnx_tensor("seven", [1], 1, struct.pack("<f", 0.7))]
    return above, [ox.onnx_value("selected", ["n", 3], 7)], weights


def plugin():
    return [ox.onnx_node("EfficientNMS_TRT", ["four_last", "scores"], ["n", "kept"], domain="TRT", score_threshold=0.125, iou_threshold=0.375,
                         max_output_boxes=42)], [ox.onnx_value("n", [1, 1], 6), ox.onnx_value("kept", [1, 42, 4])]


def best():
    """No suppression, as networks trained without one end: the best scores."""
    return [ox.onnx_node("TopK", ["scores", "three"], ["values", "where"], axis=2)], [
        ox.onnx_value("values", [1, 6, 3]), ox.onnx_value("four_last", [1, 84, 4])], [ox.onnx_ints("three", 3)]


def check_best(folder, ends):
    """What has no quantized form stands behind the heads: it is them that are named, and what ends there is quantized."""
    (folder / "best.onnx").write_bytes(onnx_yolov8(best))
    models.sluice("parser", "onnx", folder / "best.onnx", "--har-path", folder / "best.har")
    optimize = ["--use-random-calib-set", "--output-har-path", folder / "q.har"]
    r = models.sluice("optimize", folder / "best.har", *optimize, check=False)
    assert r.returncode == 4 and "(top_k) is computed in native mode only" in r.stderr and "raw heads (yolov8)" in r.stderr, r
    assert re.findall(r"'([^']*)'", re.search(r"--end-node-names (.*)", r.stderr)[1]) == ends, r
    models.sluice("parser", "onnx", folder / "best.onnx", "--har-path", folder / "best.har", "--end-node-names", *ends)
    models.sluice("optimize", folder / "best.har", *optimize)
    print("best.onnx: the raw heads have quantized forms")


def check(folder, name, data, ends):
    """Refused with the raw heads recommended; taken with -y; the archive then ends there."""
    path = folder / name
    path.write_bytes(data)
    kind = "tflite" if path.suffix == ".tflite" else "onnx"
    r = models.sluice("parser", kind, path, "--har-path", folder / "no.har", "--parsing-report-path", folder / "report.json", check=False)
    assert r.returncode == 4 and "parse up to the raw heads" in r.stderr, r
    line = re.search(r"--end-node-names (.*)", r.stderr)[1]
    assert re.findall(r"'([^']*)'", line) == ends, f"{name}: {line}"
    report = json.loads((folder / "report.json").read_text())
    assert report["recommended_end_nodes"] == report["detection_head"]["end_nodes"] == ends, report
    har = folder / f"{path.stem}.har"
    models.sluice("parser", kind, path, "--har-path", har, "-y")
    models.sluice("har", "extract", har, "-o", folder / path.stem)
    config = json.loads((folder / path.stem / f"{path.stem}.nms.json").read_text())
    print(f"{name}: {len(ends)} raw heads recommended and taken")
    return config


def check_size(folder):
    """A detector with free height and width: the shape to give is that of the export, where the file says it."""
    graph = ox.onnx_model([ox.onnx_node("Relu", ["image"], ["y"])], [ox.onnx_value("image", ["n", 3, "h", "w"])], [ox.onnx_value("y", ["n", 3, "h", "w"])], [])
    for said, want in (("[96, 160]", "96,160"), ("[0, 160]", "224,224"), ("160", "224,224"), ("[999999999999, 1]", "224,224")):
        (folder / "free.onnx").write_bytes(graph + ox.pb(14, ox.pb(1, "imgsz") + ox.pb(2, said)))
        r = models.sluice("parser", "onnx", folder / "free.onnx", "--har-path", folder / "no.har", check=False)
        assert r.returncode == 3 and f"--tensor-shapes image=[1,3,{want}]" in r.stderr, r
        models.sluice("parser", "onnx", folder / "free.onnx", "--har-path", folder / "free.har", "--tensor-shapes", f"image=[1,3,{want}]")
    print("free.onnx: the size of the export is proposed")


def main():
    with tempfile.TemporaryDirectory() as t:
        folder = pathlib.Path(t)
        check_size(folder)
        raw = [f"{what};{i}" for i in range(2) for what in ("box", "class")]
        config = check(folder, "ssd.tflite", detector(flexbuffer(OPTIONS)), raw)
        want = {"nms_scores_th": 0.25, "nms_iou_th": 0.5, "max_proposals_per_class": 12, "classes": CLASSES, "centers_scale_factor": 8,
                "bbox_dimensions_scale_factor": 4, "background_removal": True, "background_removal_index": 0, "image_dims": [32, 32]}
        assert want.items() <= config.items(), config
        assert [d["h"] for d in config["bbox_decoders"]] == [[0.25, 0.375], [1.25, 1.375, 1.5]], config
        assert [d["w"] for d in config["bbox_decoders"]] == [[0.5, 0.625], [0.5, 0.625, 0.75]], config
        for broken in (b"", flexbuffer(OPTIONS)[:-1], bytes(40), flexbuffer(OPTIONS)[-60:]):  # no options: anchors stay, the rest is the kind's
            config = check(folder, "broken.tflite", detector(broken), raw)
            assert config["nms_scores_th"] == 0.3 and config["bbox_decoders"][0]["h"] == [0.25, 0.375], config
        for key, wrong in (("nms_score_threshold", 7.0), ("nms_iou_threshold", float("nan")), ("max_detections", -3), ("y_scale", 0.0)):
            config = check(folder, "wrong.tflite", detector(flexbuffer({**OPTIONS, key: wrong})), raw)
            ours = {"nms_score_threshold": "nms_scores_th", "nms_iou_threshold": "nms_iou_th", "max_detections": "max_proposals_per_class",
                    "y_scale": "centers_scale_factor"}[key]
            assert config[ours] == {"nms_scores_th": 0.3, "nms_iou_th": 0.6, "max_proposals_per_class": 100, "centers_scale_factor": 10}[ours]
        raw = [f"Conv_{what}{i}" for i in range(3) for what in "bc"]
        config = check(folder, "nms.onnx", onnx_yolov8(suppressed), raw)
        assert {"nms_scores_th": 0.125, "nms_iou_th": 0.375, "max_proposals_per_class": 42, "classes": 6, "regression_length": 16}.items() <= config.items(), config
        check_best(folder, raw)
        config = check(folder, "picked.onnx", onnx_yolov8(picked), raw)
        assert {"nms_scores_th": 0.125, "nms_iou_th": 0.7, "max_proposals_per_class": 42}.items() <= config.items(), config
        config = check(folder, "plugin.onnx", onnx_yolov8(plugin), raw)
        assert {"nms_scores_th": 0.125, "nms_iou_th": 0.375, "max_proposals_per_class": 100}.items() <= config.items(), config
    return 0


sys.exit(main())
