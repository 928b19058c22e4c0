"""Fits a model's calibration on held-out rows, through the very int8 file that ships."""
import argparse
import json
import pickle
import time

import calibrate
import data
import views
from shipped import EncoderModel, LinearModel


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", default=None)
    p.add_argument("--weights", required=True)
    p.add_argument("--model", choices=["encoder", "linear"], default="encoder")
    p.add_argument("--encoder", default=None, help="folder with fold.tsv.gz, for the linear model")
    p.add_argument("--graph", default=None, help="graph to fit; without it, the one that ships")
    p.add_argument("--to", default=None, help="file to write; without it, the one that ships")
    p.add_argument("--work", default=".", help="folder for the program that gives the readings")
    p.add_argument("--logits", default=None, help="file that keeps the logits (and, beside it, the rows), to try other fits without the model")
    a = p.parse_args()
    log = lambda *t: print(time.strftime("%H:%M:%S"), *t, flush=True)
    import numpy as np

    _, valid = data.load(a.data, a.corpus, a.tests, log)
    rows = calibrate.tuning_rows(a.data, valid)
    read = views.Views(a.work)
    m = LinearModel(a.weights, a.encoder, read) if a.model == "linear" else EncoderModel(
        a.weights, a.graph or f"{a.weights}/model.onnx", read)
    z = m.logits(rows)
    if a.logits:
        np.save(a.logits, z)
        with open(a.logits + ".rows", "wb") as f:
            pickle.dump(rows, f)
    table, metrics = calibrate.fit(z, rows)
    calibrate.save(a.to or f"{a.weights}/calibration.json", f"text-{a.model}", table)
    calibrate.show(metrics, log)
    print(json.dumps(metrics["cold-dev"]), json.dumps(metrics["edos-dev"]))


if __name__ == "__main__":
    main()
