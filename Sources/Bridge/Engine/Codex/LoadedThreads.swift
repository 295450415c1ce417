// Which threads the engine holds in memory for us, and what they have used so far. A value of `CodexEngine`.

/// Threads the engine holds in memory for us, least recently used first.
struct LoadedThreads {
  private let capacity: Int
  private var order: [ThreadID] = []
  private var expected: Set<ThreadID> = []
  private var usages: [ThreadID: TokenUsage] = [:]

  init(capacity: Int) { self.capacity = capacity }

  func contains(_ thread: ThreadID) -> Bool { order.contains(thread) }
  func usage(of thread: ThreadID) -> TokenUsage? { usages[thread] }

  /// A thread that is being resumed: the engine may tell its usage before it says that it is loaded.
  mutating func expect(_ thread: ThreadID) { expected.insert(thread) }

  mutating func insert(_ thread: ThreadID) {
    expected.remove(thread)
    if !contains(thread) { order.append(thread) }
  }

  mutating func touch(_ thread: ThreadID) {
    guard let index = order.firstIndex(of: thread) else { return }
    order.append(order.remove(at: index))
  }

  mutating func setUsage(_ usage: TokenUsage, of thread: ThreadID) {
    if contains(thread) || expected.contains(thread) { usages[thread] = usage }
  }

  mutating func remove(_ thread: ThreadID) {
    order.removeAll { $0 == thread }
    expected.remove(thread)
    usages[thread] = nil
  }

  mutating func removeAll() {
    order = []
    expected = []
    usages = [:]
  }

  /// Removes and returns the thread that was idle the longest, if there are too many.
  mutating func evict(except isBusy: (ThreadID) -> Bool) -> ThreadID? {
    guard order.count > capacity, let victim = order.first(where: { !isBusy($0) }) else { return nil }
    remove(victim)
    return victim
  }
}
