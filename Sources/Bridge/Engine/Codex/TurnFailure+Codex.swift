// Reads Codex's error objects into `TurnFailure`. Pure.

extension TurnFailure {
  /// Reads `{"message":…,"codexErrorInfo":"name" | {"name":{"httpStatusCode":N}},"additionalDetails":…}`.
  /// An object of another shape becomes a failure of unknown kind that keeps the message.
  init(codexError error: JSONValue?) {
    var name = CodexErrorName.other.rawValue
    var status: Int?
    switch error?["codexErrorInfo"] {
    case .string(let text)?: name = text
    case .object(let object)?:
      if let member = object.members.first {
        name = member.key
        status = member.value["httpStatusCode"]?.intValue
      }
    default: break
    }
    let message = error?["message"]?.stringValue ?? "Codex gave no reason."
    let upstream = Self.upstreamError(in: message)
    self.init(
      name: name,
      upstreamStatus: status,
      message: upstream?.message ?? message,
      upstreamCode: upstream?.code,
      isRefusedRequest: upstream != nil
    )
  }

  /// A failure with Codex's name for it. `upstreamStatus` and `upstreamCode` are those of the model provider.
  /// `isRefusedRequest` tells whether the message is the provider's refusal of the request.
  init(
    name: String,
    upstreamStatus: Int?,
    message: String,
    upstreamCode: String?,
    isRefusedRequest: Bool = false,
    resetsAt: Int? = nil
  ) {
    let kind: Kind =
      if message.contains("reason: max_output_tokens") {
        .outputLimit
      } else if upstreamCode == "context_length_exceeded" {
        .contextTooLong
      } else {
        Self.kind(of: CodexErrorName(rawValue: name), upstreamStatus)
          ?? (name == CodexErrorName.other.rawValue
            ? Self.kind(ofUnnamed: message, refusal: isRefusedRequest ? .refused(code: upstreamCode) : nil)
            : .unknown)
      }
    self.init(kind: kind, name: name, upstreamStatus: upstreamStatus, message: message, resetsAt: resetsAt)
  }

  /// The kind according to the name, or else to the status of the model provider; nil if neither decides it.
  private static func kind(of name: CodexErrorName?, _ upstreamStatus: Int?) -> Kind? {
    switch (name, upstreamStatus) {
    case (.usageLimitExceeded, _): .usageLimit
    case (.sessionBudgetExceeded, _): .sessionBudget
    case (.contextWindowExceeded, _): .contextTooLong
    case (.rateLimitExceeded, _), (_, 429): .rateLimit
    case (.serverOverloaded, _), (.flexUnavailable, _): .overloaded
    case (.cyberPolicy, _), (.misalignmentPolicyViolation, _), (.badRequest, _): .badRequest
    case (_, 404): .notFound
    case (_, 413): .requestTooLarge
    case (.unauthorized, _), (.httpConnectionFailed, 401): .unauthorized
    case (.responseStreamDisconnected, _): .streamCut
    default: nil
    }
  }

  /// The kind of a failure that Codex gives no name. Only the message, which is the provider's, tells what happened.
  private static func kind(ofUnnamed message: String, refusal: Kind?) -> Kind {
    if let refusal { return refusal }
    if message.lowercased().contains("invalid prompt") { return .invalidPrompt }
    return message.contains("idle timeout") ? .providerSilent : .unknown
  }

  /// Whether the model provider does not accept the login (any more).
  var concernsLogin: Bool { kind == .unauthorized || upstreamStatus == 401 }

  /// Codex has ended a turn without a status, or with one that the bridge does not know.
  static func unknownStatus(_ status: String?) -> TurnFailure {
    TurnFailure(
      kind: .unknown, name: "unknown_turn_status",
      message: status.map { "Codex ended the turn as “\($0.prefix(40))”, which the bridge does not know." }
        ?? "Codex ended the turn without saying how.")
  }

  /// Codex takes no such functions.
  static func invalidTools(_ message: String) -> TurnFailure {
    TurnFailure(kind: .badRequest, name: "invalid_tools", message: message)
  }

  /// A call had to be made, and the answer is none.
  static let noCall = TurnFailure(
    kind: .schemaMismatch, name: "schema_mismatch",
    message: "The model had to call a function, and its answer is not the call of one.")

  /// A schema was asked for, there was no final message, and the commentary does not fit the schema.
  static let schemaMismatch = TurnFailure(
    kind: .schemaMismatch, name: "schema_mismatch",
    message: "The model gave no final message, and its commentary does not fit the schema of the request.")

  /// The connection to the model broke after a part of the answer had been sent, which cannot be taken back from a stream.
  static let interruptedStream = TurnFailure(
    kind: .streamCut, name: CodexErrorName.responseStreamDisconnected.rawValue,
    message: "Codex lost its connection to the model after a part of the answer was sent.")

  /// Reads a refusal of the model provider: Codex puts the provider's JSON body into the message.
  private static func upstreamError(in message: String) -> (message: String, code: String?)? {
    guard let start = message.firstIndex(of: "{"), let body = try? JSONValue(parsing: String(message[start...]))
    else {
      return nil
    }
    // OpenAI's API puts the text into `error.message`, the backend of ChatGPT logins into `detail`.
    guard let text = body["error"]?["message"]?.stringValue ?? body["detail"]?.stringValue else { return nil }
    return (text, body["error"]?["code"]?.stringValue)
  }
}
