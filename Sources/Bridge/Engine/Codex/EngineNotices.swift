// Notices about the engine that are logged once, however many processes and turns report them.

/// Remembers what has been logged. The engines of all processes share it.
@LoopActor
final class EngineNotices {
  /// How many texts are remembered. Once there are so many, no further text counts as the first, so that neither the memory
  /// nor the log fills up.
  private static let maxTexts = 256

  private var texts: Set<String> = []
  /// Why the last turn that tried could not reach the model provider; nil if it could, or no turn has tried yet.
  private(set) var providerFault: String?

  /// Whether this text is reported for the first time. Remembers it.
  func isFirst(_ text: String) -> Bool { texts.count < Self.maxTexts && texts.insert(text).inserted }

  /// Called when a turn does nothing but reconnect to the model provider.
  func providerIsLost(_ reason: String, request: String) {
    if providerFault == nil {
      Log.warning("the model provider cannot be reached", ["reason": reason, "request": request])
    }
    providerFault = reason
  }

  /// Called when the model has done something.
  func providerAnswers() {
    guard providerFault != nil else { return }
    providerFault = nil
    Log.info("the model provider answers again")
  }
}
