// How much of what clients send is held in memory at once, over all requests. Owns the count.

/// A bound on the bytes of all requests together.
@LoopActor
final class ContentBudget {
  private let limit: Int
  private(set) var heldBytes = 0

  init(limit: Int = .max) { self.limit = limit }

  /// What one request holds.
  @LoopActor
  final class Share {
    private let budget: ContentBudget
    private var bytes = 0

    fileprivate init(_ budget: ContentBudget) { self.budget = budget }

    /// Takes more. False, and nothing taken, if that would be too much.
    func grow(by count: Int) -> Bool {
      guard budget.heldBytes <= budget.limit - count else { return false }
      budget.heldBytes += count
      bytes += count
      return true
    }

    /// Gives everything back: the content is no longer held. Safe to call twice.
    func release() {
      budget.heldBytes -= bytes
      bytes = 0
    }
  }

  func share() -> Share { Share(self) }
}
