// Small things that the parts of the chat are made of: its elements by name, its symbols and buttons.

const chatControls = (() => {
  const isPhone = () => matchMedia("(hover: none) and (pointer: coarse)").matches;
  /** Whether a key belongs to an input method, as an Enter that ends a word does; 229 is how Safari tells. */
  const isOfInputMethod = (event) => event.isComposing || event.keyCode === 229;
  /** Whether a key sends. The keyboards of phones have no Shift-Enter: there Enter begins a line, and the button sends. */
  const isSendKey = (event) => event.key === "Enter" && !event.shiftKey && !isOfInputMethod(event) && !isPhone();
  const ui = (name) => $(`chat-${name}`);

  const shapes = {
    send: "M12 19V5M6 11l6-6 6 6", stop: "M7 7h10v10H7z", attach: "M19 11.5 12.5 18a4.2 4.2 0 0 1-6-6l7-7a2.8 2.8 0 0 1 4 4l-7 7a1.4 1.4 0 0 1-2-2l6-6",
    down: "M12 5v14M6 13l6 6 6-6", list: "M4.5 6.5h15M4.5 12h15M4.5 17.5h9", add: "M12 5v14M5 12h14", close: "m6.5 6.5 11 11M17.5 6.5l-11 11",
    edit: "M5 19h3.5L18 9.5 14.5 6 5 15.5zM13 7.5l3.5 3.5", again: "M19 12a7 7 0 1 1-2-5l2 2M19 4.5V9h-4.5", copy: "M9 9h10v10H9zM15 9V5H5v10h4",
    done: "m5 12.5 4.5 4.5L19 7.5",
  };

  function drawing(name) {
    const node = document.createElementNS(svgNamespace, "svg");
    node.setAttribute("class", "icon");
    node.setAttribute("viewBox", "0 0 24 24");
    node.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(svgNamespace, "path");
    path.setAttribute("d", shapes[name]);
    node.append(path);
    return node;
  }

  function iconButton(name, text, properties = {}) {
    return element("button", { type: "button", class: "quiet chat-icon", "aria-label": text, title: text, ...properties }, drawing(name));
  }

  function copyIcon(text, block) {
    const button = iconButton("copy", t("copy.do"));
    button.addEventListener("click", async () => {
      const isCopied = await copy(text(), block);
      announce(t(isCopied ? "copy.done" : "copy.byHandLong"));
      if (!isCopied) return toast(t("copy.byHandLong"));
      button.replaceChildren(drawing("done"));
      setTimeout(() => button.replaceChildren(drawing("copy")), 1500);
    });
    return button;
  }

  return { isPhone, isOfInputMethod, isSendKey, ui, drawing, iconButton, copyIcon };
})();
