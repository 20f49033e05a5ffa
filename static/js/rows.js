/* Rows of a Django formset: adding and removing without a round trip. Without it, the submit buttons named in
   data-rows-add and the delete boxes do the same through the server. Markup: templates/components/rows.html. */
(() => {
  const total = (rows) => rows.querySelector('input[name$="-TOTAL_FORMS"]');

  const add = (rows) => {
    const counter = total(rows);
    const markup = rows.querySelector("template").innerHTML.replaceAll("__prefix__", counter.value);
    const list = rows.querySelector("[data-rows-list]");
    list.insertAdjacentHTML("beforeend", markup);
    counter.value = Number(counter.value) + 1;
    prepare(list.lastElementChild);
    list.lastElementChild.querySelector("input:not([type=hidden]), select, textarea")?.focus();
  };

  /* Django reads the rows by number, so a removed one stays in the form, marked and out of sight. */
  const remove = (row) => {
    const rows = row.closest("[data-rows]");
    row.querySelector('input[name$="-DELETE"]').checked = true;
    row.hidden = true;
    rows.querySelector("[data-rows-add]")?.focus();
    rows.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const prepare = (row) => {
    for (const element of row.querySelectorAll("[data-rows-mark]")) element.hidden = true;
    for (const element of row.querySelectorAll("[data-rows-remove]")) element.hidden = false;
  };

  const start = (root) => root.querySelectorAll("[data-rows-list] > *").forEach(prepare);

  document.addEventListener("DOMContentLoaded", () => start(document));
  document.addEventListener("htmx:load", ({ target }) => start(target));

  document.addEventListener("click", (event) => {
    const adder = event.target.closest("[data-rows-add]");
    const remover = event.target.closest("[data-rows-remove]");
    if (adder) {
      event.preventDefault();
      add(adder.closest("[data-rows]"));
    } else if (remover) {
      event.preventDefault();
      remove(remover.closest("[data-rows-list] > *"));
    }
  });
})();
