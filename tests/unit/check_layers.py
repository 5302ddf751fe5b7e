#!/usr/bin/env python3
"""Dependencies point one way: reads the #include lines of src/ and fails when an arrow of docs/architecture.md turns round."""
import pathlib
import re
import sys

MAY = {
    "base": set(),
    "ir": {"base"},
    "kernels": {"base"},
    "hef": {"base"},
    "device": {"base", "kernels", "hef"},
    "ops": {"base", "ir", "hef"},
    "har": {"base", "ir", "ops"},
    "front": {"base", "ir", "ops"},
    "onnx": {"base", "ir", "ops", "front"},
    "tflite": {"base", "ir", "ops", "front"},
    "script": {"base", "ir", "ops"},
    "quant": {"base", "ir", "ops", "script"},
    "compile": {"base", "ir", "ops", "hef"},
    "report": {"base"},
    "cli": {"base"},
}
MAY["api"] = set(MAY) | {"api"}
CLI_BASE = {"base/arena.h", "base/compiler.h", "base/error.h", "base/file.h", "base/json.h", "base/log.h", "base/strings.h"}


def main():
    root = pathlib.Path(sys.argv[1])
    bad, seen, names = [], 0, {}
    for path in sorted((root / "src").rglob("*.[chd]*")):
        room = path.relative_to(root / "src").parts[0]
        names.setdefault(path.name, []).append(str(path))
        for line, text in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', text)
            if not m:
                continue
            seen += 1
            target = m.group(1).split("/")[0]
            if target in ("sluice", room):
                continue
            if target not in MAY:
                bad.append(f"{path}:{line}: '{m.group(1)}' is not written from the source root")
            elif target not in MAY[room]:
                bad.append(f"{path}:{line}: {room} may not include {target}")
            elif room == "cli" and m.group(1) not in CLI_BASE:
                bad.append(f"{path}:{line}: the command line uses include/sluice, not {m.group(1)}")
    bad += [f"{' and '.join(p)}: file names are unique in the tree" for n, p in names.items() if len(p) > 1 and n != "meson.build"]
    for line in bad:
        print(line)
    print(f"{seen} includes checked, {len(bad)} wrong")
    return 1 if bad or seen < 100 else 0


sys.exit(main())
