// (skeleton)
views.approvals = (() => ({ show() {} }))();
function showApprovals() {}
function relabelApprovals() {}
function resetApprovals() {}
function notifyOf() {}
