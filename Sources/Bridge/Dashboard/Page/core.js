"use strict";
// What all views share: the tools to show things, the way to the bridge, dialogs, routes.
//
// All pieces of the page are joined into one script in the order of DashboardPage.swift. It is a plain script, so
// top-level names are shared; a view keeps its own in a function:
//
//   views.sessions = (() => { …; return { show, hide, update, relabel, reset }; })();
//
// A view fills the element with the id `view-NAME` and has these members, all but `show` optional:
//   show(argument)     its address was opened: `#/NAME` (argument "") or `#/NAME/ARGUMENT`, decoded; also while it is
//                      shown already. The element is visible then
//   hide()             another view is about to be shown
//   update(snapshot)   a new snapshot of the bridge; for the shown view alone, and after each `show`
//   relabel()          the language has changed: write all texts anew. Elements that name a row in `data-t`
//                      (or `data-t-aria-label`, `data-t-placeholder`, `data-t-title`) change by themselves
//   reset()            the person signed out: forget everything, stop what runs
//   focus()            where the keyboard goes when the view is opened by hand; default: its heading
// `views.chat.begin(text)` opens a new conversation and sends `text` as its first message.
//
// Tools:
//   $(id); element(name, properties, ...children): `class`, `textContent`, `data-…`, `aria-…`, `role`, others as
//     properties; setText(node, text); part(node, name): the child with data-part="name"
//   reconcile(parent, items, keyOf, make, update, whenFocusIsLost): one child per item, known ones are kept
//   icon(name): an SVG from the page's symbols
//   escaped(text): one visible line; visible(text): the same for several lines. element and setText apply `visible`
//   t(row, values), number(value, options), locale(), language (language.js)
//   now(): the bridge's clock in seconds; duration(seconds), ago(seconds), setAge(node, form, at): kept up to date
//   send(method, path, { body, headers, signal }): a Response; throws WrongKey for 401 and TypeError without network
//   problem(response): its error in words; act(method, path, body): the JSON, or null after telling what went wrong
//   ask({ title, text, code, yes, no, isDangerous }): a dialog, true if the answer was yes
//   toast(text), announce(text): for the eye, and for screen readers; copy(text, block), copyButton(text, name, block)
//   withCode(text): nodes in which what stands between backticks is code
//   showQuestions(list, approvals, facts, whenFocusIsLost): the rows of what Codex asks; how many there are, with those
//     that were answered a moment ago (approvals.js)
//   visit: grows with each sign-in and sign-out. Compare it after each await; signOutOf(visit, message) does so
//   go(address): opens "#/…"; snapshot: the newest one or null; models: [{ id, name, efforts }], without `model:effort`
//   stored(name), store(name, value): kept in this browser (never the key)
// Nothing ever becomes markup: no innerHTML, no insertAdjacentHTML; the page's policy forbids it too.

const $ = (id) => document.getElementById(id);
const svgNamespace = "http://www.w3.org/2000/svg";
// The page may lie behind a proxy's prefix.
// It is served at its own address and at the base URLs of the API, which are no part of that prefix.
const base = location.pathname.replace(/(\/+((chat|agent)\/+)?v1)?(\/+dashboard)?\/*$/, "");

const views = {};
let snapshot = null;
let models = [];
let clockOffset = 0;        // Seconds the bridge's clock is ahead of this one.

// ---- text

const unseen = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const shortEscapes = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const escapedCharacter = (character) => shortEscapes[character] || `\\u{${character.codePointAt(0).toString(16).toUpperCase()}}`;

/** One line of text, in which no character is without a look of its own or turns the order of the others. */
const escaped = (text) => String(text).replace(unseen, escapedCharacter);

/** The same for several lines. */
const visible = (text) => String(text).replace(unseen, (character) => "\n\t".includes(character) ? character : escapedCharacter(character));

// ---- elements

function element(name, properties, ...children) {
  const node = document.createElement(name);
  for (const [property, value] of Object.entries(properties || {})) {
    if (property === "class") node.className = value;
    else if (property.includes("-") || property === "role" || property === "for") node.setAttribute(property, visible(value));
    else node[property] = property === "textContent" || property === "title" ? visible(value) : value;
  }
  node.append(...children);
  if (properties && Object.keys(properties).some((property) => property.startsWith("data-t"))) label(node);
  return node;
}

/** One of the symbols of page.html. */
function icon(name) {
  const node = document.createElementNS(svgNamespace, "svg");
  node.setAttribute("class", "icon");
  node.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(svgNamespace, "use");
  use.setAttribute("href", `#i-${name}`);
  node.append(use);
  return node;
}

/** Writes text only where it changes, so that selections and screen readers are left alone. */
function setText(node, text) {
  text = visible(text);
  if (node.textContent !== text) node.textContent = text;
}

/** Makes the children of `parent` one per item, keeps the nodes of known keys, and keeps the focus. */
function reconcile(parent, items, keyOf, make, update, whenFocusIsLost) {
  const focused = document.activeElement;
  const hadFocus = parent.contains(focused);
  const known = new Map();
  for (const node of parent.children) known.set(node.itemKey, node);
  const wanted = new Set(items.map(keyOf));
  for (const [itemKey, node] of known) if (!wanted.has(itemKey)) node.remove();
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const itemKey = keyOf(item);
    let node = known.get(itemKey);
    if (!node) {
      node = make(item);
      node.itemKey = itemKey;
      known.set(itemKey, node);
    }
    if (node === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(node, cursor);
    update(node, item);
  }
  if (!hadFocus || document.activeElement === focused) return;
  if (focused.isConnected) focused.focus({ preventScroll: true });
  else if (whenFocusIsLost) whenFocusIsLost.focus({ preventScroll: true });
}

const part = (node, name) => node.querySelector(`[data-part="${name}"]`);

// ---- numbers and times

const now = () => Date.now() / 1000 + clockOffset;
const compact = (value) => number(value, { notation: "compact", maximumFractionDigits: 1 });
const unit = (value, name, options) => spaced(number(value, { style: "unit", unit: name, unitDisplay: "short", ...options }));
/** The same space between a number and its unit in all texts; Intl leaves it out in Chinese. */
const spaced = (text) => text.replace(/([0-9])(?=\p{Script=Han})/gu, "$1 ");

/** Seconds as up to two units: "12 sec", "3 min 5 sec", "2 hr 10 min". */
function duration(seconds) {
  seconds = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return unit(seconds, "second");
  if (minutes < 10) return `${unit(minutes, "minute")} ${unit(seconds % 60, "second")}`;
  if (hours < 1) return unit(minutes, "minute");
  if (hours < 24) return `${unit(hours, "hour")} ${unit(minutes % 60, "minute")}`;
  return `${unit(Math.floor(hours / 24), "day")} ${unit(hours % 24, "hour")}`;
}

/** Milliseconds, exact enough to compare. */
function milliseconds(value) {
  if (value < 1000) return unit(Math.round(value), "millisecond");
  if (value < 60000) return unit(value / 1000, "second", { maximumFractionDigits: 1 });
  return duration(value / 1000);
}

/** Whole units alone, for times that are long gone. */
function ago(seconds) {
  seconds = Math.max(0, Math.floor(seconds));
  const form = new Intl.RelativeTimeFormat(locale(), { numeric: seconds < 5 ? "auto" : "always", style: "short" });
  const [count, name] = seconds < 5 ? [0, "second"] : seconds < 60 ? [seconds, "second"] : seconds < 3600 ? [seconds / 60, "minute"]
    : seconds < 86400 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  return spaced(form.format(-Math.floor(count), name));
}

/** A moment of the bridge's clock; with the date if it is not of this day. */
function clock(at) {
  const date = new Date((at - clockOffset) * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(locale(), isToday ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

function memory(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const megabytes = bytes / 1048576;
  return megabytes < 1024 ? unit(Math.round(megabytes), "megabyte") : unit(megabytes / 1024, "gigabyte", { maximumFractionDigits: 1 });
}

const ages = {
  ago: (at) => ago(now() - at),
  lasting: (at) => duration(now() - at),
  left: (at) => t("approvals.left", { time: duration(at - now()) }),
  resets: (at) => {
    if (at <= now()) return t("bridge.resetsNow");
    const far = at - now() > 79200;
    const time = new Date((at - clockOffset) * 1000).toLocaleString(locale(), {
      weekday: far ? "short" : undefined, day: far ? "numeric" : undefined, month: far ? "short" : undefined,
      hour: "2-digit", minute: "2-digit",
    });
    return t("bridge.resets", { duration: duration(at - now()), time });
  },
};

/** Shows a time that passes; `form` is one of `ages`. */
function setAge(node, form, at) {
  node.dataset.form = form;
  node.dataset.at = at;
  setText(node, ages[form](at));
}

function showAges() {
  for (const node of document.querySelectorAll("[data-at]")) setText(node, ages[node.dataset.form](Number(node.dataset.at)));
  for (const node of document.querySelectorAll("[data-until]")) showTimeLeft(node);
}

/** A bar that empties: `data-from` and `data-until` are the bridge's times. */
function showTimeLeft(node) {
  const [from, until] = [Number(node.dataset.from), Number(node.dataset.until)];
  node.style.setProperty("--left", String(Math.min(1, Math.max(0, (until - now()) / Math.max(1, until - from)))));
}

setInterval(() => { if (snapshot && !document.hidden) showAges(); }, 1000);

// ---- saying something

const announcementLife = 15000;

/** Says something to screen readers. Each text is a line of its own, so that none takes the place of one not yet read. */
function announce(text) {
  const line = element("p", { textContent: text });
  $("live").append(line);
  setTimeout(() => line.remove(), announcementLife);
}

let toastTimer;
/** Shows a line for a while; an empty text ends it. */
function toast(text) {
  $("toast").textContent = visible(text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").textContent = ""; }, 7000);
}

/** A text in which what stands between backticks is code. A command may have backticks of its own, and may be cut. */
function withCode(text) {
  const [, verb, command] = text.match(/^(Running )`([^]*?)`?$/) || [];
  const pieces = command === undefined ? text.split(/`([^`\n]+)`/) : [verb, command];
  return pieces.map((piece, index) => (index % 2 ? element("code", { textContent: piece }) : visible(piece)));
}

/** Writes a text with code in it, only where it changes. */
function setCode(node, text) {
  if (node.codeText === text) return;
  node.codeText = text;
  node.replaceChildren(...withCode(text));
}

/** A button at work takes no clicks. It is not disabled, because that would take the focus from it. */
function setBusy(button, isBusy) {
  if (isBusy) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}
const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

/** Runs `work` for a click; further clicks are ignored until it has ended. */
function whenClicked(button, work) {
  button.addEventListener("click", async () => {
    if (isBusy(button)) return;
    setBusy(button, true);
    try { await work(); } finally { setBusy(button, false); }
  });
  return button;
}

/** Asks in a dialog; `code` is shown as it is written. Escape and the first button mean no. */
function ask({ title, text, code = "", yes, no, isDangerous = false }) {
  const dialog = $("ask");
  if (dialog.open) dialog.close();
  setText($("ask-title"), title);
  setText($("ask-text"), text);
  setText($("ask-code"), code);
  $("ask-code").hidden = code === "";
  setText($("ask-no"), no);
  setText($("ask-yes"), yes);
  $("ask-yes").className = isDangerous ? "danger" : "";
  dialog.returnValue = "";
  dialog.showModal();
  $("ask-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** The clipboard of the browser is there for secure origins alone; elsewhere a text is copied the old way, or is selected. */
async function copy(text, block) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (copyAsSelection(text)) return true;
    if (block) getSelection().selectAllChildren(block);
    return false;
  }
}

function copyAsSelection(text) {
  const focused = document.activeElement;
  const field = element("textarea", { class: "unseen", value: text, "aria-hidden": "true" });
  document.body.append(field);
  field.select();
  try { return document.execCommand("copy"); } catch { return false; } finally {
    field.remove();
    focused?.focus({ preventScroll: true });
  }
}

/** A button that copies `text()`; `name` says what in its label, `block` shows it, `done` is the row of what it says then. */
function copyButton(text, name, block, done = "copy.done") {
  const button = element("button", { type: "button", class: "copy", "aria-label": t("copy.label", { name }) }, element("span", { textContent: t("copy.do") }));
  const said = button.firstElementChild;
  button.addEventListener("click", async () => {
    const isCopied = await copy(text(), block);
    said.textContent = t(isCopied ? done : "copy.byHand");
    announce(t(isCopied ? done : "copy.byHandLong"));
    setTimeout(() => { said.textContent = t("copy.do"); }, 2000);
  });
  return button;
}

// ---- what the browser keeps

function stored(name) {
  try { return localStorage.getItem(`codexbridge-${name}`); } catch { return null; }
}

function store(name, value) {
  try {
    if (value === null) localStorage.removeItem(`codexbridge-${name}`);
    else localStorage.setItem(`codexbridge-${name}`, value);
  } catch { /* Without storage it lasts as long as the page. */ }
}

// ---- talking to the bridge

class WrongKey extends Error {}

let key = null;

async function send(method, path, { body, headers = {}, signal, withKey = key } = {}) {
  const fields = { Authorization: `Bearer ${withKey}`, ...headers };
  if (body !== undefined) fields["Content-Type"] = "application/json";
  const response = await fetch(base + path, {
    method, headers: fields, signal, cache: "no-store", credentials: "omit", redirect: "error",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 401) throw new WrongKey();
  return response;
}

async function problem(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return t("problem.status", { status: String(response.status) });
  }
}

/** Does what a button stands for. Returns the answer, or null after telling what went wrong. */
async function act(method, path, body) {
  const mine = visit;
  try {
    const response = await send(method, path, { body });
    const answer = response.ok ? await response.json() : null;
    const reason = response.ok ? "" : await problem(response);
    if (visit !== mine) return null;
    if (!answer) toast(reason);
    return answer;
  } catch (error) {
    if (error instanceof WrongKey) signOutOf(mine, t("gate.noLonger"));
    else if (visit === mine) toast(t("problem.unreachable"));
  }
  return null;
}

// ---- addresses

let shownView = null;

/** The view and the argument of the address: `#/sessions`, `#/chat/ID`. Neither for an address of no view. */
function route() {
  const [, name = "", argument = ""] = location.hash.match(/^#\/([a-z]*)\/?(.*)$/) || [];
  if (!Object.hasOwn(views, name)) return { name: "", argument: "" };
  let decoded = argument;
  try { decoded = decodeURIComponent(argument); } catch { /* A broken escape stands for itself. */ }
  return { name, argument: decoded };
}

function go(address) {
  if (location.hash === address) openRoute();
  else location.hash = address;
}
