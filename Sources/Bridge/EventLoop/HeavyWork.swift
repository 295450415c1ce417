// Work for large requests that would hold up the loop: parsing, decoding, checking images.

/// Runs beside the loop what takes a processor for milliseconds.
///
/// Half of the pool's four threads are left for what waits for disks and names, such as the end of somebody's turn; the
/// keys take turns at the other half.
@LoopActor
enum HeavyWork {
  private static let threads = 2
  /// Who waits holds what it has sent, which has a bound of its own (`ContentBudget`).
  private static let queue = PermitQueue(permits: threads, maxWaiting: .max)

  static func run<T: Sendable>(for owner: Principal, _ work: @escaping @Sendable () -> T) async -> T {
    let permit = queue.enter(owner)
    defer { permit?.release() }
    _ = await permit?.wait()
    return await Loop.offLoop(work)
  }
}
