// The entries of a conversation of the chat, and the messages they are sent as.
//
// A conversation is a list of entries: what the person said, and answers. An answer is a list of parts in the order in
// which they came: "text", "thinking", and "steps" (what Codex did, and calls of a client's functions). Every request
// carries the whole history as text; the bridge finds its place in the session. So an edit is the history up to before
// the edited message with the new one behind it, and a regenerated answer the history up to its question.

const chatMessages = (() => {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";

  function newID() {
    let id = "chat-";
    while (id.length < 25) {
      for (const byte of crypto.getRandomValues(new Uint8Array(32))) {
        // 252 is the last multiple of 36: so no letter is likelier than another.
        if (byte < 252 && id.length < 25) id += letters[byte % 36];
      }
    }
    return id;
  }

  function makeConversation(id) {
    return {
      id, profile: "agent", title: "", entries: [], firstBuilt: 0, model: null, effort: "", draft: "", images: [],
      // "new" has nothing at the bridge yet; "loading", "ready", "missing" and "failed" are about what is there.
      state: id === null ? "new" : "loading", problem: "", run: null, ownRequests: new Set(), takesBack: false,
      // How many turns the bridge had when it had what is shown here; null if that is not known.
      base: 0,
      // The bridge has had something of it; the sessions of the snapshot that did not list it when it was last looked for.
      wasKept: false, lookedFor: "",
      // The comparison with the bridge that runs. What others do in it: "none"; "running", when nothing can be sent; "ended",
      // which could not be read; "came", which was found instead of sending;
      // "between", which ran right before a turn of this page and was taken back by it.
      comparing: null, elsewhere: "none", hasJustRun: false,
      log: element("div", { class: "chat-log" }),
    };
  }

  const prefixOf = (conversation) => (conversation.profile === "chat" ? "/chat/v1" : "/v1");

  /** The text of an answer as it is sent back in the history. */
  const textOf = (answer) => answer.parts.filter((one) => one.kind === "text").map((one) => one.text).join("");

  /** What is sent of the entries: texts, and with the last message its images. */
  function messagesOf(entries) {
    const messages = [];
    entries.forEach((entry, index) => {
      if (entry.kind === "answer") {
        const text = textOf(entry);
        if (text) messages.push({ role: "assistant", content: text });
        return;
      }
      const images = index === entries.length - 1 ? entry.images.filter((image) => image.url) : [];
      const parts = images.map((image) => ({ type: "image_url", image_url: { url: image.url } }));
      messages.push({ role: "user", content: parts.length ? [...(entry.text ? [{ type: "text", text: entry.text }] : []), ...parts] : entry.text });
    });
    return messages;
  }

  const makeQuestion = (text, images) => ({ kind: "question", text, images, editText: null });
  /** `state`: "running", "done", "stopped" or "failed" for what this page has asked; "unkept" if the record has none. */
  const makeAnswer = (state) => ({ kind: "answer", state, parts: [], error: null, note: "", usage: null, times: null, requestID: null });

  function addText(answer, kind, text, isWhole) {
    const last = answer.parts[answer.parts.length - 1];
    if (last && last.kind === kind && !isWhole) last.text += text;
    else answer.parts.push({ kind, text, begun: performance.now(), ended: null });
  }

  /** Adds what Codex does, or brings up to date what is known of it. */
  function addStep(answer, step) {
    for (const one of answer.parts) {
      const known = one.kind === "steps" ? one.steps.find((other) => other.id === step.id) : null;
      if (!known) continue;
      // What an update leaves out stays; a question keeps its words, and what became of it is told below.
      const text = step.text ?? known.text;
      const isAnswered = known.type === "approval" && text !== known.text;
      return Object.assign(known, step, { text: isAnswered ? `${known.text}\n${text}` : text });
    }
    const last = answer.parts[answer.parts.length - 1];
    step.text ??= "";
    if (last && last.kind === "steps") last.steps.push(step);
    else answer.parts.push({ kind: "steps", steps: [step] });
  }

  return { newID, makeConversation, prefixOf, textOf, messagesOf, makeQuestion, makeAnswer, addText, addStep };
})();
