// What the bridge answers when the app-server asks something. Pure.

/// The answer to a request of the app-server.
enum ServerRequestAnswer: Equatable {
  /// An approval: what for, and what it is about.
  case ask(Approval.Kind, subject: String)
  /// A request the bridge does not serve; an error answer lets the turn go on.
  case unsupported
}

enum ServerRequestPolicy {
  /// JSON-RPC "method not found".
  static let unsupportedCode = -32601

  static func answer(method: String, params: JSONValue) -> ServerRequestAnswer {
    switch method {
    case ServerRequest.commandApproval:
      return .ask(.command, subject: params["command"]?.stringValue ?? "a command")
    case ServerRequest.fileChangeApproval:
      return .ask(.fileChange, subject: params["grantRoot"]?.stringValue ?? "files")
    default: return .unsupported
    }
  }
}
