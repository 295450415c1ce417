// The request for an answer and the stream of events that comes back: what arrives is added to the answer.

function makeChatStream() {
  const { prefixOf, addText, addStep } = chatMessages;
  const longestEvent = 16 << 20;
  let knowsItems = true;        // The bridge tells what Codex does apart from what it thinks.

  /** Server-sent events, cut out of text that comes in pieces (HTML Standard, 9.2.6). Calls `whenData` for each one's data. */
  function eventReader(whenData) {
    let rest = "";
    let data = null;
    return (text) => {
      rest += text;
      if (rest.length > longestEvent) throw new Error("an event is too long");
      let begin = 0;
      for (;;) {
        const found = /\r\n|\n|\r(?!$)/.exec(begin ? rest.slice(begin, begin + longestEvent) : rest);
        if (!found) break;
        const line = rest.slice(begin, begin + found.index);
        begin += found.index + found[0].length;
        if (line === "") {
          if (data !== null) whenData(data);
          data = null;
        } else if (line.startsWith("data:")) {
          const value = line.slice(line[5] === " " ? 6 : 5);
          data = data === null ? value : `${data}\n${value}`;
        }
      }
      rest = rest.slice(begin);
    };
  }

  class Refusal extends Error {
    constructor({ message, code }, requestID) {
      super(message || t("chat.failed"));
      this.code = code || "";
      this.requestID = requestID;
    }
  }

  async function openStream(conversation, { body, headers, run }) {
    for (;;) {
      const fields = knowsItems ? { ...headers, "x-bridge-activity": "items" } : headers;
      const response = await send("POST", `${prefixOf(conversation)}/chat/completions`, { body, headers: fields, signal: run.abort.signal });
      run.answer.requestID = response.headers.get("x-request-id");
      if (run.answer.requestID) conversation.ownRequests.add(run.answer.requestID);
      if (response.ok) {
        const state = response.headers.get("x-bridge-session-state");
        if (state === "restarted") run.answer.note = t("chat.restarted");
        else if (state === "continued" && run.takesBack) run.answer.note = t("chat.notTakenBack");
        return response;
      }
      let said = {};
      try { said = (await response.json()).error || {}; } catch { said = { message: t("problem.status", { status: String(response.status) }) }; }
      // An older bridge does not know this form.
      if (response.status === 400 && knowsItems && `${said.param} ${said.message}`.includes("x-bridge-activity")) knowsItems = false;
      else throw new Refusal(said, run.answer.requestID);
    }
  }

  async function readAnswer(run, response, whenChanged) {
    const { answer } = run;
    let isOver = false;
    const read = eventReader((data) => {
      if (data === "[DONE]") {
        isOver = true;
        return;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refusal(chunk.error, answer.requestID);
      if (chunk.usage) answer.usage = chunk.usage;
      for (const choice of chunk.choices || []) {
        takeDelta(run, choice.delta || {});
        if (choice.finish_reason) isOver = true;
      }
      whenChanged();
    });
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      read(decoder.decode(value, { stream: true }));
    }
    read(`${decoder.decode()}\n\n`);
    if (!isOver && !run.isStopping) throw new Refusal({ message: t("chat.broken"), code: "" }, answer.requestID);
  }

  function takeDelta(run, delta) {
    const { answer } = run;
    const last = answer.parts[answer.parts.length - 1];
    if (delta.reasoning_content) addText(answer, "thinking", delta.reasoning_content);
    if (delta.content) {
      run.first ??= performance.now();
      addText(answer, "text", delta.content);
    }
    if (delta.bridge_activity) addStep(answer, delta.bridge_activity);
    // Thinking has ended when something else follows it.
    if (last && last.kind === "thinking" && last !== answer.parts[answer.parts.length - 1]) last.ended ??= performance.now();
  }

  return {
    Refusal,

    /** Sends `body` and reads the answer to its end into `run.answer`; calls `whenChanged` after each event that told something. */
    async read(conversation, { body, headers, run, whenChanged }) {
      await readAnswer(run, await openStream(conversation, { body, headers, run }), whenChanged);
    },

    reset() { knowsItems = true; },
  };
}
