// GET /version: which version of the bridge answers. With a key also which commit, and which Codex.

/// Answers who asks for the version.
@LoopActor
final class VersionHandler {
  private let engine: any TurnEngine
  private let authenticator: Authenticator

  init(engine: any TurnEngine, authenticator: Authenticator) {
    self.engine = engine
    self.authenticator = authenticator
  }

  /// `version` for everybody. What tells more about the machine, `commit` and `codex` (null where they are not known), is for
  /// holders of a key.
  func version(_ request: Request, _: [String], _ writer: ResponseWriter) {
    var body = JSONObject()
    body["version"] = .string(BridgeVersion.text)
    if authenticator.identify(request.head.fields) != nil {
      body["commit"] = .text(BridgeVersion.commit)
      body["codex"] = .text(engine.status.version)
    }
    writer.send(.json(.object(body)))
  }
}
