"""Fits a model's calibration on held-out rows, through the very int8 file that ships. The encoder's first settles what
share of the linear model's logits is added to its own: of a few, the smallest whose mean recall at 1 % false positives
over labels, on lines by authors who wrote nothing to train on, is within NEAR of the best."""
import argparse
import json
import pickle
import time

import calibrate
import data
import views
from labels import LABELS
from shipped import EncoderModel, LinearModel, highest

NEAR = 0.004  # less is noise: the simpler model then (Breiman et al. 1984, the rule of one standard error)
SHARES = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def recall(z, rows):
    """Mean over labels of the recall at 1 % false positives, on our own held-out texts."""
    import numpy as np

    use = np.array([r.src in ("corpus", "hard", "chat") for r in rows])
    y, z = np.stack([r.y for r in rows])[use] > 0.5, z[use]
    out = []
    for i in range(len(LABELS)):
        calm = np.sort(z[~y[:, i], i])[::-1]
        out.append((z[y[:, i], i] > calm[int(0.01 * len(calm))]).mean())
    return float(np.mean(out))


def pick(readings, aside, rows, log):
    """The share, and the logits with it."""
    tried = {s: recall(highest(readings, aside, s), rows) for s in SHARES}
    for s, value in tried.items():
        log(f"share {s} of the linear model: mean recall at 1 % FPR {value:.4f}")
    share = min(s for s, value in tried.items() if value >= max(tried.values()) - NEAR)
    return share, highest(readings, aside, share)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--tests", default=None)
    p.add_argument("--weights", required=True)
    p.add_argument("--model", choices=["encoder", "linear"], default="encoder")
    p.add_argument("--encoder", default=None, help="folder with fold.tsv.gz, for the linear model")
    p.add_argument("--linear", default=None, help="folder of the linear model whose logits are added to the encoder's")
    p.add_argument("--graph", default=None, help="graph to fit; without it, the one that ships")
    p.add_argument("--to", default=None, help="file to write; without it, the one that ships")
    p.add_argument("--work", default=".", help="folder for the program that gives the readings")
    p.add_argument("--logits", default=None, help="file that keeps rows and the encoder's logits, to try other fits without the model")
    a = p.parse_args()
    log = lambda *t: print(time.strftime("%H:%M:%S"), *t, flush=True)
    _, valid = data.load(a.data, a.corpus, a.tests, log)
    rows = calibrate.tuning_rows(a.data, valid)
    read = views.Views(a.work)
    share, aside = 0.0, None
    if a.model == "linear":
        z = highest(LinearModel(a.weights, a.encoder, read).readings(rows))
    else:
        readings = EncoderModel(a.weights, a.graph or f"{a.weights}/model.onnx", read).readings(rows)
        if a.linear:
            aside = LinearModel(a.linear, a.weights, read).readings(rows)
            share, z = pick(readings, aside, rows, log)
        else:
            z = highest(readings)
        if a.logits:
            with open(a.logits, "wb") as f:
                pickle.dump((rows, readings, aside), f)
    table, metrics = calibrate.fit(z, rows)
    calibrate.save(a.to or f"{a.weights}/calibration.json", f"text-{a.model}", table, share)
    calibrate.show(metrics, log)
    print(json.dumps(metrics["cold-dev"]), json.dumps(metrics["edos-dev"]))


if __name__ == "__main__":
    main()
