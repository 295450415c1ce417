// What commands of the model leave running when their turn is cut.
//
// Codex ends the commands of a turn that it interrupts, as far as they are in its sandbox or in the group they were
// started in. Outside the sandbox a command can leave that group, and when Codex itself is killed, what its commands had
// started lives on. Such processes are found by the name of their thread, which Codex puts into the environment of every
// command. A turn that may run commands outside the sandbox is noted in a file until it is over, so that the next bridge
// ends what is left of it if this one is killed.

import Glibc

/// Finds and ends the processes of cut turns. Owns the notes about turns that may run commands.
@LoopActor
final class CommandProcesses {
  static let fileName = ".codex_commands.json"
  /// Codex sets it for each command.
  private nonisolated static let threadVariable = "CODEX_THREAD_ID"

  private enum Limit {
    /// From one look at the processes to the next.
    static let pause = Duration.milliseconds(100)
    /// Looks during which a process may end by itself after SIGTERM: a second. More of them delay the end of the bridge.
    static let patientLooks = 10
    /// Looks at most. What is started faster than it is found goes on; more looks would hold up the end of the bridge.
    static let looks = 20
    /// Notes of some thousand turns, far more than run at once.
    static let fileBytes = 1 << 20
  }

  /// A turn that was cut, and when its commands can have been started.
  struct CutTurn: Sendable, Equatable {
    let thread: ThreadID
    let since: ProcessClock.Ticks
    let until: ProcessClock.Ticks
  }

  /// A cut turn whose processes are being ended.
  private struct Hunt {
    let turn: CutTurn
    /// Kernel sessions that were made during the turn. What is started in them later belongs to it too.
    var sessions: Set<Int32> = []
    var ended: Set<Int32> = []
    var looks = 0

    /// Those of `found` that belong to the turn. A session in which something is older than the turn is of an earlier
    /// one, which has left it running on purpose.
    mutating func pick(_ found: [MarkedProcess]) -> [MarkedProcess] {
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
  /// When the first command of a turn that runs can have been started, by the turn's thread.
  private var running: [ThreadID: ProcessClock.Ticks] = [:]
  /// Cut turns that Codex has been asked to clean up after first.
  private var cut: [CutTurn] = []
  private var hunts: [Int: Hunt] = [:]
  private var lastHunt = 0
  private var isHunting = false
  private var leftovers: [CutTurn] = []
  private var isSaving = false
  private var hasChanged = false
  private var hasFailedToSave = false
  /// Sent when a hunt or a save has ended.
  private let changes = ChangeSignal()

  /// Reads the notes of an earlier bridge in `directory`; without one, none are kept. Blocks: for the start.
  init(directory: String? = nil) {
    path = directory.map { "\($0)/\(Self.fileName)" }
    guard let path else { return }
    FileContents.removeUnfinished(path)
    guard case .bytes(let bytes) = FileContents.read(path, limit: Limit.fileBytes) else { return }
    leftovers = Notes.cutTurns(in: bytes, endedBefore: ProcessClock.now)
  }

  /// Ends what turns that were cut with the bridge before this one have left running.
  func endLeftovers() {
    for turn in leftovers { hunt(turn) }
    leftovers = []
  }

  // MARK: A turn

  /// Notes a turn before its commands are told of, since they may be cut before. `elapsed` is how long it has run.
  func turnBegan(on thread: ThreadID, elapsed: Duration) {
    guard running[thread] == nil else { return }
    // Rounded down, to be sure of the first command.
    running[thread] = ProcessClock.now - ProcessClock.ticks(elapsed) - 1
    save()
  }

  /// A turn has completed; what its commands have left running was meant to be.
  func turnCompleted(on thread: ThreadID) {
    if running.removeValue(forKey: thread) != nil { save() }
  }

  /// A turn was cut short. `end` is to be called with the result, if there is one, once Codex has cleaned up by itself.
  func turnCut(on thread: ThreadID) -> CutTurn? {
    guard let since = running.removeValue(forKey: thread) else { return nil }
    let turn = CutTurn(thread: thread, since: since, until: ProcessClock.now)
    cut.append(turn)
    return turn
  }

  /// Ends the processes of a cut turn, first by SIGTERM.
  func end(_ turn: CutTurn) {
    guard let index = cut.firstIndex(of: turn) else { return }
    cut.remove(at: index)
    hunt(turn)
  }

  /// Returns when all that was to be ended has been, and the notes tell so.
  func settled() async {
    await changes.wait { !self.isHunting && !self.isSaving && !self.hasChanged }
  }

  // MARK: Ending processes

  private func hunt(_ turn: CutTurn) {
    lastHunt += 1
    hunts[lastHunt] = Hunt(turn: turn)
    guard !isHunting else { return }
    isHunting = true
    Loop.spawn {
      while await self.look() { await Loop.sleep(Limit.pause) }
      self.save()
      self.changes.send()
    }
  }

  /// Looks once for what is left of all cut turns. Returns whether to look again.
  private func look() async -> Bool {
    // Those that begin while the processes are read have to wait for the next look.
    let looking = Array(hunts.keys)
    let threads = Set(hunts.values.map(\.turn.thread.raw))
    let found = await Loop.offLoop { MarkedProcess.all(Self.threadVariable, in: threads) }
    for key in looking {
      guard var hunt = hunts[key] else { continue }
      let left = hunt.pick(found)
      hunts[key] = signal(left, of: &hunt) ? hunt : nil
    }
    isHunting = !hunts.isEmpty
    return isHunting
  }

  /// Returns whether there was anybody to signal, who may still be there.
  private func signal(_ processes: [MarkedProcess], of hunt: inout Hunt) -> Bool {
    guard !processes.isEmpty, hunt.looks < Limit.looks else {
      report(hunt, isOver: processes.isEmpty)
      return false
    }
    for process in processes {
      let isNew = hunt.ended.insert(process.id).inserted
      if hunt.looks >= Limit.patientLooks { kill(process.id, SIGKILL) } else if isNew { terminate(process.id) }
    }
    hunt.looks += 1
    return true
  }

  private func terminate(_ process: Int32) {
    kill(process, SIGTERM)
    // One that is stopped would not hear of it.
    kill(process, SIGCONT)
  }

  private func report(_ hunt: Hunt, isOver: Bool) {
    guard !hunt.ended.isEmpty else { return }
    let fields: Log.Fields = [
      "thread": hunt.turn.thread, "processes": hunt.ended.count,
    ]
    if isOver {
      Log.info("ended what a cut turn had left running", fields)
    } else {
      Log.warning("a cut turn has left processes running that cannot be ended", fields)
    }
  }

  // MARK: Notes

  /// Writes the notes, one version at a time; the last one counts.
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
    let cut = (self.cut + hunts.values.map(\.turn) + leftovers).map {
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

/// The file of turns that run commands: `{"bridge":{"pid","started"},"turns":[{"thread","since","until"?}]}`.
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

  /// The turns of a bridge that is gone, and whose commands were all started before `now`.
  static func cutTurns(in bytes: [UInt8], endedBefore now: ProcessClock.Ticks) -> [CommandProcesses.CutTurn] {
    guard let contents = try? JSONValue(parsing: bytes), !isRunning(contents["bridge"]) else { return [] }
    return (contents["turns"]?.arrayValue ?? []).compactMap { entry in
      guard let thread = entry["thread"]?.stringValue, let since = entry["since"]?.intValue else { return nil }
      let until = min(entry["until"]?.intValue ?? now, now)
      return since <= until ? .init(thread: ThreadID(thread), since: since, until: until) : nil
    }
  }

  /// Where files cannot be locked, two bridges may share a directory by mistake; the turns of the other one are its own.
  private static func isRunning(_ bridge: JSONValue?) -> Bool {
    guard let id = bridge?["pid"]?.intValue.flatMap(Int32.init(exactly:)), id != getpid() else { return false }
    return ProcessStatus.origin(of: id)?.startedAt == bridge?["started"]?.intValue
  }
}
