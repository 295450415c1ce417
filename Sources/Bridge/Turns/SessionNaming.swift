// Finds the session that a request belongs to, from the fields of its body and its head.

/// Finds the session that a request names.
@LoopActor
final class SessionNaming {
  /// A place in which a session may be named.
  private enum Source {
    case body(String)
    case header(String)
  }

  /// In this order: what a person has put there on purpose, what front ends and proxies send by themselves, and last the
  /// names of people, who have more conversations than one.
  private static let sources: [Source] = [
    .body("conversation"), .body("session_id"), .body("conversation_id"), .body("thread_id"),
    .header("x-session-id"), .header("session-id"), .header("x-conversation-id"), .header("x-thread-id"),
    // Open WebUI, with ENABLE_FORWARD_USER_INFO_HEADERS.
    .header(SessionUsers.chatField),
    // OpenCode, and what speaks to models like it; Cherry Studio under its presets.
    .header("x-session-affinity"), .header("x-opencode-session"),
    // LiteLLM.
    .header("x-litellm-session-id"), .body("metadata.session_id"),
    .header("x-user-id"), .body("user"),
  ]
  /// What is told as the source of a conversation that was found by its history.
  nonisolated static let foundByHistory = "history"
  /// The header field in which a front end names the message before the one that is answered. One that is there and empty says
  /// that there is none.
  private static let parentField = "x-bridge-parent"
  /// The header field that marks a request which a front end makes for itself (a title, tags, follow-ups). Its value
  /// names the task.
  private static let taskField = "x-bridge-task"
  /// The shortest time between two warnings about a field, because a front end with an unfilled template sends it with
  /// every request.
  private static let warningInterval = Duration.seconds(60)

  /// The session of a request.
  struct Names {
    /// Nil for a request without a session.
    var session: SessionKey?
    /// The field that has named the session.
    var source: String?
    /// The verified user of a front end whom the request speaks for; the session's id has it already.
    var user: String?
    /// Whether the request says that a front end makes it for itself.
    var isTask = false
    /// Whether it may belong to a conversation that its history tells.
    var mayBeFound = false
    /// Whether nothing comes before its first message: its client says so, or is known to send the whole conversation.
    var startsAnew = false
    /// Fields with a template that the client did not fill in. They count as absent.
    var unfilled: [String] = []
  }

  private let isRequired: Bool
  private let users: SessionUsers
  /// When each field was last warned of. It has at most one entry for each field that may name a session.
  private var warnedAt: [String: Duration] = [:]

  init(configuration: Configuration) {
    isRequired = configuration[Settings.requireSessionID]
    users = SessionUsers(configuration: configuration)
  }

  /// The session that a request names, if any. Throws if its id is invalid, if an id is required and missing, or if the user whom
  /// it names is not verified.
  func names(of ask: Ask, _ request: Request) throws(APIError) -> Names {
    var names = Names(unfilled: ask.unfilledSessionFields)
    let fields = request.head.fields
    names.user = try users.user(in: fields)
    names.isTask = try Self.value(of: Self.taskField, in: fields, unfilled: &names.unfilled) != nil || ask.isTask
    let named = try Self.named(ask, in: fields, unfilled: &names.unfilled)
    for field in names.unfilled { warn(about: field) }
    // A task is sent with the id of its conversation but must not become part of it.
    if names.isTask { return names }
    names.startsAnew =
      fields.range(of: Self.parentField)?.isEmpty
      ?? (named?.field == SessionUsers.chatField && SessionUsers.isNamed(in: fields))
    guard let named else {
      // What an answer is kept under is a name, too.
      if isRequired, !ask.isKept { throw Self.missingID(names) }
      names.mayBeFound = ask.keeping != .none
      return names
    }
    if !SessionID.isOneOff(named.id) {
      let id = try users.id(named.id, namedIn: named.field, by: names.user)
      names.session = SessionKey(owner: request.principal, id: id, profile: request.profile)
      names.source = named.field
    }
    return names
  }

  /// The session that a request names; nil if there is none. Adds the fields with unfilled templates to `unfilled`.
  private static func named(
    _ ask: Ask, in fields: HeaderFields, unfilled: inout [String]
  ) throws(APIError) -> Ask.SessionName? {
    for source in sources {
      switch source {
      case .body where ask.sessions.isEmpty: continue
      case .body(let field):
        if let session = ask.sessions.first(where: { $0.field == field }) { return session }
      case .header(let field):
        guard let id = try value(of: field, in: fields, unfilled: &unfilled) else { continue }
        return Ask.SessionName(id: try SessionID.checked(id, field: field), field: field)
      }
    }
    return nil
  }

  /// The value of a header field; nil if the field is absent, empty, or an unfilled template, which is added to `unfilled`.
  private static func value(
    of field: String, in fields: HeaderFields, unfilled: inout [String]
  ) throws(APIError) -> String? {
    guard let range = fields.range(of: field), !range.isEmpty else { return nil }
    guard let value = fields.bytes.span.extracting(range).text else { throw SessionID.notUTF8(field) }
    guard SessionID.isUnfilled(value) else { return value }
    unfilled.append(field)
    return nil
  }

  private func warn(about field: String) {
    if let last = warnedAt[field], Loop.now - last < Self.warningInterval { return }
    warnedAt[field] = Loop.now
    Log.warning(
      "a client sends a template that was not filled in; it counts as absent", ["field": field])
  }

  private static func missingID(_ names: Names) -> APIError {
    let unfilled = names.unfilled.first.map { " '\($0)' holds a template that was not filled in." } ?? ""
    return .invalid(
      "A session id is required: send 'session_id' in the body or an 'x-session-id' header." + unfilled,
      param: "session_id",
      code: "missing_session_id"
    )
  }
}
