// Two runs in numbers: what differs, and by how much.

function comparedTable({ shared, diversity }) {
  const [a, b] = page.told.runs;
  const lost = (run, kind) => sum(Object.values(run.report.rows[kind]));
  const spent = (run, key) => sum(Object.values(run.report.usage ?? {}).map((one) => (typeof one[key] === "number" ? one[key] : NaN)));
  const rows = [["rows", a.rows, b.rows], ["kept", a.report.rows.kept, b.report.rows.kept],
    ["share kept, %", (100 * a.report.rows.kept) / Math.max(1, a.rows), (100 * b.report.rows.kept) / Math.max(1, b.rows)],
    ["dropped", lost(a, "dropped"), lost(b, "dropped")], ["failed", lost(a, "failed"), lost(b, "failed")]];
  const reasons = new Set([a, b].flatMap((run) => Object.keys(run.report.rows.dropped)));
  for (const reason of reasons) rows.push([`dropped: ${words(reason)}`, a.report.rows.dropped[reason] ?? 0, b.report.rows.dropped[reason] ?? 0]);
  for (const [name, key] of [["tokens in", "prompt_tokens"], ["tokens out", "completion_tokens"], ["cost, US dollars", "cost"]]) {
    if (Object.keys({ ...a.report.usage, ...b.report.usage }).length) rows.push([name, spent(a, key), spent(b, key)]);
  }
  rows.push(["kept rows that the other has too", ...shared]);
  const told = [diversity.sets["0"], diversity.sets["1"]];
  for (const name of Object.keys(told[0] ?? {})) {
    if (name !== "verb_objects" && name !== "clusters" && !name.endsWith("_error")) rows.push([`variety: ${measureName(name)}`, told[0][name], told[1][name]]);
  }
  for (const name of new Set([a, b].flatMap((run) => Object.keys(run.report.scores ?? {})))) {
    rows.push([`mean of ${words(name)}`, a.report.scores?.[name]?.mean ?? null, b.report.scores?.[name]?.mean ?? null]);
  }
  const number = (value) => (Number.isNaN(value) ? "unknown" : short(value));
  const change = (one, other) => (typeof one !== "number" || typeof other !== "number" || Number.isNaN(other - one) ? "" : `${other > one ? "+" : other < one ? "−" : "±"}${short(Math.abs(other - one))}`);
  return el("div", { class: "card scroll" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, ""), ...[0, 1].map((i) => el("th", { class: "number" }, visible(runName(i)))), el("th", { class: "number" }, "change"))),
    el("tbody", {}, ...rows.map(([name, one, other]) => el("tr", {}, el("td", {}, visible(name)), el("td", { class: "number" }, number(one)), el("td", { class: "number" }, number(other)), el("td", { class: "number muted" }, change(one, other))))),
  ), el("p", { class: "small muted" }, `Variety: of ${count(diversity.texts)} instructions of each, ${count(diversity.tokens)} words.`));
}

function recipeDifferences() {
  const texts = page.told.runs.map((run) => run.recipe);
  const [left, right] = differences(...texts.map((text) => text.replaceAll(" ", "\u00a0")));
  return el("div", { class: "grid two" }, ...[left, right].map((parts, i) => el("div", {}, el("h3", {}, visible(runName(i))), el("pre", { class: "card" }, ...parts))));
}
