// A stand-in for the model: a small server with OpenAI's Responses API on the same loop, for `--demo` and for the tests.
// Codex itself is the real one; this server answers in place of OpenAI.

import Glibc

/// Serves `POST /v1/responses` on a loopback port.
@LoopActor
final class DemoModel {
  private static let directoryName = ".codex_demo"
  private static let model = "gpt-5.5"
  /// Beyond this many messages with `once` all are forgotten, so that a long run of tests does not fill the memory.
  private static let maxFailedMessages = 1000

  private let connections = OpenConnections()
  private var listener: Listener?
  /// Messages with `once` that have failed already. The next time the same message succeeds.
  private var failedMessages: Set<String> = []
  /// The Codex home of the demo, kept so that sessions continue.
  let codexHome: String
  private(set) var activeStreams = 0
  /// Called with each request body, for tests.
  var onRequest: (@LoopActor (JSONValue) -> Void)?

  /// Listens at once, so that the port is known when Codex is started.
  init(stateDirectory: String) throws(ConfigurationError) {
    codexHome = FileContents.resolved(stateDirectory) + "/" + Self.directoryName
    if mkdir(codexHome, 0o700) != 0, errno != EEXIST {
      throw ConfigurationError(description: "cannot make \(codexHome): \(systemError())")
    }
    do throws(LoopError) {
      guard let address = try SocketAddress.resolve(host: "127.0.0.1", port: 0).first else {
        throw LoopError(0, "find the loopback address")
      }
      let environment = Connection.Environment(
        // Codex re-encodes images as PNG, so its requests can be much larger than ours.
        maxBodyBytes: 256 << 20,
        budget: ContentBudget(),
        handle: { [weak self] request, writer in { await self?.handle(request, writer) } },
        refusal: { error, _ in APIError(error).response }
      )
      listener = try Listener(
        on: address,
        onConnection: { [weak self] in self?.connections.add($0, environment) },
        onAcceptFailure: { _ in }
      )
    } catch {
      throw ConfigurationError(description: error.description)
    }
  }

  func stop() {
    listener?.close()
    listener = nil
    connections.closeAll()
  }

  /// Overrides of Codex's configuration that make it use this model.
  var overrides: [String] {
    let port = listener?.address?.port ?? 0
    return [
      "model=\"\(Self.model)\"",
      "model_provider=\"demo\"",
      "model_providers.demo.name=\"demo\"",
      "model_providers.demo.base_url=\"http://127.0.0.1:\(port)/v1\"",
      "model_providers.demo.wire_api=\"responses\"",
      // With Codex's default number of retries a failure that a script asks for would show only after a long time.
      "model_providers.demo.request_max_retries=1",
      "model_providers.demo.stream_max_retries=2",
    ]
  }

  private func handle(_ request: Request, _ writer: ResponseWriter) async {
    guard request.head.method == "POST", request.head.path == "/v1/responses",
      let bytes = try? await request.collectBody(), let body = try? JSONValue(parsing: bytes)
    else {
      return writer.send(
        .json(["error": ["message": "The demo model only answers POST /v1/responses."]], status: 404))
    }
    onRequest?(body)
    let input = DemoInput(body)
    let index = input.finishedRounds
    var round = DemoScript(message: input.lastUserText).round(index)
    if round.trouble.isOnce, !isFirstTime("\(index) \(input.lastUserText)") { round.trouble.spare() }
    if let status = round.trouble.status { return writer.send(Self.refusal(status, round.trouble.errorCode)) }
    activeStreams += 1
    defer { activeStreams -= 1 }
    await DemoAnswer(input: input, round: round, request: request, writer: writer).run()
  }

  private func isFirstTime(_ message: String) -> Bool {
    if failedMessages.count > Self.maxFailedMessages { failedMessages = [] }
    return failedMessages.insert(message).inserted
  }

  private static func refusal(_ status: Int, _ errorCode: String?) -> Response {
    let code = errorCode ?? "demo_error"
    let error: JSONValue = [
      "message": "The demo model was told to refuse with \(status).", "type": .string(code), "code": .string(code),
    ]
    return .json(["error": error], status: status)
  }
}
