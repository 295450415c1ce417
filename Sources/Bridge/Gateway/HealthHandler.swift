// GET /health and /ready: whether the process lives, and whether it would start a turn now.

/// Answers probes.
@LoopActor
final class HealthHandler {
  private static let alive = Response.json(["status": "ok"])
  private static let withoutDetails =
    "No turn can be started now. With one of the bridge's keys this answer says why."

  private let engine: any TurnEngine
  private let state: ServerState
  private let authenticator: Authenticator

  init(engine: any TurnEngine, state: ServerState, authenticator: Authenticator) {
    self.engine = engine
    self.state = state
    self.authenticator = authenticator
  }

  func health(_ request: Request, _: [String], _ writer: ResponseWriter) {
    writer.send(Self.alive)
  }

  func ready(_ request: Request, _: [String], _ writer: ResponseWriter) {
    guard let reason = state.isDraining ? .draining : engine.unavailability else {
      return writer.send(ready(request))
    }
    var error = APIError(.unavailable(reason), hasStarted: false)
    // Without a key the message is not shown: it may have paths in it, and texts of Codex or of the model provider.
    if authenticator.identify(request.head.fields) == nil { error.message = Self.withoutDetails }
    var body = JSONObject()
    body["status"] = "unavailable"
    body["reason"] = .string(reason.code)
    body["error"] = error.body["error"]
    var response = error.response
    response.body = JSONValue.object(body).jsonBytes
    writer.send(response)
  }

  /// The answer of a bridge that is ready. It is ready also while the model provider cannot be reached, because another
  /// bridge could not reach it either; callers with a key get a warning.
  private func ready(_ request: Request) -> Response {
    guard let fault = engine.status.providerFault, authenticator.identify(request.head.fields) != nil else {
      return .json(["status": "ready"])
    }
    return .json(["status": "ready", "warning": ["code": "provider_unreachable", "message": .string(fault)]])
  }
}
