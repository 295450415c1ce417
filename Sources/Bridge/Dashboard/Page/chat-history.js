// A conversation as the bridge has it: loads the items of its session and makes entries of them.

function makeChatHistory(chat) {
  const { prefixOf, textOf, makeQuestion, makeAnswer, addText, addStep } = chatMessages;

  // How long a turn of this page that has just been stopped is waited for, and how often the bridge is asked; milliseconds.
  const endPatience = 6000;
  const endPause = 300;
  const pathOf = ({ id }) => `/sessions/${encodeURIComponent(id)}`;

  /** What went wrong, for a conversation that cannot be read. */
  class Unreadable extends Error {
    constructor(state, message) {
      super(message);
      this.state = state;
    }
  }

  async function readSession(conversation) {
    const response = await send("GET", `/v1${pathOf(conversation)}`);
    if (!response.ok) throw new Unreadable(response.status === 404 ? "missing" : "failed", await problem(response));
    return response.json();
  }

  async function readItems(conversation, session) {
    const items = [];
    for (let more = true; more;) {
      const after = items.length ? `&after=${encodeURIComponent(items[items.length - 1].id)}` : "";
      const response = await send("GET", `${prefixOf(session)}${pathOf(conversation)}/messages?limit=100${after}`);
      if (!response.ok) throw new Unreadable("failed", await problem(response));
      const page = await response.json();
      items.push(...page.data);
      more = page.has_more && page.data.length > 0;
    }
    return items;
  }

  const isBusyAt = (session) => Boolean(session.running || session.waiting);

  /** Takes over what the bridge says of a session whose items are shown. */
  function take(conversation, session) {
    conversation.profile = session.profile || "agent";
    conversation.title = session.title || "";
    conversation.model ??= session.model || null;
    conversation.base = session.turns ?? null;
    conversation.wasKept = true;
  }

  async function load(conversation) {
    conversation.state = "loading";
    conversation.elsewhere = "none";
    const mine = visit;
    chat.log.draw(conversation);
    try {
      const session = await readSession(conversation);
      const items = await readItems(conversation, session);
      if (visit !== mine || conversation.run) return;
      take(conversation, session);
      conversation.entries = entriesOf(items, isBusyAt(session));
      if (isBusyAt(session)) conversation.elsewhere = "running";
      chat.log.hideEarlier(conversation);
      finishLoading(conversation, "ready", "");
    } catch (error) {
      if (visit !== mine || conversation.run) return;
      if (error instanceof WrongKey) return signOut(t("gate.noLonger"));
      if (error instanceof Unreadable) finishLoading(conversation, error.state, error.message);
      else finishLoading(conversation, "failed", t("problem.unreachable"));
    }
  }

  function finishLoading(conversation, state, why) {
    conversation.state = state;
    conversation.problem = why;
    chat.log.draw(conversation);
    if (conversation !== chat.shown) return;
    chat.composer.showPickers();
    chat.goToEnd();
    if (snapshot) chat.notices.noticeTurns(snapshot);
  }

  /**
   * Compares a conversation with what the bridge has of it, and shows what has come. Gives "same"; "changed" if others have
   * gone on with it or taken something back; "held" if a turn of theirs runs; "gone" if it was forgotten; "unknown" if the
   * bridge does not say, with the reason in `problem`; null after a sign-out.
   */
  function compare(conversation) {
    conversation.comparing ??= compareOnce(conversation).finally(() => { conversation.comparing = null; });
    return conversation.comparing;
  }

  async function compareOnce(conversation) {
    const mine = visit;
    try {
      let session = await readSession(conversation);
      // A turn that was stopped here may still be ending.
      for (const end = Date.now() + endPatience; isBusyAt(session) && conversation.base === null && Date.now() < end;) {
        await new Promise((resolve) => { setTimeout(resolve, endPause); });
        if (visit !== mine) return null;
        session = await readSession(conversation);
      }
      if (visit !== mine) return null;
      if (isBusyAt(session)) {
        conversation.elsewhere = "running";
        return "held";
      }
      if (session.turns === conversation.base && conversation.elsewhere !== "running") return "same";
      const items = await readItems(conversation, session);
      if (visit !== mine) return null;
      const hasChanged = merge(conversation, entriesOf(items, false));
      // There was a turn more than those that the record has: this page's turn went on from before it.
      const isLost = !hasChanged && conversation.hasJustRun && conversation.base !== null && session.turns > conversation.base;
      if (isLost) conversation.elsewhere = "between";
      conversation.hasJustRun = false;
      take(conversation, session);
      return hasChanged || isLost ? "changed" : "same";
    } catch (error) {
      if (visit !== mine) return null;
      if (error instanceof WrongKey) return signOut(t("gate.noLonger")), null;
      // What was never there is not missed: the first message of it was refused.
      if (error instanceof Unreadable && error.state === "missing") return conversation.wasKept ? "gone" : "same";
      conversation.problem = error instanceof Unreadable ? error.message : t("problem.unreachable");
      return "unknown";
    }
  }

  const isSilent = (entry) => entry.kind === "answer" && textOf(entry) === "";

  /** Whether an entry of the record is one that is shown. An answer that was cut may be shorter there. */
  function isSame(own, other) {
    if (own.kind !== other.kind) return false;
    if (own.kind === "question") return own.text.trim() === other.text.trim();
    const [said, recorded] = [textOf(own).trim(), textOf(other).trim()];
    return said === recorded || (own.state !== "done" && said.startsWith(recorded));
  }

  /** Puts what the record has and is not shown in the place of what it has no more. Whether there was any of that. */
  function merge(conversation, recorded) {
    const { entries } = conversation;
    let [at, next] = [0, 0];
    while (at < entries.length && next < recorded.length) {
      if (isSame(entries[at], recorded[next])) [at, next] = [at + 1, next + 1];
      else if (isSilent(recorded[next])) next += 1;
      // What was stopped or has failed need not be in the record.
      else if (entries[at].kind === "answer" && entries[at].state !== "done") at += 1;
      else break;
    }
    while (next < recorded.length && isSilent(recorded[next])) next += 1;
    const isTaken = entries.slice(at).some((entry) => entry.state === "done" && !isSilent(entry));
    if (next === recorded.length && !isTaken) {
      // That there is no answer is shown below the question, and takes nothing back.
      const [last] = recorded.slice(-1);
      if (entries.length && entries[entries.length - 1].kind === "question" && last?.kind === "answer") chat.log.replaceFrom(conversation, entries.length, [last]);
      return false;
    }
    // The answer that has come takes the place of the one that was missed.
    while (recorded[next]?.kind === "answer" && at > 0 && entries[at - 1].kind === "answer") at -= 1;
    // What has failed here at last is known here alone.
    const unsent = entries.length - at === 2 && entries[at + 1].state === "failed" ? entries.slice(at) : [];
    chat.log.replaceFrom(conversation, at, [...recorded.slice(next), ...unsent]);
    if (conversation === chat.shown) {
      chat.composer.fill();
      chat.stickToEnd();
    }
    return true;
  }

  /** The items of a session as entries: what comes between two messages of the person is one answer. `isRunning`: more comes. */
  function entriesOf(items, isRunning) {
    const entries = [];
    const calls = new Map();
    const answer = () => {
      const last = entries[entries.length - 1];
      if (last && last.kind === "answer") return last;
      entries.push(makeAnswer("done"));
      return entries[entries.length - 1];
    };
    let lastTurn;
    const endTurn = (turn) => {
      // Messages of one turn have one answer.
      if (entries[entries.length - 1]?.kind === "question" && turn !== lastTurn) entries.push(makeAnswer("unkept"));
      lastTurn = turn;
    };
    for (const item of items) {
      if (item.type === "message" && item.role === "user") {
        endTurn(item.turn_id ?? null);
        entries.push(questionOf(item.content));
      } else if (item.type === "message") {
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
    if (!isRunning) endTurn();
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

  return { load, compare };
}
