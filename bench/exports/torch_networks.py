"""Networks of the public PyTorch libraries, built small from their configurations with seeded random weights, and exported."""
import importlib
import os
import warnings

import torch
from torch import nn

import transformer_networks

LIBRARIES = ["torchvision", "timm", "transformers", "ultralytics"]
# A second or more of export each, and nothing in them that a smaller sister does not have.
LARGE = ("vit_h_14", "vit_l_", "regnet_y_128gf", "regnet_y_32gf", "regnet_x_32gf", "regnet_y_16gf", "convnext_large", "efficientnet_b5",
         "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "vgg13", "vgg19", "resnext101", "wide_resnet101")
DETECTORS = ("fasterrcnn", "fcos", "keypointrcnn", "maskrcnn", "retinanet", "ssd")
VIDEO = {"s3d": (16, 224), "swin3d": (8, 64), "mvit": (16, 224), "r3d": (8, 56), "mc3": (8, 56), "r2plus1d": (8, 56)}
TIMM_SIZES = (96, 128, 64, 160, 192, 224, 256)


class Flat(nn.Module):
    """Every tensor that the network returns, however nested."""

    def __init__(self, network, in_list=False):
        super().__init__()
        self.network, self.in_list = network, in_list

    def forward(self, *inputs):
        return tuple(tensors(self.network([inputs[0][0]]) if self.in_list else self.network(*inputs)))


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for v in value for t in tensors(v)] if isinstance(value, (list, tuple)) else []


def settle(network, inputs):
    """Random weights as trained ones behave: BatchNorm knows its statistics, and nothing that starts at zero stays there."""
    generator = torch.Generator().manual_seed(7)
    for name, p in network.named_parameters():
        if p.numel() > 1 and float(p.detach().abs().max()) < 1e-2:  # zero biases, LayerScale
            p.data.copy_(torch.randn(p.shape, generator=generator) * (0.02 if p.ndim > 1 or "bias" in name else 0.3))
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    if norms:
        network(*[torch.cat([torch.randn(x.shape, generator=generator) for _ in range(2)]) for x in inputs])
    return network.eval()


def torchvision_names():
    import torchvision
    return [n for n in torchvision.models.list_models() if not n.startswith("quantized_") and not n.startswith(LARGE)]


def build_torchvision(name):
    import torchvision
    kind = name.split("_")[0]
    if kind.startswith(DETECTORS):
        size = {"ssd300": 300, "ssdlite320": 320}.get(kind, 128)
        limits = {} if kind.startswith("ssd") else {"min_size": 128, "max_size": 160}
        network = torchvision.models.get_model(name, weights=None, weights_backbone=None, **limits)
        return Flat(network.eval(), in_list=True), (torch.rand(1, 3, size, size),)
    if kind == "raft":
        network = torchvision.models.get_model(name).eval()
        return Flat(lambda a, b: network(a, b, num_flow_updates=3)[-1]), (torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128))
    more = {"weights_backbone": None} if kind in ("deeplabv3", "fcn", "lraspp") else {}
    network = torchvision.models.get_model(name, weights=None, **more).eval()
    if kind in VIDEO:
        frames, size = VIDEO[kind]
        inputs = (torch.randn(1, 3, frames, size, size),)
    else:
        size = 224 if kind in ("vit", "maxvit") else 128 if kind == "inception" else 96
        inputs = (torch.randn(1, 3, size, size),)
    return settle(Flat(network), inputs), inputs


def timm_names():
    """The network of each family (module) that has the shortest name."""
    import timm
    chosen = [min(timm.list_models(module=m), key=lambda n: (len(n), n), default=None) for m in timm.list_modules()]
    return sorted(n for n in set(chosen) if n)


def build_timm(name):
    import timm
    channels = timm.get_pretrained_cfg(name).input_size[0] if timm.is_model_pretrained(name) else 3
    problem = None
    for size in TIMM_SIZES:
        for more in ({"img_size": size}, {}):
            try:
                network = Flat(timm.create_model(name, num_classes=10, **more).eval())
                inputs = (torch.randn(1, channels, size, size),)
                network(*inputs)
                return settle(network, inputs), inputs
            except Exception as error:  # this size does not fit this network: the next one
                problem = error
    raise problem


def ultralytics_names():
    import ultralytics
    folder = os.path.join(os.path.dirname(ultralytics.__file__), "cfg", "models")
    found = sorted(f[:-5] for _, _, files in os.walk(folder) for f in files if f.endswith(".yaml"))
    # "yolo11-seg" stands for a family; the letter behind the version is the size.
    return [f if "rtdetr" in f or not f.startswith("yolo") or f.startswith("yolov3") else with_size(f) for f in found]


def with_size(name):
    stem, *rest = name.split("-")
    return "-".join([stem + {"yolov9": "t"}.get(stem, "n") if stem[-1].isdigit() else stem, *rest])


def build_ultralytics(name):
    """The head as `export(format="onnx")` sets it."""
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    import ultralytics
    network = (ultralytics.RTDETR if "rtdetr" in name else ultralytics.YOLO)(name + ".yaml").model
    inputs = (torch.randn(1, 3, 160, 160),)
    network.train()
    for norm in network.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.reset_running_stats()
            norm.momentum = None
    network(torch.randn(4, 3, 160, 160))
    network.eval().fuse()
    for module in network.modules():
        if hasattr(module, "export"):
            module.export, module.format = True, "onnx"
    return Flat(network), inputs


def names(library):
    return transformer_networks.names() if library == "transformers" else globals()[f"{library}_names"]()


def build(library, name):
    torch.manual_seed(1)
    with torch.no_grad():
        if library == "transformers":
            return transformer_networks.build(name)
        return (*globals()[f"build_{library}"](name), None)


def export(library, name, exporter, path):
    warnings.filterwarnings("ignore")
    importlib.import_module(library)
    network, inputs, input_names = build(library, name)
    more = {"input_names": input_names} if input_names else {}
    with torch.no_grad():
        if exporter == "new":
            torch.onnx.export(network, inputs, str(path), dynamo=True, external_data=False, verbose=False, **more)
        else:
            torch.onnx.export(network, inputs, str(path), dynamo=False, opset_version=17, **more)
