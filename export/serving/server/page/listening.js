// What was expected of a recording, and what came beyond it, as sound: made when it is asked for.

import { $, element } from "./elements.js";

const NAMES = { expected: "What the model expected", surprise: "What came beyond that" };

/** Offers to make the sounds; `make` asks the server for them, WAV files as base64. */
export function offer(make) {
  forget();
  $("listen").hidden = false;
  $("listen").onclick = async () => {
    $("listen").disabled = true;
    $("listen").textContent = "Making it …";
    try {
      show(await make());
    } catch (error) {
      $("sounds").replaceChildren(element("p", error.message));
    }
    $("listen").hidden = true;
  };
}

/** Takes back what was offered, and the sounds of the last recording. */
export function forget() {
  for (const player of $("sounds").querySelectorAll("audio")) URL.revokeObjectURL(player.src);
  $("sounds").replaceChildren();
  [$("listen").hidden, $("listen").disabled] = [true, false];
  $("listen").textContent = "Hear what it expected";
}

function show(sounds) {
  $("sounds").replaceChildren(...Object.entries(NAMES).map(([name, title]) => {
    const player = element("audio");
    player.controls = true;
    const bytes = Uint8Array.from(atob(sounds[name]), (letter) => letter.charCodeAt(0));
    player.src = URL.createObjectURL(new Blob([bytes], { type: "audio/wav" }));
    return element("label", title, [player]);
  }));
}
