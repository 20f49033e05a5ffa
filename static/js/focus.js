/* After a part of the page was replaced: the focus goes to the error summary, or else to the new heading. */
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const part = detail.elt;
  const target = part.matches("[data-focus]") ? part : part.querySelector("[data-focus]");
  target?.focus();
});
