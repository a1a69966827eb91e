// Pictures of an answer: columns of equal width, of one instant or several, the first on the left.

// Eight hues that stay apart for colour-blind eyes (Okabe and Ito), then turns of them.
const HUES = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8a7a00", "#7f7f7f"];
const SAMPLED = [214, 96, 10];
const PREDICTED = [70, 95, 125];

export const colour = (index) => HUES[index % HUES.length];

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A canvas divided into columns, each a whole number of its pixels wide, so that it can move. */
export class Strip {
  constructor(canvas, columns) {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = canvas.getBoundingClientRect();
    this.canvas = canvas;
    this.step = Math.max(1, Math.round((width * ratio) / columns));
    canvas.width = Math.round(this.step * columns);
    canvas.height = Math.max(1, Math.round(height * ratio));
    this.context = canvas.getContext("2d");
    this.context.imageSmoothingEnabled = false;
  }

  /** Moves the picture to the left by so many columns. */
  move(columns) {
    const { canvas, context } = this;
    context.globalCompositeOperation = "copy";
    context.drawImage(canvas, -columns * this.step, 0);
    context.globalCompositeOperation = "source-over";
  }

  /** Draws samples, of which `peak` is the loudest, from a column on. */
  waveform(column, columns, samples, peak) {
    const { context, canvas: { height } } = this;
    const left = Math.round(column * this.step);
    const width = Math.round(columns * this.step);
    context.clearRect(left, 0, width, height);
    context.fillStyle = css("--accent");
    for (let x = 0; x < width; x++) {
      const first = Math.floor((x * samples.length) / width);
      const last = Math.max(first + 1, Math.floor(((x + 1) * samples.length) / width));
      let low = 0;
      let high = 0;
      for (let i = first; i < last; i++) {
        low = Math.min(low, samples[i]);
        high = Math.max(high, samples[i]);
      }
      const top = (0.5 - (0.48 * high) / peak) * height;
      context.fillRect(left + x, top, 1, Math.max(1, ((high - low) / peak) * 0.48 * height));
    }
  }

  /** Draws probabilities [C], stacked to 1. */
  probabilities(column, columns, probabilities) {
    const { context, canvas: { height } } = this;
    let top = height;
    probabilities.forEach((probability, index) => {
      const size = probability * height;
      top -= size;
      context.fillStyle = colour(index);
      context.fillRect(column * this.step, top, this._inner(columns), size);
    });
  }

  /**
   * Draws saliency and attention [D]: rows are coefficients or mel bands, the first one below. The
   * frames of a patch lie side by side; but for the first instant only those that are new, its last hop.
   */
  attention(column, columns, saliency, attention, model, isFirst) {
    const rows = model.observation_labels.length;
    const frames = Math.max(1, Math.round(saliency.length / rows));
    const known = frames - Math.max(1, Math.round((frames * model.hop) / model.window));
    const first = isFirst ? 0 : Math.max(0, known);
    const image = new ImageData(frames - first, rows);
    for (let index = first * rows; index < saliency.length; index++) {
      // Three standard deviations are as far off as anything needs to be.
      const strength = 0.15 + 0.85 * Math.min(1, saliency[index] / 3);
      const sampled = attention[index]; // between 0 and 1 where a column is of several instants
      const at = 4 * ((rows - 1 - (index % rows)) * image.width + Math.floor(index / rows) - first);
      for (let channel = 0; channel < 3; channel++) {
        image.data[at + channel] = sampled * SAMPLED[channel] + (1 - sampled) * PREDICTED[channel];
      }
      image.data[at + 3] = 255 * strength * (0.6 + 0.4 * sampled);
    }
    const small = document.createElement("canvas");
    [small.width, small.height] = [image.width, image.height];
    small.getContext("2d").putImageData(image, 0, 0);
    this.context.drawImage(small, column * this.step, 0, this._inner(columns), this.canvas.height);
  }

  /** Wide columns have a gap between them. */
  _inner(columns) {
    return Math.max(1, Math.round(columns * this.step) - (this.step > 4 ? 1 : 0));
  }
}

/** Some eight rows with their names, [row, name]: round frequencies where there are mel bands. */
export function rowNames(model) {
  const labels = model.observation_labels;
  const peaks = model.band_frequencies;
  if (peaks?.length === labels.length) {
    return [125, 250, 500, 1000, 2000, 4000, 8000]
      .map((hertz) => [peaks.findIndex((peak) => peak >= hertz), `${hertz} Hz`])
      .filter(([index]) => index >= 0);
  }
  const every = Math.max(1, Math.ceil(labels.length / 8));
  return labels.map((label, index) => [index, label]).filter(([index]) => index % every === 0);
}
