/* The wizard without losing what was typed: a click on the rail first sends the form, and a value that becomes secret
   is hidden while it is typed. Without this, the rail is plain links and "Back" and "Save draft" keep everything. */
(() => {
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".steps a[href]");
    const form = document.querySelector("form#step");
    const plain = !event.defaultPrevented && event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!link || !plain || !form || !form.querySelector("button[name=action][value=save]")) return;
    event.preventDefault();
    const action = document.createElement("input");
    action.type = "hidden";
    action.name = "action";
    action.value = `go:${link.pathname.split("/").at(-2)}`;
    form.append(action);
    form.submit();
  });

  document.addEventListener("change", ({ target }) => {
    const row = target.matches("input[name$='-secret']") && target.closest(".variable");
    const value = row && row.querySelector("input[name$='-value']");
    if (value) value.type = target.checked ? "password" : "text";
  });
})();
