// What `bridged chat` says of itself: with which model, where, with which rights, in which conversation. Pure.

enum ChatStatus {
  /// `gpt-5.5 medium · ~/project · read-only · never asks`
  static func line(model: String, effort: String?, _ profile: TurnProfile, home: String?) -> String {
    let name = effort.map { "\(model) \($0)" } ?? model
    let isOnline = RightsText.isOnline(profile.sandbox, isAllowed: profile.networkAccess)
    let rights = [RightsText.reach(profile.sandbox)] + (isOnline ? ["network"] : [])
    let parts =
      [name.printable, directory(profile.workingDirectory, home: home)] + rights
      + [RightsText.asking(profile.approvals)]
    return parts.joined(separator: " · ")
  }

  /// A path with `~` for the home of the person.
  static func directory(_ path: String, home: String?) -> String {
    guard let home, !home.isEmpty, FileContents.isPath(path, inside: home) else { return path.printable }
    return "~" + String(decoding: path.utf8.dropFirst(home.utf8.count), as: UTF8.self).printable
  }

  /// What goes on, and how another one does. `others`: how many conversations there are besides.
  static func greeting(_ conversation: KeptConversation?, others: Int, now: Int) -> String {
    let rest = others > 0 ? "; /resume lists \(others) more" : ""
    guard let conversation else { return "A new conversation. /help shows the commands\(rest)." }
    let list = others > 0 ? ", /resume lists \(others) more" : ""
    return "Continuing \(conversation.described(now: now)). /new begins another\(list), /help shows the commands."
  }

  /// What can be done about a failure; nil where its message says it, or nothing can.
  static func advice(_ error: EngineError) -> String? {
    guard case .turnFailed(let failure) = error else {
      return advice(code: APIError(error, hasStarted: true).code)
    }
    switch failure.kind {
    case .usageLimit, .sessionBudget: return "/status shows what of your plan is used."
    case .rateLimit, .overloaded, .providerSilent: return "Wait a moment and ask again."
    case .contextTooLong: return "/new begins another conversation; /undo takes the last turn back."
    case .unauthorized: return "Log in again with codex login."
    case .streamCut: return "Ask again."
    case .notFound: return "/models lists the models."
    case .outputLimit: return "Ask Codex to go on."
    case .requestTooLarge, .badRequest, .refused, .invalidPrompt, .interrupted, .schemaMismatch, .unknown:
      return nil
    }
  }

  /// The same by the code of an error.
  static func advice(code: String?) -> String? {
    switch code {
    case "overloaded": "Wait a moment and ask again."
    case "provider_unreachable": "Check the network, then ask again."
    case "codex_crashed", "codex_unresponsive", "turn_timeout": "Ask again; Codex is started anew if it has to be."
    case "model_not_found": "/models lists the models."
    default: nil
    }
  }
}
