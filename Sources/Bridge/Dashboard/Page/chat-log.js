// The entries of a conversation as they stand below each other, and the messages of the person among them.

function makeChatLog(chat) {
  const { isOfInputMethod, isSendKey, iconButton, copyIcon } = chatControls;
  // Older entries of a long conversation are built when they are asked for: thousands at once would hold the browser up.
  const entriesAtOnce = 40;

  /** Leaves the older entries of a conversation to be built when they are asked for. */
  function hideEarlier(conversation) {
    conversation.firstBuilt = Math.max(0, conversation.entries.length - entriesAtOnce);
  }

  /** Takes the nodes of entries away that the conversation has no more. */
  function remove(conversation, gone) {
    for (const old of gone) old.node?.remove();
    conversation.firstBuilt = Math.min(conversation.firstBuilt, conversation.entries.length);
  }

  /** Puts other entries in the place of those from `at` on; the nodes before stay, with what is being edited in them. */
  function replaceFrom(conversation, at, entries) {
    const gone = conversation.entries.splice(at, Infinity, ...entries);
    // What was written into a message that is not there any more.
    for (const old of gone) if (old.editText && !conversation.draft) conversation.draft = old.editText;
    remove(conversation, gone);
    if (conversation.state !== "ready" || at < conversation.firstBuilt) {
      hideEarlier(conversation);
      draw(conversation);
    } else for (const entry of entries) build(conversation, entry);
  }

  /** Builds the whole log of a conversation. */
  function draw(conversation) {
    const { log, state } = conversation;
    log.replaceChildren();
    for (const entry of conversation.entries) entry.node = null;
    if (state === "loading") log.append(element("p", { class: "chat-state soft", role: "status", textContent: t("chat.loading") }));
    else if (state === "missing" || state === "failed") {
      const isMissing = state === "missing";
      const button = element("button", { type: "button", textContent: t(isMissing ? "chat.new" : "chat.again") });
      button.addEventListener("click", () => (isMissing ? chat.openNew() : chat.history.load(conversation)));
      const why = isMissing ? t("chat.missing") : conversation.problem;
      log.append(element("div", { class: "chat-state" }, element("p", { role: "alert", textContent: why }), button));
    } else if (!conversation.entries.length) {
      log.append(element("div", { class: "chat-hello" },
        element("p", { class: "chat-hello-title", textContent: t("chat.hello") }),
        element("p", { class: "soft", textContent: t("chat.helloText") })));
    }
    if (state === "ready" || state === "new") {
      if (conversation.firstBuilt > 0) log.append(makeEarlier(conversation));
      for (const entry of conversation.entries.slice(conversation.firstBuilt)) build(conversation, entry);
    }
    if (conversation === chat.shown) {
      chat.showHead();
      chat.composer.show();
    }
  }

  function makeEarlier(conversation) {
    const button = element("button", { type: "button", class: "chat-earlier", textContent: t("chat.earlier", { count: conversation.firstBuilt }) });
    button.addEventListener("click", () => {
      const next = button.nextElementSibling;
      const before = next.getBoundingClientRect().top;
      const end = conversation.firstBuilt;
      conversation.firstBuilt = Math.max(0, end - entriesAtOnce);
      for (const entry of conversation.entries.slice(conversation.firstBuilt, end)) {
        build(conversation, entry);
        next.before(entry.node);
      }
      if (conversation.firstBuilt > 0) setText(button, t("chat.earlier", { count: conversation.firstBuilt }));
      else button.remove();
      // What was being read stays where it was.
      scrollBy(0, next.getBoundingClientRect().top - before);
    });
    return button;
  }

  function build(conversation, entry) {
    if (conversation.log.firstElementChild?.matches(".chat-hello, .chat-state")) conversation.log.replaceChildren();
    entry.node = element("article", { class: `entry ${entry.kind}` },
      element("h2", { class: "unseen", textContent: t(entry.kind === "question" ? "chat.you" : "chat.codex") }),
      element("div", { class: "entry-body", "data-part": "body" }), element("footer", { class: "entry-foot", "data-part": "foot" }));
    conversation.log.append(entry.node);
    if (entry.kind === "question") showQuestion(conversation, entry);
    else {
      for (const one of entry.parts) one.node = null;
      chat.answers.show(conversation, entry);
    }
  }

  function showQuestion(conversation, entry) {
    const body = part(entry.node, "body");
    entry.node.classList.remove("editing");
    body.replaceChildren();
    if (entry.images.length) {
      body.append(element("div", { class: "entry-images" }, ...entry.images.map((image) => (image.url
        ? element("img", { src: image.url, alt: image.name || t("chat.image") })
        : element("span", { class: "entry-image", textContent: `${t("chat.image")} ${image.type.replace("image/", "").toUpperCase()}` })))));
    }
    if (entry.text) {
      const said = element("div", { class: "said", dir: "auto" });
      said.textContent = markdown.plainText(entry.text);
      body.append(said);
    }
    const edit = iconButton("edit", t("chat.edit"), { class: "quiet chat-icon when-idle" });
    edit.addEventListener("click", () => { if (!conversation.run) editQuestion(conversation, entry).focus(); });
    part(entry.node, "foot").replaceChildren(copyIcon(() => entry.text, body), edit);
    if (entry.editText !== null) editQuestion(conversation, entry);
  }

  /** Makes a field of a message, and gives the field. */
  function editQuestion(conversation, entry) {
    const body = part(entry.node, "body");
    entry.editText ??= entry.text;
    const text = element("textarea", { class: "edit-text", value: entry.editText, "aria-label": t("chat.editMessage") });
    const images = entry.images.filter((image) => image.url);
    const notes = [t("chat.editNote")];
    if (images.length < entry.images.length) notes.push(t("chat.imagesLost"));
    const close = () => {
      entry.editText = null;
      showQuestion(conversation, entry);
      part(entry.node, "foot").lastElementChild.focus();
    };
    const submitEdit = async () => {
      if (conversation.run || (!text.value.trim() && !images.length) || !(await chat.turns.mayGoOn(conversation))) return;
      // It may have gone with what was found at the bridge.
      if (!conversation.entries.includes(entry)) return;
      chat.turns.truncate(conversation, entry);
      chat.turns.say(conversation, text.value, images);
      chat.composer.focus();
    };
    const cancel = element("button", { type: "button", textContent: t("chat.cancel") });
    const ok = element("button", { type: "button", class: "primary", textContent: t("chat.sendEdit") });
    cancel.addEventListener("click", close);
    ok.addEventListener("click", submitEdit);
    const fit = () => {
      text.style.height = "auto";
      text.style.height = `${Math.min(text.scrollHeight + 2, innerHeight * 0.5)}px`;
    };
    text.addEventListener("input", () => {
      entry.editText = text.value;
      fit();
    });
    text.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !isOfInputMethod(event)) close();
      else if (isSendKey(event)) {
        event.preventDefault();
        submitEdit();
      }
    });
    entry.node.classList.add("editing");
    body.replaceChildren(text, element("p", { class: "soft small", textContent: notes.join(" ") }), element("div", { class: "buttons" }, cancel, ok));
    part(entry.node, "foot").replaceChildren();
    fit();
    return text;
  }

  return { hideEarlier, remove, replaceFrom, draw, build };
}
