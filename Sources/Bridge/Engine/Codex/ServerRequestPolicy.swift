// What the bridge answers when the app-server asks something. Pure.

/// The answer to a request of the app-server.
enum ServerRequestAnswer: Equatable {
  /// An approval that is declined, with the note the user gets to see.
  case decline(note: String)
  /// A request the bridge does not serve; an error answer lets the turn go on.
  case unsupported
}

enum ServerRequestPolicy {
  /// JSON-RPC "method not found".
  static let unsupportedCode = -32601

  static func answer(method: String, params: JSONValue) -> ServerRequestAnswer {
    switch method {
    case ServerRequest.commandApproval:
      let command = params["command"]?.stringValue ?? "a command"
      return .decline(note: "Codex asked to run `\(command)`; declined.")
    case ServerRequest.fileChangeApproval:
      let reason = params["reason"]?.stringValue.map { " (\($0))" } ?? ""
      return .decline(note: "Codex asked to change files\(reason); declined.")
    default: return .unsupported
    }
  }
}
