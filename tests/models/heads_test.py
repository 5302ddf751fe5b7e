#!/usr/bin/env python3
"""Detection heads of real networks: every structure and every detector of the data is recognised as what it is, and nothing else is; with
the end nodes that the log tells, the network ends at the same heads."""
import collections
import concurrent.futures
import json
import pathlib
import sys
import tempfile

import models

# What the zoo says of each network's post-processing, in our kinds; "+": with a configuration, "-": named in the log, boxes are decoded by hand.
STRUCTURES = {
    "centernet+": ["centernet_resnet_v1_18_postprocess", "centernet_resnet_v1_50_postprocess"],
    "ssd+": ["ssd_mobilenet_v1", "ssd_mobilenet_v2"],
    "yolov3-": ["tiny_yolov4"],
    "yolov5+": ["yolov5m", "yolov5m6_6.1"],
    "yolov5_seg+": ["yolov5n_seg", "yolov5s_seg"],
    "yolov6+": ["yolov6n_0.2.1", "yolov6n_0.2.1_nms_core"],
    "yolov7+": ["yolov7x"],
    "yolov8+": ["yolov10n", "yolov10s", "yolov11l", "yolov11m", "yolov11s", "yolov8m", "yolov8n", "yolov8s", "yolov8s_bbox_decoding_only", "yolov9c"],
    "yolov8_seg-": ["yolov8m_seg"],
    "yolox+": ["yolox_l_leaky", "yolox_s_leaky", "yolox_s_wide_leaky"],
}
MODELS = {
    "blazeface-": ["mediapipe_face_detection_short_range", "mediapipe_face_detection_full_range"],
    "ssd-": ["version-RFB-320", "version-RFB-320_simplified", "version-slim-320", "version-RFB-320_without_postprocessing",
             "version-slim-320_without_postprocessing"],
    "yolox+": ["yolox_nano", "yolox_nano_facemask_float16"],
}
SHAPES = {"ch_PP-OCRv4_det_infer": "[1,3,640,640]", "ch_PP-OCRv4_rec_infer": "[1,3,48,320]"}  # open in the file
# Layers, as the vendor's public configurations name them: stride or place of the decoder -> names.
LAYERS = {
    "yolov8n": [("conv41", "conv42"), ("conv52", "conv53"), ("conv62", "conv63")],
    "yolov10s": [("conv45", "conv48"), ("conv56", "conv59"), ("conv66", "conv69")],
    "yolov11m": [("conv71", "conv74"), ("conv87", "conv90"), ("conv102", "conv105")],
    "yolov5m": [("conv75",), ("conv85",), ("conv94",)],
    "yolox_s_leaky": [("conv54", "conv55", "conv56"), ("conv68", "conv69", "conv70"), ("conv81", "conv82", "conv83")],
    "centernet_resnet_v1_18_postprocess": [("conv28", "conv29")],
}


def expected(table):
    return {name: kind for kind, names in table.items() for name in names}


def parse(path, work, *more):
    har = work / f"{path.stem}{len(more)}.har"
    more += ("--tensor-shapes", SHAPES[path.stem]) if path.stem in SHAPES else ()
    report = har.with_suffix(".json")
    log = models.sluice("parser", "tflite" if path.suffix == ".tflite" else "onnx", path, "--har-path", har, "--parsing-report-path", report,
                        *more).stderr
    head = json.loads(report.read_text())["detection_head"]
    if not head:
        assert "heads recognised" not in log, log
        return har, None, []
    assert f"{head['kind']} heads recognised{':' if head['configuration'] else ', without'}" in log and bool(head["reason"]) != head["configuration"], log
    assert all(f"guessed: {g}" in log for g in head["guessed"]) or not head["configuration"], log
    assert ("parse with --end-node-names" in log) == bool(head["end_nodes"]), log
    return har, head["kind"] + "-+"[head["configuration"]], head["end_nodes"]


def layers_of(decoder):
    return tuple(v for k, v in decoder.items() if "layer" in k)


def check(path, want, work):
    har, kind, ends = parse(path, work)
    problems = [] if kind == want else [f"{path.stem}: {kind} is found, {want} is wanted"]
    if ends:  # the same heads, now at the outputs
        _, again, more = parse(path, work, "--end-node-names", *ends)
        if again != kind or more:
            problems.append(f"{path.stem}: {kind} with its decoding, {again} {more} without")
    if path.stem in LAYERS:
        models.sluice("har", "extract", har, "-o", work / path.stem, "-q")
        config = json.loads(next((work / path.stem).glob("*.nms.json")).read_text())
        got = [layers_of(d) for d in config["bbox_decoders"]]
        if not all(set(want) <= set(have) for want, have in zip(LAYERS[path.stem], got)):
            problems.append(f"{path.stem}: layers {got}, {LAYERS[path.stem]} are wanted")
    return kind, problems


def main():
    if not (models.DATA / "structures").is_dir():
        print(f"SKIP: no structures at {models.DATA} (set SLUICE_DATA)")
        sys.exit(models.SKIP)
    wanted = expected(STRUCTURES) | expected(MODELS)
    files = sorted((models.DATA / "structures").glob("*.onnx")) + [
        p for p in sorted((models.DATA / "models").iterdir()) if p.suffix in (".onnx", ".tflite")]
    missing = set(wanted) - {p.stem for p in files}
    with tempfile.TemporaryDirectory() as t, concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda p: check(p, wanted.get(p.stem), pathlib.Path(t)), files))
    count = collections.Counter(kind for kind, _ in results if kind)
    for kind, n in sorted(count.items()):
        print(f"{kind[:-1]:12} {n:3} {'with a configuration' if kind[-1] == '+' else 'named, no configuration'}")
    print(f"{len(files)} networks, {sum(count.values())} with heads")
    problems = [p for _, found in results for p in found] + [f"{name} is not in the data" for name in sorted(missing)]
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
