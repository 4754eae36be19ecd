// The small conveniences of every page. Nothing here is needed to use one.
(() => {
  "use strict";

  // The filter bar ------------------------------------------------------------------------------

  // Empty fields stay out of the address. This event comes before the browser's own submit and HTMX's alike.
  document.addEventListener("formdata", (event) => {
    if (!event.target.matches("[data-filter]")) return;
    for (const [name, value] of [...event.formData]) {
      if (value === "") event.formData.delete(name);
    }
  });

  function nameRooms(form) {
    const chosen = form.querySelector(".picker-chosen");
    if (!chosen) return;
    const names = [...form.querySelectorAll("input[name=room]:checked")].map((box) => {
      const name = document.createElement("span");
      name.textContent = box.closest("label").textContent.trim();
      return name;
    });
    chosen.replaceChildren(...names);
  }

  document.addEventListener("change", (event) => {
    const field = event.target;
    const form = field.form;
    if (!form?.matches("[data-filter]")) return;
    const { period, from, to } = form.elements;
    if (field.name === "room") nameRooms(form);
    if (field === period && period.value && from) from.value = to.value = "";
    if ((field === from || field === to) && field.value && period) period.value = "";
    // A year that is still being typed is out of range.
    if (!field.matches("[data-auto]") || !form.checkValidity()) return;
    if (field === period && !period.value) {
      from?.focus();
      return;
    }
    form.requestSubmit();
  });

  // The address changed without a new page: what was made from it has to follow.
  function followAddress() {
    const query = new URLSearchParams(window.location.search);
    for (const link of document.querySelectorAll("a[data-follow]")) {
      const own = new URL(link.href);
      const next = new URLSearchParams(query);
      next.delete("page");
      for (const name of ["bom", "raw"]) {
        if (own.searchParams.has(name)) next.set(name, own.searchParams.get(name));
      }
      own.search = next.toString();
      link.href = own.href;
    }
    for (const form of document.querySelectorAll("form[data-filter]")) {
      const hidden = form.querySelector("input[name=sort]");
      if (hidden) {
        hidden.value = query.get("sort") ?? "";
      } else if (query.has("sort")) {
        const made = Object.assign(document.createElement("input"), { type: "hidden", name: "sort" });
        made.value = query.get("sort");
        form.append(made);
      }
    }
  }
  document.addEventListener("htmx:pushedIntoHistory", followAddress);
  document.addEventListener("htmx:replacedInHistory", followAddress);

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

  // A page out of sight need not ask how fresh it is.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isFreshness(event.detail.elt) && document.hidden) {
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
    // The session ended: the answer is the sign-in page, which is no part of this one.
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
