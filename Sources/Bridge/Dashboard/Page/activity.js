// What the key's clients ask and asked: waiting, running and done in one list, newest first.

views.activity = (() => {
  const root = $("view-activity");
  const kinds = ["all", "waiting", "running", "done", "failed"];
  let kind = "all";
  let text = "";

  const search = element("input", {
    id: "activity-search", class: "search", type: "search", maxLength: 256, spellcheck: false, autocapitalize: "off",
    autocomplete: "off", "data-t-placeholder": "activity.searchHint",
  });
  const filters = element("div", { class: "filters", role: "group", "data-t-aria-label": "activity.filter" }, ...kinds.map((name) => {
    const button = element("button", { type: "button", id: `filter-${name}`, "data-t": `filter.${name}`, "aria-pressed": String(name === kind) });
    button.addEventListener("click", () => {
      kind = name;
      for (const other of filters.children) other.setAttribute("aria-pressed", String(other === button));
      if (snapshot) update(snapshot);
    });
    return button;
  }));
  const count = element("span", { id: "activity-count", class: "soft small number", role: "status" });
  const others = element("p", { id: "turns-more", class: "soft small" });
  const empty = element("p", { id: "turns-empty", class: "empty" });
  const rows = element("ul", { id: "turn-rows", class: "rows" });
  root.append(
    element("header", { class: "view-head" }, element("h1", { id: "h-activity", tabIndex: -1, "data-t": "nav.activity" }), count,
      element("label", { for: "activity-search", class: "unseen", "data-t": "activity.search" }), search),
    element("div", { class: "filter-line" }, filters, others),
    element("div", { class: "card" }, empty, rows));

  search.addEventListener("input", () => {
    text = search.value.trim().toLowerCase();
    if (snapshot) update(snapshot);
  });

  /** Whether a request is of a kind. One that waits for a person runs, and it waits. */
  function isOf(turn, wanted) {
    const isAsking = turn.state === "running" && turn.doing === "waiting_for_approval";
    return wanted === "all" || (wanted === "waiting" && isAsking)
      || wanted === (["waiting", "running", "failed"].includes(turn.state) ? turn.state : "done");
  }
  const contains = (turn) => [turn.session, turn.title, turn.model, turn.client, turn.request_id, turn.error?.code]
    .some((value) => value && value.toLowerCase().includes(text));

  /** The requests with a key for each row: ids are the clients' own and may repeat. */
  function listed(facts) {
    const seen = new Map();
    return (facts.activity || []).map((turn) => {
      const id = `${turn.request_id}\n${turn.started}`;
      const repeats = seen.get(id) || 0;
      seen.set(id, repeats + 1);
      const question = facts.approvals.find((approval) => approval.request_id === turn.request_id);
      return { ...turn, itemKey: `${id}\n${repeats}`, title: turn.session && titleOf(turn.session, facts), question: question?.id };
    });
  }

  function update(facts) {
    const all = listed(facts);
    const items = all.filter((turn) => isOf(turn, kind) && (!text || contains(turn)));
    reconcile(rows, items, (turn) => turn.itemKey, makeTurn, updateTurn, $("h-activity"));
    empty.hidden = items.length > 0;
    setText(empty, t(all.length ? "activity.noMatch" : "activity.empty"));
    setText(count, items.length < all.length ? t("activity.count", { shown: items.length, total: all.length }) : "");
    const foreign = facts.turns.running_count - facts.turns.own_count;
    setText(others, foreign > 0 ? t("activity.others", { count: foreign }) : "");
  }

  function makeTurn(turn) {
    const more = element("div", { class: "details", hidden: true, id: `details-${(makeTurn.count = (makeTurn.count || 0) + 1)}` });
    const open = element("button", { type: "button", class: "disclose", "aria-expanded": "false", "aria-controls": more.id },
      element("span", { class: "doing", "data-part": "doing" }, element("span", { class: "dot", "aria-hidden": "true" }), element("span", { class: "clip", "data-part": "session" }),
        element("span", { class: "tag", "data-part": "state" }), icon("more")),
      element("span", { class: "what small clip", "data-part": "what" }),
      element("span", { class: "facts number" }, element("span", { class: "mono clip", "data-part": "id" }), element("span", { "data-part": "model" }),
        element("span", { "data-part": "client" }), element("time", { "data-part": "age" }), element("span", { "data-part": "figures" })));
    const stop = element("button", { type: "button", class: "danger", textContent: t("turn.stop"), "data-part": "stop", "aria-label": t("turn.stopLabel", { id: turn.request_id }) });
    stop.addEventListener("click", async () => {
      if (isBusy(stop)) return;
      setBusy(stop, true);
      const answer = await act("POST", `/api/turns/${encodeURIComponent(turn.request_id)}/stop`);
      if (answer) announce(t("turn.stopAnnounce"));
      else setBusy(stop, false);
    });
    const answer = element("a", { class: "button", textContent: t("turn.answer"), "data-part": "answer", "aria-label": t("turn.answerLabel", { id: turn.request_id }) });
    const node = element("li", { class: "turn" }, element("div", { class: "row" }, open, answer, stop), more);
    open.addEventListener("click", () => {
      more.hidden = !more.hidden;
      open.setAttribute("aria-expanded", String(!more.hidden));
      if (!more.hidden) showDetails(node);
    });
    node.more = more;
    return node;
  }

  function stateWords(turn) {
    if (turn.state === "running") return t(has(`turn.${turn.doing}`) ? `turn.${turn.doing}` : "turn.running");
    return t(has(`turn.${turn.state}`) ? `turn.${turn.state}` : "turn.completed");
  }

  /** What it does right now, or what went wrong. */
  function whatWords(turn) {
    if (turn.state === "running") return turn.detail || "";
    return turn.state === "failed" && turn.error ? `${turn.error.code}: ${turn.error.message}` : "";
  }

  function updateTurn(node, turn) {
    node.turn = turn;
    const isLive = turn.state === "waiting" || turn.state === "running";
    const what = whatWords(turn);
    setCode(part(node, "what"), what);
    part(node, "what").hidden = what === "";
    setText(part(node, "state"), stateWords(turn));
    const look = turn.state === "failed" ? "failed" : ["completed", "tool_calls"].includes(turn.state) ? "ended" : !isLive ? "quit"
      : turn.state === "waiting" || turn.doing === "waiting_for_approval" || turn.doing === "stopping" ? "waiting" : "";
    part(node, "doing").className = `doing ${look}`;
    part(node, "state").className = `tag ${{ failed: "bad", waiting: "warn", ended: "ok", quit: "plain" }[look] || ""}`;
    setText(part(node, "session"), turn.title || t("turn.oneOff"));
    part(node, "session").classList.toggle("soft", !turn.title);
    setText(part(node, "id"), turn.session && turn.session !== turn.title ? turn.session : "");
    part(node, "answer").hidden = !turn.question;
    if (turn.question) part(node, "answer").href = approvalAddress(turn.question);
    setText(part(node, "model"), turn.model || "");
    setText(part(node, "client"), clientName(turn.client || ""));
    for (const name of ["id", "model", "client"]) part(node, name).hidden = !part(node, name).textContent;
    if (isLive) setAge(part(node, "age"), "lasting", turn.started);
    else setAge(part(node, "age"), "ago", turn.ended ?? turn.started);
    const figures = isLive ? [] : [turn.duration_ms != null && milliseconds(turn.duration_ms),
      turn.tokens?.input && t("turn.tokensShort", { count: turn.tokens.input + turn.tokens.output })].filter(Boolean);
    setText(part(node, "figures"), figures.join(" · "));
    part(node, "figures").hidden = figures.length === 0;
    part(node, "stop").hidden = turn.state !== "running";
    if (turn.doing === "stopping") setBusy(part(node, "stop"), true);
    if (!node.more.hidden) showDetails(node);
  }

  /** A step, and how it ended where that is not well. */
  function makeStep(step) {
    const { text, status, exit_code: code } = step;
    const state = status === "failed" && code !== null ? t("step.exit", { code: String(code) })
      : status !== "completed" && has(`step.${status}`) ? t(`step.${status}`) : "";
    return element("li", { class: status === "failed" ? "bad-text" : "" }, ...withCode(text),
      ...(state ? [" ", element("span", { class: `tag ${{ failed: "bad", declined: "warn" }[status] || ""}`, textContent: state })] : []));
  }

  /** All there is to know of a request. Written anew only where something has changed, so that a selection stays. */
  function showDetails({ turn, more }) {
    const { itemKey, ...facts } = turn;
    const shape = JSON.stringify(facts);
    if (more.shape === shape) return;
    more.shape = shape;
    const pairs = [];
    const add = (name, ...content) => pairs.push(element("dt", { textContent: t(name) }), element("dd", {}, ...content));
    if (turn.error) {
      add("turn.error", element("code", { class: "tag bad", textContent: turn.error.code }), " ", element("span", { textContent: turn.error.message }));
    }
    if (turn.session) {
      add("turn.session", element("a", { class: "mono", href: chatAddress(turn.session), textContent: turn.session, "aria-label": t("turn.openChat", { id: turn.session }) }));
    }
    if (turn.client) add("turn.client", visible(clientName(turn.client)));
    if (turn.model) add("turn.model", visible(turn.model) + (turn.profile === "chat" ? ` · ${t("turn.plain")}` : ""));
    if (turn.api) add("turn.api", has(`api.${turn.api}`) ? t(`api.${turn.api}`) : visible(turn.api));
    add("turn.started", clock(turn.started));
    if (turn.first_text_ms != null) add("turn.firstText", milliseconds(turn.first_text_ms));
    if (turn.duration_ms != null) add("turn.duration", milliseconds(turn.duration_ms));
    if (turn.tokens) add("turn.tokens", t("turn.tokensText", turn.tokens));
    const id = element("code", { class: "mono", textContent: turn.request_id });
    add("turn.request", id, " ", copyButton(() => turn.request_id, t("turn.requestId"), id));
    const steps = turn.steps || [];
    if (steps.length) {
      const list = element("ol", { class: "did" }, ...steps.map(makeStep));
      const hidden = (turn.step_count ?? steps.length) - steps.length;
      if (hidden > 0) list.append(element("li", { class: "soft", textContent: t("turn.moreSteps", { count: hidden }) }));
      add("turn.steps", list);
    }
    const focused = more.contains(document.activeElement) ? [...more.querySelectorAll("a, button")].indexOf(document.activeElement) : -1;
    more.replaceChildren(element("dl", { class: "pairs" }, ...pairs));
    if (focused >= 0) more.querySelectorAll("a, button")[focused]?.focus({ preventScroll: true });
  }

  return {
    show() {},
    update,
    relabel() { rows.replaceChildren(); },
    reset() {
      rows.replaceChildren();
      search.value = text = "";
      for (const node of [count, others, empty]) setText(node, "");
      filters.firstElementChild.click();
    },
  };
})();
