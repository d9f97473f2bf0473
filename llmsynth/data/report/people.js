// What people said who rated rows, or pairs, without knowing where they come from.

function people(run) {
  if (!run.people.length) return null;
  return el("div", { class: "grid" }, ...run.people.map((study) => el("div", { class: "card scroll" }, ...(study.kind === "rows" ? marked(study) : preferred(study)), el("p", { class: "small muted" }, rated(study)))));
}

const fixed = (value) => (value === null ? "–" : value.toFixed(2));
const between = (ends, shown = fixed) => (ends === null ? "–" : `${shown(ends[0])} to ${shown(ends[1])}`);
const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);

function rated({ items, ratings, skipped, raters, rated_by_several: several, kind }) {
  const facts = [`${count(items)} ${kind} by ${raters} ${raters === 1 ? "person" : "people"}`, `${count(ratings)} ratings`,
    skipped ? `${count(skipped)} skipped` : "", raters > 1 ? `${count(several)} rated by several` : ""];
  return `${facts.filter(Boolean).join(", ")}. Nobody was told where what they rated comes from.`;
}

function marked({ marks, least, most, rubric }) {
  const several = Object.values(marks).some(({ alpha }) => alpha !== null);
  const cells = ({ mean, interval, alpha }) => [fixed(mean), between(interval), ...(several ? [fixed(alpha)] : [])].map((text) => el("td", { class: "number" }, text));
  return [el("h3", {}, `Marks from ${least} to ${most}, by the rubric ${visible(rubric.split("@")[0])}`),
    el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "criterion"), ...["mean", "95 % interval", ...(several ? ["Krippendorff's alpha"] : [])].map((name) => el("th", { class: "number" }, name)))),
      el("tbody", {}, ...Object.entries(marks).map(([name, one]) => el("tr", {}, el("td", {}, visible(words(name))), ...cells(one)))))];
}

function preferred({ preference: { wins, losses, ties, win_rate: rate, interval, score, score_interval: around }, against, alpha }) {
  const rows = [["preferred, of the decided pairs", share(rate), between(interval, share)], ["with ties as half", share(score), between(around, share)]];
  return [el("h3", {}, `This run against ${visible(against)}`), bar([["kept", wins], ["dropped", losses]], wins + losses + ties),
    el("p", { class: "small muted" }, `This run ${count(wins)}, the other ${count(losses)}, ties ${count(ties)}${alpha === null ? "" : `; Krippendorff's alpha ${fixed(alpha)}`}.`),
    el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, ""), el("th", { class: "number" }, "share"), el("th", { class: "number" }, "95 % interval"))),
      el("tbody", {}, ...rows.map(([name, ...texts]) => el("tr", {}, el("td", {}, name), ...texts.map((text) => el("td", { class: "number" }, text))))))];
}
