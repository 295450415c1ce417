// Threads that are started before anybody asks for them, so that a new conversation need not wait for its thread.
// Owns those that nobody has taken yet.

/// A small stock of fresh threads. Each turn that took one, or found none, has one put in: so there come to be as many
/// as are wanted at once, and those that were wanted only for a while get old.
@LoopActor
final class WarmThreads {
  /// What a thread is made for; a turn cannot change it afterwards.
  struct Shape: Equatable, Sendable {
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

  /// What there is of one shape.
  private struct Kind {
    let shape: Shape
    /// The oldest first; the youngest is taken, so that what is too much stays until it is given up.
    var threads: [Entry] = []
    /// Threads that are being started.
    var starting = 0

    var isUnused: Bool { threads.isEmpty && starting == 0 }
  }

  private let perShape: Int
  /// A few, so that looking through them is cheaper than a table.
  private var kinds: [Kind] = []
  private var life = 0

  /// At most `perShape` threads of each kind; 0 keeps none.
  init(perShape: Int) { self.perShape = perShape }

  /// A thread to use, if there is one.
  func take(_ shape: Shape) -> ThreadID? {
    guard let index = index(of: shape), let entry = kinds[index].threads.popLast() else { return nil }
    if kinds[index].isUnused { kinds.remove(at: index) }
    return entry.thread
  }

  /// Starts one more of a kind, unless there are enough. `start` returns nil when it cannot be done now.
  func refill(_ shape: Shape, start: @escaping @Sendable @LoopActor () async -> ThreadID?) {
    guard perShape > 0 else { return }
    if let index = index(of: shape) {
      guard kinds[index].threads.count + kinds[index].starting < perShape,
        !kinds[index].threads.isEmpty || hasRoomForShape
      else { return }
      kinds[index].starting += 1
    } else {
      guard hasRoomForShape else { return }
      kinds.append(Kind(shape: shape, starting: 1))
    }
    let life = life
    Loop.spawn {
      let thread = await start()
      guard life == self.life, let index = self.index(of: shape) else { return }
      self.kinds[index].starting -= 1
      if let thread { self.kinds[index].threads.append(Entry(thread: thread, startedAt: Loop.now)) }
      if self.kinds[index].isUnused { self.kinds.remove(at: index) }
    }
  }

  private func index(of shape: Shape) -> Int? { kinds.firstIndex { $0.shape == shape } }

  private var hasRoomForShape: Bool { kinds.count { !$0.threads.isEmpty } < Limit.shapes }

  /// Takes out the threads that were not wanted for too long.
  func takeOld() -> [ThreadID] { remove { Loop.now - $0.startedAt > Limit.age } }

  /// Takes out all threads.
  func takeAll() -> [ThreadID] { remove { _ in true } }

  /// Forgets everything: the process that had the threads is gone.
  func forgetAll() {
    life += 1
    kinds = []
  }

  private func remove(_ isUnwanted: (Entry) -> Bool) -> [ThreadID] {
    let unwanted = kinds.flatMap(\.threads).filter(isUnwanted).map(\.thread)
    for index in kinds.indices { kinds[index].threads.removeAll(where: isUnwanted) }
    kinds.removeAll(where: \.isUnused)
    return unwanted
  }
}
