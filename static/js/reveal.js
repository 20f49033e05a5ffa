/* Lets people see the password that they type. The button is made here, as without a script it could do nothing. */
(() => {
  for (const input of document.querySelectorAll("input[type=password]")) {
    const button = document.createElement("button");
    const box = document.createElement("div");
    const name = document.querySelector(`label[for="${input.id}"]`)?.textContent.trim().toLowerCase() ?? "password";
    const say = (shown) => {
      button.textContent = shown ? "Hide" : "Show";
      button.setAttribute("aria-label", `${shown ? "Hide" : "Show"} ${name}`);
    };
    box.className = "reveal";
    button.type = "button";
    button.className = "btn btn-plain btn-small";
    button.addEventListener("click", () => {
      input.type = input.type === "password" ? "text" : "password";
      say(input.type === "text");
    });
    // Browsers remember what stands in text fields, so it is a password again when it leaves.
    input.form?.addEventListener("submit", () => {
      input.type = "password";
      say(false);
    });
    say(false);
    input.replaceWith(box);
    box.append(input, button);
  }
})();
