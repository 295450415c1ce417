// What is told of the engine once, however many of its processes and turns have it to say.

/// Shared by the engines of all processes.
@LoopActor
final class EngineNotices {
  /// Texts that are remembered; a Codex that says more different things than these is not listened to any more.
  private static let maxTold = 256

  private var told: Set<String> = []
  /// Why the model provider cannot be reached, as far as the last turn that tried knows; nil while it answers.
  private(set) var providerFault: String?

  /// Whether this is said for the first time.
  func isNew(_ text: String) -> Bool { told.count < Self.maxTold && told.insert(text).inserted }

  /// A turn does nothing but reconnect.
  func providerIsLost(_ reason: String, request: String) {
    if providerFault == nil {
      Log.warning("the model provider cannot be reached", ["reason": reason, "request": request])
    }
    providerFault = reason
  }

  /// The model has given a sign.
  func providerAnswers() {
    guard providerFault != nil else { return }
    providerFault = nil
    Log.info("the model provider answers again")
  }
}
