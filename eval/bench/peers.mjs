// The peers' side of `nightlight eval peers`: judges a photo as sharp with onnxruntime-node would, or as nsfwjs does, as
// often as a line on standard input asks, and answers each line with one. Run in a folder that has the packages.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const model = process.argv[2];
const side = 224;
const classes = ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"];

async function makeSharp() {
  const sharp = require("sharp");
  const ort = require("onnxruntime-node");
  sharp.concurrency(1);
  sharp.cache(false);
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  return async (jpeg) => {
    // As much shrinking in the JPEG decoder and the same triangle filter as on the other side.
    const rgb = await sharp(jpeg).rotate().resize(side, side, { fit: "fill", kernel: "linear", fastShrinkOnLoad: false })
      .removeAlpha().toColourspace("srgb").raw().toBuffer();
    const tensor = new Float32Array(rgb.length);
    for (let i = 0; i < rgb.length; i++) tensor[i] = rgb[i] * (1 / 255);
    const out = await session.run({ input: new ort.Tensor("float32", tensor, [1, side, side, 3]) });
    return Array.from(out.probabilities.data);
  };
}

async function makeNSFWJS() {
  const tf = require("@tensorflow/tfjs");
  require("@tensorflow/tfjs-backend-wasm");
  const jpegJS = require("jpeg-js");
  await tf.setBackend("wasm");
  const nsfwjs = await load("nsfwjs/core");
  const { MobileNetV2MidModel } = await load("nsfwjs/models/mobilenet_v2_mid");
  const net = await nsfwjs.load("MobileNetV2Mid", { modelDefinitions: [MobileNetV2MidModel] });
  return async (jpeg) => {
    const { width, height, data } = jpegJS.decode(jpeg, { useTArray: true, formatAsRGBA: false, maxMemoryUsageInMB: 2048 });
    const picture = tf.tensor3d(data, [height, width, 3], "int32");
    const said = await net.classify(picture, 5);
    picture.dispose();
    return classes.map((c) => said.find((p) => p.className === c).probability);
  };
}

const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const say = (v) => process.stdout.write(JSON.stringify(v) + "\n");

console.log = console.warn = console.info = console.error;
const make = { sharp: makeSharp, nsfwjs: makeNSFWJS };
const judges = {};
for (const name of Object.keys(make)) judges[name] = await make[name]();
say({ versions: Object.fromEntries(["sharp", "onnxruntime-node", "nsfwjs", "@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm", "jpeg-js"].map((p) => [p, version(p)])) });
for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line);
  let scores;
  for (let i = 0; i < ask.times; i++) scores = await judges[ask.peer](readFileSync(ask.file));
  say({ scores });
}

function version(name) {
  return JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
}
