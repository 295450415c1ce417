// What Codex asks before it acts: one list, on top of every view, and a view of its own.
//
// Decline comes first, and nothing that lets something out of the sandbox is coloured: the page recommends nothing.
// A question takes the place of the one before it, so an answer counts only where its question has stood still.

/** How long a question must have stood where it is before a click on its answers counts, in milliseconds. */
const settleTime = 800;
/** How long a question that was answered here stays, with the answer, in milliseconds. */
const lingerTime = 1200;
/** Runs of more blank lines than this are folded: they push the end of a text out of sight. */
const mostBlankLines = 2;

/** Whether what is asked about runs, or may run, without the sandbox. */
const leavesSandbox = ({ sandbox }) => ["outside", "may_leave", "none"].includes(sandbox);

function showApprovals(facts) {
  const { approvals, approval_count: count } = facts;
  const isOwnView = shownView === "approvals";
  const rows = showQuestions($("approval-rows"), approvals, facts, isOwnView ? $("h-approvals") : $("h-asked"));
  const hadFocus = document.activeElement === $("h-asked");
  $("approvals").hidden = rows === 0;
  if (hadFocus && rows === 0) $("main").focus({ preventScroll: true });
  // Elsewhere the first one is shown alone, so that a view is not pushed away.
  const first = $("approval-rows").firstElementChild;
  const shown = isOwnView ? approvals.length : first && approvals.some(({ id }) => id === first.itemKey) ? 1 : 0;
  $("approvals-more").hidden = count <= shown;
  setText($("approvals-more"), t("approvals.more", { count: count - shown }));
  if (isOwnView && aimedAt) showAimed();
  showBar();
  for (const id of notices.keys()) if (!approvals.some((approval) => approval.id === id)) closeNotice(id);
}

let aimedAt = "";           // The id of the question that the address names, until it has been shown.

/** Brings the question that was aimed at into sight, and marks it. */
function showAimed() {
  const row = [...$("approval-rows").children].find(({ itemKey }) => itemKey === aimedAt);
  if (!row) return;
  aimedAt = "";
  for (const other of $("approval-rows").children) other.classList.toggle("aimed", other === row);
  if (row.previousElementSibling) row.scrollIntoView({ block: "center" });
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

/** The rows of questions in a list: those of `approvals`, and what was answered here a moment ago. Returns how many. */
function showQuestions(list, approvals, facts, whenFocusIsLost) {
  const items = [...approvals];
  [...list.children].forEach((row, index) => {
    if (row.until > Date.now() && !approvals.some(({ id }) => id === row.itemKey)) items.splice(index, 0, row.approval);
  });
  reconcile(list, items, (approval) => approval.id, makeApproval, (row, approval) => {
    if (!watched.has(row)) watch(row);
    setAge(part(row, "left"), "left", approval.expires);
    showTimeLeft(part(row, "bar"));
    showAsker(row, approval, facts);
  }, whenFocusIsLost);
  return items.length;
}

// ---- whether a question stands still

let stillTimer = null;
const watched = new Set();

/** Where a row is seen. A click is aimed at that place, whatever moves the row. */
function placeOf(row) {
  const { top, left, height } = row.getBoundingClientRect();
  return height === 0 ? "" : `${Math.round(left)} ${Math.round(top)}`;
}

function lookWhetherStill(row) {
  const place = placeOf(row);
  if (place !== row.place) {
    row.place = place;
    row.since = performance.now();
  }
  const isStill = place !== "" && performance.now() - row.since >= settleTime;
  for (const button of row.decisions) setBusy(button, row.isAnswering || !isStill || button.needsWhole && !row.isWhole);
  return isStill;
}

/** Looks again and again while there are rows; what is no longer in the page is let go. */
function watch(row) {
  watched.add(row);
  row.madeAt = row.since = performance.now();
  stillTimer ??= setInterval(() => {
    for (const other of watched) {
      if (other.isConnected) lookWhetherStill(other);
      else if (performance.now() - other.madeAt > settleTime) watched.delete(other);
    }
    if (watched.size) return;
    clearInterval(stillTimer);
    stillTimer = null;
  }, 100);
}

/** Whether a click on an answer counts. The keyboard goes to a row that has the focus, wherever that is. */
function isMeant(event, row) {
  const isStill = lookWhetherStill(row);
  if (row.isAnswering || event.detail > 1) return false;
  return event.detail === 0 ? performance.now() - row.madeAt >= settleTime : isStill;
}

// ---- one question

/** Writes a text of several lines. Long runs of blank lines become one line that counts them. */
function showLines(node, text) {
  const pieces = [];
  let blank = [];
  let shown = [];
  const endBlank = () => {
    if (blank.length > mostBlankLines) {
      if (shown.length) pieces.push(`${shown.join("\n")}\n`);
      pieces.push(element("span", { class: "soft", textContent: t("approvals.blankLines", { count: blank.length }) }), "\n");
      shown = [];
    } else shown.push(...blank);
    blank = [];
  };
  for (const line of visible(text).split("\n")) {
    // Braille's blank has no dots.
    if (/^[\s\u2800]*$/.test(line)) blank.push(line);
    else {
      endBlank();
      shown.push(line);
    }
  }
  endBlank();
  node.replaceChildren(...pieces, shown.join("\n"));
}

function makeApproval(approval) {
  const words = requestWords(approval.request);
  const row = element("li", { class: "asked" }, element("p", { class: "asker", "data-part": "asker" }),
    element("h3", { class: leavesSandbox(approval) ? "leaves" : "", textContent: words[0].toUpperCase() + words.slice(1) }));
  row.approval = approval;
  row.isWhole = approval.is_whole;
  row.decisions = [];
  const text = element("pre", { class: "command", tabIndex: 0, "aria-label": words });
  showLines(text, approval.text);
  if (approval.text) row.append(text);
  const files = element("ul", { class: "files" }, ...approval.files.map((line) => element("li", { class: "mono", textContent: line })));
  if (approval.hidden_files) files.append(element("li", { class: "soft small", textContent: t("approvals.moreFiles", { count: approval.hidden_files }) }));
  if (approval.files.length) row.append(files);
  const facts = element("dl", { class: "pairs asked-facts" }, ...approval.facts.flatMap(makeFact));
  if (approval.files.length || !approval.is_whole) row.append(makeWholeButton(approval, row, { text, files, facts }));
  const left = element("p", { class: "left small" },
    element("time", { class: "soft number", "data-part": "left" }),
    element("span", { class: "time-bar", "aria-hidden": "true", "data-part": "bar", "data-from": approval.created, "data-until": approval.expires }, element("i", {})));
  const details = element("details", { class: "asked-details small" }, element("summary", { class: "soft", textContent: t("approvals.details") }),
    element("dl", { class: "pairs" }, element("dt", { textContent: t("turn.session") }), element("dd", { class: "mono", "data-part": "session" }),
      element("dt", { textContent: t("turn.request") }), element("dd", { class: "mono", textContent: approval.request_id }),
      element("dt", { textContent: t("approvals.askedAt") }), element("dd", { textContent: clock(approval.created) })));
  row.append(facts, left, makeDecisions(approval, row), details);
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

/** What a session is called: its title, else its id. */
const titleOf = (id, facts) => facts.sessions.recent.find((session) => session.id === id)?.title || id;

const clientName = (name) => (name === thisPage ? t("connect.thisPage") : name);

/** What it is asked for: the session, which opens in the chat, and the client. */
function showAsker(node, approval, facts) {
  const turn = (facts.activity || []).find((other) => other.request_id === approval.request_id);
  const asker = part(node, "asker");
  const title = turn?.session ? titleOf(turn.session, facts) : t("turn.oneOff");
  const shape = JSON.stringify([title, turn?.session, turn?.client, language]);
  if (asker.shape === shape) return;
  asker.shape = shape;
  setText(part(node, "session"), turn?.session || "–");
  asker.replaceChildren(turn?.session ? element("a", { href: chatAddress(turn.session), textContent: title, title: turn.session })
    : element("span", { textContent: title }));
  if (turn?.client) asker.append(element("span", { class: "soft" }, ` · ${visible(clientName(turn.client))}`));
}

const approvalAddress = (id) => `#/approvals/${encodeURIComponent(id)}`;
const chatAddress = (id) => `#/chat/${encodeURIComponent(id)}`;

function makeDecisions(approval, row) {
  const decide = (decision, text) => {
    const button = element("button", { type: "button", textContent: text, "aria-disabled": "true" });
    // Nobody can mean yes to what was not shown.
    button.needsWhole = decision !== "decline";
    row.decisions.push(button);
    button.addEventListener("click", async (event) => {
      if (!isMeant(event, row)) return;
      if (button.needsWhole && !row.isWhole) return toast(t("approvals.wholeFirst"));
      row.isAnswering = true;
      for (const other of row.decisions) setBusy(other, true);
      const answer = await act("POST", `/v1/approvals/${encodeURIComponent(approval.id)}`, { decision });
      row.isAnswering = answer !== null;
      if (answer) showAnswer(row, t(decision === "decline" ? "approvals.declined" : "approvals.accepted"));
    });
    return button;
  };
  const buttons = element("div", { class: "buttons decisions" },
    decide("decline", t("approvals.decline")), decide("accept", t("approvals.accept")));
  if (approval.session_scope !== null) {
    buttons.append(element("details", { class: "for-session" }, element("summary", {}, element("span", { textContent: t("approvals.forSession") }), icon("more")),
      element("p", { class: "small", textContent: t("approvals.covers", { scope: scopeWords(approval.session_scope) }) }),
      decide("accept_for_session", t("approvals.acceptForSession"))));
  }
  return buttons;
}

/** An answered question stays for a moment, so that the next one does not take its place under the pointer. */
function showAnswer(row, words) {
  const buttons = row.querySelector(".decisions");
  const hadFocus = buttons.contains(document.activeElement);
  const said = element("p", { class: "answered", tabIndex: -1, textContent: words });
  said.style.minHeight = `${buttons.offsetHeight}px`;
  buttons.replaceWith(said);
  if (hadFocus) said.focus({ preventScroll: true });
  announce(words);
  row.until = Date.now() + lingerTime;
  setTimeout(() => {
    if (!snapshot) return;
    showApprovals(snapshot);
    if (shownView) views[shownView].update?.(snapshot);
  }, lingerTime + 20);
}

/** The feed carries the beginning of long texts and no diffs; the rest comes when it is asked for. */
function makeWholeButton(approval, row, { text, files, facts }) {
  const button = element("button", { type: "button", textContent: t(approval.files.length ? "approvals.showDiff" : "approvals.showAll") });
  return whenClicked(button, async () => {
    const whole = await act("GET", `/v1/approvals/${encodeURIComponent(approval.id)}`);
    if (!whole) return;
    row.isWhole = true;
    showLines(text, whole.text);
    if (whole.facts) facts.replaceChildren(...whole.facts.flatMap(makeFact));
    files.replaceChildren(...whole.files.map(makeFile));
    const shown = files.querySelector("pre") || (text.isConnected ? text : facts.querySelector("dd"));
    if (shown && shown.tabIndex < 0) shown.tabIndex = -1;
    if (document.activeElement === button) shown?.focus();
    button.remove();
  });
}

const diffSigns = { add: "+", delete: "-", update: "" };

function makeFile(file) {
  const moved = file.new_path === null ? "" : `, moved to ${file.new_path}`;
  const item = element("li", {}, element("p", { class: "mono", textContent: escaped(`${file.kind} ${file.path}${moved}`) }));
  const lines = file.diff.replace(/\n$/, "").split("\n").map((line) => escaped(diffSigns[file.kind] + line));
  const diff = element("pre", { class: "command", tabIndex: 0, "aria-label": file.path });
  showLines(diff, lines.join("\n"));
  if (file.diff) item.append(diff);
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
      go(approvalAddress(approval.id));
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
    show(argument) {
      empty.before($("approvals"));
      showNotify();
      aimedAt = argument;
    },
    hide() { $("main").prepend($("approvals")); },
    update(facts) {
      empty.hidden = facts.approvals.length > 0 || $("approval-rows").childElementCount > 0;
      setText(empty, t(facts.bridge.approval_policy === "never" ? "approvals.neverAsks" : "approvals.empty"));
    },
    relabel: showNotify,
  };
})();
