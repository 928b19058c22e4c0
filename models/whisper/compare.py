"""Holds our encoder and decoder, no weight rounded, against the original runtime: the logits of every step of greedy
decoding, token after token of the original's.

compare.py MODEL GRAPHS LANGUAGE=SOUND…, with faster-whisper 1.2.1 and onnxruntime (test tools; nothing of them ships).
MODEL is a folder as for golden.py, GRAPHS one that `go run ./models/whisper/exact` wrote, LANGUAGE zh or en.
"""
import sys

import ctranslate2
import numpy as np
import onnxruntime
from faster_whisper import decode_audio
from faster_whisper.feature_extractor import FeatureExtractor

RATE, WIDTH = 16000, 512
START, WRITE_DOWN, NO_TIMES = 50258, 50359, 50363
LANGUAGE = {"en": 50259, "zh": 50260}


def differences(original, encoder, decoder, language, sound):
    """The largest difference of a logit, how many steps chose the same token, and how many there were."""
    audio = np.concatenate([decode_audio(sound)[:30 * RATE], np.zeros(30 * RATE, np.float32)])
    mel = np.ascontiguousarray(FeatureExtractor(feature_size=80)(audio, padding=160)[:, :3000], dtype=np.float32)
    prompt = [START, LANGUAGE[language], WRITE_DOWN, NO_TIMES]
    said = original.generate(ctranslate2.StorageView.from_array(mel[None]), [prompt], beam_size=1, max_length=100,
                             suppress_blank=False, suppress_tokens=[], return_logits_vocab=True)[0]
    wanted, ids = [np.array(z).ravel() for z in said.logits[0]], said.sequences_ids[0]
    cross = dict(zip((o.name for o in encoder.get_outputs()), encoder.run(None, {"mel": mel[None]})))
    del cross["hidden"]
    names = [o.name for o in decoder.get_outputs()]
    past = {n.replace("new_", "past_"): np.zeros((1, WIDTH), np.float32) for n in names[1:]}
    tokens, largest, same = prompt, 0.0, 0
    for want, following in zip(wanted, ids + [None]):
        out = dict(zip(names, decoder.run(None, {"tokens": np.array(tokens, np.int64), **cross, **past})))
        for n in names[1:]:
            kept = n.replace("new_", "past_")
            past[kept] = np.concatenate([past[kept], out[n]])
        largest = max(largest, float(np.abs(out["logits"] - want).max()))
        same += int(out["logits"].argmax() == want.argmax())
        tokens = [following]
    return largest, same, len(wanted)


def main():
    original = ctranslate2.models.Whisper(sys.argv[1], device="cpu", compute_type="float32")
    encoder, decoder = (onnxruntime.InferenceSession(f"{sys.argv[2]}/{n}.onnx") for n in ("encoder", "decoder"))
    for arg in sys.argv[3:]:
        language, _, sound = arg.partition("=")
        largest, same, steps = differences(original, encoder, decoder, language, sound)
        print(f"{sound}: {steps} steps, largest difference of a logit {largest:.6f}, the same token {same} times")


if __name__ == "__main__":
    main()
