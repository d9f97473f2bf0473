// Charts by ECharts, in the colours of the page. Tips are drawn on the canvas: no markup is ever made of data.

const PALETTE = ["#4c86b8", "#e08a3c", "#58a066", "#b07ab0", "#d9605c", "#5fb0ab", "#d3b13f", "#a07d64", "#e291a4", "#7f88c4"];
const RAMP = ["#3d5a9e", "#3f77a8", "#4493a7", "#55ab9d", "#78bd8b", "#a3c876", "#cbca68", "#e0b95c", "#e09a52", "#d6764d"]; // of what has an order
const OTHERS = "#9a9a9a";
const drawn = new Set();

function colour(name) {
  const probe = document.getElementById("main");
  probe.style.setProperty("outline-color", `var(--${name})`);
  const found = getComputedStyle(probe).outlineColor;
  probe.style.removeProperty("outline-color");
  return found;
}

const theme = () => ({
  ink: colour("ink"), muted: colour("muted"), line: colour("line"), surface: colour("surface"),
  kept: colour("kept"), dropped: colour("dropped"), failed: colour("failed"), accent: colour("accent"),
});

// A chart in an element, made when it comes near the window, and again when the colours change.
function chart(options, describe, prepare) {
  const element = el("div", { role: "img", ...options, class: `chart ${options.class ?? ""}` });
  const one = { element, plot: null, describe, render() {
    const colours = theme();
    this.plot.setOption({
      animation: false, textStyle: { fontFamily: "system-ui, sans-serif", color: colours.ink }, backgroundColor: "transparent",
      tooltip: { renderMode: "richText", confine: true, backgroundColor: colours.surface, borderColor: colours.line,
        textStyle: { color: colours.ink, fontSize: 12 } },
      ...describe(colours),
    }, true);
  } };
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    one.plot = echarts.init(element, null, { renderer: "canvas" });
    one.render();
    prepare?.(one.plot);
    new ResizeObserver(() => one.plot.resize()).observe(element);
    drawn.add(one);
  }, { rootMargin: "400px" }).observe(element);
  element.chart = one;
  return element;
}

const recolour = () => drawn.forEach((one) => one.render());

function sankey(run, choose) {
  const last = run.report.funnel.length - 1;
  const nodes = [];
  const links = [];
  let leaves = 1;
  const name = (place) => (place > last ? "kept" : `${place}:${run.report.funnel[place].stage}`);
  run.report.funnel.forEach((stage, place) => {
    nodes.push({ name: name(place), depth: place, kind: "stage", title: stage.stage, count: stage.in });
    if (stage.kept) links.push({ source: name(place), target: name(place + 1), value: stage.kept, kind: "kept" });
    for (const [kind, reasons] of [["dropped", stage.dropped], ["failed", stage.failed]]) {
      const all = Object.entries(reasons).sort((a, b) => b[1] - a[1]);
      const few = all.length > 7 ? [...all.slice(0, 6), [`${all.length - 6} other reasons`, sum(all.slice(6).map((one) => one[1]))]] : all;
      for (const [reason, lost] of few) {
        const id = `${place}:${kind}:${reason}`;
        nodes.push({ name: id, depth: place + 1, kind, title: words(reason), reason, count: lost });
        links.push({ source: name(place), target: id, value: lost, kind });
        leaves += 1;
      }
    }
  });
  nodes.push({ name: "kept", depth: last + 1, kind: "kept", title: "kept", count: run.report.rows.kept });
  const height = Math.max(220, 60 + leaves * 34);
  const column = () => Math.max(60, (Math.min(innerWidth, 1200) - 300) / (last + 1) - 22); // room for a label
  return chart({ class: "sankey", style: { height: `${height}px` }, "aria-label": "What became of the rows, stage by stage" }, (colours) => {
    const paint = { stage: colours.accent, kept: colours.kept, dropped: colours.dropped, failed: colours.failed };
    return {
      tooltip: { renderMode: "richText", confine: true, backgroundColor: colours.surface, borderColor: colours.line,
        textStyle: { color: colours.ink, fontSize: 12 },
        formatter: ({ data }) => (data.title ? `${data.title}: ${count(data.count)}` : `${count(data.value)} ${data.kind}`) },
      series: [{
        type: "sankey", left: 4, right: 170, top: 12, bottom: 12, nodeWidth: 12, nodeGap: 18, draggable: false,
        layoutIterations: 64, emphasis: { focus: "none" },
        data: nodes.map((node) => ({ ...node, itemStyle: { color: paint[node.kind], borderWidth: 0 },
          label: { color: colours.ink, fontSize: 12, ...(node.kind === "stage" ? { width: column(), overflow: "truncate" } : {}),
            formatter: `${node.title}${node.kind === "stage" ? "\n" : "  "}{n|${count(node.count)}}`,
            rich: { n: { color: colours.muted, fontSize: 12, lineHeight: 18 } } } })),
        links: links.map((link) => ({ ...link, lineStyle: { color: paint[link.kind], opacity: 0.28, curveness: 0.5 } })),
      }],
    };
  }, (plot) => plot.on("click", ({ data }) => data.reason && choose(data.reason)));
}

const edgeName = (value) => (Number.isInteger(value) ? count(value) : short(value));

function histogram(title, told, whole) {
  const { edges, kept, lost } = told;
  const single = (i) => (whole || edges.every(Number.isInteger)) && edges[i + 1] - edges[i] === 1; // a bar of one value
  const names = kept.map((_, i) => (single(i) ? edgeName(edges[i]) : `${edgeName(edges[i])} –`));
  const reach = (i) => (single(i) ? edgeName(edges[i]) : `${edgeName(edges[i])} to ${edgeName(whole ? edges[i + 1] - 1 : edges[i + 1])}`);
  return chart({ "aria-label": title }, (colours) => ({
    grid: { left: 4, right: 8, top: 30, bottom: 4, containLabel: true },
    legend: { right: 0, top: 0, itemWidth: 10, itemHeight: 10, textStyle: { color: colours.muted } },
    tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colours.surface, borderColor: colours.line,
      textStyle: { color: colours.ink, fontSize: 12 },
      formatter: (bars) => [reach(bars[0].dataIndex), ...bars.map((one) => `${one.seriesName} ${count(one.value)}`)].join("\n") },
    xAxis: { type: "category", data: names, axisLine: { lineStyle: { color: colours.line } }, axisTick: { show: false },
      axisLabel: { color: colours.muted, hideOverlap: true } },
    yAxis: { type: "value", minInterval: 1, splitLine: { lineStyle: { color: colours.line } },
      axisLabel: { color: colours.muted, formatter: (value) => compact.format(value) } },
    series: [["kept", kept], ["not kept", lost]].filter(([, bars]) => sum(bars)).map(([name, data]) => ({
      type: "bar", stack: "all", name, data, barCategoryGap: "12%", itemStyle: { color: name === "kept" ? colours.kept : colours.dropped },
    })),
  }));
}

function sunburst(verbs) {
  const data = verbs.top.map(([verb, total, things], i) => {
    const itemStyle = { color: PALETTE[i % PALETTE.length] };
    const named = things.map(([thing, value]) => ({ name: thing, value, verb, itemStyle: { ...itemStyle, opacity: 0.72 } }));
    const rest = total - sum(things.map((one) => one[1]));
    return { name: verb, value: total, itemStyle,
      children: rest ? [...named, { name: "", value: rest, verb, itemStyle: { ...itemStyle, opacity: 0.3 } }] : named };
  });
  return chart({ class: "sunburst", "aria-label": "The commonest verbs, and their commonest objects" }, (colours) => ({
    tooltip: { renderMode: "richText", confine: true, backgroundColor: colours.surface, borderColor: colours.line,
      textStyle: { color: colours.ink, fontSize: 12 },
      formatter: ({ data: one }) => one && one.value ? `${one.verb ? `${one.verb} ${one.name || "(others)"}` : one.name}: ${count(one.value)}` : "" },
    series: [{
      type: "sunburst", data, radius: ["16%", "96%"], nodeClick: false, sort: null, emphasis: { focus: "none" },
      itemStyle: { borderColor: colours.surface, borderWidth: 1.5, borderRadius: 3 },
      // the angles leave a line of text its height, on a phone too
      label: { fontSize: 11, overflow: "truncate", rotate: "radial" },
      levels: [{}, { r0: "16%", r: "52%", label: { color: "#16191d", minAngle: 12 } }, { r0: "52%", r: "96%", label: { color: colours.ink, minAngle: 6 } }],
    }],
  }));
}
