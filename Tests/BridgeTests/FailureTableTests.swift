// Every failure against the contract's table of errors.

import Testing

@testable import Bridge

struct FailureTableTests {
  private func field(_ name: String, of error: APIError) -> String? {
    error.response.fields.value(name)
  }

  private static let failure = TurnFailure(
    name: "somethingOfCodex", upstreamStatus: nil, message: "It broke.", upstreamCode: nil)

  private static let engineErrors: [EngineError] = [
    .unavailable(.starting), .unavailable(.missing(program: "codex")),
    .unavailable(.notExecutable(program: "codex")),
    .unavailable(.tooOld(version: "0.1.0", required: "0.150.0")), .unavailable(.notLoggedIn),
    .unavailable(.failing(detail: "d")), .unavailable(.draining), .threadNotFound(ThreadID("t")), .rejected("no"),
    .overloaded, .turnFailed(failure), .crashed, .timedOut(after: .seconds(60), isSilence: true),
    .timedOut(after: .seconds(60), isSilence: false), .unresponsive, .cancelled,
  ]

  @Test(
    arguments: [
      (.unavailable(.starting), 503, "codex_unavailable", "starting"),
      (.unavailable(.missing(program: "codex")), 503, "codex_unavailable", "codex_missing"),
      (.unavailable(.notLoggedIn), 503, "codex_unavailable", "not_logged_in"),
      (.unavailable(.draining), 503, "codex_unavailable", "draining"),
      (.turnFailed(failure), 502, "codex_error", "somethingOfCodex"),
      (.crashed, 502, "codex_error", "codex_crashed"),
      (.timedOut(after: .seconds(60), isSilence: true), 504, "codex_error", "turn_timeout"),
      (.timedOut(after: .seconds(60), isSilence: false), 504, "codex_error", "turn_timeout"),
    ] as [(EngineError, Int, String, String)])
  func tellsEngineErrors(_ error: EngineError, _ status: Int, _ type: String, _ code: String) {
    for hasStarted in [false, true] {
      let told = APIError(error, hasStarted: hasStarted)
      #expect(told.status == status)
      #expect(told.type == type)
      #expect(told.code == code)
    }
  }

  /// Agents act on files: a turn that has begun must not be begun again by a client's own retry.
  @Test(arguments: engineErrors)
  func nothingThatHasStartedMayBeRetried(_ error: EngineError) {
    let told = APIError(error, hasStarted: true)
    #expect(told.mayRetry == false)
    #expect(field("x-should-retry", of: told) == "false")
  }

  @Test(arguments: [
    EngineError.unavailable(.starting), .unavailable(.notLoggedIn), .unavailable(.draining), .overloaded,
  ])
  func whatIsNotReadyMayBeRetried(_ error: EngineError) throws {
    let told = APIError(error, hasStarted: false)
    #expect(field("x-should-retry", of: told) == "true")
    let seconds = try #require(field("retry-after", of: told).flatMap { Int($0) })
    #expect((1...120).contains(seconds))
  }

  @Test func saysWhatToRun() {
    #expect(APIError(.unavailable(.notLoggedIn), hasStarted: false).message.contains("codex login"))
    let missing = APIError(.unavailable(.missing(program: "/x/codex")), hasStarted: false).message
    // The wheel brings no program for PATH, so its name alone would not help.
    for advice in ["/x/codex", "npm install -g @openai/codex", "CODEX_BIN", "codex_cli_bin/bin/codex"] {
      #expect(missing.contains(advice))
    }
    #expect(
      APIError(.unavailable(.tooOld(version: "0.1.0", required: "0.150.0")), hasStarted: false).message.contains(
        "0.150.0"))
  }

  @Test func namesTheSettingOfATimeout() {
    let whole = APIError(.timedOut(after: .seconds(60), isSilence: false), hasStarted: true).message
    #expect(whole.contains("CODEX_TURN_TIMEOUT"))
    #expect(whole.contains(" 1m "))
    #expect(
      APIError(.timedOut(after: .seconds(60), isSilence: true), hasStarted: true).message.contains(
        "CODEX_TURN_IDLE_TIMEOUT"))
  }

  @Test(
    arguments: [
      (.badRequest("x"), 400, "bad_request"), (.bodyTooLarge, 413, "request_too_large"),
      (.headTooLarge, 431, "headers_too_large"),
      (.uriTooLong, 414, "uri_too_long"), (.expectationFailed, 417, "expectation_failed"),
      (.unsupportedTransferCoding, 501, "unsupported_transfer_coding"),
      (.unsupportedVersion, 505, "unsupported_http_version"),
      (.requestTimeout, 408, "request_timeout"), (.clientGone, 400, "bad_request"),
      (.noAnswer, 500, "internal_error"),
    ] as [(HTTPError, Int, String)])
  func tellsHTTPErrors(_ error: HTTPError, _ status: Int, _ code: String) {
    let told = APIError(error)
    #expect(told.status == status)
    #expect(told.code == code)
    #expect(!told.message.isEmpty)
  }

  @Test func namesTheSettingOfTheBodyLimit() {
    #expect(APIError(.bodyTooLarge).message.contains("CODEX_JSON_LIMIT"))
  }

  @Test(arguments: [false, true])
  func aFullQueueMayBeRetried(_ isSession: Bool) {
    let told = APIError.queueFull(isSession: isSession, retryAfter: 7)
    #expect(told.status == 429)
    #expect(told.code == "rate_limit_exceeded")
    #expect(field("retry-after", of: told) != nil)
    #expect(field("x-should-retry", of: told) == "true")
    #expect(told.message.contains(isSession ? "CODEX_SESSION_QUEUE" : "CODEX_MAX_QUEUE"))
  }

  @Test(arguments: [false, true])
  func aWrongKeyIsA401(_ isMissing: Bool) {
    let told = APIError.wrongKey(isMissing: isMissing)
    // LiteLLM and aider know it by these words.
    #expect(told.message.hasPrefix("Incorrect API key provided"))
    #expect(told.status == 401)
    #expect(told.type == "invalid_request_error")
    #expect(told.code == "invalid_api_key")
    #expect(field("www-authenticate", of: told) != nil)
  }

  @Test func aUsageLimitSaysWhenItIsLifted() throws {
    var failure = TurnFailure(name: "usageLimitExceeded", upstreamStatus: nil, message: "m", upstreamCode: nil)
    failure.resetsAt = unixTime() + 7200
    let told = APIError(.turnFailed(failure), hasStarted: true)
    #expect(told.status == 429)
    #expect(told.type == "insufficient_quota")
    #expect(told.code == "insufficient_quota")
    let seconds = try #require(field("retry-after", of: told).flatMap { Int($0) })
    #expect((7190...7200).contains(seconds))
    for past in [unixTime() - 100, 0, -1, .min] {
      failure.resetsAt = past
      #expect(field("retry-after", of: APIError(failure)) == "1")
    }
  }

  @Test func aLimitAlwaysSaysWhenToComeBack() {
    for name in ["usageLimitExceeded", "rateLimitExceeded", "sessionBudgetExceeded"] {
      let failure = TurnFailure(name: name, upstreamStatus: nil, message: "m", upstreamCode: nil)
      #expect(field("retry-after", of: APIError(failure)) != nil)
    }
  }

  @Test(arguments: engineErrors)
  func everyBodyHasAllFourMembers(_ error: EngineError) throws {
    let response = APIError(error, hasStarted: true).response
    let body = try JSONValue(parsing: response.body)
    #expect(body["error"]?.objectValue?.members.map(\.key) == ["message", "type", "param", "code"])
    #expect(body["error"]?["message"]?.stringValue?.isEmpty == false)
    #expect(response.fields.value("content-type") == "application/json")
  }

  @Test func invalidRequestsNameTheirParameter() throws {
    let response = APIError.invalid("Wrong.", param: "messages[0]", code: "x").response
    #expect(response.status == 400)
    #expect(
      try JSONValue(parsing: response.body) == [
        "error": ["message": "Wrong.", "type": "invalid_request_error", "param": "messages[0]", "code": "x"]
      ])
  }
}
