// The key's conversations: found, opened in the chat, renamed, forgotten.

views.sessions = (() => {
  const root = $("view-sessions");
  const pageSize = 50;
  const maxPerRequest = 1000;
  const longestTitle = 80;
  let entries = [];
  let total = 0;
  let hasMore = false;
  let text = "";
  let problemText = "";
  let reading = 0;            // Grows with each reading; an answer to an earlier one is dropped.
  let readFor = "";           // The snapshot's sessions when they were read last.
  let typing;

  const search = element("input", {
    id: "search", class: "search", type: "search", maxLength: 256, spellcheck: false, autocapitalize: "off", autocomplete: "off",
    "data-t-placeholder": "sessions.searchHint",
  });
  const count = element("span", { id: "sessions-count", class: "soft small number", role: "status" });
  const empty = element("p", { id: "sessions-empty", class: "empty", hidden: true });
  const rows = element("ul", { id: "session-rows", class: "rows", "data-t-aria-label": "sessions.list" });
  const more = element("button", { type: "button", id: "sessions-more", "data-t": "sessions.more", hidden: true });
  root.append(
    element("header", { class: "view-head" }, element("h1", { id: "h-sessions", tabIndex: -1, "data-t": "nav.sessions" }), count,
      element("label", { for: "search", class: "unseen", "data-t": "sessions.search" }), search,
      element("a", { class: "button", href: "#/chat", "data-t": "sessions.new" })),
    element("div", { class: "card" }, empty, rows), element("div", { class: "more-line" }, more));

  /** Reads `limit` sessions, behind those that are shown where `after` is given. */
  async function read(limit, after) {
    const mine = (reading += 1);
    const mineOfKey = visit;
    const parameters = { limit, ...(text && { search: text }), ...(after && { after }) };
    const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    try {
      const response = await send("GET", `/v1/sessions?${query}`);
      const answer = response.ok ? await response.json() : null;
      const reason = response.ok ? "" : await problem(response);
      if (mine !== reading) return;
      problemText = reason;
      if (answer) {
        const known = new Set(after ? entries.map(keyOf) : []);
        entries = after ? [...entries, ...answer.data.filter((entry) => !known.has(keyOf(entry)))] : answer.data;
        ({ total, has_more: hasMore } = answer);
      }
    } catch (error) {
      if (error instanceof WrongKey) return signOutOf(mineOfKey, t("gate.noLonger"));
      if (mine !== reading) return;
      problemText = t("problem.unreachable");
    }
    showAll();
  }

  const keyOf = (session) => `${session.profile} ${session.id}`;
  const readAgain = () => read(Math.min(Math.max(pageSize, entries.length), maxPerRequest));

  function showAll() {
    reconcile(rows, entries, keyOf, makeSession, updateSession, $("h-sessions"));
    rows.hidden = entries.length === 0;
    empty.hidden = entries.length > 0 && !problemText;
    setText(empty, problemText ? t("sessions.failed", { reason: problemText }) : t(text ? "sessions.noMatch" : "sessions.none"));
    setText(count, entries.length < total ? t("sessions.count", { shown: entries.length, total })
      : total ? t(text ? "sessions.matches" : "sessions.total", { count: total }) : "");
    const hadFocus = document.activeElement === more;
    more.hidden = !hasMore;
    if (hadFocus && more.hidden) $("h-sessions").focus({ preventScroll: true });
  }

  function makeSession(session) {
    const open = element("a", { class: "session-title clip", href: chatAddress(session.id), "data-part": "title" });
    const rename = element("button", { type: "button", class: "quiet", textContent: t("sessions.rename"), "aria-label": t("sessions.renameLabel", { id: session.id }) });
    const forget = element("button", { type: "button", class: "quiet", textContent: t("sessions.forget"), "aria-label": t("sessions.forgetLabel", { id: session.id }) });
    const line = element("div", { class: "row" },
      element("div", { class: "grow" },
        element("p", { class: "name" }, open,
          element("span", { class: "tag", textContent: t("turn.plain"), hidden: session.profile !== "chat" }),
          element("span", { class: "tag", "data-part": "tag", hidden: true })),
        element("p", { class: "facts number" }, element("span", { class: "mono clip", textContent: session.id, title: session.id }),
          element("span", { "data-part": "model" }), element("span", { "data-part": "turns" }), element("time", { "data-part": "used" }))),
      element("div", { class: "buttons" }, rename, forget));
    const node = element("li", {}, line);
    rename.addEventListener("click", () => startRenaming(node, line, rename));
    forget.addEventListener("click", () => { if (!isBusy(forget)) askToForget(session, forget); });
    return node;
  }

  function updateSession(node, session) {
    node.session = session;
    setText(part(node, "title"), session.title || session.id);
    part(node, "title").title = visible(session.title || session.id);
    setText(part(node, "model"), session.model || "");
    part(node, "model").hidden = !session.model;
    setText(part(node, "turns"), t("sessions.turns", { count: session.turns }));
    if (session.last_used > 0) setAge(part(node, "used"), "ago", session.last_used);
    const { state, waiting } = session;
    const tag = part(node, "tag");
    tag.hidden = !state || state === "idle";
    tag.classList.toggle("warn", state === "parked" || state === "waiting");
    setText(tag, tag.hidden ? "" : state === "running" && waiting ? t("sessions.runningWaiting", { count: waiting })
      : has(`sessions.${state}`) ? t(`sessions.${state}`) : state);
  }

  /** The row becomes a field; Enter saves, Escape leaves the title as it was. */
  function startRenaming(node, line, button) {
    const { session } = node;
    const field = element("input", { class: "grow", value: session.title || "", maxLength: longestTitle, "aria-label": t("sessions.titleLabel", { id: session.id }) });
    const cancel = element("button", { type: "button", textContent: t("sessions.cancel") });
    const form = element("form", { class: "row rename" }, field, element("button", { type: "submit", class: "primary", textContent: t("sessions.save") }), cancel);
    const end = () => {
      form.remove();
      line.hidden = false;
      button.focus();
    };
    cancel.addEventListener("click", end);
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") end(); });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const title = field.value.trim();
      if (!title || title === session.title) return end();
      const answer = await act("PATCH", `/v1/sessions/${encodeURIComponent(session.id)}`, { title });
      if (!answer) return key !== null && field.focus();
      updateSession(node, answer);
      announce(t("sessions.renamed"));
      end();
      readAgain();
    });
    line.hidden = true;
    node.append(form);
    field.focus();
    field.select();
  }

  async function askToForget(session, button) {
    const isSure = await ask({
      title: session.title ? t("sessions.forgetNamed", { title: session.title.slice(0, 80) }) : t("sessions.forgetTitle"), text: t("sessions.forgetText"), code: session.id,
      yes: t("sessions.forget"), no: t("sessions.keep"), isDangerous: true,
    });
    if (!isSure) return;
    setBusy(button, true);
    if (await act("DELETE", `/v1/sessions/${encodeURIComponent(session.id)}`)) {
      announce(t("sessions.forgotten"));
      readAgain();
    } else setBusy(button, false);
  }

  search.addEventListener("input", () => {
    text = search.value.trim();
    // What is asked for a text that is no longer there must not come in between.
    reading += 1;
    clearTimeout(typing);
    typing = setTimeout(() => read(pageSize), text ? 200 : 0);
  });
  whenClicked(more, () => read(pageSize, entries.at(-1).id));

  return {
    /** What could not be read is tried again; else `update` knows whether something has changed. */
    show() { if (problemText) readFor = ""; },
    update(facts) {
      const shape = JSON.stringify(facts.sessions);
      if (shape === readFor) return;
      readFor = shape;
      readAgain();
    },
    relabel() {
      rows.replaceChildren();
      showAll();
    },
    reset() {
      reading += 1;
      entries = [];
      total = 0;
      hasMore = false;
      search.value = text = readFor = problemText = "";
      for (const node of [count, empty]) setText(node, "");
      rows.replaceChildren();
    },
  };
})();
