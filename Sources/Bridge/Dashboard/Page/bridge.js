// The process itself: how much it does, what it takes, where it works and listens, what the plan allows.

views.bridge = (() => {
  const root = $("view-bridge");
  const heading = (id, name) => element("header", {}, element("h2", { id, "data-t": name }));

  const tile = (name, id, ...content) => element("div", { class: "tile", id: `tile-${id}` }, element("dt", { "data-t": name }), element("dd", {}, ...content));
  const value = (id) => element("span", { id, textContent: "–" });
  const tiles = element("dl", { class: "tiles" },
    tile("bridge.turnsNow", "running", value("t-running"), " ", element("small", { id: "t-running-max" })),
    tile("bridge.waiting", "waiting", value("t-waiting"), " ", element("small", { id: "t-waiting-max" })),
    tile("bridge.approvals", "approvals", value("t-approvals")),
    tile("bridge.sessions", "sessions", value("t-sessions")),
    tile("bridge.connections", "connections", value("t-connections")),
    tile("bridge.uptime", "uptime", element("time", { id: "t-uptime" })));

  function chart(name, id) {
    const svg = document.createElementNS(svgNamespace, "svg");
    for (const [attribute, set] of Object.entries({ id: `${id}-chart`, role: "img", viewBox: "0 0 600 74", preserveAspectRatio: "none" })) svg.setAttribute(attribute, set);
    return element("figure", { class: "chart" },
      element("figcaption", {}, element("span", { "data-t": name }), element("span", { id: `${id}-sum`, class: "soft number" })), svg);
  }
  const axis = element("div", { class: "axis", "aria-hidden": "true" }, element("span", {}), element("span", {}), element("span", {}));

  const pair = (name, id, kind = "") => [element("dt", { id: `${id}-name`, "data-t": name }), element("dd", { id, class: kind })];
  root.append(
    element("header", { class: "view-head" }, element("h1", { id: "h-bridge", tabIndex: -1, "data-t": "nav.bridge" })),
    element("section", { "data-t-aria-label": "bridge.overview" }, tiles),
    element("div", { class: "columns" },
      element("div", { class: "column" },
        element("section", { class: "card", "aria-labelledby": "h-hour" }, heading("h-hour", "bridge.lastHour"),
          element("div", { class: "body" }, chart("bridge.turnsPerMinute", "turns"), chart("bridge.tokensPerMinute", "tokens"), axis)),
        element("section", { class: "card", "aria-labelledby": "h-limits" }, heading("h-limits", "bridge.limits"),
          element("div", { class: "body" }, element("p", { id: "limits-empty", class: "soft small" }), element("ul", { id: "limit-rows", class: "limits" })))),
      element("div", { class: "column" },
        element("section", { class: "card", "aria-labelledby": "h-engine" }, heading("h-engine", "bridge.engine"),
          element("div", { class: "body" }, element("dl", { class: "pairs" },
            ...pair("bridge.version", "b-version", "number"), ...pair("bridge.codex", "e-version", "number"), ...pair("bridge.login", "e-login"),
            ...pair("bridge.plan", "e-plan"), ...pair("bridge.codexMemory", "e-memory", "number"), ...pair("bridge.restarts", "e-restarts", "number"),
            ...pair("bridge.memory", "b-memory", "number"), ...pair("bridge.totalTurns", "b-turns", "number")))),
        element("section", { class: "card", "aria-labelledby": "h-work" }, heading("h-work", "bridge.work"),
          element("div", { class: "body" }, element("dl", { class: "pairs" },
            ...pair("bridge.directory", "b-directory", "mono"), ...pair("bridge.rights", "b-rights"),
            ...pair("bridge.listening", "b-listening", "mono"), ...pair("bridge.keyKind", "b-key")))))));

  function update(facts) {
    const { bridge, engine, turns } = facts;
    setText($("t-running"), number(turns.running_count));
    setText($("t-running-max"), t("bridge.of", { count: compact(turns.max_running) }));
    setText($("t-waiting"), number(turns.waiting));
    setText($("t-waiting-max"), t("bridge.of", { count: compact(turns.max_waiting) }));
    setText($("t-approvals"), number(facts.approval_count));
    $("tile-approvals").classList.toggle("calls", facts.approval_count > 0);
    setText($("t-sessions"), number(facts.sessions.total));
    setText($("t-connections"), number(bridge.connections));
    setAge($("t-uptime"), "lasting", bridge.started);
    [t("bridge.minutesAgo", { count: 60 }), t("bridge.minutesAgo", { count: 30 }), t("bridge.now")].forEach((text, index) => setText(axis.children[index], text));
    showMinutes(facts.minutes);
    setText($("b-version"), bridge.version);
    setText($("e-version"), engine.version || "–");
    setText($("e-memory"), memory(engine.memory));
    setText($("e-restarts"), number(engine.restarts));
    setText($("b-memory"), memory(bridge.memory));
    setText($("b-turns"), facts.totals ? number(facts.totals.turns) : "–");
    setText($("b-directory"), bridge.works_in || "–");
    setText($("b-rights"), bridge.sandbox ? rightsOf(bridge).join(t("list.comma")) : "–");
    setText($("b-listening"), bridge.listening.map((url) => url.replace(/^https?:\/\//, "")).join(", ") || "–");
    setText($("b-key"), bridge.uses_default_key ? t("bridge.defaultKey")
      : bridge.key_count > 1 ? t("bridge.keyNumber", { number: bridge.key_number, count: bridge.key_count }) : t("bridge.ownKey"));
    showAccount(facts);
  }

  // ---- the last hour

  function showMinutes(minutes) {
    const sum = (member) => minutes.reduce((before, minute) => before + minute[member], 0);
    const peak = (member) => Math.max(0, ...minutes.map((minute) => minute[member]));
    const [total, failures, tokens] = [sum("turns"), sum("failures"), sum("tokens")];
    setText($("turns-sum"), !total ? t("bridge.none")
      : t(failures ? "bridge.sumFailures" : "bridge.sum", { total: compact(total), failures: compact(failures), peak: compact(peak("turns")) }));
    setText($("tokens-sum"), tokens ? t("bridge.sum", { total: compact(tokens), peak: compact(peak("tokens")) }) : t("bridge.none"));
    draw($("turns-chart"), minutes, peak("turns"), (minute) => [minute.turns - minute.failures, minute.failures],
      (minute) => t("bridge.turns", { count: minute.turns }) + (minute.failures ? t("bridge.notCompleted", { count: minute.failures }) : ""));
    draw($("tokens-chart"), minutes, peak("tokens"), (minute) => [minute.tokens, 0], (minute) => t("bridge.tokens", { count: minute.tokens }));
    $("turns-chart").setAttribute("aria-label", t("bridge.turnsChart", { total, failures, peak: peak("turns") }));
    $("tokens-chart").setAttribute("aria-label", t("bridge.tokensChart", { total: tokens, peak: peak("tokens") }));
  }

  /** Bars, one per minute, each with what completed below and what did not above it. */
  function draw(svg, minutes, highest, valuesOf, describe) {
    const shape = JSON.stringify([language, minutes.map(valuesOf)]);
    if (svg.drawn === shape) return;
    svg.drawn = shape;
    svg.replaceChildren();
    const width = 600 / minutes.length;
    const height = 70;
    const rectangle = (kind, x, y, w, h) => {
      const node = document.createElementNS(svgNamespace, "rect");
      for (const [name, set] of Object.entries({ class: kind, x, y, width: w, height: h })) node.setAttribute(name, set);
      svg.append(node);
      return node;
    };
    minutes.forEach((minute, index) => {
      const x = index * width;
      const [good, bad] = valuesOf(minute).map((count) => (highest ? (count / highest) * height : 0));
      if (good > 0) rectangle("bar", x + 1.5, 74 - Math.max(good, 1.5), width - 3, Math.max(good, 1.5));
      if (bad > 0) rectangle("bar bad", x + 1.5, 74 - good - Math.max(bad, 1.5), width - 3, Math.max(bad, 1.5));
      const title = document.createElementNS(svgNamespace, "title");
      const back = minutes.length - 1 - index;
      title.textContent = `${back === 0 ? t("bridge.thisMinute") : t("bridge.minutesAgo", { count: back })}: ${describe(minute)}`;
      rectangle("hit", x, 0, width, 74).append(title);
    });
  }

  // ---- login and plan limits

  function showAccount({ engine, account, bridge }) {
    setText($("e-login"), account ? loginName(account, bridge)
      : engine.reason === "not_logged_in" ? t("state.not_logged_in") : "–");
    const plan = account && account.plan && account.plan !== "unknown" ? account.plan : null;
    $("e-plan").hidden = $("e-plan-name").hidden = plan === null;
    setText($("e-plan"), plan === null ? "" : (plan[0].toUpperCase() + plan.slice(1)).replaceAll("_", " "));
    const limits = account ? account.limits : [];
    $("limits-empty").hidden = limits.length > 0;
    setText($("limits-empty"), t(!account ? "bridge.limitsLater" : account.kind === "chatgpt" ? "bridge.limitsSoon" : "bridge.limitsNone"));
    reconcile($("limit-rows"), limits.map((limit, index) => ({ ...limit, index })), (limit) => limit.index, makeLimit, updateLimit);
  }

  function windowName(minutes) {
    if (minutes === null) return t("limit.any");
    if (minutes === 10080) return t("limit.week");
    if (minutes === 1440) return t("limit.day");
    if (minutes % 1440 === 0) return t("limit.days", { count: minutes / 1440 });
    if (minutes % 60 === 0) return t("limit.hours", { count: minutes / 60 });
    return t("limit.minutes", { count: minutes });
  }

  function makeLimit() {
    return element("li", {},
      element("p", { class: "limit-head" }, element("span", { "data-part": "name" }), element("span", { class: "number", "data-part": "used" })),
      element("div", { class: "meter", role: "meter", "data-part": "meter", "aria-valuemin": "0", "aria-valuemax": "100" }, element("i", {})),
      element("p", { class: "soft small number" }, element("time", { "data-part": "resets" })));
  }

  function updateLimit(node, limit) {
    const used = limit.used_percent;
    const name = windowName(limit.window_minutes);
    setText(part(node, "name"), name);
    setText(part(node, "used"), t("bridge.used", { percent: used }));
    const meter = part(node, "meter");
    meter.className = used >= 95 ? "meter bad" : used >= 75 ? "meter warn" : "meter";
    meter.setAttribute("aria-label", name);
    meter.setAttribute("aria-valuenow", used);
    meter.setAttribute("aria-valuetext", t("bridge.usedLong", { percent: used }));
    meter.firstElementChild.style.width = `${used}%`;
    if (limit.resets !== null) setAge(part(node, "resets"), "resets", limit.resets);
  }

  /** Takes away what was shown. */
  function reset() {
    for (const node of root.querySelectorAll("dd[id], dd [id], .chart [id$=-sum], #limits-empty")) {
      node.replaceChildren();
      delete node.dataset.at;
    }
    for (const svg of root.querySelectorAll(".chart svg")) {
      svg.drawn = null;
      svg.replaceChildren();
      svg.removeAttribute("aria-label");
    }
    $("limit-rows").replaceChildren();
  }

  return { show() {}, update, reset };
})();
