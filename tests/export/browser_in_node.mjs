// The browser's runner in Node.js, which lacks the few things of a browser that LiteRT.js asks for.
//   node browser_in_node.mjs RUNNER.mjs MODEL.tflite SOUND.f32 CHUNK
// Prints the instants of raw float32 samples, and what it says of samples that it must refuse.

import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import vm from 'node:vm';

const [runner, model, sound, chunk] = process.argv.slice(2);
const packages = path.join(path.dirname(runner), 'node_modules/');

globalThis.self = globalThis;
Object.defineProperty(globalThis, 'navigator', {value: {}, configurable: true});
globalThis.require = createRequire(import.meta.url);
globalThis.importScripts = (address) => {
  globalThis.__filename = fileURLToPath(address);
  globalThis.__dirname = path.dirname(globalThis.__filename);
  vm.runInThisContext(fs.readFileSync(globalThis.__filename, 'utf8'));
};
globalThis.fetch = async (address) => {
  const content = fs.readFileSync(fileURLToPath(address));
  return new Response(content);
};
// Standard output is for the answers.
console.log = console.info = console.warn = console.error;

const {Runner} = await import(pathToFileURL(runner).href);
const wasm = pathToFileURL(path.join(packages, '@litertjs/core/wasm/')).href;
const recognizer = await Runner.load(pathToFileURL(model).href, wasm);
const bytes = fs.readFileSync(sound);
const samples = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));

const hear = async (size) => {
  const instants = [];
  recognizer.reset();
  for (let start = 0; start < samples.length; start += size) {
    instants.push(...await recognizer.push(samples.subarray(start, start + size)));
  }
  return [...instants, ...await recognizer.finish()];
};
const refused = [];
for (const bad of [new Float32Array([NaN]), new Float32Array([Infinity]), [0]]) {
  await recognizer.push(bad).catch((error) => refused.push(`${error.name}: ${error.message}`));
}
const answer = {instants: await hear(Number(chunk)), refused};
process.stdout.write(`${JSON.stringify(answer)}\n`);
recognizer.delete();
