/* The playground: sends a message to one or two models at once, and writes the answers down as they come.
   Answers are lines of JSON from our own server (console/portal/relay.py); all of it is put in as text. */
(() => {
  const number = new Intl.NumberFormat("en-GB");

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("playground");
    if (!form) return;
    const panes = form.querySelector(".panes");
    const [send, stop, anew] = ["send", "stop", "anew"].map((name) => form.querySelector(`[data-${name}]`));
    let talks = [];
    let abort = null;

    const element = (tag, name, text = "") => {
      const made = document.createElement(tag);
      made.className = name;
      made.textContent = text;
      return made;
    };

    const open = (model, index) => {
      const pane = document.getElementById("pane").content.cloneNode(true).firstElementChild;
      const head = pane.querySelector("h2");
      head.textContent = model;
      head.id = `pane-${index}-title`;
      pane.setAttribute("aria-labelledby", head.id);
      const log = pane.querySelector(".said");
      log.setAttribute("aria-label", `Conversation with ${model}`);
      panes.append(pane);
      return { model, log, said: [] };
    };

    /* Whoever reads at the end goes on to see the end; whoever scrolled back is left there. */
    const keepingTheEnd = (log, change) => {
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
      change();
      if (atEnd) log.scrollTop = log.scrollHeight;
    };

    const write = (log, part) => {
      keepingTheEnd(log, () => log.append(part));
      return part;
    };

    const refuse = (log, sentence, wait) => {
      const notice = document.getElementById("refusal").content.cloneNode(true).firstElementChild;
      notice.querySelector("p").textContent = wait ? `${sentence} It works again in ${wait} s.` : sentence;
      write(log, notice);
    };

    const figures = (end) => {
      const tokens = (count) => (count === null || count === undefined ? "–" : number.format(count));
      return [
        end.ttft_ms === null ? "No token came" : `First token after ${number.format(end.ttft_ms)} ms`,
        `${end.seconds} s in all`,
        `${tokens(end.input)} tokens in${end.cached ? ` (${tokens(end.cached)} cached)` : ""}`,
        `${tokens(end.output)} out`,
        end.cost,
        ...(end.is_cut ? ["cut at the longest answer"] : []),
      ].join(" · ");
    };

    /* Lines of an answer's body, each as soon as it is whole. */
    async function* lines(body) {
      const reader = body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const parts = (rest + value).split("\n");
        rest = parts.pop();
        yield* parts.filter(Boolean);
      }
    }

    const ask = async (talk, message, signal) => {
      const { log, said } = talk;
      write(log, element("div", "asked", message));
      log.scrollTop = log.scrollHeight;
      log.setAttribute("aria-busy", "true");
      const content = new FormData(form);
      content.set("model", talk.model);
      content.set("other", "");
      content.set("message", message);
      content.set("history", JSON.stringify(said));
      const parts = {};
      let told = "";
      try {
        const answer = await fetch(form.dataset.answer, { method: "POST", body: content, signal });
        if (answer.redirected) location.assign(document.body.dataset.signIn);
        const kind = answer.headers.get("Content-Type") ?? "";
        if (!answer.ok || !kind.startsWith("application/x-ndjson")) {
          const problem = kind.startsWith("application/json") ? await answer.json() : {};
          refuse(log, problem.sentence ?? `The server answered with ${answer.status}.`, null);
          return;
        }
        for await (const line of lines(answer.body)) {
          const event = JSON.parse(line);
          if (event.event === "end") {
            write(log, element("p", "quiet small", figures(event)));
          } else if (event.event === "refused") {
            refuse(log, event.sentence, event.wait);
          } else {
            const name = event.event === "text" ? "told" : "thought";
            parts[name] ??= write(log, element("div", name));
            keepingTheEnd(log, () => parts[name].append(event.text));
            if (name === "told") told += event.text;
          }
        }
      } catch (error) {
        const sentence = error.name === "AbortError"
          ? "Stopped. What the model wrote until then is metered."
          : "The connection was lost. What the model wrote until then is metered.";
        refuse(log, sentence, null);
      } finally {
        log.removeAttribute("aria-busy");
        // A conversation takes turns: without an answer, the question is not a part of it either.
        if (told) said.push({ role: "user", content: message }, { role: "assistant", content: told });
      }
    };

    const chosen = () => [...new Set([form.elements.model.value, form.elements.other.value].filter(Boolean))];

    const begin = () => {
      panes.replaceChildren();
      form.querySelector("[data-hint]")?.setAttribute("hidden", "");
      talks = chosen().map(open);
    };

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const message = form.elements.message.value.trim();
      if (abort || !message) {
        form.elements.message.focus();
        return;
      }
      if (talks.map((talk) => talk.model).join() !== chosen().join()) begin();
      abort = new AbortController();
      send.setAttribute("aria-busy", "true");
      stop.hidden = false;
      form.elements.message.value = "";
      await Promise.all(talks.map((talk) => ask(talk, message, abort.signal)));
      abort = null;
      send.removeAttribute("aria-busy");
      stop.hidden = true;
      anew.hidden = false;
      form.elements.message.focus();
    });

    form.elements.message.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });

    stop.addEventListener("click", () => abort?.abort());
    anew.addEventListener("click", () => {
      abort?.abort();
      begin();
      anew.hidden = true;
      form.elements.message.focus();
    });
  });
})();
