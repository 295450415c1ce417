// The chat: conversations with Codex, each a session of the bridge. Its address is `#/chat/ID`. This piece has the
// conversation in view and the routes; the parts it is made of stand in the files before it.
//
// The parts reach each other through one object, `chat`, when they are called and not while they are made:
//   shown                          the conversation in view, or null
//   stickToEnd(), goToEnd()        keeps the end in view if it was; brings it into view
//   showHead(), openNew()          writes the heading; begins a new conversation
//   drop(conversation)             it is at the bridge no more
//   history, turns                 what the bridge has of a conversation; what is asked of Codex
//   drafts                         what was written and not sent
//   log, answers, composer, list, notices    what is seen, each with its own elements

views.chat = (() => {
  const { makeConversation } = chatMessages;
  const { ui, iconButton } = chatControls;
  let shown = null;             // The conversation in view.
  let wasHidden = true;         // The view was left since it was shown last.
  let sticks = true;            // The end of the conversation is in view and stays there.

  const chat = { get shown() { return shown; }, stickToEnd, goToEnd, showHead, openNew, drop };
  Object.assign(chat, {
    drafts: makeChatDrafts(),
    history: makeChatHistory(chat), turns: makeChatTurns(chat), log: makeChatLog(chat), answers: makeChatAnswers(chat),
    composer: makeChatComposer(chat), list: makeChatSessions(chat), notices: makeChatNotices(chat),
  });

  // ---- what the view is made of

  function makeView() {
    const view = $("view-chat");
    const head = element("header", { class: "chat-head" },
      iconButton("list", t("chat.list"), { id: "chat-open-list", "aria-expanded": "false", "aria-controls": "chat-list" }),
      element("h1", { id: "h-chat", class: "clip", tabIndex: -1 }),
      element("span", { id: "chat-profile", class: "tag", textContent: t("chat.plain"), title: t("chat.plainLong"), hidden: true }),
      iconButton("add", t("chat.new"), { id: "chat-new-small" }));
    const foot = element("div", { class: "chat-foot" },
      element("div", { class: "chat-jump" }, iconButton("down", t("chat.jump"), { id: "chat-jump", hidden: true })),
      chat.notices.make(), chat.composer.make());
    view.setAttribute("aria-labelledby", "h-chat");
    view.replaceChildren(element("div", { class: "chat" }, chat.list.make(),
      element("div", { class: "chat-main" }, head, element("div", { id: "chat-place", class: "chat-place" }), foot)));
    for (const one of [chat.list, chat.composer, chat.notices]) one.connect(view);
    ui("new-small").addEventListener("click", openNew);
    ui("jump").addEventListener("click", () => {
      goToEnd();
      chat.composer.focus();
    });
  }

  function showHead() {
    setText($("h-chat"), escaped(shown.title || (shown.id === null ? t("chat.new") : shown.id)));
    $("h-chat").title = shown.id ?? "";
    ui("profile").hidden = shown.profile !== "chat";
  }

  // ---- the end of the conversation

  addEventListener("scroll", () => {
    if (shownView !== "chat") return;
    sticks = innerHeight + scrollY >= document.documentElement.scrollHeight - 60;
    ui("jump").hidden = sticks;
  }, { passive: true });

  addEventListener("resize", stickToEnd);

  function stickToEnd() {
    if (shownView !== "chat") return;
    if (sticks) scrollTo(0, document.documentElement.scrollHeight);
    ui("jump").hidden = sticks;
  }

  function goToEnd() {
    sticks = true;
    stickToEnd();
  }

  // ---- which conversation is in view

  function open(conversation) {
    if (shown && shown !== conversation) {
      chat.drafts.leave(shown);
      shown.log.remove();
    }
    shown = conversation;
    chat.drafts.restore(conversation);
    if (conversation.model === null && conversation.id === null) {
      conversation.model = stored("chat-model");
      conversation.effort = stored("chat-effort") || "";
    }
    ui("place").replaceChildren(conversation.log);
    sticks = true;
    showHead();
    chat.composer.fill();
    if (conversation.state === "loading") chat.history.load(conversation);
    else chat.log.draw(conversation);
    chat.notices.clear();
    stickToEnd();
  }

  function openNew() {
    chat.list.open(false);
    open(makeConversation(null));
    if (location.hash !== "#/chat") go("#/chat");
    ui("text").focus();
  }

  /** Somebody has forgotten a conversation: what is written in it goes into a new one. */
  function drop(conversation) {
    chat.turns.release(conversation);
    if (conversation !== shown) return;
    const { draft, images } = conversation;
    Object.assign(conversation, { draft: "", images: [] });
    open(makeConversation(null));
    if (!shown.draft && !shown.images.length) Object.assign(shown, { draft, images });
    chat.drafts.keep(shown);
    chat.composer.fill();
    toast(t("chat.forgotten"));
    if (shownView === "chat" && location.hash !== "#/chat") go("#/chat");
  }

  function show(argument) {
    if (!$("chat-form")) makeView();
    const wasAway = wasHidden;
    wasHidden = false;
    if (argument === "") {
      // Who comes back to the chat finds what was open; who is in it and asks for "Chat" begins a new one.
      if (shown && shown.id !== null && wasAway) history.replaceState(null, "", chatAddress(shown.id));
      else if (!shown || shown.id !== null) open(makeConversation(null));
    } else if (!shown || shown.id !== argument) open(chat.turns.keptOf(argument) || makeConversation(argument));
    stickToEnd();
    // What was shown before may have gone on since, or be gone.
    chat.notices.follow(shown);
  }

  return {
    show,
    hide() {
      wasHidden = true;
      chat.notices.leave();
      chat.list.open(false);
    },
    update(facts) {
      if (!shown) return;
      chat.composer.showPickers();
      chat.notices.showRequests(facts);
      chat.notices.noticeTurns(facts);
      chat.list.update(facts);
    },
    relabel() {
      if (!shown) return;
      makeView();
      const conversation = shown;
      shown = null;
      open(conversation);
    },
    reset() {
      chat.turns.reset();
      chat.drafts.reset();
      shown = null;
      chat.list.reset();
      $("view-chat").replaceChildren();
    },
    focus: chat.composer.focus,
    begin(text) {
      if (!$("chat-form")) makeView();
      open(makeConversation(null));
      wasHidden = false;
      chat.turns.say(shown, text, []);
    },
  };
})();
