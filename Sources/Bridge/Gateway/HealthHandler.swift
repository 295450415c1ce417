// /health and /ready: does the process live, and would it take a turn.

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
      return writer.send(.json(["status": "ready"]))
    }
    var error = APIError(.unavailable(reason), hasStarted: false)
    // The reason's own words have paths in them, and whatever Codex or its provider said last.
    if authenticator.identify(request.head.fields) == nil { error.message = Self.withoutDetails }
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
