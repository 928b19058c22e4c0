"""Writes the hash and size of every file under models/weights into the manifest, where it names them."""
import argparse
import hashlib
import os
import re


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--manifest", required=True)
    p.add_argument("--weights", required=True)
    a = p.parse_args()
    lines = open(a.manifest, encoding="utf-8").read().split("\n")
    digest = lambda f: (hashlib.sha256(open(f, "rb").read()).hexdigest(), os.path.getsize(f))
    current = None
    for n, line in enumerate(lines):
        m = re.search(r"file: ([\w./-]+)", line)
        if m:
            path = os.path.join(a.weights, m.group(1))
            current = path if os.path.isfile(path) else None
        if not current:
            continue
        sha, size = digest(current)
        lines[n] = re.sub(r"sha256: [0-9a-f]{64}", f"sha256: {sha}", re.sub(r"bytes: \d+", f"bytes: {size}", line))
        if lines[n] != line:
            print("pinned", os.path.relpath(current, a.weights), sha)
    with open(a.manifest, "w", encoding="utf-8") as f:
        f.write("\n".join(lines))


if __name__ == "__main__":
    main()
