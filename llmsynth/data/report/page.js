// The sections of the page, in order, and its beginning.

const themed = [];

function section(id, title, about, ...content) {
  return el("section", { id }, el("h2", {}, title), about ? el("p", { class: "muted" }, about) : null, ...content);
}

// The same of each run: alone, or side by side.
const each = (make) => {
  const { runs } = page.told;
  const parts = runs.map((run, i) => [run, make(run, i)]).filter(([, part]) => part);
  if (!parts.length) return null;
  return runs.length === 1 ? parts[0][1] : el("div", { class: "grid two" }, ...parts.map(([run, part]) => el("div", {}, el("h3", {}, runName(runs.indexOf(run))), part)));
};

function title() {
  const { runs } = page.told;
  return el("section", { id: "overview" },
    el("div", { class: "title" }, el("h1", {}, visible(runs.map((run) => run.name).join(" and "))),
      el("p", { class: "muted" }, runs.length > 1 ? "Two runs side by side." : visible(runs[0].report.funnel.map((stage) => stage.stage).join(" → ")))),
    each(tiles), ...incomplete());
}

function tiles({ report, name, rows }) {
  const usage = Object.values(report.usage ?? {});
  const cost = usage.some((one) => typeof one.cost !== "number") ? "unknown" : sum(usage.map((one) => one.cost));
  const [dropped, failed] = [report.rows.dropped, report.rows.failed].map((reasons) => sum(Object.values(reasons)));
  const shown = [[count(report.rows.kept), "rows kept"], [percent(report.rows.kept, rows), `of ${count(rows)} rows`], [count(dropped), "dropped"],
    failed ? [count(failed), "failed"] : null,
    ...(usage.length ? [[compact.format(sum(usage.map((one) => one.prompt_tokens + one.completion_tokens))), "tokens"], [money(cost), "cost"]] : []),
    report.seconds === undefined ? null : [seconds(report.seconds), "taken by the last command"]];
  return el("div", { class: "tiles", "aria-label": name }, ...shown.filter(Boolean).map(([value, about]) => el("div", { class: "tile" }, el("b", {}, value), el("span", {}, about))));
}

function incomplete() {
  const notes = [];
  for (const run of page.told.runs) {
    if (run.here < run.rows) {
      notes.push(el("p", { class: "note", "data-note": "rows" }, `This page holds ${count(run.here)} of the ${count(run.rows)} rows of ${visible(run.name)}, drawn by their ids, and some of every reason. `,
        "All are in its records/; counts, lengths and scores are of all of them."));
    }
  }
  const { answers } = page.told;
  if (answers.here < answers.count) {
    notes.push(el("p", { class: "note", "data-note": "answers" }, `It holds ${count(answers.here)} of the ${count(answers.count)} prompts and replies behind its rows. All are in journal.jsonl: `,
      el("code", {}, `llmsynth show ${page.told.runs[0].directory} ID`), " shows those of a row."));
  }
  return notes;
}

function funnel(run) {
  const stages = run.report.funnel;
  const chips = (stage) => el("span", { class: "chips" }, ...["dropped", "failed"].flatMap((kind) => Object.entries(stage[kind]).map(([reason, lost]) =>
    el("button", { type: "button", class: "chip", title: stage.samples?.[reason]?.text ? `For example: ${visible(stage.samples[reason].text)}` : "Show these rows",
      on: { click: () => chooseReason(reason) } }, `${words(reason)} `, el("b", {}, count(lost))))));
  const whole = Math.max(...stages.map((stage) => stage.in), 1);
  const lostIn = (stage, kind) => sum(Object.values(stage[kind]));
  const body = stages.map((stage) => el("tr", {}, el("td", {}, stage.stage), el("td", { class: "number" }, count(stage.kept)),
    el("td", { class: "number" }, percent(stage.kept, stage.in)),
    el("td", { class: "full" }, bar([["kept", stage.kept], ["dropped", lostIn(stage, "dropped")], ["failed", lostIn(stage, "failed")]], whole)),
    el("td", { class: "full" }, chips(stage))));
  return el("div", { class: "card" },
    stages.some((stage) => stage.kept < stage.in) && page.told.runs.length === 1 ? el("div", { class: "wide-only" }, sankey(run, chooseReason)) : null,
    el("div", { class: "scroll" }, el("table", { class: "funnel" }, el("thead", {}, el("tr", {}, ...[["stage"], ["kept", "number"], ["of those in", "number"], [""], ["lost for"]].map(([name, kind]) => el("th", { class: kind }, name)))), el("tbody", {}, ...body))));
}

// What a generator notes of its own rounds, operators or levels: tried, accepted, eliminated by reason.
function survival({ report }) {
  const groups = Object.entries(report.notes?.survival ?? {}).flatMap(([name, table]) =>
    ("tried" in table ? [[name, table]] : Object.entries(table).map(([inner, one]) => [`${/^\d+$/.test(name) ? `round ${name}` : name} · ${words(inner)}`, one])));
  if (!groups.length) return null;
  return el("div", { class: "card scroll" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "what was tried"), el("th", { class: "number" }, "tried"), el("th", { class: "number" }, "accepted"), el("th", {}, ""), el("th", {}, "eliminated for"))),
    el("tbody", {}, ...groups.map(([name, { tried, accepted, eliminated }]) => {
      const of = tried ?? accepted + sum(Object.values(eliminated));
      return el("tr", {}, el("td", {}, visible(name)), el("td", { class: "number" }, count(of)), el("td", { class: "number" }, `${count(accepted)} · ${percent(accepted, of)}`),
        el("td", {}, bar([["kept", accepted], ["dropped", of - accepted]], of)),
        el("td", {}, el("span", { class: "chips" }, ...Object.entries(eliminated).sort((a, b) => b[1] - a[1]).map(([reason, lost]) => el("span", { class: "chip" }, `${words(reason)} `, el("b", {}, count(lost)))))));
    }))));
}

function lengths(run) {
  const titles = { question: "Words in the question", answer: "Words in the answer" };
  const cards = Object.entries(run.lengths).map(([name, told]) => el("div", { class: "card" }, el("h3", {}, titles[name]), el("p", { class: "small muted" }, medians(told)), histogram(titles[name], told, true)));
  return cards.length ? el("div", { class: "grid two" }, ...cards) : null;
}

const medians = ({ median }) => [["kept", median.kept], ["not kept", median.lost]].filter(([, value]) => value !== null).map(([name, value]) => `median ${short(value)} ${name}`).join(", ");

function scores(run) {
  const about = run.report.scores ?? {};
  // a score that is the same for all has nothing to draw
  const isConstant = ({ kept }) => kept.length === 1;
  const [same, varied] = [[], []];
  for (const one of Object.entries(run.scores)) (isConstant(one[1]) ? same : varied).push(one);
  const cards = varied.map(([name, told]) => {
    const one = about[name];
    const facts = [one && `mean ${short(one.mean)} ± ${short(one.deviation)}`, medians(told), one?.missing ? `${count(one.missing)} without` : "",
      typeof one?.spearman_with_length === "number" ? `${one.spearman_with_length >= 0 ? "+" : "−"}${Math.abs(one.spearman_with_length).toFixed(2)} with length` : ""];
    return el("div", { class: "card" }, el("h3", {}, visible(words(name))), el("p", { class: "small muted" }, facts.filter(Boolean).join(", ")), histogram(name, told, false));
  });
  if (!cards.length && !same.length) return null;
  return el("div", { class: "grid" }, cards.length ? el("div", { class: "grid two" }, ...cards) : null,
    same.length ? el("p", { class: "small muted", "data-note": "constant" }, "The same for every row that has it: ", same.map(([name, { edges }]) => `${visible(words(name))} ${short(edges[0])}`).join(", "), ".") : null);
}

// How varied sets of rows are, as the run has measured it: all of them at equal numbers of texts and words.
function variety({ report }) {
  const { texts, tokens, sets } = report.diversity ?? { sets: {} };
  const names = Object.keys(sets);
  const measures = Object.keys(sets[names[0]] ?? {}).filter((measure) => names.some((name) => typeof sets[name][measure] === "number") && !measure.endsWith("_error"));
  if (!measures.length) return null;
  return el("div", { class: "card scroll" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, ""), ...names.map((name) => el("th", { class: "number" }, visible(name))))),
    el("tbody", {}, ...measures.map((measure) => el("tr", {}, el("td", {}, measureName(measure)), ...names.map((name) => el("td", { class: "number" }, short(sets[name][measure]))))))),
  el("p", { class: "small muted" }, `Of ${count(texts)} texts of each, ${count(tokens)} words. Rows are more varied where self-BLEU and compression ratio are lower, and the other numbers higher.`));
}

const measureName = (name) => words(name).replace(/^distinct (\d)$/, "distinct-$1").replace("self bleu", "self-BLEU").replace("vendi", "Vendi");

function shares(run, number) {
  const total = page.told.rows.count;
  const cards = page.told.labels.map(([name, values], label) => {
    const [all, kept] = [new Map(), new Map()];
    const group = groupOf(label);
    const codes = page.index[`label${label}`];
    const named = new Map(); // of codes, as rows are many and they are few
    for (let i = 0; i < total; i++) {
      if (page.index.run[i] !== number || codes[i] >= values.length) continue;
      if (!named.has(codes[i])) named.set(codes[i], group(i));
      const value = named.get(codes[i]);
      all.set(value, (all.get(value) ?? 0) + 1);
      if (stateOf(i)[0] === "kept") kept.set(value, (kept.get(value) ?? 0) + 1);
    }
    const scale = rangesOf(label)?.names;
    const ranked = scale ? scale.filter((value) => all.has(value)) : [...all.keys()].sort((a, b) => all.get(b) - all.get(a));
    if (!ranked.length) return null;
    const most = Math.max(...all.values());
    const some = ranked.slice(0, 12);
    return el("div", { class: "card" }, el("h3", {}, visible(words(name))), el("div", { class: "shares" }, ...some.flatMap((value) => [
      el("span", { title: visible(value) }, visible(value)), bar([["kept", kept.get(value) ?? 0], ["dropped", all.get(value) - (kept.get(value) ?? 0)]], most),
      el("span", { class: "number" }, `${percent(all.get(value), run.here)} · ${count(all.get(value))}`)])),
    ranked.length > some.length ? el("p", { class: "small muted" }, `and ${count(ranked.length - some.length)} others`) : null);
  }).filter(Boolean);
  return cards.length ? el("div", { class: "grid two" }, ...cards) : null;
}

function verbs(run) {
  const { top, parsed, distinct } = run.verbs;
  if (!top.length) return null;
  const whole = run.report.rows.kept;
  return el("div", { class: "card grid two" }, sunburst(run.verbs), el("div", {}, el("p", { class: "small muted" },
    `${percent(parsed, whole)} of the kept instructions begin with a verb that has an object; there are ${count(distinct)} pairs.`),
  el("div", { class: "shares" }, ...top.slice(0, 14).flatMap(([verb, total, things]) => [el("span", { class: "name" }, el("b", {}, verb), ` ${things.slice(0, 2).map(([thing]) => thing).join(", ")} …`),
    bar([["tokens", total]], top[0][1]), el("span", { class: "number" }, percent(total, whole))]))));
}

function usage({ report }) {
  const stages = Object.entries(report.usage ?? {});
  if (!stages.length) return null;
  const whole = Math.max(...stages.map(([, one]) => one.prompt_tokens + one.completion_tokens), 1);
  const cells = (name, one) => [el("td", {}, visible(name)), el("td", { class: "number" }, count(one.answers)), el("td", { class: "number" }, count(one.replayed)),
    el("td", { class: "number" }, count(typeof one.failed === "number" ? one.failed : sum(Object.values(one.failed)))), el("td", { class: "number" }, count(one.prompt_tokens)),
    el("td", { class: "number" }, count(one.completion_tokens)), el("td", { class: "number" }, money(one.cost))];
  const total = (key) => sum(stages.map(([, one]) => one[key]));
  const all = { answers: total("answers"), replayed: total("replayed"), failed: sum(stages.map(([, one]) => sum(Object.values(one.failed)))), prompt_tokens: total("prompt_tokens"),
    completion_tokens: total("completion_tokens"), cost: stages.some(([, one]) => typeof one.cost !== "number") ? "unknown" : total("cost") };
  return el("div", { class: "card scroll" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "stage"), ...["answers", "replayed", "failed", "tokens in", "tokens out", "cost"].map((name) => el("th", { class: "number" }, name)), el("th", {}, "tokens"))),
    el("tbody", {}, ...stages.map(([name, one]) => el("tr", {}, ...cells(name, one), el("td", {}, bar([["tokens", one.prompt_tokens], ["replies", one.completion_tokens]], whole))))),
    stages.length > 1 ? el("tfoot", {}, el("tr", {}, ...cells("together", all), el("td"))) : null));
}

function begin() {
  const { told } = page;
  const { runs } = told;
  const duplicates = el("div");
  const parts = [
    ["Overview", title()],
    ["Compared", told.compared ? section("compared", "Compared", "Variety is measured on as many kept rows of each, and as many words, since every measure depends on both.", comparedTable(told.compared)) : null],
    ["Funnel", section("funnel", "Funnel", "Where the rows went, stage by stage. A reason shows its rows.", each(funnel))],
    ["Survival", each(survival) && section("survival", "Survival by round or level", "", each(survival))],
    ["Map", told.rows.count ? section("map", "Map", "Near each other are rows whose questions mean much the same; directions and axes mean nothing.", el("div", { class: "card" }, ...mapSection(openRow))) : null],
    ["Lengths", each(lengths) && section("lengths", "Lengths", "", each(lengths))],
    ["Scores", each(scores) && section("scores", "Scores", "", each(scores))],
    ["People", each(people) && section("people", "Rated by people", "", each(people))],
    ["Variety", each(variety) && section("variety", "Variety", "", each(variety))],
    ["Topics", (each(shares) || each(verbs)) && section("topics", "Topics and requests", "Shares of the rows by what is known of them, kept in green and lost in amber; then what the kept ones ask for.",
      el("div", { class: "grid" }, each(shares), each(verbs)))],
    ["Duplicates", section("duplicates", "Duplicates", "Each removed row beside the one it was removed for; what only one of them says is marked.", duplicates)],
    ["Cost", each(usage) && section("cost", "Cost and tokens", "", each(usage))],
    ["Rows", section("rows", "Rows", "Every row of this page, kept or not. One that is opened shows the exact prompts and raw replies it was made of.", ...rowsSection())],
    ["Recipe", section("recipe", "Recipe", "", told.compared ? recipeDifferences() : el("details", { class: "card" }, el("summary", {}, "The recipe with every default spelled out"), el("pre", {}, visible(runs[0].recipe))))],
  ].filter(([, part]) => part);
  document.getElementById("main").replaceChildren(...parts.map(([, part]) => part), el("p", { class: "muted small" }, `llmsynth ${told.version}. Everything is in this file; nothing is fetched. Charts: Apache ECharts.`));
  document.getElementById("nav").replaceChildren(...parts.slice(1).map(([name, part]) => el("a", { href: `#${part.id}` }, name)));
  pairs().then((all) => {
    if (all.length) duplicates.replaceChildren(...pairsSection(all));
    else document.querySelectorAll("#duplicates, #nav a[href='#duplicates']").forEach((one) => one.remove());
  });
}

function switchTheme(name) {
  document.documentElement.dataset.theme = name;
  try { localStorage.setItem("llmsynth-theme", name); } catch { /* a page from a file may have no storage */ }
  recolour();
  themed.forEach((again) => again());
}

const isDark = () => document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

(async () => {
  try { const kept = localStorage.getItem("llmsynth-theme"); if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept; } catch { /* as above */ }
  document.getElementById("theme").addEventListener("click", () => switchTheme(isDark() ? "light" : "dark"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { recolour(); themed.forEach((again) => again()); });
  addEventListener("keydown", (event) => {
    if (openNumber < 0) return;
    if (event.key === "Escape") closeRow();
    if (["ArrowDown", "ArrowUp"].includes(event.key) && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) { event.preventDefault(); step(event.key === "ArrowDown" ? 1 : -1); }
  });
  try {
    await open();
    begin();
    document.body.dataset.ready = "true";
  } catch (error) {
    document.getElementById("main").replaceChildren(el("p", {}, `This page cannot be shown here: ${error.message}. A browser of 2024 or later is needed.`));
    throw error;
  }
})();
