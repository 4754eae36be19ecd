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
})();
