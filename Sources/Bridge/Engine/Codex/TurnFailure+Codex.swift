// The engine's error objects to `TurnFailure`. Pure.

extension TurnFailure {
  /// Reads `{"message":…,"codexErrorInfo":"name" | {"name":{"httpStatusCode":N}},"additionalDetails":…}`.
  /// Unknown shapes keep their message.
  init(codexError error: JSONValue?) {
    var name = "other"
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
      isRefusedRequest: upstream != nil && name == "other"
    )
  }

  /// The engine has ended a turn and not said how, or in a word that is not known.
  static func unknownStatus(_ status: String?) -> TurnFailure {
    TurnFailure(
      name: "unknown_turn_status", upstreamStatus: nil,
      message: status.map { "Codex ended the turn as “\($0.prefix(40))”, which the bridge does not know." }
        ?? "Codex ended the turn without saying how.",
      upstreamCode: nil)
  }

  /// An answer in a certain shape was asked for, and another came.
  static let schemaMismatch = TurnFailure(
    name: "schema_mismatch", upstreamStatus: nil,
    message: "The model gave no final message, and its commentary does not fit the schema of the request.",
    upstreamCode: nil)

  /// A refusal of the model provider comes as its raw JSON body in the message.
  private static func upstreamError(in message: String) -> (message: String, code: String?)? {
    guard let start = message.firstIndex(of: "{"), let body = try? JSONValue(parsing: String(message[start...]))
    else {
      return nil
    }
    // OpenAI's API says `error.message`, the backend of ChatGPT logins `detail`.
    guard let text = body["error"]?["message"]?.stringValue ?? body["detail"]?.stringValue else { return nil }
    return (text, body["error"]?["code"]?.stringValue)
  }
}
