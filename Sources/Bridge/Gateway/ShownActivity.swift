// What a request wants to see of what goes on beside the answer. Pure.

/// Chooses what is shown: by the request's header fields, else by the settings.
struct ShownActivity: Sendable {
  /// The header field that says how commands, changes of files, searches and tools are told: `reasoning`, `mcp` (of responses
  /// only) or `none`.
  private static let activityField = "x-bridge-activity"
  /// The header field that says whether what the model says about its work is `reasoning` or a `message` (of responses only).
  private static let commentaryField = "x-bridge-commentary"

  private let standard: ResponseStyle.Activity

  init(_ configuration: Configuration) {
    standard = configuration[Settings.showActivity] ? .reasoning : .none
  }

  /// What a response shows.
  func style(_ fields: HeaderFields) throws(APIError) -> ResponseStyle {
    var style = ResponseStyle(activity: try activity(fields))
    switch fields[Self.commentaryField]?.lowercased() {
    case nil, "", "reasoning": break
    case "message": style.commentaryIsMessage = true
    default:
      throw .invalid(
        "The header '\(Self.commentaryField)' must be 'reasoning' or 'message'.", param: Self.commentaryField)
    }
    return style
  }

  /// What a chat completion shows.
  func inChat(_ fields: HeaderFields) throws(APIError) -> AnswerParagraphs.Shown {
    let activity = try activity(fields)
    guard activity != .mcp else {
      throw .invalid(
        "Chat completions have no calls of MCP tools: '\(Self.activityField)' must be 'reasoning' or 'none'.",
        param: Self.activityField)
    }
    return AnswerParagraphs.Shown(tools: activity == .reasoning)
  }

  private func activity(_ fields: HeaderFields) throws(APIError) -> ResponseStyle.Activity {
    guard let name = fields[Self.activityField], !name.isEmpty else { return standard }
    guard let activity = ResponseStyle.Activity(rawValue: name.lowercased()) else {
      throw .invalid(
        "The header '\(Self.activityField)' must be 'reasoning', 'mcp' or 'none'.", param: Self.activityField)
    }
    return activity
  }
}
