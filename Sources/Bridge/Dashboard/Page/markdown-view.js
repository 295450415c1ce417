// Markdown of answers as DOM nodes. Nothing here makes markup out of text: a strict parser (markdown-blocks.js,
// markdown-inline.js) gives a tree of tokens, and each token becomes a node by createElement and text.
//
// The dialect: paragraphs, headings, quotes, lists (tasks too), fenced and indented code, tables, rules, emphasis,
// strikethrough, code, links and bare addresses. HTML is shown as text, except <br>; an image is shown as a link, so
// nothing is loaded from outside. A single line break stays one. There are no reference links and no footnotes.
//
// Hostile text cannot hang the page: the parser takes time in proportion to the length of the text, nesting is bounded,
// and what is beyond the limits is shown as plain text.

const markdown = (() => {
  // What one answer may have, beyond which the rest of it is plain: more nodes make the browser slow, not the parser.
  const mostTokens = 40000;
  const longestText = 2_000_000;
  // Characters that turn the order of what follows are shown by their number, so that a text reads as it is.
  const turning = /[\u202a-\u202e\u2066-\u2069]/g;
  const plainText = (text) => text.replace(turning, (character) => `\\u{${character.codePointAt(0).toString(16).toUpperCase()}}`);
  const inlineNames = { em: "em", strong: "strong", del: "del", br: "br", quote: "blockquote", p: "p", hr: "hr", head: "tr", row: "tr", ul: "ul", ol: "ol" };

  /** The address a link may lead to, or null: web pages and mail alone. */
  function safeAddress(address) {
    if (!/^(?:https?:\/\/|mailto:)/i.test(address)) return null;
    try {
      const { protocol, href } = new URL(address);
      return ["http:", "https:", "mailto:"].includes(protocol) ? href : null;
    } catch {
      return null;
    }
  }

  /** The node of a token, kept in it as `node`; `inner` is what has its children or text, another one within a frame. */
  function build(made, options) {
    const { key } = made;
    if (key === "text") return (made.inner = made.node = document.createTextNode(plainText(made.text)));
    const [kind, argument] = key.includes(" ") ? [key.slice(0, key.indexOf(" ")), key.slice(key.indexOf(" ") + 1)] : [key, ""];
    let node;
    let inner = null;
    if (kind === "code") [node, inner] = buildCode(made, argument, options);
    else if (kind === "codespan") (node = document.createElement("code")).textContent = plainText(made.text);
    else if (kind === "plain") (node = document.createElement("div")).textContent = plainText(made.text);
    else if (kind === "link") node = buildLink(argument);
    else if (kind === "table") [node, inner] = buildTable(options);
    else if (kind === "cell") node = document.createElement("td");
    else if (kind === "item") [node, inner] = buildItem(argument, options);
    else if (/^h[1-6]$/.test(kind)) {
      // The page itself has the first two levels.
      node = document.createElement(`h${Math.min(6, Number(kind[1]) + 2)}`);
      node.className = `md-${kind}`;
    } else node = document.createElement(inlineNames[kind]);
    if (kind === "cell" && argument !== "left") node.className = `md-${argument}`;
    if (kind === "plain") node.className = "md-plain";
    if (kind === "head") node.className = "md-head";
    made.node = node;
    made.inner = inner ?? node;
    dress(made);
    for (const child of made.children ?? []) made.inner.append(build(child, options));
    return node;
  }

  /** What may change about a node that is kept. */
  function dress(made) {
    if (made.key !== "ul" && made.key !== "ol") return;
    made.node.classList.toggle("md-loose", made.isLoose);
    if (made.key === "ol" && made.start !== 1) made.node.start = made.start;
  }

  function buildCode(made, language, { texts, copy }) {
    const node = document.createElement("div");
    node.className = "md-code";
    const head = document.createElement("div");
    head.className = "md-code-head";
    const name = document.createElement("span");
    name.textContent = language;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = texts.copy;
    button.setAttribute("aria-label", texts.copyCode);
    const block = document.createElement("pre");
    block.tabIndex = 0;
    block.setAttribute("role", "region");
    block.setAttribute("aria-label", language ? `${texts.code}: ${language}` : texts.code);
    const inner = document.createElement("code");
    inner.append(document.createTextNode(plainText(made.text)));
    block.append(inner);
    // The text grows while the button stays.
    const code = { text: made.text };
    button.addEventListener("click", () => copy(code.text, button, inner));
    made.code = code;
    head.append(name, button);
    node.append(head, block);
    return [node, inner];
  }

  function buildLink(address) {
    const target = safeAddress(address);
    const node = document.createElement(target === null ? "span" : "a");
    if (target === null) {
      node.className = "md-reference";
      node.title = plainText(address);
    } else {
      node.href = target;
      node.target = "_blank";
      node.rel = "noopener noreferrer";
    }
    return node;
  }

  function buildTable({ texts }) {
    const node = document.createElement("div");
    node.className = "md-table";
    node.tabIndex = 0;
    node.setAttribute("role", "region");
    node.setAttribute("aria-label", texts.table);
    const inner = document.createElement("table");
    node.append(inner);
    return [node, inner];
  }

  function buildItem(task, { texts }) {
    const node = document.createElement("li");
    if (!task) return [node, node];
    node.className = "md-task";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.disabled = true;
    box.checked = task === "done";
    box.setAttribute("aria-label", task === "done" ? texts.done : texts.open);
    const inner = document.createElement("div");
    node.append(box, inner);
    return [node, inner];
  }

  /** Makes the nodes of `old` those of `next` and touches only what differs. */
  function patchAll(parent, old, next, options) {
    let index = 0;
    for (; index < next.length; index += 1) {
      const [was, is] = [old[index], next[index]];
      if (was === is) continue;
      if (was && was.key === is.key) patch(was, is, options);
      else if (was) was.node.replaceWith(build(is, options));
      else parent.append(build(is, options));
    }
    for (; index < old.length; index += 1) old[index].node.remove();
  }

  function patch(was, is, options) {
    is.node = was.node;
    is.inner = was.inner;
    if (was.code) {
      is.code = was.code;
      is.code.text = is.text;
    }
    dress(is);
    if (is.children) return patchAll(is.inner, was.children, is.children, options);
    if (was.text === is.text || is.text === null) return;
    const leaf = is.key === "text" ? is.node : is.inner.firstChild;
    const shown = plainText(is.text);
    if (!leaf) is.inner.textContent = shown;
    // Appending keeps what the person has selected.
    else if (shown.startsWith(leaf.data)) leaf.appendData(shown.slice(leaf.data.length));
    else leaf.data = shown;
  }

  /**
   * Shows a text that grows in `container`. `show(text, isDone)` may be called with each new state of it: blocks that
   * cannot change any more are neither parsed nor built again.
   *
   * `options`: `texts` {copy, copyCode, code, table, open, done} and `copy(text, button, node)`.
   */
  class View {
    constructor(container, options) {
      this.container = container;
      this.options = options;
      this.reset();
    }

    reset() {
      this.shown = "";
      // How much of the text the finished blocks cover, and what they left of the allowance.
      this.settled = { length: 0, tokens: mostTokens };
      this.tail = [];
      this.container.replaceChildren();
    }

    show(text, isDone = true) {
      if (text.length > longestText) text = text.slice(0, longestText);
      if (!text.startsWith(this.shown.slice(0, this.settled.length))) this.reset();
      this.shown = text;
      const rest = text.slice(this.settled.length);
      const lines = rest.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
      // A line that is only begun may still become a rule, a heading or an item: it waits for its first letters.
      if (!isDone && /^[ \t]*(?:[-=*_#>+~|`]{1,8}|\d{1,3}[.)]?)[ \t]*$/.test(lines[lines.length - 1])) lines.pop();
      const state = { tokens: this.settled.tokens };
      const tail = markdownBlocks.parse(lines, state, 0);
      patchAll(this.container, this.tail, tail, this.options);
      this.tail = tail;
      if (!isDone) this.settle(rest, lines, tail);
    }

    /** A block is finished once a later one has two lines that are complete: the second may make a table of the first. */
    settle(rest, lines, tail) {
      let last = tail.length - 1;
      while (last > 0 && tail[last].line >= lines.length - 2) last -= 1;
      if (last <= 0) return;
      let length = 0;
      for (let index = 0, count = tail[last].line; index < count; index += 1) length = rest.indexOf("\n", length) + 1;
      const done = tail.slice(0, last);
      this.settled.length += length;
      this.settled.tokens -= done.reduce((sum, block) => sum + countTokens(block), 0);
      this.tail = tail.slice(last);
    }
  }

  function countTokens(made) {
    let count = 0;
    const stack = [made];
    while (stack.length) {
      const top = stack.pop();
      count += 1;
      if (top.children) stack.push(...top.children);
    }
    return count;
  }

  return { View, plainText };
})();
