"""How each float model is fed: calibration data, and other data to measure on, both made from the pictures and sounds of SLUICE_DATA by the
model's own preprocessing. Calibration and measurement never share a picture, a word or a sound's features.

Arrays are [N, ...] in the archive's layout (NHWC), before the model script: pixels are u8 and the script normalizes them. `real` gives what
the origin's own engine takes.
"""
import wave

import numpy as np

import models

# pictures: (height, width, how) of `sluice image`; mean, std: the script's normalization; bgr: blue first; fill: what letterboxes hold
RECIPES = {
    "efficientnet_lite0": dict(pictures=(224, 224, "crop"), mean=127.0, std=128.0),
    "yolox_nano": dict(pictures=(416, 416, "fit"), bgr=True),
    "yolox_nano_facemask_float16": dict(pictures=(416, 416, "fit"), bgr=True),
    "version-slim-320": dict(pictures=(240, 320, "stretch"), mean=127.0, std=128.0),
    "version-RFB-320": dict(pictures=(240, 320, "stretch"), mean=127.0, std=128.0),
    "version-RFB-320_simplified": dict(pictures=(240, 320, "stretch"), mean=127.0, std=128.0),
    "version-slim-320_without_postprocessing_tflite": dict(pictures=(240, 320, "stretch"), mean=127.0, std=128.0),
    "version-RFB-320_without_postprocessing_tflite": dict(pictures=(240, 320, "stretch"), mean=127.0, std=128.0),
    "mediapipe_face_detection_full_range": dict(pictures=(192, 192, "fit"), mean=127.5, std=127.5, fill=0),
    "mediapipe_face_detection_short_range": dict(pictures=(128, 128, "fit"), mean=127.5, std=127.5, fill=0),
    "vww_96_float": dict(pictures=(96, 96, "crop"), mean=0.0, std=255.0),
    "resnet8_cifar10_float": dict(pictures=(32, 32, "crop")),
    "tiny_vit_random": dict(pictures=(96, 96, "crop"), mean=127.5, std=127.5),
    "ch_PP-OCRv4_det_infer": dict(pictures=(320, 320, "stretch"), bgr=True, mean=127.5, std=127.5, text="page"),
    "ch_PP-OCRv4_rec_infer": dict(pictures=(48, 320, "stretch"), bgr=True, mean=127.5, std=127.5, text="line"),
    "hello_world_float": dict(made="angles"),
    "ad01_float": dict(made="spectra"),
    "kws_ref_dynrange": dict(made="keywords"),
    "minilm_l3_encoder": dict(made="sentences"),
}


def script(name):
    r = RECIPES[name]
    if "mean" not in r:
        return ""
    mean, std = ([float(r[k])] * 3 for k in ("mean", "std"))
    return f"normalization1 = normalization({mean}, {std})\n"


def is_onnx(name):
    return models.manifest(name)["model"].endswith(".onnx")


def shape_args(name):
    """The text models fix no shape: their golden inputs' is taken."""
    if "text" not in RECIPES[name]:
        return []
    return ["--tensor-shapes", "[" + ",".join(map(str, (1, *models.golden_inputs(name).shape[1:]))) + "]"]


def prepare(name, work, count=64, threads=2):
    """parse + optimize + compile below `work`; returns the paths (har, quantized har, hef). Done once: results are kept."""
    work.mkdir(parents=True, exist_ok=True)
    har, quantized, hef = work / f"{name}.har", work / f"{name}_optimized.har", work / f"{name}.hef"
    if hef.exists():
        return har, quantized, hef
    models.sluice("parser", "onnx" if is_onnx(name) else "tflite", models.DATA / models.manifest(name)["model"], "--har-path", har, "--net-name",
                  name, "-y", *shape_args(name))
    np.save(work / "calib.npy", calibration(name, count, work))
    args = ["optimize", har, "--output-har-path", quantized, "--threads", threads, "--calib-set-path", work / "calib.npy"]
    if script(name):
        (work / f"{name}.alls").write_text(script(name))
        args += ["--model-script", work / f"{name}.alls"]
    models.sluice(*args)
    models.sluice("compiler", quantized, "--output-dir", work)
    return har, quantized, hef


def stored_form(name, x):
    """A golden's input, origin layout: in the archive's layout, before the script."""
    r = RECIPES[name]
    if "pictures" not in r:
        return x
    x = models.to_nhwc(x) if x.shape[-1] != 3 else x
    return np.rint(x * r.get("std", 1.0) + r.get("mean", 0.0)).astype(np.uint8)


def real(name, x):
    """What the origin's engine takes, in the archive's layout."""
    r = RECIPES[name]
    if "pictures" not in r:
        return x
    return (x.astype(np.float32) - np.float32(r.get("mean", 0.0))) / np.float32(r.get("std", 1.0))


def goldens(name):
    return stored_form(name, models.golden_inputs(name))


def calibration(name, count, work):
    return made(name, count, work, held_out=False)


def measurement(name, count, work):
    """Data that calibration did not see; the goldens are apart from these."""
    return made(name, count, work, held_out=True)


def made(name, count, work, held_out):
    r = RECIPES[name]
    rng = np.random.Generator(np.random.PCG64(23 if held_out else 11))
    if "made" in r:
        return globals()[r["made"]](name, count, rng, held_out)
    x = pictures(r, count, work, held_out)
    return {"page": pages, "line": lines}[r["text"]](x, rng, held_out) if "text" in r else x


# ---- pictures ----
def picture_files(count, held_out):
    folder = models.DATA / "images"
    if not held_out:
        files = sorted((folder / "calib").glob("*.jpg"))
        return files[::max(1, len(files) // count)][:count]
    people, others = sorted((folder / "people").glob("*.jpg")), sorted((folder / "imagenet").glob("*.jpg"))
    rest = max(count - len(people), 0)
    return (people + others[3::max(1, len(others) // max(rest, 1))][:rest])[:count]


def pictures(r, count, work, held_out):
    height, width, how = r["pictures"]
    out = work / f"pictures-{held_out}.npy"
    models.sluice("image", *picture_files(count, held_out), "--size", f"{height}x{width}", "--resize", how, *(["--bgr"] if r.get("bgr") else []),
                  "--output", out)
    x = np.load(out)
    if "fill" in r:
        for p in x:  # the rows below and the columns beside the picture are 114
            p[np.nonzero((p != 114).any((1, 2)))[0].max(initial=0) + 1:] = r["fill"]
            p[:, np.nonzero((p != 114).any((0, 2)) & (p != r["fill"]).any((0, 2)))[0].max(initial=0) + 1:] = r["fill"]
    return x


# ---- text: strips of the text goldens, each used for the other network's calibration ----
def strips(of_pages):
    """Lines of dark text on white, u8 [n, 48, 320, 3]: three of the text detector's page, or the recognizer's three."""
    if not of_pages:
        return stored_form("ch_PP-OCRv4_rec_infer", models.golden_inputs("ch_PP-OCRv4_rec_infer"))
    page = stored_form("ch_PP-OCRv4_det_infer", models.golden_inputs("ch_PP-OCRv4_det_infer")[:1])[0]
    return np.stack([page[32 + 85 * k:80 + 85 * k] for k in range(3)])


def inked(strip, background, rng):
    """Text in a colour of its own on the background."""
    ink = 1 - strip[..., :1].astype(np.float64) / 255
    colour = rng.integers(0, 256, 3) if rng.random() < 0.5 else rng.choice([0, 255]) * np.ones(3)
    return np.clip(np.rint(background * (1 - ink) + colour * ink), 0, 255).astype(np.uint8)


def scaled(strip, rng):
    """Smaller by nearest neighbours; 0.5 to 1 of the size."""
    f = 0.5 + 0.5 * rng.random()
    h, w = int(strip.shape[0] * f), int(strip.shape[1] * f)
    return strip[(np.arange(h) / f).astype(int)][:, (np.arange(w) / f).astype(int)]


def pages(x, rng, held_out):
    """Every second picture is paper; one to five lines of text at random places."""
    texts, out = strips(of_pages=held_out), x.copy()
    for i, page in enumerate(out):
        if i % 2:
            page[:] = rng.integers(170, 256, 3)
        for _ in range(rng.integers(1, 6)):
            s = scaled(texts[rng.integers(len(texts))], rng)
            top, left = rng.integers(0, 321 - s.shape[0]), rng.integers(0, 321 - s.shape[1])
            place = page[top:top + s.shape[0], left:left + s.shape[1]]
            place[:] = inked(s, place, rng)
    return out


def lines(x, rng, held_out):
    """Every second picture is paper; one line of text, moved."""
    texts, out = strips(of_pages=not held_out), x.copy()
    for i, line in enumerate(out):
        if i % 2:
            line[:] = rng.integers(170, 256, 3)
        s = np.roll(texts[rng.integers(len(texts))], (int(rng.integers(-6, 7)), int(rng.integers(-40, 41))), (0, 1))
        line[:] = inked(s, line, rng)
    return out


# ---- the rest ----
def angles(name, count, rng, held_out):
    return (np.arange(count) + (0.5 if held_out else 0)).astype(np.float32)[:, None] * np.float32(2 * np.pi / max(count - 1, 1)) % np.float32(2 * np.pi)


def spectra(name, count, rng, held_out):
    """Five rows of the log-mel matrix each: calibration from 0.. and 100.., measurement from 50.. and 150.. ."""
    rows = np.load(models.DATA / "inputs" / "ad01_logmel_200x128.npy")
    first = [f for f in range(196) if (f // 50) % 2 == held_out and (f + 4) // 50 % 2 == held_out]
    chosen = [first[i * len(first) // count] for i in range(count)]
    return np.stack([rows[f:f + 5].reshape(-1) for f in chosen]).astype(np.float32)


def sound(name):
    with wave.open(str(models.DATA / "inputs" / f"{name}_1000ms.wav")) as w:
        return np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(np.float64) / 32768


def cepstra(x):
    """49 frames of 10 mel cepstral coefficients: windows of 30 ms every 20 ms, 40 mel bands from 20 to 4000 Hz."""
    x = x / max(np.abs(x).max(), 1e-9)
    frames = np.stack([x[i * 320:i * 320 + 480] for i in range(49)]) * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480))
    mel = lambda f: 1127.0 * np.log(1.0 + f / 700.0)
    at, edge = mel(np.linspace(0, 8000, 257)[1:])[:, None], np.linspace(mel(20.0), mel(4000.0), 42)[None]
    bands = np.minimum((at - edge[:, :-2]) / np.diff(edge)[:, :-1], (edge[:, 2:] - at) / np.diff(edge)[:, 1:]).clip(0)
    level = np.log(np.abs(np.fft.rfft(frames, 512))[:, 1:] @ bands + 1e-6)
    cosine = 2 * np.cos(np.pi * np.arange(10)[:, None] * (2 * np.arange(40)[None] + 1) / 80.0)
    return (level @ cosine.T / np.sqrt(80)).astype(np.float32)[:, :, None]


def keywords(name, count, rng, held_out):
    """A word moved in time over noise. Measured: "no"; calibrated: "yes"; silence and noise in both, moved and mixed anew."""
    word, noise, silence = sound("no" if held_out else "yes"), sound("noise"), sound("silence")
    out = []
    for i in range(count):
        base = (word, word, noise, silence)[i % 4] * (0.3 + 0.7 * rng.random())
        x = np.roll(base, int(rng.integers(-3000, 3000))) + np.roll(noise, int(rng.integers(16000))) * 0.3 * rng.random() ** 3
        out.append(cepstra(x))
    return np.stack(out)


def sentences(name, count, rng, held_out):
    """Embeddings of three texts are all there is: two to calibrate on, the first to measure."""
    x = models.golden_inputs(name)
    return x[:1] if held_out else x[1:]
