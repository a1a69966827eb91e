/**
 * Recognise emotion in the browser with an exported TFLite file: copy this file, it needs
 * nothing but LiteRT.js (npm install @litertjs/core) and no build step; see index.html.
 *
 * The JSON file that was exported beside the TFLite file must lie beside it. Memory stays the same
 * however long the sound is.
 */

import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

/** Takes sound chunk by chunk and answers at every instant. */
export class Runner {
  /**
   * Load LiteRT.js, once, and a model.
   *
   * @param {string} model address of the TFLite file.
   * @param {string} wasm address of the folder @litertjs/core/wasm/, with the slash.
   * @returns {Promise<Runner>}
   */
  static async load(model, wasm) {
    runtime ??= loadLiteRt(wasm);
    const [description, content] = await Promise.all([
      read(model.replace(/\.tflite$/, '.json')).then((answer) => answer.json()),
      read(model).then((answer) => answer.arrayBuffer()),
      runtime,
    ]);
    const compiled = await loadAndCompile(new Uint8Array(content), {accelerator: 'wasm'});
    return new Runner(compiled, description);
  }

  /**
   * @param compiled result of LiteRT.js' loadAndCompile.
   * @param description content of the JSON file beside the model.
   */
  constructor(compiled, description) {
    this.labels = description.labels;
    /** In hertz; an AudioContext made with this rate resamples what it decodes or records. */
    this.sampleRate = description.sample_rate;
    this._description = description;
    this._model = compiled;
    this._window = new Float32Array(description.window_length);
    this.reset();
  }

  /** Begin another recording. */
  reset() {
    this._state = new Float32Array(this._description.state_size);
    // Samples in the window; negative where windows lie apart: so many samples to skip.
    this._filled = 0;
    this._instants = 0;
  }

  /**
   * Take the next samples. Wait for the answer before the next call.
   *
   * @param {Float32Array} samples mono, -1 to 1, at sampleRate.
   * @returns {Promise<object[]>} the instants that were completed: time in seconds, where its
   *     window ends; emotion; probabilities {label: 0..1}; silent, whether the window is below the
   *     model's silent_level, the root mean square around the mean in decibels; attention, zeros
   *     and ones, of every element of the observation.
   * @throws {TypeError} samples that are no Float32Array; none of them is taken.
   * @throws {RangeError} samples that are not finite; none of them is taken.
   */
  async push(samples) {
    if (!(samples instanceof Float32Array)) throw new TypeError('samples: expected Float32Array');
    if (!samples.every(Number.isFinite)) {
      throw new RangeError('samples: expected finite numbers, found NaN or infinity');
    }
    const answers = [];
    for (let rest = samples; rest.length > 0;) {
      const missing = this._filled < 0 ? -this._filled : this._window.length - this._filled;
      const taken = Math.min(missing, rest.length);
      if (this._filled >= 0) this._window.set(rest.subarray(0, taken), this._filled);
      rest = rest.subarray(taken);
      this._filled += taken;
      if (this._filled === this._window.length) answers.push(await this._answer());
    }
    return answers;
  }

  /**
   * End the recording: answer for the silence that the model expects behind it. A recording shorter
   * than a window is padded with silence to one.
   */
  async finish() {
    if (!this._instants && this._filled <= 0) return [];
    const answers = await this.push(new Float32Array(this._description.trailing_length));
    if (this._instants) return answers;
    return this.push(new Float32Array(this._window.length - this._filled));
  }

  /** Free the model's memory, which LiteRT.js does not do by itself. */
  delete() {
    this._model.delete();
  }

  async _answer() {
    const {window, hop, hop_length: hopLength, silent_level: level = -70} = this._description;
    const silent = deviation(this._window) < 10 ** (level / 20);
    const inputs = {
      waveform: new Tensor(this._window, [1, this._window.length]),
      state: new Tensor(this._state, [1, this._state.length]),
    };
    const outputs = await this._model.run('step', inputs);
    // Copies, since tensors are deleted by hand.
    const [state, probabilities, attention] = ['state', 'probabilities', 'attention'].map(
      (name) => outputs[name].toTypedArray().slice(),
    );
    for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
    this._state = state;
    this._filled -= hopLength;
    if (this._filled > 0) this._window.copyWithin(0, hopLength);
    const best = probabilities.indexOf(Math.max(...probabilities));
    return {
      time: window + this._instants++ * hop,
      emotion: this.labels[best],
      probabilities: Object.fromEntries(this.labels.map((label, c) => [label, probabilities[c]])),
      silent,
      attention: Array.from(attention),
    };
  }
}

let runtime;

/** The root mean square of samples around their mean. */
function deviation(samples) {
  const mean = samples.reduce((sum, one) => sum + one, 0) / samples.length;
  return Math.sqrt(samples.reduce((sum, one) => sum + (one - mean) ** 2, 0) / samples.length);
}

/** Fetch a file, or throw an error that names it. */
async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}`);
  return answer;
}
