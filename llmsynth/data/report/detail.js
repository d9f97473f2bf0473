// A row, opened: its texts, where they came from, what is like it.

let openNumber = -1;

async function openRow(number) {
  const drawer = document.getElementById("drawer");
  openNumber = number;
  const record = await row(number);
  if (openNumber !== number) return;
  const before = drawer.hidden ? document.activeElement : null;
  drawer.replaceChildren(
    el("div", { class: "drawer-top" }, el("h2", {}, visible(record.id)), verdict(record),
      el("button", { type: "button", id: "close", "aria-label": "Close", on: { click: closeRow } }, "✕")),
    record.meta.dropped_by ? el("p", { class: "muted small", id: "dropped-by" }, `by ${visible(String(record.meta.dropped_by))}`) : "",
    record.detail ? el("p", { class: "muted text" }, visible(record.detail)) : "",
    ...Object.entries(record.fields).map(([name, value]) => field(name, value)),
    el("div", { id: "twin" }), el("div", { id: "asked" }), el("div", { id: "near" }), origin(record));
  drawer.hidden = false;
  drawer.scrollTop = 0;
  drawer.focus();
  if (before) drawer.returnTo = before;
  markCurrent();
  await Promise.all([showTwin(record), showAnswers(record), showNear(number)]);
}

function closeRow() {
  const drawer = document.getElementById("drawer");
  drawer.hidden = true;
  openNumber = -1;
  markCurrent();
  drawer.returnTo?.focus?.({ preventScroll: true });
}

const verdict = ({ status, reason }) => el("span", { class: "chip" }, el("i", { class: `dot is-${status}` }), ` ${words(reason || status)}`);

function field(name, value) {
  const body = areTurns(value)
    ? value.map((turn) => {
        const who = String(turn.role ?? turn.from ?? "");
        return el("div", { class: `turn ${["assistant", "gpt", "model", "bot"].includes(who) ? "assistant" : ""}` },
          el("span", { class: "muted small" }, visible(who)), el("div", { class: "text" }, visible(textOf(turn))),
          ...Object.entries(turn).filter(([key, more]) => !["role", "from", "content", "value"].includes(key) && more)
            .map(([key, more]) => el("pre", { class: "small" }, `${visible(key)}: ${visible(textOf(more))}`)));
      })
    : areAnswers(value) ? value.map((one) => el("div", { class: "turn assistant" }, el("span", { class: "muted small" }, visible(aboutAnswer(one))), el("div", { class: "text" }, visible(one.text))))
    : [el("div", { class: "text" }, visible(textOf(value)) || el("span", { class: "muted" }, "(empty)"))];
  return el("div", { class: "field" }, el("h3", {}, visible(name)), ...body);
}

// Several answers to one question, each with who gave it and what it scored.
const areAnswers = (value) => Array.isArray(value) && value.length > 0 && value.every((one) => one !== null && typeof one === "object" && typeof one.text === "string");
const aboutAnswer = (one) => Object.entries(one).filter(([name, value]) => !["text", "journal"].includes(name) && value !== null && typeof value !== "object")
  .map(([name, value]) => (["role", "model", "finish_reason"].includes(name) ? value : `${words(name)} ${typeof value === "number" ? short(value) : value}`)).join(" · ");

async function showTwin(record) {
  const pair = (await pairs()).find(([number]) => number === record.number);
  if (!pair || openNumber !== record.number) return;
  document.getElementById("twin").replaceChildren(
    el("details", { open: true }, el("summary", {}, "Duplicate of"), await pairBody(pair)));
}

async function showAnswers(record) {
  if (!record.answers.length) return;
  const entries = await Promise.all(record.answers.map(answer));
  if (openNumber !== record.number) return;
  const missing = entries.filter((entry) => entry === null).length;
  document.getElementById("asked").replaceChildren(
    ...entries.flatMap((entry, i) => (entry ? [exchange(entry, i === entries.length - 1)] : [])),
    missing ? el("p", { class: "note small" }, `${missing} of the ${entries.length} prompts and replies behind this row are not in this page, which would be too large: `,
      el("code", {}, `llmsynth show ${runOf(record.number).directory} ${visible(record.id)}`), " shows them.") : "");
}

function exchange(entry, last) {
  const [asked, made] = entry.usage ?? [null, null];
  const facts = [entry.prompt, entry.finish_reason, asked !== null && `${count(asked)} tokens in`, made !== null && `${count(made)} out`,
    entry.sampling && Object.entries(entry.sampling).map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(", ")].filter(Boolean);
  return el("details", { open: last, class: "exchange" }, el("summary", {}, `Prompt and reply · ${visible(entry.stage ?? "")}`),
    el("p", { class: "muted small" }, visible(facts.join(" · "))),
    ...(entry.messages ?? []).map((message) => el("div", { class: "message" }, el("span", {}, visible(message.role ?? "")), el("pre", { class: "text prompt" }, visible(textOf(message.content))))),
    entry.continuations ? el("div", { class: "message" }, el("span", {}, "continued with"), el("pre", { class: "text" }, visible(JSON.stringify(entry.continuations, null, 1)))) : null,
    entry.schema ? el("details", {}, el("summary", { class: "small" }, "JSON schema"), el("pre", {}, visible(JSON.stringify(entry.schema, null, 1)))) : null,
    el("div", { class: "message reply" }, el("span", {}, entry.failure ? "failed" : "reply"),
      el("pre", { class: "text raw-reply" }, visible(entry.failure ? `${entry.failure.kind}: ${entry.failure.message}` : entry.text ?? ""))));
}

async function showNear(number) {
  const { places, cosines } = await near();
  const width = places.length / page.told.rows.count;
  if (!width || openNumber !== number) return;
  const list = [];
  for (let k = number * width; k < (number + 1) * width; k++) list.push([places[k], cosines[k] / 255]);
  const rows = await Promise.all(list.map(async ([other, cosine]) => {
    const record = await row(other);
    return el("button", { type: "button", class: "link neighbour", on: { click: () => openRow(other) } },
      el("span", { class: "muted number" }, cosine.toFixed(2)),
      el("span", {}, el("span", { class: "clamp" }, headline(record).slice(0, 300)), el("span", { class: "muted small" }, `${visible(record.id)} · ${words(record.reason || record.status)}`)));
  }));
  if (openNumber !== number) return;
  document.getElementById("near").replaceChildren(el("details", { open: true }, el("summary", {}, "Nearest rows by meaning"), ...rows));
}

function origin(record) {
  const facts = [...Object.entries(record.scores).map(([name, value]) => [name, value === null ? "none" : short(value)]),
    ...Object.entries(record.meta).filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length))
      .map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value, null, Array.isArray(value) ? 0 : 1) : String(value)])];
  if (!facts.length) return "";
  return el("details", {}, el("summary", {}, "Scores and provenance"),
    el("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [el("dt", {}, visible(name)), el("dd", {}, visible(value))])));
}

// Whether a column is empty, or a conversation that only says again, turn by turn, what the others say.
function repeats({ fields }, name) {
  if (!textOf(fields[name])) return true;
  if (!areTurns(fields[name])) return false;
  const squeeze = (value) => textOf(value).replace(/\s+/g, "");
  const others = Object.entries(fields).filter(([other, value]) => other !== name && typeof value === "string").map(([, value]) => squeeze(value)).sort((a, b) => b.length - a.length);
  return others.reduce((rest, text) => (text ? rest.replace(text, () => "") : rest), squeeze(fields[name])) === "";
}

// A removed row beside the one it was removed for.
async function pairBody([removed, kept, , , keptId]) {
  const [lost, stays] = await Promise.all([row(removed), kept >= 0 ? row(kept) : null]);
  if (!stays) {
    return el("p", { class: "muted" }, `The row it was removed for, ${visible(keptId)}, is not in this page.`);
  }
  const names = [...new Set([...Object.keys(stays.fields), ...Object.keys(lost.fields)])].filter((name) => ![stays, lost].every((record) => repeats(record, name)));
  const sides = [[], []];
  for (const name of names) {
    const texts = [stays, lost].map((record) => textOf(record.fields[name]));
    // what one of them lacks, as no answer was asked for, is nothing to compare
    const parts = texts.every(Boolean) ? differences(...texts) : texts.map((text) => [visible(text)]);
    parts.forEach((part, side) => texts[side] && sides[side].push(el("div", { class: "field" }, el("h3", {}, visible(name)), el("div", { class: "text" }, ...part))));
  }
  return el("div", { class: "grid two" }, ...[["kept", stays], ["removed", lost]].map(([title, record], side) =>
    el("div", {}, el("p", { class: "small muted" }, `${title}: `, el("button", { type: "button", class: "link", on: { click: () => openRow(record.number) } }, visible(record.id)),
      title === "kept" && record.status !== "kept" ? ` (later ${words(record.reason)})` : ""), ...sides[side])));
}

function pairsSection(all) {
  const methods = [...new Set(all.map(([, , method]) => method))];
  const list = el("div", { class: "pairs" });
  const more = el("button", { type: "button", on: { click: () => show() } }, "Show more");
  let [method, far, shown, chosen] = ["", true, 0, []];
  function restart() {
    chosen = all.filter((pair) => !method || pair[2] === method).sort((a, b) => (far ? a[3] - b[3] : b[3] - a[3]));
    shown = 0;
    list.replaceChildren();
    return show();
  }
  async function show() {
    const next = chosen.slice(shown, shown + 5);
    shown += next.length;
    more.hidden = shown >= chosen.length;
    const from = chosen;
    const parts = await Promise.all(next.map(async (pair) => el("article", {}, el("div", { class: "pair-head" },
      el("b", { class: "number" }, pair[3] === 1 ? "the same" : pair[3].toFixed(3)), el("span", { class: "muted" }, pair[2])), await pairBody(pair))));
    if (from === chosen) list.append(...parts);
  }
  restart();
  return [el("div", { class: "controls" },
    picked("method", [["", `all, ${count(all.length)}`], ...methods.map((name) => [name, `${name}, ${count(all.filter((pair) => pair[2] === name).length)}`])], "", (name) => { method = name; restart(); }, "pairs-method"),
    picked("first", [["far", "the least alike"], ["near", "the most alike"]], "far", (order) => { far = order === "far"; restart(); }, "pairs-order")),
  el("div", { class: "card" }, list, more)];
}
