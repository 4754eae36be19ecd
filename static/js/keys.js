// Keys. Each follows a link or field that the page has: [data-key="7"], [data-go="m"] after g, [data-search];
// where there is none, the key does nothing. They can be turned off on the sheet that ? opens.
(() => {
  "use strict";

  const OFF = "roomledger-keys-off";
  const FIELDS = "input, select, textarea, [contenteditable]";
  // How long g waits for the second key, in milliseconds.
  const PATIENCE = 1500;

  // Storage may be forbidden; then the choice lasts as long as the page.
  let off = false;
  try {
    off = localStorage.getItem(OFF) === "1";
  } catch {
    // Stays on.
  }

  function showChoice() {
    for (const box of document.querySelectorAll("[data-keys-switch]")) box.checked = !off;
  }
  document.addEventListener("DOMContentLoaded", showChoice);
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-keys-switch]")) return;
    off = !event.target.checked;
    try {
      if (off) localStorage.setItem(OFF, "1");
      else localStorage.removeItem(OFF);
    } catch {
      // See above.
    }
  });
  // Another tab chose.
  window.addEventListener("storage", (event) => {
    if (event.key !== OFF) return;
    off = event.newValue === "1";
    showChoice();
  });

  const sheet = () => document.getElementById("shortcuts");
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-shortcuts]")) sheet()?.showModal();
    // The backdrop: of the dialog itself nothing is bare.
    else if (event.target === sheet()) event.target.close();
  });

  const seen = (element) => element.checkVisibility?.() ?? element.offsetParent !== null;

  function follow(selector) {
    const link = [...document.querySelectorAll(selector)].find(seen);
    link?.click();
    return Boolean(link);
  }

  function search() {
    const field = document.querySelector("[data-search]");
    if (!field) return false;
    const fold = field.closest("[data-fold]");
    if (fold && !seen(field)) fold.open = true;
    field.focus();
    field.select();
    return true;
  }

  // From row to row of the first table of results that is in view; the link in a row is what opens it.
  function step(by) {
    const root = document.getElementById("results") ?? document.querySelector("main");
    for (const body of root?.querySelectorAll("table > tbody") ?? []) {
      if (!seen(body)) continue;
      const links = [...body.rows].map((row) => row.querySelector("a[href]")).filter(Boolean);
      if (!links.length) continue;
      const row = document.activeElement?.closest("tr");
      const now = links.findIndex((link) => link.closest("tr") === row);
      const next = now < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(now + by, 0), links.length - 1);
      links[next].focus();
      return true;
    }
    return false;
  }

  let waiting = 0;
  function pressed(event) {
    const { key } = event;
    if (waiting) {
      window.clearTimeout(waiting);
      waiting = 0;
      return /^[a-z]$/.test(key) && follow(`[data-go="${key}"]`);
    }
    switch (key) {
      case "g":
        waiting = window.setTimeout(() => {
          waiting = 0;
        }, PATIENCE);
        return true;
      case "?":
        sheet()?.showModal();
        return true;
      case "/":
        return search();
      case "j":
        return step(1);
      case "k":
        return step(-1);
      case "ArrowLeft":
      case "ArrowRight":
        // There the arrows scroll, or do what the element says.
        if (event.target.closest?.("main [tabindex], [role=slider]")) return false;
        return follow(`[data-key="${key}"]`);
      default:
        return /^[a-z0-9]$/.test(key) && follow(`[data-key="${key}"]`);
    }
  }

  document.addEventListener("keydown", (event) => {
    if (off || event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(FIELDS) || sheet()?.open) return;
    if (event.repeat && !["j", "k"].includes(event.key)) return;
    if (pressed(event)) event.preventDefault();
  });
})();
