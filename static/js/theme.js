// Sets the theme before anything is painted: what was chosen, or what the system prefers.
// The choice is one of auto, light, dark; buttons with data-theme-choice make it.
(() => {
  "use strict";

  const KEY = "roomledger-theme";
  const root = document.documentElement;
  const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

  // Storage may be forbidden; then the choice lasts as long as the page.
  let choice = "auto";
  try {
    choice = localStorage.getItem(KEY) ?? "auto";
  } catch {
    // Stays at auto.
  }

  // Paper is light. The charts are pictures: they are drawn anew, and at once.
  let printing = false;
  function print(event) {
    printing = event.type === "beforeprint";
    apply();
    queueMicrotask(() => {
      for (const chart of Object.values(window.Chart?.instances ?? {})) chart.update("none");
    });
  }
  window.addEventListener("beforeprint", print);
  window.addEventListener("afterprint", print);

  function apply() {
    const dark = !printing && (choice === "dark" || (choice !== "light" && systemDark.matches));
    root.dataset.bsTheme = dark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  }

  root.classList.add("js");
  apply();
  systemDark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    choice = button.dataset.themeChoice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // See above.
    }
    apply();
  });
  // Another tab chose.
  window.addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    choice = event.newValue ?? "auto";
    apply();
  });
})();
