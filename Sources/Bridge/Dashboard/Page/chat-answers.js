// Answers as they are shown, while they come and when they are complete: text, thinking, steps, figures and errors.

function makeChatAnswers(chat) {
  const { textOf } = chatMessages;
  const { iconButton, copyIcon } = chatControls;
  const markdownOptions = {
    get texts() {
      return {
        copy: t("copy.do"), copyCode: t("chat.copyCode"), code: t("chat.code"), table: t("chat.table"), done: t("chat.taskDone"),
        open: t("chat.taskOpen"),
      };
    },
    async copy(text, button, block) {
      const isCopied = await copy(text, block);
      setText(button, t(isCopied ? "copy.done" : "copy.byHand"));
      announce(t(isCopied ? "copy.done" : "copy.byHandLong"));
      setTimeout(() => setText(button, t("copy.do")), 2000);
    },
  };

  // An answer that streams is shown a few times a second; a slow browser gets more rest between two times.
  function scheduleUpdate(conversation, answer) {
    if (answer.timer) return;
    answer.timer = setTimeout(() => {
      answer.timer = null;
      const begun = performance.now();
      showAnswer(conversation, answer);
      if (conversation === chat.shown) chat.stickToEnd();
      answer.pause = Math.min(2000, Math.max(60, 4 * (performance.now() - begun)));
    }, answer.pause || 30);
  }

  function showNow(conversation, answer) {
    clearTimeout(answer.timer);
    answer.timer = null;
    showAnswer(conversation, answer);
  }

  /** Brings the node of an answer up to date with it. */
  function showAnswer(conversation, answer) {
    if (!answer.node) return;
    const body = part(answer.node, "body");
    const isDone = answer.state !== "running";
    answer.parts.forEach((one, index) => {
      const isLast = index === answer.parts.length - 1;
      if (one.kind === "text") {
        one.node ??= append(body, element("div", { class: "md", dir: "auto" }));
        showMarkdown(one, one.node, isDone || !isLast);
      } else if (one.kind === "thinking") updateThinking(body, one, isDone || !isLast);
      else chatSteps.update(one, isDone, (node) => append(body, node));
    });
    answer.wait ??= element("p", { class: "chat-wait soft" }, element("span", { class: "dot" }), element("span", { "data-part": "doing" }));
    if (isDone) answer.wait.remove();
    else {
      setText(part(answer.wait, "doing"), t(conversation.run?.isStopping ? "chat.stopping" : answer.parts.length ? "chat.working" : "chat.waiting"));
      // Where text flows, or a step tells what happens, nothing more has to be said.
      answer.wait.hidden = answer.parts.length > 0 && answer.parts[answer.parts.length - 1].kind !== "text" && !conversation.run?.isStopping;
      answer.wait.classList.toggle("quiet-wait", answer.parts.length > 0);
      body.append(answer.wait);
    }
    answer.node.setAttribute("aria-busy", String(!isDone));
    if (isDone) showEnd(conversation, answer);
    else part(answer.node, "foot").replaceChildren();
  }

  function append(parent, node) {
    const wait = [...parent.children].find((child) => child.classList.contains("chat-wait") || child.classList.contains("chat-asked"));
    parent.insertBefore(node, wait ?? null);
    return node;
  }

  function showMarkdown(one, node, isWhole) {
    if (one.view?.container !== node) {
      one.view = new markdown.View(node, markdownOptions);
      one.shown = null;
    }
    const state = `${one.text.length} ${isWhole}`;
    if (one.shown === state) return;
    one.shown = state;
    one.view.show(one.text, isWhole);
  }

  function updateThinking(body, one, isWhole) {
    if (!one.node) {
      one.node = append(body, chatSteps.makeFold("thinking"));
      one.node.append(element("div", { class: "md fold-body", "data-part": "text", dir: "auto" }));
    }
    one.node.classList.toggle("busy", !isWhole);
    const time = isWhole && one.ended !== null ? one.ended - one.begun : 0;
    setText(part(one.node, "title"), !isWhole ? t("chat.thinking") : time < 1000 ? t("chat.thoughtBriefly") : t("chat.thought", { time: milliseconds(time) }));
    showMarkdown(one, part(one.node, "text"), isWhole);
  }

  function showEnd(conversation, answer) {
    const body = part(answer.node, "body");
    body.querySelector(".chat-error, .chat-note")?.remove();
    if (answer.state === "failed") body.append(makeError(conversation, answer));
    else if (answer.state === "stopped") body.append(element("p", { class: "chat-note soft small", textContent: t("chat.stopped") }));
    else if (answer.state === "unkept") body.append(element("p", { class: "chat-note soft small", textContent: t("chat.unkept") }));
    else if (answer.note) body.append(element("p", { class: "chat-note soft small", textContent: answer.note }));
    const foot = part(answer.node, "foot");
    foot.replaceChildren();
    if (textOf(answer)) foot.append(copyIcon(() => textOf(answer).trim(), body));
    const at = conversation.entries.indexOf(answer);
    const question = conversation.entries[at - 1];
    // Its images are not here any more: what came out would answer another question.
    const isWhole = question && question.kind === "question" && question.images.every((image) => image.url);
    if (isWhole && answer.state !== "failed") {
      // Where there is nothing else below a question, the button says what it does.
      const again = answer.state === "unkept" ? element("button", { type: "button", class: "when-idle", textContent: t("chat.regenerate") })
        : iconButton("again", t("chat.regenerate"), { class: "quiet chat-icon when-idle" });
      again.addEventListener("click", () => chat.turns.regenerate(conversation, answer));
      foot.append(again);
    }
    const figures = figuresOf(answer);
    if (figures) foot.append(element("span", { class: "figures soft number", textContent: figures }));
  }

  function figuresOf({ times, usage }) {
    const said = [];
    if (times) {
      if (times.first !== null) said.push(t("chat.first", { time: milliseconds(times.first) }));
      said.push(t("chat.total", { time: milliseconds(times.total) }));
    }
    if (usage && usage.total_tokens) {
      const cached = usage.prompt_tokens_details?.cached_tokens || 0;
      said.push(t(cached ? "chat.inCached" : "chat.in", { count: usage.prompt_tokens, cached }));
      said.push(t("chat.out", { count: usage.completion_tokens }));
    }
    return said.join(" · ");
  }

  function makeError(conversation, answer) {
    const { message, code, requestID } = answer.error;
    const again = element("button", { type: "button", textContent: t("chat.again") });
    again.addEventListener("click", () => chat.turns.regenerate(conversation, answer));
    const facts = element("p", { class: "small chat-error-facts" });
    if (code) facts.append(element("code", { textContent: code }));
    if (requestID) facts.append(element("code", { textContent: requestID }));
    return element("div", { class: "chat-error" }, element("p", { class: "chat-error-text", textContent: message }), facts,
      element("div", { class: "buttons" }, again, ...(requestID ? [copyButton(() => `${code} ${requestID}: ${message}`, t("chat.errorFacts"), facts)] : [])));
  }

  return { show: showAnswer, showNow, schedule: scheduleUpdate };
}
