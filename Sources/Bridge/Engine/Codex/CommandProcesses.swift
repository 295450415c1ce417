// Ends the processes that commands of the model leave running when their turn is cut short.
//
// When Codex interrupts a turn, it ends the turn's commands, as long as they are in its sandbox or in the process group
// that they were started in. Outside the sandbox a command can leave that group, and when Codex itself is killed,
// processes of its commands live on. The bridge finds them by the id of their thread, which Codex puts into the
// environment of every command. A turn that may run commands outside the sandbox is written to a file until it is over.
// If the bridge is killed, the next one reads the file and ends the processes that are left.

import Glibc

/// Finds and ends the processes of cut turns. Owns the file of turns that may run commands.
@LoopActor
final class CommandProcesses {
  static let fileName = ".codex_commands.json"
  /// The environment variable in which Codex gives each command the id of its thread.
  private nonisolated static let threadVariable = "CODEX_THREAD_ID"

  private enum Limit {
    /// The time between two searches for processes.
    static let pause = Duration.milliseconds(100)
    /// Searches before SIGKILL is sent. With the pause they give a process one second to end after SIGTERM; more of them
    /// would delay the end of the bridge.
    static let searchesBeforeKill = 10
    /// Searches at most for one turn. Processes that are started faster than they are found are left running; more searches
    /// would delay the end of the bridge.
    static let searches = 20
    /// A larger file is not read. This is enough for some thousand turns, far more than run at once.
    static let fileBytes = 1 << 20
  }

  /// A turn that was cut short, and the time in which its commands can have been started.
  struct CutTurn: Sendable, Equatable {
    let thread: ThreadID
    let since: ProcessClock.Ticks
    let until: ProcessClock.Ticks
  }

  /// A cut turn whose processes are being ended.
  private struct Cleanup {
    let turn: CutTurn
    /// Kernel sessions (setsid) that began during the turn. A process that is started in one of them later belongs to the
    /// turn too.
    var sessions: Set<Int32> = []
    /// Processes that were sent a signal.
    var signalled: Set<Int32> = []
    var searches = 0

    /// Returns those of `found` that belong to the turn. A session with a process that is older than the turn belongs to an
    /// earlier turn of the thread, which has completed and left it running on purpose.
    mutating func processes(in found: [MarkedProcess]) -> [MarkedProcess] {
      let mine = found.filter { $0.mark == turn.thread.raw }
      for (session, members) in Dictionary(grouping: mine, by: \.session) {
        if let first = members.map(\.startedAt).min(), (turn.since...turn.until).contains(first) {
          sessions.insert(session)
        }
      }
      return mine.filter { sessions.contains($0.session) }
    }
  }

  private let path: String?
  /// For each running turn that may run commands, by its thread: the earliest time at which its first command can have been
  /// started.
  private var running: [ThreadID: ProcessClock.Ticks] = [:]
  /// Cut turns that Codex has been asked to clean up after. The bridge ends the rest once Codex has answered.
  private var cut: [CutTurn] = []
  private var cleanups: [Int: Cleanup] = [:]
  private var lastCleanupID = 0
  private var isCleaningUp = false
  /// Turns of an earlier bridge that was killed.
  private var leftovers: [CutTurn] = []
  private var isSaving = false
  /// Whether the file has to be written (again).
  private var hasChanged = false
  private var hasFailedToSave = false
  /// Signalled when all cleanups, or a save, have ended.
  private let changes = ChangeSignal()

  /// Reads the file of an earlier bridge in `directory`. Without a directory no file is kept. This blocks, so it is
  /// called only at the start of the bridge.
  init(directory: String? = nil) {
    path = directory.map { "\($0)/\(Self.fileName)" }
    guard let path else { return }
    FileContents.removeUnfinished(path)
    guard case .bytes(let bytes) = FileContents.read(path, limit: Limit.fileBytes) else { return }
    leftovers = Notes.cutTurns(in: bytes, endedBefore: ProcessClock.now)
  }

  /// Ends the processes that turns of the bridge before this one have left running.
  func endLeftovers() {
    for turn in leftovers { startCleanup(after: turn) }
    leftovers = []
  }

  // MARK: A turn

  /// Records a turn that may run commands. Called at its beginning, because the turn may be cut before Codex has reported
  /// its first command. `elapsed` is how long the turn has run.
  func turnBegan(on thread: ThreadID, elapsed: Duration) {
    guard running[thread] == nil else { return }
    // Rounded down, so that the first command is not older.
    running[thread] = ProcessClock.now - ProcessClock.ticks(elapsed) - 1
    save()
  }

  /// Forgets a turn that has completed. Processes that its commands have left running were meant to stay.
  func turnCompleted(on thread: ThreadID) {
    if running.removeValue(forKey: thread) != nil { save() }
  }

  /// Records that a turn was cut short. If this returns a turn, `endProcesses` has to be called with it once Codex has
  /// cleaned up.
  func turnCut(on thread: ThreadID) -> CutTurn? {
    guard let since = running.removeValue(forKey: thread) else { return nil }
    let turn = CutTurn(thread: thread, since: since, until: ProcessClock.now)
    cut.append(turn)
    return turn
  }

  /// Ends the processes of a cut turn, first by SIGTERM, later by SIGKILL.
  func endProcesses(of turn: CutTurn) {
    guard let index = cut.firstIndex(of: turn) else { return }
    cut.remove(at: index)
    startCleanup(after: turn)
  }

  /// Waits until all cleanups have ended and the file is up to date.
  func waitUntilEnded() async {
    await changes.wait { !self.isCleaningUp && !self.isSaving && !self.hasChanged }
  }

  // MARK: Ending processes

  private func startCleanup(after turn: CutTurn) {
    lastCleanupID += 1
    cleanups[lastCleanupID] = Cleanup(turn: turn)
    guard !isCleaningUp else { return }
    isCleaningUp = true
    Loop.spawn {
      while await self.searchAndSignal() { await Loop.sleep(Limit.pause) }
      self.save()
      self.changes.send()
    }
  }

  /// Searches once for the processes of all cut turns, and signals those that it finds. Returns whether to search again.
  private func searchAndSignal() async -> Bool {
    // A cleanup that begins while the processes are read takes part in the next search.
    let ids = Array(cleanups.keys)
    let threads = Set(cleanups.values.map(\.turn.thread.raw))
    let found = await Loop.offLoop { MarkedProcess.all(Self.threadVariable, in: threads) }
    for id in ids {
      guard var cleanup = cleanups[id] else { continue }
      let left = cleanup.processes(in: found)
      cleanups[id] = signal(left, of: &cleanup) ? cleanup : nil
    }
    isCleaningUp = !cleanups.isEmpty
    return isCleaningUp
  }

  /// Signals the processes of a turn. Returns whether the cleanup goes on: false if there were none, or after too many
  /// searches.
  private func signal(_ processes: [MarkedProcess], of cleanup: inout Cleanup) -> Bool {
    guard !processes.isEmpty, cleanup.searches < Limit.searches else {
      logEnd(of: cleanup, hasEndedAll: processes.isEmpty)
      return false
    }
    let mustKill = cleanup.searches >= Limit.searchesBeforeKill
    for process in processes {
      let isNew = cleanup.signalled.insert(process.id).inserted
      if mustKill { kill(process.id, SIGKILL) } else if isNew { terminate(process.id) }
    }
    cleanup.searches += 1
    return true
  }

  private func terminate(_ process: Int32) {
    kill(process, SIGTERM)
    // A stopped process handles SIGTERM only when it is continued.
    kill(process, SIGCONT)
  }

  private func logEnd(of cleanup: Cleanup, hasEndedAll: Bool) {
    guard !cleanup.signalled.isEmpty else { return }
    let fields: Log.Fields = [
      "thread": cleanup.turn.thread, "processes": cleanup.signalled.count,
    ]
    if hasEndedAll {
      Log.info("ended what a cut turn had left running", fields)
    } else {
      Log.warning("a cut turn has left processes running that cannot be ended", fields)
    }
  }

  // MARK: The file

  /// Writes the file. While it is being written, changes gather and are written together after that.
  private func save() {
    guard let path else { return }
    hasChanged = true
    guard !isSaving else { return }
    isSaving = true
    Loop.spawn {
      while self.hasChanged {
        self.hasChanged = false
        let notes = self.notes
        do throws(FileError) {
          try await Loop.offLoop { () throws(FileError) in try Notes.write(notes, to: path) }
          self.hasFailedToSave = false
        } catch {
          self.reportUnsaved(error)
        }
      }
      self.isSaving = false
      self.changes.send()
    }
  }

  private var notes: Notes {
    let open = running.map { Notes.Entry(thread: $0.key, since: $0.value, until: nil) }
    let cut = (self.cut + cleanups.values.map(\.turn) + leftovers).map {
      Notes.Entry(thread: $0.thread, since: $0.since, until: $0.until)
    }
    return Notes(entries: open + cut)
  }

  private func reportUnsaved(_ error: FileError) {
    if !hasFailedToSave {
      Log.warning(
        "which turns run commands cannot be noted; if the bridge is killed, what they started may go on",
        ["file": path ?? "", "error": error.description])
    }
    hasFailedToSave = true
  }
}

/// The contents of the file: `{"bridge":{"pid","started"},"turns":[{"thread","since","until"?}]}`, times in clock ticks of
/// the kernel. A turn without `until` was running when the file was written.
private struct Notes: Sendable {
  struct Entry: Sendable {
    let thread: ThreadID
    let since: ProcessClock.Ticks
    let until: ProcessClock.Ticks?

    var json: JSONValue {
      ["thread": .string(thread.raw), "since": .int(since), "until": until.map { .int($0) } ?? .null]
    }
  }

  var entries: [Entry]

  static func write(_ notes: Notes, to path: String) throws(FileError) {
    guard !notes.entries.isEmpty else { return FileContents.remove(path) }
    let contents: JSONValue = [
      "bridge": ["pid": .int(Int(getpid())), "started": .int(ProcessStatus.origin(of: getpid())?.startedAt ?? 0)],
      "turns": .array(notes.entries.map(\.json)),
    ]
    try FileContents.swap(path, with: contents.jsonBytes)
  }

  /// The turns in the file of a bridge that has ended. Their commands were all started before `now`.
  static func cutTurns(in bytes: [UInt8], endedBefore now: ProcessClock.Ticks) -> [CommandProcesses.CutTurn] {
    guard let contents = try? JSONValue(parsing: bytes), !isRunning(contents["bridge"]) else { return [] }
    return (contents["turns"]?.arrayValue ?? []).compactMap { entry in
      guard let thread = entry["thread"]?.stringValue, let since = entry["since"]?.intValue else { return nil }
      let until = min(entry["until"]?.intValue ?? now, now)
      return since <= until ? .init(thread: ThreadID(thread), since: since, until: until) : nil
    }
  }

  /// Whether the bridge that wrote the file still runs. On a file system without locks two bridges may share a directory by
  /// mistake, and must not end each other's processes.
  private static func isRunning(_ bridge: JSONValue?) -> Bool {
    guard let id = bridge?["pid"]?.intValue.flatMap(Int32.init(exactly:)), id != getpid() else { return false }
    return ProcessStatus.origin(of: id)?.startedAt == bridge?["started"]?.intValue
  }
}
