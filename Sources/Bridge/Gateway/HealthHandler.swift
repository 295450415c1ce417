// /health and /ready: does the process live, and would it take a turn.

/// Answers probes.
@LoopActor
final class HealthHandler {
  private static let alive = Response.json(["status": "ok"])

  private let engine: any TurnEngine
  private let state: ServerState

  init(engine: any TurnEngine, state: ServerState) {
    self.engine = engine
    self.state = state
  }

  func health(_ request: Request, _: [String], _ writer: ResponseWriter) {
    writer.send(Self.alive)
  }

  func ready(_ request: Request, _: [String], _ writer: ResponseWriter) {
    guard let reason = state.isDraining ? .draining : engine.unavailability else {
      return writer.send(.json(["status": "ready"]))
    }
    let error = APIError(.unavailable(reason), hasStarted: false)
    var body = JSONObject()
    body["status"] = "unavailable"
    body["reason"] = .string(reason.code)
    body["error"] = error.body["error"]
    var response = error.response
    response.body = JSONValue.object(body).jsonBytes
    writer.send(response)
  }

  /// People open the base URL in a browser to see whether something is there.
  func root(_ request: Request, _: [String], _ writer: ResponseWriter) {
    writer.send(.json(["service": "CodexBridge", "api": "/v1", "health": "/health", "ready": "/ready"]))
  }
}
