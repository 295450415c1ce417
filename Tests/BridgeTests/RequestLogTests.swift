// The latest requests of each key, as the page is told of them.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct RequestLogTests {
  private typealias End = RequestLog.End

  private static func failure(_ message: String, code: String? = "trouble") -> APIError {
    APIError(status: 502, type: "codex_error", code: code, message: message)
  }

  private static func fields(_ fields: (String, String)...) throws -> HeaderFields {
    let lines = fields.map { "\($0): \($1)\r\n" }.joined()
    return try ParsedRequest.head("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n").fields
  }

  @LoopActor
  private static func states(_ log: RequestLog, of owner: Principal = .everybody) -> [String] {
    log.requests(of: owner, limit: 100).map { entry in
      switch entry.stage {
      case .waiting: "\(entry.asked.requestID) waiting"
      case .running: "\(entry.asked.requestID) running"
      case .ended(let end): "\(entry.asked.requestID) \(end.state)"
      }
    }
  }

  @LoopActor
  private static func failures(_ log: RequestLog) -> [End.Failure] {
    log.requests(of: .everybody, limit: 100).compactMap { entry in
      if case .ended(let end) = entry.stage { end.failure } else { nil }
    }
  }

  @Test @LoopActor
  func aRequestWaitsRunsAndEnds() {
    let log = RequestLog()
    let (request, answer) = (Request.test("r"), Answer.test("r", model: "answering"))
    log.add(request, api: "chat", model: "asked", session: "s", source: "session_id")
    #expect(Self.states(log) == ["r waiting"])
    log.began(request, answer)
    #expect(Self.states(log) == ["r running"])
    answer.turn.used(ToolReport(number: 1, use: .command("ls"), progress: .began))
    answer.turn.used(ToolReport(number: 1, use: .command("ls"), progress: .ended(.declined)))
    log.ended(request, answer, .completed, usage: TokenUsage(input: 3, output: 4), nil)
    #expect(Self.states(log) == ["r completed"])
    guard case .ended(let end)? = log.requests(of: .everybody, limit: 1).first?.stage else {
      Issue.record("it has not ended")
      return
    }
    #expect(end.model == "answering" && end.usage?.total == 7 && end.usage != nil)
    #expect(end.steps.kept == [TurnSteps.Step(number: 1, use: .command("ls"), outcome: .declined)])
    #expect(end.failure == nil)
    // A report that comes twice tells nothing new.
    log.ended(request, answer, .failed, usage: nil, Self.failure("late"))
    #expect(Self.states(log) == ["r completed"] && log.count(of: .everybody) == 1)
  }

  @Test @LoopActor
  func theNewestComeFirstAndTheOldestGo() {
    let log = RequestLog()
    for number in 0..<60 {
      log.refused(Request.test("r\(number)"), Self.failure("m\(number)"), isUnwanted: false)
    }
    let running = Request.test("running")
    log.add(running, api: "chat", model: nil, session: nil, source: nil)
    #expect(Self.states(log).count == RequestLog.maxEndedPerKey + 1)
    #expect(Self.states(log).prefix(2) == ["running waiting", "r59 failed"])
    #expect(log.requests(of: .everybody, limit: 3).map(\.asked.requestID) == ["running", "r59", "r58"])
    #expect(Self.failures(log).first == End.Failure(Self.failure("m59")))
    #expect(log.count(of: .everybody) == 60)
    log.refused(running, Self.failure("gone"), isUnwanted: true)
    #expect(Self.states(log).first == "running left")
  }

  @Test @LoopActor
  func theRequestsOfOneKeyDoNotPushOutThoseOfAnother() {
    let log = RequestLog()
    let (hers, his) = (Request.test("hers"), Request.test("his"))
    (hers.principal, his.principal) = (Principal(name: "a"), Principal(name: "b"))
    log.refused(his, Self.failure("his"), isUnwanted: false)
    for _ in 0..<100 { log.refused(hers, Self.failure("hers"), isUnwanted: false) }
    #expect(Self.states(log, of: Principal(name: "b")) == ["his failed"])
    #expect(Self.states(log, of: Principal(name: "a")).count == RequestLog.maxEndedPerKey)
    #expect(Self.states(log).isEmpty && log.clients(of: .everybody).isEmpty)
  }

  @Test @LoopActor
  func aFailureWithoutACodeHasItsType() {
    let log = RequestLog()
    log.refused(Request.test("r"), Self.failure("m", code: nil), isUnwanted: false)
    #expect(Self.failures(log).map(\.code) == ["codex_error"])
  }

  @Test @LoopActor
  func aRefusalThatNobodyHasMissedIsNotKept() {
    let log = RequestLog()
    log.refused(Request.test("r"), Self.failure("m"), isUnwanted: true)
    #expect(Self.states(log).isEmpty)
  }

  @Test @LoopActor
  func aLongMessageIsCut() {
    let log = RequestLog()
    log.refused(Request.test("r"), Self.failure(String(repeating: "x", count: 100_000)), isUnwanted: false)
    #expect(
      Self.failures(log).first?.message == String(repeating: "x", count: 500)
        + "… (99500 more bytes)")
  }

  @Test func stepsAreCountedBeyondThoseThatAreKept() {
    var steps = TurnSteps()
    for number in 0..<30 {
      steps.add(ToolReport(number: number, use: .command("\(number)"), progress: .began))
      steps.add(ToolReport(number: number, use: .command("\(number)"), progress: .ended(.exited(number))))
    }
    #expect(steps.count == 30 && steps.kept.map(\.use) == (0..<TurnSteps.maxKept).map { .command("\($0)") })
    #expect(steps.kept.map(\.outcome) == (0..<TurnSteps.maxKept).map { .exited($0) })
  }

  // MARK: Programs

  @Test @LoopActor
  func programsAreKeptByWhatTheySentLast() throws {
    let log = RequestLog()
    let curl = try Self.fields(("User-Agent", "curl/8.5"))
    for source in ["session_id", nil] {
      log.add(
        Request.test("r", fields: curl), api: "chat", model: nil,
        session: source.map { SessionKey(stringLiteral: $0) },
        source: source)
    }
    let request = Request.test("found", fields: try Self.fields(("X-Title", "Aider")))
    log.add(request, api: "chat", model: nil, session: nil, source: nil)
    log.began(request, Answer.test("found"))
    let clients = log.clients(of: .everybody).sorted { $0.name < $1.name }
    #expect(clients.map(\.name) == ["Aider", "curl"] && clients.map(\.requests) == [1, 2])
    #expect(clients.map(\.sessionSource) == [nil, nil] && clients.map(\.wasFound) == [true, false])
  }

  @Test @LoopActor
  func programsAreBounded() throws {
    let log = RequestLog()
    for number in 0..<100 {
      let fields = try Self.fields(("User-Agent", "program\(number)/1"))
      log.refused(Request.test("r", fields: fields), Self.failure("m"), isUnwanted: false)
    }
    #expect(log.clients(of: .everybody).count == RequestLog.maxClientsPerKey)
  }

  @Test(
    arguments: [
      ([], nil), ([("User-Agent", "")], nil),
      ([("User-Agent", "OpenAI/Python 2.3.0")], "OpenAI Python"),
      ([("User-Agent", "AsyncOpenAI/Python 2.3.0")], "OpenAI Python"),
      ([("User-Agent", "OpenAI/JS 5.1")], "OpenAI Node"), ([("User-Agent", "curl/8.5.0")], "curl"),
      ([("User-Agent", "mytool/1.0 (x)")], "mytool"), ([("User-Agent", "Java-http-client")], "Java-http-client"),
      ([("User-Agent", "Mozilla/5.0 (X11) CherryStudio/1.7 Electron/38")], "Cherry Studio"),
      ([("User-Agent", "Mozilla/5.0 Chrome/130")], "Browser"),
      ([("User-Agent", "Mozilla/5.0 Chrome/130"), ("Sec-Fetch-Site", "same-origin")], "This page"),
      ([("User-Agent", "x/1"), ("X-Title", "A program")], "A program"),
      ([("User-Agent", "Python/3.12 aiohttp/3.13"), ("X-OpenWebUI-Chat-Id", "c")], "Open WebUI"),
    ] as [([(String, String)], String?)])
  func programsAreKnownByTheirHeads(_ fields: [(String, String)], _ name: String?) throws {
    let lines = fields.map { "\($0): \($1)\r\n" }.joined()
    let head = try ParsedRequest.head("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
    var remembered = (agent: "", name: "")
    for _ in 0..<2 { #expect(ClientName.name(in: head.fields, remembered: &remembered) == name) }
  }

  // MARK: Shortening

  @Test(
    arguments: [
      ("", 0, ""), ("", 5, ""), ("abc", 3, "abc"), ("abc", 2, "ab… (1 more bytes)"),
      ("abc", 0, "… (3 more bytes)"),
      // Counted in scalars, and told in bytes: one character may have millions of either.
      ("äöü", 3, "äöü"), ("äöü", 2, "äö… (2 more bytes)"), ("👩‍👩‍👧‍👦", 7, "👩‍👩‍👧‍👦"), ("👩‍👩‍👧‍👦x", 7, "👩‍👩‍👧‍👦… (1 more bytes)"),
      ("a" + String(repeating: "\u{301}", count: 1000), 2, "a\u{301}… (1998 more bytes)"),
    ])
  func textIsShortenedBetweenScalars(_ text: String, _ limit: Int, _ shown: String) {
    #expect(text.shortened(to: limit) == shown)
  }
}
