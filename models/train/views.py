"""The readings of a text that the product's classifiers see: asked of the product's own normaliser."""
import json
import os
import subprocess


class Views:
    """Starts the Go program of models/train/views once and asks it text by text; answers are kept."""

    def __init__(self, work):
        here = os.path.dirname(os.path.abspath(__file__))
        # NIGHTLIGHT_VIEWS names the program where it is built already: on a machine that trains and has no Go.
        program = os.environ.get("NIGHTLIGHT_VIEWS") or os.path.join(work, "views")
        if "NIGHTLIGHT_VIEWS" not in os.environ:
            subprocess.run(["go", "build", "-o", program, "./views"], cwd=here, check=True,
                           env={**os.environ, "CGO_ENABLED": "0"})
        self.run = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", bufsize=1)
        self.kept = {}

    def __call__(self, text):
        """[raw, then those readings that differ]."""
        if text not in self.kept:
            self.run.stdin.write(json.dumps(text) + "\n")
            self.run.stdin.flush()
            line = self.run.stdout.readline()
            if not line:
                raise RuntimeError("views ended")
            if len(self.kept) > 400000:
                self.kept.clear()
            self.kept[text] = json.loads(line)
        return self.kept[text]

    def others(self, text):
        return self(text)[1:]
