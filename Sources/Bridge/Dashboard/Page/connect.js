// Settings to paste into clients, and what was last seen from each.

views.connect = (() => {
  const root = $("view-connect");
  const placeholder = "YOUR_KEY";
  let isKeyShown = false;
  let chosen = 0;
  let chosenModel = null;     // By the person; else the preset one is shown.
  let drawn = "";

  const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const quoted = JSON.stringify;
  const host = (url) => url.replace(/\/v1$/, "");
  const openWebUIHeaders = '{"X-Session-Id": "{{CHAT_ID}}", "X-Bridge-Parent": "{{USER_MESSAGE_PARENT_ID}}", "X-Bridge-Task": "{{TASK}}"}';

  /** A name of this machine leads nowhere from another one, or from a container. */
  const elsewhereNotes = () => (isLocal() ? [t("connect.container", { host: location.hostname })] : []);

  // `seen` are the names under which the bridge lists the client, or the library that it is made with; `fields` are the label of a snippet and its text.
  const clients = [
    {
      name: "OpenWebUI", seen: ["Open WebUI", "OpenWebUI", "Open WebUI or another Python program (aiohttp)"],
      notes: () => [t("connect.openwebui"), ...elsewhereNotes()],
      fields: (url, model, key) => [[t("field.url"), url], [t("field.key"), key], [t("field.headers"), openWebUIHeaders]],
    },
    {
      name: "Cherry Studio", seen: ["Cherry Studio"], notes: () => [t("connect.cherry"), t("connect.historyNote")],
      fields: (url, model, key) => [[t("field.apiHost"), host(url)], [t("field.key"), key], [t("field.modelId"), model]],
    },
    {
      name: "LobeChat", seen: ["LobeChat", "OpenAI Node"], notes: () => [t("connect.lobechat"), ...elsewhereNotes(), t("connect.historyNote")],
      fields: (url, model, key) => [[t("field.key"), key], [t("field.proxyUrl"), url], [t("field.modelId"), model]],
    },
    {
      name: "Cline", seen: ["Cline", "OpenAI Node"], notes: () => [t("connect.cline")],
      fields: (url, model, key) => [[t("field.baseUrl"), url], [t("field.key"), key], [t("field.modelId"), model]],
    },
    {
      name: "curl", seen: ["curl"], notes: () => [t("connect.sessionNote")],
      fields: (url, model, key) => [[t("field.shell"), `curl -N ${url}/chat/completions \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d ${shellQuoted(quoted({ model, stream: true, messages: [{ role: "user", content: "List the files here." }] }))}`]],
    },
    {
      name: "Python", seen: ["OpenAI Python"], notes: () => [t("connect.sessionNote")],
      fields: (url, model, key) => [[t("field.shell"), "pip install openai"], ["Python", `from openai import OpenAI

client = OpenAI(base_url=${quoted(url)}, api_key=${quoted(key)})
stream = client.chat.completions.create(
    model=${quoted(model)},
    messages=[{"role": "user", "content": "Who are you?"}],
    extra_headers={"X-Session-Id": "my-conversation"},
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)`]],
    },
    {
      name: "Node", seen: ["OpenAI Node"], notes: () => [t("connect.sessionNote")],
      fields: (url, model, key) => [[t("field.shell"), "npm install openai"], ["JavaScript", `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${quoted(url)}, apiKey: ${quoted(key)} });
const stream = await client.chat.completions.create(
  {
    model: ${quoted(model)},
    messages: [{ role: "user", content: "Who are you?" }],
    stream: true,
  },
  { headers: { "X-Session-Id": "my-conversation" } },
);
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");`]],
    },
    {
      name: "LangChain", seen: ["LangChain", "OpenAI Python"], notes: () => [t("connect.sessionNote")],
      fields: (url, model, key) => [[t("field.shell"), "pip install langchain-openai"], ["Python", `from langchain_openai import ChatOpenAI

llm = ChatOpenAI(
    base_url=${quoted(url)},
    api_key=${quoted(key)},
    model=${quoted(model)},
    default_headers={"X-Session-Id": "my-conversation"},
    use_responses_api=False,
    stream_usage=True,
)
print(llm.invoke("Who are you?").content)`]],
    },
    {
      name: "llm", seen: ["llm", "OpenAI Python"], notes: () => [t("connect.llm"), t("connect.historyNote")],
      fields: (url, model, key) => [[t("field.shell"), `llm keys set codexbridge --value ${shellQuoted(key)}`], ["extra-openai-models.yaml", `- model_id: codex
  model_name: ${quoted(model)}
  api_base: ${quoted(url)}
  api_key_name: codexbridge`], [t("field.shell"), "llm -m codex 'Who are you?'"]],
    },
    {
      name: "Codex", seen: ["Codex"], notes: () => [t("connect.codex"), ...elsewhereNotes()],
      fields: (url, model, key) => [["config.toml", `[model_providers.codexbridge]
name = "CodexBridge"
base_url = ${quoted(url)}
env_key = "CODEXBRIDGE_KEY"
wire_api = "responses"`], [t("field.shell"), `CODEXBRIDGE_KEY=${shellQuoted(key)} \\
  codex -c model_provider=codexbridge -m ${shellQuoted(model)}`]],
    },
  ];

  const select = element("select", { id: "model" });
  const keyButton = element("button", { type: "button", id: "show-key", "aria-pressed": "false" });
  const tabs = element("div", { id: "tabs", class: "tabs", role: "tablist", "data-t-aria-label": "connect.clients" });
  const seen = element("p", { id: "client-seen", class: "small" });
  const panel = element("div", { id: "panel", class: "panel", role: "tabpanel", tabIndex: 0 });
  const seenRows = element("ul", { id: "client-rows", class: "rows" });
  const seenCard = element("section", { class: "card", "aria-labelledby": "h-seen", hidden: true },
    element("header", {}, element("h2", { id: "h-seen", "data-t": "connect.allSeen" })), seenRows);
  root.append(
    element("header", { class: "view-head" }, element("h1", { id: "h-connect", tabIndex: -1, "data-t": "nav.connect" }),
      element("div", { class: "choose" }, element("label", { for: "model", class: "soft small", "data-t": "connect.model" }), select), keyButton),
    element("p", { class: "soft", "data-t": "connect.intro" }),
    element("section", { class: "card" }, tabs, panel), seenCard);

  clients.forEach((entry, index) => {
    const tab = element("button", { type: "button", role: "tab", id: `tab-${index}`, textContent: entry.name, "aria-controls": "panel" });
    tab.addEventListener("click", () => choose(index));
    tabs.append(tab);
  });
  // The keys of a tab list (WAI-ARIA Authoring Practices).
  tabs.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1 + clients.length, Home: 0, End: clients.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    choose(steps[event.key] % clients.length);
    $(`tab-${chosen}`).focus();
  });

  function choose(index) {
    chosen = index;
    showClient();
  }

  select.addEventListener("change", () => {
    chosenModel = select.value;
    showClient();
  });
  keyButton.addEventListener("click", () => {
    isKeyShown = !isKeyShown;
    showClient();
  });

  /** The models; at first the one of requests that name none is chosen. */
  function showModels() {
    const preset = snapshot?.bridge.default_model;
    const shape = JSON.stringify([models, preset, language]);
    if (select.shape === shape) return;
    select.shape = shape;
    const options = models.map(({ id }) => element("option", { value: id, textContent: id }));
    select.replaceChildren(...(options.length ? options : [element("option", { value: "", textContent: t("connect.noModel") })]));
    const wanted = [chosenModel, preset].find((id) => models.some((model) => model.id === id));
    if (wanted) select.value = wanted;
  }

  function showClient() {
    showModels();
    setText(keyButton, t(isKeyShown ? "connect.hideKey" : "connect.showKey"));
    keyButton.setAttribute("aria-pressed", String(isKeyShown));
    clients.forEach((_, index) => {
      const tab = $(`tab-${index}`);
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
    });
    showSeen();
    const shape = JSON.stringify([chosen, select.value, isKeyShown, language, key]);
    if (drawn === shape) return;
    drawn = shape;
    panel.setAttribute("aria-labelledby", `tab-${chosen}`);
    const { notes, fields } = clients[chosen];
    const fieldsWith = (shownKey) => fields(`${location.origin}${base}/v1`, select.value || "MODEL", shownKey);
    const whole = fieldsWith(key);
    panel.replaceChildren(seen, ...notes().map((note) => element("p", { class: "soft", textContent: note })),
      ...fieldsWith(isKeyShown ? key : placeholder).map(([label, text], index) => makeSnippet(label, text, whole[index][1])));
  }

  /** `text` is what is shown; `whole` has the key in it, and is what is copied. */
  function makeSnippet(label, text, whole) {
    const block = element("pre", {}, element("code", { textContent: text }));
    const button = text === whole ? copyButton(() => text, label, block)
      : copyButton(() => whole, label, block, "copy.doneKey");
    return element("div", { class: "snippet" },
      element("div", { class: "snippet-head" }, element("span", { textContent: label }), button), block);
  }

  // ---- what was seen

  /** How its last request named its conversation. */
  function sessionWords(facts) {
    if (facts.session_source) return t("connect.session", { source: facts.session_source });
    if (facts.continued) return t("connect.continued");
    return t(clients[0].seen.includes(facts.name) ? "connect.addHeaders" : "connect.addSession");
  }

  const isAdvice = (facts) => !facts.session_source && !facts.continued;

  function showSeen() {
    const all = snapshot?.clients || [];
    const { name } = clients[chosen];
    const mine = clients[chosen].seen.map((other) => all.find((facts) => facts.name === other)).find(Boolean);
    seen.hidden = !snapshot?.clients;
    seen.className = mine && isAdvice(mine) ? "seen advice small" : "seen small";
    setText(seen, mine ? t("connect.seen", { ago: ago(now() - mine.last_seen), how: sessionWords(mine) }) : t("connect.unseen", { name }));
    seenCard.hidden = all.length === 0;
    reconcile(seenRows, all, (facts) => facts.name, (facts) => element("li", { class: "seen-row" },
      element("strong", { textContent: clientName(facts.name) }), element("span", { class: "facts number" }, element("time", { "data-part": "age" }),
        element("span", { "data-part": "count" }), element("span", { "data-part": "session" }))), (node, facts) => {
      setAge(part(node, "age"), "ago", facts.last_seen);
      setText(part(node, "count"), t("connect.requests", { count: facts.requests }));
      setText(part(node, "session"), sessionWords(facts));
    }, $("h-connect"));
  }

  return {
    show: showClient,
    hide() { isKeyShown = false; },
    update: showClient,
    relabel() {
      seenRows.replaceChildren();
      showClient();
    },
    reset() {
      isKeyShown = false;
      chosen = 0;
      chosenModel = null;
      for (const node of [panel, seen, seenRows, select]) node.replaceChildren();
      seenCard.hidden = true;
      select.shape = null;
      drawn = "";
    },
  };
})();
