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
      reconcile(list, asked, (approval) => approval.id, makeApproval, (node, approval) => {
        setAge(part(node, "left"), "left", approval.expires);
        showTimeLeft(part(node, "bar"));
        showAsker(node, approval, facts);
      }, ui("text"));
      if (!asked.length) list.remove();
      chat.stickToEnd();
    }
    // The card on top of every view would say the same again.
    $("app").classList.toggle("chat-asks", asked.length > 0 && facts.approvals.every((approval) => asked.includes(approval)));
  }

  /** Tells of turns of this conversation that somebody else runs. */
  function noticeTurns(facts) {
    const others = facts.turns.running.filter((turn) => turn.session === chat.shown.id && !chat.shown.ownRequests.has(turn.request_id));
    const isActive = chat.shown.id !== null && others.length > 0 && !chat.shown.run;
    if (isActive) chat.shown.elsewhere = "running";
    else if (chat.shown.elsewhere === "running" && !chat.shown.run) chat.shown.elsewhere = "ended";
    const isShown = chat.shown.elsewhere !== "none" && chat.shown.state === "ready";
    ui("elsewhere").hidden = !isShown;
    setText(ui("elsewhere-text"), isShown ? t(`chat.elsewhere.${chat.shown.elsewhere}`) : "");
    ui("reload").hidden = chat.shown.elsewhere !== "ended";
  }

  /** Another conversation comes into view, of which nothing is known yet. */
  function clear() { ui("elsewhere").hidden = true; }

  /** Another view is about to be shown, where the card of requests says what is asked. */
  function leave() { $("app").classList.remove("chat-asks"); }

  return { make, connect, showRequests, noticeTurns, clear, leave };
}
