// The small conveniences of every page. Nothing here is needed to use one.
(() => {
  "use strict";

  // The filter bar ------------------------------------------------------------------------------

  // Empty fields stay out of the address, and so do days that only repeat what the chosen preset says. This
  // event comes before the browser's own submit and HTMX's alike.
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
      if (value === "") event.formData.delete(name);
    }
  });

  document.addEventListener("change", (event) => {
    const field = event.target;
    const form = field.form;
    // A day that is still being typed is out of range.
    if (form?.matches("[data-filter]") && field.matches("[data-auto]") && form.checkValidity()) {
      form.requestSubmit();
    }
  });

  // A list that was open stays open when its bar comes anew, and the focus in it stays: HTMX could not
  // give it to what was still hidden.
  let open = [];
  let focused = "";
  document.addEventListener("htmx:beforeSwap", () => {
    open = [...document.querySelectorAll("[data-picker][open]")].map((picker) => picker.id);
    focused = document.activeElement.id;
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of open) {
      const picker = document.getElementById(id);
      if (!picker) continue;
      picker.open = true;
      const field = focused && document.getElementById(focused);
      if (picker.contains(field)) field.focus({ preventScroll: true });
    }
  });

  document.addEventListener("click", (event) => {
    for (const picker of document.querySelectorAll("[data-picker][open]")) {
      if (!picker.contains(event.target)) picker.open = false;
    }
  });

  // Keys ----------------------------------------------------------------------------------------

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const picker = event.target.closest?.("[data-picker][open]");
      if (picker) {
        picker.open = false;
        picker.querySelector("summary").focus();
      }
      return;
    }
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input, select, textarea, [contenteditable]")) return;
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
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
