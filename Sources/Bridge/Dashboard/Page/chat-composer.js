// Where a message is written: its text, its images, and the model and the effort it is asked with.

function makeChatComposer(chat) {
  const { ui, isPhone, isSendKey, iconButton } = chatControls;
  const imageTypes = ["image/png", "image/jpeg", "image/gif", "image/webp"];
  const mostImages = 8;
  // The images of a message together, in bytes: as base64 they are a third longer, and a request's body may have 10 MB
  // (CODEX_JSON_LIMIT) where nobody has raised that.
  const largestImages = 7 << 20;
  // Larger pictures, as from the camera of a phone, are made smaller: models do not look at more pixels than these on a side.
  const longestSide = 2048;
  const worthShrinking = 1 << 20;
  const commonEfforts = ["low", "medium", "high"];

  function make() {
    return element("form", { id: "chat-form", class: "chat-form" },
      element("ul", { id: "chat-images", class: "chat-images", hidden: true, "aria-label": t("chat.images") }),
      element("textarea", { id: "chat-text", rows: 1, placeholder: t("chat.placeholder"), "aria-label": t("chat.message"), "aria-describedby": "chat-keys" }),
      element("div", { class: "chat-tools" },
        iconButton("attach", t("chat.attach"), { id: "chat-attach" }),
        element("input", { id: "chat-file", type: "file", accept: imageTypes.join(","), multiple: true, hidden: true }),
        element("select", { id: "chat-model", "aria-label": t("chat.model") }),
        element("select", { id: "chat-effort", "aria-label": t("chat.effort") }),
        element("span", { id: "chat-keys", class: "soft small chat-keys", textContent: t("chat.keys") }),
        iconButton("send", t("chat.send"), { id: "chat-send", type: "submit", class: "primary chat-send" }),
        iconButton("stop", t("chat.stop"), { id: "chat-stop", class: "chat-send", hidden: true })));
  }

  function connect(view) {
    connectText();
    connectImages(view);
    connectPickers();
    ui("form").addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    ui("stop").addEventListener("click", () => chat.turns.stop(chat.shown));
  }

  function connectText() {
    const text = ui("text");
    text.addEventListener("input", () => {
      chat.shown.draft = text.value;
      chat.drafts.keep(chat.shown);
      fitText();
      showComposer();
    });
    text.addEventListener("keydown", (event) => {
      if (!isSendKey(event)) return;
      event.preventDefault();
      submit();
    });
  }

  function connectImages(view) {
    ui("text").addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files || [])];
      const images = files.filter((file) => file.type.startsWith("image/"));
      // Programs put a picture of a text beside the text; a file of another kind comes alone, and is told of.
      if (!files.length || (!images.length && event.clipboardData.getData("text/plain"))) return;
      event.preventDefault();
      addImages(images.length ? images : files);
    });
    ui("attach").addEventListener("click", () => ui("file").click());
    ui("file").addEventListener("change", () => {
      addImages([...ui("file").files]);
      ui("file").value = "";
    });
    view.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      ui("form").classList.add("drop");
    });
    view.addEventListener("dragleave", (event) => { if (!view.contains(event.relatedTarget)) ui("form").classList.remove("drop"); });
    view.addEventListener("drop", (event) => {
      ui("form").classList.remove("drop");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      addImages([...event.dataTransfer.files]);
    });
  }

  function connectPickers() {
    ui("model").addEventListener("change", () => {
      chat.shown.model = ui("model").value || null;
      if (!effortsOf(chat.shown.model).includes(chat.shown.effort)) chat.shown.effort = "";
      store("chat-model", chat.shown.model);
      showPickers();
    });
    ui("effort").addEventListener("change", () => {
      chat.shown.effort = ui("effort").value;
      store("chat-effort", chat.shown.effort || null);
    });
  }

  // What a conversation has that could not be read must not be taken for nothing.
  const canSend = (conversation) => !conversation.run && conversation.elsewhere !== "running"
    && !["loading", "failed"].includes(conversation.state) && (conversation.draft.trim() !== "" || conversation.images.length > 0);

  /** Sends what is written. It stays where it is until it is known that the bridge has no more than what is shown. */
  async function submit() {
    const conversation = chat.shown;
    if (!canSend(conversation) || !(await chat.turns.mayGoOn(conversation)) || !canSend(conversation)) return;
    const { draft, images } = conversation;
    conversation.draft = "";
    conversation.images = [];
    chat.drafts.keep(conversation);
    ui("text").value = "";
    showImages();
    fitText();
    chat.turns.say(conversation, draft, images);
  }

  /** Where a field with the focus brings up a keyboard that covers half of the screen, the heading gets it. */
  function focusText() {
    (isPhone() ? $("h-chat") : ui("text"))?.focus({ preventScroll: true });
  }

  function fitText() {
    const text = ui("text");
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, innerHeight * 0.4)}px`;
  }

  function showComposer() {
    const { run } = chat.shown;
    ui("send").hidden = Boolean(run);
    ui("send").disabled = !canSend(chat.shown);
    const hadFocus = document.activeElement === ui("stop");
    ui("stop").hidden = !run;
    setBusy(ui("stop"), Boolean(run && run.isStopping));
    if (hadFocus && !run) ui("text").focus({ preventScroll: true });
    // Neither can anything be asked again or be edited.
    ui("place").classList.toggle("running", Boolean(run) || chat.shown.elsewhere === "running");
  }

  function showImages() {
    const list = ui("images");
    list.hidden = chat.shown.images.length === 0;
    list.replaceChildren(...chat.shown.images.map((image) => {
      const remove = iconButton("close", t("chat.removeImage", { name: image.name }));
      remove.addEventListener("click", () => {
        chat.shown.images = chat.shown.images.filter((other) => other !== image);
        showImages();
        showComposer();
        ui("text").focus();
      });
      return element("li", {}, element("img", { src: image.url, alt: image.name }), remove);
    }));
  }

  /** A file as a `data:` URL; null if it cannot be read. */
  function readWhole(file) {
    return new Promise((resolve) => {
      const reader = new FileReader();
      reader.addEventListener("loadend", () => resolve(reader.error ? null : reader.result));
      reader.readAsDataURL(file);
    });
  }

  /** A large picture in fewer pixels, as a `data:` URL; null if it is to stay as it is. A GIF may move. */
  async function shrunk(file) {
    if (file.size < worthShrinking || file.type === "image/gif") return null;
    try {
      const picture = await createImageBitmap(file);
      const scale = longestSide / Math.max(picture.width, picture.height);
      if (scale >= 1) return null;
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(picture.width * scale));
      canvas.height = Math.max(1, Math.round(picture.height * scale));
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      picture.close();
      return canvas.toDataURL(file.type, 0.9);
    } catch {
      return null;
    }
  }

  async function addImages(files) {
    const conversation = chat.shown;
    for (const file of files) {
      if (!imageTypes.includes(file.type)) toast(t("chat.imageType", { name: escaped(file.name) }));
      else if (conversation.images.length >= mostImages) toast(t("chat.imageCount", { count: mostImages }));
      else {
        const url = (await shrunk(file)) ?? (await readWhole(file));
        const before = conversation.images.reduce((sum, image) => sum + image.url.length, 0);
        const name = file.name || t("chat.image");
        if (!url) toast(t("chat.imageUnreadable", { name: escaped(name) }));
        else if ((before + url.length) * 0.75 > largestImages) toast(t("chat.imageSize", { name: escaped(name), size: memory(largestImages) }));
        else conversation.images.push({ url, type: file.type, name });
      }
    }
    if (conversation !== chat.shown) return;
    showImages();
    showComposer();
    chat.stickToEnd();
  }

  function effortsOf(id) {
    const model = models.find((other) => other.id === (id ?? snapshot?.bridge.default_model));
    return model && model.efforts.length ? model.efforts : commonEfforts;
  }

  function showPickers() {
    const option = (value, text) => element("option", { value, textContent: text });
    const ids = models.map((model) => model.id);
    const preset = models.find((model) => model.id === snapshot?.bridge.default_model);
    const listed = [option("", preset ? t("chat.defaultNamed", { name: preset.name }) : t("chat.defaultModel")), ...models.map((model) => option(model.id, model.name))];
    if (chat.shown.model && !ids.includes(chat.shown.model)) listed.push(option(chat.shown.model, chat.shown.model));
    const efforts = effortsOf(chat.shown.model);
    const shape = JSON.stringify([listed.map((one) => [one.value, one.textContent]), efforts, language]);
    if (ui("model").shape !== shape) {
      ui("model").shape = shape;
      ui("model").replaceChildren(...listed);
      const nameOf = (effort) => (has(`effort.${effort}`) ? t(`effort.${effort}`) : effort);
      ui("effort").replaceChildren(option("", t("chat.defaultEffort")), ...efforts.map((effort) => option(effort, nameOf(effort))));
    }
    ui("model").value = chat.shown.model || "";
    ui("effort").value = efforts.includes(chat.shown.effort) ? chat.shown.effort : "";
  }

  /** Shows what is written of the conversation in view. */
  function fill() {
    ui("text").value = chat.shown.draft;
    showImages();
    showPickers();
    showComposer();
    fitText();
  }

  return { make, connect, fill, show: showComposer, showPickers, focus: focusText };
}
