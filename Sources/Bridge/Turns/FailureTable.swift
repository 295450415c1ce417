// The table that gives every failure its status, its OpenAI type and code, and whether the request may be repeated. It is
// in two files: failures of things that were tried are here, refusals before anything was tried are in
// RefusalTable.swift.

extension APIError {
  /// A refusal by the HTTP layer.
  init(_ error: HTTPError) {
    let code: String =
      switch error {
      case .badRequest, .clientGone: "bad_request"
      case .bodyTooLarge: "request_too_large"
      case .uriTooLong: "uri_too_long"
      case .headTooLarge: "headers_too_large"
      case .expectationFailed: "expectation_failed"
      case .unsupportedTransferCoding: "unsupported_transfer_coding"
      case .unsupportedVersion: "unsupported_http_version"
      case .requestTimeout: "request_timeout"
      case .tooManyConnections: "too_many_connections"
      case .tooMuchContent: "overloaded"
      case .noAnswer: "internal_error"
      }
    let message =
      error == .bodyTooLarge
      ? "The request body is larger than \(Settings.bodyLimit.name) allows; raise that setting of the bridge."
      : error.message
    self.init(status: error.status, code: code, message: message, mayRetry: false)
    switch error {
    case .noAnswer: type = "server_error"
    case .tooManyConnections, .tooMuchContent:
      type = "server_error"
      retryAfter = 1
      mayRetry = true
    case .badRequest, .bodyTooLarge, .uriTooLong, .headTooLarge, .expectationFailed, .unsupportedTransferCoding,
      .unsupportedVersion, .requestTimeout, .clientGone:
      break
    }
  }

  /// A request for a WebSocket that cannot be answered with one.
  init(_ refusal: WebSocketHandshake.Refusal) {
    self.init(
      status: refusal.status, code: refusal.needsUpgrade ? "upgrade_required" : "bad_request",
      message: refusal.message, mayRetry: false)
  }

  /// A failure of the engine. `hasStarted` tells whether the turn was accepted. Such a turn may have changed something
  /// already, so clients must not repeat it by themselves.
  init(_ error: EngineError, hasStarted: Bool) {
    switch error {
    case .unavailable(let reason):
      self.init(
        status: 503, type: "codex_unavailable", code: reason.code, message: reason.message,
        retryAfter: hasStarted ? nil : 1, mayRetry: !hasStarted)
    case .overloaded:
      self.init(
        status: 503, type: "codex_unavailable", code: "overloaded", message: "Codex is too busy; try again.",
        retryAfter: hasStarted ? nil : 1, mayRetry: !hasStarted)
    case .threadNotFound(let thread):
      self.init(
        status: 502, type: "codex_error", code: "thread_not_found",
        message: "Codex does not know the thread \(thread).", mayRetry: !hasStarted)
    case .rejected(let message):
      self.init(
        status: 502, type: "codex_error", code: "rejected",
        message: "Codex refused: \(message.withoutDirectories)",
        mayRetry: false)
    case .turnFailed(let failure): self.init(failure)
    case .crashed:
      self.init(
        status: 502, type: "codex_error", code: "codex_crashed",
        message: "The Codex process ended while it worked on this request. It is being restarted.",
        mayRetry: false)
    case .timedOut(let limit, let isSilence):
      let time = SettingSyntax.duration.text(limit)
      let what = isSilence ? "Codex made no progress for \(time)" : "The turn took longer than \(time)"
      let setting = isSilence ? Settings.turnIdleTimeout.name : Settings.turnTimeout.name
      self.init(
        status: 504, type: "codex_error", code: "turn_timeout",
        message: "\(what) (\(setting)) and was interrupted.", mayRetry: false)
    case .providerUnreachable(let detail, let limit, let hasActed):
      self.init(
        status: 503, type: "codex_error", code: "provider_unreachable",
        message: "Codex could not reach the model provider for \(SettingSyntax.duration.text(limit)) "
          + "(\(Settings.providerWait.name)): \(detail)",
        retryAfter: hasActed ? nil : Self.unreachableRetrySeconds, mayRetry: !hasActed)
    case .unresponsive:
      self.init(
        status: 504, type: "codex_error", code: "codex_unresponsive", message: "Codex did not answer in time.",
        mayRetry: false)
    case .forbidden(let refusal):
      self.init(
        status: 403, code: "profile_not_allowed", message: "This key may not have \(refusal).", mayRetry: false)
    case .cancelled:
      // The client has left and does not see this. In logs and metrics 499 is known for that case (nginx introduced it).
      self.init(status: 499, code: "cancelled", message: "The client left.", mayRetry: false)
    }
  }

  /// A turn that ran and failed.
  init(_ failure: TurnFailure) {
    let (status, code) = Self.statusAndCode(failure)
    let isLimit = ["insufficient_quota", "rate_limit_exceeded"].contains(code)
    let isRequest = ["context_length_exceeded", "invalid_prompt"].contains(code)
    self.init(
      status: status,
      type: isLimit ? code : isRequest ? "invalid_request_error" : "codex_error",
      code: code,
      message: code == "context_length_exceeded" ? Self.contextMessage(failure.message) : failure.message,
      mayRetry: false
    )
    if status == 429 {
      retryAfter = failure.resetsAt.map { max(1, max(0, $0) - unixTime()) } ?? Self.unknownResetSeconds
    }
  }

  /// Clients recognise a conversation that is too long by these words, and send less of it then.
  private static let contextWords = "maximum context length"

  private static func contextMessage(_ reason: String) -> String {
    reason.contains(contextWords) ? reason : "This model's \(contextWords) is exceeded. \(reason)"
  }

  /// When clients may try again after the model provider could not be reached for a minute. It is seldom back within a
  /// second.
  private static let unreachableRetrySeconds = 5

  /// When clients may try again after a usage limit of which it is not known when it ends.
  private static let unknownResetSeconds = 60

  private static func statusAndCode(_ failure: TurnFailure) -> (Int, String) {
    switch failure.kind {
    case .usageLimit, .sessionBudget: (429, "insufficient_quota")
    case .rateLimit: (429, "rate_limit_exceeded")
    case .contextTooLong: (400, "context_length_exceeded")
    case .invalidPrompt: (400, "invalid_prompt")
    case .refused(let code): (400, code ?? "bad_request")
    case .badRequest: (400, failure.name)
    case .notFound: (404, failure.name)
    case .requestTooLarge: (413, failure.name)
    case .overloaded: (503, failure.name)
    case .providerSilent: (504, "turn_timeout")
    case .outputLimit, .unauthorized, .streamCut, .interrupted, .schemaMismatch, .unknown: (502, failure.name)
    }
  }

  /// The error as a response.
  var response: Response {
    var fields: ResponseFields = [:]
    if let retryAfter { fields.append("Retry-After", String(retryAfter)) }
    if let mayRetry { fields.append("x-should-retry", mayRetry ? "true" : "false") }
    if status == 415 { fields.append("Accept-Encoding", "identity") }
    if status == 401 { fields.append("WWW-Authenticate", "Bearer") }
    return .json(body, status: status, fields: fields)
  }
}

extension APIError {
  init(_ error: ImageError) { self = error.failure.apiError(error.field ?? "messages") }
}

extension ImageFailure {
  /// When clients may try again. The images that take the places are mostly done by then.
  private static let retrySeconds = 2

  /// The error for an image. `path` names its message and part.
  fileprivate func apiError(_ path: String) -> APIError {
    switch self {
    case .refused(let reason): .invalid("The image cannot be used: \(reason).", param: path, code: "invalid_image")
    case .overloaded: APIError(.tooMuchContent)
    case .moreThan(let limit): .invalid("A request may carry at most \(limit) images.", param: path)
    case .abandoned: APIError(.cancelled, hasStarted: false)
    case .noPlace:
      APIError(
        status: 429,
        type: "rate_limit_exceeded",
        code: "rate_limit_exceeded",
        message: "Too many images are being fetched or unpacked; try again.",
        retryAfter: Self.retrySeconds,
        mayRetry: true
      )
    case .tooMany:
      APIError(
        status: 413,
        code: "images_too_large",
        param: path,
        message: "The images of the request are together larger than four times \(Settings.imageLimit.name).",
        mayRetry: false
      )
    case .tooLarge:
      APIError(
        status: 413,
        code: "image_too_large",
        param: path,
        message: "The image is larger than \(Settings.imageLimit.name) allows; raise that setting of the bridge.",
        mayRetry: false
      )
    }
  }
}
