// Which of the session map and its journal is written next, as a state machine: facts in, the next step out. No I/O.

/// What is on disk and what is being written.
///
/// There is one step at a time. Only a fold goes on beside other steps, so that no change waits for it.
struct WriteOrder {
  enum Step: Equatable {
    /// Write the map whole, then remove the journal.
    case replace
    /// Append what has changed to the journal; nil for a new one.
    case append(to: JournalFile.Version?)
    /// Write the map whole beside the journal.
    case fold
    /// Drop what the map has from the journal.
    case cut(JournalFile.Version, covered: SessionJournal.Extent)
  }

  private enum Disk {
    /// No map that a journal could follow.
    case unknown
    /// A map with its generation, and what follows it.
    case map(journal: JournalFile.Version?)
  }

  private enum Fold: Equatable {
    case none
    case due
    /// The map is being written, with all that was in the journal up to there.
    case writing(covered: SessionJournal.Extent)
    /// The map is on disk.
    case written(covered: SessionJournal.Extent)
  }

  /// A longer journal is folded, however few lines it has. It is a quarter of what a journal may have, so that there is room
  /// to try again after a fold that fails.
  private static let maxJournalBytes = SessionJournal.maxBytes / 4

  private var disk = Disk.unknown
  private var fold = Fold.none
  /// Whether a step is under way, besides a fold.
  private var isBusy = false
  private var isClosing = false
  /// How long the journal was when a fold failed: as much as without one may be added to it before the next fold.
  private var lengthAtFailedFold = SessionJournal.Extent()

  /// There is no map that a journal could follow, so the map is written whole first; with `isUrgent` even before anything
  /// has changed.
  static func unknown(isUrgent: Bool) -> Self { Self(disk: .unknown, fold: isUrgent ? .due : .none) }

  /// A map was read, with the journal that followed it. A journal that an earlier bridge has left is folded at once.
  static func found(journal: JournalFile.Version?) -> Self {
    Self(disk: .map(journal: journal), fold: journal == nil ? .none : .due)
  }

  private init(disk: Disk, fold: Fold) {
    self.disk = disk
    self.fold = fold
  }

  /// Whether nothing is under way.
  var isIdle: Bool {
    if case .writing = fold { return false }
    return !isBusy
  }

  /// What is to be done now; nil for nothing, or nothing yet. Asked again until it is nil.
  mutating func next(sessions: Int, hasChanges: Bool) -> Step? {
    guard !isBusy else { return nil }
    let step =
      switch fold {
      case .writing: appendBesideFold(hasChanges)
      case .written(let covered): cutJournal(covered) ?? write(sessions, hasChanges)
      case .none, .due: write(sessions, hasChanges)
      }
    if let step, step != .fold { isBusy = true }
    return step
  }

  private func appendBesideFold(_ hasChanges: Bool) -> Step? {
    guard hasChanges, case .map(let journal) = disk else { return nil }
    return .append(to: journal)
  }

  private mutating func cutJournal(_ covered: SessionJournal.Extent) -> Step? {
    guard case .map(let journal?) = disk else {
      fold = .none
      return nil
    }
    return .cut(journal, covered: covered)
  }

  private mutating func write(_ sessions: Int, _ hasChanges: Bool) -> Step? {
    guard case .map(let journal) = disk, sessions > ThreadMap.maxSorted, !isClosing else {
      return hasChanges || fold == .due ? .replace : nil
    }
    if fold == .due {
      fold = .writing(covered: journal?.extent ?? SessionJournal.Extent())
      return .fold
    }
    return hasChanges ? .append(to: journal) : nil
  }

  // MARK: Facts

  /// The map was written whole; if not, it is tried again with the next change.
  mutating func replaced(_ isDone: Bool) {
    isBusy = false
    guard isDone else { return }
    disk = .map(journal: nil)
    fold = .none
    lengthAtFailedFold = SessionJournal.Extent()
  }

  mutating func appended(_ result: JournalFile.AppendResult, sessions: Int) {
    isBusy = false
    switch result {
    case .appended(let version):
      disk = .map(journal: version)
      foldIfLong(sessions)
    case .lost: disk = .unknown
    case .failed:
      // The journal may be too long for the disk or for its limit, so that only a fold helps.
      lengthAtFailedFold = SessionJournal.Extent()
      foldIfLong(sessions)
    }
  }

  private mutating func foldIfLong(_ sessions: Int) {
    guard fold == .none, case .map(let journal?) = disk else { return }
    let isLong = journal.extent.lines > max(ThreadMap.maxSorted, sessions) + lengthAtFailedFold.lines
    if isLong || journal.extent.bytes > Self.maxJournalBytes + lengthAtFailedFold.bytes { fold = .due }
  }

  mutating func folded(_ isDone: Bool) {
    guard case .writing(let covered) = fold else { return }
    if isDone { fold = .written(covered: covered) } else { foldFailed() }
  }

  mutating func cut(_ result: JournalFile.CutResult) {
    isBusy = false
    switch result {
    case .cut(let version):
      disk = .map(journal: version)
      fold = .none
      lengthAtFailedFold = SessionJournal.Extent()
    case .failed: foldFailed()
    }
  }

  /// From now on the map is written whole, once more if there is a journal. Only while idle.
  mutating func close() {
    isClosing = true
    switch disk {
    case .map(journal: nil): fold = .none
    case .map: fold = .due
    case .unknown: if fold != .none { fold = .due }
    }
  }

  private mutating func foldFailed() {
    fold = .none
    if case .map(let journal?) = disk { lengthAtFailedFold = journal.extent }
  }
}
