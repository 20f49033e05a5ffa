/* A search over a list of boxes to tick: hides the labels that do not match. Hidden in the page until it can work. */
(() => {
  const start = () => {
    for (const box of document.querySelectorAll("[data-narrows]")) {
      const list = document.getElementById(box.dataset.narrows);
      const field = box.querySelector("input");
      if (!list || !box.hidden) continue;
      box.hidden = false;
      field.addEventListener("input", (event) => {
        event.stopPropagation();
        const words = field.value.trim().toLowerCase();
        for (const label of list.children) label.hidden = words !== "" && !label.textContent.toLowerCase().includes(words);
      });
      field.addEventListener("change", (event) => event.stopPropagation());
    }
  };
  document.addEventListener("DOMContentLoaded", start);
})();
