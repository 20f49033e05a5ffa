/* Forms with data-once are sent once: a second click while the answer is on its way would throw away what it shows. */
(() => {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!("once" in form.dataset)) return;
    if (form.getAttribute("aria-busy") === "true") event.preventDefault();
    form.setAttribute("aria-busy", "true");
  });
  // Going back may bring the page from the browser's memory, as it was left.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-once]")) form.removeAttribute("aria-busy");
  });
})();
