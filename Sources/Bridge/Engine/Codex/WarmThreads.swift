// Threads that are started before anybody asks for them, so that a new conversation need not wait for its thread.
// Owns those that nobody has taken yet.

/// A small stock of fresh threads. Each turn that took one, or found none, has one put in: so there come to be as many
/// as are wanted at once, and those that were wanted only for a while get old.
@LoopActor
final class WarmThreads {
  /// What a thread is made for; a turn cannot change it afterwards.
  struct Shape: Hashable, Sendable {
    let isEphemeral: Bool
    let model: String?
    let profile: TurnProfile
  }

  private enum Limit {
    /// Kinds of threads that are kept at once.
    static let shapes = 4
    /// A thread that nobody takes for so long is given up: what it was started with may have changed.
    static let age = Duration.seconds(300)
  }

  private struct Entry {
    let thread: ThreadID
    let startedAt: Duration
  }

  private let perShape: Int
  /// Of each kind the oldest first; the youngest is taken, so that what is too much stays until it is given up.
  private var stock: [Shape: [Entry]] = [:]
  /// Threads that are being started.
  private var starting: [Shape: Int] = [:]
  private var life = 0

  /// At most `perShape` threads of each kind; 0 keeps none.
  init(perShape: Int) { self.perShape = perShape }

  /// A thread to use, if there is one.
  func take(_ shape: Shape) -> ThreadID? {
    guard let entry = stock[shape]?.popLast() else { return nil }
    if stock[shape]?.isEmpty == true { stock[shape] = nil }
    return entry.thread
  }

  /// Starts one more of a kind, unless there are enough. `start` returns nil when it cannot be done now.
  func refill(_ shape: Shape, start: @escaping @Sendable @LoopActor () async -> ThreadID?) {
    let have = (stock[shape]?.count ?? 0) + (starting[shape] ?? 0)
    guard have < perShape, stock[shape] != nil || stock.count < Limit.shapes else { return }
    starting[shape, default: 0] += 1
    let life = life
    Loop.spawn {
      let thread = await start()
      guard life == self.life else { return }
      self.starting[shape].map { self.starting[shape] = $0 > 1 ? $0 - 1 : nil }
      if let thread { self.stock[shape, default: []].append(Entry(thread: thread, startedAt: Loop.now)) }
    }
  }

  /// Takes out the threads that were not wanted for too long.
  func takeOld() -> [ThreadID] { remove { Loop.now - $0.startedAt > Limit.age } }

  /// Takes out all threads.
  func takeAll() -> [ThreadID] { remove { _ in true } }

  /// Forgets everything: the process that had the threads is gone.
  func forgetAll() {
    life += 1
    stock = [:]
    starting = [:]
  }

  private func remove(_ isUnwanted: (Entry) -> Bool) -> [ThreadID] {
    let unwanted = stock.values.joined().filter(isUnwanted).map(\.thread)
    stock = stock.mapValues { $0.filter { !isUnwanted($0) } }.filter { !$0.value.isEmpty }
    return unwanted
  }
}
