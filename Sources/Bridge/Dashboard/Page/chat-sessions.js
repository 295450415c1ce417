// The list of sessions beside the conversation. On narrow screens it is opened and lies over the conversation.

function makeChatSessions(chat) {
  const { ui, drawing, iconButton } = chatControls;
  let sessions = [];
  let sessionsShape = "";
  let sessionsTimer = null;

  function make() {
    return element("nav", { id: "chat-list", class: "chat-list", "aria-label": t("chat.list") },
      element("div", { class: "chat-list-head" },
        element("button", { id: "chat-new", type: "button", class: "chat-new" }, drawing("add"), element("span", { textContent: t("chat.new") })),
        iconButton("close", t("chat.closeList"), { id: "chat-list-close" })),
      element("ul", { id: "chat-sessions", class: "chat-sessions" }),
      element("p", { id: "chat-none", class: "soft small", textContent: t("chat.none") }),
      element("a", { class: "small chat-all", href: "#/sessions", textContent: t("chat.all") }));
  }

  function connect(view) {
    ui("new").addEventListener("click", chat.openNew);
    ui("open-list").addEventListener("click", () => openList(ui("open-list").getAttribute("aria-expanded") !== "true"));
    ui("list-close").addEventListener("click", () => openList(false));
    ui("list").addEventListener("keydown", (event) => { if (event.key === "Escape") openList(false); });
    view.addEventListener("pointerdown", (event) => { if (!ui("list").contains(event.target)) openList(false); });
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

  function refreshSessions() {
    clearTimeout(sessionsTimer);
    sessionsTimer = setTimeout(async () => {
      const mine = visit;
      try {
        const response = await send("GET", "/v1/sessions?limit=40");
        if (!response.ok) return;
        const listed = (await response.json()).data;
        // What was asked with another key is not shown.
        if (visit !== mine) return;
        sessions = listed;
        const own = chat.shown && sessions.find((session) => session.id === chat.shown.id);
        if (own && own.title && own.title !== chat.shown.title) {
          chat.shown.title = own.title;
          chat.showHead();
        }
        if (snapshot) showSessions(snapshot);
      } catch { /* The feed tells when the bridge is gone, and a later snapshot asks again. */ }
    }, 300);
  }

  function showSessions(facts) {
    const busy = new Set(facts.turns.running.map((turn) => turn.session));
    reconcile(ui("sessions"), sessions, (session) => `${session.profile} ${session.id}`, (session) => {
      const link = element("a", { href: chatAddress(session.id) },
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
      if (chat.shown && session.id === chat.shown.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }, ui("new"));
    ui("none").hidden = sessions.length > 0;
  }

  /** Shows what is known, and asks for the list anew if `facts` tell of a change. */
  function update(facts) {
    const shape = JSON.stringify(facts.sessions.recent.map((session) => [session.id, session.last_used, session.turns, session.title, session.running]));
    if (shape !== sessionsShape) {
      sessionsShape = shape;
      refreshSessions();
    }
    showSessions(facts);
  }

  function reset() {
    sessions = [];
    sessionsShape = "";
    clearTimeout(sessionsTimer);
  }

  return { make, connect, open: openList, refresh: refreshSessions, update, reset };
}
