/* Passkeys. A form with data-passkey ("create" or "get") has the browser make or use one before it is sent; the options
   stand in #passkey-options, or are fetched from data-passkey-ask. Where that cannot work, its button stays hidden. */
(() => {
  const isAddress = /^[\d.]+$|:/.test(location.hostname);
  const works = Boolean(window.PublicKeyCredential) && window.isSecureContext && !isAddress;

  const bytes = (text) => {
    const plain = text.replaceAll("-", "+").replaceAll("_", "/");
    return Uint8Array.from(atob(plain), (letter) => letter.charCodeAt(0));
  };
  const text = (buffer) => {
    if (!buffer) return undefined;
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  const named = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

  const create = async ({ publicKey }) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        user: { ...publicKey.user, id: bytes(publicKey.user.id) },
        excludeCredentials: named(publicKey.excludeCredentials),
      },
    });
    return {
      id: made.id, rawId: text(made.rawId), type: made.type,
      clientExtensionResults: made.getClientExtensionResults(),
      response: {
        clientDataJSON: text(made.response.clientDataJSON),
        attestationObject: text(made.response.attestationObject),
        transports: made.response.getTransports?.() ?? [],
      },
    };
  };

  const get = async ({ publicKey }) => {
    const used = await navigator.credentials.get({
      publicKey: {
        ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: named(publicKey.allowCredentials),
      },
    });
    return {
      id: used.id, rawId: text(used.rawId), type: used.type,
      clientExtensionResults: used.getClientExtensionResults(),
      response: {
        clientDataJSON: text(used.response.clientDataJSON),
        authenticatorData: text(used.response.authenticatorData),
        signature: text(used.response.signature),
        userHandle: text(used.response.userHandle),
      },
    };
  };

  const options = async (form) => {
    if (!form.dataset.passkeyAsk) return JSON.parse(document.getElementById("passkey-options").textContent);
    const answer = await fetch(form.dataset.passkeyAsk, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
    return (await answer.json()).request_options;
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!works) continue;
    form.hidden = false;
    form.querySelector("button[type=submit]").hidden = false;
    form.querySelector("[data-passkey-absent]")?.remove();
    const problem = form.querySelector("[data-passkey-problem]");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.hidden = true;
      try {
        const made = await (form.dataset.passkey === "create" ? create : get)(await options(form));
        form.elements.credential.value = JSON.stringify(made);
        form.submit();
      } catch (error) {
        // People close the browser's dialog as well; they see the same sentence and may try again.
        problem.textContent = error.name === "InvalidStateError"
          ? "This device has a passkey for this account already."
          : "No passkey was used. Try it once more.";
        problem.hidden = false;
      }
    });
  }
})();
