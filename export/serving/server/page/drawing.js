// Pictures of an answer. Every canvas has the same time axis, in seconds.

// Eight hues that stay apart for colour-blind eyes (Okabe and Ito), then turns of them.
const HUES = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8a7a00", "#7f7f7f"];

export const colour = (index) => HUES[index % HUES.length];

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A canvas with a pixel per pixel of the screen, cleared. */
function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width, height };
}

/** The samples, with the chosen window behind them. */
export function drawWaveform(canvas, samples, from, to) {
  const { context, width, height } = prepare(canvas);
  context.fillStyle = css("--line");
  context.fillRect(from * width, 0, Math.max(1, (to - from) * width), height);
  context.fillStyle = css("--accent");
  const columns = Math.floor(width);
  let peak = 1e-3;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  for (let x = 0; x < columns; x++) {
    const first = Math.floor((x * samples.length) / columns);
    const last = Math.max(first + 1, Math.floor(((x + 1) * samples.length) / columns));
    let low = 0;
    let high = 0;
    for (let i = first; i < last; i++) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    const top = (0.5 - (0.48 * high) / peak) * height;
    context.fillRect(x, top, 1, Math.max(1, ((high - low) / peak) * 0.48 * height));
  }
}

/** Probabilities [T][C], stacked to 1, a column an instant. */
export function drawTimeline(canvas, timeline, chosen) {
  const { context, width, height } = prepare(canvas);
  const step = width / timeline.length;
  timeline.forEach((probabilities, instant) => {
    let top = height;
    probabilities.forEach((probability, index) => {
      const size = probability * height;
      top -= size;
      context.fillStyle = colour(index);
      context.fillRect(instant * step, top, Math.max(1, step - 1), size);
    });
  });
  frame(context, chosen * step, step, height);
}

/**
 * Saliency and attention [T][D] of a model: rows are coefficients or mel bands, the first one below.
 * The frames of a patch lie side by side; after the first instant only those that are new, its last hop.
 */
export function drawAttention(canvas, saliency, attention, model, chosen) {
  const { context, width, height } = prepare(canvas);
  const rows = model.observation_labels.length;
  const frames = Math.max(1, Math.round(saliency[0].length / rows));
  const known = frames - Math.max(1, Math.round((frames * model.hop) / model.window));
  const step = width / saliency.length;
  const row = height / rows;
  saliency.forEach((values, instant) => {
    const first = instant === 0 ? 0 : Math.max(0, known);
    const column = Math.max(1, step - 1) / (frames - first);
    for (let index = first * rows; index < values.length; index++) {
      // Three standard deviations are as far off as anything needs to be.
      const strength = 0.15 + 0.85 * Math.min(1, values[index] / 3);
      context.fillStyle = attention[instant][index] > 0.5
        ? `rgba(214, 96, 10, ${strength})` : `rgba(70, 95, 125, ${0.6 * strength})`;
      const x = instant * step + (Math.floor(index / rows) - first) * column;
      const y = height - ((index % rows) + 1) * row;
      context.fillRect(x, y, Math.max(1, column), Math.max(1, row - (row > 4 && frames === 1 ? 0.5 : 0)));
    }
  });
  context.fillStyle = css("--ink");
  context.font = "11px system-ui, sans-serif";
  for (const [index, label] of rowNames(model)) context.fillText(label, 4, height - index * row - 2);
  frame(context, chosen * step, step, height);
}

/** Some eight rows with their names: round frequencies where there are mel bands. */
function rowNames(model) {
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

function frame(context, x, width, height) {
  context.strokeStyle = css("--ink");
  context.lineWidth = 2;
  context.strokeRect(x + 1, 1, Math.max(2, width - 3), height - 2);
}
