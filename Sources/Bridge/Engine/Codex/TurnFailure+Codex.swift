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
