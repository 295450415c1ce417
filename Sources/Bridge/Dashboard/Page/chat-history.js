// A conversation as the bridge has it: loads the items of its session and makes entries of them.

function makeChatHistory(chat) {
  const { prefixOf, textOf, makeQuestion, makeAnswer, addText, addStep } = chatMessages;

  async function load(conversation) {
    conversation.state = "loading";
    conversation.elsewhere = "none";
    const mine = visit;
    chat.log.draw(conversation);
    try {
      const path = `/sessions/${encodeURIComponent(conversation.id)}`;
      const about = await send("GET", `/v1${path}`);
      if (about.status === 404) return finishLoading(conversation, mine, "missing", await problem(about));
      if (!about.ok) return finishLoading(conversation, mine, "failed", await problem(about));
      const session = await about.json();
      conversation.profile = session.profile || "agent";
      conversation.title = session.title || "";
      conversation.model ??= session.model || null;
      const items = [];
      for (let more = true; more;) {
        const after = items.length ? `&after=${encodeURIComponent(items[items.length - 1].id)}` : "";
        const response = await send("GET", `${prefixOf(conversation)}${path}/messages?limit=100${after}`);
        if (!response.ok) return finishLoading(conversation, mine, "failed", await problem(response));
        const page = await response.json();
        items.push(...page.data);
        more = page.has_more && page.data.length > 0;
        if (visit !== mine) return;
      }
      conversation.entries = entriesOf(items);
      chat.log.hideEarlier(conversation);
      finishLoading(conversation, mine, "ready", "");
    } catch (error) {
      if (visit !== mine) return;
      if (error instanceof WrongKey) return signOut(t("gate.noLonger"));
      finishLoading(conversation, mine, "failed", t("problem.unreachable"));
    }
  }

  function finishLoading(conversation, mine, state, why) {
    if (visit !== mine || conversation.run) return;
    conversation.state = state;
    conversation.problem = why;
    chat.log.draw(conversation);
    if (conversation !== chat.shown) return;
    chat.composer.showPickers();
    chat.goToEnd();
    if (snapshot) chat.notices.noticeTurns(snapshot);
  }

  /** The items of a session as entries: what comes between two messages of the person is one answer. */
  function entriesOf(items) {
    const entries = [];
    const calls = new Map();
    const answer = () => {
      const last = entries[entries.length - 1];
      if (last && last.kind === "answer") return last;
      entries.push(makeAnswer("done"));
      return entries[entries.length - 1];
    };
    for (const item of items) {
      if (item.type === "message" && item.role === "user") entries.push(questionOf(item.content));
      else if (item.type === "message") {
        const { text, images } = questionOf(item.content);
        const said = answer();
        // As the bridge joins the messages of a turn in an answer.
        if (item.phase === "commentary") addText(said, "thinking", text, true);
        else addText(said, "text", (textOf(said) ? "\n\n" : "") + text + images.map(() => `\n[${t("chat.image")}]`).join(""), true);
      } else if (item.type === "command") {
        addStep(answer(), { id: item.id, type: "command", status: item.status, text: item.command, exit_code: item.exit_code ?? null });
      } else if (item.type === "function_call") {
        const step = { id: item.call_id, type: "call", status: "completed", text: item.name, exit_code: null, input: item.arguments, output: "" };
        calls.set(item.call_id, step);
        addStep(answer(), step);
      } else if (item.type === "function_call_output") {
        const step = calls.get(item.call_id);
        if (step) step.output = questionOf(item.content).text;
      }
    }
    for (const entry of entries) if (entry.kind === "answer" && !textOf(entry)) promoteCommentary(entry);
    return entries;
  }

  /** In a turn without an answer the bridge puts what Codex said about its work in the place of one. */
  function promoteCommentary(answer) {
    answer.parts.filter((one) => one.kind === "thinking").forEach((one, index) => {
      one.kind = "text";
      if (index > 0) one.text = `\n\n${one.text}`;
    });
  }

  /** A message of the person, from a text or from parts. Its images are told of and not there. */
  function questionOf(content) {
    if (typeof content === "string") return makeQuestion(content, []);
    const parts = Array.isArray(content) ? content : [];
    return makeQuestion(parts.filter((one) => typeof one.text === "string").map((one) => one.text).join("\n"),
      parts.filter((one) => one.type === "image").map((one) => ({ url: null, type: one.media_type || "" })));
  }

  return { load };
}
