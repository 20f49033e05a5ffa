/* Buttons that copy their text, or that of an element; they are hidden in the page and appear when this can work. */
(() => {
  if (!navigator.clipboard) return;

  const reveal = (root) => {
    for (const button of root.querySelectorAll("[data-copy], [data-copy-from]")) button.hidden = false;
  };

  document.addEventListener("DOMContentLoaded", () => reveal(document));
  document.addEventListener("htmx:load", ({ target }) => reveal(target));

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    const label = button.querySelector("span");
    const text = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom)?.textContent ?? "";
    const words = (button.dataset.label ??= label.textContent);
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Cannot copy";
    }
    setTimeout(() => { label.textContent = words; }, 2000);
  });
})();
