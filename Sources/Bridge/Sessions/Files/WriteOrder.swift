// The map and its journal as a state machine: facts in, the next step out. No I/O.

/// What is on disk and what is being written.
///
/// One step at a time; only a fold goes on beside the others, so that nobody waits for it.
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

  /// A longer journal is folded, however few lines it has: a quarter of what one may have, so that a fold that fails can
  /// be tried again.
  private static let maxJournalBytes = SessionJournal.maxBytes / 4

  private var disk = Disk.unknown
  private var fold = Fold.none
  /// Whether a step is under way, besides a fold.
  private var isBusy = false
  private var isClosing = false
  /// After a fold that failed: how long the journal was, to which as much again may be added before the next.
  private var postponed = SessionJournal.Extent()

  /// No journal can be begun: the map is written whole first, with `isUrgent` before anything has changed.
  static func unknown(isUrgent: Bool) -> Self { Self(disk: .unknown, fold: isUrgent ? .due : .none) }

  /// A map was read, with the journal that followed it. What is left of an earlier bridge is folded at once.
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
      case .written(let covered): cut(covered) ?? write(sessions, hasChanges)
      case .none, .due: write(sessions, hasChanges)
      }
    if let step, step != .fold { isBusy = true }
    return step
  }

  private func appendBesideFold(_ hasChanges: Bool) -> Step? {
    guard hasChanges, case .map(let journal) = disk else { return nil }
    return .append(to: journal)
  }

  private mutating func cut(_ covered: SessionJournal.Extent) -> Step? {
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

  /// What failed is tried again when there is reason to.
  mutating func replaced(_ isDone: Bool) {
    isBusy = false
    guard isDone else { return }
    disk = .map(journal: nil)
    fold = .none
    postponed = SessionJournal.Extent()
  }

  mutating func appended(_ result: JournalFile.AppendResult, sessions: Int) {
    isBusy = false
    switch result {
    case .appended(let version):
      disk = .map(journal: version)
      foldIfLong(sessions)
    case .lost: disk = .unknown
    case .failed:
      // Perhaps because of its very length.
      postponed = SessionJournal.Extent()
      foldIfLong(sessions)
    }
  }

  private mutating func foldIfLong(_ sessions: Int) {
    guard fold == .none, case .map(let journal?) = disk else { return }
    let isLong = journal.extent.lines > max(ThreadMap.maxSorted, sessions) + postponed.lines
    if isLong || journal.extent.bytes > Self.maxJournalBytes + postponed.bytes { fold = .due }
  }

  mutating func folded(_ isDone: Bool) {
    guard case .writing(let covered) = fold else { return }
    if isDone { fold = .written(covered: covered) } else { postponeFold() }
  }

  mutating func cut(_ result: JournalFile.CutResult) {
    isBusy = false
    switch result {
    case .cut(let version):
      disk = .map(journal: version)
      fold = .none
      postponed = SessionJournal.Extent()
    case .failed: postponeFold()
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

  private mutating func postponeFold() {
    fold = .none
    if case .map(let journal?) = disk { postponed = journal.extent }
  }
}
