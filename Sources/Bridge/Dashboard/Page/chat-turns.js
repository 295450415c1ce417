// Asking Codex: sends what the person says, follows the answer to its end, stops it, and asks again.

function makeChatTurns(chat) {
  const { newID, textOf, messagesOf, makeQuestion, makeAnswer } = chatMessages;
  // How long a turn may take to end after Stop before its connection is closed, which ends it too. In milliseconds.
  const patience = 5000;
  // Those with a turn of this page, which goes on while another one is in view, and those whose last turn has failed: what
  // the bridge has of these may lack what the person wrote. By id.
  const kept = new Map();
  const stream = makeChatStream();

  /** Sends the history of a conversation, whose last entry is the person's, and shows the answer as it comes. */
  async function requestAnswer(conversation) {
    const { entries } = conversation;
    const answer = makeAnswer("running");
    const run = { answer, abort: new AbortController(), started: performance.now(), isStopping: false };
    const body = { session_id: conversation.id, stream: true, stream_options: { include_usage: true }, messages: messagesOf(entries) };
    if (conversation.model) body.model = conversation.model;
    if (conversation.effort) body.reasoning_effort = conversation.effort;
    // Whoever asks again by hand wants a new answer, not the one or the failure that is kept for programs that repeat.
    const headers = { "x-bridge-retry": "run" };
    // Questions without an answer could be asked in addition to what is there; with an empty parent they are all that there is.
    if (body.messages.every(({ role }) => role === "user")) headers["x-bridge-parent"] = "";
    run.takesBack = conversation.takesBack;
    conversation.takesBack = false;
    conversation.state = "ready";
    conversation.elsewhere = "none";
    conversation.run = run;
    kept.set(conversation.id, conversation);
    entries.push(answer);
    chat.log.build(conversation, answer);
    chat.notices.showElsewhere();
    chat.goToEnd();
    const mine = visit;
    try {
      await stream.read(conversation, { body, headers, run, whenChanged: () => chat.answers.schedule(conversation, answer) });
      answer.state = run.isStopping ? "stopped" : "done";
    } catch (error) {
      if (visit !== mine) return;
      if (error instanceof WrongKey) return signOut(t("gate.noLonger"));
      if (run.isStopping) answer.state = "stopped";
      else {
        answer.state = "failed";
        const message = t(answer.requestID ? "chat.broken" : "problem.unreachable");
        answer.error = error instanceof stream.Refusal ? error : new stream.Refusal({ message }, answer.requestID);
      }
    }
    if (visit !== mine) return;
    finishAnswer(conversation, run);
  }

  function finishAnswer(conversation, run) {
    const { answer } = run;
    const ended = performance.now();
    for (const one of answer.parts) if (one.kind === "thinking") one.ended ??= ended;
    answer.times = { first: run.first === undefined ? null : run.first - run.started, total: ended - run.started };
    conversation.run = null;
    // Whether the bridge counts a turn that was stopped or has failed is not known here.
    if (answer.state !== "done") conversation.base = null;
    else {
      conversation.wasKept = true;
      conversation.hasJustRun = true;
      if (conversation.base !== null) conversation.base += 1;
    }
    if (answer.state !== "failed") kept.delete(conversation.id);
    chat.answers.showNow(conversation, answer);
    if (conversation === chat.shown) {
      chat.composer.show();
      chat.notices.showRequests(snapshot);
      chat.stickToEnd();
      if (!$("view-chat").hidden) {
        announce(answer.state === "failed" ? answer.error.message
          : answer.state === "stopped" ? t("chat.stopped") : t("chat.answered", { text: textOf(answer).slice(0, 400) }));
      }
    }
    chat.list.refresh();
  }

  async function stop(conversation) {
    const { run } = conversation;
    if (!run || run.isStopping) return;
    run.isStopping = true;
    chat.composer.show();
    const giveUp = () => { if (conversation.run === run) run.abort.abort(); };
    const id = run.answer.requestID;
    if (!id) return giveUp();
    setTimeout(giveUp, patience);
    try {
      const response = await send("POST", `/api/turns/${encodeURIComponent(id)}/stop`);
      if (!response.ok) giveUp();
    } catch { giveUp(); }
  }

  /** Takes back everything from `entry` on. */
  function truncate(conversation, entry) {
    const at = conversation.entries.indexOf(entry);
    const gone = conversation.entries.splice(at);
    conversation.takesBack = gone.some((old) => old.kind === "answer" && old.state !== "failed" && textOf(old) !== "");
    chat.log.remove(conversation, gone);
  }

  function say(conversation, text, images) {
    if (conversation.id === null) {
      conversation.id = newID();
      conversation.title = text.trim().split("\n")[0].slice(0, 80);
      kept.set(conversation.id, conversation);
    }
    const question = makeQuestion(text, images);
    conversation.entries.push(question);
    chat.log.build(conversation, question);
    requestAnswer(conversation);
    if (conversation !== chat.shown) return;
    chat.showHead();
    if (location.hash !== chatAddress(conversation.id)) go(chatAddress(conversation.id));
  }

  /** Whether a conversation can go on from what is shown of it. Shows what has come meanwhile, and what is in the way. */
  async function mayGoOn(conversation) {
    if (conversation.id === null) return true;
    const found = await chat.history.compare(conversation);
    // The person has gone on to something else while that was asked.
    if (found === null || conversation !== chat.shown || conversation.run) return false;
    if (found === "gone") chat.drop(conversation);
    else if (found === "unknown") toast(conversation.problem);
    else if (found === "changed" && conversation.elsewhere !== "between") conversation.elsewhere = "came";
    chat.notices.showElsewhere();
    return found === "same";
  }

  /** Asks the question before `answer` again. What follows the answer goes, if the person wants that. */
  async function regenerate(conversation, answer) {
    if (conversation.run) return;
    const count = conversation.entries.length - conversation.entries.indexOf(answer) - 1;
    const isSure = count === 0 || await ask({
      title: t("chat.againTitle"), text: t("chat.againText", { count }), yes: t("chat.regenerate"), no: t("chat.cancel"), isDangerous: true,
    });
    if (!isSure || !(await mayGoOn(conversation)) || !conversation.entries.includes(answer)) return;
    truncate(conversation, answer);
    requestAnswer(conversation);
    chat.composer.focus();
  }

  // To leave the page closes the connections, which stops the turns.
  addEventListener("beforeunload", (event) => {
    if ([...kept.values()].some(({ run }) => run)) event.preventDefault();
  });

  return {
    say, stop, truncate, regenerate, mayGoOn,

    /** The conversation with this id, if this page has more of it than the bridge. */
    keptOf: (id) => kept.get(id),
    release: (conversation) => kept.delete(conversation.id),

    reset() {
      for (const conversation of kept.values()) conversation.run?.abort.abort();
      kept.clear();
      stream.reset();
    },
  };
}
