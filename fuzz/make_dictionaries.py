#!/usr/bin/env python3
"""Writes a libFuzzer dictionary a target: python3 fuzz/make_dictionaries.py SOURCE FOLDER

The words are those of the tables that the readers use (operators, attributes, commands, instructions), so a new row is fuzzed from its first
day, and the byte patterns of each format: field tags, type codes, extreme numbers. Standard library only."""
import os
import re
import struct
import sys

from onnx_writer import pb, pb_varint

EXTREMES = (-2 ** 63, -2 ** 31, -2, -1, 0, 1, 2, 127, 128, 255, 2 ** 15 - 1, 2 ** 16 - 1, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 40, 2 ** 63 - 1)
KINDS = 20  # of ONNX data types and attribute types


def words(source, pattern, *paths):
    """What the first group of `pattern` matches in files of the source."""
    found = set()
    for path in paths:
        whole = os.path.join(source, path)
        names = sorted(os.listdir(whole)) if os.path.isdir(whole) else [""]
        for name in names:
            with open(os.path.join(whole, name) if name else whole, encoding="utf-8") as f:
                found.update(re.findall(pattern, f.read()))
    assert found, (pattern, paths)
    return [w.encode() for w in sorted(found)]


def numbers(form):
    limits = {"<b": 7, "<h": 15, "<i": 31, "<q": 63}[form]
    return [struct.pack(form, v) for v in EXTREMES if -2 ** limits <= v < 2 ** limits]


def tags(most):
    """Field tags of protobuf, each with the wire types that messages use."""
    return [pb_varint(number << 3 | wire) for number in range(1, most + 1) for wire in (0, 1, 2, 5)]


def dictionary_wire(source):
    return tags(16) + [pb_varint(v) for v in EXTREMES]


def dictionary_onnx(source):
    operators = words(source, r'ONNX(?:_NOT)?\("[\w.]*",\s*"(\w+)"', "src/onnx/onnx_ops.def")
    attributes = words(source, r'onnx_attr\w*\(\w+, "(\w+)"', "src/onnx")
    dims = [pb(1, v) for v in EXTREMES]
    types = [pb(tag, kind) for tag in (1, 2, 3, 20) for kind in range(KINDS)]
    versions = [pb(8, pb(1, "") + pb(2, v)) for v in (0, 1, 6, 9, 11, 13, 17, 18, 21, 25, 99)]
    texts = [b"SAME_UPPER", b"SAME_LOWER", b"VALID", b"NOTSET", b"linear", b"cubic", b"nearest", b"align_corners", b"asymmetric",
             b"half_pixel", b"pytorch_half_pixel", b"tf_crop_and_resize", b"round_prefer_floor", b"floor", b"ceil", b"reflect", b"edge",
             b"wrap", b"constant", b"zeros", b"border", b"reflection", b"bidirectional", b"reverse", b"Tanh", b"Sigmoid", b"Relu", b"CRD",
             b"DCR", b"add", b"mul", b"max", b"min", b"none", b"...ij,jk->...ik", b"external_data", b"location", b"offset", b"length",
             b"ai.onnx", b"com.microsoft"]
    return operators + attributes + dims + types + versions + texts + tags(25) + [pb_varint(v) for v in EXTREMES]


def dictionary_tflite(source):
    codes = [struct.pack("<i", v) for v in range(160)]
    kinds = [struct.pack("<bb", kind, other) for kind in range(18) for other in (0, 1)]
    offsets = [struct.pack("<HH", 4 + 2 * n, 4 + 4 * n) for n in range(12)]
    texts = [b"TFL3", b"TFLite_Detection_PostProcess", b"serving_default", b"min_runtime_version", b"FlexRange", b"detections_per_class",
             b"nms_iou_threshold", b"use_regular_nms"]
    return codes + kinds + offsets + texts + numbers("<i") + numbers("<h") + numbers("<q")


def dictionary_hef(source):
    return [b"\x01HEF"] + tags(24) + [pb_varint(v) for v in EXTREMES] + [v[::-1] for v in numbers("<i") + numbers("<q")]


def dictionary_program(source):
    return numbers("<i") + numbers("<q") + [struct.pack("<f", v) for v in (0, -0.0, 1, 1e-45, 3.4e38, float("inf"), float("nan"))]


def json_words(source, *paths):
    return [b'"' + w + b'"' for w in words(source, r'"([a-z_]{3,24})"', *paths)]


def dictionary_json(source):
    return [b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"false", b"1e308", b"-0", b"1e-400", b"18446744073709551616",
            b"\\u0000", b"\\ud800", b'"', b"\xef\xbb\xbf", b"\xc0\x80"]


def dictionary_har(source):
    return dictionary_json(source) + json_words(source, "src/har") + [b"ustar\0", b"PK\3\4", b"PK\1\2", b"PK\5\6", b"\x93NUMPY"]


def dictionary_irtext(source):
    kinds = words(source, r"OP\(\s*(\w+),", "src/ir/ops.def")
    return kinds + [b"graph", b"native", b"quantized", b"%", b"{", b"}", b"->", b"splat", b"u8", b"s8", b"f32", b"u16", b"s32"]


def dictionary_script(source):
    commands = words(source, r"COMMAND\(\s*(\w+),", "src/script/script_commands.def")
    keys = words(source, r"(?:KEY|ARG|PART)\(\s*(\w+),", "src/script/script_commands.def")
    return commands + keys + [b"(", b")", b"[", b"]", b"{", b"}", b"=", b",", b"*", b"#", b"'", b'"', b"a8_w8", b"a16_w16", b"net/", b"1e309"]


def dictionary_npy(source):
    texts = [b"\x93NUMPY\x01\0", b"\x93NUMPY\x02\0", b"'descr'", b"'fortran_order'", b"'shape'", b"True", b"False", b"(", b",)", b"()"]
    return texts + [b"'%s%s%d'" % (o, k, n) for o in (b"<", b">", b"|") for k in (b"f", b"i", b"u", b"b", b"c") for n in (1, 2, 4, 8)]


def dictionary_npz(source):
    return [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08", b"\x01\0\x10\0", b".npy"] + numbers("<i") + numbers("<q")


def dictionary_tar(source):
    return [b"ustar\0" b"00", b"ustar  \0", b"path=", b"size=", b"././@LongLink", b"\x1f\x8b\x08", b"7777777777", b"\x80" + bytes(7)]


def dictionary_image(source):
    jpeg = [bytes([255, m]) for m in (0xc0, 0xc2, 0xc4, 0xd8, 0xd9, 0xda, 0xdb, 0xdd, 0xe0, 0xe1, 0xee)]
    return jpeg + [b"\x89PNG\r\n\x1a\n", b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"BM", b"P5", b"P6"]


def quoted(word):
    return '"%s"' % "".join("\\x%02x" % b if b < 32 or b > 126 or b in b'"\\' else chr(b) for b in word)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for name, make in sorted(globals().items()):
        if name.startswith("dictionary_"):
            with open(os.path.join(folder, name[11:] + ".dict"), "w") as f:
                f.write("".join(quoted(w) + "\n" for w in dict.fromkeys(make(source)) if w))


main()
