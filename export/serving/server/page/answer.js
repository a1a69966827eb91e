// An answer on the page: of a recording, all at once; of live sound, instant after instant.

import { percent, rowTicks, scaleTexts, timeTicks } from "./axes.js";
import { Panel, evenly } from "./drawing.js";
import { $, element, spans } from "./elements.js";
import { MomentCard } from "./moments.js";

const LIVE_INSTANTS = 60; // that stay on the screen

/** The loudest of samples, and more than nothing. */
function loudest(samples) {
  let peak = 1e-3;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  return peak;
}

/**
 * What all answers have: instants, each with its number, probabilities and sampled fraction, and
 * the times from where to where they are shown, in seconds.
 */
class Shown {
  constructor(model) {
    this.model = model;
    this.instants = [];
    this.from = 0;
    $("result").hidden = false;
    $("padding").hidden = $("moments").hidden = $("silence").hidden = true;
    $("marks").replaceChildren();
    const below = (row) => `bottom: ${(100 * row) / model.rows.length}%`;
    for (const labels of document.querySelectorAll(".panel > .rows")) {
      labels.replaceChildren(...spans(rowTicks(model), below));
    }
    $("probabilities").replaceChildren(...model.labels.map((label) => {
      const number = element("output");
      return element("li", "", [element("span", label), element("canvas"), number]);
    }));
    document.querySelectorAll(".scale").forEach((scale, index) => {
      [scale.firstChild.textContent, scale.lastChild.textContent] = scaleTexts(model)[index];
    });
  }

  /** Makes the panels anew, empty, for the width and the colours that the page has now. */
  prepare(hop) {
    const panel = (canvas) => new Panel(canvas, this.from, this.to, hop);
    const ids = ["waveform", "came", "expected", "difference"];
    [this.waveform, this.came, this.expected, this.difference] = ids.map((id) => panel($(id)));
    this.rows = [...$("probabilities").querySelectorAll("canvas")].map(panel);
    this.panels = [this.waveform, this.came, this.expected, this.difference, ...this.rows];
    const shades = Array.from({ length: 32 }, (_, index) => [index]);
    for (const id of ["scale", "difference-scale"]) {
      new Panel($(id), 0, 1).map(shades, [0, 31], evenly(32, 0, 1));
    }
    for (const [id, sampled] of [["sampled-key", 1], ["believed-key", 0]]) {
      const key = new Panel($(id), 0, 1);
      key.map([[0.35]], [0, 1], evenly(1, 0, 1));
      key.believed([[sampled]], evenly(1, 0, 1));
    }
    new Panel($("silence-key"), 0, 1).silence(0, 1);
    this.nameTimes();
  }

  nameTimes() {
    const most = Math.max(2, $("came").getBoundingClientRect().width / 45);
    const left = (time) => `left: ${(100 * (time - this.from)) / (this.to - this.from)}%`;
    const ticks = timeTicks(this.from, this.to, most).map((time) => [time, `${time} s`]);
    $("times").replaceChildren(...spans(ticks, left));
  }

  /** When the sound that an instant brought begins and ends: all of the first window, then a hop. */
  span({ number }) {
    const { hop, window: width } = this.model;
    const end = number * hop + width;
    return [number ? Math.max(number * hop, end - hop) : 0, end];
  }

  /** The same in words, of which none lies after the recording. */
  when(instant) {
    const [begin, end] = this.span(instant);
    if (begin >= this.duration) return `${begin.toFixed(1)} s, in the silence added after the end`;
    return `${begin.toFixed(1)} to ${Math.min(end, this.duration).toFixed(1)} s`;
  }

  /** Shows the instant that is chosen, without drawing any picture again. */
  choose(index) {
    $("instant").max = String(this.instants.length - 1);
    $("instant").value = String(index);
    const instant = this.instants[index];
    const when = this.when(instant);
    $("when").textContent = `${index + 1} of ${this.instants.length}: ${when}`;
    $("instant").setAttribute("aria-valuetext", when);
    const best = instant.probabilities.indexOf(Math.max(...instant.probabilities));
    [...$("probabilities").children].forEach((item, label) => {
      item.classList.toggle("best", label === best);
      item.lastChild.textContent = percent(instant.probabilities[label]);
    });
    const [begin, end] = this.span(instant).map((time) =>
      Math.max(0, Math.min(1, (time - this.from) / (this.to - this.from))));
    const { style } = document.querySelector(".chosen");
    style.setProperty("--begin", begin);
    style.setProperty("--share", end - begin);
    $("came").setAttribute("aria-label", `What came, by ${this.axis()} and time; at instant ` +
      `${index + 1} ${percent(instant.fraction)} of it were listened to`);
    $("expected").setAttribute("aria-label", `What the model expected, by ${this.axis()} and time`);
    $("difference").setAttribute("aria-label", `How far that was off, by ${this.axis()} and time`);
  }

  axis() {
    return this.model.band_frequencies ? "frequency" : "coefficient";
  }

  /** The index of the instant that brought a share of the pictures' width. */
  at(share) {
    const time = this.from + share * (this.to - this.from);
    const index = this.instants.findIndex((one) => this.span(one)[1] > time);
    return index < 0 ? this.instants.length - 1 : index;
  }

  /** Draws what came, what was believed of it, what was expected, and the difference. */
  drawMaps({ came, expected, sampled }, place) {
    const { scale, farthest } = this.model;
    const apart = came.map((column, index) => column.map((value, row) =>
      (value === null || expected[index][row] === null ? null : value - expected[index][row])));
    this.came.map(came, scale, place);
    this.came.believed(sampled, place);
    this.expected.map(expected, scale, place);
    this.difference.map(apart, [-farthest, farthest], place);
  }

  drawProbabilities(instant) {
    const [begin, end] = this.span(instant);
    this.rows.forEach((row, label) => row.probability(begin, end, instant.probabilities[label]));
  }

  /** Fills the table if it is open. */
  fillTable() {
    if (!$("details").open) return;
    const row = (cells, kind) => element("tr", "", cells.map((text) => element(kind, text)));
    $("table").replaceChildren(
      row(["from, s", "to, s", ...this.model.labels, "listened to"], "th"),
      ...this.instants.map((instant) => row([
        ...this.span(instant).map((time) => Math.min(time, this.duration).toFixed(1)),
        ...instant.probabilities.map((one) => one.toFixed(3)),
        percent(instant.fraction),
      ], "td")));
  }
}

/** The answer to a whole recording; `samples` are null if the browser cannot decode it. */
export class ShownRecording extends Shown {
  constructor(model, answer, samples) {
    super(model);
    this.answer = answer;
    this.samples = samples;
    this.moments = answer.silent ? [] : answer.moments;
    this.duration = answer.duration;
    this.to = Math.max(answer.times.at(-1), this.duration);
    this.instants = answer.timeline.map((probabilities, number) => ({
      number, probabilities, fraction: answer.sampled_fraction[number],
    }));
    $("waveform-panel").hidden = !samples;
    $("emotion").textContent = answer.emotion;
    const later = this.instants.slice(1); // of the first, everything is new
    const sampled = later.reduce((sum, one) => sum + one.fraction, 0) / Math.max(1, later.length);
    $("facts").textContent = `${this.duration.toFixed(1)} s` +
      (later.length ? `; the model listened to ${percent(sampled)} of what followed the first ` +
        `${model.window.toFixed(1)} s, and believed its own expectation for the rest` : "") +
      (answer.silent ? ". Nothing but silence: the emotion means nothing" : "");
    this.sayWhatIsMissing();
    this.showMoments();
    this.draw();
    this.choose(this.instants.length - 1);
    this.fillTable();
  }

  /** Says what of the pictures is no sound of the recording, and what of it was not heard. */
  sayWhatIsMissing() {
    const heard = this.answer.times.at(-1);
    const [before, after] = [this.duration, heard].map((time) => time.toFixed(1));
    if (Math.abs(heard - this.duration) < 0.05) return;
    $("padding").hidden = false;
    $("silence").hidden = heard <= this.duration;
    $("padding").textContent = heard > this.duration
      ? `The recording ends at ${before} s; the model read silence up to ${after} s, which is hatched.`
      : `The model read up to ${after} s; the rest, shorter than a step of ${this.model.hop.toFixed(1)} s, it left out.`;
  }

  showMoments() {
    const { moments } = this;
    this.cards = moments.map((moment) => {
      const choose = () => this.choose(moment.instant);
      return new MomentCard(this.model, moment, this.when({ number: moment.instant }), choose);
    });
    $("moments").hidden = false;
    $("moments").querySelector("ol").replaceChildren(...this.cards.map(({ item }) => item));
    $("moments").querySelector("h2").textContent =
      this.answer.silent ? "Nothing but silence: nothing to explain"
        : this.instants.length === 1 ? "Too short to expect anything: one window, and one answer"
          : this.cards.length ? "What moved the answer most" : "Nothing moved the answer much";
  }

  /** Numbers the moments on the axis of time, those that are near each other side by side. */
  mark() {
    const { width } = $("marks").getBoundingClientRect();
    let last = -Infinity;
    $("marks").replaceChildren(...spans(this.moments.map((moment, index) => {
      const [begin, end] = this.span({ number: moment.instant });
      last = Math.max(last + 20, ((begin + end) / 2 / this.to) * width);
      return [last, String(index + 1)];
    }), (pixels) => `left: ${pixels}px`));
  }

  draw() {
    this.prepare();
    const { answer: { map, times }, duration, to } = this;
    if (this.samples) this.waveform.waveform(0, duration, this.samples, loudest(this.samples));
    const place = { ...map, from: 0, to: Math.min(duration, times.at(-1)) };
    this.drawMaps(map, place);
    const first = Math.min(duration, times[0]);
    this.expected.write(0, first, ["nothing yet: it had heard nothing before", "nothing yet", "–"]);
    if (to > duration) for (const panel of this.panels) panel.silence(duration, to);
    for (const instant of this.instants) this.drawProbabilities(instant);
    for (const card of this.cards) card.draw();
    this.mark();
  }
}

/** The last instants of live sound; each is drawn when it is added, and nothing else. */
export class ShownLive extends Shown {
  constructor(model) {
    super(model);
    // The last window reaches beyond the hop in which it begins.
    this.to = (LIVE_INSTANTS + Math.ceil(model.window / model.hop) - 1) * model.hop;
    this.first = 0; // the number of the instant on the left
    this.peak = 0.05;
    $("waveform-panel").hidden = false;
    this.prepare(model.hop);
  }

  /** Adds an instant: its number, the answer and the samples of its window. */
  add(number, answer, samples) {
    const { hop, window: width } = this.model;
    this.duration = number * hop + width;
    const beyond = number - this.first - LIVE_INSTANTS + 1;
    if (beyond > 0) {
      this.first += beyond;
      [this.from, this.to] = [this.from, this.to].map((time) => time + beyond * hop);
      for (const panel of this.panels) panel.move(beyond * hop);
      this.nameTimes();
    }
    const last = this.instants.at(-1);
    const follows = last?.number === number - 1;
    const instant = {
      number,
      follows,
      probabilities: answer.probabilities,
      fraction: answer.sampled_fraction,
      silent: answer.silent,
      ...this.pictured(number, follows, Boolean(last), answer),
      samples: samples.slice(-Math.round((samples.length * (follows ? hop : width)) / width)),
    };
    this.instants = [...this.instants.filter((one) => one.number >= this.first), instant];
    this.drawInstant(instant);
    $("emotion").textContent = answer.emotion;
    $("facts").textContent = `${this.duration.toFixed(1)} s` +
      (this.instants.every((one) => one.silent) ? ". Nothing but silence: the emotion means nothing" : "");
    this.choose(this.instants.length - 1);
    this.fillTable();
  }

  /** The columns that a window brought, and where they are: with frames, those not `known` before. */
  pictured(instant, follows, expected, answer) {
    const { known, step, hop, window: width } = this.model;
    const to = instant * hop + width;
    const first = follows ? known : 0;
    const start = instant * hop + (step ? (first - 0.5) * step : follows ? width - hop : 0);
    const [came, sampled] = [answer.came.slice(first), answer.sampled.slice(first)];
    const place = evenly(came.length, start, step ? start + came.length * step : to);
    return {
      came,
      sampled,
      expected: expected ? answer.expected.slice(first) : came.map((column) => column.map(() => null)),
      place: { ...place, from: Math.max(0, start), to },
    };
  }

  drawInstant(instant) {
    const { place, samples, follows } = instant;
    const { hop, window: width } = this.model;
    const end = instant.number * hop + width;
    this.peak = Math.max(this.peak, loudest(samples));
    this.waveform.waveform(end - (follows ? hop : width), end, samples, this.peak);
    this.drawMaps(instant, place);
    this.drawProbabilities(instant);
  }

  draw() {
    this.prepare(this.model.hop);
    for (const instant of this.instants) this.drawInstant(instant);
  }
}
