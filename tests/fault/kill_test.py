#!/usr/bin/env python3
"""Outputs are whole or old: optimize and compiler are killed at random moments, 50 times each, and inside the system calls of a
commit, and run where the disk is full. The old output must be byte-identical or the new one complete. No other file may be left in
the folder, but for SIGKILL just before an old file is replaced: then a whole file under a hidden name, which the next run removes.

usage: kill_test.py [KILLS]"""
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
DEMO = ROOT / "examples" / "demo"
KILL_AT_LIBRARY = os.environ.get("KILL_AT_LIBRARY")  # kill_at.c, where the build can preload it
HIDDEN = re.compile(r"\.(.+)\.\d+\.\d+\.sluice-tmp")


def run(*args, **more):
    return subprocess.run([SLUICE, *map(str, args)], capture_output=True, text=True, **more)


def snapshot(folder):
    return {p.name: p.read_bytes() for p in pathlib.Path(folder).iterdir()}


def restore(folder, files):
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def check_whole(label, command, folder, old, new, number):
    """After a kill by signal `number`. old: the folder's files before; new: what a whole run leaves."""
    now = snapshot(folder)
    hidden = {name: HIDDEN.fullmatch(name) for name in set(now) - set(old) - set(new)}
    assert all(hidden.values()), f"{label} left {sorted(hidden)}"
    assert len(hidden) <= (number == signal.SIGKILL), f"{label} left {sorted(hidden)}"
    for name, match in hidden.items():
        assert now.pop(name) == new[match[1]], f"{label} left a partial {name}"
    for name, data in now.items():
        assert data in (old.get(name), new.get(name)), f"{label} left a partial {name}"
    assert set(old) <= set(now), f"{label} lost {sorted(set(old) - set(now))}"
    if hidden:
        assert run(*command).returncode == 0
        assert snapshot(folder) == new, f"{label}: the next run left {sorted(set(snapshot(folder)) - set(new))}"
    return len(hidden)


def kill_many(label, command, folder, old, new, kills, rng):
    restore(folder, old)
    t = time.monotonic()
    assert run(*command).returncode == 0
    whole = time.monotonic() - t
    assert snapshot(folder) == new, label
    late = hidden = 0
    for k in range(kills):
        restore(folder, old)
        # Half of the kills fall near the end, where files are written.
        moment = rng.uniform(0, whole) if k % 2 else rng.uniform(0.85, 1.02) * whole
        number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        p = subprocess.Popen([SLUICE, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        p.send_signal(number)
        p.wait()
        hidden += check_whole(f"{label}: kill {k} ({number.name})", command, folder, old, new, number)
        late += p.returncode == 0
    print(f"{label}: {kills} kills within {whole:.2f} s, {late} came too late, {hidden} left a hidden whole file, nothing partial")


def kill_in_commit(label, command, folder, old, new):
    """Every signal inside every call that makes a name; where there was no file before, one call makes it."""
    for call in "linkat", "linkat hidden", "rename":
        for number in signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            for before in old, {}:
                restore(folder, before)
                r = run(*command, env={**os.environ, "LD_PRELOAD": KILL_AT_LIBRARY, "KILL_AT": call, "KILL_SIGNAL": str(int(number))})
                what = f"{label}: {number.name} in {call} {'over old files' if before else 'into an empty folder'}"
                if call != "linkat" and not before:  # a new name needs no other
                    assert r.returncode == 0 and snapshot(folder) == new, what
                    continue
                finished = r.returncode == 0 and number != signal.SIGKILL and snapshot(folder) == new
                assert finished or r.returncode == -number, f"{what}: exit {r.returncode}: {r.stderr}"
                hidden = check_whole(what, command, folder, before, new, number)
                assert hidden == (call == "rename" and number == signal.SIGKILL), f"{what}: {hidden} hidden files"
    print(f"{label}: killed inside linkat and rename by 4 signals each, nothing partial")


def disk_full(label, command, folder, old):
    """A limit on file size stands in for the full disk: the write fails in the middle, as it would with ENOSPC."""
    restore(folder, old)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    r = run(*command, preexec_fn=limit)
    assert r.returncode == 5, f"{label}: exit {r.returncode}: {r.stderr}"
    assert "error:" in r.stderr, r.stderr
    assert snapshot(folder) == old, f"{label}: the folder changed: {sorted(snapshot(folder))}"
    print(f"{label}: disk full gives '{[line for line in r.stderr.splitlines() if 'error' in line][0]}', old files intact")


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    rng = random.Random(11)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what nohup ignores, children would too
    with tempfile.TemporaryDirectory() as t:
        t = pathlib.Path(t)
        har = t / "signs.har"
        assert run("parser", "onnx", DEMO / "signs.onnx", "--har-path", har).returncode == 0
        quantized, compiled = t / "quantized", t / "compiled"
        quantized.mkdir()
        compiled.mkdir()
        optimize = ["optimize", har, "--calib-set-path", DEMO / "calib", "--model-script", DEMO / "signs.alls", "--calib-set-size", 4,
                    "--output-har-path", quantized / "q.har"]
        assert run(*optimize).returncode == 0
        new = snapshot(quantized)
        (t / "input.har").write_bytes(new["q.har"])
        compiler = ["compiler", t / "input.har", "--output-dir", compiled]
        r = run(*compiler)
        assert r.returncode == 0, r.stderr
        made = snapshot(compiled)
        for label, command, folder, whole in ("optimize", optimize, quantized, new), ("compiler", compiler, compiled, made):
            old = {name: b"the old " + name.encode() for name in whole}
            kill_many(label, command, folder, old, whole, kills, rng)
            if KILL_AT_LIBRARY:
                kill_in_commit(label, command, folder, old, whole)
            disk_full(label, command, folder, old)


main()
