// An answer on the page: of a recording, all at once; of live sound, instant after instant.

import { Strip, colour, rowNames } from "./drawing.js";

const LIVE_INSTANTS = 60; // that stay on the screen

const $ = (id) => document.getElementById(id);

/** The loudest of samples, and more than nothing. */
function loudest(samples) {
  let peak = 1e-3;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  return peak;
}

/**
 * What all answers have: instants, each with its number, probabilities, attention, saliency and
 * sampled fraction. `grouped` instants share one column, attention and saliency.
 */
class Shown {
  constructor(model, grouped) {
    this.model = model;
    this.grouped = grouped;
    this.instants = [];
    this.first = 0; // the number of the instant in the first column
    $("result").hidden = false;
    $("legend").replaceChildren(...model.labels.map((label, index) => {
      const item = document.createElement("li");
      const mark = document.createElement("i");
      mark.style.background = colour(index);
      item.append(mark, label);
      return item;
    }));
    const rows = model.observation_labels.length;
    $("rows").replaceChildren(...rowNames(model).map(([index, name]) => {
      const label = document.createElement("span");
      label.textContent = name;
      label.style.bottom = `${(100 * index) / rows}%`;
      return label;
    }));
  }

  prepare() {
    const strip = (id) => new Strip($(id), this.columns);
    [this.waveform, this.timeline, this.attention] = [strip("waveform"), strip("timeline"), strip("attention")];
  }

  /** The column in which an instant begins. */
  column(number) {
    return Math.floor((number - this.first) / this.grouped);
  }

  /** Seconds at which an instant begins and ends; none begins or ends behind the recording. */
  span({ number }) {
    const { hop, window: width } = this.model;
    return [number * hop, number * hop + width].map((time) => Math.min(time, this.duration));
  }

  /** Shows the instant that is chosen, without drawing any picture again. */
  choose(index) {
    const { hop, labels, observation_labels: rows } = this.model;
    $("instant").max = String(this.instants.length - 1);
    $("instant").value = String(index);
    const instant = this.instants[index];
    const [begin, end] = this.span(instant);
    const when = `${begin.toFixed(1)} to ${end.toFixed(1)} s`;
    $("when").textContent = `${index + 1} of ${this.instants.length}: ${when}`;
    $("instant").setAttribute("aria-valuetext", when);
    $("probabilities").replaceChildren(...labels.map((label, number) => {
      const item = document.createElement("li");
      const bar = document.createElement("span");
      const filled = document.createElement("span");
      const share = document.createElement("span");
      bar.className = "bar";
      filled.style.width = `${100 * instant.probabilities[number]}%`;
      filled.style.background = colour(number);
      bar.append(filled);
      share.className = "number";
      share.textContent = `${(100 * instant.probabilities[number]).toFixed(1)} %`;
      item.append(label, bar, share);
      return item;
    }));
    const seconds = this.columns * this.grouped * hop;
    const start = this.first * hop;
    this.mark("waveform", (begin - start) / seconds, (end - start) / seconds);
    const column = this.column(instant.number);
    const last = index + 1 === this.instants.length && !this.live ? this.columns : column + 1;
    for (const id of ["timeline", "attention"]) this.mark(id, column / this.columns, last / this.columns);
    $("timeline").setAttribute("aria-label",
      `Probabilities by instant; at instant ${index + 1} the most likely is ` +
      labels[instant.probabilities.indexOf(Math.max(...instant.probabilities))]);
    $("attention").setAttribute("aria-label",
      `Attention; at instant ${index + 1}, ${Math.round(100 * instant.fraction)} % of ` +
      `${instant.attention.length / rows.length > 1 ? "the patch" : `${rows.length} coefficients`} were sampled`);
  }

  /** Frames a share of a picture's width. */
  mark(id, from, to) {
    const style = $(id).parentElement.querySelector(".chosen").style;
    style.left = `${100 * Math.max(0, from)}%`;
    style.width = `${100 * (Math.min(1, to) - Math.max(0, from))}%`;
  }

  /** The index of the instant at a share of a picture's width. */
  at(share) {
    const number = this.first + Math.floor(share * this.columns * this.grouped);
    const behind = this.instants.findIndex((one) => one.number > number);
    return behind < 0 ? this.instants.length - 1 : Math.max(0, behind - 1);
  }

  drawInstants(column, columns, instants) {
    const mean = (index) => instants.reduce((sum, one) => sum + one.probabilities[index], 0) / instants.length;
    this.timeline.probabilities(column, columns, this.model.labels.map((_, index) => mean(index)));
    const { saliency, attention, number } = instants[0];
    this.attention.attention(column, columns, saliency, attention, this.model, number === 0);
  }

  /** Fills the table if it is open. */
  fillTable() {
    if (!$("details").open) return;
    const row = (cells, kind) => {
      const line = document.createElement("tr");
      line.append(...cells.map((text) => {
        const cell = document.createElement(kind);
        cell.textContent = text;
        return cell;
      }));
      return line;
    };
    $("table").replaceChildren(
      row(["from, s", "to, s", ...this.model.labels, "sampled"], "th"),
      ...this.instants.map((instant) => row([
        ...this.span(instant).map((time) => time.toFixed(1)),
        ...instant.probabilities.map((one) => one.toFixed(3)),
        `${Math.round(100 * instant.fraction)} %`,
      ], "td")));
  }
}

/** The answer to a whole recording. */
export class ShownRecording extends Shown {
  constructor(model, answer, samples, rate) {
    super(model, answer.instants_per_column);
    this.samples = samples;
    this.duration = samples.length / rate;
    this.instants = answer.timeline.map((probabilities, number) => ({
      number,
      probabilities,
      saliency: answer.saliency[Math.floor(number / this.grouped)],
      attention: answer.attention[Math.floor(number / this.grouped)],
      fraction: answer.sampled_fraction[number],
    }));
    // As long as the recording, so that the last column may be wider than others.
    this.columns = Math.max(this.instants.length, this.duration / model.hop) / this.grouped;
    $("emotion").textContent = answer.emotion;
    const sampled = this.instants.reduce((sum, one) => sum + one.fraction, 0) / this.instants.length;
    $("facts").textContent =
      `${this.duration.toFixed(1)} s, ${this.instants.length} instants, ` +
      `${Math.round(100 * sampled)} % of the coefficients sampled` +
      (this.grouped > 1 ? `; a column is ${this.grouped} instants` : "") +
      (answer.silent ? ". Nothing but silence: the emotion means nothing" : "");
    this.draw();
    this.choose(this.instants.length - 1);
    this.fillTable();
  }

  draw() {
    this.prepare();
    const length = this.duration / (this.grouped * this.model.hop);
    this.waveform.waveform(0, Math.min(length, this.columns), this.samples, loudest(this.samples));
    for (let first = 0; first < this.instants.length; first += this.grouped) {
      const instants = this.instants.slice(first, first + this.grouped);
      const isLast = first + this.grouped >= this.instants.length;
      const column = first / this.grouped;
      this.drawInstants(column, isLast ? this.columns - column : 1, instants);
    }
  }
}

/** The last instants of live sound; each is drawn when it is added, and nothing else. */
export class ShownLive extends Shown {
  constructor(model) {
    super(model, 1);
    this.live = true;
    // The last window reaches beyond the column in which it begins.
    this.columns = LIVE_INSTANTS + Math.ceil(model.window / model.hop) - 1;
    this.peak = 0.05;
    this.prepare();
  }

  /** Adds an instant: its number, the answer and the samples of its window. */
  add(number, answer, samples) {
    const { hop, window: width } = this.model;
    this.duration = number * hop + width;
    const beyond = number - this.first - LIVE_INSTANTS + 1;
    if (beyond > 0) {
      this.first += beyond;
      for (const strip of [this.waveform, this.timeline, this.attention]) strip.move(beyond);
    }
    // All of the window, or the hop of it that the last one has not shown.
    const shown = this.instants.at(-1)?.number === number - 1 ? hop : width;
    const instant = {
      number,
      shown,
      probabilities: answer.probabilities,
      saliency: answer.saliency,
      attention: answer.attention,
      fraction: answer.sampled_fraction,
      silent: answer.silent,
      samples: samples.slice(-Math.round((samples.length * shown) / width)),
    };
    this.instants = [...this.instants.filter((one) => one.number >= this.first), instant];
    this.drawInstant(instant);
    $("emotion").textContent = answer.emotion;
    $("facts").textContent = `${this.duration.toFixed(1)} s` +
      (this.instants.every((one) => one.silent) ? ". Nothing but silence: the emotion means nothing" : "");
    this.choose(this.instants.length - 1);
    this.fillTable();
  }

  drawInstant(instant) {
    const { hop, window: width } = this.model;
    const column = this.column(instant.number);
    this.peak = Math.max(this.peak, loudest(instant.samples));
    const from = column + (width - instant.shown) / hop;
    this.waveform.waveform(from, instant.shown / hop, instant.samples, this.peak);
    this.drawInstants(column, 1, [instant]);
  }

  draw() {
    this.prepare();
    for (const instant of this.instants) this.drawInstant(instant);
  }
}
