"""The text models that ship, over readings, windows and context: the highest logit of each label, as the
product takes it. Calibration is fitted on these; every figure comes from `nightlight eval run`."""
import numpy as np

from labels import LABELS


class EncoderModel:
    def __init__(self, weights, graph, views):
        import export
        import tokenizer

        self.enc, self.t, self.export = tokenizer.Encoder(weights), tokenizer, export
        self.session = export.session(graph, threads=1)
        self.views = views

    def logits(self, rows):
        out = np.zeros((len(rows), len(LABELS)), np.float32)
        for k, r in enumerate(rows):
            turns = [(w, self.enc.tokens(x)) for w, x in r.context]
            inputs = [self.t.arrange(w, turns) for v in self.views(r.text) for w in self.t.windows(self.enc.tokens(v))]
            out[k] = self.export.run(self.session, inputs).max(0)
        return out


class LinearModel:
    def __init__(self, weights, encoder_weights, views):
        import fold
        import linear
        import onnxruntime as ort

        self.views = views
        self.hasher = linear.Hasher(fold.load(f"{encoder_weights}/fold.tsv.gz"))
        o = ort.SessionOptions()
        o.intra_op_num_threads = 1
        self.session = ort.InferenceSession(f"{weights}/model.onnx", o)

    def logits(self, rows):
        out = np.zeros((len(rows), len(LABELS)), np.float32)
        for k, r in enumerate(rows):
            best = None
            for f in (f for v in self.views(r.text) for f in self.hasher.rows(v, r.context)):
                ids = (f if len(f) else np.zeros(1, np.int64))[None]
                value = np.full(ids.shape, 1 / np.sqrt(len(f) + 1) if len(f) else 0, np.float32)
                z = self.session.run(None, {"ids": ids, "values": value})[0][0]
                best = z if best is None else np.maximum(best, z)
            out[k] = best
        return out
