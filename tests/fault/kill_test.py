#!/usr/bin/env python3
"""Outputs are whole or old: optimize and compiler are killed at random moments, 50 times each, and run where the disk is full. The old
output must be byte-identical or the new one complete, and no other file may be left in the folder.

usage: kill_test.py [KILLS]"""
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
DEMO = ROOT / "examples" / "demo"


def run(*args, **more):
    return subprocess.run([SLUICE, *map(str, args)], capture_output=True, text=True, **more)


def snapshot(folder):
    return {p.name: p.read_bytes() for p in pathlib.Path(folder).iterdir()}


def kill_many(label, command, folder, old, new, kills, rng):
    """old: the folder's files before; new: what a whole run leaves."""
    t = time.monotonic()
    assert run(*command).returncode == 0
    whole = time.monotonic() - t
    assert snapshot(folder) == new, label
    done = 0
    for k in range(kills):
        for name in list(snapshot(folder)):
            (folder / name).unlink()
        for name, data in old.items():
            (folder / name).write_bytes(data)
        # Half of the kills fall near the end, where files are written.
        moment = rng.uniform(0, whole) if k % 2 else rng.uniform(0.85, 1.02) * whole
        p = subprocess.Popen([SLUICE, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        p.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        p.wait()
        now = snapshot(folder)
        assert set(now) <= set(old) | set(new), f"{label}: kill {k} left {sorted(set(now) - set(old) - set(new))}"
        for name, data in now.items():
            assert data in (old.get(name), new.get(name)), f"{label}: kill {k} left a partial {name}"
        assert set(old) <= set(now), f"{label}: kill {k} lost {sorted(set(old) - set(now))}"
        done += p.returncode == 0
    print(f"{label}: {kills} kills within {whole:.2f} s, {done} came too late, nothing partial")


def disk_full(label, command, folder, old):
    """A limit on file size stands in for the full disk: the write fails in the middle, as it would with ENOSPC."""
    for name in list(snapshot(folder)):
        (folder / name).unlink()
    for name, data in old.items():
        (folder / name).write_bytes(data)

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
        kill_many("optimize", optimize, quantized, {"q.har": b"the old archive"}, new, kills, rng)
        kill_many("compiler", compiler, compiled, {name: b"the old " + name.encode() for name in made}, made, kills, rng)
        disk_full("optimize", optimize, quantized, {"q.har": b"the old archive"})
        disk_full("compiler", compiler, compiled, {name: b"the old " + name.encode() for name in made})


main()
