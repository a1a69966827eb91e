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

/**
 * Some rows with their names, [row, name], at most so many and none too near to the next: round
 * frequencies where there are mel bands.
 */
export function rowTicks({ rows, band_frequencies: peaks }, most = 10) {
  const every = Math.max(1, Math.ceil(rows.length / most));
  if (peaks?.length !== rows.length) {
    return rows.map((_, row) => [row, rowName(rows, row)]).filter(([row]) => row % every === 0);
  }
  const ticks = [];
  for (const hertz of HERTZ.toReversed()) {
    const row = peaks.findIndex((peak) => peak >= hertz);
    if (row >= 0 && !(ticks.at(-1)?.[0] - row < every)) ticks.push([row, `${hertz} Hz`]);
  }
  return ticks;
}

function rowName(rows, row) {
  const pooled = rows.every((name) => name.endsWith(" mean"));
  return pooled ? rows[row].replace(" mean", "") : rows[row];
}

/** The ends of the two scales: of what came and was expected, and of their difference. */
export function scaleTexts({ unit, scale: [low, high], farthest }) {
  return unit.startsWith("dB")
    ? [[`soft (${low} dB)`, "loud (0 dB)"],
      [`${farthest} dB softer than expected`, `${farthest} dB louder`]]
    : [[`low (${low} standard deviations)`, `high (+${high})`],
      [`${farthest} standard deviations lower than expected`, `${farthest} higher`]];
}

export const percent = (probability) => `${Math.round(100 * probability)} %`;
