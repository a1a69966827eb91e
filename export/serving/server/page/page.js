// The page: asks the server about sound, and shows what it answers.

import { colour, drawAttention, drawTimeline, drawWaveform } from "./drawing.js";
import { Microphone, Tape, base64, encodeWav, readFile } from "./sound.js";

const LONGEST_RECORDING = 300; // seconds
const LIVE_INSTANTS = 60; // that stay on the screen

const $ = (id) => document.getElementById(id);
const state = { models: [], shown: null, microphone: null, busy: false };

const model = () => state.models.find((one) => one.name === $("model").value);

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

async function ask(path, body, type) {
  let reply;
  try {
    reply = await fetch(path, body === undefined ? {} : {
      method: "POST", body, headers: { "Content-Type": type },
    });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

const call = (what) => `/page/models/${encodeURIComponent(model().name)}:${what}`;

/** Recognises a whole recording and shows it. */
async function explain({ wav, samples, rate }, name) {
  say(`Recognising ${name} …`);
  const answer = await ask(call("explain"), wav, "audio/wav");
  show({
    emotion: answer.emotion,
    timeline: answer.timeline,
    saliency: answer.saliency,
    attention: answer.attention,
    fraction: answer.sampled_fraction,
    silent: answer.silent,
    samples,
    duration: samples.length / rate,
    first: 0,
  });
  const player = $("player");
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
  player.hidden = false;
  say(`${name}: ${answer.emotion}`);
}

function show(shown) {
  state.shown = shown;
  $("result").hidden = false;
  const last = shown.timeline.length - 1;
  $("instant").max = String(last);
  $("instant").value = String(last);
  $("emotion").textContent = shown.emotion;
  const sampled = shown.fraction.reduce((sum, one) => sum + one, 0) / shown.fraction.length;
  $("facts").textContent =
    `${shown.duration.toFixed(1)} s, ${shown.timeline.length} instants, ` +
    `${Math.round(100 * sampled)} % of the coefficients sampled` +
    (shown.silent ? ". Nothing but silence: the emotion means nothing" : "");
  $("legend").replaceChildren(...model().labels.map((label, index) => {
    const item = document.createElement("li");
    const mark = document.createElement("i");
    mark.style.background = colour(index);
    item.append(mark, label);
    return item;
  }));
  draw();
  fillTable();
}

/** Seconds at which an instant begins and ends. */
function span(instant) {
  const begin = (state.shown.first + instant) * model().hop;
  return [begin, begin + model().window];
}

function draw() {
  const { shown } = state;
  if (!shown) return;
  const chosen = Number($("instant").value);
  const [begin, end] = span(chosen);
  $("when").textContent = `${chosen + 1} of ${shown.timeline.length}: ${begin.toFixed(1)} to ${end.toFixed(1)} s`;
  const probabilities = shown.timeline[chosen];
  $("probabilities").replaceChildren(...model().labels.map((label, index) => {
    const item = document.createElement("li");
    const bar = document.createElement("span");
    const filled = document.createElement("span");
    const number = document.createElement("span");
    bar.className = "bar";
    filled.style.width = `${100 * probabilities[index]}%`;
    filled.style.background = colour(index);
    bar.append(filled);
    number.className = "number";
    number.textContent = `${(100 * probabilities[index]).toFixed(1)} %`;
    item.append(label, bar, number);
    return item;
  }));
  const start = shown.first * model().hop;
  const share = (time) => Math.min(1, Math.max(0, (time - start) / shown.duration));
  drawWaveform($("waveform"), shown.samples, share(begin), share(end));
  drawTimeline($("timeline"), shown.timeline, chosen);
  drawAttention($("attention"), shown.saliency, shown.attention, model(), chosen);
  $("timeline").setAttribute("aria-label",
    `Probabilities by instant; at instant ${chosen + 1} the most likely is ` +
    model().labels[probabilities.indexOf(Math.max(...probabilities))]);
  const attended = shown.attention[chosen].filter((one) => one > 0.5).length;
  $("attention").setAttribute("aria-label",
    `Attention; at instant ${chosen + 1}, ${attended} of ${shown.attention[chosen].length} coefficients were sampled`);
}

function fillTable() {
  const { shown } = state;
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
    row(["from, s", "to, s", ...model().labels, "sampled"], "th"),
    ...shown.timeline.map((probabilities, instant) => row([
      ...span(instant).map((time) => time.toFixed(1)),
      ...probabilities.map((one) => one.toFixed(3)),
      `${Math.round(100 * shown.fraction[instant])} %`,
    ], "td")));
}

/** Runs one thing at a time, and tells what went wrong with it. */
async function attempt(work) {
  if (state.busy) return;
  state.busy = true;
  try {
    await work();
  } catch (error) {
    say(error.name === "NotAllowedError" ? "The browser was not allowed to listen." : error.message, true);
  } finally {
    state.busy = false;
  }
}

function press(button, pressed, text) {
  $(button).setAttribute("aria-pressed", String(pressed));
  $(button).textContent = text;
  const other = button === "record" ? "live" : "record";
  for (const id of [other, "file", "model"]) $(id).disabled = pressed;
}

async function stopListening() {
  const { microphone } = state;
  state.microphone = null;
  await microphone?.close();
}

async function toggleRecording() {
  if (state.microphone) {
    const { tape, rate } = state.microphone;
    await stopListening();
    press("record", false, "Record");
    if (!tape.length) throw new Error("Nothing was recorded.");
    const samples = tape.all();
    await explain({ wav: encodeWav(samples, rate), samples, rate }, "the recording");
    return;
  }
  await listen(LONGEST_RECORDING, () => {
    const { tape, rate } = state.microphone;
    say(`Recording, ${(tape.heard / rate).toFixed(1)} s. Press again to stop.`);
  });
  press("record", true, "Stop");
  say("Recording. Press again to stop.");
}

async function listen(seconds, heard) {
  const microphone = await Microphone.open((piece) => {
    if (state.microphone !== microphone) return;
    microphone.tape.push(piece);
    heard();
  });
  microphone.tape = new Tape(seconds * microphone.rate);
  state.microphone = microphone;
}

async function toggleLive() {
  if (state.microphone) {
    await stopListening();
    press("live", false, "Live");
    say("Stopped.");
    return;
  }
  const { window: width, hop } = model();
  const live = { instant: 0, memory: [], waiting: false, answers: [] };
  await listen(LIVE_INSTANTS * hop + width, () => hearLive(live, width, hop));
  press("live", true, "Stop");
  $("player").hidden = true;
  say("Listening.");
}

/** Asks about the next instant, once all of it has been heard and the last is answered. */
async function hearLive(live, width, hop) {
  const { microphone } = state;
  const ends = Math.round((live.instant * hop + width) * microphone.rate);
  if (live.waiting || microphone.tape.heard < ends) return;
  live.waiting = true;
  try {
    const samples = microphone.tape.before(ends, Math.round(width * microphone.rate));
    const audio = { b64: base64(encodeWav(samples, microphone.rate)) };
    const answer = await ask(call("live"), JSON.stringify({ audio, state: live.memory }), "application/json");
    live.memory = answer.state;
    live.instant += 1;
    live.answers = [...live.answers, answer].slice(-LIVE_INSTANTS);
    if (state.microphone !== microphone) return;
    const first = live.instant - live.answers.length;
    const duration = (live.answers.length - 1) * hop + width;
    show({
      emotion: answer.emotion,
      timeline: live.answers.map((one) => one.probabilities),
      saliency: live.answers.map((one) => one.saliency),
      attention: live.answers.map((one) => one.attention),
      fraction: live.answers.map((one) => one.sampled_fraction),
      silent: live.answers.every((one) => one.silent),
      samples: microphone.tape.before(ends, Math.round(duration * microphone.rate)).slice(),
      duration,
      first,
    });
    say(`Listening: ${answer.emotion}`);
  } catch (error) {
    await stopListening();
    press("live", false, "Live");
    say(error.message, true);
  } finally {
    live.waiting = false;
  }
}

function takeFile(file) {
  if (file) attempt(async () => explain(await readFile(file, model().sample_rate), file.name));
}

async function start() {
  const { models } = await ask("/page/models");
  if (!models.length) throw new Error("No model of this server can be shown here.");
  state.models = models;
  $("model").replaceChildren(...models.map(({ name, version }) => {
    const option = document.createElement("option");
    option.value = name;
    option.textContent = `${name}, version ${version}`;
    return option;
  }));
}

$("record").addEventListener("click", () => attempt(toggleRecording));
$("live").addEventListener("click", () => attempt(toggleLive));
$("file").addEventListener("change", () => {
  takeFile($("file").files[0]);
  $("file").value = "";
});
$("instant").addEventListener("input", draw);
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") takeFile(event.dataTransfer.files[0]);
  });
}
attempt(start);
