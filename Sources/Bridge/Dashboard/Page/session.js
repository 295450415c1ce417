// The key of the person, the gate that asks for it, and the feed of snapshots.

const keyStorage = "codexbridge-key";
// The key of a bridge that listens on this machine alone and was given none.
const defaultKey = "123321";
let visit = 0;              // Grows with each sign-in and sign-out; what belongs to an earlier one stops.

function isLocal() { return ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname); }

function rememberKey(value) {
  try {
    if (value === null) sessionStorage.removeItem(keyStorage);
    else sessionStorage.setItem(keyStorage, value);
  } catch { /* Without storage the key lives as long as the page. */ }
}

function rememberedKey() {
  try { return sessionStorage.getItem(keyStorage); } catch { return null; }
}

function showGate(message) {
  $("app").hidden = true;
  $("gate").hidden = false;
  $("gate-error").textContent = visible(message || "");
  $("gate-key").setAttribute("aria-invalid", message ? "true" : "false");
  $("gate-key").focus();
}

/** Signs out of the visit in which a key was refused; a later one has a key of its own. */
function signOutOf(mine, message) { if (visit === mine) signOut(message); }

function signOut(message) {
  visit += 1;
  key = null;
  snapshot = null;
  models = [];
  modelsAreFor = null;
  rememberKey(null);
  isEnding = false;
  if (feed) feed.abort();
  if ($("ask").open) $("ask").close();
  if (shownView) {
    views[shownView].hide?.();
    $(`view-${shownView}`).hidden = true;
    $(`nav-${shownView}`).removeAttribute("aria-current");
    shownView = null;
  }
  for (const view of Object.values(views)) view.reset?.();
  resetApprovals();
  resetFrame();
  $("gate-key").value = "";
  document.title = "CodexBridge";
  showGate(message);
}

function signIn(value) {
  key = value;
  rememberKey(value);
  visit += 1;
  $("gate").hidden = true;
  $("app").hidden = false;
  $("gate-key").value = "";
  setState("", t("state.connecting"));
  $("main").focus({ preventScroll: true });
  openRoute();
  follow(visit);
}

$("gate-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const value = $("gate-key").value.trim();
  if (!value) return;
  $("gate-open").disabled = true;
  try {
    // Header fields carry printable ASCII; other keys cannot be right, and the browser would refuse to send them.
    if (!/^[\x21-\x7e]+$/.test(value)) throw new WrongKey();
    const response = await send("GET", "/api/dashboard", { withKey: value });
    if (response.ok) signIn(value);
    else showGate(await problem(response));
  } catch (error) {
    showGate(t(error instanceof WrongKey ? "gate.wrong" : "problem.unreachable"));
    $("gate-key").select();
  } finally {
    $("gate-open").disabled = false;
  }
});

$("sign-out").addEventListener("click", () => signOut(""));

/** Signs in with what the tab remembers, else with the default key where that can be right, else asks. */
async function begin() {
  const remembered = rememberedKey();
  if (remembered) return signIn(remembered);
  if (isLocal()) {
    try {
      const response = await send("GET", "/v1/models", { withKey: defaultKey });
      // Any answer but 401 means that the key is right, also while Codex is not ready.
      if (response.ok || response.status === 503) return signIn(defaultKey);
    } catch { /* Then the person is asked. */ }
  }
  showGate("");
}

// ---- the feed

// The bridge says something at least every 15 seconds; after this long it is gone.
const silenceLimit = 40000;
const longestPause = 15;
const longestEvent = 8 << 20;
let feed = null;
let endPause = null;
let isEnding = false;       // The bridge has said that it shuts down.

/** Reads the feed until sign-out, and comes back after each loss. */
async function follow(mine) {
  let pause = 1;
  while (visit === mine) {
    let reason = t("offline.lost");
    try {
      await readFeed(mine, () => { pause = 1; });
    } catch (error) {
      if (visit !== mine) return;
      if (error instanceof WrongKey) return signOut(t("gate.noLonger"));
      if (error.told) reason = error.message;
    }
    if (visit !== mine) return;
    await waitToReturn(reason, pause * (0.8 + Math.random() * 0.4), mine);
    pause = Math.min(pause * 2, longestPause);
  }
}

async function readFeed(mine, whenAlive) {
  feed = new AbortController();
  const abort = feed;
  let watchdog = setTimeout(() => abort.abort(), silenceLimit);
  try {
    const response = await send("GET", "/api/events", { signal: abort.signal });
    if (!response.ok) {
      const { error } = await response.json().catch(() => ({}));
      isEnding = error?.code === "draining";
      throw Object.assign(new Error(error?.message || t("problem.status", { status: String(response.status) })), { told: true });
    }
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    while (visit === mine) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), silenceLimit);
      text += decoder.decode(value, { stream: true });
      if (text.length > longestEvent) throw new Error("an event is too long");
      const events = text.split("\n\n");
      text = events.pop();
      const last = events.filter((event) => event.startsWith("data: ")).pop();
      if (visit !== mine || last === undefined) continue;
      whenAlive();
      setOnline();
      const next = JSON.parse(last.slice(6));
      isEnding = next.engine.reason === "draining";
      show(next);
    }
  } finally {
    clearTimeout(watchdog);
    abort.abort();
  }
}

function setOnline() {
  if (!$("offline").hidden) announce(t("offline.back"));
  $("offline").hidden = true;
  showBar();
}

function waitToReturn(reason, seconds, mine) {
  if (isEnding) setState("warn", t("state.draining"));
  else setState("bad", t("state.disconnected"));
  // An alert is read out once, so nothing in it changes while it is shown.
  setText($("offline-text"), t("offline.text", { reason: isEnding ? t("offline.ending") : reason }));
  $("offline").hidden = false;
  showBar();
  return new Promise((resolve) => {
    const until = Date.now() + seconds * 1000;
    const timer = setInterval(() => { if (visit !== mine || Date.now() >= until) finish(); }, 250);
    function finish() {
      clearInterval(timer);
      endPause = null;
      resolve();
    }
    endPause = finish;
  });
}

$("retry").addEventListener("click", () => { if (endPause) endPause(); });
addEventListener("online", () => { if (endPause) endPause(); });
