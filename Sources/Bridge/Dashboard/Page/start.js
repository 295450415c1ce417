// The first day: Codex is installed, logged in, tried, and connected with a client.

views.start = (() => {
  const root = $("view-start");
  const steps = element("ol", { class: "steps" });
  const nodes = {};
  const installCommand = "npm install -g @openai/codex";

  /** A step: a mark, a heading, and what there is to do. */
  function makeStep(name, ...content) {
    const mark = element("span", { class: "mark" });
    const state = element("span", { class: "unseen" });
    const heading = element("span", {});
    const node = element("li", { class: "card step" }, mark,
      element("div", { class: "step-body" }, element("h2", {}, heading, state), ...content));
    nodes[name] = { node, mark, state, heading };
    steps.append(node);
  }

  /** A command to paste in a terminal, with its button. */
  function makeCommand(text, name) {
    const block = element("pre", { class: "grow" }, element("code", {}));
    const row = element("div", { class: "command-line", hidden: true }, block, element("div", {}));
    row.showCommand = (isShown) => {
      row.hidden = !isShown || !text();
      if (row.hidden) return;
      setText(block.firstElementChild, text());
      if (!row.lastElementChild.hasChildNodes()) row.lastElementChild.append(copyButton(text, t(name), block));
    };
    row.clear = () => {
      block.firstElementChild.replaceChildren();
      row.lastElementChild.replaceChildren();
      row.hidden = true;
    };
    return row;
  }

  /** `stage` is "done", "open" or "failed"; `title` the row of the heading. */
  function showStep(name, stage, title = `start.${name}`) {
    const { node, mark, state, heading } = nodes[name];
    setText(heading, t(title));
    if (node.stage === stage && state.textContent) return;
    node.stage = stage;
    for (const other of ["done", "failed"]) node.classList.toggle(other, stage === other);
    setText(state, ` (${t(`step.${stage}`)})`);
    mark.replaceChildren(stage === "done" ? icon("check") : stage === "failed" ? "!" : String([...steps.children].indexOf(node) + 1));
  }

  const found = element("p", { class: "soft", role: "status" });
  const installRow = makeCommand(() => installCommand, "start.installCommand");
  makeStep("found", found, installRow);

  const login = element("p", { class: "soft", role: "status" });
  let loginCommand = "";
  const commandRow = makeCommand(() => loginCommand, "start.loginCommand");
  makeStep("login", login, commandRow);

  const message = element("textarea", { id: "start-message", rows: 2, maxLength: 20000, "data-t-placeholder": "start.tryExample" });
  const trySend = element("button", { type: "submit", class: "primary", "data-t": "start.trySend" });
  const form = element("form", { class: "try" },
    element("label", { for: "start-message", class: "unseen", "data-t": "start.tryLabel" }), message,
    trySend);
  makeStep("try", form);

  const defaultKey = element("p", { class: "soft small", "data-t": "start.defaultKey", hidden: true });
  makeStep("connect", element("p", { class: "soft", "data-t": "start.connectText" }),
    element("p", {}, element("a", { class: "button", href: "#/connect", "data-t": "start.connectOpen" })), defaultKey);

  root.append(element("header", { class: "view-head" }, element("h1", { id: "h-start", tabIndex: -1, "data-t": "start.title" })),
    element("p", { class: "soft", "data-t": "start.intro" }), steps);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (trySend.disabled) return;
    const text = message.value.trim() || t("start.tryExample");
    message.value = "";
    views.chat.begin(text);
  });
  message.addEventListener("keydown", (event) => {
    if (!chatControls.isSendKey(event)) return;
    event.preventDefault();
    if (!trySend.disabled) form.requestSubmit();
  });

  return {
    show() {},
    update(facts) {
      const { engine, account, bridge } = facts;
      const isUnusable = ["codex_missing", "codex_not_executable", "codex_too_old"].includes(engine.reason);
      const isFound = Boolean(engine.version) && !isUnusable;
      const isLoggedIn = engine.ready && account !== null;
      showStep("found", isFound ? "done" : isUnusable ? "failed" : "open", isFound ? "start.found" : "start.install");
      setCode(found, isFound ? t("start.foundText", { version: engine.version }) : engine.reason === "codex_missing" ? t("start.missing")
        : engine.reason === "starting" || !engine.message ? t("start.finding") : engineWords(engine));
      installRow.showCommand(["codex_missing", "codex_too_old"].includes(engine.reason));
      showStep("login", isLoggedIn ? "done" : "open");
      loginCommand = engine.login_command || "";
      setCode(login, isLoggedIn ? loginWords(account, bridge)
        : loginCommand ? t("start.loginText") : engine.reason === "not_logged_in" ? engineWords(engine) : "");
      commandRow.showCommand(!isLoggedIn);
      showStep("try", isFirstDay(facts) ? "open" : "done");
      trySend.disabled = !engine.ready;
      showStep("connect", (facts.clients || []).some(({ name }) => name !== thisPage) ? "done" : "open");
      defaultKey.hidden = !facts.bridge.uses_default_key;
    },
    relabel() {
      for (const name of Object.keys(nodes)) showStep(name, nodes[name].stage || "open", name === "found" ? "start.install" : undefined);
      for (const { state } of Object.values(nodes)) state.textContent = "";
      for (const row of [installRow, commandRow]) row.clear();
    },
    reset() {
      message.value = "";
      for (const node of [found, login]) setCode(node, "");
      for (const row of [installRow, commandRow]) row.clear();
    },
  };
})();
