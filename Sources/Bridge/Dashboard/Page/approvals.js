// What Codex asks before it acts: one list, on top of every view, and a view of its own.
//
// Decline comes first, and nothing that lets something out of the sandbox is coloured: the page recommends nothing.

/** Whether what is asked about runs, or may run, without the sandbox. */
const leavesSandbox = (approval) => /outside|no sandbox/.test(approval.request);

function showApprovals(facts) {
  const { approvals, approval_count: count } = facts;
  const isOwnView = shownView === "approvals";
  reconcile($("approval-rows"), approvals, (approval) => approval.id, makeApproval, (node, approval) => {
    setAge(part(node, "left"), "left", approval.expires);
    showTimeLeft(part(node, "bar"));
    showAsker(node, approval, facts);
  }, isOwnView ? $("h-approvals") : $("h-asked"));
  const hadFocus = document.activeElement === $("h-asked");
  $("approvals").hidden = approvals.length === 0;
  if (hadFocus && approvals.length === 0) $("main").focus({ preventScroll: true });
  // Elsewhere the first one is shown alone, so that a view is not pushed away.
  const shown = isOwnView ? approvals.length : Math.min(1, approvals.length);
  $("approvals-more").hidden = count <= shown;
  setText($("approvals-more"), t("approvals.more", { count: count - shown }));
  for (const id of notices.keys()) if (!approvals.some((approval) => approval.id === id)) closeNotice(id);
}

/** The bridge's English words for what is asked, in the page's language where the table has them. */
function requestWords(request) {
  const [, files] = request.match(/^change (\d+) files$/) || [];
  if (files) return t("ask.changeFiles", { count: Number(files) });
  const [, verb, server] = request.match(/^(use a tool of|answer yes to) the MCP server “(.*)”$/s) || [];
  if (server !== undefined) return t(verb === "use a tool of" ? "ask.tool" : "ask.answerYes", { server });
  return has(`ask.${request}`) ? t(`ask.${request}`) : request;
}

function scopeWords(scope) { return has(`scope.${scope}`) ? t(`scope.${scope}`) : scope; }

function makeApproval(approval) {
  const words = requestWords(approval.request);
  const row = element("li", { class: "asked" },
    element("h3", { class: leavesSandbox(approval) ? "leaves" : "", textContent: words[0].toUpperCase() + words.slice(1) }));
  const text = element("pre", { class: "command", tabIndex: 0, textContent: approval.text, "aria-label": words });
  if (approval.text) row.append(text);
  const files = element("ul", { class: "files" }, ...approval.files.map((line) => element("li", { class: "mono", textContent: line })));
  if (approval.hidden_files) files.append(element("li", { class: "soft small", textContent: t("approvals.moreFiles", { count: approval.hidden_files }) }));
  if (approval.files.length) row.append(files);
  if (approval.files.length || !approval.is_whole) row.append(makeWholeButton(approval, text, files));
  const left = element("p", { class: "left small" },
    element("span", { class: "soft" }, `${t("approvals.left")} `, element("time", { class: "number", "data-part": "left" })),
    element("span", { class: "time-bar", "aria-hidden": "true", "data-part": "bar", "data-from": approval.created, "data-until": approval.expires }, element("i", {})));
  row.append(element("dl", { class: "pairs asked-facts" }, ...approval.facts.flatMap(makeFact),
    element("dt", { textContent: t("approvals.askedBy") }), element("dd", { "data-part": "asker" })), left, makeDecisions(approval));
  return row;
}

// The bridge's English forms of a fact, the row of the name it gets here, and the row of its words if it keeps some.
const factForms = [
  [/^in (\/[^]*)$/, "approvals.directory"],
  [/^Reason: ([^]*)$/, "approvals.reason"],
  [/^in the environment ([^]*)$/, "approvals.environment"],
  [/^with the right to: ([^]*)$/, "approvals.withRight"],
  [/^and to write everything below ([^]*) from then on$/, "approvals.alsoAllows", "approvals.writeBelow"],
];

/** A fact as a name and a value; one of no known form stands as it is. */
function makeFact(fact) {
  for (const [form, name, words] of factForms) {
    const [, value] = fact.match(form) || [];
    if (value === undefined) continue;
    return [element("dt", { textContent: t(name) }),
      element("dd", { class: name === "approvals.directory" ? "mono" : "", textContent: words ? t(words, { value }) : value })];
  }
  return [element("dt", { textContent: t("approvals.fact") }), element("dd", { textContent: fact })];
}

/** Who asked: its session, which opens in the chat, its client and its request. */
function showAsker(node, approval, facts) {
  const turn = (facts.activity || []).find((other) => other.request_id === approval.request_id);
  const asker = part(node, "asker");
  const shape = JSON.stringify([turn?.session, turn?.client, language]);
  if (asker.shape === shape) return;
  asker.shape = shape;
  asker.replaceChildren();
  if (turn?.session) asker.append(element("a", { href: chatAddress(turn.session), textContent: turn.session, class: "mono" }), " · ");
  if (turn?.client) asker.append(element("span", { textContent: turn.client }), " · ");
  asker.append(element("span", { class: "mono", textContent: t("approvals.request", { id: approval.request_id }) }));
}

const chatAddress = (id) => `#/chat/${encodeURIComponent(id)}`;

function makeDecisions(approval) {
  const all = [];
  const decide = (decision, text) => {
    const button = element("button", { type: "button", textContent: text });
    all.push(button);
    button.addEventListener("click", async () => {
      if (isBusy(button)) return;
      for (const other of all) setBusy(other, true);
      const answer = await act("POST", `/v1/approvals/${encodeURIComponent(approval.id)}`, { decision });
      if (answer) announce(t(decision === "decline" ? "approvals.declined" : "approvals.accepted"));
      else for (const other of all) setBusy(other, false);
    });
    return button;
  };
  const buttons = element("div", { class: "buttons decisions" },
    decide("decline", t("approvals.decline")), decide("accept", t("approvals.accept")));
  if (approval.session_scope !== null) {
    buttons.append(element("details", { class: "for-session" }, element("summary", { textContent: t("approvals.forSession") }),
      element("p", { class: "small", textContent: t("approvals.covers", { scope: scopeWords(approval.session_scope) }) }),
      decide("accept_for_session", t("approvals.acceptForSession"))));
  }
  return buttons;
}

/** The feed carries the beginning of long texts and no diffs; the rest comes when it is asked for. */
function makeWholeButton(approval, text, files) {
  const button = element("button", { type: "button", textContent: t(approval.files.length ? "approvals.showDiff" : "approvals.showAll") });
  return whenClicked(button, async () => {
    const whole = await act("GET", `/v1/approvals/${encodeURIComponent(approval.id)}`);
    if (!whole) return;
    setText(text, whole.text);
    files.replaceChildren(...whole.files.map(makeFile));
    const shown = files.querySelector("pre") || text;
    if (document.activeElement === button) shown.focus();
    button.remove();
  });
}

const diffSigns = { add: "+", delete: "-", update: "" };

function makeFile(file) {
  const moved = file.new_path === null ? "" : `, moved to ${file.new_path}`;
  const item = element("li", {}, element("p", { class: "mono", textContent: escaped(`${file.kind} ${file.path}${moved}`) }));
  const lines = file.diff.replace(/\n$/, "").split("\n").map((line) => escaped(diffSigns[file.kind] + line));
  if (file.diff) item.append(element("pre", { class: "command", tabIndex: 0, textContent: lines.join("\n"), "aria-label": file.path }));
  if (file.hidden_diff_bytes) item.append(element("p", { class: "soft small", textContent: t("approvals.hiddenBytes", { count: file.hidden_diff_bytes }) }));
  return item;
}

function relabelApprovals() { $("approval-rows").replaceChildren(); }

function resetApprovals() {
  $("approval-rows").replaceChildren();
  $("approvals").hidden = true;
  for (const id of notices.keys()) closeNotice(id);
}

// ---- notifications

const notices = new Map();
const canNotify = () => "Notification" in window && isSecureContext;
const wantsNotices = () => canNotify() && Notification.permission === "granted" && stored("notify") === "on";

/** Tells a person who looks elsewhere. */
function notifyOf(approval) {
  if (!wantsNotices() || (document.visibilityState === "visible" && document.hasFocus())) return;
  try {
    const what = approval.text || approval.files.join(", ");
    const notice = new Notification(t("approvals.notifyTitle"), {
      body: visible(`${requestWords(approval.request)}\n${what}`.slice(0, 200)), tag: `codexbridge-${approval.id}`,
    });
    notice.onclick = () => {
      window.focus();
      go("#/approvals");
      notice.close();
    };
    notices.set(approval.id, notice);
  } catch { /* Some phones let only a service worker notify. */ }
}

function closeNotice(id) {
  notices.get(id).close();
  notices.delete(id);
}

// ---- the view

views.approvals = (() => {
  const root = $("view-approvals");
  const empty = element("p", { class: "card empty", "data-part": "empty" });
  const text = element("p", { class: "grow" });
  const toggle = element("button", { type: "button", id: "notify" });
  root.append(
    element("header", { class: "view-head" }, element("h1", { id: "h-approvals", tabIndex: -1, "data-t": "nav.approvals" })), empty,
    element("div", { class: "card notify row" }, text, toggle),
    element("p", { class: "soft small", "data-t": "approvals.about" }));

  function showNotify() {
    const isDenied = canNotify() && Notification.permission === "denied";
    toggle.hidden = !canNotify() || isDenied;
    setText(toggle, t(wantsNotices() ? "approvals.notifyOff" : "approvals.notify"));
    setText(text, t(!canNotify() ? "approvals.notifyInsecure" : isDenied ? "approvals.notifyDenied"
      : wantsNotices() ? "approvals.notifyOn" : "approvals.notifyText"));
  }

  whenClicked(toggle, async () => {
    if (wantsNotices()) store("notify", null);
    else if (await Notification.requestPermission() === "granted") store("notify", "on");
    showNotify();
  });

  return {
    /** The questions stand below the heading here, else on top of what is shown. */
    show() {
      empty.before($("approvals"));
      showNotify();
    },
    hide() { $("main").prepend($("approvals")); },
    update(facts) {
      empty.hidden = facts.approvals.length > 0;
      setText(empty, t(facts.bridge.approval_policy === "never" ? "approvals.neverAsks" : "approvals.empty"));
    },
    relabel: showNotify,
  };
})();
