#!/usr/bin/env python3
"""Real graph structures without weights (constants of one value): every file parses; a choice of kinds goes through optimize, compile and
run, emulator and HEF giving the same bytes. Archives and HEFs stay small: a constant of one value is one value in every file.

usage: structures_test.py [NAME ...]   (names: only these, through the whole flow)"""
import concurrent.futures
import json
import pathlib
import sys
import tempfile

import numpy as np

import models

# One of each kind: plain and inverted-bottleneck convolutions, shuffles and deconvolutions, detection heads, transformers with and without
# windows, a text encoder, a segmentation that ends in ArgMax.
CHOSEN = ["squeezenet_v1.1", "efficientnet_lite0", "espcn_x4", "resnext26_32x4d", "ssd_mobilenet_v2", "tiny_yolov4", "yolov10n",
          "yolov6n_0.2.1_nms_core", "centernet_resnet_v1_18_postprocess", "levit256", "resmlp12_relu", "vit_tiny", "efficientformer_l1",
          "poolformer_s12", "tinyclip_vit_61m_32_text_29m_laion400m_text_encoder", "segformer_b0_bn"]
SMALL = 4 << 20
# How many attentions a network has, by its architecture.
ATTENTIONS = {"vit_tiny": 12, "vit_small_bn": 12, "vit_base": 12, "swin_small": 24, "davit_tiny": 12, "efficientformer_l1": 1, "levit256": 14,
              "nextvit_base": 6, "segformer_b0_bn": 8, "siglip_b_16_image_encoder": 13, "siglip2_l_16_256_text_encoder": 24, "yolov10n": 1,
              "yolov11l": 2, "tinyclip_vit_39m_16_text_19m_yfcc15m_image_encoder": 12, "tinyclip_vit_39m_16_text_19m_yfcc15m_text_encoder": 6}
# Constants of one sign let values grow from layer to layer: past float32 for pixels of 0..255, in any engine.
SCALED = {"nextvit_base": "normalization1 = normalization([127.0, 127.0, 127.0], [58.0, 58.0, 58.0])\n"}


def parse(path, work):
    har = work / f"{path.stem}.har"
    models.sluice("parser", "onnx", path, "--har-path", har, "-y", "-q")
    assert har.stat().st_size < SMALL, f"{path.stem}: an archive of {har.stat().st_size} bytes for constants of one value"
    return har


def feed_of(info, work):
    rng = np.random.Generator(np.random.PCG64(11))
    feeds = {i["name"].split("/")[-1]: rng.integers(0, 256, i["shape"]).astype(np.uint8) for i in info["inputs"]}
    path = work / "feed.npz"
    np.savez(path, **feeds)
    return path


def whole_flow(name, har, work):
    info = json.loads(models.sluice("har", "info", har, "--json").stdout)
    feed, quantized = feed_of(info, work), work / "q.har"
    script = work / "net.alls"
    script.write_text(SCALED.get(name, ""))
    models.sluice("optimize", har, "--calib-set-path", feed, "--model-script", script, "--output-har-path", quantized, "-q")
    models.sluice("compiler", quantized, "--output-dir", work, "--output-har-path", work / "c.har", "-q")
    hef = work / f"{info['name']}.hef"
    for file in (quantized, hef):
        assert file.stat().st_size < SMALL, f"{name}: {file.name} takes {file.stat().st_size} bytes"
    models.sluice("run", hef, "--input", feed, "--raw", "--output-dir", work / "run", "-q")
    models.sluice("emulate", quantized, "--mode", "quantized", "--input", feed, "--raw", "--output-dir", work / "emulator", "-q")
    got, want = models.outputs(work / "run"), models.outputs(work / "emulator")
    assert len(got) == len(want) > 0, name
    for a, b in zip(got, want):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes(), f"{name}: emulator and HEF differ"


def limits(har, hef, feed, work):
    """What is written out stays within --memory-limit, or one clear error says what was wanted."""
    for args in (["optimize", har, "--use-random-calib-set", "--output-har-path", work / "none.har"],
                 ["emulate", har, "--mode", "native", "--input", feed, "--output-dir", work / "none"],
                 ["run", hef, "--input", feed, "--output-dir", work / "none"]):
        r = models.sluice(*args, "--memory-limit", 8, check=False)
        assert r.returncode and "memory limit" in r.stderr and "--memory-limit MIB" in r.stderr and r.stderr.count("error:") == 1, r.stderr


def attentions(hars):
    """Every softmax but those that end a network belongs to an attention."""
    found = {}
    for name, har in hars.items():
        info = json.loads(models.sluice("har", "info", har, "--json").stdout)
        if info["attentions"]:
            found[name] = info["attentions"]
    softmaxes = {n: sum(line.split()[1] == "softmax" for line in models.sluice("har", "info", hars[n]).stdout.splitlines()[3:] if len(line.split()) > 1)
                 for n in found}
    for name, groups in found.items():
        assert len(groups) == softmaxes[name], f"{name}: {len(groups)} attentions of {softmaxes[name]} softmaxes"
        forms = sorted({f"{a['heads']} x {a['head_dim']}, {a['queries']} x {a['keys']}, {a['mask']}" for a in groups})
        print(f"  {name}: {len(groups)} attentions ({'; '.join(forms[:3])}{'; ...' if len(forms) > 3 else ''})")
    print(f"{sum(map(len, found.values()))} of {sum(softmaxes.values())} attentions in {len(found)} structures are recognised")
    return found


def main():
    folder = models.DATA / "structures"
    if not folder.is_dir():
        print(f"SKIP: no structures at {folder} (set SLUICE_DATA)")
        sys.exit(models.SKIP)
    files = {p.stem: p for p in sorted(folder.glob("*.onnx"))}
    names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as t, concurrent.futures.ThreadPoolExecutor(2) as pool:
        work = pathlib.Path(t)
        wanted = names or list(files)
        hars = dict(zip(wanted, pool.map(lambda n: parse(files[n], work), wanted)))
        print(f"{len(hars)} structures parse")
        found = attentions(hars)
        if not names:
            assert {n: len(found.get(n, [])) for n in ATTENTIONS} == ATTENTIONS, found.keys()
        for name in names or [n for n in CHOSEN if n in files]:
            inner = work / name
            inner.mkdir()
            whole_flow(name, hars[name], inner)
            if name == "resnext26_32x4d":
                limits(hars[name], next(inner.glob("*.hef")), inner / "feed.npz", inner)
    print(f"{len(names or CHOSEN)} go through the whole flow, emulator and HEF equal")


main()
