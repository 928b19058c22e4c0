"""Hashes a folder of PPM files with PyPI's pdqhash (pip install pdqhash==0.2.8
numpy pillow), which wraps the reference in C++. See print_test.go."""
import json
import pathlib
import sys

import numpy
import pdqhash
from PIL import Image

if sys.argv[1] == "--decode":
    for path in pathlib.Path(sys.argv[2]).glob("*.jpg"):
        Image.open(path).convert("RGB").save(pathlib.Path(sys.argv[3]) / (path.stem + ".ppm"))
    sys.exit()

pictures = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.ppm")):
    name = path.read_bytes().split(b"\n")[1][2:].decode()
    vectors, quality = pdqhash.compute_dihedral(numpy.array(Image.open(path)))
    hashes = ["%064x" % int("".join(map(str, v)), 2) for v in vectors]
    # compute_dihedral shrinks a picture of 64 by 64 and compute does not
    upright, quality = pdqhash.compute(numpy.array(Image.open(path)))
    assert hashes[0] == "%064x" % int("".join(map(str, upright)), 2) or Image.open(path).size == (64, 64)
    pictures.append({"name": name, "quality": quality, "hashes": hashes})
json.dump(pictures, sys.stdout, indent=1)
print()
