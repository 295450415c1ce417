// What Codex did on the way to an answer: commands, calls of functions, questions. A fold that is opened to read them.

const chatSteps = (() => {
  function makeFold(className) {
    return element("details", { class: `fold ${className}` }, element("summary", {},
      element("span", { class: "fold-mark" }), element("span", { class: "fold-title", "data-part": "title" })));
  }

  const stateOf = (step, isDone) => {
    // A turn that has ended leaves nothing running.
    if (step.status === "in_progress") return isDone ? "unknown" : "running";
    if (step.status === "unfinished") return "unknown";
    if (step.status === "failed" || (step.exit_code !== null && step.exit_code !== undefined && step.exit_code !== 0)) return "failed";
    return step.status === "declined" ? "declined" : "done";
  };

  /** What became of a question. That nobody has answered it stands in the bridge's words alone. */
  function approvalWord(step, state) {
    if (state === "running") return "asks";
    if (state === "done") return "accepted";
    return state === "declined" && /^Nobody answered in time/m.test(step.text) ? "expired" : state;
  }

  function stepWords(step, isDone) {
    if (step.exit_code !== null && step.exit_code !== undefined) return t("chat.exit", { code: String(step.exit_code) });
    const state = stateOf(step, isDone);
    if (step.type === "approval") return t(`chat.step.${approvalWord(step, state)}`);
    // A note tells something and does nothing.
    if (step.type === "note" && state !== "failed") return "";
    return t(`chat.step.${state}`);
  }

  /** "Running `ls`" is how the bridge tells of a command. */
  const commandOf = (text) => (/^Running `([^]*)`$/.exec(text) || [null, null])[1];
  const isCommand = (step) => step.type === "command" || commandOf(step.text) !== null;
  const titleOf = (step) => (step.type === "call" ? t("chat.called", { name: step.text }) : (commandOf(step.text) ?? step.text)).split("\n")[0].slice(0, 200);

  /** Brings the node of a part with steps up to date; a node it does not have yet is given to `add`. */
  function updateSteps(one, isDone, add) {
    if (!one.node) {
      one.node = add(makeFold("deeds"));
      one.node.append(element("ol", { class: "fold-body", "data-part": "list" }));
    }
    const states = one.steps.map((step) => stateOf(step, isDone));
    const latest = one.steps[one.steps.length - 1];
    const isActive = states.includes("running");
    one.node.classList.toggle("busy", isActive);
    one.node.classList.toggle("bad", !isActive && states.some((state) => state === "failed"));
    // What runs is told, and what was the only one; else how many there were.
    const told = isActive ? one.steps[states.lastIndexOf("running")] : one.steps.length === 1 ? latest : null;
    const words = told && !isActive ? stepWords(told, isDone) : "";
    part(one.node, "title").classList.toggle("mono", told !== null && isCommand(told));
    setText(part(one.node, "title"), told ? `${titleOf(told)}${words ? ` · ${words}` : ""}` : t("chat.steps", { count: one.steps.length }));
    reconcile(part(one.node, "list"), one.steps, (step) => step.id, makeStep, (node, step) => {
      const state = stateOf(step, isDone);
      part(node, "state").className = `deed-state ${state}`;
      setText(part(node, "state"), stepWords(step, isDone));
      const text = part(node, "text");
      setText(text, step.type === "call" ? t("chat.called", { name: step.text }) : commandOf(step.text) ?? step.text);
      for (const name of ["input", "output"]) {
        if (!step[name]) continue;
        part(node, name).hidden = false;
        setText(part(node, name), step[name]);
      }
    });
  }

  function makeStep(step) {
    return element("li", {},
      element("div", { class: "deed" },
        element(isCommand(step) ? "code" : "span", { class: "deed-text", "data-part": "text" }),
        element("span", { class: "deed-state", "data-part": "state" })),
      element("pre", { class: "deed-data", "data-part": "input", hidden: true, tabIndex: 0, "aria-label": t("chat.arguments") }),
      element("pre", { class: "deed-data", "data-part": "output", hidden: true, tabIndex: 0, "aria-label": t("chat.output") }));
  }

  return { makeFold, update: updateSteps };
})();
