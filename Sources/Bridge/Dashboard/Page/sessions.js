// (skeleton)
views.sessions = (() => ({ show() {} }))();
