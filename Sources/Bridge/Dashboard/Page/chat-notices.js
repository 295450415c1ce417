// What the bridge tells of the conversation in view: what Codex asks for, and turns that somebody else runs in it.

function makeChatNotices(chat) {
  const { ui } = chatControls;

  function make() {
    return element("div", { id: "chat-elsewhere", class: "chat-elsewhere", role: "status", hidden: true },
      element("p", { id: "chat-elsewhere-text" }), element("button", { id: "chat-reload", type: "button", textContent: t("chat.reload") }));
  }

  function connect() {
    ui("reload").addEventListener("click", () => {
      chat.history.load(chat.shown);
      chat.composer.focus();
    });
  }

  /** What Codex asks for this conversation is shown where its answer will be. */
  function showRequests(facts) {
    const { run } = chat.shown;
    const asked = facts && run && run.answer.requestID ? facts.approvals.filter((approval) => approval.request_id === run.answer.requestID) : [];
    let list = chat.shown.log.querySelector(".chat-asked");
    if (!list && asked.length) {
      list = element("ul", { class: "rows card calls chat-asked", "aria-label": t("chat.asks") });
      part(run.answer.node, "body").append(list);
    }
    if (list) {
      // What was answered a moment ago stays for a moment too.
      if (showQuestions(list, asked, facts, ui("text")) === 0) list.remove();
      chat.stickToEnd();
    }
    // The card on top of every view would say the same again.
    $("app").classList.toggle("chat-asks", asked.length > 0 && facts.approvals.every((approval) => asked.includes(approval)));
  }

  /** Takes over what others have done in a conversation in view; nothing can be sent before. */
  async function follow(conversation) {
    if (conversation.id === null || conversation.run || conversation.state !== "ready") return;
    const found = await chat.history.compare(conversation);
    if (found === null || conversation !== chat.shown || conversation.run) return;
    if (found === "gone") return chat.drop(conversation);
    if (found === "unknown") conversation.elsewhere = "ended";
    else if (found !== "held" && !["came", "between"].includes(conversation.elsewhere)) conversation.elsewhere = "none";
    showElsewhere();
  }

  /** Looks for turns of this conversation that somebody else runs or has run, and for its end. */
  function noticeTurns(facts) {
    const { shown } = chat;
    if (shown.id === null || shown.run || shown.state !== "ready") return showElsewhere();
    const listed = facts.sessions.recent.find(({ id, profile }) => id === shown.id && profile === shown.profile);
    // Snapshots list the newest ones alone: one that is not there is looked for when they have changed.
    const sessions = listed ? "" : JSON.stringify(facts.sessions);
    const isLost = shown.wasKept && sessions !== shown.lookedFor && !listed;
    shown.lookedFor = sessions;
    // An older snapshot never has more turns than were seen here.
    const hasMore = listed && !listed.running && shown.base !== null && listed.turns > shown.base && shown.elsewhere !== "ended";
    if (facts.turns.running.some((turn) => turn.session === shown.id && !shown.ownRequests.has(turn.request_id))) shown.elsewhere = "running";
    else if (isLost || hasMore || shown.elsewhere === "running") follow(shown);
    showElsewhere();
  }

  function showElsewhere() {
    if (!$("chat-form")) return;
    const { elsewhere, state, run } = chat.shown;
    const isShown = elsewhere !== "none" && state === "ready" && !run;
    ui("elsewhere").hidden = !isShown;
    setText(ui("elsewhere-text"), isShown ? t(`chat.elsewhere.${elsewhere}`) : "");
    ui("reload").hidden = elsewhere !== "ended";
    chat.composer.show();
  }

  /** Another conversation comes into view, of which nothing is known yet. */
  function clear() { ui("elsewhere").hidden = true; }

  /** Another view is about to be shown, where the card of requests says what is asked. */
  function leave() { $("app").classList.remove("chat-asks"); }

  return { make, connect, showRequests, noticeTurns, follow, showElsewhere, clear, leave };
}
