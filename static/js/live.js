/* Parts of a page that ask for themselves again ([data-live]), and the dialog that is filled on demand.
   A poll never takes away what somebody is using: an open menu or dialog, a selection, a page in the background. */
(() => {
  const inUse = (part) => {
    if (document.hidden || document.querySelector("dialog[open]")) return true;
    if (part.querySelector(":popover-open")) return true;
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  };

  const isPoll = (detail) => detail.elt.matches("[data-live]") && detail.requestConfig?.triggeringEvent === undefined;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isPoll(event.detail) && inUse(event.detail.elt)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target?.matches("[data-live]") && isPoll(detail) && inUse(detail.target)) detail.shouldSwap = false;
  });

  /* An answer without content says: as it was, and that is known now. */
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.xhr.status !== 204 || !detail.elt.matches("[data-live]")) return;
    for (const time of detail.elt.querySelectorAll(".card-foot time[data-relative]")) {
      time.dateTime = new Date().toISOString();
      time.textContent = "just now";
    }
  });

  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    const dialog = detail.target;
    if (!dialog.matches("dialog[data-open-when-filled]") || dialog.open) return;
    document.querySelector(":popover-open")?.hidePopover();
    dialog.showModal();
  });
})();
