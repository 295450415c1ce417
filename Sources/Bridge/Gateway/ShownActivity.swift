// What a request wants to see of what goes on beside the answer. Pure.

/// Chooses what is shown: by the request's header fields, else by the settings.
struct ShownActivity: Sendable {
  /// The header field that says how commands, changes of files, searches and tools are told.
  private static let activityField = "x-bridge-activity"
  /// The header field that says whether what the model says about its work is `reasoning` or a `message` (of responses only).
  private static let commentaryField = "x-bridge-commentary"

  /// How they can be told.
  private enum Form: String {
    /// Among the model's thoughts, which every client knows.
    case reasoning
    /// As calls of an MCP server, in responses.
    case mcp
    /// As objects apart from the model's thoughts, in chat completions.
    case items
    case none
  }

  private let standard: Form

  init(_ configuration: Configuration) {
    standard = configuration[Settings.showActivity] ? .reasoning : .none
  }

  /// What a response shows.
  func style(_ fields: HeaderFields) throws(APIError) -> ResponseStyle {
    var style = ResponseStyle()
    switch try form(fields) {
    case .reasoning: style.activity = .reasoning
    case .mcp: style.activity = .mcp
    case .none: style.activity = .none
    case .items:
      throw Self.unknown("Responses have no items of this form", allowed: "'reasoning', 'mcp' or 'none'")
    }
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
    switch try form(fields) {
    case .reasoning: AnswerParagraphs.Shown(tools: true)
    case .none: AnswerParagraphs.Shown(tools: false)
    case .items: AnswerParagraphs.Shown(tools: true, asItems: true)
    case .mcp:
      throw Self.unknown(
        "Chat completions have no calls of MCP tools", allowed: "'reasoning', 'items' or 'none'")
    }
  }

  private func form(_ fields: HeaderFields) throws(APIError) -> Form {
    guard let name = fields[Self.activityField], !name.isEmpty else { return standard }
    guard let form = Form(rawValue: name.lowercased()) else {
      throw .invalid(
        "The header '\(Self.activityField)' must be 'reasoning', 'mcp', 'items' or 'none'.",
        param: Self.activityField)
    }
    return form
  }

  private static func unknown(_ reason: String, allowed: String) -> APIError {
    .invalid("\(reason): '\(activityField)' must be \(allowed).", param: activityField)
  }
}
