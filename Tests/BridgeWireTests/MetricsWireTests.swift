// GET /metrics, read as strictly as the text exposition format 0.0.4 of Prometheus is written.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

private typealias Server = GatewayServer

/// One reading of the metrics, and what is wrong with its form.
private struct Exposition {
  struct Sample {
    let name: String
    let labels: [String: String]
    let value: Double
  }

  private(set) var types: [String: String] = [:]
  private(set) var samples: [Sample] = []
  private(set) var problems: [String] = []
  private var helped: Set<String> = []
  private var seen: Set<String> = []
  private var family = ""

  init(_ text: String) {
    if !text.hasSuffix("\n") { problems.append("the last line does not end") }
    // By bytes: to Swift the end of a line can be one character with what stands beside it.
    for line in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
      read(String(decoding: line, as: UTF8.self))
    }
    checkHistograms()
  }

  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    samples.first { $0.name == name && $0.labels == labels }?.value
  }

  private mutating func read(_ line: String) {
    let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
    if line.hasPrefix("# HELP ") {
      family = words.count == 4 && !words[3].isEmpty ? words[2] : ""
      if family.isEmpty || !helped.insert(family).inserted { problems.append("help: \(line)") }
    } else if line.hasPrefix("# TYPE ") {
      let known = ["counter", "gauge", "histogram"]
      if words.count != 4 || words[2] != family || !known.contains(words[3]) || types[family] != nil {
        problems.append("type: \(line)")
      }
      types[family] = words.last
      if (words.last == "counter") != family.hasSuffix("_total") { problems.append("a counter's name: \(line)") }
    } else {
      readSample(line)
    }
  }

  private mutating func readSample(_ line: String) {
    let sample = /([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?s:.*))\})? (\S+)/.matchingSemantics(.unicodeScalar)
    guard let match = line.wholeMatch(of: sample),
      let value = Double(match.3), let labels = Self.labels(String(match.2 ?? ""))
    else {
      problems.append("neither comment nor sample: \(line)")
      return
    }
    let name = String(match.1)
    let names = types[family] == "histogram" ? ["_bucket", "_sum", "_count"].map { family + $0 } : [family]
    if !names.contains(name) { problems.append("\(name) among the samples of \(family)") }
    let series = name + labels.sorted { $0.key < $1.key }.map { ",\($0)=\($1)" }.joined()
    if !seen.insert(series).inserted { problems.append("a second \(series)") }
    samples.append(Sample(name: name, labels: labels, value: value))
  }

  /// `name="value",…` with the value's escapes undone; nil if it is anything else.
  private static func labels(_ text: String) -> [String: String]? {
    let pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.matchingSemantics(.unicodeScalar)
    let escape = /\\(.)/.matchingSemantics(.unicodeScalar)
    var result: [String: String] = [:]
    var rest = text[...]
    while !rest.isEmpty {
      guard let match = rest.prefixMatch(of: pair), result[String(match.1)] == nil else { return nil }
      result[String(match.1)] = String(match.2.replacing(escape) { $0.1 == "n" ? "\n" : String($0.1) })
      rest = rest[match.range.upperBound...]
    }
    return result
  }

  private mutating func checkHistograms() {
    for (name, type) in types where type == "histogram" {
      let buckets = samples.filter { $0.name == "\(name)_bucket" }
      // Those with the same labels but for the bound are one distribution.
      for (labels, buckets) in Dictionary(grouping: buckets, by: { $0.labels.filter { $0.key != "le" } }) {
        let bounds = buckets.compactMap { $0.labels["le"].flatMap(Double.init) }
        let counts = buckets.map(\.value)
        if bounds.count != buckets.count || bounds.last != .infinity || bounds != bounds.sorted()
          || counts != counts.sorted() || counts.last != value("\(name)_count", labels)
          || value("\(name)_sum", labels) == nil
        {
          problems.append("the histogram \(name) \(labels)")
        }
      }
    }
  }
}

@Suite(.onLoop)
struct MetricsWireTests {
  @LoopActor
  private static func metrics(of server: GatewayServer) async throws -> Exposition {
    let response = try await server.exchange(Server.request("GET", "/metrics"))
    #expect(response.status == 200)
    #expect(response.field("content-type") == "text/plain; version=0.0.4; charset=utf-8")
    let metrics = Exposition(response.body)
    #expect(metrics.problems == [])
    return metrics
  }

  @Test @LoopActor
  func theFormIsRightBeforeAnythingHasHappened() async throws {
    try await GatewayServer.run { server in
      let metrics = try await Self.metrics(of: server)
      #expect(metrics.types.count > 15)
      #expect(metrics.value("codexbridge_engine_ready") == 1)
      #expect(metrics.value("codexbridge_turn_duration_seconds_count") == 0)
    }
  }

  @Test @LoopActor
  func turnsTokensAndRequestsAreCounted() async throws {
    try await GatewayServer.run { server in
      server.engine.script = {
        $0.answer(["a"], usage: TokenUsage(input: 7, cachedInput: 3, output: 2, reasoningOutput: 1))
      }
      for _ in 0..<3 { #expect(await server.status(Server.chat()) == 200) }
      server.engine.script = { $0.events.push(.ended(.failed(.crashed))) }
      #expect(await server.status(Server.chat()) == 502)
      let metrics = try await Self.metrics(of: server)
      #expect(metrics.value("codexbridge_turns_total", ["outcome": "completed"]) == 3)
      #expect(metrics.value("codexbridge_turns_total", ["outcome": "codex_crashed"]) == 1)
      #expect(metrics.value("codexbridge_turn_duration_seconds_count") == 4)
      #expect(metrics.value("codexbridge_time_to_first_token_seconds_count") == 3)
      for (kind, count) in [("input", 21.0), ("cached_input", 9), ("output", 6), ("reasoning", 3)] {
        #expect(metrics.value("codexbridge_tokens_total", ["kind": kind]) == count, "\(kind)")
      }
      let route = "/chat/completions"
      #expect(metrics.value("codexbridge_http_requests_total", ["route": route, "status": "200"]) == 3)
      #expect(metrics.value("codexbridge_http_requests_total", ["route": route, "status": "502"]) == 1)
    }
  }

  /// By the model that answers, without its effort, and by the place of the key; nothing of the key itself is told.
  @Test @LoopActor
  func turnsAreCountedByModelAndKey() async throws {
    let keys = ["first-secret", "second-secret"]
    try await GatewayServer.run(["CODEX_BRIDGE_API_KEY": keys.joined(separator: ",")]) { server in
      let usage = TokenUsage(input: 7, cachedInput: 3, output: 2, reasoningOutput: 1)
      server.engine.script = { $0.answer(["a"], usage: usage) }
      #expect(await server.status(Server.chat(key: keys[0])) == 200)
      let model = try #require(server.engine.started.first?.request.model ?? server.engine.catalog.defaultModel)
      #expect(await server.status(Server.chat(more: ",\"model\":\"\(model)\"", key: keys[1])) == 200)
      server.engine.script = { $0.events.push(.ended(.failed(.crashed))) }
      #expect(await server.status(Server.chat(key: keys[1])) == 502)
      let response = try await server.exchange(Server.request("GET", "/metrics", key: keys[0]))
      #expect(!response.body.contains("secret"))
      let metrics = Exposition(response.body)
      #expect(metrics.problems == [])
      for (key, result, count) in [("1", "completed", 1.0), ("2", "completed", 1), ("2", "failed", 1)] {
        let labels = ["model": model, "key": key, "result": result]
        #expect(metrics.value("codexbridge_usage_turns_total", labels) == count, "\(labels)")
      }
      for key in ["1", "2"] {
        let labels = ["model": model, "key": key]
        #expect(metrics.value("codexbridge_usage_time_to_first_token_seconds_count", labels) == 1)
        #expect(metrics.value("codexbridge_usage_tokens_total", labels.merging(["kind": "input"]) { $1 }) == 7)
      }
      // The families without these labels are what they were.
      #expect(metrics.value("codexbridge_turns_total", ["outcome": "completed"]) == 2)
      let turns = metrics.samples.filter { $0.name == "codexbridge_usage_turns_total" }
      #expect(turns.reduce(0) { $0 + $1.value } == 3)
    }
  }

  @Test(arguments: [(true, true), (true, false), (false, false)]) @LoopActor
  func aClientThatHasLeftIsNoFailureOfTheEngine(_ isStream: Bool, hasBegun: Bool) async throws {
    try await GatewayServer.run(["CODEX_RETRY_GRACE": "0"]) { server in
      let client = try await server.connect()
      client.send(Server.chat(stream: isStream))
      let turn = try await server.turn(1)
      if hasBegun {
        turn.events.push(.began)
        await client.wait { $0.contains("assistant") }
      }
      client.close()
      #expect(await eventually { server.connectionCount == 0 })
      let metrics = try await Self.metrics(of: server)
      #expect(metrics.value("codexbridge_turns_total", ["outcome": "cancelled"]) == 1)
      let requests = metrics.samples.filter { $0.labels["route"] == "/chat/completions" }
      #expect(requests.map { $0.labels["status"] } == [hasBegun ? "200" : "499"])
    }
  }

  /// Paths are the client's to choose: if they were labels, a client could fill the memory of whoever reads this.
  @Test @LoopActor
  func whatClientsChooseIsNoLabel() async throws {
    try await GatewayServer.run { server in
      for number in 0..<20 {
        for path in ["/v1/models/x\(number)", "/v1/sessions/%22%0A\(number)", "/nowhere/\(number)"] {
          #expect(await server.status(Server.request("GET", path)) == 404)
        }
      }
      let requests = try await Self.metrics(of: server).samples.filter {
        $0.name == "codexbridge_http_requests_total"
      }
      #expect(Set(requests.compactMap { $0.labels["route"] }) == ["/models/*", "/sessions/*", "other"])
    }
  }

  /// Names of failures come from Codex, which may say anything.
  @Test @LoopActor
  func aHostileOutcomeCannotBreakTheForm() async throws {
    let names = ["a\"} 1\nforged 2", "back\\slash", "line\r\nend", "quote\"\u{301}", "\\\u{301}\"", ""]
    try await GatewayServer.run { server in
      for name in names {
        server.engine.script = {
          $0.events.push(
            .ended(
              .failed(.turnFailed(TurnFailure(name: name, upstreamStatus: nil, message: "m", upstreamCode: nil)))))
        }
        #expect(await server.status(Server.chat(fields: ["X-Bridge-Retry: run"])) >= 400)
      }
      let turns = try await Self.metrics(of: server).samples.filter { $0.name == "codexbridge_turns_total" }
      #expect(
        Set(turns.compactMap { $0.labels["outcome"].map { Array($0.utf8) } }) == Set(names.map { Array($0.utf8) }))
    }
  }

  @Test @LoopActor
  func theStateOfTheEngineIsTold() async throws {
    try await GatewayServer.run { server in
      server.engine.unavailability = .notLoggedIn(command: "codex login")
      server.engine.status = EngineStatus(restarts: 2, unknownNotifications: 5)
      let metrics = try await Self.metrics(of: server)
      #expect(metrics.value("codexbridge_engine_ready") == 0)
      #expect(metrics.value("codexbridge_engine_restarts_total") == 2)
      #expect(metrics.value("codexbridge_engine_unknown_notifications_total") == 5)
    }
  }
}
