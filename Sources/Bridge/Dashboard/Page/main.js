// Begins: the last piece of the script.

useLanguage(preferredLanguage());
for (const view of Object.values(views)) view.relabel?.();
begin();
