// (skeleton)
views.bridge = (() => ({ show() {} }))();
