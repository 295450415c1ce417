// Which conversation a request belongs to, by what its body and its head name.

/// Finds the session that an ask names.
@LoopActor
final class SessionNaming {
  /// Header fields that name a session, in their order; the body comes first.
  private static let fields = ["x-session-id", "session-id", "x-conversation-id", "x-thread-id", "x-user-id"]
  /// What a front end asks for itself beside a conversation (a title, tags, follow-ups), named by its task.
  private static let taskField = "x-bridge-task"
  /// A front end with a template that nobody fills sends it with every request.
  private static let warningInterval = Duration.seconds(60)

  /// What a request says of its session.
  struct Names {
    /// Nil for a request that stands alone.
    var session: SessionKey?
    /// Fields with a template that was not filled in. They count as absent.
    var unfilled: [String] = []
  }

  private let isRequired: Bool
  /// When a field was last warned of. As many as there are names of fields.
  private var warnedAt: [String: Duration] = [:]

  init(configuration: Configuration) { isRequired = configuration[Settings.requireSessionID] }

  /// The session that a request names, if any. Throws what is wrong with an id.
  func names(of ask: Ask, _ request: Request) throws(APIError) -> Names {
    var names = Names(unfilled: ask.unfilledSessionFields)
    let fields = request.head.fields
    let isTask = try Self.value(of: Self.taskField, in: fields, &names) != nil
    let id = try Self.id(ask, fields, &names)
    for field in names.unfilled { warn(field) }
    // A task bears its conversation's id and is no part of it.
    if isTask { return names }
    guard let id else {
      if isRequired { throw Self.missing(names) }
      return names
    }
    if !SessionID.isOneOff(id) {
      names.session = SessionKey(owner: request.principal, id: id, profile: request.profile)
    }
    return names
  }

  private static func id(
    _ ask: Ask, _ fields: HeaderFields, _ names: inout Names
  ) throws(APIError) -> String? {
    if let session = ask.session { return session.id }
    for field in Self.fields {
      if let id = try value(of: field, in: fields, &names) { return try SessionID.checked(id, field: field) }
    }
    return nil
  }

  /// The value of a header field; nil where there is none, be it that a template's value is empty or not filled in.
  private static func value(
    of field: String, in fields: HeaderFields, _ names: inout Names
  ) throws(APIError) -> String? {
    guard let range = fields.range(of: field), !range.isEmpty else { return nil }
    guard let value = fields.bytes.span.extracting(range).text else { throw SessionID.notUTF8(field) }
    guard SessionID.isUnfilled(value) else { return value }
    names.unfilled.append(field)
    return nil
  }

  private func warn(_ field: String) {
    if let last = warnedAt[field], Loop.now - last < Self.warningInterval { return }
    warnedAt[field] = Loop.now
    Log.warning(
      "a client sends a template that was not filled in; it counts as absent", ["field": field])
  }

  private static func missing(_ names: Names) -> APIError {
    let unfilled = names.unfilled.first.map { " '\($0)' holds a template that was not filled in." } ?? ""
    return .invalid(
      "A session id is required: send 'session_id' in the body or an 'x-session-id' header." + unfilled,
      param: "session_id",
      code: "missing_session_id"
    )
  }
}
