"use strict";
// The page is whole without this script. It draws the trends, keeps them fresh, and says when contact is lost.
(() => {
  const main = document.querySelector("main[data-plant]");
  if (!main) return;
  const plant = encodeURIComponent(main.dataset.plant);
  const INK = "#26292b", QUIET = "#8b9194", GRID = "#d3d5d3", ALARM = "#b00020", CANDIDATE = "#7ea0c0";
  const GREYS = ["#3f4447", "#6b7174", "#8d9396", "#a8adaf", "#565c5f", "#7c8285", "#9aa0a2", "#b4b8ba"];
  const LOST_MS = 6000, REFRESH_MS = 4000;
  const charts = { signals: null, setpoint: null };
  let columns = null, beatAt = Date.now(), drawnTick = -1, drawnAt = 0, newestTick = 0;

  const choice = document.getElementById("setpoint");
  const kept = sessionStorage.getItem("setpoint");
  if (kept && [...choice.options].some((option) => option.value === kept)) choice.value = kept;
  choice.addEventListener("change", () => { sessionStorage.setItem("setpoint", choice.value); drawSetpoint(); });

  main.addEventListener("beat", (event) => {
    beatAt = Date.now();
    contact(true);
    newestTick = JSON.parse(event.detail.data).tick;
    refresh();
  });
  setInterval(() => { if (Date.now() - beatAt > LOST_MS) contact(false); }, 1000);
  addEventListener("resize", () => { columns && draw(); });
  refresh();

  function contact(there) {
    document.getElementById("lost").hidden = there;
    document.body.classList.toggle("cut", !there);
  }

  async function refresh() {
    if (newestTick === drawnTick || Date.now() - drawnAt < REFRESH_MS) return;
    drawnAt = Date.now();
    const tick = newestTick;
    try {
      const answer = await fetch("/console/trends?plant=" + plant, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      columns = await answer.json();
      drawnTick = tick;
      draw();
    } catch { /* the watchdog tells */ }
  }

  function draw() { drawSignals(); drawSetpoint(); }

  function drawSignals() {
    const names = Object.keys(columns.signals);
    if (!names.length) return;
    const limits = Object.values(columns.signals);
    const highs = limits.map((s) => s.high).filter((v) => v !== null), lows = limits.map((s) => s.low).filter((v) => v !== null);
    const high = highs.length ? Math.min(...highs) : null, low = lows.length ? Math.max(...lows) : null;
    const series = names.map((name, i) => {
      const s = columns.signals[name], last = s.values.findLast((v) => v !== null);
      const out = last !== undefined && ((s.high !== null && last > s.high) || (s.low !== null && last < s.low));
      return { label: (out ? "▲ " : "") + name, stroke: out ? ALARM : GREYS[i % GREYS.length], width: out ? 2.5 : 1.5, points: { show: false }, value: digits };
    });
    const data = [columns.t_s, ...names.map((name) => columns.signals[name].values)];
    plot("signals", "signals", series, data, limits[0].unit, { low, high, line: true, near: true });
  }

  function drawSetpoint() {
    const s = columns && columns.setpoints[choice.value];
    if (!s) return;
    const series = [
      { label: "incumbent", stroke: QUIET, width: 1.5, dash: [6, 4], points: { show: false }, value: digits },
      { label: "applied", stroke: INK, width: 2.2, points: { show: false }, value: digits, paths: uPlot.paths.stepped({ align: 1 }) },
      { label: "candidate", stroke: CANDIDATE, width: 1.8, dash: [3, 3], points: { show: false }, value: digits },
    ];
    plot("setpoint", "setpoint-trend", series, [columns.t_s, s.incumbent, s.applied, s.candidate], s.unit, { low: s.low, high: s.high });
  }

  function plot(which, id, series, data, unit, band) {
    const place = document.getElementById(id);
    const key = JSON.stringify([series.map((one) => [one.label, one.stroke]), unit, band, place.clientWidth]);
    const before = charts[which];
    if (before && before.key === key) { before.plot.setData(data); return; }
    if (before) before.plot.destroy();
    const axis = { stroke: "#5f6467", grid: { stroke: GRID, width: 1 }, ticks: { stroke: GRID, width: 1 }, font: "12px system-ui" };
    const options = {
      width: place.clientWidth, height: innerWidth < 800 ? 170 : 205, tzDate: (t) => uPlot.tzDate(new Date(t * 1e3), "Etc/UTC"),
      cursor: { drag: { x: false, y: false }, points: { show: false } }, legend: { live: true },
      scales: { y: { range: (u, min, max) => range(min, max, band) } },
      axes: [{ ...axis, values: (u, ts) => ts.map((t) => new Date(t * 1e3).toISOString().slice(11, 16)) }, { ...axis, size: 46, label: { C: "°C", degC: "°C", frac: "", count: "" }[unit] ?? unit, labelSize: 16, labelFont: "12px system-ui" }],
      series: [{ label: "UTC", value: (u, t) => (t === null ? "–" : new Date(t * 1e3).toISOString().slice(5, 16).replace("T", " ")) }, ...series],
      hooks: { drawClear: [(u) => drawBand(u, band)], setLegend: [newest], setData: [newest] },
    };
    charts[which] = { key, plot: new uPlot(options, data, place) };
  }

  // While no moment is pointed at, the legend tells the newest.
  function newest(u) {
    if (u.cursor.left < 0) u.setLegend({ idx: u.data[0].length - 1 }, false);
  }

  // The data always show, and what they must stay below; a lower limit of a trend shows when it is near enough to matter.
  function range(min, max, band) {
    if (min === null) return [0, 1];
    let lo = min, hi = max;
    const reach = band.near ? 2.5 * Math.max(max - min, 0.5) : Infinity;
    if (band.low !== null && min - band.low < reach) lo = Math.min(lo, band.low);
    if (band.high !== null) hi = Math.max(hi, band.high);
    const room = 0.06 * Math.max(hi - lo, 1e-3);
    return [lo - room, hi + room];
  }

  function drawBand(u, band) {
    const { ctx, bbox } = u, y = (v) => Math.min(bbox.top + bbox.height, Math.max(bbox.top, u.valToPos(v, "y", true)));
    const top = band.high === null ? bbox.top : y(band.high), bottom = band.low === null ? bbox.top + bbox.height : y(band.low);
    ctx.save();
    ctx.fillStyle = "#f6f6f5";
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    ctx.strokeStyle = "#6f7578";
    ctx.setLineDash([8, 5]);
    for (const [v, at] of [[band.high, top], [band.low, bottom]]) {
      if (v === null || at <= bbox.top || at >= bbox.top + bbox.height) continue;
      ctx.beginPath(); ctx.moveTo(bbox.left, at); ctx.lineTo(bbox.left + bbox.width, at); ctx.stroke();
    }
    ctx.restore();
  }

  function digits(u, value) { return value === null || value === undefined ? "–" : value.toFixed(Math.abs(value) < 10 ? 2 : 1); }
})();
