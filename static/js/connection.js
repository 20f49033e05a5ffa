/* Parts that fetch themselves keep their last facts when the server is away; this says so, and since when.
   When the session has ended, they would be answered with the sign-in page, which belongs in the window instead. */
(() => {
  const show = (sentence) => {
    const place = document.getElementById("connection");
    if (!place || !place.hidden) return;
    const clock = new Date().toISOString().slice(11, 16);
    place.querySelector("strong").textContent = `${sentence} since ${clock} UTC`;
    place.hidden = false;
  };

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const answered = detail.xhr.responseURL && new URL(detail.xhr.responseURL).pathname;
    if (answered !== document.body.dataset.signIn) return;
    detail.shouldSwap = false;
    location.reload();
  });
  document.addEventListener("htmx:sendError", () => show("This page cannot reach the server"));
  document.addEventListener("htmx:timeout", () => show("The server does not answer"));
  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (detail.xhr.status >= 500) show("The server reports an error");
  });
  document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
    const place = document.getElementById("connection");
    if (place && detail.xhr.status < 500) place.hidden = true;
  });
})();
