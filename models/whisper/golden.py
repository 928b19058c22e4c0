"""Writes models/testdata/whisper.json: what the original runtime makes of a sound that every test can make again.

golden.py MODEL FILE, with faster-whisper 1.2.1 (a test tool; nothing of it ships). MODEL is a folder with model.bin
(part1 and part2 of the two packages in models/manifest.yaml, one behind the other), config.json, tokenizer.json and
vocabulary.json of the second.
"""
import json
import sys

import ctranslate2
import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

RATE, SECONDS = 16000, 3


def sound():
    t = np.arange(RATE * SECONDS) / RATE
    s = lambda f: np.sin(2 * np.pi * f * t)
    return (.25 * s(150) * (1 + .5 * s(3)) + .15 * s(450) + .1 * s(1200) * s(2)).astype(np.float32)


def main():
    audio = np.concatenate([sound(), np.zeros(30 * RATE, np.float32)])
    mel = np.ascontiguousarray(FeatureExtractor(feature_size=80)(audio, padding=160)[:, :3000], dtype=np.float32)
    model = ctranslate2.models.Whisper(sys.argv[1], device="cpu", compute_type="float32", intra_threads=1)
    hidden = model.encode(ctranslate2.StorageView.from_array(mel[None]))
    out = np.array(hidden)[0]
    said = model.generate(hidden, [[50258, 50259, 50359]], beam_size=1, max_length=24, suppress_blank=True)[0].sequences_ids[0]
    pick = lambda a, rows, cols: [[round(float(v), 5) for v in a[r, ::cols]] for r in range(0, a.shape[0], rows)]
    json.dump({"mel": pick(mel, 13, 37), "hidden": pick(out, 97, 61), "tokens": said}, open(sys.argv[2], "w"))


if __name__ == "__main__":
    main()
