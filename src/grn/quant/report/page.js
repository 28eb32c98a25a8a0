"use strict";
(() => {
  const root = document.documentElement;
  const failed = [];
  addEventListener("error", (event) => { failed.push(String(event.message)); root.dataset.errors = failed.join(" | "); });

  // Figures arrive in light colours; `dark` maps each of them to its dark twin.
  const dark = JSON.parse(document.getElementById("palette").textContent);
  const light = new RegExp(Object.keys(dark).join("|"), "gi");
  const wish = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const theme = () => root.dataset.theme || (wish.matches ? "dark" : "light");
  const plots = [...document.querySelectorAll(".plot")].map((box) => ({
    box,
    text: document.querySelector(`script[data-for="${box.id}"]`).textContent,
    tools: [...box.parentElement.querySelectorAll(".tools button")],
    log: {},
    period: null,
  }));

  function paint(plot, scheme) {
    const text = scheme === "dark" ? plot.text.replace(light, (c) => dark[c.toLowerCase()]) : plot.text;
    const { data, layout } = JSON.parse(text);
    layout.autosize = true;
    if (scheme === "print") {
      // The page is laid out for paper only after this: the width of its text on A4 is known, in CSS pixels.
      layout.width = plot.box.closest(".two") ? 326 : 672;
      layout.paper_bgcolor = layout.plot_bgcolor = "#ffffff";
    }
    // On a touch screen a drag scrolls the page; periods are chosen with the buttons.
    layout.dragmode = touch ? false : "zoom";
    for (const name of Object.keys(layout).filter((key) => /^yaxis/.test(key))) layout[name].fixedrange = Boolean(plot.tools.length);
    for (const [name, on] of Object.entries(plot.log)) layout[name].type = on ? "log" : "linear";
    if (plot.period) layout.xaxis.range = plot.period;
    Plotly.react(plot.box, data, layout, { displayModeBar: false, responsive: true, doubleClick: "reset" });
    if (plot.period) fit(plot);
  }

  // A period's lines fill the height: each vertical axis takes the range of what is seen.
  function fit(plot) {
    const full = plot.box._fullLayout, change = {};
    const [from, to] = full.xaxis.range.map((value) => full.xaxis.r2l(value));
    for (const name of Object.keys(full).filter((key) => /^yaxis\d*$/.test(key))) {
      let low = Infinity, high = -Infinity;
      for (const points of plot.box.calcdata) {
        if (points[0].trace.yaxis !== name.replace("axis", "")) continue;
        for (const { x, y } of points) {
          if (x >= from && x <= to && Number.isFinite(y)) { low = Math.min(low, y); high = Math.max(high, y); }
        }
      }
      if (!(high > low)) continue;
      const log = full[name].type === "log";
      if (log && low <= 0) continue;
      const [a, b] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
      const room = 0.05 * (b - a);
      change[`${name}.range`] = [a - room, high === 0 ? 0 : b + room];
    }
    if (Object.keys(change).length) Plotly.relayout(plot.box, change);
  }

  function show(plot, period) {
    plot.period = period;
    if (period) {
      Plotly.relayout(plot.box, { "xaxis.range": period });
      fit(plot);
    } else {
      const change = { "xaxis.autorange": true };
      for (const name of Object.keys(plot.box._fullLayout).filter((key) => /^yaxis\d*$/.test(key))) change[`${name}.autorange`] = true;
      Plotly.relayout(plot.box, change);
    }
  }

  function press(plot, test) {
    for (const button of plot.tools.filter((b) => "span" in b.dataset)) button.setAttribute("aria-pressed", String(test(button)));
  }

  function connect(plot) {
    for (const button of plot.tools) {
      const axis = button.dataset.log;
      if (axis) {
        plot.log[axis] = plot.box._fullLayout[axis].type === "log";
        button.setAttribute("aria-pressed", String(plot.log[axis]));
        button.onclick = () => {
          plot.log[axis] = !plot.log[axis];
          button.setAttribute("aria-pressed", String(plot.log[axis]));
          Plotly.relayout(plot.box, { [`${axis}.type`]: plot.log[axis] ? "log" : "linear", [`${axis}.autorange`]: true });
          if (plot.period) fit(plot);
        };
      } else {
        button.onclick = () => {
          press(plot, (b) => b === button);
          const span = Number(button.dataset.span);
          const ends = plot.box.calcdata.flatMap((points) => points.map((p) => p.x)).filter(Number.isFinite);
          const last = ends.reduce((a, b) => Math.max(a, b), -Infinity);
          show(plot, span ? [last - span, last + span * 0.02] : null);
        };
      }
    }
    if (!plot.tools.length) return;
    // A period drawn with the mouse; a double click brings everything back.
    plot.box.on("plotly_relayout", (event) => {
      if ("xaxis.range[0]" in event) {
        press(plot, () => false);
        plot.period = [event["xaxis.range[0]"], event["xaxis.range[1]"]];
        fit(plot);
      }
    });
    plot.box.on("plotly_doubleclick", () => { press(plot, (b) => b.dataset.span === "0"); show(plot, null); return false; });
  }

  const repaint = (scheme) => plots.forEach((plot) => paint(plot, scheme || theme()));
  for (const plot of plots) { paint(plot, theme()); connect(plot); }
  document.getElementById("theme").onclick = () => { root.dataset.theme = theme() === "dark" ? "light" : "dark"; repaint(); };
  wish.addEventListener("change", () => repaint());
  addEventListener("beforeprint", () => repaint("print"));
  addEventListener("afterprint", () => repaint());
  root.dataset.drawn = String(plots.length);
})();
