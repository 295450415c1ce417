// Decides what the bridge does with a request of the app-server. Pure.

/// What the bridge does with a request of the app-server.
enum ServerRequestAnswer: Equatable {
  /// It asks a person.
  case ask(Approval.Question, ApprovalAnswerForm)
  /// It declines, because the request cannot be shown, or cannot be answered with yes or no. A note beside the answer says
  /// what was declined.
  case decline(Unshowable, ApprovalAnswerForm)
  /// It does not know the request, and answers with an error, after which the turn goes on.
  case unsupported
}

/// The rules by which requests of the app-server are answered.
enum ServerRequestPolicy {
  /// JSON-RPC "method not found".
  static let unsupportedCode = -32601

  /// `item` is the `fileChange` item that a request about files belongs to. `profile` is that of the turn which asks.
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

/// The form in which the app-server expects a decision. It differs between the kinds of requests.
enum ApprovalAnswerForm: Equatable {
  case decision
  /// With the permissions that were asked for. All of them are granted, or none.
  case permissions(JSONValue)
  case elicitation
  case answers

  /// Nil for a request that is no question to a person.
  init?(_ method: String, _ params: JSONValue) {
    switch method {
    case ServerRequest.commandApproval, ServerRequest.fileChangeApproval: self = .decision
    case ServerRequest.permissionsApproval: self = .permissions(params["permissions"] ?? [:])
    case ServerRequest.elicitation: self = .elicitation
    case ServerRequest.userInput: self = .answers
    default: return nil
    }
  }

  /// The result that answers the request.
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
