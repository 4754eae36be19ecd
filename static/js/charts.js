// Draws every <canvas data-chart="ID"> from the JSON in <script id="ID" type="application/json">:
//   kind      "bar" or "line"
//   labels    texts along the x axis
//   axis      "hour", "day", "week" or "month": the labels are such, as 2026-01-31T14:00, 2026-01-31 (of a week its
//             first day; ends has the last ones) or 2026-01, and are written as the language does; x_title: what they
//             are, where that is not plain
//   datasets  [{label, data, links?, tone?, kind?, mark?}]; tone 1 to 7 picks a colour, "muted" is the grey of a
//             comparison; mark: "limit" is a dashed line across, "point" one point among the others
//   links     addresses, one a label: a click goes there (those of a dataset come first)
//   unit      text after a number; currency: its code, as CNY; stacked: true piles the bars
// Colours stand in base.css, once for charts and page.
(() => {
  "use strict";

  const drawn = new Map();
  const root = document.documentElement;
  const TONES = 7;
  const MANY = 60; // labels: so many bars appear without growing, and not every label is measured

  function colours() {
    const style = getComputedStyle(root);
    const read = (name) => style.getPropertyValue(name).trim();
    return {
      tones: Array.from({ length: TONES }, (_, index) => read(`--chart-${index + 1}`)),
      muted: read("--chart-muted"),
      text: read("--ink-soft"),
      strong: read("--ink"),
      grid: read("--line-soft"),
      surface: read("--surface"),
      line: read("--line"),
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  function numberFormat(data, options) {
    const money = { style: "currency", currency: data.currency, currencyDisplay: "narrowSymbol" };
    return new Intl.NumberFormat(root.lang || undefined, { ...(data.currency ? money : {}), ...options });
  }

  function dataset(given, index, data, colour) {
    const tone =
      given.tone === "muted" ? colour.muted : colour.tones[((given.tone ?? index + 1) - 1) % TONES];
    const common = { label: given.label, data: given.data, backgroundColor: tone, borderColor: tone };
    if (given.mark === "limit") {
      return { ...common, type: "line", borderWidth: 2, borderDash: [6, 4], pointRadius: 0, pointHoverRadius: 0, order: -1 };
    }
    if (given.mark === "point") {
      return { ...common, type: "line", showLine: false, pointRadius: 6, pointHoverRadius: 8, order: -1 };
    }
    if ((given.kind ?? data.kind) === "line") {
      return {
        ...common,
        type: "line",
        borderWidth: 2,
        borderDash: given.tone === "muted" ? [4, 3] : [],
        pointRadius: given.data.length > 45 ? 0 : 2,
        pointHoverRadius: 5,
        pointHitRadius: 8,
        tension: 0,
      };
    }
    return { ...common, borderWidth: 0, borderRadius: 1, categoryPercentage: 0.8, barPercentage: 0.9, maxBarThickness: 48 };
  }

  // Days and months as the language writes them: short along the axis, in full above the values. Labels are
  // local days already; read as UTC and written as UTC they stay what they are.
  function labelFormats({ axis, ends }) {
    const write = (options) => {
      const format = new Intl.DateTimeFormat(root.lang || undefined, { timeZone: "UTC", ...options });
      const moment = (label) => (axis === "month" ? `${label}-01` : axis === "hour" ? `${label}Z` : label);
      return (label) => format.format(new Date(moment(label)));
    };
    if (axis === "hour") {
      const hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
      return [
        write({ month: "short", day: "numeric", ...hour }),
        write({ weekday: "short", year: "numeric", month: "short", day: "numeric", ...hour }),
      ];
    }
    if (axis === "day") {
      return [
        write({ month: "short", day: "numeric" }),
        write({ weekday: "short", year: "numeric", month: "short", day: "numeric" }),
      ];
    }
    if (axis === "week") {
      const days = new Intl.DateTimeFormat(root.lang || undefined, {
        timeZone: "UTC",
        year: "numeric",
        month: "short",
        day: "numeric",
      });
      return [
        write({ year: "2-digit", month: "short", day: "numeric" }),
        (label, index) => days.formatRange(new Date(label), new Date(ends?.[index] ?? label)),
      ];
    }
    if (axis === "month") {
      return [write({ year: "2-digit", month: "short" }), write({ year: "numeric", month: "long" })];
    }
    return [(label) => label, (label) => label];
  }

  // The address behind the point under the pointer, else behind its column.
  function linkAt(chart, event, data) {
    const exact = chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, true)[0];
    const column = exact ?? chart.getElementsAtEventForMode(event, "index", { intersect: false }, true)[0];
    if (!column) return null;
    const own = exact && data.datasets[exact.datasetIndex].links;
    return own?.[column.index] ?? data.links?.[column.index] ?? null;
  }

  function draw(canvas) {
    const source = document.getElementById(canvas.dataset.chart);
    if (!source) return;
    const data = JSON.parse(source.textContent);
    const colour = colours();
    const full = numberFormat(data, data.currency ? {} : { maximumFractionDigits: 2 });
    const axis = numberFormat(data, { minimumFractionDigits: 0, maximumFractionDigits: 2 });
    const short = numberFormat(data, { notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1 });
    const unit = data.unit ? `\u00a0${data.unit}` : "";
    const [brief, whole] = labelFormats(data);
    const font = { family: colour.font, size: 12 };
    const many = data.labels.length > MANY;
    const still = many || window.matchMedia("(prefers-reduced-motion: reduce)").matches;

    const chart = new Chart(canvas, {
      type: data.kind,
      data: {
        labels: data.labels,
        datasets: data.datasets.map((given, index) => dataset(given, index, data, colour)),
      },
      options: {
        responsive: true,
        maintainAspectRatio: false,
        animation: still ? false : { duration: 200 },
        font,
        interaction: { mode: "index", intersect: false },
        layout: { padding: { top: 4 } },
        onClick(event) {
          const link = linkAt(chart, event, data);
          if (link) window.location.assign(link);
        },
        onHover(event) {
          canvas.classList.toggle("is-link", Boolean(linkAt(chart, event, data)));
        },
        scales: {
          x: {
            stacked: Boolean(data.stacked),
            grid: { display: false },
            border: { color: colour.line },
            title: { display: Boolean(data.x_title), text: data.x_title, color: colour.text, font },
            ticks: {
              color: colour.text,
              font,
              maxRotation: 0,
              autoSkipPadding: 16,
              sampleSize: many ? 20 : undefined,
              callback(value) {
                return brief(this.getLabelForValue(value));
              },
            },
          },
          y: {
            stacked: Boolean(data.stacked),
            beginAtZero: true,
            border: { display: false },
            grid: { color: colour.grid, drawTicks: false },
            title: {
              display: Boolean(data.unit),
              text: data.unit,
              color: colour.text,
              font,
            },
            ticks: {
              color: colour.text,
              font,
              padding: 8,
              maxTicksLimit: 6,
              // What has no unit is counted: there is no half of it.
              precision: data.unit || data.currency ? undefined : 0,
              // One notation for the whole axis.
              callback: (value, index, ticks) =>
                ticks.at(-1).value < 10000 ? axis.format(value) : short.format(value),
            },
          },
        },
        plugins: {
          legend: {
            display: data.datasets.length > 1,
            align: "end",
            labels: {
              color: colour.text,
              font,
              boxWidth: 10,
              boxHeight: 10,
              padding: 12,
              // A dashed border does not become so small a box.
              generateLabels: (of) =>
                Chart.defaults.plugins.legend.labels.generateLabels(of).map((label) => ({ ...label, lineWidth: 0 })),
            },
          },
          tooltip: {
            backgroundColor: colour.surface,
            titleColor: colour.strong,
            bodyColor: colour.strong,
            borderColor: colour.line,
            borderWidth: 1,
            cornerRadius: 4,
            padding: 10,
            boxWidth: 10,
            boxHeight: 10,
            boxPadding: 4,
            titleFont: { ...font, weight: "600" },
            bodyFont: font,
            callbacks: {
              title: (items) => (items.length ? whole(items[0].label, items[0].dataIndex) : ""),
              label: (item) =>
                item.raw === null ? "" : ` ${item.dataset.label}: ${full.format(item.parsed.y)}${unit}`,
            },
          },
        },
      },
    });
    drawn.set(canvas, chart);
  }

  // The same links for those who cannot point: the names in the table below the chart.
  function linkTable(canvas) {
    const links = JSON.parse(document.getElementById(canvas.dataset.chart)?.textContent ?? "{}").links ?? [];
    const names = canvas.closest("figure")?.querySelectorAll("tbody th") ?? [];
    if (links.length !== names.length) return;
    names.forEach((name, index) => {
      if (!links[index] || name.querySelector("a")) return;
      const link = Object.assign(document.createElement("a"), { href: links[index] });
      link.append(...name.childNodes);
      name.append(link);
    });
  }

  function forget(keep) {
    for (const [canvas, chart] of drawn) {
      if (keep(canvas)) continue;
      chart.destroy();
      drawn.delete(canvas);
      delete canvas.dataset.drawn;
    }
  }

  // Lets go of what left the page, and draws what is new: one chart a task, so that the page answers in between.
  const later = window.requestIdleCallback
    ? (work) => window.requestIdleCallback(work, { timeout: 200 })
    : (work) => window.setTimeout(work, 0);
  let waiting = false;

  function sync() {
    forget((canvas) => canvas.isConnected);
    if (waiting) return;
    const next = document.querySelector("canvas[data-chart]:not([data-drawn])");
    if (!next) return;
    waiting = true;
    later(() => {
      waiting = false;
      if (next.isConnected) {
        next.dataset.drawn = "";
        draw(next);
        linkTable(next);
      }
      sync();
    });
  }

  document.addEventListener("DOMContentLoaded", sync);
  // The whole document, not the event's target: after an outerHTML swap that is the element that left.
  document.addEventListener("htmx:afterSettle", sync);
  new MutationObserver(() => {
    forget(() => false);
    sync();
  }).observe(root, { attributeFilter: ["data-bs-theme"] });
})();
