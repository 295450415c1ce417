// The chat: conversations with Codex, each a session of the bridge. Its address is `#/chat/ID`.
//
// A conversation is a list of entries: what the person said, and answers. An answer is a list of parts in the order in
// which they came: "text", "thinking", and "steps" (what Codex did, and calls of a client's functions). Every request
// carries the whole history as text; the bridge finds its place in the session. So an edit is the history up to before
// the edited message with the new one behind it, and a regenerated answer the history up to its question.

views.chat = (() => {
  const imageTypes = ["image/png", "image/jpeg", "image/gif", "image/webp"];
  const mostImages = 8;
  // The images of a message together, in bytes: as base64 they are a third longer, and a request's body may have 10 MB
  // (CODEX_JSON_LIMIT) where nobody has raised that.
  const largestImages = 7 << 20;
  // Larger pictures, as from the camera of a phone, are made smaller: models do not look at more pixels than these on a side.
  const longestSide = 2048;
  const worthShrinking = 1 << 20;
  // Older entries of a long conversation are built when they are asked for: thousands at once would hold the browser up.
  const entriesAtOnce = 40;
  const commonEfforts = ["low", "medium", "high"];
  // How long a turn may take to end after Stop before its connection is closed, which ends it too. In milliseconds.
  const patience = 5000;
  const longestEvent = 16 << 20;

  let shown = null;             // The conversation in view.
  // Those with a turn of this page, which goes on while another one is in view, and those whose last turn has failed: what
  // the bridge has of these may lack what the person wrote. By id.
  const kept = new Map();
  const drafts = new Map();     // What was written and not sent, by id.
  let wasHidden = true;         // The view was left since it was shown last.
  let sessions = [];
  let sessionsShape = "";
  let sessionsTimer = null;
  let knowsItems = true;        // The bridge tells what Codex does apart from what it thinks.
  let sticks = true;            // The end of the conversation is in view and stays there.

  // ---- conversations

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
      state: id === null ? "new" : "loading", problem: "", run: null, ownRequests: new Set(), elsewhere: "none", isCut: false, takesBack: false,
      log: element("div", { class: "chat-log" }),
    };
  }

  const prefixOf = (conversation) => (conversation.profile === "chat" ? "/chat/v1" : "/v1");
  const addressOf = (id) => `#/chat/${encodeURIComponent(id)}`;

  /** The text of an answer as it is sent back in the history. */
  const textOf = (answer) => answer.parts.filter((one) => one.kind === "text").map((one) => one.text).join("");

  /** What is sent of the entries before `end`: texts, and with the last message its images. */
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

  // ---- what the bridge has of a session

  async function load(conversation) {
    conversation.state = "loading";
    conversation.elsewhere = "none";
    const mine = visit;
    draw(conversation);
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
      conversation.firstBuilt = Math.max(0, conversation.entries.length - entriesAtOnce);
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
    draw(conversation);
    if (conversation !== shown) return;
    showPickers();
    sticks = true;
    stickToEnd();
    if (snapshot) noticeTurns(snapshot);
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

  const makeQuestion = (text, images) => ({ kind: "question", text, images, isEdited: false });
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

  // ---- asking

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
    // A message without a history could be one more message; with an empty parent it takes the place of the first.
    if (conversation.isCut && entries.length === 1) headers["x-bridge-parent"] = "";
    run.takesBack = conversation.takesBack;
    conversation.takesBack = false;
    conversation.state = "ready";
    conversation.run = run;
    kept.set(conversation.id, conversation);
    entries.push(answer);
    build(conversation, answer);
    showComposer();
    sticks = true;
    stickToEnd();
    const mine = visit;
    try {
      await readAnswer(conversation, run, await openStream(conversation, body, headers, run));
      answer.state = run.isStopping ? "stopped" : "done";
    } catch (error) {
      if (visit !== mine) return;
      if (error instanceof WrongKey) return signOut(t("gate.noLonger"));
      if (run.isStopping) answer.state = "stopped";
      else {
        answer.state = "failed";
        const message = t(answer.requestID ? "chat.broken" : "problem.unreachable");
        answer.error = error instanceof Refusal ? error : new Refusal({ message }, answer.requestID);
      }
    }
    if (visit !== mine) return;
    finishAnswer(conversation, run);
  }

  async function openStream(conversation, body, headers, run) {
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

  async function readAnswer(conversation, run, response) {
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
      scheduleUpdate(conversation, answer);
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

  function finishAnswer(conversation, run) {
    const { answer } = run;
    const ended = performance.now();
    for (const one of answer.parts) if (one.kind === "thinking") one.ended ??= ended;
    answer.times = { first: run.first === undefined ? null : run.first - run.started, total: ended - run.started };
    conversation.run = null;
    if (answer.state !== "failed") kept.delete(conversation.id);
    clearTimeout(answer.timer);
    answer.timer = null;
    showAnswer(conversation, answer);
    if (conversation === shown) {
      showComposer();
      showRequests(snapshot);
      stickToEnd();
      if (!$("view-chat").hidden) {
        announce(answer.state === "failed" ? answer.error.message
          : answer.state === "stopped" ? t("chat.stopped") : t("chat.answered", { text: textOf(answer).slice(0, 400) }));
      }
    }
    refreshSessions();
  }

  async function stop(conversation) {
    const { run } = conversation;
    if (!run || run.isStopping) return;
    run.isStopping = true;
    showComposer();
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
    conversation.isCut = true;
    for (const old of gone) old.node?.remove();
    conversation.takesBack = gone.some((old) => old.kind === "answer" && old.state !== "failed" && textOf(old) !== "");
    conversation.firstBuilt = Math.min(conversation.firstBuilt, conversation.entries.length);
  }

  function say(conversation, text, images) {
    if (conversation.id === null) {
      conversation.id = newID();
      conversation.title = text.trim().split("\n")[0].slice(0, 80);
      kept.set(conversation.id, conversation);
    }
    const question = makeQuestion(text, images);
    conversation.entries.push(question);
    build(conversation, question);
    requestAnswer(conversation);
    if (conversation !== shown) return;
    showHead();
    if (location.hash !== addressOf(conversation.id)) go(addressOf(conversation.id));
  }

  /** Asks the question before `answer` again. */
  function regenerate(conversation, answer) {
    if (conversation.run) return;
    truncate(conversation, answer);
    requestAnswer(conversation);
    focusText();
  }

  // ---- what the view is made of

  const isPhone = () => matchMedia("(hover: none) and (pointer: coarse)").matches;
  const ui = (name) => $(`chat-${name}`);

  const shapes = {
    send: "M12 19V5M6 11l6-6 6 6", stop: "M7 7h10v10H7z", attach: "M19 11.5 12.5 18a4.2 4.2 0 0 1-6-6l7-7a2.8 2.8 0 0 1 4 4l-7 7a1.4 1.4 0 0 1-2-2l6-6",
    down: "M12 5v14M6 13l6 6 6-6", list: "M4.5 6.5h15M4.5 12h15M4.5 17.5h9", add: "M12 5v14M5 12h14", close: "m6.5 6.5 11 11M17.5 6.5l-11 11",
    edit: "M5 19h3.5L18 9.5 14.5 6 5 15.5zM13 7.5l3.5 3.5", again: "M19 12a7 7 0 1 1-2-5l2 2M19 4.5V9h-4.5", copy: "M9 9h10v10H9zM15 9V5H5v10h4",
    done: "m5 12.5 4.5 4.5L19 7.5",
  };

  function drawing(name) {
    const node = document.createElementNS(svgNamespace, "svg");
    node.setAttribute("class", "icon");
    node.setAttribute("viewBox", "0 0 24 24");
    node.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(svgNamespace, "path");
    path.setAttribute("d", shapes[name]);
    node.append(path);
    return node;
  }

  function iconButton(name, text, properties = {}) {
    return element("button", { type: "button", class: "quiet chat-icon", "aria-label": text, title: text, ...properties }, drawing(name));
  }

  function makeView() {
    const view = $("view-chat");
    const list = element("nav", { id: "chat-list", class: "chat-list", "aria-label": t("chat.list") },
      element("div", { class: "chat-list-head" },
        element("button", { id: "chat-new", type: "button", class: "chat-new" }, drawing("add"), element("span", { textContent: t("chat.new") })),
        iconButton("close", t("chat.closeList"), { id: "chat-list-close" })),
      element("ul", { id: "chat-sessions", class: "chat-sessions" }),
      element("p", { id: "chat-none", class: "soft small", textContent: t("chat.none") }),
      element("a", { class: "small chat-all", href: "#/sessions", textContent: t("chat.all") }));
    const head = element("header", { class: "chat-head" },
      iconButton("list", t("chat.list"), { id: "chat-open-list", "aria-expanded": "false", "aria-controls": "chat-list" }),
      element("h1", { id: "h-chat", class: "clip", tabIndex: -1 }),
      element("span", { id: "chat-profile", class: "tag", textContent: t("chat.plain"), title: t("chat.plainLong"), hidden: true }),
      iconButton("add", t("chat.new"), { id: "chat-new-small" }));
    const form = element("form", { id: "chat-form", class: "chat-form" },
      element("ul", { id: "chat-images", class: "chat-images", hidden: true, "aria-label": t("chat.images") }),
      element("textarea", { id: "chat-text", rows: 1, placeholder: t("chat.placeholder"), "aria-label": t("chat.message"), "aria-describedby": "chat-keys" }),
      element("div", { class: "chat-tools" },
        iconButton("attach", t("chat.attach"), { id: "chat-attach" }),
        element("input", { id: "chat-file", type: "file", accept: imageTypes.join(","), multiple: true, hidden: true }),
        element("select", { id: "chat-model", "aria-label": t("chat.model") }),
        element("select", { id: "chat-effort", "aria-label": t("chat.effort") }),
        element("span", { id: "chat-keys", class: "soft small chat-keys", textContent: t("chat.keys") }),
        iconButton("send", t("chat.send"), { id: "chat-send", type: "submit", class: "primary chat-send" }),
        iconButton("stop", t("chat.stop"), { id: "chat-stop", class: "chat-send", hidden: true })));
    const foot = element("div", { class: "chat-foot" },
      element("div", { class: "chat-jump" }, iconButton("down", t("chat.jump"), { id: "chat-jump", hidden: true })),
      element("div", { id: "chat-elsewhere", class: "chat-elsewhere", role: "status", hidden: true },
        element("p", { id: "chat-elsewhere-text" }), element("button", { id: "chat-reload", type: "button", textContent: t("chat.reload") })),
      form);
    view.setAttribute("aria-labelledby", "h-chat");
    view.replaceChildren(element("div", { class: "chat" }, list,
      element("div", { class: "chat-main" }, head, element("div", { id: "chat-place", class: "chat-place" }), foot)));
    connectView(view);
  }

  function connectView(view) {
    const text = ui("text");
    ui("new").addEventListener("click", openNew);
    ui("new-small").addEventListener("click", openNew);
    ui("open-list").addEventListener("click", () => openList(ui("open-list").getAttribute("aria-expanded") !== "true"));
    ui("list-close").addEventListener("click", () => openList(false));
    ui("list").addEventListener("keydown", (event) => { if (event.key === "Escape") openList(false); });
    view.addEventListener("pointerdown", (event) => { if (!ui("list").contains(event.target)) openList(false); });
    text.addEventListener("input", () => {
      shown.draft = text.value;
      fitText();
      showComposer();
    });
    text.addEventListener("keydown", (event) => {
      // Enter that ends a word of an input method is not meant for the page; 229 is how Safari tells.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      // The keyboards of phones have no Shift-Enter: there Enter begins a line, and the button sends.
      if (isPhone()) return;
      event.preventDefault();
      submit();
    });
    text.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files || [])].filter((file) => file.type.startsWith("image/"));
      if (!files.length) return;
      event.preventDefault();
      addImages(files);
    });
    ui("form").addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    ui("stop").addEventListener("click", () => stop(shown));
    ui("attach").addEventListener("click", () => ui("file").click());
    ui("file").addEventListener("change", () => {
      addImages([...ui("file").files]);
      ui("file").value = "";
    });
    view.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      ui("form").classList.add("drop");
    });
    view.addEventListener("dragleave", (event) => { if (!view.contains(event.relatedTarget)) ui("form").classList.remove("drop"); });
    view.addEventListener("drop", (event) => {
      ui("form").classList.remove("drop");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      addImages([...event.dataTransfer.files]);
    });
    ui("model").addEventListener("change", () => {
      shown.model = ui("model").value || null;
      if (!effortsOf(shown.model).includes(shown.effort)) shown.effort = "";
      store("chat-model", shown.model);
      showPickers();
    });
    ui("effort").addEventListener("change", () => {
      shown.effort = ui("effort").value;
      store("chat-effort", shown.effort || null);
    });
    ui("jump").addEventListener("click", () => {
      sticks = true;
      stickToEnd();
      focusText();
    });
    ui("reload").addEventListener("click", () => {
      load(shown);
      focusText();
    });
  }

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

  function submit() {
    const conversation = shown;
    const text = conversation.draft;
    // What a conversation has that could not be read must not be taken for nothing.
    if (conversation.run || ["loading", "failed"].includes(conversation.state) || (!text.trim() && !conversation.images.length)) return;
    const { images } = conversation;
    conversation.draft = "";
    conversation.images = [];
    ui("text").value = "";
    showImages();
    fitText();
    say(conversation, text, images);
  }

  /** Where a field with the focus brings up a keyboard that covers half of the screen, the heading gets it. */
  function focusText() {
    (isPhone() ? $("h-chat") : ui("text"))?.focus({ preventScroll: true });
  }

  function openNew() {
    openList(false);
    open(makeConversation(null));
    if (location.hash !== "#/chat") go("#/chat");
    ui("text").focus();
  }

  function openList(isOpen) {
    if (!$("chat-form")) return;
    const wasOpen = ui("open-list").getAttribute("aria-expanded") === "true";
    if (!isOpen && !wasOpen) return;
    ui("list").classList.toggle("open", isOpen);
    ui("open-list").setAttribute("aria-expanded", String(isOpen));
    // The list lies over the conversation then.
    $("view-chat").querySelector(".chat-main").inert = isOpen;
    if (isOpen) ui("list-close").focus();
    else if (wasOpen && ui("list").contains(document.activeElement)) ui("open-list").focus();
  }

  // ---- the composer

  function fitText() {
    const text = ui("text");
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, innerHeight * 0.4)}px`;
  }

  function showComposer() {
    const { run } = shown;
    ui("send").hidden = Boolean(run);
    ui("send").disabled = ["loading", "failed"].includes(shown.state) || (!shown.draft.trim() && !shown.images.length);
    const hadFocus = document.activeElement === ui("stop");
    ui("stop").hidden = !run;
    setBusy(ui("stop"), Boolean(run && run.isStopping));
    if (hadFocus && !run) ui("text").focus({ preventScroll: true });
    ui("place").classList.toggle("running", Boolean(run));
  }

  function showImages() {
    const list = ui("images");
    list.hidden = shown.images.length === 0;
    list.replaceChildren(...shown.images.map((image) => {
      const remove = iconButton("close", t("chat.removeImage", { name: image.name }));
      remove.addEventListener("click", () => {
        shown.images = shown.images.filter((other) => other !== image);
        showImages();
        showComposer();
        ui("text").focus();
      });
      return element("li", {}, element("img", { src: image.url, alt: image.name }), remove);
    }));
  }

  /** A file as a `data:` URL; null if it cannot be read. */
  function readWhole(file) {
    return new Promise((resolve) => {
      const reader = new FileReader();
      reader.addEventListener("loadend", () => resolve(reader.error ? null : reader.result));
      reader.readAsDataURL(file);
    });
  }

  /** A large picture in fewer pixels, as a `data:` URL; null if it is to stay as it is. A GIF may move. */
  async function shrunk(file) {
    if (file.size < worthShrinking || file.type === "image/gif") return null;
    try {
      const picture = await createImageBitmap(file);
      const scale = longestSide / Math.max(picture.width, picture.height);
      if (scale >= 1) return null;
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(picture.width * scale));
      canvas.height = Math.max(1, Math.round(picture.height * scale));
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      picture.close();
      return canvas.toDataURL(file.type, 0.9);
    } catch {
      return null;
    }
  }

  async function addImages(files) {
    const conversation = shown;
    for (const file of files) {
      if (!imageTypes.includes(file.type)) toast(t("chat.imageType", { name: escaped(file.name) }));
      else if (conversation.images.length >= mostImages) toast(t("chat.imageCount", { count: mostImages }));
      else {
        const url = (await shrunk(file)) ?? (await readWhole(file));
        const before = conversation.images.reduce((sum, image) => sum + image.url.length, 0);
        const name = file.name || t("chat.image");
        if (!url) toast(t("chat.imageUnreadable", { name: escaped(name) }));
        else if ((before + url.length) * 0.75 > largestImages) toast(t("chat.imageSize", { name: escaped(name), size: memory(largestImages) }));
        else conversation.images.push({ url, type: file.type, name });
      }
    }
    if (conversation !== shown) return;
    showImages();
    showComposer();
    stickToEnd();
  }

  function effortsOf(id) {
    const model = models.find((other) => other.id === (id ?? snapshot?.bridge.default_model));
    return model && model.efforts.length ? model.efforts : commonEfforts;
  }

  function showPickers() {
    const option = (value, text) => element("option", { value, textContent: text });
    const ids = models.map((model) => model.id);
    const preset = models.find((model) => model.id === snapshot?.bridge.default_model);
    const listed = [option("", preset ? t("chat.defaultNamed", { name: preset.name }) : t("chat.defaultModel")), ...models.map((model) => option(model.id, model.name))];
    if (shown.model && !ids.includes(shown.model)) listed.push(option(shown.model, shown.model));
    const efforts = effortsOf(shown.model);
    const shape = JSON.stringify([listed.map((one) => [one.value, one.textContent]), efforts, language]);
    if (ui("model").shape !== shape) {
      ui("model").shape = shape;
      ui("model").replaceChildren(...listed);
      const nameOf = (effort) => (has(`effort.${effort}`) ? t(`effort.${effort}`) : effort);
      ui("effort").replaceChildren(option("", t("chat.defaultEffort")), ...efforts.map((effort) => option(effort, nameOf(effort))));
    }
    ui("model").value = shown.model || "";
    ui("effort").value = efforts.includes(shown.effort) ? shown.effort : "";
  }

  // ---- entries

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

  /** Builds the whole log of a conversation. */
  function draw(conversation) {
    const { log, state } = conversation;
    log.replaceChildren();
    for (const entry of conversation.entries) entry.node = null;
    if (state === "loading") log.append(element("p", { class: "chat-state soft", role: "status", textContent: t("chat.loading") }));
    else if (state === "missing" || state === "failed") {
      const again = element("button", { type: "button", textContent: t("chat.again") });
      again.addEventListener("click", () => load(conversation));
      const why = state === "missing" ? t("chat.missing") : conversation.problem;
      log.append(element("div", { class: "chat-state" }, element("p", { role: "alert", textContent: why }), again));
    } else if (!conversation.entries.length) {
      log.append(element("div", { class: "chat-hello" },
        element("p", { class: "chat-hello-title", textContent: t("chat.hello") }),
        element("p", { class: "soft", textContent: t("chat.helloText") })));
    }
    if (state === "ready" || state === "new") {
      if (conversation.firstBuilt > 0) log.append(makeEarlier(conversation));
      for (const entry of conversation.entries.slice(conversation.firstBuilt)) build(conversation, entry);
    }
    if (conversation === shown) {
      showHead();
      showComposer();
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
      showAnswer(conversation, entry);
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
    edit.addEventListener("click", () => { if (!conversation.run) editQuestion(conversation, entry); });
    part(entry.node, "foot").replaceChildren(copyIcon(() => entry.text, body), edit);
  }

  function copyIcon(text, block) {
    const button = iconButton("copy", t("copy.do"));
    button.addEventListener("click", async () => {
      const isCopied = await copy(text(), block);
      announce(t(isCopied ? "copy.done" : "copy.byHandLong"));
      if (!isCopied) return toast(t("copy.byHandLong"));
      button.replaceChildren(drawing("done"));
      setTimeout(() => button.replaceChildren(drawing("copy")), 1500);
    });
    return button;
  }

  function editQuestion(conversation, entry) {
    const body = part(entry.node, "body");
    const text = element("textarea", { class: "edit-text", value: entry.text, "aria-label": t("chat.editMessage") });
    const images = entry.images.filter((image) => image.url);
    const notes = [t("chat.editNote")];
    if (images.length < entry.images.length) notes.push(t("chat.imagesLost"));
    const close = () => {
      showQuestion(conversation, entry);
      part(entry.node, "foot").lastElementChild.focus();
    };
    const submitEdit = () => {
      if (conversation.run || (!text.value.trim() && !images.length)) return;
      truncate(conversation, entry);
      say(conversation, text.value, images);
      focusText();
    };
    const cancel = element("button", { type: "button", textContent: t("chat.cancel") });
    const ok = element("button", { type: "button", class: "primary", textContent: t("chat.sendEdit") });
    cancel.addEventListener("click", close);
    ok.addEventListener("click", submitEdit);
    const fit = () => {
      text.style.height = "auto";
      text.style.height = `${Math.min(text.scrollHeight + 2, innerHeight * 0.5)}px`;
    };
    text.addEventListener("input", fit);
    text.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && !event.shiftKey && !isPhone()) {
        event.preventDefault();
        submitEdit();
      }
    });
    entry.node.classList.add("editing");
    body.replaceChildren(text, element("p", { class: "soft small", textContent: notes.join(" ") }), element("div", { class: "buttons" }, cancel, ok));
    part(entry.node, "foot").replaceChildren();
    fit();
    text.focus();
  }

  // An answer that streams is shown a few times a second; a slow browser gets more rest between two times.
  function scheduleUpdate(conversation, answer) {
    if (answer.timer) return;
    answer.timer = setTimeout(() => {
      answer.timer = null;
      const begun = performance.now();
      showAnswer(conversation, answer);
      if (conversation === shown) stickToEnd();
      answer.pause = Math.min(2000, Math.max(60, 4 * (performance.now() - begun)));
    }, answer.pause || 30);
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
      else updateSteps(body, one, isDone);
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

  function makeFold(className) {
    return element("details", { class: `fold ${className}` }, element("summary", {},
      element("span", { class: "fold-mark" }), element("span", { class: "fold-title", "data-part": "title" })));
  }

  function updateThinking(body, one, isWhole) {
    if (!one.node) {
      one.node = append(body, makeFold("thinking"));
      one.node.append(element("div", { class: "md fold-body", "data-part": "text", dir: "auto" }));
    }
    one.node.classList.toggle("busy", !isWhole);
    const time = isWhole && one.ended !== null ? one.ended - one.begun : 0;
    setText(part(one.node, "title"), !isWhole ? t("chat.thinking") : time < 1000 ? t("chat.thoughtBriefly") : t("chat.thought", { time: milliseconds(time) }));
    showMarkdown(one, part(one.node, "text"), isWhole);
  }

  const stateOf = (step, isDone) => {
    // A turn that has ended leaves nothing running.
    if (step.status === "in_progress") return isDone ? "unknown" : "running";
    if (step.status === "unfinished") return "unknown";
    if (step.status === "failed" || (step.exit_code !== null && step.exit_code !== undefined && step.exit_code !== 0)) return "failed";
    return step.status === "declined" ? "declined" : "done";
  };

  function stepWords(step, isDone) {
    if (step.exit_code !== null && step.exit_code !== undefined) return t("chat.exit", { code: String(step.exit_code) });
    const state = stateOf(step, isDone);
    // A note tells something and does nothing.
    if (step.type === "note" && state !== "failed") return "";
    return t(step.type === "approval" && state === "running" ? "chat.step.asks" : `chat.step.${state}`);
  }

  /** "Running `ls`" is how the bridge tells of a command. */
  const commandOf = (text) => (/^Running `([^]*)`$/.exec(text) || [null, null])[1];
  const isCommand = (step) => step.type === "command" || commandOf(step.text) !== null;
  const titleOf = (step) => (step.type === "call" ? t("chat.called", { name: step.text }) : (commandOf(step.text) ?? step.text)).split("\n")[0].slice(0, 200);

  function updateSteps(body, one, isDone) {
    if (!one.node) {
      one.node = append(body, makeFold("deeds"));
      one.node.append(element("ol", { class: "fold-body", "data-part": "list" }));
    }
    const states = one.steps.map((step) => stateOf(step, isDone));
    const latest = one.steps[one.steps.length - 1];
    const isActive = states.includes("running");
    one.node.classList.toggle("busy", isActive);
    one.node.classList.toggle("bad", !isActive && states.some((state) => state === "failed"));
    // What runs is told, and what was the only one; else how many there were.
    const told = isActive ? one.steps[states.lastIndexOf("running")] : one.steps.length === 1 ? latest : null;
    const words = told && !isActive ? stepWords(told, isDone) : "";
    part(one.node, "title").classList.toggle("mono", told !== null && isCommand(told));
    setText(part(one.node, "title"), told ? `${titleOf(told)}${words ? ` · ${words}` : ""}` : t("chat.steps", { count: one.steps.length }));
    reconcile(part(one.node, "list"), one.steps, (step) => step.id, makeStep, (node, step) => {
      const state = stateOf(step, isDone);
      part(node, "state").className = `deed-state ${state}`;
      setText(part(node, "state"), stepWords(step, isDone));
      const text = part(node, "text");
      setText(text, step.type === "call" ? t("chat.called", { name: step.text }) : commandOf(step.text) ?? step.text);
      for (const name of ["input", "output"]) {
        if (!step[name]) continue;
        part(node, name).hidden = false;
        setText(part(node, name), step[name]);
      }
    });
  }

  function makeStep(step) {
    return element("li", {},
      element("div", { class: "deed" },
        element(isCommand(step) ? "code" : "span", { class: "deed-text", "data-part": "text" }),
        element("span", { class: "deed-state", "data-part": "state" })),
      element("pre", { class: "deed-data", "data-part": "input", hidden: true, tabIndex: 0, "aria-label": t("chat.arguments") }),
      element("pre", { class: "deed-data", "data-part": "output", hidden: true, tabIndex: 0, "aria-label": t("chat.output") }));
  }

  function showEnd(conversation, answer) {
    const body = part(answer.node, "body");
    body.querySelector(".chat-error, .chat-note")?.remove();
    if (answer.state === "failed") body.append(makeError(conversation, answer));
    else if (answer.state === "stopped") body.append(element("p", { class: "chat-note soft small", textContent: t("chat.stopped") }));
    else if (answer.note) body.append(element("p", { class: "chat-note soft small", textContent: answer.note }));
    const foot = part(answer.node, "foot");
    foot.replaceChildren();
    if (textOf(answer)) foot.append(copyIcon(() => textOf(answer).trim(), body));
    const at = conversation.entries.indexOf(answer);
    const question = conversation.entries[at - 1];
    // Its images are not here any more: what came out would answer another question.
    const isWhole = question && question.kind === "question" && question.images.every((image) => image.url);
    if (isWhole && answer.state !== "failed") {
      const again = iconButton("again", t("chat.regenerate"), { class: "quiet chat-icon when-idle" });
      again.addEventListener("click", () => regenerate(conversation, answer));
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
    again.addEventListener("click", () => regenerate(conversation, answer));
    const facts = element("p", { class: "small chat-error-facts" });
    if (code) facts.append(element("code", { textContent: code }));
    if (requestID) facts.append(element("code", { textContent: requestID }));
    return element("div", { class: "chat-error" }, element("p", { class: "chat-error-text", textContent: message }), facts,
      element("div", { class: "buttons" }, again, ...(requestID ? [copyButton(() => `${code} ${requestID}: ${message}`, t("chat.errorFacts"), facts)] : [])));
  }

  // ---- what else is shown

  function showHead() {
    setText($("h-chat"), escaped(shown.title || (shown.id === null ? t("chat.new") : shown.id)));
    $("h-chat").title = shown.id ?? "";
    ui("profile").hidden = shown.profile !== "chat";
  }

  /** What Codex asks for this conversation is shown where its answer will be. */
  function showRequests(facts) {
    const { run } = shown;
    const asked = facts && run && run.answer.requestID ? facts.approvals.filter((approval) => approval.request_id === run.answer.requestID) : [];
    let list = shown.log.querySelector(".chat-asked");
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
      stickToEnd();
    }
    // The card on top of every view would say the same again.
    $("app").classList.toggle("chat-asks", asked.length > 0 && facts.approvals.every((approval) => asked.includes(approval)));
  }

  /** Tells of turns of this conversation that somebody else runs. */
  function noticeTurns(facts) {
    const others = facts.turns.running.filter((turn) => turn.session === shown.id && !shown.ownRequests.has(turn.request_id));
    const isActive = shown.id !== null && others.length > 0 && !shown.run;
    if (isActive) shown.elsewhere = "running";
    else if (shown.elsewhere === "running" && !shown.run) shown.elsewhere = "ended";
    const isShown = shown.elsewhere !== "none" && shown.state === "ready";
    ui("elsewhere").hidden = !isShown;
    setText(ui("elsewhere-text"), isShown ? t(`chat.elsewhere.${shown.elsewhere}`) : "");
    ui("reload").hidden = shown.elsewhere !== "ended";
  }

  // ---- the list of sessions

  function refreshSessions() {
    clearTimeout(sessionsTimer);
    sessionsTimer = setTimeout(async () => {
      const mine = visit;
      try {
        const response = await send("GET", "/v1/sessions?limit=40");
        if (!response.ok || visit !== mine) return;
        sessions = (await response.json()).data;
        const own = shown && sessions.find((session) => session.id === shown.id);
        if (own && own.title && own.title !== shown.title) {
          shown.title = own.title;
          showHead();
        }
        if (snapshot) showSessions(snapshot);
      } catch { /* The feed tells when the bridge is gone, and a later snapshot asks again. */ }
    }, 300);
  }

  function showSessions(facts) {
    const busy = new Set(facts.turns.running.map((turn) => turn.session));
    reconcile(ui("sessions"), sessions, (session) => `${session.profile} ${session.id}`, (session) => {
      const link = element("a", { href: addressOf(session.id) },
        element("span", { class: "clip chat-session-title", "data-part": "title", dir: "auto" }),
        element("span", { class: "soft small", "data-part": "used" }));
      link.addEventListener("click", () => openList(false));
      return element("li", {}, link);
    }, (node, session) => {
      const link = node.firstElementChild;
      setText(part(node, "title"), escaped(session.title || session.id));
      part(node, "title").title = escaped(session.title || session.id);
      const isActive = session.running || busy.has(session.id);
      if (isActive) {
        delete part(node, "used").dataset.at;
        setText(part(node, "used"), t("chat.running"));
      } else if (session.last_used) setAge(part(node, "used"), "ago", session.last_used);
      link.classList.toggle("busy", Boolean(isActive));
      if (shown && session.id === shown.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }, ui("new"));
    ui("none").hidden = sessions.length > 0;
  }

  // ---- the view

  function open(conversation) {
    if (shown && shown !== conversation) {
      drafts.set(shown.id, { draft: shown.draft, images: shown.images });
      shown.log.remove();
    }
    shown = conversation;
    Object.assign(conversation, drafts.get(conversation.id));
    drafts.delete(conversation.id);
    if (conversation.model === null && conversation.id === null) {
      conversation.model = stored("chat-model");
      conversation.effort = stored("chat-effort") || "";
    }
    ui("place").replaceChildren(conversation.log);
    ui("text").value = conversation.draft;
    sticks = true;
    showHead();
    showImages();
    showPickers();
    showComposer();
    fitText();
    if (conversation.state === "loading") load(conversation);
    else draw(conversation);
    ui("elsewhere").hidden = true;
    stickToEnd();
  }

  function show(argument) {
    if (!$("chat-form")) makeView();
    const wasAway = wasHidden;
    wasHidden = false;
    if (argument === "") {
      // Who comes back to the chat finds what was open; who is in it and asks for "Chat" begins a new one.
      if (shown && shown.id !== null && wasAway) return history.replaceState(null, "", addressOf(shown.id)), stickToEnd();
      if (!shown || shown.id !== null) open(makeConversation(null));
    } else if (!shown || shown.id !== argument) open(kept.get(argument) || makeConversation(argument));
    stickToEnd();
  }

  return {
    show,
    hide() {
      wasHidden = true;
      $("app").classList.remove("chat-asks");
      openList(false);
    },
    update(facts) {
      if (!shown) return;
      showPickers();
      showRequests(facts);
      noticeTurns(facts);
      const shape = JSON.stringify(facts.sessions.recent.map((session) => [session.id, session.last_used, session.turns, session.title, session.running]));
      if (shape !== sessionsShape) {
        sessionsShape = shape;
        refreshSessions();
      }
      showSessions(facts);
    },
    relabel() {
      if (!shown) return;
      makeView();
      const conversation = shown;
      shown = null;
      open(conversation);
    },
    reset() {
      for (const conversation of kept.values()) conversation.run?.abort.abort();
      kept.clear();
      drafts.clear();
      shown = null;
      sessions = [];
      sessionsShape = "";
      knowsItems = true;
      clearTimeout(sessionsTimer);
      $("view-chat").replaceChildren();
    },
    focus: focusText,
    begin(text) {
      if (!$("chat-form")) makeView();
      open(makeConversation(null));
      wasHidden = false;
      say(shown, text, []);
    },
  };
})();
