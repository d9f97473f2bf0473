// The map: a point for each row of the page, those with near meanings near each other.

const COLOURED = 10;

function mapSection(openRow) {
  const { x, y, run, state } = page.index;
  const total = page.told.rows.count;
  const choices = [["verdict", "verdict"], ["reason", "reason"], ["words in the question", "question"], ["words in the answer", "answer"],
    ...(page.told.runs.length > 1 ? [["run", "run"]] : []), ...page.told.labels.map(([name], i) => [words(name), `label${i}`])];
  let groups = [];
  let group = new Uint8Array(total);
  let hidden = new Set();
  const legend = el("div", { class: "legend" });

  const grouping = {
    verdict: () => [(i) => stateOf(i)[0], { kept: "kept", dropped: "dropped", failed: "failed" }],
    reason: () => [(i) => words(stateOf(i)[1] || "kept"), { kept: "kept" }],
    run: () => [(i) => runName(run[i])],
    question: () => [(i) => lengthName(page.index.asked[i])],
    answer: () => [(i) => lengthName(page.index.answered[i])],
  };
  function regroup(by) {
    const label = by.startsWith("label") ? Number(by.slice(5)) : -1;
    const [named, roles = {}] = label >= 0 ? [groupOf(label)] : grouping[by]();
    const counts = new Map();
    const names = Array.from({ length: total }, (_, i) => named(i));
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    const scale = by === "question" || by === "answer" ? LENGTHS.map(([, name]) => name) : label >= 0 ? rangesOf(label)?.names : null;
    const ordered = scale ? [...scale, NONE].filter((name) => counts.has(name)) : [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
    const shown = ordered.slice(0, COLOURED);
    const place = new Map(ordered.map((name, i) => [name, Math.min(i, COLOURED)]));
    group = Uint8Array.from(names, (name) => place.get(name));
    const paint = (name, i) => (!scale ? PALETTE[i] : name === NONE ? OTHERS : RAMP[Math.round((i * (RAMP.length - 1)) / Math.max(1, shown.length - 1))]);
    groups = shown.map((name, i) => ({ name, count: counts.get(name), role: roles[name], paint: paint(name, i) }));
    const rest = ordered.slice(COLOURED);
    if (rest.length) groups.push({ name: `${count(rest.length)} others`, count: sum(rest.map((name) => counts.get(name))), paint: OTHERS });
    hidden = new Set();
  }
  const paintOf = (one, colours) => (one.role ? colours[one.role] : one.paint);

  const plot = chart({ id: "map-plot", "aria-label": "A map of the rows by meaning" }, (colours) => ({
    tooltip: { show: false },
    grid: { left: 8, right: 8, top: 8, bottom: 8 },
    xAxis: { type: "value", min: -0.01, max: 1.01, show: false },
    yAxis: { type: "value", min: -0.01, max: 1.01, show: false },
    dataZoom: [0, 1].map((axis) => ({ type: "inside", [axis ? "yAxisIndex" : "xAxisIndex"]: 0, filterMode: "none",
      zoomOnMouseWheel: "ctrl", moveOnMouseMove: matchMedia("(pointer: fine)").matches })),
    series: groups.map((one, g) => {
      const points = [];
      if (!hidden.has(g)) for (let i = 0; i < total; i++) if (group[i] === g) points.push(x[i] / 65535, y[i] / 65535);
      return { type: "scatter", name: one.name, data: Float32Array.from(points), dimensions: ["x", "y"], large: true, largeThreshold: 500,
        symbolSize: total > 20000 ? 2.5 : total > 4000 ? 4 : 7, silent: true,
        itemStyle: { color: paintOf(one, colours), opacity: total > 4000 ? 0.6 : 0.75 }, z: groups.length - g };
    }),
  }), (made) => watch(made));

  function relabel() {
    const colours = theme();
    legend.replaceChildren(...groups.map((one, g) =>
      el("button", { type: "button", "aria-pressed": String(!hidden.has(g)), title: "Show or hide", on: { click: () => {
        if (!hidden.delete(g)) hidden.add(g);
        relabel();
        plot.chart.plot?.setOption({ series: plot.chart.describe(theme()).series });
      } } }, el("i", { style: { background: paintOf(one, colours) } }), `${visible(one.name)} `, el("span", { class: "muted number" }, count(one.count)))));
  }

  // ECharts draws the points; which one is nearest to the pointer is a matter of one loop.
  function nearest(made, event, reach = 14) {
    const [left, top] = made.convertToPixel({ gridIndex: 0 }, [0, 0]);
    const [right, bottom] = made.convertToPixel({ gridIndex: 0 }, [1, 1]);
    const [sx, sy] = [(right - left) / 65535, (bottom - top) / 65535];
    let [best, found] = [reach * reach, -1];
    for (let i = 0; i < total; i++) {
      const [dx, dy] = [left + sx * x[i] - event.offsetX, top + sy * y[i] - event.offsetY];
      const square = dx * dx + dy * dy;
      if (square < best && !hidden.has(group[i])) [best, found] = [square, i];
    }
    return found;
  }

  function watch(made) {
    const tip = document.getElementById("tip");
    let at = -1;
    const hide = () => { at = -1; tip.hidden = true; };
    made.getZr().on("mousemove", async (event) => {
      const number = nearest(made, event);
      if (number < 0) return hide();
      const { clientX, clientY } = event.event;
      if (number !== at) {
        at = number;
        const record = await row(number);
        if (at !== number) return;
        const [status, reason] = stateOf(number);
        tip.replaceChildren(el("div", { class: "clamp" }, headline(record).slice(0, 600)),
          el("div", { class: "muted small" }, [visible(record.id), words(reason || status), ...page.told.labels.slice(0, 2).map((_, i) => labelled(i, number))].join(" · ")));
      }
      tip.hidden = false;
      const box = tip.getBoundingClientRect();
      tip.style.left = `${Math.max(8, Math.min(clientX + 14, innerWidth - box.width - 8))}px`;
      tip.style.top = `${clientY + 18 + box.height > innerHeight ? clientY - box.height - 12 : clientY + 18}px`;
    });
    made.getZr().on("globalout", hide);
    addEventListener("scroll", hide, { passive: true });
    made.getZr().on("click", (event) => {
      const number = nearest(made, event);
      if (number >= 0) openRow(number);
    });
  }

  const zoom = (factor) => {
    const [from, to] = factor ? [plot.chart.plot.getOption().dataZoom[0].start, plot.chart.plot.getOption().dataZoom[0].end] : [0, 100];
    const half = factor ? Math.min(50, ((to - from) / 2) * factor) : 50;
    const middle = Math.max(half, Math.min(100 - half, (from + to) / 2));
    for (const dataZoomIndex of [0, 1]) plot.chart.plot.dispatchAction({ type: "dataZoom", dataZoomIndex,
      ...(factor && dataZoomIndex ? vertical(half) : { start: middle - half, end: middle + half }) });
  };
  const vertical = (half) => {
    const { start, end } = plot.chart.plot.getOption().dataZoom[1];
    const middle = Math.max(half, Math.min(100 - half, (start + end) / 2));
    return { start: middle - half, end: middle + half };
  };

  // what is named tells more at first sight than numbers, or yes and no
  const telling = page.told.labels.findIndex(([, values]) => values.some((value) => !/^(-?\d+|true|false)$/.test(value)));
  const first = page.told.runs.length > 1 ? "run" : telling >= 0 ? `label${telling}` : "verdict";
  regroup(first);
  relabel();
  themed.push(relabel);
  return [
    el("div", { class: "controls" },
      picked("coloured by", choices.map(([name, value]) => [value, name]), first, (by) => { regroup(by); relabel(); plot.chart.plot?.clear(); if (plot.chart.plot) plot.chart.render(); }, "map-by"),
      el("span", {}, ...[["+", 0.6], ["−", 1.7], ["whole", 0]].map(([name, factor]) => el("button", { type: "button", on: { click: () => zoom(factor) } }, name)).flatMap((one) => [one, " "])),
      el("span", { class: "muted small wide-only" }, "Ctrl and wheel zoom, dragging moves; a click opens the row.")),
    plot, legend,
  ];
}

const LENGTHS = [[0, "0"], [1, "1 to 4"], [5, "5 to 9"], [10, "10 to 19"], [20, "20 to 49"], [50, "50 to 99"], [100, "100 to 199"], [200, "200 to 499"], [500, "500 and more"]];
const lengthName = (value) => LENGTHS.findLast(([from]) => value >= from)[1];
const runName = (number) => (page.told.runs.length > 1 ? `${"AB"[number] ?? number + 1}: ${page.told.runs[number].name}` : page.told.runs[number].name);
const NONE = "(none)";
const labelOf = (label) => (i) => page.told.labels[label][1][page.index[`label${label}`][i]] ?? NONE;

// A label of numbers, such as the round, has an order, and so ranges: at most ten, of as many values each.
const ranges = new Map();
function rangesOf(label) {
  if (!ranges.has(label)) {
    const values = page.told.labels[label][1];
    const sorted = values.every((value) => /^-?\d+$/.test(value)) ? [...values].sort((a, b) => a - b) : [];
    const width = Math.ceil(sorted.length / COLOURED);
    const names = [];
    const of = new Map();
    for (let i = 0; i < sorted.length; i += width) {
      const group = sorted.slice(i, i + width);
      names.push(group.length > 1 ? `${group[0]} to ${group.at(-1)}` : group[0]);
      group.forEach((value) => of.set(value, names.at(-1)));
    }
    ranges.set(label, names.length ? { names, of } : null);
  }
  return ranges.get(label);
}
function groupOf(label) {
  const [named, numbers] = [labelOf(label), rangesOf(label)];
  return numbers ? (i) => numbers.of.get(named(i)) ?? NONE : named;
}

// "source web", but "web" where the value tells by itself what it is.
function labelled(label, number) {
  const value = visible(labelOf(label)(number));
  return /^(\d+|true|false|\(none\))$/.test(value) ? `${words(page.told.labels[label][0])}: ${value}` : value;
}
