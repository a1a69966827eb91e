// From files and the microphone to the 16-bit WAV files that the server takes.

/** Encodes samples in -1 to 1 as a mono 16-bit WAV file. */
export function encodeWav(samples, rate) {
  const buffer = new ArrayBuffer(44 + 2 * samples.length);
  const view = new DataView(buffer);
  const text = (at, letters) => [...letters].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; i++) {
    const value = Math.max(-1, Math.min(1, samples[i]));
    view.setInt16(44 + 2 * i, Math.round(value * 32767), true);
  }
  return buffer;
}

/** Whether bytes are a WAV file that the server reads by itself. */
function isPlainWav(buffer) {
  if (buffer.byteLength < 44) return false;
  const view = new DataView(buffer);
  const is = (at, letters) => [...letters].every((c, i) => view.getUint8(at + i) === c.charCodeAt(0));
  return is(0, "RIFF") && is(8, "WAVE") && is(12, "fmt ") &&
    view.getUint16(20, true) === 1 && view.getUint16(34, true) === 16;
}

/** Reads any recording that the browser or the server can: {wav, samples}, null if only the server. */
export async function readFile(file, rate) {
  const content = await file.arrayBuffer();
  const plain = isPlainWav(content);
  const wav = plain ? content.slice(0) : null;
  let decoded;
  try {
    decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(content);
  } catch {
    if (plain) return { wav, samples: null };
    throw new Error(`${file.name}: found no recording that this browser can play`);
  }
  const samples = mixDown(decoded);
  return { wav: wav ?? encodeWav(samples, decoded.sampleRate), samples };
}

function mixDown(decoded) {
  const mixed = new Float32Array(decoded.length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel++) {
    const samples = decoded.getChannelData(channel);
    for (let i = 0; i < mixed.length; i++) mixed[i] += samples[i] / decoded.numberOfChannels;
  }
  return mixed;
}

/** A microphone that hands over samples, Float32Array after Float32Array, until closed. */
export class Microphone {
  static async open(onSamples) {
    if (!navigator.mediaDevices) {
      throw new Error("The browser gives a microphone only to pages from this machine or over https.");
    }
    const stream = await navigator.mediaDevices.getUserMedia({
      // What makes speech pleasant for a telephone takes emotion out of it.
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const context = new AudioContext();
    await context.audioWorklet.addModule("/page/recorder.js");
    const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    node.port.onmessage = (event) => onSamples(event.data);
    context.createMediaStreamSource(stream).connect(node);
    await context.resume();
    return new Microphone(stream, context);
  }

  constructor(stream, context) {
    this.stream = stream;
    this.context = context;
    this.rate = context.sampleRate;
  }

  async close() {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.close();
  }
}

/** Collects pieces of sound, and forgets the oldest beyond so many samples. */
export class Tape {
  constructor(longest) {
    this.longest = longest;
    this.pieces = [];
    this.length = 0;
    this.heard = 0;
  }

  push(piece) {
    this.pieces.push(piece);
    this.length += piece.length;
    this.heard += piece.length;
    while (this.pieces.length && this.length - this.pieces[0].length >= this.longest) {
      this.length -= this.pieces.shift().length;
    }
  }

  /** `count` samples before a place, counted from the beginning of all that was heard; null if forgotten. */
  before(place, count) {
    const end = this.length - (this.heard - place);
    return end < count ? null : this.all().subarray(end - count, end);
  }

  all() {
    const all = new Float32Array(this.length);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

/** Bytes as base64. */
export function base64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) {
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  }
  return btoa(text);
}
