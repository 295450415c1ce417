// The first day: Codex is found, logged in, tried, and connected with a client.

views.start = (() => {
  const root = $("view-start");
  const steps = element("ol", { class: "steps" });
  const nodes = {};

  /** A step: a mark, a heading, and what there is to do. */
  function makeStep(name, ...content) {
    const mark = element("span", { class: "mark" });
    const state = element("span", { class: "unseen" });
    const node = element("li", { class: "card step" }, mark,
      element("div", { class: "step-body" }, element("h2", {}, element("span", { "data-t": `start.${name}` }), state), ...content));
    nodes[name] = { node, mark, state };
    steps.append(node);
  }

  function showStep(name, isDone) {
    const { node, mark, state } = nodes[name];
    if (node.isDone === isDone && state.textContent) return;
    node.isDone = isDone;
    node.classList.toggle("done", isDone);
    setText(state, ` (${t(isDone ? "step.done" : "step.open")})`);
    mark.replaceChildren(isDone ? icon("check") : String([...steps.children].indexOf(node) + 1));
  }

  const found = element("p", { class: "soft", role: "status" });
  makeStep("found", found);

  const login = element("p", { class: "soft", role: "status" });
  const command = element("pre", { class: "grow" }, element("code", {}));
  const commandCopy = element("div", {});
  const commandRow = element("div", { class: "command-line", hidden: true }, command, commandCopy);
  makeStep("login", login, commandRow);

  const message = element("textarea", { id: "start-message", rows: 2, maxLength: 20000, "data-t-placeholder": "start.tryExample" });
  const form = element("form", { class: "try" },
    element("label", { for: "start-message", class: "unseen", "data-t": "start.tryLabel" }), message,
    element("button", { type: "submit", class: "primary", "data-t": "start.trySend" }));
  makeStep("try", form);

  const defaultKey = element("p", { class: "soft small", "data-t": "start.defaultKey", hidden: true });
  makeStep("connect", element("p", { class: "soft", "data-t": "start.connectText" }),
    element("p", {}, element("a", { class: "button", href: "#/connect", "data-t": "start.connectOpen" })), defaultKey);

  root.append(element("header", { class: "view-head" }, element("h1", { id: "h-start", tabIndex: -1, "data-t": "start.title" })),
    element("p", { class: "soft", "data-t": "start.intro" }), steps);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = message.value.trim() || t("start.tryExample");
    message.value = "";
    views.chat.begin(text);
  });
  message.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });

  return {
    show() {},
    update(facts) {
      const { engine, account } = facts;
      const isFound = Boolean(engine.version);
      const isLoggedIn = engine.ready && account !== null;
      showStep("found", isFound);
      setText(found, isFound ? t("start.foundText", { version: engine.version })
        : engine.reason === "starting" || !engine.message ? t("start.finding") : engine.message);
      showStep("login", isLoggedIn);
      setText(login, isLoggedIn ? t("start.loginDone", { how: t(has(`login.${account.kind}`) ? `login.${account.kind}` : "login.other") })
        : engine.login_command ? t("start.loginText") : engine.reason === "not_logged_in" ? engine.message : "");
      commandRow.hidden = isLoggedIn || !engine.login_command;
      if (engine.login_command && command.textContent !== visible(engine.login_command)) {
        setText(command.firstElementChild, engine.login_command);
        commandCopy.replaceChildren(copyButton(() => engine.login_command, t("start.loginCommand"), command));
      }
      showStep("try", !isFirstDay(facts));
      form.querySelector("button").disabled = !engine.ready;
      showStep("connect", (facts.clients || []).some(({ name }) => name !== thisPage));
      defaultKey.hidden = !facts.bridge.uses_default_key;
    },
    relabel() {
      for (const { state } of Object.values(nodes)) state.textContent = "";
      commandCopy.replaceChildren();
      setText(command.firstElementChild, "");
    },
    reset() { message.value = ""; },
  };
})();
