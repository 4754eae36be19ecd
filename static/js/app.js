// The small conveniences of every page. Nothing here is needed to use one.
(() => {
  "use strict";

  // The filter bar ------------------------------------------------------------------------------

  // Empty fields stay out of the address, and so do days that only repeat what the chosen preset says and what is
  // usual anyway. This event comes before the browser's own submit and HTMX's alike.
  document.addEventListener("formdata", (event) => {
    const form = event.target;
    if (!form.matches("[data-filter]")) return;
    const { period, from, to } = form.elements;
    if (period && from && to) {
      const untouched = from.value === from.defaultValue && to.value === to.defaultValue;
      const left = untouched && "preset" in period.dataset ? ["from", "to"] : ["period"];
      for (const name of left) event.formData.delete(name);
    }
    for (const [name, value] of [...event.formData]) {
      if (value === "" || value === form.elements[name]?.dataset?.usual) event.formData.delete(name);
    }
  });

  document.addEventListener("change", (event) => {
    const field = event.target;
    const form = field.form;
    // A day that is still being typed is out of range.
    if (form?.matches("[data-filter]") && field.matches("[data-auto]") && form.checkValidity()) {
      if (field.type === "number") sendOnce(form);
      else send(form);
    }
  });

  function send(form) {
    // In the first moments after a swap htmx has not taken up the new form yet: it would load the whole page.
    window.htmx?.process(form);
    form.requestSubmit();
  }

  // Enter in a field of text changes it and sends the form by itself: twice the same would be asked for.
  function sendOnce(form) {
    let sent = false;
    form.addEventListener("submit", () => (sent = true), { once: true });
    window.setTimeout(() => {
      if (!sent && form.isConnected) send(form);
    });
  }

  // A list of many is narrowed by typing a part of a name.
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  function narrow(field) {
    const list = field.closest("[data-narrowed]");
    const wanted = plain(field.value.trim());
    let left = 0;
    for (const choice of list.querySelectorAll("label")) {
      choice.hidden = !plain(choice.textContent).includes(wanted);
      if (!choice.hidden) left += 1;
    }
    list.querySelector("[data-none]").hidden = left > 0;
  }
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-narrow]")) narrow(event.target);
  });
  document.addEventListener("keydown", (event) => {
    // Enter would send the form.
    if (event.key === "Enter" && event.target.matches?.("[data-narrow]")) event.preventDefault();
  });

  // What was open stays open when the bar comes anew: its lists, the fold, what was typed to narrow a list and how
  // far it was scrolled. The focus in it stays too: HTMX could not give it to what was still hidden.
  const FOLDS = "[data-picker][open][id], [data-fold][open]";
  let open = [];
  let focused = "";
  document.addEventListener("htmx:beforeSwap", () => {
    open = [...document.querySelectorAll(FOLDS)].map((fold) => ({
      id: fold.id,
      narrowed: fold.querySelector(":scope > [data-narrowed] > [data-narrow]")?.value,
      scrolled: fold.querySelector(":scope > .picker-list")?.scrollTop,
    }));
    focused = document.activeElement.id;
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const { id, narrowed, scrolled } of open) {
      const fold = document.getElementById(id);
      if (!fold) continue;
      fold.open = true;
      const field = fold.querySelector(":scope > [data-narrowed] > [data-narrow]");
      if (field && narrowed) {
        field.value = narrowed;
        narrow(field);
      }
      const list = fold.querySelector(":scope > .picker-list");
      if (list && scrolled) list.scrollTop = scrolled;
      const focus = focused && document.getElementById(focused);
      if (focus && fold.contains(focus)) focus.focus({ preventScroll: true });
    }
  });

  // The style sheet keeps the fold open on a wide screen; where a browser cannot do that, this does.
  const wide = window.matchMedia("(width >= 768px)");
  function unfold() {
    if (CSS.supports("selector(::details-content)")) return;
    for (const fold of document.querySelectorAll("[data-fold]")) {
      if (wide.matches) fold.open = true;
    }
  }

  // Rows that scroll sideways show what is chosen in them.
  function showChosen() {
    for (const row of document.querySelectorAll("[data-scroll-row]")) {
      const chosen = row.querySelector("[aria-current]");
      if (!chosen) continue;
      const place = chosen.getBoundingClientRect();
      const around = row.getBoundingClientRect();
      row.scrollLeft += place.left + place.width / 2 - (around.left + around.width / 2);
    }
  }
  for (const name of ["DOMContentLoaded", "htmx:afterSettle"]) {
    document.addEventListener(name, () => {
      unfold();
      showChosen();
    });
  }
  wide.addEventListener("change", unfold);

  document.addEventListener("click", (event) => {
    for (const picker of document.querySelectorAll("[data-picker][open]")) {
      if (!picker.contains(event.target)) picker.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    const picker = event.key === "Escape" && event.target.closest?.("[data-picker][open]");
    if (!picker) return;
    picker.open = false;
    picker.querySelector("summary").focus();
  });

  // What lies outside #results ---------------------------------------------------------------

  // The links to the other pages take the filter along, and the language form comes back to the address:
  // both follow the address bar.
  function followAddress() {
    const keeps = document.querySelector("[data-nav-keeps]")?.dataset.navKeeps.split(" ") ?? [];
    const here = new URLSearchParams(window.location.search);
    const kept = new URLSearchParams([...here].filter(([name, value]) => keeps.includes(name) && value !== ""));
    const [active] = document.querySelectorAll("[data-nav-keeps] [aria-current]");
    for (const link of document.querySelectorAll("[data-nav]")) {
      // From a page without this filter none goes along.
      if (active && !("nav" in active.dataset)) break;
      link.search = kept.toString();
    }
    for (const field of document.querySelectorAll("[data-here]")) {
      field.value = window.location.pathname + window.location.search;
    }
  }
  for (const name of ["htmx:pushedIntoHistory", "htmx:replacedInHistory"]) {
    document.addEventListener(name, followAddress);
  }

  // How many results there are now, for those who do not see it. Who did not ask is told nothing.
  document.addEventListener("htmx:afterSettle", (event) => {
    const { target, requestConfig } = event.detail;
    if (target?.id !== "results" || !requestConfig?.triggeringEvent) return;
    const line = document.getElementById("announcement");
    const text = target.querySelector("[data-result-count]")?.textContent.replace(/\s+/g, " ").trim() ?? "";
    // The same text again is said again only if it left in between.
    line.textContent = "";
    window.setTimeout(() => {
      line.textContent = text;
    }, 100);
  });

  // Requests ------------------------------------------------------------------------------------

  const isFreshness = (element) => element?.id === "freshness";

  function notice(name) {
    const box = document.getElementById("notice");
    if (!box) return;
    const text = name ? document.getElementById(`notice-${name}`).content.textContent.trim() : "";
    box.textContent = text;
    box.hidden = !text;
  }

  // A page out of sight need not ask, again and again, how things are.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && !event.detail.requestConfig.triggeringEvent) {
      event.preventDefault();
      return;
    }
    event.detail.target.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    event.detail.target.removeAttribute("aria-busy");
    if (event.detail.successful) notice(null);
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const detail = event.detail;
    // The sign-in ran out: the answer is the sign-in page, which is no part of this one.
    const answered = detail.xhr.responseURL && new URL(detail.xhr.responseURL).pathname;
    if (answered && answered === document.body.dataset.loginUrl) {
      detail.shouldSwap = false;
      window.location.reload();
      return;
    }
    if (!isFreshness(detail.target) || !detail.shouldSwap) return;
    // The same problem again is no news: a screen reader would read it out with every answer.
    const fresh = new DOMParser().parseFromString(detail.serverResponse, "text/html");
    const text = (from) => from.querySelector(".problem")?.textContent.trim();
    const line = fresh.querySelector(".status-line");
    if (line && text(fresh) === text(detail.target)) {
      detail.target.querySelector(".status-line").replaceWith(document.importNode(line, true));
      detail.shouldSwap = false;
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    const { elt, requestConfig, pathInfo, xhr } = event.detail;
    // A 400 comes with a page that says which value is wrong and why: go and read it.
    if (xhr.status === 400 && requestConfig.verb === "get" && !isFreshness(elt)) {
      window.location.assign(pathInfo.finalRequestPath);
      return;
    }
    notice("failed");
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => notice("unreachable"));
  }
})();
