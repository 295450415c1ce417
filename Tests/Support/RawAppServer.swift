// A `codex app-server`, real or fake, that a test drives itself, without the bridge's engine in between.

import Glibc
import Testing

@testable import Bridge

/// An app-server whose every message the test sees.
@LoopActor
final class RawAppServer {
  struct Message: Sendable {
    let method: String
    let params: JSONValue
    /// Set where it is a request.
    let id: JSONValue?

    var item: JSONValue? { params["item"] }
  }

  /// What a test offers the model as functions of a client.
  static let tools: JSONValue = [
    [
      "type": "namespace", "name": "client", "description": "Functions of the client.",
      "tools": [
        function("get_weather", ["city": ["type": "string"]], required: ["city"]),
        function("add", ["a": ["type": "integer"], "b": ["type": "integer"]], required: ["a", "b"]),
      ],
    ]
  ]

  /// What a thread needs besides, at its start and whenever it is loaded: the family with code mode offers the functions
  /// only through scripts otherwise.
  static let configuration: JSONValue = [
    "web_search": "disabled", "tool_output_token_limit": 200_000,
    "features": ["code_mode": ["direct_only_tool_namespaces": ["client"]]],
  ]

  private static func function(_ name: String, _ properties: JSONValue, required: JSONValue) -> JSONValue {
    [
      "type": "function", "name": .string(name), "description": "",
      "inputSchema": ["type": "object", "properties": properties, "required": required],
    ]
  }

  let process: ChildProcess
  private let rpc: RPCConnection
  private(set) var messages: [Message] = []
  private var framer = LineFramer()
  private let ended = Waiter<ChildProcess.Exit>()
  /// Answers a call of a tool; nil leaves it open.
  var answerTool: @LoopActor (JSONValue) -> JSONValue? = { params in
    RawAppServer.answer("out of \(params["tool"]?.stringValue ?? "")")
  }

  init(_ command: ChildCommand) throws {
    let ended = ended
    process = try ChildProcess(command.command(executable: try #require(command.locate()))) {
      ended.finish(with: $0)
    }
    rpc = RPCConnection(input: process.standardInput)
    process.standardOutput.onRead = { [weak self] in self?.read($0) }
    process.standardError.onRead = { _ in }
    for output in [process.standardOutput, process.standardError] {
      output.onEnd = { [weak output] _ in output?.close() }
      output.startReading()
    }
  }

  /// Runs `body` with a process that has answered the handshake; afterwards it is gone.
  static func run(_ command: ChildCommand, _ body: @LoopActor (RawAppServer) async throws -> Void) async throws {
    let server = try RawAppServer(command)
    do {
      try await server.call(
        "initialize",
        [
          "clientInfo": ["name": "test", "title": "Test", "version": "1"],
          "capabilities": ["experimentalApi": true],
        ])
      server.rpc.notify("initialized")
      try await body(server)
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  private func stop() async {
    process.signalGroup(SIGKILL)
    _ = await waitForEnd()
    rpc.close()
    process.standardInput.close()
  }

  /// How the process has ended, once it has.
  func waitForEnd() async -> ChildProcess.Exit { await ended.value() }

  static func answer(_ text: String, success: Bool = true) -> JSONValue {
    ["contentItems": [["type": "inputText", "text": .string(text)]], "success": .bool(success)]
  }

  @discardableResult
  func call(_ method: String, _ params: JSONValue) async throws -> JSONValue {
    let reply = await rpc.call(method, params)
    guard case .result(let result) = reply else {
      Issue.record("\(method): \(reply)")
      throw RPCFailure(code: 0, message: "\(reply)", data: .null)
    }
    return result
  }

  /// Starts a thread with the client's tools; returns its id.
  func startThread(model: String, directory: String, isEphemeral: Bool = true, raw: Bool = true) async throws
    -> String
  {
    let result = try await call(
      "thread/start",
      [
        "model": .string(model), "cwd": .string(directory), "sandbox": "danger-full-access",
        "approvalPolicy": "never",
        "ephemeral": .bool(isEphemeral), "experimentalRawEvents": .bool(raw), "dynamicTools": Self.tools,
        "config": Self.configuration,
      ])
    return try #require(result["thread"]?["id"]?.stringValue)
  }

  /// Starts a turn; returns its id.
  @discardableResult
  func startTurn(_ thread: String, _ text: String?, more: JSONObject = JSONObject()) async throws -> String {
    var params = more
    params["threadId"] = .string(thread)
    params["input"] = text.map { [["type": "text", "text": .string($0)]] } ?? []
    return try #require(try await call("turn/start", .object(params))["turn"]?["id"]?.stringValue)
  }

  /// Runs a turn to its end; returns what it answered.
  func run(_ thread: String, _ text: String?, more: JSONObject = JSONObject()) async throws -> String {
    let count = messages(of: "turn/completed").count
    try await startTurn(thread, text, more: more)
    try #require(await eventually { self.messages(of: "turn/completed").count > count }, "\(seen)")
    return messages.last { $0.method == "item/completed" && $0.item?["type"] == "agentMessage" }?
      .item?["text"]?.stringValue ?? ""
  }

  func messages(of method: String) -> [Message] { messages.filter { $0.method == method } }

  /// Waits for a call of a tool that is open.
  func openCall(_ index: Int = 0) async throws -> Message {
    try #require(await eventually { self.messages(of: "item/tool/call").count > index }, "\(seen)")
    return messages(of: "item/tool/call")[index]
  }

  func answer(_ message: Message, _ result: JSONValue) {
    if let id = message.id { rpc.answer(id, result: result) }
  }

  var seen: [String] { messages.map { "\($0.method) \($0.item?["type"]?.stringValue ?? "")" } }

  private func read(_ bytes: Span<UInt8>) {
    var lines: [[UInt8]] = []
    _ = framer.feed(bytes) { line in lines.append(line.array) }
    for line in lines { if let message = try? JSONValue(parsing: line) { take(message) } }
  }

  private func take(_ value: JSONValue) {
    guard let method = value["method"]?.stringValue else {
      guard let id = value["id"]?.intValue else { return }
      let failure = value["error"].map { RPCFailure(code: 0, message: $0.jsonText, data: .null) }
      _ = rpc.received(id: id, failure.map { .failure($0) } ?? .result(value["result"] ?? .null))
      return
    }
    let message = Message(method: method, params: value["params"] ?? .null, id: value["id"])
    messages.append(message)
    if method == "item/tool/call", let result = answerTool(message.params) { answer(message, result) }
  }
}
