// Elements of the page, made in one line.

export const $ = (id) => document.getElementById(id);

/** An element with a text, or with children. */
export function element(name, text = "", children = []) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/** Labels for places, [place, text]; `style` says where a place is. */
export function spans(ticks, style) {
  return ticks.map(([place, text]) => {
    const label = element("span", text);
    label.style.cssText = style(place);
    return label;
  });
}
