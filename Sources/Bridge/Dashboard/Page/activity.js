// (skeleton)
views.activity = (() => ({ show() {} }))();
