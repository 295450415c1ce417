// Which threads the app-server has loaded for this bridge, and what is known of each. A value that `CodexThreads` owns.

/// The threads that the app-server has loaded.
struct LoadedThreads {
  /// How many threads stay loaded while no turn runs on them.
  var capacity: Int
  /// The loaded threads, least recently used first.
  private var order: [ThreadID] = []
  /// How many turns are being started on a thread.
  private var held: [ThreadID: Int] = [:]
  /// Threads that are being resumed.
  private var expected: Set<ThreadID> = []
  /// The tokens that threads have used so far.
  private var usages: [ThreadID: TokenUsage] = [:]
  /// The rights that threads were loaded with.
  private var profiles: [ThreadID: TurnProfile] = [:]
  /// Threads whose raw items Codex tells: those with functions of the client, until they are loaded again.
  private var tellingItems: Set<ThreadID> = []
  /// Threads that have run commands, which may go on in the background until the thread is unloaded.
  private var withCommands: Set<ThreadID> = []

  init(capacity: Int) { self.capacity = capacity }

  func contains(_ thread: ThreadID) -> Bool { order.contains(thread) }
  func usage(of thread: ThreadID) -> TokenUsage? { usages[thread] }

  /// Whether a turn with these rights may run on a thread. A loaded thread keeps the rights that it was loaded with: Codex
  /// ignores others in a resume, and a turn cannot state most of them. A thread that is not loaded can get any rights.
  func allows(_ profile: TurnProfile, on thread: ThreadID) -> Bool {
    profiles[thread].map { $0 == profile } ?? true
  }

  /// Keeps a thread loaded while a turn on it is being started. Until the turn runs, nothing else shows that it is in use.
  mutating func hold(_ thread: ThreadID) { held[thread, default: 0] += 1 }

  func isHeld(_ thread: ThreadID) -> Bool { held[thread] != nil }

  /// Ends one hold of a thread.
  mutating func releaseHold(_ thread: ThreadID) {
    guard let count = held[thread] else { return }
    held[thread] = count > 1 ? count - 1 : nil
  }

  /// Records that a turn of a loaded thread has run commands.
  mutating func ranCommands(_ thread: ThreadID) {
    if contains(thread) { withCommands.insert(thread) }
  }

  func hasRunCommands(_ thread: ThreadID) -> Bool { withCommands.contains(thread) }

  /// Records that a thread is being resumed. Codex may report the thread's usage before it answers the resume.
  mutating func expect(_ thread: ThreadID) { expected.insert(thread) }

  mutating func insert(_ thread: ThreadID, _ profile: TurnProfile, tellsItems: Bool = false) {
    expected.remove(thread)
    profiles[thread] = profile
    if tellsItems { tellingItems.insert(thread) }
    if !contains(thread) { order.append(thread) }
  }

  /// Whether Codex tells the raw items of a thread, so that all calls of a response are known when it ends.
  func tellsItems(_ thread: ThreadID) -> Bool { tellingItems.contains(thread) }

  /// Makes a thread the most recently used one.
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
    tellingItems.remove(thread)
    usages[thread] = nil
    profiles[thread] = nil
  }

  mutating func removeAll() {
    order = []
    expected = []
    withCommands = []
    tellingItems = []
    usages = [:]
    profiles = [:]
  }

  /// Removes and returns the threads that were idle the longest, once there are a quarter more than `capacity`. They are
  /// unloaded in batches because a session whose thread is just being unloaded has to wait, so that should happen seldom.
  mutating func evict(except isBusy: (ThreadID) -> Bool) -> [ThreadID] {
    guard order.count > capacity + capacity / 4 else { return [] }
    let idle = order.filter { held[$0] == nil && !isBusy($0) }
    let victims = Array(idle.prefix(order.count - capacity))
    for victim in victims { remove(victim) }
    return victims
  }
}
