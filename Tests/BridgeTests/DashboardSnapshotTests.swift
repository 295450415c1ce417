// What the dashboard is told, and that it stays small and still.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct DashboardSnapshotTests {
  /// A snapshot of parts that the test moves by hand.
  @LoopActor
  private final class House {
    let engine = ScriptedEngine()
    let sessions: Sessions
    let state = ServerState()
    let turns = PermitQueue(permits: 1, maxWaiting: 10)
    let metrics = Metrics()
    let approvals = ApprovalDesk()
    let answers = AnswerRegistry()
    let log = RequestLog()
    let snapshot: DashboardSnapshot
    private let directory: TemporaryDirectory

    private init() async throws {
      directory = try TemporaryDirectory()
      sessions = try await .inFiles(directory.path, queueLimit: 4)
      snapshot = DashboardSnapshot(
        engine: engine, sessions: sessions, state: state, turns: turns, metrics: metrics, approvals: approvals,
        answers: answers, log: log, connections: OpenConnections(), holders: [.everybody],
        configuration: try Configuration(sources: []))
      state.serving(at: ["http://127.0.0.1:8080"])
    }

    static func run(_ body: @LoopActor (House) async throws -> Void) async throws {
      let house = try await House()
      defer { house.directory.remove() }
      do {
        try await body(house)
      } catch {
        await house.sessions.close()
        throw error
      }
      await house.sessions.close()
    }

    /// A part of the facts.
    subscript(_ path: String...) -> JSONValue {
      path.reduce(JSONValue.object(snapshot.facts(for: .everybody))) { $0[$1] ?? .null }
    }

    func began(_ request: String, session: SessionKey? = nil, model: String = "m") -> Turn {
      let answer = Answer.test(request, session: session, model: model)
      answer.turn.wasAccepted(on: ThreadID("t"), by: engine)
      _ = answers.add(answer)
      return answer.turn
    }

    func bind(_ session: SessionKey, usedAt: Int, model: String? = "m", turns: Int = 0) async {
      await sessions.bind(
        session,
        SessionRecord(
          thread: ThreadID("t"), model: model, instructions: nil, createdAt: 1, usedAt: usedAt, turns: turns))
    }

    func ask(_ id: String, _ command: String, reason: String? = nil) {
      ask(.command(.init(text: command, sandbox: .outside)), id: id, reason: reason)
    }

    func ask(_ action: Approval.Action, id: String = "a", reason: String? = nil) {
      let approval = Approval(
        id: id,
        question: .init(action: action, reason: reason, workingDirectory: "/work"),
        thread: ThreadID("t"), requestID: "r", owner: .everybody, askedAt: 100, expiresAt: 160)
      approvals.ask(approval, limit: .seconds(60)) { _, _ in }
    }

    func decline() { approvals.withdraw(thread: ThreadID("t")) }
  }

  @Test @LoopActor
  func anIdleBridgeHasEveryPart() async throws {
    try await House.run { house in
      let facts = house.snapshot.facts(for: .everybody)
      #expect(
        facts.members.map(\.key).sorted() == [
          "account", "activity", "approval_count", "approvals", "bridge", "clients", "engine", "minutes",
          "sessions", "totals", "turns",
        ])
      #expect(facts["account"] == .null && facts["approvals"] == [])
      #expect(facts["sessions"] == ["total": 0, "recent": []])
      #expect(
        facts["turns"] == [
          "running_count": 0, "own_count": 0, "max_running": 64, "waiting": 0, "max_waiting": 256, "running": [],
        ])
      let empty: JSONValue = ["turns": 0, "failures": 0, "tokens": 0]
      #expect(facts["minutes"]?.arrayValue == Array(repeating: empty, count: 60))
      #expect(house["bridge", "listening"] == ["http://127.0.0.1:8080"])
      #expect(house["bridge", "connections"] == 0)
      #expect(house["bridge", "sandbox"] == "read-only" && house["bridge", "approval_policy"] == "never")
      #expect(house["bridge", "network"] == false && house["bridge", "uses_default_key"] == true)
      #expect(house["bridge", "default_model"] == .text(house.engine.catalog.defaultModel))
      #expect(house["activity"] == [] && house["clients"] == [] && house["totals", "turns"] == 0)
      #expect((house["bridge", "memory"].intValue ?? 0) > 0)
      let before = unixTime()
      let now = try #require(DashboardSnapshot.dated(facts)["now"]?.intValue)
      #expect((before...unixTime()).contains(now))
    }
  }

  // MARK: Engine and account

  @Test @LoopActor
  func theEngineTellsWhyItCannotBeUsed() async throws {
    try await House.run { house in
      house.engine.status = EngineStatus(version: "0.163.0", processIDs: [getpid()], restarts: 2)
      #expect(house["engine", "ready"] == true && house["engine", "reason"] == .null)
      #expect(house["engine", "version"] == "0.163.0" && house["engine", "restarts"] == 2)
      #expect((house["engine", "memory"].intValue ?? 0) > 0)
      house.engine.unavailability = .failing(detail: String(repeating: "x", count: 10_000))
      #expect(house["engine", "ready"] == false && house["engine", "reason"] == "codex_failing")
      #expect((house["engine", "message"].stringValue ?? "").utf8.count < 500)
      house.state.draining()
      #expect(house["engine", "reason"] == "draining")
      house.engine.status.processIDs = []
      #expect(house["engine", "memory"] == .null)
    }
  }

  @Test @LoopActor
  func theAccountIsToldWithItsLimits() async throws {
    try await House.run { house in
      house.engine.status.account = EngineAccount(
        kind: .chatGPT, plan: "plus",
        limits: [
          .init(usedPercent: 12.4, windowMinutes: 300, resetsAt: 1_900_000_000), .init(usedPercent: 250),
          .init(usedPercent: -3),
        ])
      #expect(house["account", "kind"] == "chatgpt" && house["account", "plan"] == "plus")
      #expect(
        house["account", "limits"] == [
          ["used_percent": 12, "window_minutes": 300, "resets": 1_900_000_000],
          ["used_percent": 100, "window_minutes": .null, "resets": .null],
          ["used_percent": 0, "window_minutes": .null, "resets": .null],
        ])
      house.engine.status.account = EngineAccount(kind: .apiKey)
      #expect(house["account"] == ["kind": "api_key", "plan": .null, "limits": []])
    }
  }

  // MARK: Turns

  @Test(
    arguments: [
      (.thinking, "thinking", nil), (.writing, "writing", nil),
      (.working(.command("ls -l")), "working", "Running `ls -l`"),
      (.waitingForApproval, "waiting_for_approval", nil), (.stopping, "stopping", nil), (nil, "finishing", nil),
    ] as [(TurnActivity?, String, String?)]) @LoopActor
  func aRunningTurnSaysWhatItDoes(_ activity: TurnActivity?, _ word: String, _ detail: String?) async throws {
    try await House.run { house in
      let before = unixTime()
      house.engine.progress = activity.map { TurnProgress(activity: $0, lastActivityAt: Loop.now) }
      _ = house.began("r", session: "s", model: "m:high")
      let turn = house["turns", "running"].arrayValue?.first
      #expect(turn?["request_id"] == "r" && turn?["session"] == "s" && turn?["model"] == "m:high")
      #expect(turn?["activity"] == .string(word) && turn?["detail"] == .text(detail))
      // The loop's clock and the time of day are brought together to the second.
      let range = before - 1...unixTime() + 1
      for key in ["started", "last_activity"] { #expect(range.contains(turn?[key]?.intValue ?? 0), "\(key)") }
    }
  }

  @Test @LoopActor
  func runningAndWaitingTurnsAreCounted() async throws {
    try await House.run { house in
      for number in 0..<130 { _ = house.began("r\(number)") }
      let tickets = (0..<3).compactMap { _ in house.turns.enter() }
      #expect(house["turns", "running_count"] == 130 && house["turns", "waiting"] == 2)
      let shown = house["turns", "running"].arrayValue ?? []
      #expect(shown.map { $0["request_id"] } == (0..<100).map { .string("r\($0)") })
      for ticket in tickets { ticket.release() }
    }
  }

  /// Whoever watches is told of changes only, so a turn that goes on must not be one.
  @Test @LoopActor
  func timeAloneChangesNothing() async throws {
    try await House.run { house in
      house.engine.progress = TurnProgress(activity: .thinking, lastActivityAt: Loop.now)
      _ = house.began("r", session: "s")
      await house.bind("s", usedAt: 5)
      await house.snapshot.prepare(for: .everybody)
      let parts = ["engine", "account", "turns", "approvals", "sessions", "activity", "clients"]
      let before = house.snapshot.facts(for: .everybody)
      for _ in 0..<5 {
        await Loop.sleep(.milliseconds(130))
        await house.snapshot.prepare(for: .everybody)
        let after = house.snapshot.facts(for: .everybody)
        for part in parts { #expect(after[part] == before[part], "\(part)") }
      }
    }
  }

  // MARK: Sessions

  @Test @LoopActor
  func theSessionsThatWereUsedLastAreShown() async throws {
    try await House.run { house in
      for number in 0..<80 { await house.bind("s\(number)", usedAt: number, turns: number) }
      await house.snapshot.prepare(for: .everybody)
      #expect(house["sessions", "total"] == 80)
      let shown = house["sessions", "recent"].arrayValue ?? []
      #expect(shown.map { $0["id"] } == (30..<80).reversed().map { .string("s\($0)") })
      #expect(
        shown.first == [
          "id": "s79", "title": nil, "profile": "agent", "model": "m", "turns": 79, "last_used": 79,
          "running": false, "waiting": 0,
        ])
      await house.bind("s0", usedAt: 1000, model: nil)
      await house.snapshot.prepare(for: .everybody)
      #expect(house["sessions", "recent"].arrayValue?.first?["id"] == "s0")
      #expect(house["sessions", "recent"].arrayValue?.first?["model"] == .null)
      let wasKnown = try await house.sessions.forget("s0")
      #expect(wasKnown)
      await house.snapshot.prepare(for: .everybody)
      #expect(house["sessions", "recent"].arrayValue?.first?["id"] == "s79")
      #expect(house["sessions", "total"] == 79)
    }
  }

  @Test @LoopActor
  func aSessionIsToldToRunWhileItDoes() async throws {
    try await House.run { house in
      await house.bind("s", usedAt: 1)
      await house.snapshot.prepare(for: .everybody)
      let tickets = (0..<3).compactMap { _ in house.sessions.enter("s") }
      var session: JSONValue? { house["sessions", "recent"].arrayValue?.first }
      #expect(session?["running"] == true && session?["waiting"] == 2)
      for ticket in tickets { house.sessions.leave("s", ticket) }
      #expect(session?["running"] == false && session?["waiting"] == 0)
    }
  }

  // MARK: Approvals, numbers, failures

  @Test @LoopActor
  func anApprovalIsToldWithAllThatDecidesIt() async throws {
    try await House.run { house in
      house.ask("a", "rm -rf build", reason: "to begin anew")
      defer { house.decline() }
      #expect(
        house["approvals"] == [
          [
            "id": "a", "kind": "command", "request": "run a command outside the sandbox",
            "sandbox": "outside", "text": "rm -rf build", "files": [], "hidden_files": 0, "is_whole": true,
            "facts": ["in /work", "Reason: to begin anew"],
            "session_scope": "the same command in the same directory", "request_id": "r", "created": 100,
            "expires": 160,
          ]
        ])
    }
  }

  @Test @LoopActor
  func ofManyFilesTheFirstAreShownAndTheOthersCounted() async throws {
    try await House.run { house in
      let files = (0..<30).map { Approval.FileChange(path: "/f\($0)\n", kind: .add, diff: "x") }
      house.ask(.fileChange(.init(files: files)))
      defer { house.decline() }
      let shown = house["approvals"].arrayValue?.first
      #expect(shown?["files"] == .array((0..<10).map { .string("add /f\($0)\\n") }))
      #expect(shown?["hidden_files"] == 20 && shown?["is_whole"] == false && shown?["text"] == "")
    }
  }

  /// The number of all and the list of one's own are told apart, so that they cannot contradict each other.
  @Test @LoopActor
  func turnsOfOthersAreCountedAndNotShown() async throws {
    try await House.run { house in
      _ = house.began("his")
      let facts = house.snapshot.facts(for: Principal(name: "hers"))
      #expect(facts["turns"]?["running_count"] == 1 && facts["turns"]?["own_count"] == 0)
      #expect(facts["turns"]?["running"] == [])
      #expect(house["turns", "running_count"] == 1 && house["turns", "own_count"] == 1)
    }
  }

  @Test @LoopActor
  func minutesAndFailuresAreTold() async throws {
    try await House.run { house in
      let tokens = TokenCounts(input: 10, cachedInput: 4, output: 5, reasoning: 2)
      house.metrics.turnEnded(
        EndedTurn(
          result: .completed, outcome: "tool_calls", duration: .seconds(1), tokens: tokens, model: "m",
          owner: .everybody))
      house.metrics.turnEnded(
        EndedTurn(
          result: .failed, outcome: "codex_crashed", duration: .seconds(1), model: "m", owner: .everybody))
      // All of it lies in one minute, or in two if one has just ended.
      let minutes = house["minutes"].arrayValue ?? []
      for (key, sum) in [("turns", 2), ("failures", 1), ("tokens", 15)] {
        #expect(minutes.suffix(2).compactMap { $0[key]?.intValue }.reduce(0, +) == sum, "\(key)")
      }
      for message in ["first", "second"] {
        house.log.refused(
          Request.test("r-\(message)"), APIError(status: 502, code: "c", message: message),
          isUnwanted: false)
      }
      let failed = house["activity"].arrayValue ?? []
      #expect(failed.map { $0["error"]?["message"] } == ["second", "first"])
      #expect(failed.first?["request_id"] == "r-second" && failed.first?["error"]?["code"] == "c")
    }
  }

  @Test @LoopActor
  func requestsAreToldWithWhatTheyDid() async throws {
    try await House.run { house in
      let (request, answer) = (Request.test("r"), Answer.test("r", session: "s", model: "m"))
      house.log.add(request, api: "chat", model: nil, session: "s", source: "session_id")
      #expect(house["activity"].arrayValue?.first?["state"] == "waiting")
      house.engine.progress = TurnProgress(activity: .working(.command("ls")), lastActivityAt: Loop.now)
      answer.turn.wasAccepted(on: ThreadID("t"), by: house.engine)
      house.log.began(request, answer)
      answer.turn.used(ToolReport(number: 1, use: .command("ls"), progress: .began))
      let running = house["activity"].arrayValue?.first
      #expect(running?["state"] == "running" && running?["doing"] == "working" && running?["session"] == "s")
      #expect(
        running?["steps"] == [["text": "Running `ls`", "status": "in_progress", "exit_code": nil]]
          && running?["step_count"] == 1 && running?["ended"] == .null)
      let error = APIError(status: 502, code: "codex_crashed", message: "gone")
      house.log.ended(request, answer, .failed, usage: TokenUsage(input: 3, output: 4), error)
      let ended = house["activity"].arrayValue?.first
      #expect(ended?["state"] == "failed" && ended?["error"] == ["code": "codex_crashed", "message": "gone"])
      #expect(ended?["tokens"] == ["input": 3, "cached": 0, "output": 4, "reasoning": 0])
      #expect(house["totals", "turns"] == 1 && house["activity"].arrayValue?.count == 1)
    }
  }

  /// The engine's list is known for some minutes only; the model stays what it was.
  @Test @LoopActor
  func theDefaultModelStaysKnown() async throws {
    try await House.run { house in
      let name = house["bridge", "default_model"]
      #expect(name != .null && house["bridge", "demo"] == false)
      house.engine.hidesModels = true
      #expect(house["bridge", "default_model"] == name)
    }
  }

  @Test @LoopActor
  func aQuestionWithALongDirectoryIsNotWhole() async throws {
    try await House.run { house in
      house.ask("a", "ls", reason: String(repeating: "r", count: 1000))
      defer { house.decline() }
      #expect(house["approvals"].arrayValue?.first?["is_whole"] == false)
    }
  }

  @Test @LoopActor
  func aLoginThatIsMissingComesWithItsCommand() async throws {
    try await House.run { house in
      #expect(house["engine", "login_command"] == .null)
      house.engine.unavailability = .notLoggedIn(command: "codex login")
      #expect(house["engine", "login_command"] == "codex login")
    }
  }

  /// The whole of it is sent to every viewer each second: with the worst of everything it still has a bound.
  @Test @LoopActor
  func theSizeIsBounded() async throws {
    try await House.run { house in
      let long = String(repeating: "\u{1}", count: 20_000)
      let id = String(repeating: "\u{1}", count: 250)
      house.engine.status = EngineStatus(version: "0.163.0", account: EngineAccount(kind: .other, plan: long))
      house.engine.unavailability = .failing(detail: long)
      house.engine.progress = TurnProgress(activity: .working(.command(long)), lastActivityAt: Loop.now)
      for number in 0..<100 {
        _ = house.began("r", session: "\(id)\(number)", model: long)
        await house.bind("\(id)\(number)", usedAt: number, model: long)
        house.ask("a\(number)", long, reason: long)
        let (request, answer) = (Request.test("r\(number)"), Answer.test("r\(number)", model: long))
        house.log.add(request, api: "chat", model: long, session: "\(id)\(number)", source: nil)
        house.log.began(request, answer)
        for number in 0..<100 {
          answer.turn.used(ToolReport(number: number, use: .command(long), progress: .began))
        }
        house.log.ended(
          request, answer, .failed, usage: nil, APIError(status: 502, code: "c", message: long))
      }
      defer { house.decline() }
      #expect(house["approvals"].arrayValue?.count == 20 && house["approval_count"] == 100)
      let shown = house["approvals"].arrayValue?.first
      #expect(shown?["text"]?.stringValue?.hasSuffix("more bytes)") == true && shown?["is_whole"] == false)
      await house.snapshot.prepare(for: .everybody)
      // Each of those characters takes six bytes of JSON.
      #expect(JSONValue.object(house.snapshot.facts(for: .everybody)).jsonText.utf8.count < 3 << 20)
    }
  }
}
