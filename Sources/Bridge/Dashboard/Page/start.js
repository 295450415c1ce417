// (skeleton)
views.start = (() => ({ show() {} }))();
