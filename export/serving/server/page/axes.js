// Names of what the axes of pictures show: times, frequencies, coefficients, and what they measure.

const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120];
const HERTZ = [125, 250, 500, 1000, 2000, 4000, 8000];

/** Round times [s] from one to another, at most so many of them. */
export function timeTicks(from, to, most) {
  const step = SECONDS.find((seconds) => (to - from) / seconds <= most) ?? SECONDS.at(-1);
  const ticks = [];
  for (let count = Math.ceil(from / step); count * step <= to; count++) {
    ticks.push(Number((count * step).toFixed(1)));
  }
  return ticks;
}

/** Some rows with their names, [row, name]: round frequencies where there are mel bands. */
export function rowTicks({ rows, band_frequencies: peaks }, most = 8) {
  if (peaks?.length === rows.length) {
    return HERTZ.map((hertz) => [peaks.findIndex((peak) => peak >= hertz), `${hertz} Hz`])
      .filter(([row]) => row >= 0)
      .slice(-most);
  }
  const every = Math.max(1, Math.ceil(rows.length / most));
  return rows.map((_, row) => [row, rowName({ rows }, row)]).filter(([row]) => row % every === 0);
}

/** What a row is called in a sentence. */
export function rowName({ rows, band_frequencies: peaks }, row) {
  if (peaks?.length === rows.length) return `${Math.round(peaks[row])} Hz`;
  const pooled = rows.every((name) => name.endsWith(" mean"));
  return pooled ? rows[row].replace(" mean", "") : rows[row];
}

/** How a difference of what came from what was expected reads. */
export function differenceText({ unit }, difference) {
  const size = Math.abs(difference).toFixed(1);
  return unit.startsWith("dB")
    ? `${size} dB ${difference > 0 ? "louder" : "softer"}`
    : `${size} standard deviations ${difference > 0 ? "higher" : "lower"}`;
}

/** The two ends of the scale. */
export function scaleTexts({ unit, scale: [low, high] }) {
  return unit.startsWith("dB")
    ? [`soft (${low} dB)`, "loud (0 dB: the loudest point)"]
    : [`low (${low} standard deviations)`, `high (+${high})`];
}

export const percent = (probability) => `${Math.round(100 * probability)} %`;
