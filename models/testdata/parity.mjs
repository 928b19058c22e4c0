// Makes nsfwjs-mid-parity.json: what the original runtime says about pictures that a formula makes. The Go test makes
// the same pictures and compares. To make it again, in an empty folder:
//   npm install --ignore-scripts nsfwjs@4.4.0 @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 buffer@6.0.3
//   cp …/parity.mjs . && node parity.mjs > nsfwjs-mid-parity.json && node parity.mjs inception > nsfwjs-inception-parity.json
import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs";
import { load } from "nsfwjs/core";
import { MobileNetV2MidModel } from "nsfwjs/models/mobilenet_v2_mid";
import "@tensorflow/tfjs-backend-wasm"; // the large model takes minutes without it
import { InceptionV3Model } from "nsfwjs/models/inception_v3";

const inception = process.argv[2] === "inception";
const side = inception ? 299 : 224;

function noise(seed) {
  let s = seed >>> 0;
  return () => (s = (Math.imul(s, 1664525) + 1013904223) >>> 0) >>> 24;
}

const fine = noise(1);
const coarse = noise(2);
const blocks = Array.from({ length: 28 * 28 * 3 }, () => coarse());
const pictures = {
  black: () => [0, 0, 0],
  white: () => [255, 255, 255],
  gradient: (x, y) => [x, y, (x + y) >> 1],
  noise: () => [fine(), fine(), fine()],
  blocks: (x, y) => { const i = (((y >> 3) % 28) * 28 + ((x >> 3) % 28)) * 3; return [blocks[i], blocks[i + 1], blocks[i + 2]]; },
  checks: (x, y) => (((x >> 4) + (y >> 4)) & 1 ? [200, 40, 90] : [20, 160, 240]),
  rings: (x, y) => { const v = (((x - 112) * (x - 112) + (y - 112) * (y - 112)) >> 5) & 255; return [v, 255 - v, (v * 3) & 255]; },
  warm: (x, y) => [224 - (x >> 3), 172 - (y >> 3), 150 - ((x + y) >> 4)],
};

console.error = console.warn = console.info = () => {};
const backend = inception ? "wasm" : "cpu";
await tf.setBackend(backend);
const model = inception
  ? await load("InceptionV3", { modelDefinitions: [InceptionV3Model] })
  : await load("MobileNetV2Mid", { modelDefinitions: [MobileNetV2MidModel] });
const order = ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"];
const rows = [];
for (const [name, pixel] of Object.entries(pictures)) {
  const rgb = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) rgb.set(pixel(x, y), (y * side + x) * 3);
  const said = await model.classify(tf.tensor3d(Int32Array.from(rgb), [side, side, 3], "int32"), 5);
  const scores = order.map((c) => said.find((p) => p.className === c).probability);
  rows.push(JSON.stringify({ picture: name, sha256: createHash("sha256").update(rgb).digest("hex"), probabilities: scores }));
}
process.stdout.write(`{"runtime": "nsfwjs 4.4.0, @tensorflow/tfjs ${tf.version.tfjs}, ${backend} backend", "classes": ${JSON.stringify(order)}, "pictures": [\n  ${rows.join(",\n  ")}\n]}\n`);
