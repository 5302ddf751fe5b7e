#!/usr/bin/env python3
"""Networks as the public model libraries export them today, with random weights: does the file go in, and how far does it come?

    exports.py LIBRARY ... [--match REGEX] [--exporter new|old|both] [--parse-only] [--json FILE]

LIBRARY is torchvision, timm, transformers or ultralytics, from a Python environment of your own that has it beside torch, onnx, onnxscript
and onnxruntime (SLUICE names the program, default build/sluice). Each network is built from its configuration, its BatchNorm statistics are
made from random data, and torch exports it (new: torch.export, today's default; old: TorchScript). Then sluice parses it, compares `native`
with ONNX Runtime (at least 60 dB wanted), quantizes, compiles and runs it (emulator and HEF the same bytes). Where optimize recommends start
or end nodes, as it does for tokens, it is parsed again with them. One calibration sample, which is also what is measured: the quantized SNR
of random weights tells a broken quantized form from a working one, not more.

Prints a line a network and a Markdown row a library. Exit code 1: a network disagreed. Networks that torch cannot export do not count."""
import argparse
import json
import multiprocessing
import os
import pathlib
import re
import sys
import tempfile

import flow
import torch_networks

EXPORT_SECONDS = 300


def export(library, name, exporter, path, answer):
    """In a process of its own: memory goes back, and what a library prints or breaks stays there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    try:
        torch_networks.export(library, name, exporter, path)
        answer.send("")
    except BaseException as error:
        answer.send(f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150] if str(error).strip() else ''}")


def exported(library, name, exporter, path):
    """What went wrong, or nothing."""
    ours, theirs = multiprocessing.Pipe(False)
    p = multiprocessing.get_context("fork").Process(target=export, args=(library, name, exporter, path, theirs))
    p.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(EXPORT_SECONDS) else "took too long"
    except EOFError:
        return "the exporter's process ended"
    finally:
        p.kill()
        p.join()


def verdict(r):
    if "refused" in r:
        return "refused"
    if r["native_db"] < flow.NATIVE_DB:
        return "native differs"
    return "ok" if r.get("equal", True) else "HEF differs"


def line(name, r):
    figures = [f"{r[key]:.{digits}f} {unit}" if key in r else "" for key, digits, unit in
               (("parse_s", 2, "s"), ("native_db", 0, "dB"), ("quantized_db", 1, "dB"))]
    more = (r.get("refused") or r.get("cut") or "")[:300]
    return f"{name:48} {figures[0]:>8} {figures[1]:>8} {figures[2]:>9}  {verdict(r)}{': ' + more if more else ''}"


def sweep(library, arguments):
    results = {}
    exporters = ["new", "old"] if arguments.exporter == "both" else [arguments.exporter]
    for name in torch_networks.names(library):
        if not re.search(arguments.match, name):
            continue
        for exporter in exporters:
            full = f"{library}/{name}" + ("" if exporter == "new" else " (old exporter)")
            with tempfile.TemporaryDirectory() as t:
                path = pathlib.Path(t) / "net.onnx"
                problem = exported(library, name, exporter, path)
                if problem:
                    print(f"{full:48} not exported: {problem}", flush=True)
                    continue
                results[full] = flow.whole(path, arguments.parse_only)
            print(line(full, results[full]), flush=True)
    return results


def summary(library, results, parse_only):
    def count(test):
        return sum(map(test, results.values()))

    quantized = sorted(r["quantized_db"] for r in results.values() if "quantized_db" in r)
    cells = [count(lambda r: "native_db" in r), count(lambda r: r.get("native_db", 0) >= flow.NATIVE_DB)]
    if not parse_only:
        cells += [count(lambda r: r.get("equal", False)), f"{quantized[len(quantized) // 2]:.1f} dB" if quantized else "",
                  count(lambda r: r.get("quantized_db", 99) < 10)]
    return "| " + " | ".join(map(str, [library, len(results), *cells])) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", nargs="+", choices=torch_networks.LIBRARIES)
    parser.add_argument("--match", default="", help="only networks whose name this regular expression finds")
    parser.add_argument("--exporter", choices=["new", "old", "both"], default="new")
    parser.add_argument("--parse-only", action="store_true", help="stop after the comparison of native")
    parser.add_argument("--json", type=pathlib.Path, help="write every result there")
    arguments = parser.parse_args()
    rows, results = [], {}
    for library in arguments.library:
        found = sweep(library, arguments)
        rows.append(summary(library, found, arguments.parse_only))
        results.update(found)
    print("\n| library | exported | parsed and run | native agrees |" + ("" if arguments.parse_only else " HEF = emulator | quantized, median | below 10 dB |"))
    print("|---" * (4 if arguments.parse_only else 7) + "|\n" + "\n".join(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    sys.exit(any(verdict(r).endswith("differs") for r in results.values()))


main()
