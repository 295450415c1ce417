// Markdown within a block (see markdown-view.js for the dialect): text to a tree of tokens.
//
// First the text is cut into pieces: texts, finished tokens, and marks that may open or close something. Marks are then
// paired (CommonMark 0.31, "An algorithm for parsing nested emphasis and links"), and the pairs become the tree.

const markdownInline = (() => {
  // Emphasis within emphasis. Deeper text is shown without its outer form.
  const deepestInline = 16;
  const longestAddress = 2048;

  const isSpace = (code) => code === 32 || (code >= 9 && code <= 13) || code === 160 || code === 0x3000 || (code >= 0x2000 && code <= 0x200a);
  const punctuation = /[\p{P}\p{S}]/u;
  // Chinese, Japanese and Korean are written without spaces, so emphasis may begin and end right beside their letters.
  const ideograph = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
  const isAsciiPunctuation = (code) => (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) || (code >= 123 && code <= 126);
  const entities = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", "#39": "'" };

  /** A token: `key` tells the form, `text` or `children` what is in it. It is taken off the allowance `state.tokens`. */
  function token(state, key, content) {
    state.tokens -= 1;
    return { key, text: null, children: null, ...content };
  }

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
        openingPiece.opened.push(key);
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
        // The innermost pair was found first.
        for (let index = piece.opened.length - 1; index >= 0; index -= 1) open(piece.opened[index]);
      } else if (piece.open) open(piece.open);
      else if (piece.close) close();
      else if (piece.leaf) {
        if (state.tokens <= 0) add(piece.leaf === "br" ? "\n" : piece.text);
        else stack[stack.length - 1].children.push(token(state, piece.leaf, { text: piece.text ?? null }));
      } else add(piece.text);
    }
    return root;
  }

  return { token, parse: parseInline };
})();
