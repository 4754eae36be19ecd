// A button with data-copy copies the text of the element with that id, and says so in the words of data-copied.
// The button with data-copy-first has the focus once it can copy.
(() => {
  "use strict";

  const SAID_FOR = 3000;

  async function copy(source) {
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      return true;
    } catch {
      // Without the clipboard (plain HTTP) the text is selected: for the old way, and for a person where that fails too.
      window.getSelection().selectAllChildren(source);
      return document.execCommand("copy");
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button || !(await copy(document.getElementById(button.dataset.copy)))) return;
    button.dataset.words ??= button.textContent;
    button.textContent = button.dataset.copied;
    // The line of every page that is read out.
    const line = document.getElementById("announcement");
    if (line) line.textContent = button.dataset.copied;
    window.setTimeout(() => {
      button.textContent = button.dataset.words;
      if (line) line.textContent = "";
    }, SAID_FOR);
  });

  // Not by autofocus: a key pressed before this script is there would be lost.
  document.querySelector("[data-copy-first]")?.focus();
})();
