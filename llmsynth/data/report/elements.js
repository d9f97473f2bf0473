// Elements and texts. What comes from the data becomes text nodes and nothing else.

function el(tag, options, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(options ?? {})) {
    if (key === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (key === "class") element.className = value;
    else if (key === "style") for (const [name, set] of Object.entries(value)) element.style.setProperty(name, set);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const numbers = new Intl.NumberFormat("en");
const count = (value) => numbers.format(value);
const short = (value) =>
  value === null || value === undefined ? "–" : Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(3)));
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const percent = (part, whole) => {
  if (!whole) return "–";
  const share = (100 * part) / whole;
  if (share === 0 || share === 100) return `${share} %`;
  if (share >= 99.95) return "> 99.9 %";
  return share < 0.1 ? "< 0.1 %" : `${share.toFixed(share >= 99 || share < 10 ? 1 : 0)} %`;
};
const seconds = (value) => {
  if (value < 100) return `${short(value)} s`;
  return value < 6000 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
};
const money = (value) => (typeof value === "number" ? `$${value === 0 ? 0 : value < 1 ? value.toFixed(4) : value.toFixed(2)}` : "unknown");
const sum = (values) => values.reduce((total, value) => total + value, 0);
const words = (name) => String(name).replaceAll("_", " ");

// Control characters would be invisible: their pictures stand for them.
const visible = (text) =>
  String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (sign) => String.fromCharCode(0x2400 + sign.charCodeAt(0)));

function textOf(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join("\n\n");
  if (typeof value === "object") return isTurn(value) ? textOf(value.content ?? value.value) : JSON.stringify(value, null, 1);
  return String(value);
}
const isTurn = (value) => value !== null && typeof value === "object" && ("content" in value || "value" in value);
const areTurns = (value) => Array.isArray(value) && value.length > 0 && value.every(isTurn);

function headline(record) {
  for (const name of [...runOf(record.number).instruction, ...Object.keys(record.fields)]) {
    const value = record.fields[name];
    const text = visible(areTurns(value) ? textOf(value.find((turn) => (turn.role ?? turn.from) !== "system") ?? value[0]) : textOf(value));
    if (text.trim()) return text.trim();
  }
  return "(empty)";
}

const picked = (label, options, chosen, heard, id) =>
  el("label", {}, label, el("select", { id, on: { change: (event) => heard(event.target.value) } },
    options.map(([value, name]) => el("option", { value, selected: value === chosen }, name))));

const bar = (parts, whole) =>
  el("span", { class: "bar", role: "img", "aria-label": parts.map(([kind, value]) => `${kind} ${value}`).join(", ") },
    parts.filter(([, value]) => value > 0).map(([kind, value]) =>
      el("i", { class: `is-${kind}`, title: `${kind}: ${count(value)}`, style: { width: `${(100 * value) / Math.max(1, whole)}%` } })));

// The words of two texts, each marked where the other has not the same, by their longest common subsequence.
function differences(one, other) {
  const left = one.split(/(\s+)/);
  const right = other.split(/(\s+)/);
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let end = 0;
  while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end)) end++;
  const [a, b] = [left.slice(start, left.length - end), right.slice(start, right.length - end)];
  const [inA, inB] = a.length * b.length <= 4_000_000 ? common(a, b) : [new Uint8Array(a.length), new Uint8Array(b.length)];
  const shown = (words, same, around) => {
    const parts = [around.slice(0, start).join("")];
    for (let i = 0; i < words.length; ) {
      let j = i;
      while (j < words.length && same[j] === same[i]) j++;
      const text = visible(words.slice(i, j).join(""));
      parts.push(same[i] || !text.trim() ? text : el("mark", {}, text));
      i = j;
    }
    return [...parts, around.slice(around.length - end).join("")].map((part) => (typeof part === "string" ? visible(part) : part));
  };
  return [shown(a, inA, left), shown(b, inB, right)];
}

function common(a, b) {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const [inA, inB] = [new Uint8Array(a.length), new Uint8Array(b.length)];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) inA[i++] = inB[j++] = 1;
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return [inA, inB];
}
