// (skeleton)
views.connect = (() => ({ show() {} }))();
