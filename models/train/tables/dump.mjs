// Prints, as JSON, what the npm packages know and build.py needs: traditional to
// simplified characters, the readings of common characters, and emoji names.
import { createRequire } from "node:module";
import TS from "opencc-js/t2cn";

const require = createRequire(import.meta.url);
const { pinyin, polyphonic } = require("pinyin-pro");
const emoji = require("emojibase-data/en/compact.json");

const simplify = TS.Converter({ from: "t", to: "cn" });
const simplified = {}, readings = {};
for (let cp = 0x3400; cp <= 0x9fff; cp++) {
  const c = String.fromCodePoint(cp), s = simplify(c);
  if (s !== c && [...s].length === 1) simplified[c] = s;
  const all = polyphonic(c, { toneType: "none", v: true, type: "array" })[0];
  readings[c] = all ? [...new Set(String(all).split(/\s+/))] : [];
  const first = pinyin(c, { toneType: "none", v: true });
  if (first && first !== c) readings[c] = [first, ...readings[c].filter((r) => r !== first && r !== c)];
  else readings[c] = [];
}
const names = {};
for (const e of emoji) names[e.unicode] = e.label;
process.stdout.write(JSON.stringify({ simplified, readings, names }));
