/* Draws the charts of a metrics page from its JSON, in the colours of the theme, and keeps the zoom in the address. */
(() => {
  const element = document.getElementById("chart-data");
  if (!element || !window.Plotly) return;
  const data = JSON.parse(element.textContent);
  const moved = (at, seconds) => new Date(Date.parse(`${at}Z`) + seconds * 1000).toISOString().slice(0, 16);
  const moments = (begin, step, names) => names.map((_, index) => moved(begin, index * step));
  data.x = moments(data.range[0], data.step, data.names);
  data.engine.x = moments(data.engine.begin, data.engine.step, data.engine.names);
  const figures = [...document.querySelectorAll("[data-chart]")];
  const root = document.documentElement;

  // What a class of charts.css paints with, as a colour that Plotly can read.
  const colours = () => {
    const probe = document.body.appendChild(document.createElement("i"));
    const of = (name) => { probe.className = name; return getComputedStyle(probe).color; };
    const found = {
      series: [1, 2, 3, 4].map((number) => of(`series-${number}`)),
      grid: of("paint-grid"), ink: of("paint-ink"), warn: of("paint-warn"), bad: of("series-bad"),
      strong: of("paint-strong"), surface: of("paint-raised"), line: of("paint-line"), paper: of("paint-surface"),
      font: getComputedStyle(probe).fontFamily,
    };
    probe.remove();
    return found;
  };

  // The hour that is not over yet is an open dot.
  const symbols = data.x.map((_, index) => (data.partial && index === data.x.length - 1 ? "circle-open" : "circle"));
  const whole = [moved(data.range[0], -data.step / 2), data.range[1]];

  const unit = (name) => (["ttft", "itl"].includes(name) ? " ms" : "");

  const line = (label, values, colour, width, extra = {}) => ({
    type: "scatter", mode: "lines+markers", name: label, x: data.x, y: values, text: data.names, connectgaps: false,
    line: { color: colour, width }, marker: { color: colour, size: 4, symbol: symbols },
    hovertemplate: `%{y:,} ${extra.unit ?? ""}`, ...extra.more,
  });

  // By the minute there are too many points for dots, but one that stands alone has no line.
  const ofEngine = (label, name, colour, unit = "") => {
    const { x, names, series } = data.engine;
    return {
      type: "scatter", mode: "lines+markers", name: label, x, y: series[name], text: names, connectgaps: false,
      line: { color: colour, width: 1.5 }, marker: { color: colour, size: x.length > 100 ? 2 : 4 },
      hovertemplate: `%{y:,}${unit}`,
    };
  };

  const traces = {
    latency: (name, c) => [
      line("p99", data.series[`${name}_p99`], c.series[2], 1.5, { unit: "ms" }),
      line("p95", data.series[`${name}_p95`], c.series[1], 2.25, { unit: "ms" }),
      line("p50", data.series[`${name}_p50`], c.series[0], 1.5, { unit: "ms" }),
      line("mean", data.series[`${name}_mean`], c.series[3], 1, { unit: "ms", more: { line: { color: c.series[3], width: 1, dash: "dot" } } }),
    ],
    tokens: (c) => [
      line("Input", data.series.input_per_second, c.series[1], 1.5),
      line("Output", data.series.output_per_second, c.series[2], 1.5),
    ],
    bars: (name, colour) => [{
      type: "bar", name: name === "failed" ? "Failures" : "Requests", x: data.x, y: data.series[name],
      marker: { color: colour }, hovertemplate: "%{y:,}",
    }],
  };

  const of = (name, c) => {
    if (name === "ttft" || name === "itl") return traces.latency(name, c);
    if (name === "tokens") return traces.tokens(c);
    if (name === "queue") return [ofEngine("Running", "running", c.series[1]), ofEngine("Waiting", "waiting", c.series[2])];
    if (name === "kv") return [ofEngine("Mean", "kv_use", c.series[1], " %"), ofEngine("Fullest", "kv_use_max", c.series[2], " %")];
    if (name === "replicas") return [{ ...ofEngine("Replicas", "replicas", c.series[1]), mode: "lines", line: { color: c.series[1], width: 1.5, shape: "hv" } }];
    return traces.bars(name, name === "failed" ? c.bad : c.series[1]);
  };

  const marks = (name, c) => {
    if (name !== "ttft" && name !== "itl") return { shapes: [], annotations: [] };
    const shapes = data.marks.map(([at, , tone]) => ({
      type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", layer: "below",
      line: { color: tone ? c.bad : c.ink, width: 1, dash: "dot" },
    }));
    const nearEnd = Date.parse(`${moved(data.range[1], 0)}Z`) - (data.x.length * data.step * 1000) / 10;
    const annotations = data.marks.map(([at, label, tone]) => ({
      x: at, y: 1, yref: "paper", yanchor: "bottom", text: label, showarrow: false,
      xanchor: Date.parse(`${at}Z`) > nearEnd ? "right" : "center",
      font: { color: tone ? c.bad : c.strong, size: 11 },
    }));
    const ends = ["p50", "p95", "p99"].map((label, index) => {
      const values = data.series[`${name}_${label}`];
      const last = values.findLastIndex((value) => value !== null);
      return { value: values[last], label, colour: c.series[index] };
    });
    const highest = Math.max(...data.series[`${name}_p99`]);
    ends.forEach(({ value, label, colour }, index) => {
      // Labels that would lie on each other move apart.
      const isClose = (other) => other && Math.abs(other.value - value) < highest / 20;
      annotations.push({
        xref: "paper", x: 1, xanchor: "left", y: value, yanchor: "middle", text: label, showarrow: false,
        yshift: (isClose(ends[index - 1]) ? 6 : 0) - (isClose(ends[index + 1]) ? 6 : 0),
        font: { color: colour, size: 12 },
      });
    });
    const target = data.targets[name];
    if (target) {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: target, y1: target, line: { color: c.warn, width: 1, dash: "dash" } });
      annotations.push({
        xref: "paper", x: 0, xanchor: "left", y: target, yanchor: "bottom", text: `Target ${target.toLocaleString("en-GB")} ms`,
        showarrow: false, font: { color: c.warn, size: 11 },
      });
      data.series[`${name}_p95`].forEach((value, index) => {
        if (value === null || value <= target) return;
        shapes.push({
          type: "rect", x0: moved(data.x[index], -data.step / 2), x1: moved(data.x[index], data.step / 2),
          y0: 0, y1: 1, yref: "paper", layer: "below",
          fillcolor: c.warn, opacity: 0.12, line: { width: 0 },
        });
      });
    }
    return { shapes, annotations };
  };

  const layout = (name, c, range) => {
    const narrow = window.innerWidth < 640;
    const isLatency = name === "ttft" || name === "itl";
    const most = isLatency ? 0 : Math.max(...Object.values(of(name, c)).flatMap(({ y }) => y));
    const ticks = narrow || !isLatency ? data.ticks.filter((_, index) => index % 2 === 0) : data.ticks;
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: "zoom", bargap: 0.2,
      font: { family: c.font, size: 12, color: c.ink }, hovermode: "x unified", autosize: true,
      hoverlabel: { bgcolor: c.surface, bordercolor: c.line, font: { color: c.strong, family: c.font, size: 12 } },
      margin: { l: 56, r: isLatency ? 44 : 12, t: 24, b: 44 },
      xaxis: {
        type: "date", range, tickvals: ticks.map(([at]) => at), ticktext: ticks.map(([, text]) => text), showgrid: false,
        fixedrange: narrow, linecolor: c.line, hoverformat: "%d %b %H:%M", tickfont: { color: c.ink },
        tickangle: 0, title: { text: data.zone, font: { size: 11 }, standoff: 4 }, unifiedhovertitle: { text: "%{text}" },
      },
      yaxis: {
        rangemode: "tozero", gridcolor: c.grid, zerolinecolor: c.line, fixedrange: true, tickformat: ",",
        ...(["failed", "replicas", "queue"].includes(name) && most < 5 ? { dtick: 1 } : { nticks: 5 }),
        ticksuffix: unit(name), showticksuffix: "last", tickfont: { color: c.ink },
      },
      ...marks(name, c),
    };
  };

  const zoom = () => {
    const parts = (new URLSearchParams(location.search).get("zoom") ?? "").split("~");
    const good = parts.length === 2 && parts.every((part) => /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(part));
    return good ? parts : whole;
  };

  const remember = (range) => {
    const address = new URL(location.href);
    if (range) address.searchParams.set("zoom", range.map((at) => at.replace(" ", "T").padEnd(16, "T00:00").slice(0, 16)).join("~"));
    else address.searchParams.delete("zoom");
    history.replaceState(history.state, "", address);
  };

  const draw = () => {
    const c = colours();
    for (const figure of figures) {
      const name = figure.dataset.chart;
      const plot = figure.querySelector(".plot");
      window.Plotly.react(plot, of(name, c), layout(name, c, zoom()), { displayModeBar: false, responsive: true });
    }
  };

  draw();
  let together = false;
  for (const figure of figures) {
    figure.querySelector(".plot").on("plotly_relayout", (change) => {
      if (together || !("xaxis.range[0]" in change || "xaxis.autorange" in change)) return;
      together = true;
      const range = "xaxis.range[0]" in change ? [change["xaxis.range[0]"], change["xaxis.range[1]"]] : null;
      remember(range);
      const all = figures.map((each) => window.Plotly.relayout(each.querySelector(".plot"), { "xaxis.range": range ?? whole }));
      Promise.all(all).finally(() => { together = false; });
    });
  }

  new MutationObserver(draw).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  for (const button of document.querySelectorAll("[data-png]")) {
    button.addEventListener("click", () => {
      const plot = document.querySelector(`[data-chart="${button.dataset.png}"] .plot`);
      window.Plotly.relayout(plot, { paper_bgcolor: colours().paper })
        .then(() => window.Plotly.downloadImage(plot, { format: "png", width: 1200, height: 500, scale: 2, filename: `${button.dataset.png}-${data.range[0].slice(0, 10)}` }))
        .finally(() => window.Plotly.relayout(plot, { paper_bgcolor: "rgba(0,0,0,0)" }));
    });
  }
})();

/* Offers the zone that the viewer's clock is in; the page itself knows only what the address says. */
(() => {
  const link = document.querySelector("[data-zone]");
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!link || !mine || mine === "UTC") return;
  const address = new URL(location.href);
  const shown = address.searchParams.get("zone") ?? "UTC";
  const other = shown === "UTC" ? mine : "UTC";
  if (other === "UTC") address.searchParams.delete("zone");
  else address.searchParams.set("zone", other);
  link.href = address.search || "?";
  link.querySelector("span").textContent = `Show ${other}`;
  link.hidden = false;
})();
