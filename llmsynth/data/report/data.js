// The data of this page: blobs in script elements that do not run, inflated when they are needed.

async function inflate(name) {
  const coded = document.getElementById(`data-${name}`).textContent;
  let bytes;
  if (Uint8Array.fromBase64) {
    bytes = Uint8Array.fromBase64(coded);
  } else {
    const text = atob(coded);
    bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const decoder = new TextDecoder();
const inflateText = async (name) => decoder.decode(await inflate(name));
const inflateJson = async (name) => JSON.parse(await inflateText(name));

async function inflateArrays(name, layout) {
  const { buffer } = await inflate(name);
  const types = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };
  const arrays = {};
  let offset = 0;
  for (const [key, type, length] of layout) {
    arrays[key] = new types[type](buffer, offset, length);
    offset += arrays[key].byteLength;
  }
  return arrays;
}

// Numbered lines in blobs of some hundred; the blobs looked at last are held.
class Lines {
  constructor(name, starts, held) {
    Object.assign(this, { name, starts, held, blobs: new Map() });
  }

  blobOf(number) {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  blob(place) {
    let lines = this.blobs.get(place);
    if (lines) {
      this.blobs.delete(place);
    } else {
      lines = inflateText(`${this.name}-${place}`).then((text) => text.split("\n"));
      if (this.blobs.size >= this.held) this.blobs.delete(this.blobs.keys().next().value);
    }
    this.blobs.set(place, lines);
    return lines;
  }

  async line(number) {
    const place = this.blobOf(number);
    return (await this.blob(place))[number - this.starts[place]];
  }
}

// What the page knows at once: counts, and the index columns of all its rows.
const page = {};

async function open() {
  page.told = await inflateJson("told");
  const { rows, answers } = page.told;
  page.index = await inflateArrays("index", rows.arrays);
  page.rows = new Lines("rows", rows.starts, 40);
  page.answers = new Lines("answers", answers.starts, 10);
}

const once = (make) => {
  let made;
  return () => (made ??= make());
};
const pairs = once(() => inflateJson("pairs"));
const near = once(() => inflateArrays("near", page.told.rows.near));

const runOf = (number) => page.told.runs[page.index.run[number]];
const stateOf = (number) => runOf(number).states[page.index.state[number]];

async function row(number) {
  const [searched, rest] = (await page.rows.line(number)).split("\t");
  const [id, detail, ...values] = JSON.parse(searched);
  const { m: meta, f: more, s: scores, a: answers } = JSON.parse(rest);
  const [status, reason] = stateOf(number);
  const fields = { ...more };
  runOf(number).columns.forEach((name, i) => {
    if (values[i] !== null) fields[name] = values[i];
  });
  return { number, id, detail, status, reason, fields, meta, scores: scores ?? {}, answers: answers ?? [] };
}

async function answer(number) {
  const line = await page.answers.line(number);
  return line ? JSON.parse(line) : null;
}

// Which of the numbered rows hold a text, whatever its case. `found` hears of them as blobs are read.
const lowered = new Map();
async function search(query, candidates, found, wanted) {
  const needle = JSON.stringify(query).slice(1, -1).toLowerCase();
  const hits = [];
  let lines = [];
  let blob = -1;
  for (const number of candidates) {
    const place = page.rows.blobOf(number);
    if (place !== blob) {
      blob = place;
      if (!lowered.has(place)) {
        const text = await inflateText(`rows-${place}`);
        lowered.set(place, text.split("\n").map((line) => line.slice(0, line.indexOf("\t")).toLowerCase()));
        if (place % 8 === 0) {
          found(hits);
          await new Promise((resolve) => setTimeout(resolve));
        }
      }
      if (!wanted()) return null;
      lines = lowered.get(place);
    }
    if (lines[number - page.rows.starts[place]].includes(needle)) hits.push(number);
  }
  return hits;
}
