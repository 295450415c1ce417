// What Codex may do, in the words of everything that is printed for people. Pure.

/// The settings of sandbox, network and approvals in words.
enum RightsText {
  static func reach(_ sandbox: SandboxMode) -> String {
    switch sandbox {
    case .readOnly: "read-only"
    case .workspaceWrite: "writes there"
    case .dangerFullAccess: "no sandbox: writes everywhere"
    }
  }

  static func asking(_ approvals: ApprovalPolicy) -> String {
    switch approvals {
    case .never: "never asks"
    case .onRequest: "asks before it leaves the sandbox"
    case .untrusted: "asks before all but harmless commands"
    }
  }

  /// Whether commands can use the network. `isAllowed` is the setting, which counts for the sandbox that can open it.
  static func isOnline(_ sandbox: SandboxMode, isAllowed: Bool) -> Bool {
    sandbox == .dangerFullAccess || sandbox == .workspaceWrite && isAllowed
  }

  /// `read-only, no network, never asks`
  static func line(_ sandbox: SandboxMode, networkAccess: Bool, _ approvals: ApprovalPolicy) -> String {
    let network = isOnline(sandbox, isAllowed: networkAccess) ? "network" : "no network"
    return [reach(sandbox), network, asking(approvals)].joined(separator: ", ")
  }
}
