// What the bridge answers when the app-server asks something. Pure.

/// What becomes of a request of the app-server.
enum ServerRequestAnswer: Equatable {
  /// A person decides.
  case ask(Approval.Question, ApprovalAnswerForm)
  /// Nobody is asked, for it cannot be shown, or cannot be answered with yes or no; a note says what was declined.
  case decline(Unshowable, ApprovalAnswerForm)
  /// A request the bridge does not serve; an error answer lets the turn go on.
  case unsupported
}

enum ServerRequestPolicy {
  /// JSON-RPC "method not found".
  static let unsupportedCode = -32601

  /// `item` is the item that a request about files belongs to, `profile` that of the turn which asks.
  static func answer(
    method: String, params: JSONValue, item: JSONValue?, _ profile: TurnProfile
  ) -> ServerRequestAnswer {
    guard let reply = ApprovalAnswerForm(method, params) else { return .unsupported }
    do throws(Unshowable) {
      switch method {
      case ServerRequest.commandApproval: return .ask(try ApprovalReader.command(params, profile), reply)
      case ServerRequest.fileChangeApproval: return .ask(try ApprovalReader.fileChange(params, item: item), reply)
      case ServerRequest.permissionsApproval: return .ask(try ApprovalReader.permissions(of: params), reply)
      case ServerRequest.elicitation: return .ask(try ApprovalReader.elicitation(params), reply)
      default: return .decline(ApprovalReader.userInput(params), reply)
      }
    } catch {
      return .decline(error, reply)
    }
  }
}

/// How a decision is told to the app-server; each kind of request has a form of its own.
enum ApprovalAnswerForm: Equatable {
  case decision
  /// What was asked for is granted as it was asked for, or not at all.
  case permissions(JSONValue)
  case elicitation
  case answers

  /// Nil for requests that are no questions to a person.
  init?(_ method: String, _ params: JSONValue) {
    switch method {
    case ServerRequest.commandApproval, ServerRequest.fileChangeApproval: self = .decision
    case ServerRequest.permissionsApproval: self = .permissions(params["permissions"] ?? [:])
    case ServerRequest.elicitation: self = .elicitation
    case ServerRequest.userInput: self = .answers
    default: return nil
    }
  }

  /// The result of the request.
  func result(_ decision: Approval.Decision) -> JSONValue {
    switch (self, decision) {
    case (.decision, .accept): ["decision": "accept"]
    case (.decision, .acceptForSession): ["decision": "acceptForSession"]
    case (.decision, .decline): ["decision": "decline"]
    case (.permissions(let asked), .accept): ["permissions": asked, "scope": "turn"]
    case (.permissions(let asked), .acceptForSession): ["permissions": asked, "scope": "session"]
    case (.permissions, .decline): ["permissions": [:], "scope": "turn"]
    case (.elicitation, .accept): ["action": "accept", "content": [:]]
    case (.elicitation, .acceptForSession):
      ["action": "accept", "content": [:], "_meta": ["persist": "session"]]
    case (.elicitation, .decline): ["action": "decline"]
    case (.answers, _): ["answers": [:]]
    }
  }
}
