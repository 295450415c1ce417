// The frame: which view is shown, the rail, the bar at the top, the banners, the line of what calls, the language.

// How the bridge calls this page among the clients.
const thisPage = "This page";

/** Whether nothing has come of the bridge yet: then a person is led through the first steps. */
function isFirstDay(facts) {
  return facts.sessions.total === 0 && (facts.activity || []).every(({ state }) => state === "failed");
}

function homeView() { return snapshot && isFirstDay(snapshot) ? "start" : "chat"; }

/** Shows the view of the address. Until the first snapshot has come nobody knows where home is. */
function openRoute() {
  if (key === null) return;
  const { name, argument } = route();
  if (!name && !snapshot) return;
  const next = name || homeView();
  const hasChanged = next !== shownView;
  if (hasChanged) {
    if (shownView) {
      views[shownView].hide?.();
      $(`view-${shownView}`).hidden = true;
      $(`nav-${shownView}`).removeAttribute("aria-current");
    }
    shownView = next;
    $("app").dataset.view = next;
    $(`view-${next}`).hidden = false;
    $(`nav-${next}`).setAttribute("aria-current", "page");
    toast("");
    scrollTo(0, 0);
  }
  showTitle();
  views[next].show(argument);
  if (!snapshot) return;
  views[next].update?.(snapshot);
  showFrame(snapshot);
  showApprovals(snapshot);
}

function showTitle() {
  const count = snapshot ? snapshot.approval_count : 0;
  const name = shownView ? `${t(`nav.${shownView}`)} · CodexBridge` : "CodexBridge";
  document.title = count ? `(${count}) ${name}` : name;
}

addEventListener("hashchange", () => {
  openRoute();
  // Who follows a link goes on in what it opened.
  if (key === null || !shownView) return;
  const view = views[shownView];
  if (view.focus) view.focus();
  else $(`h-${shownView}`)?.focus({ preventScroll: true });
});

// ---- the bar at the top

const engineReasons = [
  "starting", "codex_missing", "codex_not_executable", "codex_too_old", "not_logged_in", "codex_failing",
  "codex_unresponsive", "draining",
];
const passingReasons = ["starting", "draining"];
// The first steps have a place of their own for what to do about these.
const startReasons = ["codex_missing", "codex_not_executable", "codex_too_old", "not_logged_in"];

function setState(kind, text) {
  $("state").className = `pill ${kind}`;
  setText($("state"), text);
}

function showFrame(facts) {
  const { bridge, engine } = facts;
  const isPassing = passingReasons.includes(engine.reason);
  if (engine.ready) setState("ok", t("state.ready"));
  else setState(isPassing ? "warn" : "bad", t(engineReasons.includes(engine.reason) ? `state.${engine.reason}` : "state.not"));
  $("trouble").hidden = engine.ready || (shownView === "start" && startReasons.includes(engine.reason));
  $("trouble").classList.toggle("bad", !engine.ready && !isPassing);
  setCode($("trouble-text"), engineWords(engine));
  setText($("version"), `bridged ${bridge.version}`);
  $("demo").hidden = !bridge.demo;
  showPlace(bridge);

  const count = facts.approval_count;
  for (const name of ["bell-count", "nav-approvals-count"]) {
    $(name).hidden = count === 0;
    setText($(name), number(count));
  }
  const bellLabel = count ? t("bell.count", { count }) : t("bell.none");
  $("bell").setAttribute("aria-label", bellLabel);
  $("bell").title = bellLabel;
  $("bell").classList.toggle("calls", count > 0);
  $("nav-start").hidden = !isFirstDay(facts) && shownView !== "start";
  showTitle();
}

function rightsOf(bridge) {
  const words = [t(has(`sandbox.${bridge.sandbox}`) ? `sandbox.${bridge.sandbox}` : "sandbox.other", { name: bridge.sandbox })];
  if (bridge.sandbox !== "danger-full-access") words.push(t(bridge.network ? "network.yes" : "network.no"));
  if (bridge.web_search) words.push(t("webSearch.yes"));
  if (has(`approval.${bridge.approval_policy}`)) words.push(t(`approval.${bridge.approval_policy}`));
  return words;
}

/** Why Codex is not ready: in the page's language where the table has a text, else as the bridge says it. */
function engineWords(engine) {
  const name = `engine.${engine.reason}`;
  return has(name) ? t(name, { command: engine.login_command }) : engine.message || "";
}

/** Who answers: the kind of login, or the demo's stand-in. */
function loginName(account, bridge) {
  if (bridge.demo) return t("login.demo");
  return t(has(`login.${account.kind}`) ? `login.${account.kind}` : "login.other");
}

/** The same as a sentence of the first steps. */
function loginWords(account, bridge) {
  return bridge.demo ? t("page.demoLong") : t("start.loginDone", { how: loginName(account, bridge) });
}

function showPlace(bridge) {
  $("place").hidden = !bridge.works_in;
  if (!bridge.works_in) return;
  setText($("place-path"), bridge.works_in);
  $("place-path").title = escaped(bridge.works_in);
  setText($("place-rights"), rightsOf(bridge).join(t("list.comma")));
  $("place-rights").title = $("place-rights").textContent;
  $("place-rights").classList.toggle("bad-text", bridge.sandbox === "danger-full-access");
}

/** Takes away what the frame says of the bridge. */
function resetFrame() {
  $("trouble-text").codeText = null;
  for (const name of ["live", "toast", "trouble-text", "offline-text", "version", "place-path", "place-rights", "bar"]) $(name).replaceChildren();
  for (const name of ["place-path", "place-rights", "bell"]) $(name).removeAttribute("title");
  $("bell").removeAttribute("aria-label");
  for (const name of ["trouble", "offline", "place", "demo", "bar", "bell-count", "nav-approvals-count"]) $(name).hidden = true;
}

// ---- the line of what calls

/** Whether an element, or a part of it, is in sight, between the bar at the top and the lower end. */
function isInSight(node) {
  const box = node.getBoundingClientRect();
  return box.height > 0 && box.bottom > 72 && box.top < innerHeight - 72;
}

/** One line that stays in sight, where a question or a lost connection is told of at a place that is not. */
function showBar() {
  const bar = $("bar");
  const count = snapshot ? snapshot.approval_count : 0;
  const isLost = !$("offline").hidden;
  const isTold = isLost ? isInSight($("offline"))
    : shownView === "approvals" || [$("approvals"), ...document.querySelectorAll(".chat-asked")].some(isInSight);
  bar.hidden = key === null || isTold || (!isLost && count === 0);
  if (bar.hidden) return;
  bar.classList.toggle("bad", isLost);
  bar.href = isLost ? "#main" : "#/approvals";
  setText(bar, isLost ? t(isEnding ? "bar.ending" : "bar.lost") : t("bar.asks", { count }));
  const foot = shownView === "chat" ? document.querySelector(".chat-foot") : null;
  bar.style.setProperty("--foot", `${foot ? foot.offsetHeight : 0}px`);
}

let barTimer = null;
function showBarSoon() {
  barTimer ??= requestAnimationFrame(() => {
    barTimer = null;
    showBar();
  });
}
addEventListener("scroll", showBarSoon, { passive: true });
addEventListener("resize", showBarSoon);
$("bar").addEventListener("click", (event) => {
  if ($("offline").hidden) return;
  event.preventDefault();
  scrollTo(0, 0);
});

// ---- a new snapshot

let modelsAreFor = null;

function show(next) {
  const before = snapshot;
  snapshot = next;
  clockOffset = next.now - Date.now() / 1000;
  if (!shownView) openRoute();
  else {
    showFrame(next);
    showApprovals(next);
    views[shownView].update?.(next);
  }
  // The list is Codex's own, so it may differ after each of its starts.
  const life = `${next.engine.version} ${next.engine.restarts}`;
  if (next.engine.ready && modelsAreFor !== life) loadModels(life);
  if (before) announceChanges(before, next);
}

async function loadModels(life) {
  modelsAreFor = life;
  const mine = visit;
  try {
    const response = await send("GET", "/v1/models");
    if (!response.ok) throw new Error();
    const listed = (await response.json()).data;
    if (visit !== mine) return;
    const ids = listed.map((model) => model.id);
    // Each model is listed with its efforts too, as `model:effort`.
    models = listed.filter(({ id }) => !ids.some((other) => id.startsWith(`${other}:`))).map((model) => ({
      id: model.id,
      name: model.name || model.id,
      efforts: model.reasoning_efforts || ids.filter((id) => id.startsWith(`${model.id}:`)).map((id) => id.slice(model.id.length + 1)),
    }));
    if (shownView && snapshot) views[shownView].update?.(snapshot);
  } catch {
    if (visit === mine) modelsAreFor = null;
  }
}

function announceChanges(before, next) {
  const known = new Set(before.approvals.map((approval) => approval.id));
  for (const approval of next.approvals) {
    if (known.has(approval.id)) continue;
    const what = (approval.text || approval.files.join(", ")).slice(0, 200);
    announce(t("approvals.announce", { request: requestWords(approval.request), what }));
    notifyOf(approval);
  }
  if (next.engine.ready !== before.engine.ready) announce(next.engine.ready ? t("state.readyLong") : engineWords(next.engine));
}

// ---- the language

function switchLanguage() {
  const next = language === "en" ? "zh" : "en";
  store("language", next);
  useLanguage(next);
  relabelApprovals();
  for (const view of Object.values(views)) view.relabel?.();
  if (snapshot) {
    showFrame(snapshot);
    showApprovals(snapshot);
    if (shownView) views[shownView].update?.(snapshot);
    showAges();
  }
  showTitle();
}

$("language").addEventListener("click", switchLanguage);
$("gate-language").addEventListener("click", switchLanguage);
