// Refusals before anything was tried, with their status, OpenAI type and code. This is the second file of the table that
// begins in FailureTable.swift.

// MARK: Host, route, key and body

extension APIError {
  /// A call of the answer before has no output in the request. `field` is where it should be.
  static func missingOutput(of callID: String, field: String = "messages") -> APIError {
    .invalid("No tool output found for function call \(callID.beginning(ofBytes: 100)).", param: field)
  }

  /// A request goes on from what was said in a thread that is not there any more.
  static var threadIsGone: APIError {
    APIError(
      status: 409, code: "thread_gone", message: "The conversation cannot be gone on with: its thread is gone.",
      mayRetry: false)
  }

  var isOfGoneThread: Bool { code == "thread_gone" }

  static func outputWithoutCall(_ callID: String) -> APIError {
    .invalid(
      "No tool call found for function call output with call_id \(callID.beginning(ofBytes: 100)).", param: "input"
    )
  }

  /// Another request has brought the same outputs, and is being answered.
  static var turnGoesOn: APIError {
    APIError(
      status: 409, type: "invalid_request_error", code: "turn_goes_on",
      message: "The turn that these outputs belong to goes on already, for another request that has brought them.",
      mayRetry: false)
  }

  /// What the user says was told to a turn that waits for outputs, which another request has to bring.
  static var turnWaits: APIError {
    APIError(
      status: 409, type: "invalid_request_error", code: "turn_waits",
      message: "The message was told to the running turn, which now waits for the outputs of functions. "
        + "The request that brings them is answered with the rest.",
      mayRetry: false)
  }

  /// The request is repeated by a program that does not know what its first attempt has done.
  static var turnLost: APIError {
    APIError(
      status: 502, type: "codex_error", code: "turn_lost",
      message:
        "The turn that these outputs belong to was lost while it went on, and may have run commands since. "
        + "Send the request again to go on from what is known of it.", mayRetry: false)
  }

  /// A `Host` that is not one of the bridge's names.
  static func hostRefused(_ host: String) -> APIError {
    APIError(
      status: 403,
      code: "host_not_allowed",
      message: "The host '\(host.beginning(ofBytes: 100))' is not one of the bridge's names; add it to "
        + "\(Settings.allowedHosts.name) if it should be.",
      mayRetry: false
    )
  }

  /// A header field that names a profile which there is not.
  static func unknownProfile(_ name: String) -> APIError {
    .invalid(
      "The header 'x-bridge-profile' must be \(ProfileKind.names), not '\(name.beginning(ofBytes: 100))'.",
      param: "x-bridge-profile", code: "unknown_profile")
  }

  static func wrongMethod(_ head: RequestHead) -> APIError {
    APIError(
      status: 405,
      code: "method_not_allowed",
      message: "\(head.method) is not possible on \(head.path.beginning(ofBytes: 100)).",
      mayRetry: false
    )
  }

  /// `advice` is a sentence about what the client can do instead.
  static func unknownPath(_ head: RequestHead, advice: String?) -> APIError {
    APIError(
      status: 404,
      code: "not_found",
      message: "There is nothing at \(head.method) \(head.path.beginning(ofBytes: 100))."
        + (advice.map { " \($0)" } ?? ""),
      mayRetry: false
    )
  }

  static func unsupportedEncoding(_ name: String) -> APIError {
    APIError(
      status: 415,
      code: "unsupported_content_encoding",
      message: "The request body has the encoding “\(name.beginning(ofBytes: 100))”; send it without one.",
      mayRetry: false
    )
  }

  /// The beginning of OpenAI's own message: LiteLLM and aider recognise a wrong key by these words alone.
  private static let wrongKeyWords = "Incorrect API key provided"

  static func wrongKey(isMissing: Bool) -> APIError {
    APIError(
      status: 401,
      code: "invalid_api_key",
      message: "\(wrongKeyWords): "
        + (isMissing
          ? "none was sent. Send one of the bridge's keys as `Authorization: Bearer KEY`."
          : "it is not one of the bridge's keys."),
      mayRetry: false
    )
  }
}

extension APIError {
  /// A request speaks for a user of a front end and does not show that it may.
  static func invalidUserToken(_ message: String) -> APIError {
    APIError(status: 401, code: "invalid_user_token", message: message, mayRetry: false)
  }
}

// MARK: Room and memory

extension APIError {
  /// `retryAfter` in seconds.
  static func queueFull(isSession: Bool, retryAfter: Int) -> APIError {
    APIError(
      status: 429,
      type: "rate_limit_exceeded",
      code: "rate_limit_exceeded",
      message: isSession
        ? "Too many requests wait for this session's running turn (\(Settings.sessionQueue.name))."
        : "Too many requests wait for a turn (\(Settings.maxQueue.name)).",
      retryAfter: retryAfter,
      mayRetry: true
    )
  }

  /// A session that cannot be stored or looked up. `hasStarted` tells whether the turn was accepted.
  init(_ error: RepositoryError, hasStarted: Bool) {
    self.init(
      status: hasStarted ? 500 : 503,
      type: "server_error",
      code: "session_not_saved",
      message: "The session cannot be saved (\(error)), so the conversation could not be continued after a "
        + "restart. Requests without a session id are answered.",
      retryAfter: hasStarted ? nil : 5,
      mayRetry: !hasStarted
    )
  }

  /// A response or a conversation that was to be kept could not be.
  static func notKept(_ what: String) -> APIError {
    APIError(
      status: 500, type: "server_error", code: "\(what)_not_saved",
      message:
        "The \(what) cannot be saved, so it could not be found again. Requests with 'store' false are answered.",
      mayRetry: false)
  }

  /// `limit` is how many dashboards may be open with one key.
  static func tooManyViewers(limit: Int) -> APIError {
    APIError(
      status: 503,
      type: "server_error",
      code: "too_many_viewers",
      message: "\(limit) dashboards of this key are open already; close one.",
      retryAfter: 15,
      mayRetry: true
    )
  }
}

// MARK: Not found

extension APIError {
  /// `isDefault` tells whether the client has named no model. Then the error names no parameter.
  static func modelNotFound(_ name: String, hint: String = "", isDefault: Bool = false) -> APIError {
    APIError(
      status: 404,
      code: "model_not_found",
      param: isDefault ? nil : "model",
      message: "The model '\(name.beginning(ofBytes: 100))' does not exist.\(hint) GET /v1/models lists all.",
      mayRetry: false
    )
  }

  /// The response that a request goes on from is not kept, or is another key's.
  static func previousResponseNotFound(_ id: String) -> APIError {
    .invalid(
      "Previous response with id '\(id.beginning(ofBytes: 100))' not found.", param: "previous_response_id",
      code: "previous_response_not_found")
  }

  static func responseNotFound(_ id: String) -> APIError {
    APIError(status: 404, message: "Response with id '\(id.beginning(ofBytes: 100))' not found.", mayRetry: false)
  }

  static func conversationNotFound(_ id: String) -> APIError {
    APIError(
      status: 404, code: "conversation_not_found",
      message: "Conversation with id '\(id.beginning(ofBytes: 100))' not found.", mayRetry: false)
  }

  static func itemNotFound(_ id: String) -> APIError {
    APIError(
      status: 404, param: "input",
      message:
        "Item with id '\(id.beginning(ofBytes: 100))' not found. Items are not persisted when `store` is set to "
        + "false. Try again with `store` set to true, or remove this item from your input.", mayRetry: false)
  }

  static func sessionNotFound(_ id: String) -> APIError {
    APIError(
      status: 404,
      code: "session_not_found",
      param: "id",
      message: "There is no session '\(id.beginning(ofBytes: 100))'.",
      mayRetry: false
    )
  }

  static func approvalNotFound(_ id: String) -> APIError {
    APIError(
      status: 404,
      code: "approval_not_found",
      param: "id",
      message:
        "There is no open approval '\(id.shortened(toBytes: 100))'; it may have been answered, or its turn has ended.",
      mayRetry: false
    )
  }

  /// No turn runs for the request with this id.
  static func turnNotFound(_ id: String) -> APIError {
    APIError(
      status: 404,
      code: "turn_not_found",
      param: "id",
      message: "No turn of the request '\(id.beginning(ofBytes: 128))' is running.",
      mayRetry: false
    )
  }
}
