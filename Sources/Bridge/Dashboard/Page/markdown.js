// Markdown of answers as DOM nodes. Nothing here makes markup out of text: a strict parser gives a tree of tokens, and
// each token becomes a node by createElement and text.
//
// The dialect: paragraphs, headings, quotes, lists (tasks too), fenced and indented code, tables, rules, emphasis,
// strikethrough, code, links and bare addresses. HTML is shown as text, except <br>; an image is shown as a link, so
// nothing is loaded from outside. A single line break stays one. There are no reference links and no footnotes.
//
// Hostile text cannot hang the page: the parser takes time in proportion to the length of the text, nesting is bounded,
// and what is beyond the limits is shown as plain text.

const markdown = (() => {
  // Containers within containers, and emphasis within emphasis. Deeper text is shown without its outer form.
  const deepestBlock = 12;
  const deepestInline = 16;
  // What one answer may have, beyond which the rest of it is plain: more nodes make the browser slow, not the parser.
  const mostTokens = 40000;
  const longestText = 2_000_000;
  const mostColumns = 64;
  const longestAddress = 2048;

  // ---- characters

  const isBlank = (line) => /^[ \t\r]*$/.test(line);
  const isSpace = (code) => code === 32 || (code >= 9 && code <= 13) || code === 160 || code === 0x3000 || (code >= 0x2000 && code <= 0x200a);
  const punctuation = /[\p{P}\p{S}]/u;
  // Chinese, Japanese and Korean are written without spaces, so emphasis may begin and end right beside their letters.
  const ideograph = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
  const isAsciiPunctuation = (code) => (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) || (code >= 123 && code <= 126);
  // Characters that turn the order of what follows are shown by their number, so that a text reads as it is.
  const turning = /[\u202a-\u202e\u2066-\u2069]/g;
  const plainText = (text) => text.replace(turning, (character) => `\\u{${character.codePointAt(0).toString(16).toUpperCase()}}`);
  const entities = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", "#39": "'" };

  // ---- tokens: `key` tells the form, `text` or `children` what is in it

  function token(state, key, content) {
    state.tokens -= 1;
    return { key, text: null, children: null, ...content };
  }

  // ---- blocks

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

  // ---- within a block
  //
  // First the text is cut into pieces: texts, finished tokens, and marks that may open or close something. Marks are then
  // paired (CommonMark 0.31, "An algorithm for parsing nested emphasis and links"), and the pairs become the tree.

  function parseInline(text, state) {
    const cutter = { text, pieces: [], marks: [], brackets: [], firstLink: 0, plain: "", ticks: null };
    let at = 0;
    while (at < text.length) {
      const next = cutAt(cutter, at);
      if (next > at) at = next;
      else {
        // Runs of ordinary characters are taken at once.
        let end = at + 1;
        while (end < text.length && !special.has(text.charCodeAt(end))) end += 1;
        cutter.plain += text.slice(at, end);
        at = end;
      }
    }
    flush(cutter);
    pairMarks(cutter, 0);
    return treeOf(cutter.pieces, state);
  }

  const special = new Set([..."\\`*_~[]!<&\nhH"].map((character) => character.charCodeAt(0)));

  function flush(cutter) {
    if (cutter.plain) cutter.pieces.push({ text: cutter.plain });
    cutter.plain = "";
  }

  function push(cutter, piece) {
    flush(cutter);
    cutter.pieces.push(piece);
  }

  /** Cuts what begins at `at`. Gives the place behind it, or `at` if it is an ordinary character. */
  function cutAt(cutter, at) {
    const { text } = cutter;
    switch (text[at]) {
      case "\\": return cutEscape(cutter, at);
      case "`": return cutCode(cutter, at);
      case "*": case "_": case "~": return cutMark(cutter, at);
      case "[":
        push(cutter, { text: "[" });
        cutter.brackets.push({ piece: cutter.pieces.length - 1, marks: cutter.marks.length, isImage: false });
        return at + 1;
      case "!":
        if (text[at + 1] !== "[") return at;
        push(cutter, { text: "![" });
        cutter.brackets.push({ piece: cutter.pieces.length - 1, marks: cutter.marks.length, isImage: true });
        return at + 2;
      case "]": return cutBracket(cutter, at);
      case "<": return cutAngle(cutter, at);
      case "&": return cutEntity(cutter, at);
      case "\n":
        cutter.plain = cutter.plain.trimEnd();
        push(cutter, { leaf: "br" });
        return at + 1;
      case "h": case "H": return cutAddress(cutter, at);
      default: return at;
    }
  }

  function cutEscape(cutter, at) {
    const code = cutter.text.charCodeAt(at + 1);
    if (code === 10) {
      push(cutter, { leaf: "br" });
      return at + 2;
    }
    if (!isAsciiPunctuation(code)) return at;
    cutter.plain += cutter.text[at + 1];
    return at + 2;
  }

  /** Where runs of backquotes begin, by their length, so that the end of a span is found without looking twice. */
  function ticksOf(text) {
    const ticks = new Map();
    for (let at = text.indexOf("`"); at >= 0; at = text.indexOf("`", at)) {
      let end = at;
      while (text[end] === "`") end += 1;
      if (!ticks.has(end - at)) ticks.set(end - at, { places: [], next: 0 });
      ticks.get(end - at).places.push(at);
      at = end;
    }
    return ticks;
  }

  function cutCode(cutter, at) {
    const { text } = cutter;
    let begin = at;
    while (text[begin] === "`") begin += 1;
    if (cutter.ticks === null) cutter.ticks = ticksOf(text);
    const runs = cutter.ticks.get(begin - at);
    while (runs && runs.next < runs.places.length && runs.places[runs.next] < begin) runs.next += 1;
    if (!runs || runs.next >= runs.places.length) {
      cutter.plain += text.slice(at, begin);
      return begin;
    }
    const end = runs.places[runs.next];
    let code = text.slice(begin, end).replaceAll("\n", " ");
    if (code.startsWith(" ") && code.endsWith(" ") && code.trim()) code = code.slice(1, -1);
    push(cutter, { leaf: "codespan", text: code });
    return end + begin - at;
  }

  function cutMark(cutter, at) {
    const { text } = cutter;
    const mark = text[at];
    let end = at;
    while (text[end] === mark) end += 1;
    const length = end - at;
    if (mark === "~" && length !== 2) {
      cutter.plain += text.slice(at, end);
      return end;
    }
    const before = at === 0 ? " " : String.fromCodePoint(text.codePointAt(at > 1 && (text.charCodeAt(at - 1) & 0xfc00) === 0xdc00 ? at - 2 : at - 1));
    const after = end >= text.length ? " " : String.fromCodePoint(text.codePointAt(end));
    const isSpaceBefore = isSpace(before.codePointAt(0));
    const isSpaceAfter = isSpace(after.codePointAt(0));
    const isMarkBefore = punctuation.test(before);
    const isMarkAfter = punctuation.test(after);
    const opens = !isSpaceAfter && (!isMarkAfter || isSpaceBefore || isMarkBefore || ideograph.test(before));
    const closes = !isSpaceBefore && (!isMarkBefore || isSpaceAfter || isMarkAfter || ideograph.test(after));
    push(cutter, { mark, count: length, opened: [], closed: [] });
    cutter.marks.push({
      piece: cutter.pieces.length - 1, mark, length,
      canOpen: mark === "_" ? opens && (!closes || isMarkBefore) : opens,
      canClose: mark === "_" ? closes && (!opens || isMarkAfter) : closes,
    });
    return end;
  }

  function cutBracket(cutter, at) {
    const opener = cutter.brackets.pop();
    const isActive = opener && (opener.isImage || cutter.brackets.length >= cutter.firstLink);
    cutter.firstLink = Math.min(cutter.firstLink, cutter.brackets.length);
    const target = isActive ? targetAt(cutter.text, at + 1) : null;
    if (!target) {
      cutter.plain += "]";
      return at + 1;
    }
    flush(cutter);
    pairMarks(cutter, opener.marks);
    cutter.marks.length = opener.marks;
    cutter.pieces[opener.piece] = { open: `link ${target.address}` };
    cutter.pieces.push({ close: true });
    // A link stands in no other link: the brackets that are open begin none.
    if (!opener.isImage) cutter.firstLink = cutter.brackets.length;
    return target.end;
  }

  /** `(address "title")` at `at`. The title is read over. */
  function targetAt(text, at) {
    if (text[at] !== "(") return null;
    let index = skipBlanks(text, at + 1);
    let address = "";
    const limit = Math.min(text.length, index + longestAddress);
    if (text[index] === "<") {
      const end = text.slice(index, limit).search(/[>\n]/);
      if (end < 0 || text[index + end] !== ">") return null;
      address = text.slice(index + 1, index + end);
      index += end + 1;
    } else {
      let open = 0;
      const begin = index;
      for (; index < limit; index += 1) {
        const code = text.charCodeAt(index);
        if (code <= 32) break;
        if (code === 92 && isAsciiPunctuation(text.charCodeAt(index + 1))) index += 1;
        else if (code === 40) open += 1;
        else if (code === 41) {
          if (open === 0) break;
          open -= 1;
        }
      }
      if (index >= limit || open > 0) return null;
      address = text.slice(begin, index);
    }
    index = skipBlanks(text, index);
    if (text[index] === '"' || text[index] === "'") {
      const end = text.slice(index + 1, index + 512).indexOf(text[index]);
      if (end < 0) return null;
      index = skipBlanks(text, index + end + 2);
    }
    return text[index] === ")" ? { address: address.replace(/\\([!-/:-@[-`{-~])/g, "$1"), end: index + 1 } : null;
  }

  function skipBlanks(text, at) {
    const limit = at + 64;
    while (at < limit && (text[at] === " " || text[at] === "\n" || text[at] === "\t")) at += 1;
    return at;
  }

  function cutAngle(cutter, at) {
    const near = cutter.text.slice(at, at + longestAddress);
    const rest = /^<br[ \t]*\/?>/i.exec(near);
    if (rest) {
      push(cutter, { leaf: "br" });
      return at + rest[0].length;
    }
    if (!/^<(?:https?:|mailto:|[\w.+-]{1,64}@)/i.test(near)) return at;
    const found = /^<([^\s<>]+)>/.exec(near);
    if (!found) return at;
    const isMail = !/^(?:https?|mailto):/i.test(found[1]);
    if (isMail && !/^[\w.+-]+@[\w.-]+$/.test(found[1])) return at;
    push(cutter, { open: `link ${isMail ? "mailto:" : ""}${found[1]}` });
    cutter.pieces.push({ text: found[1] }, { close: true });
    return at + found[0].length;
  }

  function cutEntity(cutter, at) {
    const found = /^&(#39|[a-z]{2,4});/.exec(cutter.text.slice(at, at + 8));
    if (!found || !Object.hasOwn(entities, found[1])) return at;
    cutter.plain += entities[found[1]];
    return at + found[0].length;
  }

  /** An address that stands by itself. It ends at blanks and at the punctuation that Chinese and Japanese put behind it. */
  function cutAddress(cutter, at) {
    const { text } = cutter;
    const scheme = /^https?:\/\//i.exec(text.slice(at, at + 8));
    if (!scheme || (at > 0 && /[\p{L}\p{N}]/u.test(text[at - 1]) && !ideograph.test(text[at - 1]))) return at;
    let end = at + scheme[0].length;
    let open = 0;
    const limit = Math.min(text.length, at + longestAddress);
    for (; end < limit; end += 1) {
      const code = text.charCodeAt(end);
      if (code <= 32 || code === 60 || code === 62 || code === 96 || code === 34 || code === 93) break;
      if ((code >= 0x3000 && code <= 0x303f) || code >= 0xff00 || code === 0x2019 || code === 0x201d) break;
      if (code === 40) open += 1;
      if (code === 41) {
        if (open === 0) break;
        open -= 1;
      }
    }
    while (end > at && ".,;:!?'*_~\\".includes(text[end - 1])) end -= 1;
    if (end <= at + scheme[0].length) return at;
    const address = text.slice(at, end);
    push(cutter, { open: `link ${address}` });
    cutter.pieces.push({ text: address }, { close: true });
    return end;
  }

  /** Pairs the marks from index `bottom` on. Where no opener was found before need not be searched again. */
  function pairMarks(cutter, bottom) {
    const marks = cutter.marks;
    if (marks.length <= bottom) return;
    const before = [];
    for (let index = bottom; index < marks.length; index += 1) before[index] = index - 1;
    const floors = new Map();
    for (let closer = bottom; closer < marks.length; closer += 1) {
      const closing = marks[closer];
      const closingPiece = cutter.pieces[closing.piece];
      while (closing.canClose && closingPiece.count > 0) {
        const kind = `${closing.mark}${closing.canOpen}${closing.length % 3}`;
        const floor = floors.get(kind) ?? bottom - 1;
        let opener = before[closer];
        while (opener > floor && !isPair(marks[opener], closing, cutter.pieces[marks[opener].piece])) opener = before[opener];
        if (opener <= floor) {
          floors.set(kind, before[closer]);
          break;
        }
        const openingPiece = cutter.pieces[marks[opener].piece];
        const width = Math.min(2, openingPiece.count, closingPiece.count);
        const key = closing.mark === "~" ? "del" : width === 2 ? "strong" : "em";
        openingPiece.count -= width;
        closingPiece.count -= width;
        openingPiece.opened.unshift(key);
        closingPiece.closed.push(key);
        // What stands between the two can open nothing any more; an opener that is used up is left out.
        before[closer] = openingPiece.count > 0 ? opener : before[opener];
      }
      if (!closing.canOpen || closingPiece.count === 0) {
        // It can open nothing: the next one looks past it.
        if (closer + 1 < marks.length) before[closer + 1] = before[closer];
      }
    }
  }

  function isPair(opening, closing, piece) {
    if (!opening.canOpen || opening.mark !== closing.mark || piece.count === 0) return false;
    // The rule of three: "**a*b**" is no emphasis of "a" (CommonMark 0.31, rules 9 and 10).
    if (!(opening.canClose || closing.canOpen)) return true;
    return (opening.length + closing.length) % 3 !== 0 || (opening.length % 3 === 0 && closing.length % 3 === 0);
  }

  /** The tree of the pieces. What is nested too deep, and links in links, lose their form and keep their text. */
  function treeOf(pieces, state) {
    const root = [];
    const stack = [{ key: "", children: root }];
    let linksOpen = 0;
    const add = (text) => {
      if (!text) return;
      const siblings = stack[stack.length - 1].children ?? root;
      const last = siblings[siblings.length - 1];
      if (last && last.key === "text") last.text += text;
      else siblings.push(token(state, "text", { text }));
    };
    const open = (key) => {
      const isLink = key.startsWith("link ");
      const isLeftOut = stack.length > deepestInline || (isLink && linksOpen > 0) || state.tokens <= 0;
      const top = stack[stack.length - 1];
      if (isLeftOut) stack.push({ key, children: top.children, isLeftOut });
      else {
        const made = token(state, key, { children: [] });
        top.children.push(made);
        stack.push({ key, children: made.children, isLeftOut });
        if (isLink) linksOpen += 1;
      }
    };
    const close = () => {
      const top = stack.pop();
      if (!top.isLeftOut && top.key.startsWith("link ")) linksOpen -= 1;
    };
    for (const piece of pieces) {
      if (piece.mark) {
        for (let count = piece.closed.length; count > 0; count -= 1) close();
        add(piece.mark.repeat(piece.count));
        piece.opened.forEach(open);
      } else if (piece.open) open(piece.open);
      else if (piece.close) close();
      else if (piece.leaf) {
        if (state.tokens <= 0) add(piece.leaf === "br" ? "\n" : piece.text);
        else stack[stack.length - 1].children.push(token(state, piece.leaf, { text: piece.text ?? null }));
      } else add(piece.text);
    }
    return root;
  }

  // ---- nodes

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
      const tail = parseBlocks(lines, state, 0);
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

  /** The blocks of a text as tokens, for tests. */
  const parse = (text) => parseBlocks(text.split("\n"), { tokens: mostTokens }, 0);

  return { View, parse, plainText, safeAddress };
})();
