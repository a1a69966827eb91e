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

/** Saliency and attention [T][D]: rows are coefficients, the first one below. */
export function drawAttention(canvas, saliency, attention, labels, chosen) {
  const { context, width, height } = prepare(canvas);
  const size = saliency[0].length;
  const step = width / saliency.length;
  const row = height / size;
  saliency.forEach((values, instant) => {
    values.forEach((value, index) => {
      // Three standard deviations are as far off as anything needs to be.
      const share = Math.min(1, value / 3);
      const strength = 0.15 + 0.85 * share;
      context.fillStyle = attention[instant][index] > 0.5
        ? `rgba(214, 96, 10, ${strength})` : `rgba(70, 95, 125, ${0.6 * strength})`;
      const y = height - (index + 1) * row;
      context.fillRect(instant * step, y, Math.max(1, step - 1), Math.max(1, row - (row > 4 ? 0.5 : 0)));
    });
  });
  context.fillStyle = css("--ink");
  context.font = "11px system-ui, sans-serif";
  const every = Math.max(1, Math.ceil(size / 8));
  for (let index = 0; index < size; index += every) {
    context.fillText(labels[index] ?? String(index + 1), 4, height - index * row - 2);
  }
  frame(context, chosen * step, step, height);
}

function frame(context, x, width, height) {
  context.strokeStyle = css("--ink");
  context.lineWidth = 2;
  context.strokeRect(x + 1, 1, Math.max(2, width - 3), height - 2);
}
