// Runs the module and compares its report with that of this machine: node run.mjs MODULE NATIVE_REPORT
import { readFileSync } from "node:fs";

const [module, native] = process.argv.slice(2).map((path) => readFileSync(path));
const { instance } = await WebAssembly.instantiate(module, {});
const start = instance.exports.run();
const memory = new Uint8Array(instance.exports.memory.buffer);
const text = new TextDecoder().decode(memory.subarray(start, memory.indexOf(0, start)));

const [found, expected] = [text, native.toString().trimEnd()].map((text) => text.split("\n"));
const differing = [];
let largest = 0;
for (let i = 0; i < Math.max(found.length, expected.length); i++) {
  const [here, there] = [found[i] ?? "nothing", expected[i] ?? "nothing"];
  const [[how, a, ...what], [, b, ...of]] = [here.split(" "), there.split(" ")];
  if (how === "near" && what.join(" ") === of.join(" ")) {
    largest = Math.max(largest, Math.abs(a - b));
    if (Math.abs(a - b) <= 1e-6) continue;
  }
  if (here !== there || how === "FAILED") differing.push(`WebAssembly: ${here}\n     native: ${there}`);
}
console.log(`${found.length} lines, ${differing.length} differ; the largest difference of a value is ${largest}`);
if (differing.length > 0) {
  console.log(differing.join("\n"));
  process.exit(1);
}
