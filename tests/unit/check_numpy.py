#!/usr/bin/env python3
"""Files that NumPy writes are read, written again by us, and must load in NumPy with the same type, shape and bytes.

usage: check_numpy.py path/to/npy_tool
"""
import itertools
import os
import subprocess
import sys
import tempfile
import zipfile

try:
    import numpy as np
except ImportError:
    print('SKIP: python3-numpy is not installed')
    sys.exit(77)

TOOL = sys.argv[1]
DTYPES = '|b1 |u1 |i1 <u2 >u2 <i2 >i2 <u4 >u4 <i4 <u8 >u8 <i8 >i8 <f2 >f2 <f4 >f4 <f8 >f8'.split()
SHAPES = [(), (1,), (7,), (0,), (3, 0, 2), (2, 3), (4, 5, 6), (1, 2, 1, 3, 2), (2, 1, 2, 1, 2, 1, 2, 3)]


def run(source, target):
    return subprocess.run([TOOL, source, target], capture_output=True, text=True)


def same(a, b):
    native = a.dtype.newbyteorder('=')
    return b.dtype == native and a.shape == b.shape and a.astype(native).tobytes() == b.tobytes() and b.flags.c_contiguous


def arrays():
    rng = np.random.default_rng(1)
    for dtype, shape, fortran in itertools.product(DTYPES, SHAPES, (False, True)):
        a = rng.integers(0, 2 if dtype == '|b1' else 100, shape).astype(dtype)
        yield '%s %s%s' % (dtype, shape, ' fortran' if fortran else ''), np.asfortranarray(a) if fortran and shape else a


def main():
    failures = []
    with tempfile.TemporaryDirectory() as d:
        source, target = os.path.join(d, 'in.npy'), os.path.join(d, 'out.npy')
        members = {}
        for name, a in arrays():
            members['m%d/%s' % (len(members), 'x' * (len(members) % 70))] = a
        for name, a in list(arrays())[::5]:
            for version in ((1, 0), (2, 0), (3, 0)):
                with open(source, 'wb') as f:
                    np.lib.format.write_array(f, a, version)
                r = run(source, target)
                if r.returncode or not same(a, np.load(target)):
                    failures.append('npy %s %s %s' % (name, version, r.stderr.strip()))
        source, target = os.path.join(d, 'in.npz'), os.path.join(d, 'out.npz')
        for save in (np.savez, np.savez_compressed):
            save(source, **members)
            r = run(source, target)
            if r.returncode:
                failures.append('%s: %s' % (save.__name__, r.stderr.strip()))
                continue
            with np.load(target) as z:
                failures += ['%s: %s' % (save.__name__, k) for k in members if not same(members[k], z[k])]
                if list(z.files) != list(members):
                    failures.append('%s: order of members' % save.__name__)
            with zipfile.ZipFile(target) as z:
                if z.testzip() is not None:
                    failures.append('zip check')
                for i in z.infolist():  # data begins at a multiple of 64
                    with open(target, 'rb') as f:
                        f.seek(i.header_offset + 26)
                        n = int.from_bytes(f.read(2), 'little') + int.from_bytes(f.read(2), 'little')
                    if (i.header_offset + 30 + n) % 64:
                        failures.append('%s is not aligned' % i.filename)
        for bad in (np.array([1 + 2j]), np.array(['text']), np.array([{}], dtype=object), np.zeros(2, dtype=[('a', 'f4')])):
            np.save(os.path.join(d, 'bad.npy'), bad, allow_pickle=True)
            r = run(os.path.join(d, 'bad.npy'), target)
            if r.returncode != 4 or not r.stderr.strip():
                failures.append('%s: exit code %d, %s' % (bad.dtype, r.returncode, r.stderr.strip()))
    for f in failures:
        print('FAIL', f)
    print('%d arrays, %d failures' % (len(members), len(failures)))
    return 1 if failures else 0


sys.exit(main())
