// The moments that moved the answer most: what was expected beside what came.

import { rowTicks } from "./axes.js";
import { Panel, evenly } from "./drawing.js";
import { element, spans } from "./elements.js";

/** A card for a moment; `choose` is called to see it in the whole. */
export class MomentCard {
  constructor(model, moment, span, choose) {
    [this.model, this.moment] = [model, moment];
    const button = element("button", span);
    button.addEventListener("click", choose);
    this.item = element("li", "", [
      element("h3", "", [button]),
      element("p", moment.told.replace(/^at .*?, /, "")), // the time is above it
    ]);
    if (!moment.came.length) return;
    this.canvases = ["expected", "came"].map((name) => {
      const canvas = element("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `What ${name === "came" ? "came" : "was expected"}`);
      return canvas;
    });
    const ticks = element("div", "");
    ticks.className = "rows";
    ticks.setAttribute("aria-hidden", "true");
    ticks.append(...spans(rowTicks(model, 6), (row) => `bottom: ${(100 * row) / model.rows.length}%`));
    const pair = element("div", "", [
      ticks, ...this.canvases,
      element("span"), element("span", "expected"), element("span", "came"),
    ]);
    pair.className = "pair";
    this.item.append(pair);
  }

  draw() {
    this.canvases?.forEach((canvas, index) => {
      const columns = index ? this.moment.came : this.moment.expected;
      new Panel(canvas, 0, 1).map(columns, this.model.scale, evenly(columns.length, 0, 1));
    });
  }
}
