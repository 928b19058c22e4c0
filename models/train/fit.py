"""Fits a model's calibration on held-out rows, through the very int8 file that ships."""
import argparse
import json
import time

import calibrate
import data
from evaluate import EncoderModel, LinearModel


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", default=None)
    p.add_argument("--weights", required=True)
    p.add_argument("--model", choices=["encoder", "linear"], default="encoder")
    p.add_argument("--encoder", default=None, help="folder with fold.tsv.gz, for the linear model")
    p.add_argument("--logits", default=None, help="file that keeps the logits, to fit again without the model")
    a = p.parse_args()
    log = lambda *t: print(time.strftime("%H:%M:%S"), *t, flush=True)
    import numpy as np

    _, valid = data.load(a.data, a.corpus, a.tests, log)
    rows = calibrate.tuning_rows(a.data, valid)
    m = LinearModel(a.weights, a.encoder) if a.model == "linear" else EncoderModel(a.weights, f"{a.weights}/model.onnx")
    z = m.logits(rows)
    if a.logits:
        np.save(a.logits, z)
    table, metrics = calibrate.fit(z, rows)
    calibrate.save(f"{a.weights}/calibration.json", f"text-{a.model}", table)
    calibrate.show(metrics, log)
    print(json.dumps(metrics["cold-dev"]), json.dumps(metrics["edos-dev"]))


if __name__ == "__main__":
    main()
