// The whole bridge but for Codex: a real gateway over a scripted engine, on a loopback port.

import Testing

@testable import Bridge

/// A server that answers as `bridged` does, with an engine that does what the test says.
@LoopActor
final class GatewayServer {
  nonisolated static let key = Settings.defaultKey

  let engine: ScriptedEngine
  let sessions: Sessions
  let state = ServerState()
  /// What is remembered of conversations without a name.
  let unnamed = UnnamedConversations()
  let points: any PointRepository
  /// Holds the session map.
  let directory: TemporaryDirectory
  /// What the bridge answers.
  let routes: [Route]
  private let server: TestServer

  private init(_ settings: [String: String], _ paces: Paces, limits: ConnectionState.Limits) async throws {
    let configuration = try Configuration(sources: [.init(.flag, settings)], paces: paces)
    let directory = try TemporaryDirectory()
    let engine = ScriptedEngine()
    let authenticator = Authenticator(keys: configuration[Settings.apiKeys])
    let sessions = try await Sessions.inFiles(
      directory.path, queueLimit: configuration[Settings.sessionQueue],
      retention: Sessions.Retention(configuration), defaultOwner: authenticator.defaultOwner, unnamed: unnamed)
    points = RoutedPoints(store: MemoryPoints(), unnamed: unnamed)
    let conversations = ConversationFinder(
      sessions: sessions, points: points, memory: unnamed, continuity: configuration[Settings.continuity])
    let gateway = Gateway(
      engine: engine, sessions: sessions, state: state, authenticator: authenticator, configuration: configuration,
      leases: TurnLeases(wait: configuration[Settings.toolWait], repository: MemoryOpenTurns()),
      conversations: conversations, responses: ResponseMemory(Database(directory: directory.path), configuration),
      answers: AnswerRegistry(configuration),
      listening: configuration[Settings.host])
    routes = gateway.routes
    self.directory = directory
    self.engine = engine
    self.sessions = sessions
    server = try TestServer(
      limits: limits, maxBodyBytes: configuration[Settings.bodyLimit],
      budget: ContentBudget(limit: paces.contentBytes), ended: { gateway.ended($0, $1) }
    ) {
      gateway.handle($0, $1)
    }
    state.serving()
  }

  /// Runs `body` against a server with `settings` and `paces`; afterwards nothing of it is left, which is checked.
  static func run(
    _ settings: [String: String] = [:],
    paces: Paces = Paces(),
    limits: ConnectionState.Limits = .init(),
    _ body: @LoopActor (GatewayServer) async throws -> Void
  ) async throws {
    let server = try await GatewayServer(settings, paces, limits: limits)
    defer { server.directory.remove() }
    do {
      try await body(server)
      await server.server.stopWhenLeft()
      await server.sessions.close()
    } catch {
      server.server.stop()
      await server.sessions.close()
      throw error
    }
  }

  var port: Int { server.port }
  var connectionCount: Int { server.connectionCount }

  func connect() async throws -> TestClient { try await .connect(port: port) }

  /// Sends a request on a connection of its own and returns its answer.
  func exchange(_ request: String, isHead: Bool = false) async throws -> TestResponse {
    let response = try await TestClient.exchange(port: port, request, isHead: isHead)
    return try #require(response, "no answer")
  }

  /// The status a request gets; 0 if it gets no answer.
  func status(_ request: String) async -> Int {
    do {
      return try await exchange(request).status
    } catch {
      return 0
    }
  }

  /// Answers every turn with these pieces.
  func answerAll(_ pieces: [String]) { engine.script = { $0.answer(pieces) } }

  /// Waits until the engine has been asked for `count` turns and returns the last of them.
  func turn(_ count: Int) async throws -> Turn {
    #expect(await eventually { self.engine.started.count >= count }, "turn \(count) was not started")
    return try #require(engine.started.count >= count ? engine.started[count - 1] : nil)
  }

  // MARK: Requests as text

  /// A request with a key and without a body.
  nonisolated static func request(_ method: String, _ path: String, _ fields: [String] = [], key: String? = key)
    -> String
  {
    let authorization = key.map { ["Authorization: Bearer \($0)"] } ?? []
    let lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + authorization + fields
    return lines.joined(separator: "\r\n") + "\r\n\r\n"
  }

  /// A chat request with a body of the test's own.
  nonisolated static func chat(
    body: String, _ fields: [String] = [], path: String = "/v1/chat/completions", key: String? = key
  ) -> String {
    let own = ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"]
    return request("POST", path, own + fields, key: key) + body
  }

  /// A chat request with one user message; `more` are further members of the body, each beginning with a comma.
  nonisolated static func chat(
    _ text: String = "hi", stream: Bool = false, more: String = "", fields: [String] = [], key: String? = key
  ) -> String {
    let body =
      #"{"messages":[{"role":"user","content":\#(JSONValue.string(text).jsonText)}],"stream":\#(stream)\#(more)}"#
    return chat(body: body, fields, key: key)
  }
}
