// The page of one meeting: it renews itself while the meeting runs, and what one looked at stays where it was.
(() => {
  "use strict";

  let scrolled = new Map();
  let open = [];
  let page = 0;

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "results") return;
    scrolled = new Map([...document.querySelectorAll("[data-keep-scroll]")].map((box) => [box.id, box.scrollTop]));
    open = [...document.querySelectorAll("#results details[open][id]")].map((details) => details.id);
    page = window.scrollY;
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "results") return;
    for (const id of open) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
    for (const [id, top] of scrolled) {
      const box = document.getElementById(id);
      if (box) box.scrollTop = top;
    }
    window.scrollTo({ top: page, behavior: "instant" });
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = button.dataset.copied;
    } catch {
      // Without the clipboard (plain HTTP) the text is at least selected, ready to be copied.
      window.getSelection().selectAllChildren(source);
    }
  });
})();
