// Codex's error objects, row by row of what was seen (codex-app-server.md §4.4), to what the client is told.

import Testing

@testable import Bridge

struct TurnFailureTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let error: JSONValue
    let status: Int
    var code: String?
    var message: String?
    var testDescription: String { name }

    init(
      _ name: String, _ info: JSONValue?, _ message: String, _ status: Int, code: String? = nil,
      says: String? = nil
    ) {
      self.name = name
      var error = JSONObject()
      error["message"] = .string(message)
      error["codexErrorInfo"] = info
      error["additionalDetails"] = .null
      self.error = .object(error)
      self.status = status
      self.code = code
      self.message = says
    }
  }

  private static func body(_ error: JSONValue) -> String {
    JSONValue(dictionaryLiteral: ("error", error)).jsonText
  }

  private static func connection(_ status: Int) -> JSONValue {
    ["httpConnectionFailed": ["httpStatusCode": .int(status)]]
  }

  static let rows: [Row] = [
    Row(
      "400 with a code", "other",
      body(["message": "Bad value.", "type": "invalid_request_error", "code": "invalid_value"]),
      400, code: "invalid_value", says: "Bad value."),
    Row(
      "400 without a code", "other",
      body(["message": "Bad value.", "type": "invalid_request_error", "code": nil]), 400,
      says: "Bad value."),
    Row("400 of the ChatGPT backend", "other", "{\"detail\":\"Unsupported parameter\"}", 400),
    Row(
      "400 context_length_exceeded", "other", body(["message": "Too long.", "code": "context_length_exceeded"]),
      400,
      code: "context_length_exceeded", says: "This model's maximum context length is exceeded. Too long."),
    Row(
      "a context error in OpenAI's words", "other",
      body([
        "message": "This model's maximum context length is 8 tokens.", "code": "context_length_exceeded",
      ]),
      400, code: "context_length_exceeded", says: "This model's maximum context length is 8 tokens."),
    Row("401", connection(401), "unexpected status 401 Unauthorized: ", 502),
    Row("403", connection(403), "unexpected status 403 Forbidden: ", 502),
    Row("404", connection(404), "unexpected status 404 Not Found: ", 404),
    Row("413", connection(413), "unexpected status 413 Payload Too Large: ", 413),
    Row(
      "429", ["responseTooManyFailedAttempts": ["httpStatusCode": 429]], "exceeded retry limit, last status: 429",
      429,
      code: "rate_limit_exceeded"),
    Row("usage limit", "usageLimitExceeded", "You've hit your usage limit.", 429, code: "insufficient_quota"),
    Row(
      "500", "internalServerError", "We're currently experiencing high demand.", 502, code: "internalServerError"),
    Row("503 overloaded", "serverOverloaded", "Selected model is at capacity.", 503, code: "serverOverloaded"),
    Row(
      "connection closed", "other", "stream disconnected before completion: error sending request", 502,
      code: "other"),
    Row("idle stream", "other", "stream disconnected before completion: idle timeout waiting for SSE", 504),
    Row(
      "context window", "contextWindowExceeded", "Codex ran out of room in the model's context window.", 400,
      code: "context_length_exceeded",
      says: "This model's maximum context length is exceeded. Codex ran out of room in the model's context window."
    ),
    // Codex drops the provider's code `invalid_prompt`; these are OpenAI's words.
    Row(
      "invalid prompt", "other",
      "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
      400, code: "invalid_prompt"),
    Row("cyber policy", "cyberPolicy", "flagged", 400, code: "cyberPolicy"),
    Row("session budget", "sessionBudgetExceeded", "m", 429, code: "insufficient_quota"),
    Row("rate limit", "rateLimitExceeded", "m", 429, code: "rate_limit_exceeded"),
    Row("no flex capacity", "flexUnavailable", "m", 503),
    Row("bad request", "badRequest", "m", 400),
    Row("unauthorized", "unauthorized", "m", 502, code: "unauthorized"),
    Row("sandbox", "sandboxError", "m", 502, code: "sandboxError"),
    Row("connection failed without status", ["responseStreamConnectionFailed": [:]], "m", 502),
    Row(
      "stream lost", ["responseStreamDisconnected": ["httpStatusCode": nil]], "m", 502,
      code: "responseStreamDisconnected"),
    Row("a name of the future", "quantumFluctuation", "m", 502, code: "quantumFluctuation", says: "m"),
    Row("an object of the future", ["newKind": ["a": [1]]], "m", 502, code: "newKind", says: "m"),
    Row("no kind", nil, "m", 502, says: "m"),
    Row("a kind of null", .some(.null), "m", 502),
    Row("a kind of number", 5, "m", 502),
    Row("an empty object", [:], "m", 502),
  ]

  @Test(arguments: rows)
  func isToldByItsStatus(_ row: Row) {
    let failure = TurnFailure(codexError: row.error)
    let error = APIError(.turnFailed(failure), hasStarted: true)
    #expect(error.status == row.status)
    #expect(error.mayRetry == false)
    #expect(error.code?.isEmpty == false)
    #expect(!error.message.isEmpty)
    if let code = row.code { #expect(error.code == code) }
    if let message = row.message { #expect(error.message == message) }
  }

  @Test(arguments: [nil, .some(.null), "text", [], [:], ["message": 5]] as [JSONValue?])
  func survivesAnyShape(_ error: JSONValue?) {
    let failure = TurnFailure(codexError: error)
    #expect(!failure.message.isEmpty)
    #expect(failure.name == "other")
  }

  @Test func keepsAMessageThatIsNoJSON() {
    let failure = TurnFailure(codexError: ["message": "a {strange} message", "codexErrorInfo": "other"])
    #expect(failure.message == "a {strange} message")
  }

  @Test func readsTheStatusOfTheProvider() {
    #expect(TurnFailure(codexError: ["codexErrorInfo": Self.connection(401)]).upstreamStatus == 401)
    #expect(TurnFailure(codexError: ["codexErrorInfo": "other"]).upstreamStatus == nil)
  }
}
