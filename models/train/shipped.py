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

    def readings(self, rows):
        """For each row the logits of each reading, the highest over its windows: arrays [readings, labels]."""
        out = []
        for r in rows:
            turns = [(w, self.enc.tokens(x)) for w, x in r.context]
            out.append(np.stack([self.export.run(self.session, [self.t.arrange(w, turns) for w in self.t.windows(self.enc.tokens(v))]).max(0)
                                 for v in self.views(r.text)]))
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

    def readings(self, rows):
        """As EncoderModel's."""
        out = []
        for r in rows:
            each = []
            for v in self.views(r.text):
                best = None
                for f in self.hasher.rows(v, r.context):
                    ids = (f if len(f) else np.zeros(1, np.int64))[None]
                    value = np.full(ids.shape, 1 / np.sqrt(len(f) + 1) if len(f) else 0, np.float32)
                    z = self.session.run(None, {"ids": ids, "values": value})[0][0]
                    best = z if best is None else np.maximum(best, z)
                each.append(best)
            out.append(np.stack(each))
        return out


def highest(readings, aside=None, share=0.0):
    """The highest logit of each label over the readings, of one model or with a share of another's added."""
    if not share:
        return np.stack([z.max(0) for z in readings])
    return np.stack([(z + share * l).max(0) for z, l in zip(readings, aside)])
