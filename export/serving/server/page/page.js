// The page: asks the server about sound, and shows what it answers.

import { ShownLive, ShownRecording } from "./answer.js";
import { $ } from "./elements.js";
import { forget, offer } from "./listening.js";
import { Microphone, Tape, base64, encodeWav, readFile } from "./sound.js";

const LONGEST_RECORDING = 300; // seconds
const LONGEST_HEARD = 60; // of which the server makes sounds

const state = { models: [], shown: null, microphone: null, busy: false };

const model = () => state.models.find((one) => one.name === $("model").value);

function say(text) {
  $("status").textContent = text;
  $("status").classList.remove("error");
}

/** Takes the last answer away, lest it be taken for that to what comes now. */
function clear() {
  const player = $("player");
  player.hidden = true;
  URL.revokeObjectURL(player.src);
  player.removeAttribute("src");
  $("result").hidden = true;
  forget();
  state.shown = null;
}

function fail(error) {
  clear();
  say(error.name === "NotAllowedError" ? "The browser was not allowed to listen." : error.message);
  $("status").classList.add("error");
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
async function explain({ wav, samples }, name) {
  say(`Recognising ${name} …`);
  const answer = await ask(call("explain"), wav, "audio/wav");
  state.shown = new ShownRecording(model(), answer, samples);
  $("player").src = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
  $("player").hidden = false;
  const listen = call("listen");
  const brief = answer.duration <= LONGEST_HEARD && answer.times.length > 1;
  if (model().heard && brief && !answer.silent) offer(() => ask(listen, wav, "audio/wav"));
  say(`${name}: ${answer.emotion}`);
}

/** Runs one thing at a time, and tells what went wrong with it. */
async function attempt(work) {
  if (state.busy) return;
  state.busy = true;
  try {
    await work();
  } catch (error) {
    fail(error);
  } finally {
    state.busy = false;
  }
}

function press(button, pressed, text) {
  $(button).setAttribute("aria-pressed", String(pressed));
  $(button).textContent = text;
  const other = button === "record" ? "live" : "record";
  for (const id of [other, "example", "file", "model"]) $(id).disabled = pressed;
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
    await explain({ wav: encodeWav(samples, rate), samples }, "the recording");
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
  clear();
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
  const live = { next: 0, memory: [], waiting: false };
  await listen(width + 4 * hop, () => hearLive(live, width, hop));
  press("live", true, "Stop");
  say("Listening.");
}

/**
 * Asks about the next instant, once all of it has been heard and the last is answered. Where answers
 * take longer than sound does, it skips instants rather than fall behind.
 */
async function hearLive(live, width, hop) {
  const { microphone } = state;
  const length = Math.round(width * microphone.rate);
  const ends = (instant) => Math.round(instant * hop * microphone.rate) + length;
  if (live.waiting || microphone.tape.heard < ends(live.next)) return;
  const last = Math.floor((microphone.tape.heard - length) / (hop * microphone.rate));
  const instant = last - live.next > 1 ? last : live.next;
  const samples = microphone.tape.before(ends(instant), length)?.slice();
  if (!samples) return;
  live.waiting = true;
  try {
    const audio = { b64: base64(encodeWav(samples, microphone.rate)) };
    const answer = await ask(call("live"), JSON.stringify({ audio, state: live.memory }), "application/json");
    live.memory = answer.state;
    live.next = instant + 1;
    if (state.microphone !== microphone) return;
    state.shown ??= new ShownLive(model());
    state.shown.add(instant, answer, samples);
    say(`Listening: ${answer.emotion}`);
  } catch (error) {
    await stopListening();
    press("live", false, "Live");
    fail(error);
  } finally {
    live.waiting = false;
  }
}

/** Recognises a file that is chosen or fetched: something with a name and bytes. */
function take(find) {
  attempt(async () => {
    clear();
    const file = await find();
    await explain(await readFile(file, model().sample_rate), file.name);
  });
}

function takeFile(file) {
  if (file) take(() => file);
}

/** Speech-like sound, which the server makes: no file of a person's voice comes with the page. */
async function fetchExample() {
  say("Making an example …");
  const reply = await fetch("/page/example.wav");
  if (!reply.ok) throw new Error("The server made no example.");
  return new File([await reply.blob()], "example.wav");
}

async function start() {
  const { models } = await ask("/page/models");
  if (!models.length) throw new Error("No model of this server can be shown here; one of an older version must be exported again.");
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
$("example").addEventListener("click", () => take(fetchExample));
$("instant").addEventListener("input", () => state.shown?.choose(Number($("instant").value)));
$("explanation").addEventListener("click", ({ target, clientX }) => {
  if (!target.matches(".panels canvas")) return;
  const { left, width } = target.getBoundingClientRect();
  state.shown?.choose(state.shown.at((clientX - left) / width));
});
$("details").addEventListener("toggle", () => state.shown?.fillTable());
window.addEventListener("resize", () => state.shown?.draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state.shown?.draw());
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") takeFile(event.dataTransfer.files[0]);
  });
}
attempt(start);
