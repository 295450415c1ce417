// The page's texts: one table for English and Chinese, and how a text is taken from it.

// A row is `name: [English, Chinese]`. `{name}` in a text is replaced by a value: numbers in the language's form,
// everything else as it is. A text with a count is `{ one, other }`; the form is chosen by the value `count`.
const texts = {
  // ---- the frame
  "page.skip": ["Skip to the content", "跳到正文"],
  "page.rail": ["Pages", "页面"],
  "page.language": ["中文", "English"],
  "page.languageLabel": ["Switch to Chinese: 中文", "切换到英文：English"],
  "page.signOut": ["Sign out", "退出"],
  "nav.start": ["Start", "开始"],
  "nav.chat": ["Chat", "对话"],
  "nav.activity": ["Activity", "活动"],
  "nav.approvals": ["Approvals", "审批"],
  "nav.sessions": ["Sessions", "会话"],
  "nav.connect": ["Connect", "接入"],
  "nav.bridge": ["Bridge", "运行状况"],

  // ---- the chat (chat.js)
};

const languages = ["en", "zh"];
const languageStorage = "codexbridge-language";
let language = "en";

/** The language that was chosen here before, else the first of the browser's that the table has. */
function preferredLanguage() {
  try {
    const chosen = localStorage.getItem(languageStorage);
    if (languages.includes(chosen)) return chosen;
  } catch { /* Without storage the browser's language decides. */ }
  const known = (navigator.languages || []).map((tag) => tag.toLowerCase().split("-")[0]);
  return known.find((tag) => languages.includes(tag)) || "en";
}

/** The locale for Intl: the browser's own where it is of the page's language, as it knows the person's forms. */
function locale() {
  return (navigator.languages || []).find((tag) => tag.toLowerCase().split("-")[0] === language) || language;
}

/** The text of a row, with `values` put in. A row that is missing shows as its name. */
function t(name, values = {}) {
  const row = texts[name];
  if (!row) return name;
  let text = row[languages.indexOf(language)];
  if (typeof text !== "string") text = text[new Intl.PluralRules(language).select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, key) => {
    const value = values[key];
    return typeof value === "number" ? number(value) : String(value ?? "");
  });
}

const has = (name) => Object.hasOwn(texts, name);
const number = (value, options) => new Intl.NumberFormat(locale(), options).format(value);

/** Puts the texts of the table into elements with `data-t` (text) and `data-t-ATTRIBUTE`. */
function label(root) {
  const labelled = "[data-t], [data-t-aria-label], [data-t-placeholder], [data-t-title]";
  for (const node of [...(root.matches?.(labelled) ? [root] : []), ...root.querySelectorAll(labelled)]) {
    if (node.dataset.t) node.textContent = t(node.dataset.t);
    for (const attribute of ["aria-label", "placeholder", "title"]) {
      const name = node.getAttribute(`data-t-${attribute}`);
      if (name) node.setAttribute(attribute, t(name));
    }
  }
}

function useLanguage(next) {
  language = next;
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  label(document);
}
