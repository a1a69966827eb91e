// Pictures along time: a canvas whose width is a stretch of the recording, drawn on piece by piece.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgb = (name) => css(name).match(/[0-9a-f]{2}/gi).map((digits) => parseInt(digits, 16));

/** A canvas that shows from one time to another, in seconds. */
export class Panel {
  /** With a `hop`, in seconds, that is a whole number of pixels wide, so that the picture can move. */
  constructor(canvas, from, to, hop) {
    this.ratio = window.devicePixelRatio || 1;
    const { width, height } = canvas.getBoundingClientRect();
    const hops = hop ? (to - from) / hop : 1;
    canvas.width = Math.round(hops * Math.max(1, Math.round((width * this.ratio) / hops)));
    canvas.height = Math.max(1, Math.round(height * this.ratio));
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    [this.from, this.scale] = [from, canvas.width / (to - from)];
    [this.low, this.high, this.paper, this.mark] = ["--low", "--high", "--panel", "--mark"].map(rgb);
    this.ink = css("--accent");
    this.soft = css("--soft");
  }

  x(time) {
    return Math.round((time - this.from) * this.scale);
  }

  /** Moves the picture to the left, and what is drawn from now on with it. */
  move(seconds) {
    const { canvas, context } = this;
    context.globalCompositeOperation = "copy";
    context.drawImage(canvas, -Math.round(seconds * this.scale), 0);
    context.globalCompositeOperation = "source-over";
    this.from += seconds;
  }

  clear(from, to) {
    this.context.clearRect(this.x(from), 0, this.x(to) - this.x(from), this.canvas.height);
  }

  /** Draws samples, of which `peak` is the loudest. */
  waveform(from, to, samples, peak) {
    const { context, canvas: { height } } = this;
    const left = this.x(from);
    const width = this.x(to) - left;
    this.clear(from, to);
    context.fillStyle = this.ink;
    for (let x = 0; x < width; x++) {
      const first = Math.floor((x * samples.length) / width);
      const last = Math.max(first + 1, Math.floor(((x + 1) * samples.length) / width));
      let low = 0;
      let high = 0;
      for (let i = first; i < last; i++) {
        low = Math.min(low, samples[i]);
        high = Math.max(high, samples[i]);
      }
      const top = (0.5 - (0.48 * high) / peak) * height;
      context.fillRect(left + x, top, 1, Math.max(1, ((high - low) / peak) * 0.48 * height));
    }
  }

  /**
   * Draws columns of values, the first row below: the lower, the more like the paper; where a value
   * is null, nothing. `place` has the columns' `begin` and `end`, and `from` and `to`, seconds
   * beyond which nothing is drawn.
   */
  map(columns, [least, most], place) {
    const image = this._image(columns, place, (value, data, at) => {
      const share = Math.max(0, Math.min(1, (value - least) / (most - least)));
      for (let channel = 0; channel < 3; channel++) {
        data[at + channel] = this.low[channel] + share * (this.high[channel] - this.low[channel]);
      }
      data[at + 3] = 255;
    });
    this.clear(place.from, place.to);
    this._stretch(this.context, image, this.x(place.from));
  }

  /** Hatches what was believed, less than half of it sampled, of columns as `map` takes them. */
  believed(columns, place) {
    const { canvas, context } = this;
    const image = this._image(columns, place, (sampled, data, at) => {
      data[at + 3] = sampled < 0.5 ? 255 : 0;
    });
    const left = this.x(place.from);
    const hatched = canvasOf(image.width, canvas.height);
    const inner = hatched.getContext("2d");
    this._stretch(inner, image, 0);
    inner.globalCompositeOperation = "source-in";
    // Hatches move with the sound: their phase is that of its time.
    const phase = left + Math.round(this.from * this.scale);
    inner.translate(-phase, 0);
    inner.fillStyle = this.hatching(inner, 6, 1);
    inner.fillRect(phase, 0, hatched.width, canvas.height);
    context.drawImage(hatched, left, 0);
  }

  /** Marks the silence that was added after a recording. */
  silence(from, to) {
    const { context, canvas: { height } } = this;
    context.fillStyle = this.hatching(context, 8, -1);
    context.fillRect(this.x(from), 0, this.x(to) - this.x(from), height);
    context.fillStyle = this.soft;
    context.fillRect(this.x(from), 0, Math.max(1, this.ratio), height);
  }

  /** Draws a probability, 0 to 1, as the height of a bar. */
  probability(from, to, probability) {
    const { context, canvas: { height } } = this;
    const [left, size] = [this.x(from), Math.max(this.ratio, probability * height)];
    context.fillStyle = this.ink;
    context.fillRect(left, height - size, Math.max(1, this.x(to) - left), size);
  }

  /** Writes the longest of some texts that fits, if any. */
  write(from, to, texts) {
    const { context, canvas: { height } } = this;
    context.font = `${Math.round(13 * this.ratio)}px system-ui, sans-serif`;
    context.fillStyle = this.soft;
    [context.textAlign, context.textBaseline] = ["center", "middle"];
    const width = this.x(to) - this.x(from) - 8 * this.ratio;
    const text = texts.find((one) => context.measureText(one).width <= width);
    if (text) context.fillText(text, (this.x(from) + this.x(to)) / 2, height / 2);
  }

  /** Lines, edged with paper so that they stand out from dark and light; falling if direction is 1. */
  hatching(context, period, direction) {
    const size = Math.round(period * this.ratio);
    const image = new ImageData(size, size);
    const width = Math.max(1, Math.round(this.ratio));
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const place = (((direction * x - y) % size) + size) % size;
        if (place >= 2 * width) continue;
        const color = place < width ? this.mark : this.paper;
        image.data.set([...color, place < width ? 255 : 150], 4 * (y * size + x));
      }
    }
    const tile = canvasOf(size, size);
    tile.getContext("2d").putImageData(image, 0, 0);
    return context.createPattern(tile, "repeat");
  }

  /** An image as wide as a place and as high as columns have rows; `paint` takes a value, the
   * bytes, and where its four are. */
  _image(columns, { begin, end, from, to }, paint) {
    const rows = columns[0].length;
    const left = this.x(from);
    const image = new ImageData(Math.max(1, this.x(to) - left), rows);
    let column = 0; // the first that has not ended
    for (let x = 0; x < image.width; x++) {
      const [before, after] = [x, x + 1].map((pixel) => this.from + (left + pixel) / this.scale);
      while (column < columns.length && end[column] <= before) column++;
      let last = column; // several columns in a pixel are averaged
      while (last + 1 < columns.length && (begin[last + 1] + end[last + 1]) / 2 < after) last++;
      if (column === columns.length || begin[column] >= after) continue;
      for (let row = 0; row < rows; row++) {
        let [sum, count] = [0, 0];
        for (let each = column; each <= last; each++) {
          if (columns[each][row] === null) continue;
          sum += columns[each][row];
          count++;
        }
        if (count) paint(sum / count, image.data, 4 * ((rows - 1 - row) * image.width + x));
      }
    }
    return image;
  }

  /** Draws an image, its rows as high as the canvas has room for. */
  _stretch(context, image, left) {
    const small = canvasOf(image.width, image.height);
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, left, 0, image.width, this.canvas.height);
  }
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return canvas;
}

/** A place of so many columns of equal width, from one time to another. */
export function evenly(count, from, to) {
  const width = (to - from) / count;
  const times = Array.from({ length: count }, (_, index) => from + index * width);
  return { begin: times, end: times.map((time) => time + width), from, to };
}
