// Markdown's blocks (see markdown-view.js for the dialect): lines to a tree of tokens. Paragraphs, headings, quotes, lists,
// code, tables and rules are found here; what stands within them is markdown-inline.js.

const markdownBlocks = (() => {
  const { token, parse: parseInline } = markdownInline;
  // Containers within containers. Deeper text is shown without its outer form.
  const deepestBlock = 12;
  const mostColumns = 64;

  const isBlank = (line) => /^[ \t\r]*$/.test(line);

  /** The width of the blanks a line begins with; a tab goes to the next multiple of four. */
  function indentOf(line) {
    let width = 0;
    for (let index = 0; index < line.length; index += 1) {
      if (line[index] === " ") width += 1;
      else if (line[index] === "\t") width += 4 - (width % 4);
      else break;
    }
    return width;
  }

  /** The line without `count` columns of blanks in front, or without as many as there are. */
  function outdented(line, count) {
    let width = 0;
    let index = 0;
    while (index < line.length && width < count) {
      if (line[index] === " ") width += 1;
      else if (line[index] === "\t") width += 4 - (width % 4);
      else break;
      index += 1;
    }
    return " ".repeat(Math.max(0, width - count)) + line.slice(index);
  }

  function fenceOf(line) {
    const found = /^ {0,3}(`{3,}|~{3,})(.*)$/s.exec(line);
    if (!found || (found[1][0] === "`" && found[2].includes("`"))) return null;
    return { mark: found[1][0], length: found[1].length, info: found[2].trim() };
  }

  function closesFence(line, fence) {
    const text = line.trim();
    if (text.length < fence.length || indentOf(line) > 3) return false;
    for (const character of text) if (character !== fence.mark) return false;
    return true;
  }

  function headingOf(line) {
    const found = /^ {0,3}(#{1,6})(?:[ \t]|$)/.exec(line);
    if (!found) return null;
    let text = line.slice(found[0].length).trim();
    let end = text.length;
    while (end > 0 && text[end - 1] === "#") end -= 1;
    if (end === 0) text = "";
    else if (end < text.length && (text[end - 1] === " " || text[end - 1] === "\t")) text = text.slice(0, end).trimEnd();
    return { level: found[1].length, text };
  }

  function isRule(line) {
    if (indentOf(line) > 3) return false;
    let mark = "";
    let count = 0;
    for (const character of line) {
      if (character === " " || character === "\t" || character === "\r") continue;
      if (mark === "" && "-*_".includes(character)) mark = character;
      if (character !== mark) return false;
      count += 1;
    }
    return count >= 3;
  }

  const isQuote = (line) => /^ {0,3}>/.test(line);

  /** `{kind, number, indent, text, isEmpty}` of a line that begins an item: its text begins `indent` columns in. */
  function itemOf(line) {
    const found = /^( {0,3})([-+*]|(\d{1,9})[.)])(?=[ \t]|\r?$)/.exec(line);
    if (!found) return null;
    const before = found[1].length + found[2].length;
    const rest = outdented(" ".repeat(before) + line.slice(found[0].length), before);
    const blanks = indentOf(rest);
    const isEmpty = isBlank(rest);
    const gap = isEmpty || blanks > 4 ? 1 : blanks;
    return {
      kind: found[3] === undefined ? found[2] : found[2].slice(-1), number: found[3] === undefined ? null : Number(found[3]),
      indent: before + gap, text: outdented(rest, gap), isEmpty,
    };
  }

  function cellsOf(line) {
    const cells = [];
    const text = line.trim();
    let cell = "";
    let index = text.startsWith("|") ? 1 : 0;
    for (; index < text.length; index += 1) {
      if (text[index] === "\\" && text[index + 1] === "|") {
        cell += "|";
        index += 1;
      } else if (text[index] === "|") {
        cells.push(cell.trim());
        cell = "";
      } else cell += text[index];
    }
    if (cell.trim() || !text.endsWith("|")) cells.push(cell.trim());
    return cells;
  }

  /** How the columns of a table are aligned, or null if the two lines do not begin one. */
  function tableOf(line, next) {
    if (next === undefined || !line.includes("|") || next.length > 4096 || !/^[ \t]*[|:-][ \t|:-]*\r?$/.test(next)) return null;
    if (!next.includes("|") || indentOf(line) > 3) return null;
    const marks = cellsOf(next);
    if (marks.length > mostColumns || !marks.every((mark) => /^:?-+:?$/.test(mark))) return null;
    if (cellsOf(line).length !== marks.length) return null;
    return marks.map((mark) => (mark.endsWith(":") ? (mark.startsWith(":") ? "center" : "right") : "left"));
  }

  /** Whether a line ends the paragraph before it. An item without text, or one that does not begin at 1, does not. */
  function interrupts(line, next) {
    if (fenceOf(line) || headingOf(line) || isRule(line) || isQuote(line)) return true;
    const item = itemOf(line);
    if (item && !item.isEmpty && (item.number === null || item.number === 1)) return true;
    return tableOf(line, next) !== null;
  }

  /** The blocks of `lines`. Each has `line`, the index of its first line. */
  function parseBlocks(lines, state, depth) {
    const blocks = [];
    let at = 0;
    while (at < lines.length) {
      const line = lines[at];
      if (isBlank(line)) {
        at += 1;
        continue;
      }
      if (state.tokens <= 0 || depth > deepestBlock) {
        blocks.push({ ...token(state, "plain", { text: lines.slice(at).join("\n") }), line: at });
        break;
      }
      const [block, next] = parseBlock(lines, at, state, depth);
      block.line = at;
      blocks.push(block);
      at = next;
    }
    return blocks;
  }

  function parseBlock(lines, at, state, depth) {
    const line = lines[at];
    const fence = fenceOf(line);
    if (fence) return parseFence(lines, at, fence, state);
    const heading = headingOf(line);
    if (heading) return [token(state, `h${heading.level}`, { children: parseInline(heading.text, state) }), at + 1];
    if (isRule(line)) return [token(state, "hr"), at + 1];
    if (isQuote(line)) return parseQuote(lines, at, state, depth);
    if (itemOf(line)) return parseList(lines, at, state, depth);
    const table = tableOf(line, lines[at + 1]);
    if (table) return parseTable(lines, at, table, state);
    if (indentOf(line) >= 4) return parseIndented(lines, at, state);
    return parseParagraph(lines, at, state);
  }

  function parseFence(lines, at, fence, state) {
    const indent = indentOf(lines[at]);
    let end = at + 1;
    while (end < lines.length && !closesFence(lines[end], fence)) end += 1;
    const text = lines.slice(at + 1, end).map((line) => (indent ? outdented(line, indent) : line)).join("\n");
    const language = /^[\w+#.-]{1,32}/.exec(fence.info);
    return [token(state, `code ${language ? language[0] : ""}`, { text }), end + 1];
  }

  function parseIndented(lines, at, state) {
    let end = at;
    for (let index = at; index < lines.length; index += 1) {
      if (isBlank(lines[index])) continue;
      if (indentOf(lines[index]) < 4) break;
      end = index + 1;
    }
    return [token(state, "code ", { text: lines.slice(at, end).map((line) => outdented(line, 4)).join("\n") }), end];
  }

  function parseQuote(lines, at, state, depth) {
    const inner = [];
    let end = at;
    let isParagraph = false;
    for (; end < lines.length; end += 1) {
      const line = lines[end];
      if (isQuote(line)) {
        const text = line.replace(/^ {0,3}> ?/, "");
        isParagraph = !isBlank(text) && !fenceOf(text) && !headingOf(text) && !isRule(text);
        inner.push(text);
      } else if (isParagraph && !isBlank(line) && !interrupts(line, lines[end + 1])) inner.push(line);
      else break;
    }
    return [token(state, "quote", { children: parseBlocks(inner, state, depth + 1) }), end];
  }

  function parseList(lines, at, state, depth) {
    const first = itemOf(lines[at]);
    const items = [];
    let isLoose = false;
    let end = at;
    while (end < lines.length && state.tokens > 0) {
      const item = itemOf(lines[end]);
      if (!item || item.kind !== first.kind || isRule(lines[end])) break;
      const [inner, next, hasGap] = linesOfItem(lines, end, item);
      const task = /^\[([ xX])\][ \t]+(?=\S)/.exec(inner[0]);
      if (task) inner[0] = inner[0].slice(task[0].length);
      const children = parseBlocks(inner, state, depth + 1);
      items.push(token(state, `item ${task ? (task[1] === " " ? "open" : "done") : ""}`, { children }));
      // Blank lines within an item make a list loose only where they stand between blocks of the item itself.
      if (hasGap && children.slice(1).some((child) => isBlank(inner[child.line - 1]))) isLoose = true;
      end = next;
      let after = next;
      while (after < lines.length && isBlank(lines[after])) after += 1;
      if (after === next) continue;
      const follower = after < lines.length ? itemOf(lines[after]) : null;
      if (!follower || follower.kind !== first.kind || isRule(lines[after])) break;
      isLoose = true;
      end = after;
    }
    const list = token(state, first.number === null ? "ul" : "ol", { children: items });
    list.isLoose = isLoose;
    list.start = first.number;
    return [list, end];
  }

  /** The lines of the item that begins at `at`, without its indent; the line after it; whether it has blank lines. */
  function linesOfItem(lines, at, item) {
    const inner = [item.text];
    let end = at + 1;
    let hasGap = false;
    let isParagraph = !item.isEmpty && !fenceOf(item.text) && !headingOf(item.text);
    let fence = fenceOf(item.text);
    for (let index = at + 1; index < lines.length; index += 1) {
      const line = lines[index];
      if (isBlank(line)) {
        // An item that begins with a blank line has at most one of them.
        if (item.isEmpty && index === at + 1) break;
        isParagraph = false;
        continue;
      }
      const indent = indentOf(line);
      const nested = indent >= 2 && indent < item.indent && !fence ? itemOf(line) : null;
      let text;
      if (indent >= item.indent) text = outdented(line, item.indent);
      // Models indent by two what stands below "1. ", so a marker of another kind counts as a list within the item.
      else if (nested && nested.kind !== item.kind) text = outdented(line, item.indent);
      else if (isParagraph && !interrupts(line, lines[index + 1]) && !itemOf(line)) text = line.trimStart();
      else break;
      while (inner.length < index - at) {
        inner.push("");
        hasGap = true;
      }
      inner.push(text);
      end = index + 1;
      if (fence) {
        if (closesFence(text, fence)) fence = null;
        isParagraph = false;
      } else {
        fence = fenceOf(text);
        isParagraph = !fence && !headingOf(text) && !isRule(text);
      }
    }
    return [inner, end, hasGap];
  }

  function parseTable(lines, at, aligns, state) {
    const row = (line, key) => token(state, key, {
      children: aligns.map((align, index) => token(state, `cell ${align}`, { children: parseInline(line[index] ?? "", state) })),
    });
    const rows = [row(cellsOf(lines[at]), "head")];
    let end = at + 2;
    for (; end < lines.length && state.tokens > 0; end += 1) {
      const line = lines[end];
      if (isBlank(line) || fenceOf(line) || headingOf(line) || isRule(line) || isQuote(line) || itemOf(line)) break;
      rows.push(row(cellsOf(line), "row"));
    }
    return [token(state, `table ${aligns.length}`, { children: rows }), end];
  }

  function parseParagraph(lines, at, state) {
    let end = at + 1;
    for (; end < lines.length; end += 1) {
      const line = lines[end];
      if (isBlank(line)) break;
      const underline = indentOf(line) < 4 ? /^[ \t]*(=+|-+)[ \t\r]*$/.exec(line) : null;
      if (underline) {
        const children = parseInline(joined(lines, at, end), state);
        return [token(state, underline[1][0] === "=" ? "h1" : "h2", { children }), end + 1];
      }
      if (interrupts(line, lines[end + 1])) break;
    }
    return [token(state, "p", { children: parseInline(joined(lines, at, end), state) }), end];
  }

  const joined = (lines, at, end) => lines.slice(at, end).map((line) => line.trimStart()).join("\n").trimEnd();

  return { parse: parseBlocks };
})();
