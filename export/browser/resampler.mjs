// From the rate of a microphone to that of the model, piece after piece.

const CROSSINGS = 16; // of zero, on each side of the filter: more than speech needs

/** A low-pass filter, the sinc within a Hann window, read at the instants of the other rate. */
export class Resampler {
  constructor(from, to) {
    this.step = from / to;
    this.cutoff = Math.min(1, to / from);
    this.reach = Math.ceil(CROSSINGS / this.cutoff);
    this.heard = new Float32Array(this.reach); // silence before the first sample
    this.next = this.reach; // where in it the next sample of the other rate is
  }

  /** Takes samples as they come; returns those of the other rate that are certain now. */
  push(samples) {
    if (this.step === 1) return samples;
    const heard = new Float32Array(this.heard.length + samples.length);
    heard.set(this.heard);
    heard.set(samples, this.heard.length);
    const made = [];
    for (; this.next + this.reach < heard.length; this.next += this.step) made.push(this.#at(heard));
    const past = Math.floor(this.next) - this.reach;
    this.heard = heard.slice(past);
    this.next -= past;
    return Float32Array.from(made);
  }

  #at(heard) {
    let sum = 0;
    for (let i = Math.ceil(this.next - this.reach); i <= this.next + this.reach; i++) {
      const x = (i - this.next) * this.cutoff;
      if (Math.abs(x) >= CROSSINGS) continue;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      sum += heard[i] * sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / CROSSINGS));
    }
    return sum * this.cutoff;
  }
}
