// The contract's table of errors: status, type, code, and whether an SDK may repeat the request by itself.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ChatFailureWireTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let error: EngineError
    let status: Int
    let type: String
    let code: String
    var retryAfter: ClosedRange<Int>?
    var testDescription: String { code }
  }

  private static func failed(
    _ name: String, upstream: Int? = nil, code: String? = nil, resetsAt: Int? = nil
  ) -> EngineError {
    .turnFailed(
      TurnFailure(
        name: name, upstreamStatus: upstream, message: "It broke.", upstreamCode: code, resetsAt: resetsAt))
  }

  /// Of turns that have started: none may be repeated by itself.
  static let ends = [
    Case(error: .crashed, status: 502, type: "codex_error", code: "codex_crashed"),
    Case(
      error: .timedOut(after: .seconds(9), isSilence: false), status: 504, type: "codex_error",
      code: "turn_timeout"),
    Case(
      error: .timedOut(after: .seconds(9), isSilence: true), status: 504, type: "codex_error", code: "turn_timeout"
    ),
    Case(error: failed("somethingNew"), status: 502, type: "codex_error", code: "somethingNew"),
    Case(error: failed("other"), status: 502, type: "codex_error", code: "other"),
    Case(
      error: failed("usageLimitExceeded", resetsAt: unixTime() + 3600), status: 429, type: "insufficient_quota",
      code: "insufficient_quota", retryAfter: 1...3600),
    Case(
      error: failed("usageLimitExceeded"), status: 429, type: "insufficient_quota", code: "insufficient_quota",
      retryAfter: 1...86_400),
    Case(
      error: failed("contextWindowExceeded"), status: 400, type: "invalid_request_error",
      code: "context_length_exceeded"),
    Case(
      error: failed("other", code: "context_length_exceeded"), status: 400, type: "invalid_request_error",
      code: "context_length_exceeded"),
  ]

  /// Of turns that were not accepted: these may be repeated.
  static let refusals = [
    Case(
      error: .unavailable(.starting), status: 503, type: "codex_unavailable", code: "starting", retryAfter: 1...60),
    Case(error: .overloaded, status: 503, type: "codex_unavailable", code: "overloaded", retryAfter: 1...60),
  ]

  static let unavailabilities: [(EngineUnavailability, String)] = [
    (.starting, "starting"), (.missing(program: "codex"), "codex_missing"),
    (.notLoggedIn(command: "codex login"), "not_logged_in"),
    (.notExecutable(program: "codex"), "codex_not_executable"),
    (.tooOld(version: "0.1.0", required: "0.150.0"), "codex_too_old"), (.failing(detail: "x"), "codex_failing"),
    (.unresponsive, "codex_unresponsive"),
  ]

  @Test(arguments: ends) @LoopActor
  func aTurnThatFailedIsNotRepeated(_ row: Case) async throws {
    try await GatewayServer.run { server in
      server.engine.script = { $0.events.push(.ended(.failed(row.error))) }
      let response = try await server.exchange(GatewayServer.chat())
      expect(response, row, mayRetry: false)
      // The model was not heard of, so the status is free.
      let streamed = try await server.exchange(GatewayServer.chat(stream: true))
      expect(streamed, row, mayRetry: false)
      server.engine.script = { turn in
        turn.events.push(.began)
        turn.events.push(.ended(.failed(row.error)))
      }
      let begun = try await server.exchange(GatewayServer.chat(stream: true, fields: ["X-Bridge-Retry: run"]))
      #expect(begun.status == 200)
      let events = ChatEvents(begun.body)
      #expect(events.problems == [])
      #expect(events.error?["code"] == .string(row.code))
      #expect(events.error?["type"] == .string(row.type))
    }
  }

  @Test(arguments: refusals) @LoopActor
  func aTurnThatWasNotAcceptedMayBeRepeated(_ row: Case) async throws {
    try await GatewayServer.run { server in
      for isStream in [false, true] {
        server.engine.refusals = [row.error]
        expect(try await server.exchange(GatewayServer.chat(stream: isStream)), row, mayRetry: true)
      }
    }
  }

  @Test @LoopActor
  func aRequestWaitsAMomentForAnEngineThatStarts() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      server.engine.unavailability = .starting
      let client = try await server.connect()
      client.send(GatewayServer.chat())
      await Loop.sleep(.milliseconds(50))
      #expect(client.received.isEmpty)
      server.engine.unavailability = nil
      #expect(await client.responses(1).first?.status == 200)
      client.close()
    }
  }

  @Test(arguments: unavailabilities) @LoopActor
  func readinessAndTurnsTellTheSameReason(_ unavailability: EngineUnavailability, _ code: String) async throws {
    try await GatewayServer.run(paces: Paces(startWait: .zero)) { server in
      server.engine.unavailability = unavailability
      let row = Case(error: .crashed, status: 503, type: "codex_unavailable", code: code, retryAfter: 1...60)
      expect(try await server.exchange(GatewayServer.chat(stream: true)), row, mayRetry: true)
      let ready = try await server.exchange(GatewayServer.request("GET", "/ready", key: nil))
      #expect(ready.status == 503)
      #expect(ready.json["reason"] == .string(code))
      #expect(await server.status(GatewayServer.request("GET", "/health", key: nil)) == 200)
      server.engine.unavailability = nil
      #expect(await server.status(GatewayServer.request("GET", "/ready", key: nil)) == 200)
    }
  }

  /// What Codex said last has paths in it, and whatever its provider said.
  @Test(arguments: [nil, "wrong"]) @LoopActor
  func onlyWhoHasAKeyLearnsWhyNothingIsReady(_ key: String?) async throws {
    try await GatewayServer.run { server in
      server.engine.unavailability = .failing(detail: "/secret/path of the engine")
      let strange = try await server.exchange(GatewayServer.request("GET", "/ready", key: key))
      #expect(strange.status == 503)
      #expect(strange.json["reason"] == "codex_failing")
      #expect(!strange.json.jsonText.contains("secret"))
      let known = try await server.exchange(GatewayServer.request("GET", "/ready"))
      #expect(known.status == 503)
      #expect(known.error("message")?.stringValue?.contains("/secret/path of the engine") == true)
      for name in ["message", "type", "param", "code"] { #expect(strange.error(name) != nil, "\(name)") }
      for name in ["type", "param", "code"] { #expect(strange.error(name) == known.error(name)) }
    }
  }

  /// A rolling restart refuses nobody: who had connected before the end gets an answer, a load balancer goes elsewhere.
  @Test @LoopActor
  func aDrainingBridgeIsNotReadyAndServesWhatWasOnItsWay() async throws {
    try await GatewayServer.run { server in
      server.state.draining()
      server.answerAll(["still here"])
      #expect(await server.status(GatewayServer.chat()) == 200)
      let ready = try await server.exchange(GatewayServer.request("GET", "/ready", key: nil))
      #expect(ready.status == 503)
      #expect(ready.json["reason"] == "draining")
      #expect(await server.status(GatewayServer.request("GET", "/health", key: nil)) == 200)
    }
  }

  // MARK: Requests that are wrong

  static let invalidBodies: [(body: String, param: String?)] = [
    ("", nil), ("{", nil), ("[]", nil), ("null", nil), ("{\"messages\":[{\"role\":\"user\"", nil), ("\u{0}", nil),
    ("{\"messages\":[]}{}", nil), ("{}", "messages"), ("{\"messages\":[]}", "messages"),
    ("{\"messages\":\"hi\"}", "messages"), ("{\"messages\":[1]}", "messages[0]"),
    ("{\"messages\":[{\"content\":\"hi\"}]}", "messages[0].role"),
    ("{\"messages\":[{\"role\":\"robot\",\"content\":\"hi\"}]}", "messages[0].role"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":1}]}", "messages[0].content"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}", "messages[0].content[0].text"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":\"yes\"}", "stream"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"n\":2}", "n"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"logprobs\":true}", "logprobs"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"model\":5}", "model"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stop\":5}", "stop"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"session_id\":5}", "session_id"),
    (
      "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"session_id\":\"\(String(repeating: "a", count: 257))\"}",
      "session_id"
    ),
    (
      "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":\"function\"}]}",
      "tools[0].name"
    ),
    (
      "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{\"type\":\"json_schema\"}}",
      "response_format.json_schema"
    ),
  ]

  @Test(arguments: invalidBodies) @LoopActor
  func aWrongBodyIsA400ThatNamesTheField(_ body: String, _ param: String?) async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let response = try await server.exchange(GatewayServer.chat(body: body))
      #expect(response.status == 400)
      #expect(response.error("type") == "invalid_request_error")
      if let param { #expect(response.error("param") == .string(param)) }
      for key in ["message", "type", "param", "code"] { #expect(response.error(key) != nil) }
      #expect(server.engine.started.isEmpty)
    }
  }

  @Test @LoopActor
  func aBodyAboveTheLimitNamesTheVariable() async throws {
    try await GatewayServer.run(["CODEX_JSON_LIMIT": "1kb"]) { server in
      let response = try await server.exchange(GatewayServer.chat(String(repeating: "a", count: 2000)))
      #expect(response.status == 413)
      #expect(response.error("code") == "request_too_large")
      #expect(response.error("message")?.stringValue?.contains("CODEX_JSON_LIMIT") == true)
    }
  }

  /// The field the client has sent, whichever of them it was.
  @Test(arguments: [
    (#","reasoning_effort":"banana""#, "reasoning_effort"),
    (#","model_reasoning_effort":"banana""#, "model_reasoning_effort"),
    (#","reasoning":{"effort":"banana"}"#, "reasoning.effort"), (#","model":"gpt-test:banana""#, "model"),
  ]) @LoopActor
  func aWrongEffortIsNamedByItsField(_ more: String, _ param: String) async throws {
    try await GatewayServer.run { server in
      let response = try await server.exchange(GatewayServer.chat(more: more))
      #expect(response.status == (param == "model" ? 404 : 400))
      #expect(response.error("param") == .string(param))
    }
  }

  /// A client cannot mend what the bridge's own settings have wrong, so it is told whose they are.
  @Test(arguments: [
    (["CODEX_REASONING": "banana"], 400, "CODEX_REASONING"),
    (["CODEX_MODEL": "gpt-test:banana"], 404, "CODEX_MODEL"),
  ]) @LoopActor
  func aWrongDefaultIsNamedByItsVariable(_ settings: [String: String], _ status: Int, _ name: String) async throws
  {
    try await GatewayServer.run(settings) { server in
      let response = try await server.exchange(GatewayServer.chat())
      #expect(response.status == status)
      #expect(response.error("param") == .null)
      #expect(response.error("message")?.stringValue?.contains(name) == true)
    }
  }

  @Test @LoopActor
  func anUnknownModelIsA404() async throws {
    try await GatewayServer.run { server in
      for model in ["gpt-none", "gpt-test:never"] {
        let response = try await server.exchange(GatewayServer.chat(more: ",\"model\":\"\(model)\""))
        #expect(response.status == 404)
        #expect(response.error("code") == "model_not_found")
      }
    }
  }

  @Test(arguments: [
    ("gzip", 415), ("deflate, gzip", 415), ("br", 415), ("identity", 200), ("Identity", 200), ("", 200),
  ]) @LoopActor
  func anEncodedBodyIsRefusedByName(_ encoding: String, _ status: Int) async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let response = try await server.exchange(GatewayServer.chat(fields: ["Content-Encoding: \(encoding)"]))
      #expect(response.status == status)
      guard status == 415 else { return }
      #expect(response.error("type") == "invalid_request_error")
      #expect(response.error("message")?.stringValue?.contains("“\(encoding)”") == true)
      #expect(response.field("accept-encoding") == "identity")
    }
  }

  @Test @LoopActor
  func strictParametersAreRefused() async throws {
    try await GatewayServer.run(["CODEX_STRICT_PARAMS": "true"]) { server in
      let response = try await server.exchange(GatewayServer.chat(more: #","temperature":1"#))
      #expect(response.status == 400)
      #expect(response.error("param") == "temperature")
    }
  }

  @Test @LoopActor
  func aMissingSessionIDIsNamed() async throws {
    try await GatewayServer.run(["CODEX_REQUIRE_SESSION_ID": "true"]) { server in
      server.answerAll(["a"])
      let response = try await server.exchange(GatewayServer.chat())
      #expect(response.status == 400)
      #expect(response.error("code") == "missing_session_id")
      #expect(await server.status(GatewayServer.chat(fields: ["X-Session-Id: s"])) == 200)
    }
  }

  @LoopActor
  private func expect(_ response: TestResponse, _ row: Case, mayRetry: Bool) {
    #expect(response.status == row.status)
    #expect(response.error("type") == .string(row.type))
    #expect(response.error("code") == .string(row.code))
    #expect(response.error("message")?.stringValue?.isEmpty == false)
    #expect(response.error("param") != nil)
    #expect(response.field("x-should-retry") == (mayRetry ? "true" : "false"))
    let retryAfter = response.field("retry-after").flatMap { Int($0) }
    if let range = row.retryAfter {
      #expect(retryAfter.map { range.contains($0) } == true, "Retry-After: \(retryAfter ?? -1)")
    } else {
      #expect(retryAfter == nil)
    }
  }
}
