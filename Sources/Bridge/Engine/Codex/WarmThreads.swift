// Threads that are started ahead of need, so that a new conversation does not wait for its thread.
// Owns the threads that no turn has taken yet.

/// A small stock of fresh threads. Each turn that takes one, or finds none, has one added. So there come to be as many
/// threads as turns begin at once, and threads of a kind that is not asked for any more are dropped by their age.
@LoopActor
final class WarmThreads {
  /// What a thread is started with; a turn cannot change it afterwards.
  struct Kind: Equatable, Sendable {
    let isEphemeral: Bool
    let model: String?
    let profile: TurnProfile
  }

  private enum Limit {
    /// How many kinds of threads are kept at once. Each thread takes memory in Codex.
    static let kinds = 4
    /// A thread that no turn takes for this long is dropped: the files that it was started with may have changed.
    static let age = Duration.seconds(300)
  }

  private struct Entry {
    let thread: ThreadID
    let startedAt: Duration
  }

  /// The threads of one kind.
  private struct Stock {
    let kind: Kind
    /// The oldest first. Turns take the youngest, so that surplus threads become old and are dropped.
    var threads: [Entry] = []
    /// How many threads are being started.
    var starting = 0

    var isUnused: Bool { threads.isEmpty && starting == 0 }
  }

  private let perKind: Int
  /// An array, because a search through so few is cheaper than hashing.
  private var stocks: [Stock] = []
  /// The number of processes that were lost. A thread whose process is lost while it is started is recognised by it.
  private var lostProcesses = 0

  /// Keeps at most `perKind` threads of each kind; 0 keeps none.
  init(perKind: Int) { self.perKind = perKind }

  /// Takes out a thread of a kind; nil if there is none.
  func take(_ kind: Kind) -> ThreadID? {
    guard let index = index(of: kind), let entry = stocks[index].threads.popLast() else { return nil }
    if stocks[index].isUnused { stocks.remove(at: index) }
    return entry.thread
  }

  /// Starts one more thread of a kind, unless there are enough. `start` returns nil if no thread could be started.
  func addThread(of kind: Kind, start: @escaping @Sendable @LoopActor () async -> ThreadID?) {
    guard perKind > 0 else { return }
    if let index = index(of: kind) {
      guard stocks[index].threads.count + stocks[index].starting < perKind,
        !stocks[index].threads.isEmpty || hasRoomForKind
      else { return }
      stocks[index].starting += 1
    } else {
      guard hasRoomForKind else { return }
      stocks.append(Stock(kind: kind, starting: 1))
    }
    let lostBefore = lostProcesses
    Loop.spawn {
      let thread = await start()
      guard lostBefore == self.lostProcesses, let index = self.index(of: kind) else { return }
      self.stocks[index].starting -= 1
      if let thread { self.stocks[index].threads.append(Entry(thread: thread, startedAt: Loop.now)) }
      if self.stocks[index].isUnused { self.stocks.remove(at: index) }
    }
  }

  private func index(of kind: Kind) -> Int? { stocks.firstIndex { $0.kind == kind } }

  private var hasRoomForKind: Bool { stocks.count { !$0.threads.isEmpty } < Limit.kinds }

  /// Takes out the threads that no turn has taken for too long.
  func takeOld() -> [ThreadID] { remove { Loop.now - $0.startedAt > Limit.age } }

  /// Takes out all threads.
  func takeAll() -> [ThreadID] { remove { _ in true } }

  /// Forgets all threads, because their process is lost.
  func forgetAll() {
    lostProcesses += 1
    stocks = []
  }

  private func remove(_ isUnwanted: (Entry) -> Bool) -> [ThreadID] {
    let unwanted = stocks.flatMap(\.threads).filter(isUnwanted).map(\.thread)
    for index in stocks.indices { stocks[index].threads.removeAll(where: isUnwanted) }
    stocks.removeAll(where: \.isUnused)
    return unwanted
  }
}
