// Which threads the engine holds in memory for us, and what they have used so far. A value of `CodexThreads`.

/// Threads the engine holds in memory for us, least recently used first.
struct LoadedThreads {
  /// Idle threads that are kept.
  var capacity: Int
  private var order: [ThreadID] = []
  private var held: [ThreadID: Int] = [:]
  private var expected: Set<ThreadID> = []
  private var usages: [ThreadID: TokenUsage] = [:]
  /// The rights that threads were loaded with.
  private var profiles: [ThreadID: TurnProfile] = [:]
  /// Threads whose commands may go on in the background while they are loaded.
  private var withCommands: Set<ThreadID> = []

  init(capacity: Int) { self.capacity = capacity }

  func contains(_ thread: ThreadID) -> Bool { order.contains(thread) }
  func usage(of thread: ThreadID) -> TokenUsage? { usages[thread] }

  /// Whether a turn may run on a thread with these rights. A loaded thread has those it was loaded with: Codex ignores others
  /// when it is asked to resume it, and most cannot be said with a turn. One that is not loaded takes any.
  func allows(_ profile: TurnProfile, on thread: ThreadID) -> Bool {
    profiles[thread].map { $0 == profile } ?? true
  }

  /// Keeps a thread while a turn on it is being started: until the turn runs nothing else shows that it is in use.
  mutating func hold(_ thread: ThreadID) { held[thread, default: 0] += 1 }

  func isHeld(_ thread: ThreadID) -> Bool { held[thread] != nil }

  mutating func letGo(_ thread: ThreadID) {
    guard let count = held[thread] else { return }
    held[thread] = count > 1 ? count - 1 : nil
  }

  /// Notes that a turn of a loaded thread has run commands.
  mutating func ranCommands(_ thread: ThreadID) {
    if contains(thread) { withCommands.insert(thread) }
  }

  func hasRunCommands(_ thread: ThreadID) -> Bool { withCommands.contains(thread) }

  /// A thread that is being resumed: the engine may tell its usage before it says that it is loaded.
  mutating func expect(_ thread: ThreadID) { expected.insert(thread) }

  mutating func insert(_ thread: ThreadID, _ profile: TurnProfile) {
    expected.remove(thread)
    profiles[thread] = profile
    if !contains(thread) { order.append(thread) }
  }

  mutating func touch(_ thread: ThreadID) {
    guard let index = order.firstIndex(of: thread) else { return }
    order.append(order.remove(at: index))
  }

  mutating func setUsage(_ usage: TokenUsage, of thread: ThreadID) {
    if contains(thread) || expected.contains(thread) { usages[thread] = usage }
  }

  mutating func forgetUsage(of thread: ThreadID) { usages[thread] = nil }

  mutating func remove(_ thread: ThreadID) {
    order.removeAll { $0 == thread }
    expected.remove(thread)
    withCommands.remove(thread)
    usages[thread] = nil
    profiles[thread] = nil
  }

  mutating func removeAll() {
    order = []
    expected = []
    withCommands = []
    usages = [:]
    profiles = [:]
  }

  /// Removes and returns the threads that were idle the longest, once there are clearly too many. Some at a time: the
  /// engine takes a moment to unload one, and a session that wants its thread back meanwhile has to wait.
  mutating func evict(except isBusy: (ThreadID) -> Bool) -> [ThreadID] {
    guard order.count > capacity + capacity / 4 else { return [] }
    let idle = order.filter { held[$0] == nil && !isBusy($0) }
    let victims = Array(idle.prefix(order.count - capacity))
    for victim in victims { remove(victim) }
    return victims
  }
}
