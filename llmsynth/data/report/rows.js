// The browser of rows: a list that holds as many elements as fit the window, whatever the number of rows.

const ROW_HEIGHT = 58;
const chosen = { query: "", run: "", status: "", reason: "", stage: "", label: "", value: "" };
const browser = { matches: [], asked: 0 };

function rowsSection() {
  const { runs, labels } = page.told;
  const reasons = new Map();
  for (const run of runs) for (const [, reason, total] of run.states) if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + total);
  const stages = [...new Set(runs.flatMap((run) => Object.values(run.stages).flat()))];
  const choose = (key) => (value) => { chosen[key] = value; refresh(); };
  browser.said = el("span", { class: "muted small number", id: "matches" });
  browser.space = el("div");
  browser.none = el("p", { class: "muted none", hidden: true }, "No row is like that.");
  browser.list = el("div", { id: "list", class: "card", tabindex: "0", "aria-label": "Rows", on: { scroll: () => requestAnimationFrame(renderList) } }, browser.none, browser.space);
  const values = el("span");
  const showValues = () => values.replaceChildren(chosen.label === "" ? "" : picked("is", [["", "any"], ...labels[chosen.label][1].map((value, i) => [String(i), visible(value)])], "", choose("value"), "value"));
  let typing;
  const input = el("input", { type: "search", id: "query", class: "wide", placeholder: "Search in all rows", "aria-label": "Search in all rows", on: { input: () => {
    clearTimeout(typing);
    typing = setTimeout(() => choose("query")(input.value), 150);
  } } });
  new ResizeObserver(() => renderList()).observe(browser.list);
  browser.controls = el("div", { class: "controls" }, input,
    runs.length > 1 ? picked("run", [["", "both"], ...runs.map((_, i) => [String(i), runName(i)])], "", choose("run"), "run") : null,
    picked("verdict", ["", "kept", "dropped", "failed"].map((value) => [value, value || "any"]), "", choose("status"), "status"),
    reasons.size ? picked("reason", [["", "any"], ...[...reasons].sort((a, b) => b[1] - a[1]).map(([reason, total]) => [reason, `${words(reason)}, ${count(total)}`])], "", choose("reason"), "reason") : null,
    stages.length ? picked("lost in", [["", "any stage"], ...stages.map((stage) => [stage, stage])], "", choose("stage"), "stage") : null,
    labels.length ? picked("where", [["", "–"], ...labels.map(([name], i) => [String(i), words(name)])], "", (value) => { chosen.value = ""; chosen.label = value; showValues(); refresh(); }, "label") : null,
    values, browser.said);
  refresh();
  return [browser.controls, browser.list];
}

// From the funnel: the rows that were lost for a reason.
function chooseReason(reason) {
  const select = document.getElementById("reason");
  if (!select || ![...select.options].some((option) => option.value === reason)) return;
  select.value = reason;
  chosen.reason = reason;
  document.getElementById("status").value = chosen.status = "";
  refresh();
  document.getElementById("rows").scrollIntoView();
}

async function refresh() {
  const mine = ++browser.asked;
  const { run, state } = page.index;
  const passing = page.told.runs.map((one, r) => one.states.map(([status, reason]) =>
    (chosen.run === "" || Number(chosen.run) === r) && (!chosen.status || status === chosen.status) && (!chosen.reason || reason === chosen.reason) &&
    (!chosen.stage || (one.stages[reason] ?? []).includes(chosen.stage))));
  const label = chosen.label !== "" && chosen.value !== "" ? page.index[`label${chosen.label}`] : null;
  const candidates = [];
  for (let i = 0; i < page.told.rows.count; i++) {
    if (passing[run[i]][state[i]] && (!label || label[i] === Number(chosen.value))) candidates.push(i);
  }
  if (!chosen.query.trim()) return show(candidates, false);
  const hits = await search(chosen.query.trim(), candidates, (sofar) => mine === browser.asked && show([...sofar], true), () => mine === browser.asked);
  if (hits && mine === browser.asked) show(hits, false);
}

function show(matches, searching) {
  browser.matches = matches;
  browser.space.style.height = `${matches.length * ROW_HEIGHT}px`;
  browser.none.hidden = matches.length > 0 || searching;
  browser.said.textContent = `${count(matches.length)} of ${count(page.told.rows.count)} rows${searching ? ", searching …" : ""}`;
  if (!searching) browser.list.scrollTop = 0;
  renderList();
}

function renderList() {
  const { list, space, matches } = browser;
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 4);
  const last = Math.min(matches.length, first + Math.ceil(list.clientHeight / ROW_HEIGHT) + 9);
  const wanted = new Map();
  for (let place = first; place < last; place++) wanted.set(`${place}:${matches[place]}`, place);
  for (const item of [...space.children]) if (!wanted.delete(item.dataset.key)) item.remove();
  for (const [key, place] of wanted) space.append(rowItem(key, place));
}

function rowItem(key, place) {
  const number = browser.matches[place];
  const [status, reason] = stateOf(number);
  const head = el("div", { class: "head" }, "…");
  const id = el("span");
  row(number).then((record) => {
    head.textContent = headline(record).slice(0, 300).replace(/\s+/g, " ");
    id.textContent = visible(record.id);
  });
  return el("button", { type: "button", class: "row", "data-key": key, "data-number": number, "aria-current": number === openNumber ? "true" : null,
    style: { top: `${place * ROW_HEIGHT}px` }, on: { click: () => openRow(number) } },
    head, el("div", { class: "line" }, el("i", { class: `dot is-${status}` }), el("span", {}, words(reason || status)), id,
      page.told.labels.length ? el("span", {}, labelled(0, number)) : null,
      page.told.runs.length > 1 ? el("span", {}, runName(page.index.run[number])) : null,
      el("span", {}, `${count(page.index.asked[number])} → ${count(page.index.answered[number])} words`)));
}

function markCurrent() {
  for (const item of browser.space?.children ?? []) item.toggleAttribute("aria-current", false);
  const item = browser.space?.querySelector(`[data-number="${openNumber}"]`);
  item?.setAttribute("aria-current", "true");
}

// With a row open, the arrow keys go through the list.
function step(by) {
  const place = browser.matches.indexOf(openNumber);
  const next = browser.matches[place + by];
  if (place >= 0 && next !== undefined) {
    browser.list.scrollTop = Math.max(0, (place + by) * ROW_HEIGHT - browser.list.clientHeight / 2);
    openRow(next);
  }
}
