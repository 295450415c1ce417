// What was written and not sent: by conversation, for as long as the tab is open. Its texts outlive a reload.

function makeChatDrafts() {
  const prefix = "codexbridge-draft-";
  // With their images, which are too large for the browser's storage. By id; null is the new one.
  const left = new Map();
  const nameOf = ({ id }) => prefix + (id ?? "");

  /** Notes the text of a conversation that is being written in. */
  function keep(conversation) {
    try {
      if (conversation.draft) sessionStorage.setItem(nameOf(conversation), conversation.draft);
      else sessionStorage.removeItem(nameOf(conversation));
    } catch { /* Without storage it lasts as long as the page. */ }
  }

  /** Another conversation comes into view. */
  function leave(conversation) {
    left.set(conversation.id, { draft: conversation.draft, images: conversation.images });
    keep(conversation);
  }

  /** Gives a conversation what was written in it. */
  function restore(conversation) {
    Object.assign(conversation, left.get(conversation.id));
    left.delete(conversation.id);
    try { conversation.draft ||= sessionStorage.getItem(nameOf(conversation)) || ""; } catch { /* There is none. */ }
  }

  function reset() {
    left.clear();
    try {
      for (const name of Object.keys(sessionStorage)) if (name.startsWith(prefix)) sessionStorage.removeItem(name);
    } catch { /* Nothing was kept. */ }
  }

  return { keep, leave, restore, reset };
}
