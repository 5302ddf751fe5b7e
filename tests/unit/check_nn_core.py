#!/usr/bin/env python3
"""docs/nn-core.md holds the instruction table and the verifier's rules as isa.def and rules.def have them:
check_nn_core.py ISA_LISTING NN_CORE_MD [--update]"""
import subprocess
import sys

BEGIN, END = '<!-- generated from isa.def and rules.def: begin {} -->\n', '<!-- end {} -->\n'


def main():
    listing = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
    blocks = dict(zip(('instructions', 'forms', 'rules'), listing.split('\n\n')))
    text = open(sys.argv[2], encoding='utf-8').read()
    for name, block in blocks.items():
        begin, end = BEGIN.format(name), END.format(name)
        if begin not in text or end not in text:
            sys.exit('%s has no block %s' % (sys.argv[2], name))
        head, rest = text.split(begin, 1)
        found, tail = rest.split(end, 1)
        wanted = '\n' + block.strip('\n') + '\n\n'
        if '--update' in sys.argv:
            text = head + begin + wanted + end + tail
        elif found != wanted:
            sys.exit('%s: block %s is not what the tables say: run check_nn_core.py LISTING DOCUMENT --update' % (sys.argv[2], name))
    if '--update' in sys.argv:
        open(sys.argv[2], 'w', encoding='utf-8').write(text)


main()
