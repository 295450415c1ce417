// The chat.

views.chat = (() => ({ show() {}, begin(text) { go("#/chat"); return text; } }))();
